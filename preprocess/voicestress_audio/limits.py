"""How large a recording may be, so that neither a long one nor a small file that expands fills memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from voicestress_audio.errors import InvalidAudio, TooLong


@dataclass(frozen=True)
class AudioLimits:
    """The largest recording that is read, whatever its format: ``longest_s`` decoded, ``most_bytes`` encoded.

    Decoded to what a model hears, 12 hours take 1.4 GB; 16 GiB are more than 12 hours of 24-bit stereo at 48 kHz.
    """

    longest_s: float = 12 * 3600
    most_bytes: int = 16 * 2**30

    def __post_init__(self) -> None:
        if not (self.longest_s > 0 and self.most_bytes > 0):
            raise ValueError(f"limits of {self.longest_s} s and {self.most_bytes} bytes: both must be more than 0")

    def check_bytes(self, file_bytes: int, name: str) -> None:
        """Refuse a file of more bytes."""
        if file_bytes > self.most_bytes:
            raise InvalidAudio(
                f"{name}: has {file_bytes} bytes; at most {self.most_bytes} are read. "
                "Encode it smaller or cut it, or allow more with AudioLimits(most_bytes=...)."
            )

    def check_samples(self, samples: int, rate_hz: int, name: str) -> None:
        """Refuse a recording that is known to be longer before it is decoded."""
        if samples > self.longest_s * rate_hz:
            raise TooLong(f"{name}: is {samples / rate_hz:.1f} s long; {self.way_out}")

    def within(self, blocks: Iterator[npt.NDArray[Any]], rate_hz: int, name: str) -> Iterator[npt.NDArray[Any]]:
        """The same blocks ``[n]`` or ``[n, channels]``, until there are too many."""
        samples = 0
        for block in blocks:
            samples += len(block)
            if samples > self.longest_s * rate_hz:
                raise TooLong(f"{name}: goes on after {self.longest_s:g} s; {self.way_out}")
            yield block

    @property
    def way_out(self) -> str:
        """What to do with a recording that is too long."""
        return f"at most {self.longest_s:g} s are read. Cut it, or allow more with AudioLimits(longest_s=...)."


DEFAULT_LIMITS = AudioLimits()
