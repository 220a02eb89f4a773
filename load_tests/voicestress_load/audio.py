"""Audio to send: cuts of recorded speech, each its own, at its own speed and pitch.

The same seed and number make the same samples. Where requests must differ, their number is in the lowest bits of their
first samples, so that no two of them are the same bytes in a lossless format, however many are made.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from voicestress_load.errors import BadInput
from voicestress_load.workload import Format

Pcm = npt.NDArray[np.int16]

SHIPPED_RECORDING = Path(__file__).parent / "recordings" / "jfk.flac"
# Formats as soundfile knows them, and the kind of samples in each.
_FILES: dict[Format, tuple[str, str]] = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "aiff": ("AIFF", "PCM_16"),
}
_FRAME_S = 0.02
_NUMBER_BITS = 48
_GAINS = (0.3, 0.9)
_PIECES_S = (2.0, 8.0)  # what is longer than the recordings is made of these


class Voices:
    """Recordings, at ``rate_hz``, to cut from.

    Args:
        paths: files that soundfile reads; none for the voice that is shipped.
        rate_hz: sample rate of the cuts.

    Raises:
        BadInput: a file can't be read, or holds less than a second, or silence.
    """

    def __init__(self, paths: Sequence[str], rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._voices = [_read(Path(path), rate_hz) for path in paths or [str(SHIPPED_RECORDING)]]
        self._loud = [_loud_frames(voice, rate_hz) for voice in self._voices]

    def cut(self, seconds: float, generator: np.random.Generator, *, number: int) -> Pcm:
        """``seconds`` of speech, int16 ``[n]``, where somebody speaks, unlike that of any other ``number``."""
        wanted = max(1, round(seconds * self.rate_hz))
        pieces, made = [], 0
        while made < wanted:
            piece = self._piece(wanted - made, generator)
            pieces.append(piece)
            made += len(piece)
        pcm = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        _write_number(pcm, number)
        return pcm

    def repeated(self, seconds: float) -> Pcm:
        """``seconds`` of speech, int16 ``[n]``: the same each time."""
        return self.cut(seconds, np.random.default_rng(0), number=0)

    def _piece(self, longest: int, generator: np.random.Generator) -> Pcm:
        place = int(generator.integers(len(self._voices)))
        voice, loud = self._voices[place], self._loud[place]
        wanted = longest if longest <= len(voice) else int(generator.uniform(*_PIECES_S) * self.rate_hz)
        wanted = min(wanted, longest, len(voice))
        frame = int(loud[generator.integers(len(loud))])
        start = min(frame * round(_FRAME_S * self.rate_hz), len(voice) - wanted)
        gain = generator.uniform(*_GAINS)
        return (voice[start : start + wanted] * np.float32(gain)).astype(np.int16)


def encoded(pcm: Pcm, rate_hz: int, kind: Format) -> bytes:
    """``pcm`` [n] as the bytes of a file of this kind; ``"pcm"`` is the samples alone, little-endian."""
    if kind == "pcm":
        return pcm.astype("<i2").tobytes()
    file_format, samples = _FILES[kind]
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate_hz, 1, samples, format=file_format) as sound:
        for start in range(0, len(pcm), rate_hz):  # libsndfile's Vorbis encoder overruns its stack on long blocks
            sound.write(pcm[start : start + rate_hz])
    return file.getvalue()


def _read(path: Path, rate_hz: int) -> Pcm:
    try:
        samples, found_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise BadInput(f"{path}: the recording can't be read ({error}); give a WAV or FLAC file of speech") from error
    mono = soxr.resample(samples.mean(axis=1), found_hz, rate_hz)
    if len(mono) < rate_hz or np.abs(mono).max() < 0.01:
        raise BadInput(f"{path}: {len(mono) / rate_hz:.1f} s of audio, at least 1 s of speech is needed to cut from")
    return np.asarray(np.clip(mono * 32768.0, -32768, 32767), dtype=np.int16)


def _loud_frames(voice: Pcm, rate_hz: int) -> npt.NDArray[np.int64]:
    """Which frames of 20 ms are as loud as speech is: above a tenth of the loud ones' level."""
    samples = round(_FRAME_S * rate_hz)
    frames = voice[: len(voice) // samples * samples].reshape(-1, samples).astype(np.float32)  # [frames, samples]
    level = np.sqrt(np.mean(frames**2, axis=1))  # [frames]
    return np.flatnonzero(level >= 0.1 * np.percentile(level, 95))


def _write_number(pcm: Pcm, number: int) -> None:
    """Put ``number`` into the lowest bits of the first samples: nobody hears them."""
    bits = (number >> np.arange(min(_NUMBER_BITS, len(pcm)), dtype=np.int64)) & 1
    pcm[: len(bits)] = (pcm[: len(bits)] & ~1) | bits.astype(np.int16)
