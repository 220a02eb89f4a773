"""Which windows of a recording are to be sent when and where: a few at once, failed ones again, each under a deadline.

Like ``retry.py`` without clock, network and threads: whoever drives it tells the time, sends, and reports.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from voicestress.errors import StressError, Unavailable
from voicestress.replicas import Replicas
from voicestress.retry import WORTH_RETRYING, RetryBudget, RetryPolicy, given_up


@dataclass(frozen=True)
class Call:
    """Window ``number``, to be sent to server ``replica`` now and answered within ``timeout_s`` seconds."""

    number: int
    replica: int
    timeout_s: float


class WindowSchedule:
    """The calls for windows, at most ``in_flight`` of them unanswered at a time.

    A window's deadline starts when it is first sent, and its retries share it. Whatever else is asked of a server can
    be scheduled like a window; ``what`` is its name in errors.
    """

    def __init__(
        self,
        windows: int = 0,
        *,
        in_flight: int,
        deadline_s: float,
        policy: RetryPolicy,
        budget: RetryBudget,
        replicas: Replicas,
        what: str = "window",
    ) -> None:
        self._windows, self._in_flight, self._deadline_s, self._what = windows, in_flight, deadline_s, what
        self._policy, self._budget, self._replicas = policy, budget, replicas
        self._fresh = 0  # number of the next window that was never sent
        self._answered = 0
        self._unanswered = 0
        self._again: list[tuple[float, int]] = []  # when a failed window is due, and its number; a heap
        self._first_sent_s: dict[int, float] = {}
        self._sent_to: dict[int, int] = {}  # the server each window was sent to last
        self._failures: dict[int, int] = {}
        self._last_error: dict[int, StressError] = {}

    def add(self) -> None:
        """One more window."""
        self._windows += 1

    @property
    def is_done(self) -> bool:
        """Whether every window was answered."""
        return self._answered == self._windows

    def next_call(self, now_s: float) -> Call | None:
        """What to send at ``now_s``, if anything. Failed windows go first: their deadline runs.

        Raises:
            StressError: a failed window's deadline passed while others were in flight; with what was tried.
        """
        if self._unanswered >= self._in_flight:
            return None
        if self._again and self._again[0][0] <= now_s:
            _, number = heapq.heappop(self._again)
        elif self._fresh < self._windows:
            number, self._fresh = self._fresh, self._fresh + 1
            self._first_sent_s[number] = now_s
        else:
            return None
        left_s = self._first_sent_s[number] + self._deadline_s - now_s
        if left_s <= 0:
            raise self._given_up(number, now_s, f"the deadline of {self._deadline_s:g} s passed before its turn")
        self._unanswered += 1
        replica = self._sent_to[number] = self._replicas.pick(now_s, avoid=self._sent_to.get(number))
        return Call(number, replica, left_s)

    def wait_s(self, now_s: float) -> float | None:
        """Seconds until there may be something to send; None if only an answer can change that."""
        if not self._again or self._unanswered >= self._in_flight:
            return None
        return max(0.0, self._again[0][0] - now_s)

    def answer(self, number: int) -> None:
        """A window was answered."""
        self._budget.succeeded()
        self._replicas.succeeded(self._sent_to.pop(number))
        self._unanswered -= 1
        self._answered += 1
        del self._first_sent_s[number]
        self._failures.pop(number, None)
        self._last_error.pop(number, None)

    def fail(self, number: int, error: StressError, now_s: float) -> None:
        """A window failed: it is sent again later, unless that is no use.

        Raises:
            StressError: ``error``, with what was tried.
        """
        if isinstance(error, Unavailable):
            self._replicas.failed(self._sent_to[number], now_s)
        else:
            self._replicas.ended(self._sent_to[number])
        self._unanswered -= 1
        failures = self._failures[number] = self._failures.get(number, 0) + 1
        self._last_error[number] = error
        within_budget = self._budget.failed()
        delay_s = self._policy.delay_s(failures)
        spent_s = now_s - self._first_sent_s[number]
        if not isinstance(error, WORTH_RETRYING):
            if failures == 1:
                raise error
            why = "another would end the same"
        elif failures >= self._policy.attempts:
            why = "no more are allowed"
        elif not within_budget:
            why = "too many requests failed lately, and retries would only add to the load"
        elif spent_s + delay_s >= self._deadline_s:
            why = f"the deadline of {self._deadline_s:g} s leaves no time for another"
        else:
            heapq.heappush(self._again, (now_s + delay_s, number))
            return
        raise self._given_up(number, now_s, why) from error

    def cancel(self, number: int) -> None:
        """A window was cancelled, and is not asked for again."""
        self._replicas.ended(self._sent_to[number])

    def _given_up(self, number: int, now_s: float, why: str) -> StressError:
        return given_up(
            self._last_error[number],
            what=f"{self._what} {number + 1} of {self._windows}",
            attempts=self._failures[number],
            after_s=now_s - self._first_sent_s[number],
            why=why,
        )
