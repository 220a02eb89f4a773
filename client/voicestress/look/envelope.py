"""The outline of a recording, and where its speech is, in one pass that holds a few seconds of it at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from voicestress_audio import (
    SAMPLE_RATE_HZ,
    AudioLimits,
    InvalidAudio,
    Source,
    find_speech,
    open_audio,
    speech_stream,
)

COLUMNS = 800
_FULL_SCALE = 32768.0
_NO_LIMITS = AudioLimits(longest_s=math.inf, most_bytes=2**63)  # what was scored was not too large

Span = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Envelope:
    """A recording's outline at 16 kHz, column by column, all as long as each other to one sample.

    ``low``, ``high`` and ``rms`` are float64 ``[columns]``: the lowest and highest sample of a column and its root mean
    square; full scale is 1.
    """

    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    rms: npt.NDArray[np.float64]

    @property
    def peak(self) -> float:
        """How far it goes from zero, 0 to 1."""
        return float(max(-self.low.min(), self.high.max()))


def read_outline(
    source: Source, duration_s: float, *, speech_detection: bool, columns: int = COLUMNS
) -> tuple[Envelope, tuple[Span, ...]]:
    """The envelope of a recording of ``duration_s`` seconds, and its speech as spans in seconds.

    The speech is found as the client finds it; without ``speech_detection`` it is all one stretch.

    Raises:
        InvalidAudio: the recording can't be read any more, or is not as long as it was.
    """
    samples = round(duration_s * SAMPLE_RATE_HZ)
    outline = _Outline(samples, min(columns, samples))
    with open_audio(source, _NO_LIMITS) as audio:
        chunks = outline.followed(audio.pcm_chunks(), audio.name)
        segments = find_speech(chunks, speech_stream(detection=speech_detection))
    spans = ((s.start_sample / SAMPLE_RATE_HZ, min(s.end_sample / SAMPLE_RATE_HZ, duration_s)) for s in segments)
    return outline.envelope(), tuple(spans)


class _Outline:
    """An envelope being made of ``samples`` samples that come in pieces."""

    def __init__(self, samples: int, columns: int) -> None:
        self._edges = np.arange(columns + 1, dtype=np.int64) * samples // columns  # [columns + 1], each its own
        self._low = np.full(columns, np.inf)
        self._high = np.full(columns, -np.inf)
        self._energy = np.zeros(columns)

    def followed(self, chunks: Iterator[npt.NDArray[np.int16]], name: str) -> Iterator[npt.NDArray[np.int16]]:
        """The same chunks, drawn as they pass."""
        position, samples = 0, int(self._edges[-1])
        for pcm in chunks:
            if position + len(pcm) > samples:
                raise _changed(name)
            if len(pcm):
                self._draw(pcm, position)
                position += len(pcm)
            yield pcm
        if position != samples:
            raise _changed(name)

    def envelope(self) -> Envelope:
        """What was drawn."""
        rms = np.sqrt(self._energy / np.diff(self._edges))
        return Envelope(self._low / _FULL_SCALE, self._high / _FULL_SCALE, rms / _FULL_SCALE)

    def _draw(self, pcm: npt.NDArray[np.int16], position: int) -> None:
        first = int(np.searchsorted(self._edges, position, side="right")) - 1
        last = int(np.searchsorted(self._edges, position + len(pcm), side="left"))
        starts = np.maximum(self._edges[first:last] - position, 0)  # in pcm, of the columns it reaches
        touched = slice(first, last)
        self._low[touched] = np.minimum(self._low[touched], np.minimum.reduceat(pcm, starts))
        self._high[touched] = np.maximum(self._high[touched], np.maximum.reduceat(pcm, starts))
        self._energy[touched] += np.add.reduceat(np.square(pcm, dtype=np.float64), starts)


def _changed(name: str) -> InvalidAudio:
    return InvalidAudio(f"{name}: its length changed between scoring and drawing. Score it when it is complete.")
