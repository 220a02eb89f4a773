"""What was scored, on disk: a line a recording, written before anything else is done with it.

A journal survives the process at any moment: each line is one write, the last may be torn, and a torn one never
happened. Power cuts too, but for the last ``_SYNC_S`` seconds.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from voicestress.bulk.sources import SourceError

_SYNC_S = 1.0


class Journal:
    """Lines of JSON, one a recording, in the order of their completion. One process at a time.

    Raises:
        SourceError: another process is writing it, or it can't be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise SourceError(f"{path}: can't be written ({error.strerror}). Check --out.") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise SourceError(f"{path}: another process is writing it. Let it end, or use another --out.") from None
        if not path.exists() or path.stat().st_ino != os.fstat(self._file.fileno()).st_ino:
            self._file.close()
            raise SourceError(f"{path}: another process has just ended with it. Start again.")
        self._drop_torn_line()
        self._synced_s = time.monotonic()

    def write(self, entry: dict[str, Any]) -> None:
        """One more line, there for good."""
        line = memoryview(json.dumps(entry, allow_nan=False).encode() + b"\n")
        while line:
            line = line[self._file.write(line) or 0 :]
        if time.monotonic() - self._synced_s > _SYNC_S:
            self.sync()

    def sync(self) -> None:
        """Have the disk hold it all."""
        os.fsync(self._file.fileno())
        self._synced_s = time.monotonic()

    def entries(self) -> Iterator[dict[str, Any]]:
        """All lines, from the first."""
        with self.path.open("rb") as lines:
            for line in lines:
                yield json.loads(line)

    def clear(self) -> None:
        """Forget all lines."""
        self._file.truncate(0)

    def close(self) -> None:
        """Sync it and let others have it."""
        self.sync()
        self._file.close()

    def __enter__(self) -> Journal:
        """The journal itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _drop_torn_line(self) -> None:
        """Cut off what a killed process wrote of its last line."""
        end = self._file.seek(0, os.SEEK_END)
        step = 1 << 16
        position = end
        while position > 0:
            start = max(0, position - step)
            self._file.seek(start)
            newline = self._file.read(position - start).rfind(b"\n")
            if newline >= 0:
                self._file.truncate(start + newline + 1)
                return
            position = start
        self._file.truncate(0)
