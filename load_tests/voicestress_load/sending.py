"""Sending: at given times whatever comes of it (the open loop), or by callers that wait for answers (the closed one).

Both leave a row a request. An open loop's latency counts from when a request was meant to go: what the generator was
late by is part of it, and is told apart by when it went.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import gevent
from gevent.event import Event
from gevent.threadpool import AsyncResult, ThreadPool

from voicestress_load.arrivals import Arrivals
from voicestress_load.asking import Ending, Request
from voicestress_load.preparing import Asker, Preparing
from voicestress_load.workload import Component

Row = tuple[int, int, str, str, str, float, float, float, float, int, str, str]
"""number, step, kind, priority, format, meant_s, sent_s, answered_s, audio_s, bytes, outcome, error."""

# A sleeping greenlet wakes up to a millisecond late; the last of it is waited for awake.
_AWAKE_S = 0.001
# What is made ready ahead: enough to ride out a burst, and no more memory than a few minutes of audio take.
_AHEAD = 256
_AHEAD_AUDIO_S = 600.0
# What is left of a pause must be worth making another request ready in.
_SLACK_S = 0.002
_ENCODERS = 2
# Beyond twice its deadline nothing is waited for but a machine that is too busy to tell.
_LATER_S = 10.0


@dataclass(frozen=True)
class Callers:
    """Callers of a closed loop: each begins with one of ``first_numbers`` and goes on in strides, from ``from_s`` to
    ``until_s`` of the run.
    """

    step: int
    first_numbers: tuple[int, ...]
    stride: int
    from_s: float
    until_s: float


@dataclass(order=True)
class _Planned:
    """A request and its times, of ``time.monotonic()``: it begins before it is meant to end only if it is live."""

    begin_at: float
    number: int
    meant_at: float
    step: int = field(compare=False)
    component: Component = field(compare=False)
    audio_s: float = field(compare=False)


class Sending:
    """Sends one worker's requests.

    Args:
        user: who sends them.
        preparing: who makes them.
        on_row: told of every request that has ended, with its latency in milliseconds.
        deadline_s: of a request; a while after that whoever has not ended is given up.
    """

    def __init__(
        self, user: Asker, preparing: Preparing, *, on_row: Callable[[Row, float], None], deadline_s: float
    ) -> None:
        self._user, self._preparing, self._on_row, self._deadline_s = user, preparing, on_row, deadline_s
        self._encoders = ThreadPool(_ENCODERS)
        self._zero_at = 0.0
        self._outstanding: dict[int, tuple[Request, float]] = {}
        self._some_ended = Event()
        self._stopped = False

    def stop(self) -> None:
        """Send nothing more; what was sent is waited for."""
        self._stopped = True

    def open_loop(self, arrivals: Arrivals, *, zero_at: float) -> int:
        """Send ``arrivals``, whose times count from ``zero_at`` of ``time.monotonic()``; how many were sent.

        Returns when all have ended. The time of a live stream is when it ends: it begins by its length earlier.
        """
        self._stopped, self._zero_at = False, zero_at
        coming = self._in_order_of_begin(arrivals)
        ahead: deque[tuple[_Planned, Request | AsyncResult]] = deque()
        sent, ahead_s = 0, 0.0
        while not self._stopped:
            # More are made ready as long as there is time for it before the next is due.
            while not ahead or (ahead_s < _AHEAD_AUDIO_S and len(ahead) < _AHEAD and _is_time(ahead[0][0].begin_at)):
                if (planned := next(coming, None)) is None:
                    break
                ahead.append((planned, self._made(planned)))
                ahead_s += planned.audio_s
            if not ahead:
                break
            planned, made = ahead.popleft()
            ahead_s -= planned.audio_s
            request = made if isinstance(made, Request) else made.get()
            request.begin_at = planned.begin_at
            self._wait_until(planned.begin_at)
            if not self._stopped:
                gevent.spawn(self._send, request, planned.meant_at)
                self._outstanding[request.number] = (request, planned.meant_at)
                sent += 1
        self._drain()
        return sent

    def closed_loop(self, callers: Callers, *, zero_at: float) -> int:
        """Let ``callers`` send their next request when the last was answered; how many were sent.

        Returns when all have ended. A request is meant to be sent when it is.
        """
        self._stopped, self._zero_at = False, zero_at
        until_at = zero_at + callers.until_s

        def call(number: int) -> int:
            sent = 0
            self._wait_until(zero_at + callers.from_s)
            while not self._stopped and time.monotonic() < until_at:
                component, audio_s = self._preparing.drawn(number)
                made = self._made(_Planned(0.0, number, 0.0, callers.step, component, audio_s))
                request = made if isinstance(made, Request) else made.get()
                request.begin_at = time.monotonic()
                meant_at = request.begin_at + (audio_s if component.live else 0.0)
                self._outstanding[number] = (request, meant_at)
                self._send(request, meant_at)
                number, sent = number + callers.stride, sent + 1
            return sent

        calls = [gevent.spawn(call, number) for number in callers.first_numbers]
        gevent.joinall(calls, raise_error=True)
        return sum(each.value for each in calls)

    def _in_order_of_begin(self, arrivals: Arrivals) -> Iterator[_Planned]:
        """What is to be sent, drawn no earlier than its order needs."""
        longest_s = self._preparing.longest_live_s(arrivals)
        waiting: list[_Planned] = []
        for place in range(len(arrivals)):
            number, meant_at = int(arrivals.number[place]), self._zero_at + float(arrivals.meant_s[place])
            if arrivals.kind is not None and arrivals.audio_s is not None:
                component, audio_s = self._preparing.of_trace(arrivals.kind[place], float(arrivals.audio_s[place]))
            else:
                component, audio_s = self._preparing.drawn(number)
            begin_at = meant_at - (audio_s if component.live else 0.0)
            heapq.heappush(waiting, _Planned(begin_at, number, meant_at, int(arrivals.step[place]), component, audio_s))
            while waiting and waiting[0].begin_at <= meant_at - longest_s:  # whatever comes begins later
                yield heapq.heappop(waiting)
        while waiting:
            yield heapq.heappop(waiting)

    def _made(self, planned: _Planned) -> Request | AsyncResult:
        """A request, or one that is being made in a thread: encoders let go of the interpreter."""
        made = (planned.number, planned.step, planned.component, planned.audio_s)
        if self._preparing.is_quick(planned.component, planned.audio_s):
            return self._preparing.request(*made)
        return self._encoders.spawn(self._preparing.request, *made)

    def _wait_until(self, at: float) -> None:
        gevent.sleep(0)  # what was sent before goes first, however late it is
        while (left_s := at - time.monotonic()) > 0 and not self._stopped:
            gevent.sleep(left_s - _AWAKE_S if left_s > _AWAKE_S else 0)

    def _send(self, request: Request, meant_at: float) -> None:
        late_s = time.monotonic() - request.begin_at
        ending = self._user.send(request)
        answered_at = time.monotonic()
        if self._outstanding.pop(request.number, None) is not None:
            self._end(request, meant_at, meant_at + late_s, answered_at, ending)
        self._some_ended.set()

    def _end(self, request: Request, meant_at: float, sent_at: float, answered_at: float, ending: Ending) -> None:
        row = (
            request.number,
            request.step,
            request.kind,
            request.priority,
            request.format,
            meant_at - self._zero_at,
            sent_at - self._zero_at,
            answered_at - self._zero_at,
            request.audio_s,
            request.size_bytes,
            ending.outcome,
            ending.error,
        )
        self._on_row(row, 1000.0 * (answered_at - meant_at))

    def _drain(self) -> None:
        """Wait for what is still out. Requests have deadlines; should one not keep to it, it is given up as late."""
        give_up_at = time.monotonic() + 2 * self._deadline_s + _LATER_S
        while self._outstanding and (left_s := give_up_at - time.monotonic()) > 0:
            self._some_ended.clear()
            if self._outstanding:
                self._some_ended.wait(timeout=left_s)
        for request, meant_at in list(self._outstanding.values()):
            self._end(request, meant_at, meant_at, time.monotonic(), Ending("late", "NoAnswer"))
        self._outstanding.clear()


def _is_time(begin_at: float) -> bool:
    return time.monotonic() + _SLACK_S < begin_at
