"""How many recordings are with the servers at once."""

from __future__ import annotations


class Throttle:
    """More as long as they keep up, a third less when they are full (additive increase, multiplicative decrease).

    Args:
        most: never more than so many at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)

    @property
    def limit(self) -> int:
        """How many there may be now: at least 1."""
        return int(self._limit)

    def succeeded(self) -> None:
        """One was scored."""
        self._limit = min(self._most, self._limit + 1 / self._limit)

    def overloaded(self) -> None:
        """One was turned away in the end, whatever its retries."""
        self._limit = max(1.0, self._limit / 1.5)
