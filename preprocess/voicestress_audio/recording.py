"""From a recording to the windows a model scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import floor

import numpy as np
import numpy.typing as npt

from voicestress_audio.decode import Source, open_audio
from voicestress_audio.errors import NoSpeech
from voicestress_audio.limits import DEFAULT_LIMITS, AudioLimits
from voicestress_audio.resample import SAMPLE_RATE_HZ
from voicestress_audio.speech import find_speech, speech_stream
from voicestress_audio.windows import Window, cut_windows

# Where a constant starts and stops, the resampler's filter rings for less than this.
_RINGING_SAMPLES = 20 * SAMPLE_RATE_HZ // 1000


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording, cut into windows.

    ``speech_s`` is the speech in all windows together, in seconds: never more than ``duration_s``.
    """

    name: str
    duration_s: float
    speech_s: float
    windows: tuple[Window, ...]


def read_recording(
    source: Source,
    *,
    shortest_window_samples: int,
    longest_window_samples: int,
    speech_detection: bool = True,
    limits: AudioLimits = DEFAULT_LIMITS,
) -> Recording:
    """Decode a recording, resample it to 16 kHz, find its speech and cut that into windows.

    ``source`` is a path, encoded bytes, a binary file object or ``(samples, rate_hz)``; see ``open_audio``. The window
    lengths are in samples at 16 kHz, the longest at least twice the shortest. Without ``speech_detection``, for speech
    that is already cut, everything but digital silence counts as speech. Apart from the 16 kHz 16-bit samples, which
    the windows are views of and ``limits`` bound, memory stays the same however long the recording is.

    Raises:
        InvalidAudio: the recording can't be used.
        NoSpeech: less of it is speech than the shortest window.
    """
    buffer = bytearray()
    with open_audio(source, limits) as audio:
        chunks = _kept(audio.pcm_chunks(), buffer)
        segments = find_speech(chunks, speech_stream(detection=speech_detection))
    pcm = np.frombuffer(buffer, dtype=np.int16)
    pcm.flags.writeable = False
    check_enough(sum(segment.samples for segment in segments), shortest_window_samples, audio.name)
    windows = cut_windows(
        pcm, segments, shortest_samples=shortest_window_samples, longest_samples=longest_window_samples
    )
    if not speech_detection:
        windows = tuple(window for window in windows if not is_digital_silence(window.pcm))
    if not windows:
        raise only_silence(len(pcm), shortest_window_samples, audio.name)
    speech_s = sum(window.speech_samples for window in windows) / SAMPLE_RATE_HZ
    return Recording(audio.name, len(pcm) / SAMPLE_RATE_HZ, speech_s, windows)


def check_enough(detected_samples: int, needed_samples: int, name: str) -> None:
    """Refuse a recording with too little speech for a window (``NoSpeech``)."""
    if detected_samples < needed_samples:
        heard_s = floor(detected_samples * 10 / SAMPLE_RATE_HZ) / 10
        raise NoSpeech(f"{name}: {heard_s:.1f} s of speech, {needed_samples / SAMPLE_RATE_HZ:g} s needed")


def only_silence(samples: int, needed_samples: int, name: str) -> NoSpeech:
    """The error for a recording that holds nothing but digital silence."""
    return NoSpeech(
        f"{name}: {samples / SAMPLE_RATE_HZ:.1f} s of digital silence, "
        f"{needed_samples / SAMPLE_RATE_HZ:g} s of speech needed"
    )


def _kept(chunks: Iterable[npt.NDArray[np.int16]], buffer: bytearray) -> Iterator[npt.NDArray[np.int16]]:
    """The same chunks, also written to the end of ``buffer``: it grows in place, where a list would be copied."""
    for chunk in chunks:
        buffer.extend(chunk.data)
        yield chunk


def is_digital_silence(pcm: npt.NDArray[np.int16]) -> bool:
    """Whether ``pcm`` ``[n]`` is a constant, to one step of rounding."""
    inner = pcm[_RINGING_SAMPLES:-_RINGING_SAMPLES] if len(pcm) > 4 * _RINGING_SAMPLES else pcm
    return int(inner.max()) - int(inner.min()) <= 1
