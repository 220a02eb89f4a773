"""A recording that is still going on, as its client sees it: windows go out, updates come back.

Without network: ``StressStream`` and ``AsyncStressStream`` share it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from voicestress_audio import LiveRecording, Recording, Window

from voicestress.errors import ServiceError
from voicestress.report import StressReport, StressUpdate, WindowReport, stress_report, window_report
from voicestress.scoring import Scoring

ROLLING_S = 30.0
_NO_PCM = np.empty(0, dtype=np.int16)


class LiveScore:
    """Feeds what is heard to ``scoring``, and makes updates and the last report of what comes back.

    Of each window it keeps times and logits, about 200 bytes; its samples go with its answer.

    Args:
        recording: what is heard.
        scoring: of its windows.
        model: the model's name.
        backlog: how many windows may be unanswered before more is heard.
        is_outdated: whether another model answers than the one whose contract was read.
    """

    def __init__(
        self,
        recording: LiveRecording,
        scoring: Scoring,
        *,
        model: str,
        backlog: int,
        is_outdated: Callable[[Scoring], bool],
    ) -> None:
        self._recording, self._scoring, self._model, self.backlog = recording, scoring, model, backlog
        self._is_outdated = is_outdated
        self._is_ended = self._is_released = False
        self._windows: list[Window] = []
        self._logits: list[npt.NDArray[np.float32]] = []
        self._recent: deque[WindowReport] = deque()
        self._scored_s = 0.0

    def hear(self, chunks: Sequence[npt.NDArray[Any] | bytes]) -> list[Window]:
        """The windows that are certain after ``chunks``. It computes: not for an event loop."""
        return [window for chunk in chunks for window in self._recording.push(chunk)]

    def hear_the_end(self) -> list[Window]:
        """The windows that remain at the end."""
        return self._recording.finish()

    def end(self) -> None:
        """Take nothing more from now on."""
        self._is_ended = True

    def release(self) -> None:
        """Give back what hearing needs, once nothing hears any more."""
        if not self._is_released:
            self._is_released = True
            self._recording.close()

    @contextmanager
    def ending_on_error(self, close: Callable[[], None]) -> Iterator[None]:
        """Refuse a stream that has ended (``ValueError``), and ``close`` it if the block fails."""
        if self._is_ended:
            raise ValueError("the stream has ended: make a new one for another recording")
        try:
            yield
        except BaseException:
            close()
            raise

    def add(self, windows: Sequence[Window]) -> None:
        """Have ``windows`` scored."""
        for window in windows:
            self._scoring.add(window.pcm)
            self._windows.append(replace(window, pcm=_NO_PCM))

    def updates(self) -> list[StressUpdate]:
        """One for each window whose logits came since the last call, in order.

        Raises:
            ServiceError: another model is served than when the stream began.
        """
        if self._scoring.version and not self._logits and self._is_outdated(self._scoring):
            raise ServiceError(f"{self._model} was replaced since its contract was read; make a new stream")
        return [self._update(logits) for logits in self._scoring.take()]

    def report(self) -> StressReport:
        """The report of it all, once every window was scored and told by ``updates``."""
        speech_s = sum(window.speech_s for window in self._windows)
        recording = Recording(self._recording.name, self._recording.duration_s, speech_s, tuple(self._windows))
        return stress_report(
            recording, self._logits, self._scoring.contract, name=self._model, version=self._scoring.version
        )

    def _update(self, logits: npt.NDArray[np.float32]) -> StressUpdate:
        window = window_report(self._windows[len(self._logits)], logits, self._scoring.contract)
        self._logits.append(logits)
        self._recent.append(window)
        while self._recent[0].end_s <= window.end_s - ROLLING_S:
            self._recent.popleft()
        self._scored_s += window.speech_s
        weights = [recent.speech_s for recent in self._recent]
        rolling = np.average([recent.stress_level for recent in self._recent], weights=weights)
        return StressUpdate(
            window=window,
            rolling_level=float(np.clip(rolling, 0.0, 100.0)),
            speech_s=self._scored_s,
            heard_s=self._recording.duration_s,
        )
