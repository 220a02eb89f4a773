"""The requests of one recording that are with the servers, and how a thread waits for them."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Any

from voicestress.errors import ServiceError, StressError
from voicestress.schedule import Call
from voicestress.scoring import Request, Scoring
from voicestress.wire import Answer

Answers = queue.SimpleQueue[tuple[Call, Answer]]


class Conversation:
    """Sends what ``scoring`` has to send, and tells it what came back.

    Args:
        scoring: the windows.
        send: sends a request, puts its answer into a queue, and returns the call, which can be cancelled.
        patience_s: how long to wait for any answer at all, in seconds.
    """

    def __init__(
        self,
        scoring: Scoring,
        send: Callable[[Request, Answers], Any],
        *,
        patience_s: float,
    ) -> None:
        self._scoring, self._send, self._patience_s = scoring, send, patience_s
        self._answers: Answers = queue.SimpleQueue()
        self._calls: dict[Call, Any] = {}

    def run(self, *, unanswered: int = 0) -> None:
        """Send and wait until at most so many windows are ``unanswered``."""
        while self._scoring.unanswered > unanswered:
            self._send_due()
            self._receive(self._scoring.wait_s(time.monotonic()))

    def go_on(self) -> None:
        """Send what is due and take what has come, without waiting."""
        self._send_due()
        while self._receive(0.0):
            self._send_due()

    def cancel(self) -> None:
        """End what is still with the servers; they are told."""
        for call, sent in self._calls.items():
            sent.cancel()
            self._scoring.cancelled(call)
        self._calls.clear()

    def _send_due(self) -> None:
        while (request := self._scoring.next_request(time.monotonic())) is not None:
            self._calls[request.call] = self._send(request, self._answers)

    def _receive(self, at_most_s: float | None) -> bool:
        """Take the next answer; false if there is none within ``at_most_s``."""
        try:
            call, answer = self._answers.get(timeout=self._patience_s if at_most_s is None else at_most_s)
        except queue.Empty:
            if at_most_s is not None:
                return False
            # gRPC ends every call at its deadline; should it ever not, nothing here hangs.
            raise ServiceError(f"neither answer nor time-out from a server in {self._patience_s:g} s") from None
        if self._calls.pop(call, None) is None:
            return True  # it was cancelled, and answered all the same
        if isinstance(answer, StressError):
            self._scoring.failed(call, answer, time.monotonic())
        else:
            for useless in self._scoring.answered(call, answer):
                self._calls.pop(useless).cancel()
        return True
