"""Windows: the pieces of a recording a model scores, cut so that they hold its speech and little else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voicestress_audio.resample import SAMPLE_RATE_HZ
from voicestress_audio.speech import Segment

LONGEST_JOINED_PAUSE_SAMPLES = 300 * SAMPLE_RATE_HZ // 1000
_FRAME_SAMPLES = 20 * SAMPLE_RATE_HZ // 1000


@dataclass(frozen=True, eq=False)
class Window:
    """One window: ``pcm`` int16 ``[n]`` at 16 kHz, a view of the recording's samples ``start_sample:end_sample``.

    ``speech_samples``, 1 to n, is how much of it is detected speech.
    """

    pcm: npt.NDArray[np.int16]
    start_sample: int
    end_sample: int
    speech_samples: int

    @property
    def start_s(self) -> float:
        """Where the window starts in the recording, in seconds."""
        return self.start_sample / SAMPLE_RATE_HZ

    @property
    def end_s(self) -> float:
        """Where the window ends in the recording, in seconds."""
        return self.end_sample / SAMPLE_RATE_HZ

    @property
    def speech_s(self) -> float:
        """Detected speech inside the window, in seconds."""
        return self.speech_samples / SAMPLE_RATE_HZ


def cut_windows(
    pcm: npt.NDArray[np.int16], speech: Sequence[Segment], *, shortest_samples: int, longest_samples: int
) -> tuple[Window, ...]:
    """Cut a recording ``pcm`` ``[n]`` into windows that cover its ``speech`` (in order, not overlapping).

    Speech is joined over short pauses, and cut at its quietest 20 ms when longer than ``longest_samples``. What is
    shorter than ``shortest_samples`` is widened with the audio around it, or joined to the nearer neighbour where there
    is no room; only a recording that is itself shorter gives a shorter window. Windows are in order, don't overlap, and
    all have speech in them. ``longest_samples`` must be at least twice ``shortest_samples``.
    """
    check_bounds(shortest_samples, longest_samples)
    spans = widen(join(speech), len(pcm), shortest_samples)
    return tuple(cut_spans(pcm, spans, speech, shortest_samples=shortest_samples, longest_samples=longest_samples))


def check_bounds(shortest_samples: int, longest_samples: int) -> None:
    """Refuse bounds between which some speech could not be cut (``ValueError``)."""
    if not 0 < 2 * shortest_samples <= longest_samples:
        raise ValueError(
            f"windows of {shortest_samples} to {longest_samples} samples: "
            "the longest must be at least twice the shortest, and that at least 1"
        )


def join(speech: Sequence[Segment]) -> list[Segment]:
    """Speech segments with the short pauses between them filled."""
    joined: list[Segment] = []
    for segment in speech:
        if joined and segment.start_sample - joined[-1].end_sample <= LONGEST_JOINED_PAUSE_SAMPLES:
            joined[-1] = Segment(joined[-1].start_sample, segment.end_sample)
        else:
            joined.append(segment)
    return joined


def widen(
    spans: Sequence[Segment], samples: int, shortest_samples: int, *, after: Segment | None = None
) -> list[Segment]:
    """Spans of at least ``shortest_samples``, or one of all ``samples`` where there are fewer.

    ``after`` is a span before them that must stay as it is.
    """
    waiting = list(reversed(spans))
    done: list[Segment] = [] if after is None else [after]
    while waiting:
        start, end = waiting.pop()
        room_start = done[-1].end_sample if done else 0
        room_end = waiting[-1].start_sample if waiting else samples
        if end - start >= shortest_samples:
            done.append(Segment(start, end))
        elif room_end - room_start >= shortest_samples:
            done.append(widened(Segment(start, end), shortest_samples, room_start, room_end))
        elif waiting and (not done or room_end - end <= start - room_start):
            waiting[-1] = Segment(start, waiting[-1].end_sample)
        elif done:
            done[-1] = Segment(done[-1].start_sample, end)
        else:
            done.append(Segment(0, samples))
    return done if after is None else done[1:]


def widened(span: Segment, shortest_samples: int, room_start: int, room_end: int) -> Segment:
    """A span of ``shortest_samples`` around a shorter one, between ``room_start`` and ``room_end``."""
    missing = shortest_samples - span.samples
    start = min(max(room_start, span.start_sample - missing // 2), room_end - shortest_samples)
    return Segment(start, start + shortest_samples)


def cut_spans(
    pcm: npt.NDArray[np.int16],
    spans: Sequence[Segment],
    speech: Sequence[Segment],
    *,
    shortest_samples: int,
    longest_samples: int,
    first_sample: int = 0,
) -> list[Window]:
    """The windows of ``spans``, none longer than ``longest_samples``; ``pcm`` ``[n]`` begins at ``first_sample``."""
    starts, ends = np.array(speech, dtype=np.int64).reshape(-1, 2).T
    windows = []
    for span in spans:
        moved = Segment(span.start_sample - first_sample, span.end_sample - first_sample)
        for low, high in _split(pcm, moved, shortest_samples, longest_samples):
            start, end = low + first_sample, high + first_sample
            overlaps = np.minimum(ends, end) - np.maximum(starts, start)
            windows.append(Window(pcm[low:high], start, end, int(overlaps.clip(min=0).sum())))
    return [window for window in windows if window.speech_samples]  # a pause may be longer than a short window


def _split(
    pcm: npt.NDArray[np.int16], span: Segment, shortest_samples: int, longest_samples: int
) -> list[tuple[int, int]]:
    """Pieces of a span, none longer than ``longest_samples``; those before the last at least half of that."""
    pieces = []
    start, end = span
    while end - start > longest_samples:
        cut = cut_at_quietest(pcm, start + longest_samples // 2, min(start + longest_samples, end - shortest_samples))
        pieces.append((start, cut))
        start = cut
    return [*pieces, (start, end)]


def cut_at_quietest(pcm: npt.NDArray[np.int16], low: int, high: int) -> int:
    """Middle of the 20 ms frame with the least energy between two samples; the last of several."""
    frames = (high - low) // _FRAME_SAMPLES
    if frames == 0:
        return (low + high) // 2
    framed = (
        pcm[low : low + frames * _FRAME_SAMPLES].reshape(frames, _FRAME_SAMPLES).astype(np.float32)
    )  # [frames, 320]
    energy = np.einsum("fs,fs->f", framed, framed)
    return low + (frames - 1 - int(energy[::-1].argmin())) * _FRAME_SAMPLES + _FRAME_SAMPLES // 2
