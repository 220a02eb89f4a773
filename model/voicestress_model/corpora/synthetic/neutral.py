"""The neutral recording that all classes are made of: an engine's speech, trimmed, at 16 kHz, in a speaker's size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import soxr

from voicestress_model.corpora.synthetic.contour import FRAME_S
from voicestress_model.corpora.synthetic.engines import Speech

RATE_HZ = 16_000
FRAME_SAMPLES = round(RATE_HZ * FRAME_S)

_QUIET = 10 ** (-40 / 10)  # 40 dB under the loudest frame: the engines' silence is digital, their closures are not
_PEAK = 0.5

_Floats = npt.NDArray[np.float64]


def neutral_recording(speech: Speech, vocal_tract: float) -> _Floats:
    """``speech`` at 16 kHz ``[samples]``, without the silence around it, its peak at half of full scale.

    ``vocal_tract`` moves the formants and the pitch up by its factor, as playing a little faster does; playing faster
    also shortens, so the engine is asked to speak slower by as much.
    """
    samples, rate_hz = speech
    resampled = np.asarray(soxr.resample(samples, rate_hz * vocal_tract, RATE_HZ), dtype=np.float64)
    power = frame_power(resampled)
    loud = np.flatnonzero(power > _QUIET * power.max())
    trimmed = resampled[loud[0] * FRAME_SAMPLES : (loud[-1] + 1) * FRAME_SAMPLES]
    trimmed = trimmed - trimmed.mean()  # flite's recordings have an offset, which only one manipulator would keep
    return np.ascontiguousarray(trimmed * (_PEAK / np.abs(trimmed).max()))


def frame_power(samples: _Floats) -> _Floats:
    """Mean square of each frame of 5 ms of ``samples``, leaving out an incomplete last one."""
    frames = len(samples) // FRAME_SAMPLES
    return (samples[: frames * FRAME_SAMPLES].reshape(frames, FRAME_SAMPLES) ** 2).mean(axis=1)


def tilt_gain_db(frequencies_hz: _Floats, tilt_db_octave: float) -> _Floats:
    """Gain that changes the spectrum's slope by ``tilt_db_octave`` around 1 kHz, flat below 300 Hz."""
    return tilt_db_octave * np.log2(np.maximum(frequencies_hz, 300.0) / 1000.0)
