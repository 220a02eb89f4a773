"""A recording being decoded: its samples as they are stored, as mono, or as what is scored."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from voicestress_audio.resample import SAMPLE_RATE_HZ, PcmResampler
from voicestress_audio.samples import mono, mono_blocks


class DecodedAudio:
    """The samples of a recording, once and in order: take ``blocks`` or ``pcm_chunks``, not both.

    Both raise ``InvalidAudio`` where the recording turns out wrong.

    Args:
        name: what errors call it.
        rate_hz: its sample rate.
        stored: its samples ``[n]`` or ``[n, channels]`` in blocks, of a type that ``samples`` knows.
    """

    def __init__(self, name: str, rate_hz: int, stored: Iterator[npt.NDArray[Any]]) -> None:
        self.name, self.rate_hz, self._stored = name, rate_hz, stored

    @cached_property
    def blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        """At its own rate: float32 ``[n]``, mono (stereo is averaged), finite, full scale -1 to 1.

        Lossy and float recordings may pass full scale a little.
        """
        return mono_blocks(self._stored, self.rate_hz, self.name)

    def pcm_chunks(self) -> Iterator[npt.NDArray[np.int16]]:
        """At 16 kHz: int16 ``[n]``, mono."""
        resampler, frames = PcmResampler(self.rate_hz), 0
        for block in self._stored:
            yield (
                _as_stored(block)
                if self._is_pcm(block)
                else resampler.push(mono(block, self.rate_hz, self.name, frames_before=frames))
            )
            frames += len(block)
        yield resampler.finish()

    def _is_pcm(self, block: npt.NDArray[Any]) -> bool:
        """Whether it would come out as it went in: half of what it takes to read such a recording is saved."""
        return self.rate_hz == SAMPLE_RATE_HZ and block.dtype == np.int16 and block.size == len(block)


def _as_stored(block: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    return np.ascontiguousarray(block.reshape(-1))
