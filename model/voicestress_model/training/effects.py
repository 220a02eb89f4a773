"""What happens to a voice between a mouth and a server, one function an effect.

Every function takes mono float32 ``[n]`` at 16 kHz, full scale -1 to 1, and gives ``[n]`` again unless it says
otherwise. Those that draw take a numpy generator, so that the same generator gives the same samples.
"""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Literal

import numpy as np
import soundfile
import torch
from torch import Tensor
from torchaudio import functional

from voicestress_model.geometry import SAMPLE_RATE_HZ

Colour = Literal["white", "pink", "brown"]
Codec = Literal["mp3", "opus", "mu-law"]

# Power falls with this power of the frequency.
_COLOURS = {"white": 0.0, "pink": 1.0, "brown": 2.0}
_LOWEST_NOISE_HZ = 20.0  # below it brown noise would be nearly all of the power, and nothing anybody hears
_TELEPHONE_RATE_HZ = 8_000
_TELEPHONE_BAND_HZ = (300.0, 3_400.0)  # ITU-T G.712
_MU_LAW_STEPS = 256  # ITU-T G.711
_LARGEST_DENOMINATOR = 200  # of a pitch ratio: the resampler's filter bank grows with its square
_STRETCH_FFT, _STRETCH_HOP = 512, 128
# libsndfile's scale from 0, the largest file, to 1: about 64 to 16 kbit/s for 16 kHz mono.
_COMPRESSION = {"mp3": ("MP3", "MPEG_LAYER_III"), "opus": ("OGG", "OPUS")}


def coloured_noise(samples: int, colour: Colour, rng: np.random.Generator) -> Tensor:
    """Gaussian noise ``[samples]`` of unit power whose spectrum falls as white, pink (1/f) or brown (1/f²)."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    frequency = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ)
    spectrum *= np.maximum(frequency, _LOWEST_NOISE_HZ) ** (-_COLOURS[colour] / 2)
    noise = np.fft.irfft(spectrum, samples)
    return torch.from_numpy((noise / np.sqrt(np.mean(noise**2))).astype(np.float32))


def add_noise(voice: Tensor, colour: Colour, snr_db: float, rng: np.random.Generator) -> Tensor:
    """The voice with noise ``snr_db`` below its own mean power."""
    noise = coloured_noise(len(voice), colour, rng)
    return functional.add_noise(voice, noise, torch.tensor(snr_db))


def change_gain(voice: Tensor, gain_db: float) -> Tensor:
    """Louder or softer, clipped at full scale as a converter would."""
    return functional.gain(voice, gain_db).clamp(-1.0, 1.0)


def change_speed(voice: Tensor, factor: Fraction) -> Tensor:
    """Played ``factor`` times as fast, pitch and all: ``[n]`` to ``[ceil(n / factor)]``.

    The factor is a fraction of small numbers because the resampler's filter bank grows with them.
    """
    return functional.resample(voice, factor.numerator, factor.denominator)


def shift_pitch(voice: Tensor, semitones: float) -> Tensor:
    """Higher or lower by about ``semitones`` at the same pace: stretched by a phase vocoder, then resampled back.

    ``torchaudio.functional.pitch_shift`` does the same with an exact ratio, whose filter bank takes seconds to make;
    the ratio here is one of small numbers, within 0.25 % of what was asked for.
    """
    ratio = Fraction(2.0 ** (semitones / 12)).limit_denominator(_LARGEST_DENOMINATOR)
    window = torch.hann_window(_STRETCH_FFT)
    spectrum = torch.stft(voice, _STRETCH_FFT, _STRETCH_HOP, window=window, return_complex=True)
    advance = torch.linspace(0, np.pi * _STRETCH_HOP, spectrum.shape[0])[:, None]  # phase a hop, by frequency
    stretched = functional.phase_vocoder(spectrum, float(1 / ratio), advance)
    slow = torch.istft(stretched, _STRETCH_FFT, _STRETCH_HOP, window=window, length=round(len(voice) * ratio))
    return _to_length(change_speed(slow, ratio), len(voice))


def reverberate(voice: Tensor, decay_s: float, direct_to_reverberant_db: float, rng: np.random.Generator) -> Tensor:
    """In a room: convolved with a direct path and noise that decays by 60 dB in ``decay_s`` (Polack's model).

    The power stays the voice's own.
    """
    time_s = np.arange(1, round(decay_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tail = rng.standard_normal(len(time_s)) * 10 ** (-3 * time_s / decay_s)
    tail *= np.sqrt(10 ** (-direct_to_reverberant_db / 10) / np.sum(tail**2))
    response = torch.from_numpy(np.concatenate([[1.0], tail]).astype(np.float32))
    wet = functional.fftconvolve(voice, response)[: len(voice)]
    return wet * (_rms(voice) / _rms(wet))


def through_telephone(voice: Tensor) -> Tensor:
    """Through a narrow-band telephone line: 300 to 3400 Hz, 8 kHz, 8-bit mu-law."""
    low_hz, high_hz = _TELEPHONE_BAND_HZ
    band = functional.highpass_biquad(functional.highpass_biquad(voice, SAMPLE_RATE_HZ, low_hz), SAMPLE_RATE_HZ, low_hz)
    # The resampler's low pass is the steep upper edge.
    narrow = functional.resample(
        band, SAMPLE_RATE_HZ, _TELEPHONE_RATE_HZ, rolloff=high_hz / (_TELEPHONE_RATE_HZ / 2), lowpass_filter_width=32
    )
    return _to_length(functional.resample(_mu_law(narrow), _TELEPHONE_RATE_HZ, SAMPLE_RATE_HZ), len(voice))


def through_codec(voice: Tensor, codec: Codec, compression: float) -> Tensor:
    """Encoded and decoded again.

    ``compression`` is libsndfile's, 0 (least) to 1 (most); mu-law has one strength and ignores it.
    """
    if codec == "mu-law":
        return _mu_law(voice)
    container, subtype = _COMPRESSION[codec]
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", SAMPLE_RATE_HZ, 1, format=container, subtype=subtype, compression_level=compression
    ) as sound:
        sound.write(voice.numpy())
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    return _to_length(torch.from_numpy(decoded), len(voice))


def _mu_law(voice: Tensor) -> Tensor:
    steps = functional.mu_law_encoding(voice.clamp(-1.0, 1.0), _MU_LAW_STEPS)
    return functional.mu_law_decoding(steps, _MU_LAW_STEPS)


def _to_length(voice: Tensor, samples: int) -> Tensor:
    """Cut, or filled up with zeros, at the end."""
    return torch.nn.functional.pad(voice[:samples], (0, max(0, samples - len(voice))))


def _rms(voice: Tensor) -> Tensor:
    return voice.square().mean().sqrt().clamp(min=1e-9)
