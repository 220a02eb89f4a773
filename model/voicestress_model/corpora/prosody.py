"""Hand-made prosody features: what phonetics would measure, as the baseline a learned model has to beat."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import numpy.typing as npt

RATE_HZ = 16_000
FRAME_S = 0.005

# What each value is, in the order prosody_features returns them.
FEATURES = (
    "f0_median_st",  # pitch in semitones over 1 Hz: median,
    "f0_iqr_st",  # interquartile range,
    "f0_span_st",  # 5th to 95th percentile,
    "f0_slope_st_s",  # and slope over the recording, semitones a second
    "f0_movement_st_s",  # mean absolute slope of the smoothed pitch
    "jitter",  # mean absolute second difference of the log pitch between frames of 5 ms
    "voiced_share",  # of the frames that are speech
    "voiced_run_s",  # mean length of a voiced stretch
    "energy_iqr_db",  # dynamics of the frames that are speech
    "energy_slope_db_s",
    "syllable_rate_hz",  # peaks of the energy a second of speech
    "speech_share",  # of the recording between its first and last speech
    "pauses_per_s",  # stretches of 100 ms or more without speech
    "longest_pause_s",
    "duration_s",  # from the first speech to the last
    "tilt_db_octave",  # slope of the voiced spectrum, 300 Hz to 5 kHz
    "below_500_hz_db",  # shares of the voiced power by band
    "500_1000_hz_db",
    "1000_2000_hz_db",
    "2000_4000_hz_db",
    "above_4000_hz_db",
    "centroid_octaves",  # over 1 Hz, of the voiced spectrum
    "harmonicity_db",  # how far the spectrum's harmonics stand out, voiced frames
)

_LOWEST_F0_HZ, _HIGHEST_F0_HZ = 60.0, 480.0
_SPEECH_DB = -28.0  # relative to the loud frames
_SHORTEST_PAUSE_S = 0.1
_SYLLABLE_DB = 2.0
_WINDOW = 512
_BANDS_HZ = ((60, 500), (500, 1000), (1000, 2000), (2000, 4000), (4000, 7600))

_Floats = npt.NDArray[np.float64]


def prosody_features(pcm: npt.NDArray[np.int16]) -> _Floats:
    """Prosody of a recording, 16 kHz int16 ``[n]``: float64 ``[23]`` as named in ``FEATURES``, always finite.

    Silence, or less than 50 ms, gives zeros; a recording without voice gives zeros for what describes the voice. Takes
    about 20 ms a second of audio.
    """
    samples = np.ascontiguousarray(pcm, dtype=np.float64) / 32768
    if len(samples) < RATE_HZ // 20 or not samples.any():
        return np.zeros(len(FEATURES))
    f0_hz = pitch_track(samples, FRAME_S)  # [frames]
    level_db = _level_db(samples, len(f0_hz))
    speech = level_db > np.percentile(level_db, 95) + _SPEECH_DB
    inside = slice(int(speech.argmax()), len(speech) - int(speech[::-1].argmax()))
    f0_hz, level_db, speech = f0_hz[inside], level_db[inside], speech[inside]
    samples = samples[round(inside.start * FRAME_S * RATE_HZ) : round(inside.stop * FRAME_S * RATE_HZ)]
    values = (*_pitch(f0_hz), *_voicing(f0_hz, speech), *_energy(level_db, speech), *_timing(speech))
    return np.nan_to_num(np.array([*values, *_spectrum(samples, f0_hz)]), posinf=0.0, neginf=0.0)


def pitch_track(samples: _Floats, frame_s: float) -> _Floats:
    """Pitch every ``frame_s`` seconds of 16 kHz ``samples``, Hz ``[frames]``; 0 where there is no voice."""
    import pyworld

    rough, times = pyworld.dio(samples, RATE_HZ, _LOWEST_F0_HZ, _HIGHEST_F0_HZ, frame_period=1000 * frame_s)
    return np.asarray(pyworld.stonemask(samples, rough, times, RATE_HZ))


def _level_db(samples: _Floats, frames: int) -> _Floats:
    """Level of each frame over a Hann window of 25 ms, dB ``[frames]``."""
    window = np.hanning(402)[1:-1]
    power = np.convolve(samples**2, window / window.sum(), mode="same")
    centres = np.minimum((np.arange(frames) * FRAME_S * RATE_HZ).astype(int), len(samples) - 1)
    return 10 * np.log10(power[centres] + 1e-10)


def _pitch(f0_hz: _Floats) -> tuple[float, ...]:
    voiced = f0_hz > 0
    if voiced.sum() < 5:
        return (0.0,) * 6
    st = 12 * np.log2(f0_hz[voiced])
    at_s = np.flatnonzero(voiced) * FRAME_S
    low, lower, upper, high = np.percentile(st, (5, 25, 75, 95))
    runs = [run for run in _runs(f0_hz) if len(run) >= 9]
    bends = [np.abs(np.diff(np.log(run), 2)) for run in runs]
    smooth = [np.convolve(12 * np.log2(run), np.ones(9) / 9, mode="valid") for run in runs]
    movement = [np.abs(np.diff(run)) / FRAME_S for run in smooth]
    return (
        float(np.median(st)),
        float(upper - lower),
        float(high - low),
        float(np.polyfit(at_s, st, 1)[0]),
        float(np.concatenate(movement).mean()) if any(map(len, movement)) else 0.0,
        float(np.concatenate(bends).mean()) if bends else 0.0,
    )


def _runs(f0_hz: _Floats) -> list[_Floats]:
    """The voiced stretches, without their first and last two frames, where the pitch is least certain."""
    stretches = (list(group) for voiced, group in groupby(f0_hz, key=lambda value: value > 0) if voiced)
    return [np.array(stretch[2:-2]) for stretch in stretches if len(stretch) > 4]


def _voicing(f0_hz: _Floats, speech: npt.NDArray[np.bool_]) -> tuple[float, ...]:
    voiced = f0_hz > 0
    lengths = [len(list(group)) for is_voiced, group in groupby(voiced) if is_voiced]
    return float(voiced[speech].mean()), FRAME_S * float(np.mean(lengths)) if lengths else 0.0


def _energy(level_db: _Floats, speech: npt.NDArray[np.bool_]) -> tuple[float, ...]:
    heard = level_db[speech]
    lower, upper = np.percentile(heard, (25, 75))
    slope = float(np.polyfit(np.flatnonzero(speech) * FRAME_S, heard, 1)[0]) if len(heard) > 5 else 0.0
    return float(upper - lower), slope, _peaks(level_db) / (FRAME_S * len(heard))


def _peaks(level_db: _Floats) -> int:
    """How often the level, smoothed over 50 ms, rises by 2 dB and falls by 2 dB again: about once a syllable."""
    window = np.hanning(21)
    padded = np.pad(level_db, 10, mode="edge")
    count, rising, turn = 0, True, -np.inf
    for level in np.convolve(padded, window / window.sum(), mode="valid"):
        turn = max(turn, level) if rising else min(turn, level)
        if abs(level - turn) >= _SYLLABLE_DB:
            count += rising
            rising, turn = not rising, level
    return count


def _timing(speech: npt.NDArray[np.bool_]) -> tuple[float, ...]:
    quiet = [FRAME_S * len(list(group)) for is_speech, group in groupby(speech) if not is_speech]
    pauses = [length for length in quiet if length >= _SHORTEST_PAUSE_S]
    duration_s = FRAME_S * len(speech)
    return float(speech.mean()), len(pauses) / duration_s, max(pauses, default=0.0), duration_s


def _spectrum(samples: _Floats, f0_hz: _Floats) -> tuple[float, ...]:
    starts = (np.flatnonzero(f0_hz > 0) * FRAME_S * RATE_HZ).astype(int) - _WINDOW // 2
    starts = starts[(starts >= 0) & (starts + _WINDOW <= len(samples))][::2]
    if len(starts) < 3:
        return (0.0,) * 8
    frames = samples[starts[:, None] + np.arange(_WINDOW)] * np.hanning(_WINDOW)  # [frames, 512]
    power = np.abs(np.fft.rfft(frames)) ** 2 + 1e-9  # [frames, 257]
    mean = power.mean(axis=0)
    hz = np.fft.rfftfreq(_WINDOW, 1 / RATE_HZ)
    sloped = (hz >= 300) & (hz <= 5000)
    tilt = float(np.polyfit(np.log2(hz[sloped]), 10 * np.log10(mean[sloped]), 1)[0])
    total = mean[(hz >= 60) & (hz < 7600)].sum()
    bands = [float(10 * np.log10(mean[(hz >= low) & (hz < high)].sum() / total)) for low, high in _BANDS_HZ]
    centroid = float(np.log2((hz[1:] * mean[1:]).sum() / mean[1:].sum()))
    voiced = power[:, (hz >= 100) & (hz <= 3000)]
    harmonicity = float(np.mean(10 * np.log10(voiced.mean(axis=1)) - (10 * np.log10(voiced)).mean(axis=1)))
    return tilt, *bands, centroid, harmonicity
