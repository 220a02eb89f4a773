"""A recording that is scored while it goes on, for threads."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy.typing as npt

from voicestress.conversation import Conversation
from voicestress.live import LiveScore
from voicestress.report import StressReport, StressUpdate


class StressStream:
    """A recording that goes on: ``StressClient.stream`` makes it. For one thread; use it as a context manager.

    ``last_updates`` are those that came with ``finish``. Whatever error ends a call, it ends the stream.
    """

    def __init__(self, live: LiveScore, conversation: Conversation) -> None:
        self._live, self._conversation = live, conversation
        self.last_updates: list[StressUpdate] = []

    def push(self, chunk: npt.NDArray[Any] | bytes) -> list[StressUpdate]:
        """The updates that are there after ``chunk``; usually none.

        ``chunk`` is ``[n]`` or ``[n, channels]``, int16, int32, float32 or float64, or the bytes of 16-bit
        little-endian samples, which may end anywhere. It waits for the servers only where they are far behind.

        Raises:
            InvalidAudio: its samples can't be used.
            ServiceError: the service failed: ``Overloaded``, ``Unavailable``, ``DeadlineExceeded``, ``Unauthorized``.
            ValueError: the stream has ended.
        """
        with self._live.ending_on_error(self.close):
            self._live.add(self._live.hear([chunk]))
            self._conversation.go_on()
            self._conversation.run(unanswered=self._live.backlog)
            return self._live.updates()

    def finish(self) -> StressReport:
        """The report of all that was pushed, as ``analyze`` gives it. The stream ends with it.

        Raises:
            InvalidAudio: nothing was pushed, or not whole samples; ``NoSpeech`` if too little of it is speech.
            ServiceError, ValueError: as ``push``.
        """
        with self._live.ending_on_error(self.close):
            self._live.add(self._live.hear_the_end())
            self._conversation.run()
            self.last_updates = self._live.updates()
            report = self._live.report()
        self.close()
        return report

    def close(self) -> None:
        """End it without a report; what is with the servers is cancelled."""
        self._live.end()
        self._conversation.cancel()
        self._live.release()

    def __enter__(self) -> StressStream:
        """The stream itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()
