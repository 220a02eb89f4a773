"""The course of pitch, level and spectrum in every training clip, measured once: what there is to tell frame by frame.

A recording's label is a few bits, its pitch track a hundred numbers a second. A backbone that starts from random
weights learns from them within an epoch what it would otherwise have to discover (Pascual et al. 2019, PASE).

Letters: F frames of 10 ms; T frames of 20 ms, Wav2Vec2's; K = 15 values a frame.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from threadpoolctl import threadpool_limits

from voicestress_model.corpora.prosody import pitch_track
from voicestress_model.geometry import (
    RECEPTIVE_FIELD_SAMPLES,
    SAMPLE_RATE_HZ,
    SLOT_SAMPLES,
    frame_count,
)
from voicestress_model.training.clips import Clips, Pcm, write_atomically

# Upper edges of the bands whose level is a value of its own, from 0 Hz: about equal steps on the mel scale.
_EDGES_HZ = (250, 500, 800, 1150, 1550, 2050, 2650, 3350, 4200, 5200, 6400, 8000)
VALUES = ("f0_st", "voiced", "level_db", *(f"below_{edge}_hz_db" for edge in _EDGES_HZ))
# How far the values go in a step of speed or pitch is known for the first alone.
F0 = VALUES.index("f0_st")

_FRAME_SAMPLES = 160
_WINDOW = 512
_FLOOR_DB = -60.0  # below the loud frames: what is softer is the room, not the voice
_AT_ONCE = 32

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Tracks:
    """Standardised values of the clips of one split; the pitch is not a number where there is no voice."""

    values: Values  # [frames of all clips, K]
    first_frames: tuple[int, ...]  # [clips + 1]
    semitone: float  # what one is in the standardised pitch

    def told(self, clip: int, samples: int, *, first_sample: int, speed: float, semitones: float) -> Values:
        """Values ``[T, K]`` of a piece of ``samples`` samples that starts at ``first_sample`` of ``clip``.

        ``speed`` is how fast the piece goes through the clip, pitch and all; ``semitones`` how much higher it sounds.
        """
        own = self.values[self.first_frames[clip] : self.first_frames[clip + 1]]
        centres = np.arange(frame_count(samples)) * SLOT_SAMPLES + RECEPTIVE_FIELD_SAMPLES / 2  # [T]
        heard = (first_sample + speed * centres) / _FRAME_SAMPLES
        told = own[np.minimum(heard.round().astype(int), len(own) - 1)]
        told[:, F0] += self.semitone * (semitones + 12 * np.log2(speed))
        return told


def clip_tracks(clips: Clips, folder: Path, progress: Callable[[], object]) -> Tracks:
    """Tracks of ``clips``, measured once and kept in ``folder``; ``progress`` is called after each clip."""
    path = folder / "tracks.f32"
    if not path.exists():
        write_atomically(path, np.concatenate(_measured(clips, progress)).tobytes())
    values = np.fromfile(path, np.float32).reshape(-1, len(VALUES))
    spread = np.maximum(np.nanstd(values, axis=0), np.finfo(np.float32).tiny)
    frames = [_frames(clip.samples) for clip in clips.clips]
    first_frames = np.concatenate([[0], np.cumsum(frames)]).tolist()
    return Tracks((values - np.nanmean(values, axis=0)) / spread, tuple(first_frames), 1 / float(spread[F0]))


def track(pcm: Pcm) -> Values:
    """Values ``[F, K]`` of 16 kHz int16 ``[n]``; the pitch is not a number where there is no voice."""
    samples = pcm.astype(np.float64) / 32768
    frames = _frames(len(pcm))
    f0_hz = pitch_track(samples, _FRAME_SAMPLES / SAMPLE_RATE_HZ)[:frames]  # [F]
    voiced = f0_hz > 0
    windows = sliding_window_view(np.pad(samples, _WINDOW // 2), _WINDOW)[::_FRAME_SAMPLES][:frames]  # [F, 512]
    power = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW))) ** 2  # [F, 257]
    hz = np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE_HZ)
    starts = np.searchsorted(hz, (0, *_EDGES_HZ[:-1]))
    bands = 10 * np.log10(np.add.reduceat(power, starts, axis=1) + 1e-10)  # [F, 12]
    level = 10 * np.log10(power.sum(axis=1) + 1e-10)  # [F]
    loud = np.percentile(level, 95)
    relative = np.maximum(np.column_stack([level, bands]) - loud, _FLOOR_DB)  # [F, 13]
    with np.errstate(divide="ignore"):
        st = np.where(voiced, 12 * np.log2(f0_hz), np.nan)
    return np.column_stack([st, voiced, relative]).astype(np.float32)


def _frames(samples: int) -> int:
    return samples // _FRAME_SAMPLES + 1


def _measured(clips: Clips, progress: Callable[[], object]) -> list[Values]:
    starts = range(0, len(clips.clips), _AT_ONCE)
    parts = [Clips(clips.path, clips.clips[start : start + _AT_ONCE]) for start in starts]
    # Spawned, not forked: a fork of a process with torch's threads in it can hang.
    context = multiprocessing.get_context("spawn")
    found: list[Values] = []
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context, initializer=threadpool_limits, initargs=(1,)) as pool:
        for tracks in pool.map(_tracks_of, parts):
            found += tracks
            for _ in tracks:
                progress()
    return found


def _tracks_of(clips: Clips) -> list[Values]:
    return [track(clips.read(number)) for number in range(len(clips.clips))]
