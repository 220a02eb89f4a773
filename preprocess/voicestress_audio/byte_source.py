"""The bytes of a recording, as libsndfile wants them: seekable, and never raising in the middle of a C call."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any, BinaryIO

from voicestress_audio.errors import InvalidAudio


class ByteSource:
    """A seekable view of a binary file, used by libsndfile through C callbacks and by the header checks directly.

    A callback can't raise: Python would print the error and libsndfile would see the end of the file. So an error is
    kept, the read counts as empty, and whoever made the C call asks ``raise_pending`` afterwards.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._name = name
        self._error: BaseException | None = None
        self._overlay: tuple[int, bytes] | None = None
        self._file = file
        if not self._guarded(_can_seek, file, failed=False):
            self.raise_pending()
            self._file = io.BytesIO(self._guarded(file.read, failed=b""))
        self.seek(0)
        self.raise_pending()

    def overlay(self, position: int, replacement: bytes) -> None:
        """Show ``replacement`` at ``position``, whatever the file has there."""
        self._overlay = (position, replacement)

    def raise_pending(self) -> None:
        """Raise what went wrong in the file since the last call, as ``InvalidAudio`` where it could not be read."""
        error, self._error = self._error, None
        if isinstance(error, (OSError, ValueError)):  # ValueError: the file is closed
            raise InvalidAudio(f"{self._name}: can't be read ({error}).") from error
        if error is not None:
            raise error

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes; fewer only at the end."""
        buffer = bytearray(size)
        filled = self.readinto(buffer)
        self.raise_pending()
        return bytes(buffer[:filled])

    def readinto(self, buffer: Any, /) -> int:
        """Fill a writable buffer, and return how many bytes there were; fewer than fit only at the end."""
        view = memoryview(buffer)
        start = self.tell() if self._overlay is not None else 0
        filled = 0
        while filled < len(view):  # libsndfile takes a short read for the end of the file
            count = self._guarded(self._read_some, view[filled:], failed=0)
            if not count:
                break
            filled += count
        if self._overlay is not None:
            position, replacement = self._overlay
            for at, byte in enumerate(replacement, start=position - start):
                if 0 <= at < filled:
                    view[at] = byte
        return filled

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move, and return the new position."""
        self._guarded(self._file.seek, offset, whence, failed=0)
        return self.tell()

    def tell(self) -> int:
        """The position."""
        return int(self._guarded(self._file.tell, failed=0))

    def _read_some(self, view: memoryview) -> int:
        if hasattr(self._file, "readinto"):
            return self._file.readinto(view) or 0
        some = self._file.read(len(view))
        view[: len(some)] = some
        return len(some)

    def _guarded(self, call: Callable[..., Any], *arguments: Any, failed: Any) -> Any:
        if self._error is not None:
            return failed
        try:
            return call(*arguments)
        except BaseException as error:  # noqa: BLE001 (kept and raised by raise_pending, an interrupt too)
            self._error = error
            return failed


def _can_seek(file: BinaryIO) -> bool:
    # tempfile.SpooledTemporaryFile has no seekable() before Python 3.11.
    return file.seekable() if hasattr(file, "seekable") else hasattr(file, "seek")
