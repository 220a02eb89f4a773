"""Windows of a recording that is still going on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from voicestress_audio.speech import Segment
from voicestress_audio.windows import (
    LONGEST_JOINED_PAUSE_SAMPLES,
    Window,
    check_bounds,
    cut_at_quietest,
    cut_spans,
    join,
    widen,
    widened,
)


class LiveCutter:
    """Cuts a recording that arrives in pieces into the windows that ``cut_windows`` would cut of all of it.

    A window comes as soon as nothing that may still be heard can change it: half a second after its speech has ended,
    or, in speech without a pause, once there is enough behind it. The recording's samples are let go of when no window
    to come can need them: never more than the longest window and a few of the shortest are held.
    """

    def __init__(self, *, shortest_samples: int, longest_samples: int) -> None:
        check_bounds(shortest_samples, longest_samples)
        self._shortest, self._longest = shortest_samples, longest_samples
        self._held = bytearray()  # int16 samples from _held_from on
        self._held_from = 0
        self._speech: list[Segment] = []  # that windows to come may have in them
        self._last: Segment | None = None  # span that was cut last
        self._cut_from: int | None = None  # where the first span goes on of which windows were cut already

    def push(
        self, pcm: npt.NDArray[np.int16], ended: Sequence[Segment], ongoing: Segment | None, quiet_until_sample: int
    ) -> list[Window]:
        """The windows that are certain after ``pcm`` ``[n]``, the next part of the recording.

        Args:
            pcm: the next part of the recording.
            ended: the speech that ended in it.
            ongoing: the speech that goes on, certain to last to ``end_sample`` at least.
            quiet_until_sample: no other speech starts before it.
        """
        self._held += pcm.astype(np.int16, copy=False).tobytes()
        self._speech += ended
        speech = [*self._speech, *([] if ongoing is None else [ongoing])]
        spans = self._spans(speech)
        windows: list[Window] = []
        while spans and (span := self._settled(spans, is_open=ongoing is not None, quiet_until=quiet_until_sample)):
            del spans[0]
            windows += self._windows([span], speech)
            self._last, self._cut_from = span, None
        if ongoing is not None and len(spans) == 1:
            windows += self._cut_open(spans[0], speech)
        self._forget(spans[0].start_sample if spans else quiet_until_sample)
        return windows

    def finish(self, ended: Sequence[Segment]) -> list[Window]:
        """The windows that remain, after the last speech ``ended``. Call it once, at the end."""
        self._speech += ended
        end = self._held_from + len(self._held) // 2
        return self._windows(widen(self._spans(self._speech), end, self._shortest, after=self._last), self._speech)

    def _spans(self, speech: Sequence[Segment]) -> list[Segment]:
        spans = join(speech)
        if spans and self._cut_from is not None:
            spans[0] = Segment(self._cut_from, spans[0].end_sample)
        return spans

    def _settled(self, spans: list[Segment], *, is_open: bool, quiet_until: int) -> Segment | None:
        """The first of ``spans`` as ``widen`` will have it, or None while that may still change.

        Spans that it joins are replaced by one. Those that follow have begun, and the last, if ``is_open``, may get
        longer; what is not known yet begins at ``quiet_until`` or later.
        """
        room_start = 0 if self._last is None else self._last.end_sample
        while len(spans) > 1 or not is_open:
            first, following = spans[0], spans[1] if len(spans) > 1 else None
            room_end = quiet_until if following is None else following.start_sample
            if first.samples < self._shortest:
                if room_end - room_start >= self._shortest:
                    first = widened(first, self._shortest, room_start, room_end)
                elif following is None:
                    return None
                else:
                    spans[:2] = [Segment(first.start_sample, following.end_sample)]
                    continue
            if following is None:
                pause_is_long = quiet_until - spans[0].end_sample > LONGEST_JOINED_PAUSE_SAMPLES
                return first if pause_is_long and quiet_until - first.end_sample >= self._shortest else None
            if following.samples >= self._shortest:
                return first
            known_until = following.end_sample if is_open else quiet_until
            room_end = spans[2].start_sample if len(spans) > 2 else known_until
            if room_end - first.end_sample >= self._shortest:
                return first
            if len(spans) == 2:
                return None
            if room_end - following.end_sample <= following.start_sample - first.end_sample:
                return first  # what follows will be joined to what is behind it
            spans[:2] = [Segment(first.start_sample, following.end_sample)]
        return None

    def _cut_open(self, span: Segment, speech: Sequence[Segment]) -> list[Window]:
        """Windows off the start of a span that goes on, as long as enough of it is behind them."""
        windows: list[Window] = []
        start, end = span
        while end - start >= self._longest + self._shortest:
            cut = cut_at_quietest(self._pcm(start, start + self._longest), self._longest // 2, self._longest) + start
            windows += self._windows([Segment(start, cut)], speech)
            self._last, self._cut_from = Segment(start, cut), cut
            start = cut
        return windows

    def _windows(self, spans: Sequence[Segment], speech: Sequence[Segment]) -> list[Window]:
        if not spans:
            return []
        start = spans[0].start_sample
        pcm = self._pcm(start, spans[-1].end_sample)
        return cut_spans(
            pcm, spans, speech, shortest_samples=self._shortest, longest_samples=self._longest, first_sample=start
        )

    def _pcm(self, start: int, end: int) -> npt.NDArray[np.int16]:
        """A copy of the samples ``start:end``, which outlives what is held."""
        part = self._held[2 * (start - self._held_from) : 2 * (end - self._held_from)]
        return np.frombuffer(bytes(part), dtype=np.int16)

    def _forget(self, needed: int) -> None:
        """Let go of samples and speech that lie before all windows to come; the next span starts at ``needed``."""
        done_until = 0 if self._last is None else self._last.end_sample
        self._speech = [segment for segment in self._speech if segment.end_sample > done_until]
        keep_from = max(self._held_from, done_until, needed - self._shortest)
        del self._held[: 2 * (keep_from - self._held_from)]
        self._held_from = keep_from
