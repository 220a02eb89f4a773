"""Whose turn it is, where several servers serve the same model.

Like ``retry.py`` without clock, network and threads of its own.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass
class _Replica:
    failures: int = 0  # in a row, that say it is away
    away_until_s: float = 0.0
    probed_until_s: float = 0.0  # one request asks whether it is back


class Replicas:
    """``count`` servers that take turns; those that are away are left out until one request has found them back.

    Args:
        count: how many there are.
        first_pause_s, longest_pause_s: how long a server is left out that did not answer; doubled each time.
    """

    def __init__(self, count: int, *, first_pause_s: float = 1.0, longest_pause_s: float = 4.0) -> None:
        self._replicas = [_Replica() for _ in range(count)]
        self._first_pause_s, self._longest_pause_s = first_pause_s, longest_pause_s
        self._next = 0
        self._lock = threading.Lock()

    def pick(self, now_s: float, *, avoid: int | None = None) -> int:
        """Which server is next at ``now_s``; not ``avoid`` if another one is there."""
        with self._lock:
            turns = [(self._next + step) % len(self._replicas) for step in range(len(self._replicas))]
            # Python sorts stably: of equals, whose turn is next.
            choice = min(turns, key=lambda number: (self._is_away(number, now_s), number == avoid))
            replica = self._replicas[choice]
            if replica.failures:
                replica.probed_until_s = now_s + self._longest_pause_s
            self._next = (choice + 1) % len(self._replicas)
            return choice

    def has_another(self, number: int, now_s: float) -> bool:
        """Whether another server than this one is there."""
        with self._lock:
            return any(other != number and not self._is_away(other, now_s) for other in range(len(self._replicas)))

    def succeeded(self, number: int) -> None:
        """The server answered."""
        with self._lock:
            self._replicas[number] = _Replica()

    def failed(self, number: int, now_s: float) -> bool:
        """The server is away: it was not reached, or closed the connection. Whether that is news."""
        with self._lock:
            replica = self._replicas[number]
            if now_s < replica.away_until_s and now_s >= replica.probed_until_s:
                return False  # one of the requests that were with it when it went
            pause_s = min(self._longest_pause_s, self._first_pause_s * 2.0**replica.failures)
            self._replicas[number] = _Replica(replica.failures + 1, now_s + pause_s)
            return True

    def ended(self, number: int) -> None:
        """A request to the server ended in a way that tells nothing of the server, as by being cancelled."""
        with self._lock:
            self._replicas[number].probed_until_s = 0.0

    def _is_away(self, number: int, now_s: float) -> bool:
        replica = self._replicas[number]
        return replica.failures > 0 and now_s < max(replica.away_until_s, replica.probed_until_s)
