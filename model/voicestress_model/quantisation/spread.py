"""How the values of an activation are spread, gathered a batch at a time, and the range that eight bits serve best."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LEVELS = 255  # steps between the smallest and the largest of 256 integers

_BINS = 8192
_SHRINKS = np.linspace(0.02, 1.0, 99)
_ROUNDS = 3


class Spread:
    """Counts of values in equal bins from ``-reach`` to ``reach``; ``reach`` doubles when a value lies beyond it."""

    def __init__(self) -> None:
        self.reach = 2.0**-10
        self.counts = np.zeros(_BINS, np.int64)

    def add(self, values: npt.NDArray[np.float32]) -> None:
        """Count ``values`` of any shape."""
        largest = float(np.abs(values).max())
        while largest >= self.reach:
            self._double()
        bins = ((values + self.reach) * (_BINS / (2 * self.reach))).astype(np.int32)
        self.counts += np.bincount(bins.ravel(), minlength=_BINS)[:_BINS]

    def best_range(self) -> tuple[float, float]:
        """The range ``(low, high)``, with 0 in it, that 256 equal steps serve with the least squared error.

        A range as wide as the values wastes steps on a few of them; a narrower one clips those. The error is that of
        rounding within the range, a twelfth of the step squared, and that of clipping outside.
        """
        centres = (np.arange(_BINS) + 0.5) * (2 * self.reach / _BINS) - self.reach
        seen = np.flatnonzero(self.counts)
        centres, counts = centres[seen], self.counts[seen]
        lowest, highest = min(0.0, float(centres[0])), max(0.0, float(centres[-1]))
        low, high = lowest, highest
        for _ in range(_ROUNDS):
            high = min(highest * _SHRINKS, key=lambda high: _error(centres, counts, low, high))
            low = min(lowest * _SHRINKS, key=lambda low: _error(centres, counts, low, high))
        return float(low), float(high)

    def _double(self) -> None:
        quarter = _BINS // 4
        counts = np.zeros(_BINS, np.int64)
        counts[quarter : 3 * quarter] = self.counts.reshape(-1, 2).sum(axis=1)
        self.counts, self.reach = counts, 2 * self.reach


def _error(centres: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], low: float, high: float) -> float:
    clipped = centres - np.clip(centres, low, high)
    outside = clipped != 0
    step = (high - low) / LEVELS
    return float((counts * clipped**2).sum() + counts[~outside].sum() * step**2 / 12)
