"""The bytes of a recording, as libsndfile wants them: seekable, and never raising in the middle of a C call."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any, BinaryIO

from voicestress_audio.errors import InvalidAudio
from voicestress_audio.limits import AudioLimits

# A source that can't seek is held in memory whole: 1 GiB is more than an hour and a half of 16-bit stereo at 48 kHz.
MOST_STREAM_BYTES = 2**30
_PIECE_BYTES = 2**20


class ByteSource:
    """A seekable view of a binary file, used by libsndfile through C callbacks and by the header checks directly.

    A callback can't raise: Python would print the error and libsndfile would see the end of the file. So an error is
    kept, the read counts as empty, and whoever made the C call asks ``raise_pending`` afterwards.

    A file that can't seek is read to memory, up to ``MOST_STREAM_BYTES``; a longer one is ``InvalidAudio``, and so is
    one beyond ``limits``.
    """

    def __init__(self, file: BinaryIO, name: str, limits: AudioLimits) -> None:
        self._name = name
        self._limits = limits
        self._error: BaseException | None = None
        self._overlay: tuple[int, bytes] | None = None
        self._end: int | None = None
        self._file = file
        if not self._guarded(_can_seek, file, failed=False):
            self.raise_pending()
            self._file = self._guarded(self._in_memory, failed=io.BytesIO())
        self.seek(0)
        self.raise_pending()

    def overlay(self, position: int, replacement: bytes) -> None:
        """Show ``replacement`` at ``position``, whatever the file has there."""
        self._overlay = (position, replacement)

    def end_at(self, position: int) -> None:
        """Show nothing from ``position`` on."""
        self._end = position

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
        start = self.tell() if self._overlay is not None or self._end is not None else 0
        if self._end is not None:
            view = view[: max(0, self._end - start)]
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
        if whence == os.SEEK_END and self._end is not None:
            offset, whence = self._end + offset, os.SEEK_SET
        self._guarded(self._file.seek, offset, whence, failed=0)
        return self.tell()

    def tell(self) -> int:
        """The position."""
        return int(self._guarded(self._file.tell, failed=0))

    def _read_some(self, view: memoryview) -> int:
        if hasattr(self._file, "readinto"):
            return self._file.readinto(view) or 0
        some = self._file.read(len(view))
        if isinstance(some, str):
            raise TypeError(f"{self._name}: a text file, not a binary one; open it with mode 'rb'")
        view[: len(some)] = some
        return len(some)

    def _in_memory(self) -> io.BytesIO:
        memory, piece = io.BytesIO(), memoryview(bytearray(_PIECE_BYTES))
        while count := self._read_some(piece):
            self._limits.check_bytes(memory.tell() + count, self._name)
            if memory.tell() + count > MOST_STREAM_BYTES:
                raise InvalidAudio(
                    f"{self._name}: goes on after {MOST_STREAM_BYTES} bytes, the most that is read from a pipe or "
                    "socket. Save it to a file, and give that."
                )
            memory.write(piece[:count])
        return memory

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
