"""When a request that failed is made again, and when it is given up.

There is no clock, no network and no thread in here, so that every kind of client shares it.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass

from voicestress.errors import Overloaded, StressError, Unavailable

# Nothing was computed for these, and in a moment it may be otherwise. All else would fail again, or has no time left.
WORTH_RETRYING = (Overloaded, Unavailable)


@dataclass(frozen=True)
class RetryPolicy:
    """How often a request is made, and how long a client waits in between.

    The delay after the n-th failure is drawn evenly from 0 to ``first_delay_s`` · 2ⁿ⁻¹, at most ``longest_delay_s``
    (full jitter; Brooker 2015, Exponential Backoff and Jitter): callers that failed together don't come back together.

    Args:
        attempts: how often a request is made in all; 1 for no retries.
        first_delay_s, longest_delay_s: bounds of the delays drawn, in seconds.
        second_after_s: seconds after which a window without an answer is also sent to another server, whichever answers
            first; None, the default, for never. It shortens the longest waits and costs work (Dean and Barroso 2013,
            The Tail at Scale, hedged requests): set it well above the usual time.
    """

    attempts: int = 6
    first_delay_s: float = 0.1
    longest_delay_s: float = 3.0
    second_after_s: float | None = None

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts is {self.attempts}; a request is made at least once")
        if not 0 < self.first_delay_s <= self.longest_delay_s < float("inf"):
            raise ValueError(
                f"first_delay_s is {self.first_delay_s} and longest_delay_s {self.longest_delay_s}; "
                "the first must be above 0 and not above the longest"
            )
        if self.second_after_s is not None and not 0 < self.second_after_s < float("inf"):
            raise ValueError(f"second_after_s is {self.second_after_s}; give seconds above 0, or None for never")

    def delay_s(self, failures: int) -> float:
        """Seconds to wait after so many failures of one request, drawn anew each time."""
        return random.uniform(0.0, min(self.longest_delay_s, self.first_delay_s * 2.0 ** (failures - 1)))  # noqa: S311


class RetryBudget:
    """How many retries a client may still make, over all its requests.

    A server that is full gets fuller by retries. So each failure takes a token and each success gives a tenth of one
    back; below half of the tokens nothing is retried (gRPC's retry throttling, gRFC A6). Threads may share it.
    """

    _TOKENS, _GIVEN_BACK = 100.0, 0.1

    def __init__(self) -> None:
        self._tokens = self._TOKENS
        self._lock = threading.Lock()

    def succeeded(self) -> None:
        """Count a success."""
        with self._lock:
            self._tokens = min(self._TOKENS, self._tokens + self._GIVEN_BACK)

    def failed(self) -> bool:
        """Count a failure; true if a retry is within the budget."""
        with self._lock:
            self._tokens = max(0.0, self._tokens - 1.0)
        return self.is_left

    @property
    def is_left(self) -> bool:
        """Whether a retry is within the budget."""
        return self._tokens > self._TOKENS / 2


def given_up(error: StressError, *, what: str, attempts: int, after_s: float, why: str) -> StressError:
    """``error`` again, saying what was tried: ``what`` was asked for ``attempts`` times, and ``why`` not once more."""
    times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    return type(error)(f"{error}; gave up {what} after {times} in {after_s:.1f} s: {why}")
