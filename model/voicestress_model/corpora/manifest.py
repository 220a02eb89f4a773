"""Any dataset as a table: a CSV or Parquet file with the columns ``path,label,speaker[,split][,sex]``.

Paths are relative to the manifest. Every further column goes into ``Utterance.details`` as text. Labels are taken as
they are: a manifest says what its recordings are, so nothing is mapped or dropped.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from voicestress_model.corpora.corpus import Corpus, Sex, Utterance, label_order, listed
from voicestress_model.corpora.errors import CorpusError

REQUIRED = ("path", "label", "speaker")
_OPTIONAL = ("split", "sex")
_SEXES: Mapping[str, Sex] = {"female": "female", "f": "female", "male": "male", "m": "male"}

# A row's name in messages ("line 7"), and its values by column.
_Row = tuple[str, Mapping[str, str]]


def recognises(path: Path) -> bool:
    """Whether ``path`` is a manifest by its ending."""
    return path.is_file() and path.suffix.lower() in {".csv", ".parquet"}


def read(path: Path) -> Corpus:
    """Read a manifest.

    Raises:
        CorpusError: it is no table, a column is missing, a row is incomplete or a recording isn't there.
    """
    if not path.is_file():
        raise CorpusError(f"{path}: a manifest is a .csv or .parquet file, this is a folder.")
    rows = list(_parquet_rows(path) if path.suffix.lower() == ".parquet" else _csv_rows(path))
    utterances = tuple(_utterance(path, name, values) for name, values in rows)
    _check_paths(path, utterances, [name for name, _ in rows])
    # "manifest" tells nobody which: its folder does.
    name = path.resolve().parent.name if path.stem == "manifest" else path.stem
    return Corpus(name, label_order({utterance.label for utterance in utterances}), utterances)


def write_manifest(corpus: Corpus, path: Path) -> None:
    """Write ``corpus`` as a CSV manifest that ``read`` gives back; its paths are relative to ``path``'s folder."""
    details = dict.fromkeys(name for utterance in corpus.utterances for name in utterance.details)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*REQUIRED, *_OPTIONAL, *details], lineterminator="\n")
        writer.writeheader()
        for utterance in corpus.utterances:
            row = {name: getattr(utterance, name) for name in ("label", "speaker", *_OPTIONAL)}
            where = os.path.relpath(utterance.path.resolve(), path.parent.resolve())
            writer.writerow({**row, "path": where, **utterance.details})


def _csv_rows(path: Path) -> Iterator[_Row]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # -sig: spreadsheets write a byte order mark
            reader = csv.DictReader(file, strict=True)
            columns = [column.strip() for column in reader.fieldnames or []]
            _check_columns(path, columns)
            reader.fieldnames = columns
            for values in reader:
                name = f"line {reader.line_num}"
                if None in values:
                    raise CorpusError(
                        f"{path}, {name}: has more values than the {len(columns)} columns of the first line. "
                        "Put values with commas in quotes."
                    )
                yield name, {column: (value or "").strip() for column, value in values.items()}
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: is not UTF-8 text ({error.reason}). Save it as UTF-8.") from error
    except csv.Error as error:
        raise CorpusError(f"{path}: can't be read as CSV ({error}).") from error


def _parquet_rows(path: Path) -> Iterator[_Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise CorpusError(f"{path}: can't be read as Parquet ({error}).") from error
    _check_columns(path, table.column_names)
    for number, values in enumerate(table.to_pylist(), start=1):
        yield (
            f"row {number}",
            {column: "" if value is None else str(value).strip() for column, value in values.items()},
        )


def _check_columns(path: Path, columns: list[str]) -> None:
    if missing := [column for column in REQUIRED if column not in columns]:
        raise CorpusError(
            f"{path}: the column(s) {', '.join(missing)} are missing; its first line has: {', '.join(columns) or '-'}. "
            f"A manifest needs {','.join(REQUIRED)}, and may have {','.join(_OPTIONAL)}."
        )
    if twice := [column for column in dict.fromkeys(columns) if columns.count(column) > 1]:
        raise CorpusError(f"{path}: the column(s) {', '.join(twice)} are there twice. Rename one of each.")


def _utterance(path: Path, name: str, values: Mapping[str, str]) -> Utterance:
    for column in REQUIRED:
        if not values[column]:
            raise CorpusError(f"{path}, {name}: has no {column}. Fill it in, or delete the row.")
    sex = values.get("sex", "").lower()
    if sex and sex not in _SEXES:
        raise CorpusError(f"{path}, {name}: sex is {values['sex']!r}; use female, male or nothing.")
    details = {
        column: value
        for column, value in values.items()
        if value and column not in REQUIRED and column not in _OPTIONAL
    }
    return Utterance(
        path.parent / values["path"],
        values["label"],
        values["speaker"],
        values.get("split") or None,
        _SEXES.get(sex),
        details,
    )


def _check_paths(path: Path, utterances: tuple[Utterance, ...], rows: list[str]) -> None:
    row_of: dict[Path, str] = {}
    missing = []
    for utterance, row in zip(utterances, rows, strict=True):
        if (first := row_of.setdefault(utterance.path, row)) != row:
            raise CorpusError(f"{path}, {row}: {utterance.path} is in {first} already. Delete one of the rows.")
        if not utterance.path.is_file():
            missing.append(f"{utterance.path} ({row})")
    if missing:
        raise CorpusError(
            f"{path}: {len(missing)} of {len(utterances)} recordings are not there: {listed(missing)}. "
            f"Paths are relative to {path.parent}."
        )
