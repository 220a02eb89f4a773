import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

VOICE = Path(__file__).parents[1] / "data" / "jfk.wav"


@pytest.fixture(scope="session")
def voice() -> np.ndarray:
    """11 s of a real voice, float32 at 16 kHz."""
    return soundfile.read(VOICE, dtype="float32")[0]


@pytest.fixture(scope="session")
def voice_48k(voice) -> np.ndarray:
    return np.clip(soxr.resample(voice, 16_000, 48_000), -1, 1)


@pytest.fixture(scope="session")
def encode():
    """A function that encodes samples in memory."""

    def encode(samples, rate_hz, container, subtype=None, **options) -> bytes:
        file = io.BytesIO()
        soundfile.write(file, samples, rate_hz, format=container, subtype=subtype, **options)
        return file.getvalue()

    return encode


@pytest.fixture(scope="session")
def wav_bytes(voice_48k, encode) -> bytes:
    """The voice as a plain 16-bit WAV at 48 kHz: 44 bytes of header, then the samples."""
    return encode(voice_48k, 48_000, "WAV", "PCM_16")
