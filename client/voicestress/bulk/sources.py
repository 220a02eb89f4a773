"""The recordings of an archive: a directory, a glob, a manifest, or any of them at an fsspec URL."""

from __future__ import annotations

import csv
import glob
import io
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from voicestress.errors import StressError

_SUFFIXES = (
    ".wav .w64 .rf64 .flac .mp3 .ogg .oga .opus .aif .aiff .aifc .au .caf "  # soundfile's
    ".m4a .aac .mp4 .3gp .amr .webm .mka .mkv"  # those of the extra codecs
)
MANIFEST_COLUMN = "path"
_JOB_INDEX = "JOB_COMPLETION_INDEX"


class SourceError(StressError):
    """The archive can't be listed: what is wrong with it, and what would help."""


@dataclass(frozen=True)
class Shard:
    """Part ``index``, from 0, of ``count`` parts of an archive; a recording's part depends on its name only."""

    index: int
    count: int

    def has(self, recording: str) -> bool:
        """Whether the recording is in this part."""
        return zlib.crc32(recording.encode(errors="surrogateescape")) % self.count == self.index

    @classmethod
    def parse(cls, text: str) -> Shard:
        """``I/N``, or ``N`` with I from the environment of a Kubernetes Job.

        Raises:
            ValueError: it is neither, or I is not from 0 to N - 1.
        """
        index, slash, count = text.rpartition("/")
        if not slash:
            index = os.environ.get(_JOB_INDEX, "")
            if not index:
                raise ValueError(f"{text}: give I/N, or N alone where {_JOB_INDEX} says I (an Indexed Job sets it)")
        if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
            raise ValueError(f"{index}/{count}: I must be 0 to N - 1, as in 0/4 to 3/4")
        return cls(int(index), int(count))

    def named(self, out: Path) -> Path:
        """The file of this part's results, where the whole's would be ``out``."""
        return out.with_name(f"{out.stem}-{self.index:05d}-of-{self.count:05d}{out.suffix}")


def list_recordings(source: str, shard: Shard | None = None) -> list[str]:
    """The recordings of ``source`` in order, each once; of ``shard`` only.

    ``source`` is a directory (with those below it; files by their suffix), a glob, a manifest (``.csv`` or ``.parquet``
    with a column ``path``, relative to it), or one of these at a URL that fsspec reads.

    Raises:
        SourceError: there is nothing to score, or it can't be listed.
    """
    listed = _remote(source) if "://" in source else _local(source)
    recordings = list(dict.fromkeys(listed))
    if not recordings:
        raise SourceError(f"{source}: has no recordings. They are told by their suffix: {_SUFFIXES}")
    return [recording for recording in recordings if shard is None or shard.has(recording)]


def _local(source: str) -> Iterator[str]:
    path = Path(source)
    if path.is_dir():
        yield from _by_suffix(str(found) for found in path.rglob("*") if found.is_file())
    elif path.is_file() and _is_manifest(source):
        with path.open("rb") as file:
            for named in _manifest(file, source):
                yield named if "://" in named else str(path.parent / named)
    elif path.is_file():
        yield source
    elif any(character in source for character in "*?["):
        # Path.glob takes no absolute pattern.
        found = glob.iglob(source, recursive=True)  # noqa: PTH207
        yield from sorted(name for name in found if Path(name).is_file())
    else:
        raise SourceError(f"{source}: there is no such file or directory. Check the path; quote a glob.")


def _remote(url: str) -> Iterator[str]:
    import fsspec

    try:
        files, root = fsspec.core.url_to_fs(url)
        if any(character in url for character in "*?["):
            found = sorted(name for name in files.glob(root) if files.isfile(name))
            yield from (files.unstrip_protocol(name) for name in found)
        elif _is_manifest(url):
            parent = url.rpartition("/")[0]
            with files.open(root, "rb") as file:
                for named in _manifest(file, url):
                    yield named if "://" in named else f"{parent}/{named}"
        elif files.isdir(root):
            yield from _by_suffix(files.unstrip_protocol(name) for name in files.find(root))
        elif files.exists(root):
            yield url
        else:
            raise SourceError(f"{url}: there is no such object. Check the URL and the credentials.")
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(
            f"{url}: can't be listed ({error}). Check the URL, the credentials and fsspec's package for it."
        ) from error


def _by_suffix(names: Iterator[str]) -> list[str]:
    return sorted(name for name in names if PurePosixPath(name).suffix.lower() in _SUFFIXES.split())


def _is_manifest(name: str) -> bool:
    return name.lower().endswith((".csv", ".parquet"))


def _manifest(file: Any, name: str) -> Sequence[str]:
    if name.lower().endswith(".parquet"):
        import pyarrow
        import pyarrow.parquet

        try:
            columns = pyarrow.parquet.read_schema(file).names
            if MANIFEST_COLUMN in columns:
                return [
                    str(value)
                    for value in pyarrow.parquet.read_table(file, columns=[MANIFEST_COLUMN])[0].to_pylist()
                    if value
                ]
        except (pyarrow.ArrowException, OSError) as error:
            raise SourceError(f"{name}: is no Parquet file ({error})") from error
    else:
        try:
            text = io.StringIO(file.read().decode("utf-8-sig"), newline="")
            rows = csv.DictReader(text, strict=True)
            columns = list(rows.fieldnames or [])
            if MANIFEST_COLUMN in columns:
                return [row[MANIFEST_COLUMN] for row in rows if row[MANIFEST_COLUMN]]
        except (csv.Error, UnicodeDecodeError) as error:
            raise SourceError(f"{name}: is no CSV file in UTF-8 ({error})") from error
    raise SourceError(
        f"{name}: has the columns {', '.join(columns)}; a manifest names its recordings in {MANIFEST_COLUMN!r}"
    )
