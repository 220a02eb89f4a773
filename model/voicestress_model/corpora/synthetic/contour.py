"""Time and pitch of a recording: where its moments come from in the neutral one, and the pitch they get.

Both manipulators follow the same contours, in frames of 5 ms, so that they differ in sound and not in prosody.
Letters: B frames of the neutral recording, N frames of the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from voicestress_model.corpora.synthetic.draws import Prosody

FRAME_S = 0.005
LOWEST_F0_HZ, HIGHEST_F0_HZ = 55.0, 480.0

# The slow movement that is kept and scaled ends well below the 5 Hz where modulation must not tell the classes apart.
_SLOW_HZ = 3.0
# Jitter is perturbation from one period to the next, and must stay out of the modulation up to 9 Hz.
_JITTER_FROM_HZ = 15.0
_PAUSE_APART_S = 0.35
_PAUSE_PLACES = 4

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Timeline:
    """``source`` ``[N]``: the neutral recording's frame (fractional) heard in each frame of the result; ``pause``
    ``[N]``: whether the frame is an inserted pause.
    """

    source: _Floats
    pause: npt.NDArray[np.bool_]


def pause_places(energy: _Floats, count: int, rng: np.random.Generator) -> list[int]:
    """Up to ``count`` frames of ``energy`` ``[B]`` (power per frame) to pause at, in order of time.

    Quiet places, away from the ends and each other: one of the quietest few each time, so that a pause is not always
    where the sentence has its one long closure.
    """
    apart = round(_PAUSE_APART_S / FRAME_S)
    smooth = np.convolve(energy, np.hanning(9) / np.hanning(9).sum(), mode="same")
    free = np.zeros(len(energy), dtype=bool)
    free[apart : len(energy) - apart] = True
    places: list[int] = []
    for _ in range(count):
        if not (quietest := _quietest(smooth, free, apart)):
            break
        place = quietest[int(rng.integers(len(quietest)))]
        places.append(place)
        free[max(0, place - apart) : place + apart] = False
    return sorted(places)


def timeline(frames: int, prosody: Prosody, places: list[int]) -> Timeline:
    """Stretch ``frames`` frames by ``prosody.duration`` and put a pause in at each of ``places``."""
    sources, pauses = [], []
    edges = [0, *places, frames]
    for number, (start, end) in enumerate(pairwise(edges)):
        length = max(1, round((end - start) * prosody.duration))
        sources.append(start + (np.arange(length) + 0.5) * (end - start) / length - 0.5)
        pauses.append(np.zeros(length, dtype=bool))
        if number < len(places):
            paused = round(prosody.pauses_s[number] / FRAME_S)
            sources.append(np.full(paused, float(end)))
            pauses.append(np.ones(paused, dtype=bool))
    return Timeline(np.clip(np.concatenate(sources), 0, frames - 1), np.concatenate(pauses))


def pitch(f0_hz: _Floats, line: Timeline, prosody: Prosody, base_shift_st: float, rng: np.random.Generator) -> _Floats:
    """The pitch of the result, Hz ``[N]``, in every frame, voiced or not.

    ``f0_hz`` ``[B]`` is the neutral recording's, 0 where it is unvoiced. Its slow movement around its median is scaled;
    its fast movement is replaced by drawn tremor and jitter. ``base_shift_st`` is the speaker's own.
    """
    voiced = np.flatnonzero(f0_hz > 0)
    frames = np.arange(len(f0_hz))
    semitones = np.interp(frames, voiced, 12 * np.log2(f0_hz[voiced]))
    slow = _low_pass(np.interp(line.source, frames, semitones))
    median = float(np.median(slow[~line.pause]))
    time_s = np.arange(len(slow)) * FRAME_S
    phase = rng.uniform(0, 2 * np.pi)
    tremor = prosody.tremor_st * np.sin(2 * np.pi * prosody.tremor_hz * time_s + phase)
    contour = median + base_shift_st + prosody.f0_shift_st + prosody.f0_range * (slow - median) + tremor
    perturbed = 2 ** (contour / 12) * np.exp(prosody.jitter * _fast_noise(len(slow), rng))
    return np.clip(perturbed, LOWEST_F0_HZ, HIGHEST_F0_HZ)


def _quietest(energy: _Floats, free: npt.NDArray[np.bool_], apart: int) -> list[int]:
    """The few quietest frames that are free and not next to each other."""
    left = np.where(free, energy, np.inf)
    places: list[int] = []
    while len(places) < _PAUSE_PLACES and np.isfinite(left).any():
        place = int(left.argmin())
        places.append(place)
        left[max(0, place - apart // 2) : place + apart // 2] = np.inf
    return places


def _low_pass(contour: _Floats) -> _Floats:
    """``contour`` ``[N]`` without movement above about 3 Hz: a Gaussian, half as strong there."""
    deviation = np.sqrt(np.log(2) / 2) / (np.pi * _SLOW_HZ) / FRAME_S
    reach = int(4 * deviation)
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    padded = np.pad(contour, reach, mode="edge")
    return np.convolve(padded, window / window.sum(), mode="valid")


def _fast_noise(frames: int, rng: np.random.Generator) -> _Floats:
    """Gaussian noise of unit deviation, above the jitter's lowest frequency only."""
    spectrum = np.fft.rfft(rng.normal(size=frames))
    spectrum[np.fft.rfftfreq(frames, FRAME_S) < _JITTER_FROM_HZ] = 0
    noise = np.fft.irfft(spectrum, frames)
    return noise / noise.std()
