"""What recordings go through before they are scored: noise, telephones, codecs.

Each distortion takes int16 ``pcm [n]`` at 16 kHz and gives a source for ``read_recording``: samples, or the bytes of a
file at whatever rate the telephone or codec leaves, so that decoding and resampling are part of what is measured.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from scipy.signal import butter, sosfilt
from voicestress_audio import SAMPLE_RATE_HZ

from voicestress_model.corpora.pcm import Pcm

Samples = npt.NDArray[np.float64]

TELEPHONE_RATE_HZ = 8_000
TELEPHONE_BAND_HZ = (300, 3400)
_FULL_SCALE = 32767.0
# libsndfile knows no bit rates, only a compression level; these give the rates named below, measured on speech.
_OPUS_16_KBIT = 0.96
_MP3_32_KBIT = 0.85


def with_noise(pcm: Pcm, noise: Samples, snr_db: float) -> Pcm:
    """``pcm [n]`` with ``noise [n]`` added so that 10 · log10(power of the clip / power of the noise) is ``snr_db``.

    The power is that of the whole clip, its pauses included. Where the sum would pass full scale, both are turned down.
    """
    speech = pcm.astype(np.float64)
    wanted_power = np.mean(speech**2) / 10 ** (snr_db / 10)
    mixed = speech + noise * np.sqrt(wanted_power / np.mean(noise**2))
    mixed *= min(1.0, _FULL_SCALE / np.abs(mixed).max())
    return np.rint(mixed).astype(np.int16)


def white_noise(samples: int, generator: np.random.Generator) -> Samples:
    """Gaussian noise ``[samples]``, as much power at every frequency."""
    return generator.standard_normal(samples)


def babble(samples: int, talkers: Sequence[Pcm], generator: np.random.Generator) -> Samples:
    """``talkers`` (int16 ``[n_i]`` each) speaking at once for ``samples``, equally loud, each from a random place."""
    mixed = np.zeros(samples)
    for talker in talkers:
        start = int(generator.integers(len(talker)))
        voice = np.resize(np.roll(talker, -start), samples).astype(np.float64)  # repeated where it is too short
        mixed += voice / max(1.0, np.sqrt(np.mean(voice**2)))
    return mixed


def telephone(pcm: Pcm) -> bytes:
    """A WAV file of ``pcm [n]`` through a telephone: 8 kHz, 300 to 3400 Hz, 8-bit mu-law (ITU-T G.711)."""
    narrow = soxr.resample(pcm.astype(np.float64), SAMPLE_RATE_HZ, TELEPHONE_RATE_HZ)
    return _encoded(_to_pcm(sosfilt(_telephone_filter(), narrow)), TELEPHONE_RATE_HZ, "WAV", "ULAW")


def opus(pcm: Pcm) -> bytes:
    """An Ogg Opus file of ``pcm [n]`` at about 16 kbit/s, as voice messages have."""
    return _encoded(pcm, SAMPLE_RATE_HZ, "OGG", "OPUS", compression_level=_OPUS_16_KBIT)


def mp3(pcm: Pcm) -> bytes:
    """An MP3 file of ``pcm [n]`` at 32 kbit/s."""
    return _encoded(
        pcm, SAMPLE_RATE_HZ, "MP3", "MPEG_LAYER_III", compression_level=_MP3_32_KBIT, bitrate_mode="CONSTANT"
    )


@lru_cache(maxsize=1)
def _telephone_filter() -> npt.NDArray[np.float64]:
    return np.asarray(butter(6, TELEPHONE_BAND_HZ, btype="bandpass", fs=TELEPHONE_RATE_HZ, output="sos"))


def _to_pcm(samples: Samples) -> Pcm:
    return np.rint(np.clip(samples, -_FULL_SCALE, _FULL_SCALE)).astype(np.int16)


def _encoded(pcm: Pcm, rate_hz: int, container: str, subtype: str, **options: object) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, pcm, rate_hz, format=container, subtype=subtype, **options)
    return file.getvalue()
