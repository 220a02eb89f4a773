"""How much of an upload is read, and by whom: long recordings are not for the threads that read short ones."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from voicestress_audio import AudioLimits, containers
from voicestress_audio.processes import Abandoned
from voicestress_audio.pyav import DEMUXERS

# Reading so much takes a thread 0.1 to 0.2 s, in which it takes turns with the event loop for Python's lock.
LONG_S = 30.0
# Lossy formats take up to 512 kbit/s.
_LONG_LOSSY_BYTES = int(LONG_S * 512_000 / 8)


class LongRecording(Exception):
    """There is more than ``LONG_S`` of it."""


@dataclass(frozen=True)
class RequestLimits(AudioLimits):
    """``AudioLimits`` that are the gateway's: who sends a recording can't allow more."""

    @property
    def way_out(self) -> str:
        """What who sent it can do."""
        return f"at most {self.longest_s:g} s are scored. Cut it."


@dataclass(frozen=True)
class ShortRecordingLimits(RequestLimits):
    """``RequestLimits`` that also end the reading of a recording that is long, or ``abandoned``.

    Whatever the size of a file: an hour of silence takes few bytes. Most formats tell their length before anything is
    decoded.
    """

    abandoned: threading.Event = field(default_factory=threading.Event)

    def check_samples(self, samples: int, rate_hz: int, name: str) -> None:
        """Refuse a recording that is known to be longer (``TooLong``, ``LongRecording``)."""
        RequestLimits.check_samples(self, samples, rate_hz, name)
        if samples > LONG_S * rate_hz:
            raise LongRecording

    def within(
        self, blocks: Iterator[npt.NDArray[np.float32]], rate_hz: int, name: str
    ) -> Iterator[npt.NDArray[np.float32]]:
        """The same blocks ``[n]``, until there are too many or nobody waits for them."""
        samples = 0
        for block in RequestLimits.within(self, blocks, rate_hz, name):
            samples += len(block)
            if self.abandoned.is_set():
                raise Abandoned
            if samples > LONG_S * rate_hz:
                raise LongRecording
            yield block


def is_long_by_its_bytes(file: io.BytesIO) -> bool:
    """Whether a thread would begin with it in vain: it has many bytes, and its format does not tell its length."""
    head = bytes(file.getbuffer()[:64])
    tells_no_length = containers.foreign_format(head) in DEMUXERS or containers.readable_format(head) == "MP3"
    return tells_no_length and file.getbuffer().nbytes > _LONG_LOSSY_BYTES
