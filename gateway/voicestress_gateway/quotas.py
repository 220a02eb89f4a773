"""How much each key, and everybody together, may ask."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from voicestress_gateway.keys import ApiKey
from voicestress_gateway.problems import BUSY, RATE_LIMITED, TOO_MANY_AT_ONCE, Problem

# A minute's requests may come at once, but then none until they are earned again.
_BURST_S = 60.0


class Quotas:
    """Counts requests by key name. For one event loop.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._earned: dict[str, tuple[float, float]] = {}  # requests a key may make, and when that was
        self._at_once: Counter[str] = Counter()

    @contextmanager
    def admitted(self, key: ApiKey) -> Iterator[None]:
        """For as long as a request of ``key`` is worked on.

        Raises:
            Problem: the key makes too many requests, or too many at once.
        """
        if key.at_once and self._at_once[key.name] >= key.at_once:
            raise Problem(TOO_MANY_AT_ONCE, f"this key may make {key.at_once} requests at once")
        if key.requests_a_minute:
            self._pay(key)
        self._at_once[key.name] += 1
        try:
            yield
        finally:
            self._at_once[key.name] -= 1

    def _pay(self, key: ApiKey) -> None:
        now_s, a_second = self._clock(), key.requests_a_minute / 60.0
        most = a_second * _BURST_S
        earned, at_s = self._earned.get(key.name, (most, now_s))
        earned = min(most, earned + (now_s - at_s) * a_second)
        if earned < 1.0:
            self._earned[key.name] = (earned, now_s)
            raise Problem(
                RATE_LIMITED,
                f"this key may make {key.requests_a_minute} requests a minute",
                retry_after_s=max(1, math.ceil((1.0 - earned) / a_second)),
            )
        self._earned[key.name] = (earned - 1.0, now_s)


class Room:
    """Room for ``most`` of something at once, as bytes or streams."""

    def __init__(self, most: int, what: str) -> None:
        self._most, self._what = most, what
        self.taken = 0

    def take(self, count: int) -> None:
        """Take some of it.

        Raises:
            Problem: there is not so much left.
        """
        if self.taken + count > self._most:
            raise Problem(BUSY, f"the gateway has as many {self._what} as it may; retry later")
        self.taken += count

    def give_back(self, count: int) -> None:
        """Give some of it back."""
        self.taken -= count

    @contextmanager
    def one(self) -> Iterator[None]:
        """Take one for the length of a ``with`` block."""
        self.take(1)
        try:
            yield
        finally:
            self.give_back(1)
