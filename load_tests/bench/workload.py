"""Windows to measure with: pieces of a real voice, of mixed lengths, the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from voicestress_model.agreement import Pcm

RATE_HZ = 16_000
_VOICE = Path(__file__).parents[2] / "tests" / "data" / "jfk.wav"


def mixed_speech(windows: int, *, shortest_s: float = 1.0, longest_s: float = 8.0, seed: int = 0) -> list[Pcm]:
    """``windows`` windows, int16 at 16 kHz, of lengths drawn evenly between two bounds."""
    generator = np.random.default_rng(seed)
    return [speech(float(seconds), generator) for seconds in generator.uniform(shortest_s, longest_s, size=windows)]


def speech(seconds: float, generator: np.random.Generator) -> Pcm:
    """A piece of the voice from anywhere in it, at a level of its own."""
    voice, _ = soundfile.read(_VOICE, dtype="int16")
    samples = round(seconds * RATE_HZ)
    start = int(generator.integers(0, len(voice) - samples + 1))
    return (voice[start : start + samples] * generator.uniform(0.3, 1.0)).astype(np.int16)


def five_seconds() -> Pcm:
    """The window that is scored alone."""
    return speech(5.0, np.random.default_rng(1))


def write_recordings(folder: Path, windows: Sequence[Pcm]) -> Path:
    """Write each of ``windows`` to a file of its own in ``folder``, and return that."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, window in enumerate(windows):
        soundfile.write(folder / f"{number:03}.wav", window, RATE_HZ)
    return folder
