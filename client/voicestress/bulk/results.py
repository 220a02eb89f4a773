"""The results of an archive as one Parquet file, made of a journal."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from voicestress.bulk.sources import SourceError

_ROWS_AT_ONCE = 500  # a call of an hour has a thousand windows
_EMOTIONS = pyarrow.map_(pyarrow.string(), pyarrow.float64())
_WINDOW = pyarrow.struct(
    [
        ("start_s", pyarrow.float64()),
        ("end_s", pyarrow.float64()),
        ("speech_s", pyarrow.float64()),
        ("stress_level", pyarrow.float64()),
        ("emotions", _EMOTIONS),
    ]
)
_MODEL = pyarrow.struct(
    [
        ("name", pyarrow.string()),
        ("version", pyarrow.string()),
        ("checkpoint", pyarrow.string()),
        ("weights", pyarrow.string()),
        ("precision", pyarrow.string()),
        ("status_threshold", pyarrow.float64()),
        ("policy", pyarrow.string()),
        ("heuristic", pyarrow.bool_()),
    ]
)
SCHEMA = pyarrow.schema(
    [
        ("recording", pyarrow.string()),
        ("stress_level", pyarrow.float64()),
        ("status", pyarrow.string()),
        ("emotions", _EMOTIONS),
        ("duration_s", pyarrow.float64()),
        ("speech_s", pyarrow.float64()),
        ("windows", pyarrow.list_(_WINDOW)),
        ("model", _MODEL),
    ]
)


def scored_in(out: Path) -> set[str]:
    """The recordings that have a row in the file, if there is one."""
    if not out.exists():
        return set()
    try:
        with pyarrow.parquet.ParquetFile(out) as file:
            if file.schema_arrow.equals(SCHEMA):
                return {
                    name for batch in file.iter_batches(columns=["recording"]) for name in batch.column(0).to_pylist()
                }
    except (pyarrow.ArrowException, OSError) as error:
        raise SourceError(f"{out}: is there, and is no Parquet file ({error}). Use another --out.") from error
    raise SourceError(f"{out}: is there, and has other columns than results have. Use another --out.")


def write_results(out: Path, entries: Iterable[dict[str, Any]]) -> int:
    """Put the rows that ``out`` has and those of ``entries`` into it, each recording once; how many there are then.

    ``out`` is replaced at once, when the new one is on the disk.
    """
    new = out.with_name(f".{out.name}.new")
    seen: set[str] = set()
    with pyarrow.parquet.ParquetWriter(new, SCHEMA, compression="zstd") as writer:
        for rows in _batches(chain(_old_rows(out), map(_row, entries))):
            fresh = []
            for row in rows:
                if row["recording"] not in seen:
                    seen.add(row["recording"])
                    fresh.append(row)
            writer.write_table(pyarrow.Table.from_pylist(fresh, schema=SCHEMA))
    replace_durably(new, out)
    return len(seen)


def replace_durably(new: Path, out: Path) -> None:
    """Put ``new`` in the place of ``out``; after a crash there is one or the other."""
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.replace(out)
    folder = os.open(out.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _old_rows(out: Path) -> Iterator[dict[str, Any]]:
    if out.exists():
        with pyarrow.parquet.ParquetFile(out) as file:
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                yield from batch.to_pylist()


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    windows = [{**window, "emotions": list(window["emotions"].items())} for window in entry["windows"]]
    return {**entry, "emotions": list(entry["emotions"].items()), "windows": windows}


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, _ROWS_AT_ONCE)):
        yield batch
