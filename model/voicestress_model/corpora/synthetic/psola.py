"""The second manipulator, never heard in training: Praat's overlap-add (PSOLA, Moulines & Charpentier 1990).

It moves whole pitch periods instead of modelling them, so it leaves other traces than a vocoder does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import parselmouth
import soxr
from parselmouth.praat import call, run

from voicestress_model.corpora.synthetic.contour import (
    FRAME_S,
    HIGHEST_F0_HZ,
    LOWEST_F0_HZ,
    Timeline,
    pause_places,
    pitch,
    timeline,
)
from voicestress_model.corpora.synthetic.draws import Prosody
from voicestress_model.corpora.synthetic.neutral import FRAME_SAMPLES, RATE_HZ, frame_power, tilt_gain_db

_FADE_SAMPLES = 160
# Periods are placed on whole samples. At 16 kHz that alone would be 1 % of jitter in a woman's voice.
_FINE_RATE_HZ = 3 * RATE_HZ

_Floats = npt.NDArray[np.float64]


def render(samples: _Floats, prosody: Prosody, base_shift_st: float, rng: np.random.Generator) -> _Floats:
    """A neutral recording, 16 kHz ``[n]``, with ``prosody``: samples at 16 kHz.

    Praat finds the pitch itself here. Pauses are silence put into the neutral recording, shorter or longer by what the
    duration does to them; the tilt is a filter over the result.
    """
    power = frame_power(samples)
    places = pause_places(power, len(prosody.pauses_s), rng)
    line = timeline(len(power), prosody, places)
    f0 = pitch(_praat_f0(samples, len(power)), line, prosody, base_shift_st, rng)  # [N]
    paused = _with_pauses(samples, prosody, places)
    # Overlap-add draws which stretch of noise to repeat in unvoiced speech.
    run(f"random_initializeWithSeedUnsafelyButPredictably ({int(rng.integers(1, 2**31))})")
    return _tilted(_overlap_add(paused, f0, line, prosody), prosody.tilt_db_octave)


def _praat_f0(samples: _Floats, frames: int) -> _Floats:
    """Praat's pitch, Hz ``[frames]``, 0 where unvoiced."""
    sound = parselmouth.Sound(samples, RATE_HZ)
    track = sound.to_pitch(time_step=FRAME_S, pitch_floor=LOWEST_F0_HZ + 5, pitch_ceiling=HIGHEST_F0_HZ)
    nearest = np.round((np.arange(frames) * FRAME_S - track.x1) / FRAME_S).astype(int)
    found = track.selected_array["frequency"]
    f0 = found[np.clip(nearest, 0, len(found) - 1)]
    return f0 if (f0 > 0).any() else np.full(frames, 120.0)


def _with_pauses(samples: _Floats, prosody: Prosody, places: list[int]) -> _Floats:
    parts, start = [], 0
    for place, length_s in zip(places, prosody.pauses_s, strict=False):
        end = place * FRAME_SAMPLES
        silence = np.zeros(round(length_s / prosody.duration * RATE_HZ))
        parts += [_faded(samples[start:end], begins=start == 0), silence]
        start = end
    parts.append(_faded(samples[start:], begins=start == 0, ends=True))
    return np.concatenate(parts)


def _faded(part: _Floats, *, begins: bool, ends: bool = False) -> _Floats:
    """``part`` with 10 ms fades at the ends that border on a pause."""
    faded = part.copy()
    ramp = np.linspace(0, 1, min(_FADE_SAMPLES, len(part)))
    if not begins:
        faded[: len(ramp)] *= ramp
    if not ends:
        faded[len(faded) - len(ramp) :] *= ramp[::-1]
    return faded


def _overlap_add(samples: _Floats, f0: _Floats, line: Timeline, prosody: Prosody) -> _Floats:
    sound = parselmouth.Sound(soxr.resample(samples, RATE_HZ, _FINE_RATE_HZ), _FINE_RATE_HZ)
    manipulation = call(sound, "To Manipulation", 0.01, LOWEST_F0_HZ + 5, HIGHEST_F0_HZ)
    duration = call("Create DurationTier", "duration", 0, sound.xmax)
    call(duration, "Add point", sound.xmax / 2, prosody.duration)
    call([duration, manipulation], "Replace duration tier")
    tier = call("Create PitchTier", "pitch", 0, sound.xmax)
    times = (np.arange(len(f0)) + 0.5) * sound.xmax / len(f0)
    for time_s, frequency_hz in zip(times, f0, strict=True):
        call(tier, "Add point", float(time_s), float(frequency_hz))
    call([tier, manipulation], "Replace pitch tier")
    resynthesis = call(manipulation, "Get resynthesis (overlap-add)").values[0]
    return soxr.resample(resynthesis, _FINE_RATE_HZ, RATE_HZ)


def _tilted(samples: _Floats, tilt_db_octave: float) -> _Floats:
    padded = np.pad(samples, RATE_HZ // 10)  # the filter's ringing must not wrap around
    spectrum = np.fft.rfft(padded)
    frequencies_hz = np.fft.rfftfreq(len(padded), 1 / RATE_HZ)
    filtered = np.fft.irfft(spectrum * 10 ** (tilt_gain_db(frequencies_hz, tilt_db_octave) / 20), len(padded))
    return filtered[RATE_HZ // 10 : -(RATE_HZ // 10)]
