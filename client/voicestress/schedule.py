"""Which windows of a recording are to be sent when and where: a few at once, failed ones again, each under a deadline.

Like ``retry.py`` without clock, network and threads: whoever drives it tells the time, sends, and reports.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass

from voicestress.errors import StressError, Unavailable
from voicestress.replicas import Replicas
from voicestress.retry import WORTH_RETRYING, RetryBudget, RetryPolicy, given_up


@dataclass(frozen=True)
class Call:
    """Window ``number``, to be sent to server ``replica`` now and answered within ``timeout_s`` seconds.

    A window may be with two servers at once: ``key`` tells calls apart.
    """

    key: int
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
        self._keys = 0
        self._calls: dict[int, dict[int, Call]] = {}  # of each window that is with servers, by their keys
        self._again: list[tuple[float, int]] = []  # when a failed window is due, and its number; a heap
        self._slow: deque[tuple[float, Call]] = deque()  # when a call is worth a second one, in order
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
        while (slow := self._next_slow()) is not None and slow[0] <= now_s:
            self._slow.popleft()
            if self._replicas.has_another(slow[1].replica, now_s):
                return self._call(slow[1].number, now_s)
        if len(self._calls) >= self._in_flight:
            return None
        if self._again and self._again[0][0] <= now_s:
            _, number = heapq.heappop(self._again)
        elif self._fresh < self._windows:
            number, self._fresh = self._fresh, self._fresh + 1
            self._first_sent_s[number] = now_s
        else:
            return None
        if now_s >= self._first_sent_s[number] + self._deadline_s:
            raise self._given_up(number, now_s, f"the deadline of {self._deadline_s:g} s passed before its turn")
        call = self._call(number, now_s)
        if self._policy.second_after_s is not None and self._policy.second_after_s < call.timeout_s:
            self._slow.append((now_s + self._policy.second_after_s, call))
        return call

    def wait_s(self, now_s: float) -> float | None:
        """Seconds until there may be something to send; None if only an answer can change that."""
        due = [slow[0]] if (slow := self._next_slow()) is not None else []
        if self._again and len(self._calls) < self._in_flight:
            due.append(self._again[0][0])
        return max(0.0, min(due) - now_s) if due else None

    def answer(self, call: Call) -> list[Call]:
        """A call was answered, and with it its window. What else asks for that is of no use now, and returned."""
        self._budget.succeeded()
        self._replicas.succeeded(call.replica)
        others = self._calls.pop(call.number)
        del others[call.key]
        for other in others.values():
            self._replicas.ended(other.replica)
        self._answered += 1
        del self._first_sent_s[call.number], self._sent_to[call.number]
        self._failures.pop(call.number, None)
        self._last_error.pop(call.number, None)
        return list(others.values())

    def fail(self, call: Call, error: StressError, now_s: float) -> None:
        """A call failed: its window is sent again later, unless that is no use, or it is with another server still.

        Raises:
            StressError: ``error``, with what was tried.
        """
        number = call.number
        if isinstance(error, Unavailable):
            counts = self._replicas.failed(call.replica, now_s)  # all that a server held fails with it, once
        else:
            self._replicas.ended(call.replica)
            counts = isinstance(error, WORTH_RETRYING)
        failures = self._failures[number] = self._failures.get(number, 0) + 1
        self._last_error[number] = error
        within_budget = self._budget.failed() if counts else self._budget.is_left
        del self._calls[number][call.key]
        if self._calls[number] and isinstance(error, WORTH_RETRYING):
            return
        del self._calls[number]
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

    def cancel(self, call: Call) -> None:
        """A call was cancelled, and its window is not asked for again."""
        self._replicas.ended(call.replica)

    def _call(self, number: int, now_s: float) -> Call:
        replica = self._sent_to[number] = self._replicas.pick(now_s, avoid=self._sent_to.get(number))
        self._keys += 1
        call = Call(self._keys, number, replica, self._first_sent_s[number] + self._deadline_s - now_s)
        self._calls.setdefault(number, {})[call.key] = call
        return call

    def _next_slow(self) -> tuple[float, Call] | None:
        """The next call that is worth a second one, and when, as long as most requests succeed."""
        while self._slow and self._slow[0][1].key not in self._calls.get(self._slow[0][1].number, {}):
            self._slow.popleft()  # it was answered, or failed
        return self._slow[0] if self._slow and self._budget.is_left else None

    def _given_up(self, number: int, now_s: float, why: str) -> StressError:
        return given_up(
            self._last_error[number],
            what=f"{self._what} {number + 1} of {self._windows}",
            attempts=self._failures[number],
            after_s=now_s - self._first_sent_s[number],
            why=why,
        )
