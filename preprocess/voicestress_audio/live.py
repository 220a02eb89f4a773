"""A recording that is still going on, as the windows a model scores: ``read_recording`` for a call or a microphone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from voicestress_audio.errors import InvalidAudio
from voicestress_audio.live_windows import LiveCutter
from voicestress_audio.recording import check_enough, is_digital_silence, only_silence
from voicestress_audio.resample import SAMPLE_RATE_HZ, PcmResampler
from voicestress_audio.samples import check_array, check_channels, check_rate, mono
from voicestress_audio.speech import Segment, speech_stream
from voicestress_audio.windows import Window

# What is worked on at once, however much is pushed: memory stays the same.
_STEP_S = 1


class LiveRecording:
    """Takes audio in chunks of any size and gives the windows that ``read_recording`` would find in all of it.

    Each window comes as soon as it is certain (see ``LiveCutter``), the last ones from ``finish``; memory stays the
    same however long it goes on. Use it as a context manager: it borrows a speech detector.

    Args:
        rate_hz: sample rate of the chunks, 8000 to 192000 Hz.
        channels: of chunks of bytes, whose samples are interleaved: 1 or 2.
        shortest_window_samples, longest_window_samples: bounds of a window, at 16 kHz.
        speech_detection: find the speech first; false where there is nothing else.
        name: of the recording, in errors.

    Raises:
        InvalidAudio: no voice is recorded at this rate, or with so many channels.
    """

    def __init__(
        self,
        rate_hz: int,
        *,
        shortest_window_samples: int,
        longest_window_samples: int,
        channels: int = 1,
        speech_detection: bool = True,
        name: str = "<stream>",
    ) -> None:
        check_rate(rate_hz, name)
        check_channels(channels, name)
        self.name, self._rate_hz, self._channels = name, rate_hz, channels
        self._needed_samples, self._all = shortest_window_samples, not speech_detection
        self._resampler = PcmResampler(rate_hz)
        self._speech = speech_stream(detection=speech_detection)
        self._cutter = LiveCutter(shortest_samples=shortest_window_samples, longest_samples=longest_window_samples)
        self._split_frame = b""  # the first bytes of a frame that two chunks share
        self._frames = 0  # taken so far, at rate_hz
        self._samples = 0  # at 16 kHz
        self._ended_samples = 0  # of speech that has ended
        self._held_back: list[Window] = []  # until there is speech enough for one
        self._has_windows = False

    def __enter__(self) -> LiveRecording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the speech detector back. Call it once."""
        self._speech.__exit__(None, None, None)

    @property
    def duration_s(self) -> float:
        """What was heard so far, in seconds."""
        return self._samples / SAMPLE_RATE_HZ

    @property
    def detected_s(self) -> float:
        """The speech in it so far, in seconds."""
        return self._detected_samples / SAMPLE_RATE_HZ

    @property
    def _detected_samples(self) -> int:
        ongoing = self._speech.ongoing
        return self._ended_samples + (0 if ongoing is None else ongoing.samples)

    def push(self, chunk: npt.NDArray[Any] | bytes) -> list[Window]:
        """The windows that are certain after ``chunk``; usually none.

        ``chunk`` is ``[n]`` or ``[n, channels]``, int16, int32, float32 or float64, or the bytes of 16-bit
        little-endian samples, which may end anywhere.

        Raises:
            InvalidAudio: its samples can't be used. Nothing of it was taken.
        """
        samples = self._frames_of(chunk) if isinstance(chunk, (bytes, bytearray, memoryview)) else chunk
        if not isinstance(samples, np.ndarray):
            raise TypeError(f"a chunk is a numpy array, or the bytes of 16-bit samples, not {type(chunk).__name__}")
        if samples.size == 0 and samples.ndim == 1:
            return []
        samples, _ = check_array(samples, self._rate_hz, self.name)
        sound = mono(samples, self._rate_hz, self.name, frames_before=self._frames)
        self._frames += len(sound)
        windows: list[Window] = []
        step = _STEP_S * self._rate_hz
        for start in range(0, len(sound), step):
            windows += self._hear(self._resampler.push(sound[start : start + step]))
        return self._enough(windows)

    def finish(self) -> list[Window]:
        """The windows that remain. Call it once, at the end.

        Raises:
            InvalidAudio: there were no samples, or the bytes end inside one.
            NoSpeech: less of it all is speech than the shortest window.
        """
        if self._split_frame:
            raise InvalidAudio(
                f"{self.name}: the last {len(self._split_frame)} bytes are no whole 16-bit sample of each of "
                f"{self._channels} channels. Check its format, or where it was cut off."
            )
        if not self._frames:
            raise InvalidAudio(f"{self.name}: there are no samples. Check what was recorded.")
        windows = self._hear(self._resampler.finish())
        ended = self._speech.finish()
        self._ended_samples += sum(segment.samples for segment in ended)
        windows += self._sounding(self._cutter.finish(ended))
        check_enough(self._ended_samples, self._needed_samples, self.name)
        windows = self._enough(windows)
        if not self._has_windows:
            raise only_silence(self._samples, self._needed_samples, self.name)
        return windows

    def _frames_of(self, chunk: bytes | bytearray | memoryview) -> npt.NDArray[np.int16]:
        held = self._split_frame + bytes(chunk)
        whole = len(held) - len(held) % (2 * self._channels)
        self._split_frame = held[whole:]
        frames = np.frombuffer(held[:whole], dtype="<i2").astype(np.int16, copy=False)
        return frames if self._channels == 1 else frames.reshape(-1, self._channels)

    def _hear(self, pcm: npt.NDArray[np.int16]) -> list[Window]:
        self._samples += len(pcm)
        ended: list[Segment] = self._speech.push(pcm)
        self._ended_samples += sum(segment.samples for segment in ended)
        return self._sounding(self._cutter.push(pcm, ended, self._speech.ongoing, self._speech.quiet_until_sample))

    def _sounding(self, windows: list[Window]) -> list[Window]:
        return [window for window in windows if not is_digital_silence(window.pcm)] if self._all else windows

    def _enough(self, windows: list[Window]) -> list[Window]:
        """The windows to give out now: none before there is speech enough, for then there may be none in the end."""
        self._held_back += windows
        if self._detected_samples < self._needed_samples:
            return []
        given, self._held_back = self._held_back, []
        self._has_windows |= bool(given)
        return given
