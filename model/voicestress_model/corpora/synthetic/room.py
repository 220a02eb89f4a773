"""Around the voice: level, background noise and margins, drawn alike for all classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicestress_model.corpora.synthetic.draws import Surroundings
from voicestress_model.corpora.synthetic.neutral import RATE_HZ, frame_power

_ACTIVE = 10 ** (-30 / 10)  # frames within 30 dB of the loudest count as speech
_HIGHEST_PEAK = 0.95


def in_a_room(
    samples: npt.NDArray[np.float64], surroundings: Surroundings, rng: np.random.Generator
) -> npt.NDArray[np.int16]:
    """``samples`` (16 kHz, ``[n]``) as 16-bit PCM at the drawn level, with noise and margins.

    The level is that of the speech without its pauses: a recording with many pauses is not louder for it. A recording
    that would clip is made softer instead.
    """
    power = frame_power(samples)
    speech_rms = np.sqrt(power[power > _ACTIVE * power.max()].mean())
    gain = 10 ** (surroundings.loudness_dbfs / 20) / speech_rms
    gain = min(gain, _HIGHEST_PEAK / np.abs(samples).max())
    before, after = (round(seconds * RATE_HZ) for seconds in (surroundings.before_s, surroundings.after_s))
    placed = np.pad(samples * gain, (before, after))
    noise = rng.normal(scale=gain * speech_rms * 10 ** (surroundings.noise_db / 20), size=len(placed))
    return np.round(np.clip(placed + noise, -1.0, 1.0) * 32767).astype(np.int16)
