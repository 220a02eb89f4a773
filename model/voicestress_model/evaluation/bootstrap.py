"""Intervals that answer: how different could this figure be with other speakers?

Utterances of one speaker resemble each other, so resampling utterances pretends to know more than one does. Whole
speakers are drawn instead, with replacement (cluster bootstrap; Davison and Hinkley 1997, section 3.8).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

DRAWS = 1000
CONFIDENCE = 0.95
FEWEST_SPEAKERS = 5  # of fewer speakers there are too few different samples for an interval to mean anything


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Resamples:
    """``draws [draws, n]``: how often each of n utterances is in each resample; ``unit`` is what was drawn."""

    unit: Literal["speakers", "utterances"]
    draws: npt.NDArray[np.float64]

    def interval(self, statistic: Callable[[npt.NDArray[np.float64]], float]) -> Interval:
        """The percentile interval of ``statistic``, a function of the utterances' weights ``[n]``.

        Resamples where it is NaN are left out.
        """
        values = np.array([statistic(weights) for weights in self.draws])
        values = values[~np.isnan(values)]
        whole = statistic(np.ones(self.draws.shape[1]))
        if not len(values):
            return Interval(whole, float("nan"), float("nan"))
        outside = 100 * (1 - CONFIDENCE) / 2
        low, high = np.percentile(values, [outside, 100 - outside])
        return Interval(whole, float(low), float(high))


def resample(speakers: Sequence[str], *, seed: int, draws: int = DRAWS) -> Resamples:
    """Resamples of utterances by ``speakers [n]``; of single utterances where there are fewer than five speakers.

    The same speakers and seed give the same resamples, so two models can be compared draw by draw.
    """
    names, group = np.unique(np.asarray(speakers), return_inverse=True)
    by_speaker = len(names) >= FEWEST_SPEAKERS
    if not by_speaker:
        group = np.arange(len(speakers))
    count = int(group.max()) + 1
    generator = np.random.default_rng(seed)
    chosen = generator.multinomial(count, np.full(count, 1 / count), size=draws)  # [draws, groups]
    return Resamples("speakers" if by_speaker else "utterances", chosen[:, group].astype(np.float64))
