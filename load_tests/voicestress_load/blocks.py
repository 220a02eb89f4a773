"""Intervals that answer: how different could this figure be, had the same run been at another time?

Latencies of requests that meet in a queue resemble each other, so drawing single requests pretends to know more than
one does. Stretches of time are drawn instead, with replacement: the moving-block bootstrap (Künsch 1989, The jackknife
and the bootstrap for general stationary observations), with the run's end joined to its start so that no stretch counts
less (Politis and Romano 1992, A circular block-resampling procedure). Arrivals vary with the stretches, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DRAWS = 2000
FEWEST_STRETCHES = 6  # of fewer that know nothing of each other, too few different samples can be drawn
_BIN_S = 0.25
_MOST_BLOCKS, _FEWEST_BLOCKS = 20, 6
_BLOCK_TIMES = 6  # a block is so many times as long as latencies resemble each other, within those bounds


@dataclass(frozen=True, eq=False)
class Stretch:
    """What happened in a time of ``seconds``, request by request, in the order of ``meant_s [n]``, from 0 on.

    ``latency_ms [n]`` is NaN where there was no score; ``audio_s [n]`` is what each held.
    """

    seconds: float
    meant_s: Floats
    latency_ms: Floats
    audio_s: Floats

    @property
    def related_s(self) -> float:
        """For how long latencies resemble each other: their integrated autocorrelation time, in seconds.

        Of means over quarters of a second, summed as far as five times itself (Sokal 1997, Monte Carlo methods in
        statistical mechanics, section 3).
        """
        scored = ~np.isnan(self.latency_ms)
        bins = max(2, int(self.seconds / _BIN_S))
        place = np.minimum((self.meant_s[scored] / self.seconds * bins).astype(int), bins - 1)
        counts = np.bincount(place, minlength=bins)
        there = counts > 0
        if there.sum() < 2:
            return self.seconds
        means = np.bincount(place, self.latency_ms[scored], bins)[there] / counts[there]
        series = np.interp(np.arange(bins), np.flatnonzero(there), means)
        series -= series.mean()
        spectrum = np.abs(np.fft.rfft(series, 2 * bins)) ** 2
        correlation = np.fft.irfft(spectrum)[:bins]
        if correlation[0] <= 0:
            return self.seconds / bins / 2
        sums = np.cumsum(correlation / correlation[0]) - 0.5
        enough = np.flatnonzero(np.arange(bins) >= 5 * sums)
        return float(max(sums[enough[0]] if len(enough) else sums[-1], 0.5) * self.seconds / bins)

    @property
    def stretches(self) -> float:
        """How many parts of it know nothing of each other."""
        return self.seconds / (2 * self.related_s)


@dataclass(frozen=True, eq=False)
class Draws:
    """What figures might have been, ``[draws]``: percentiles of latency by name, and audio-seconds scored a second."""

    latency_ms: dict[str, Floats]
    goodput_audio_s_per_s: Floats


def draw(stretch: Stretch, quantiles: Sequence[int], *, seed: int, draws: int = DRAWS) -> Draws:
    """Resamples of ``stretch`` in blocks of time; ``quantiles`` in per cent, which give ``p50`` and so on.

    Seeded: the same stretch and seed give the same draws.
    """
    generator = np.random.default_rng(seed)
    count = int(np.clip(stretch.seconds / (_BLOCK_TIMES * stretch.related_s), _FEWEST_BLOCKS, _MOST_BLOCKS))
    requests = len(stretch.meant_s)
    twice = np.concatenate([stretch.meant_s, stretch.meant_s + stretch.seconds])
    scored = ~np.isnan(stretch.latency_ms)
    by_latency = np.flatnonzero(scored)[np.argsort(stretch.latency_ms[scored])]
    sorted_ms = stretch.latency_ms[by_latency]
    scored_audio_s = np.where(scored, stretch.audio_s, 0.0)
    found = {f"p{quantile}": np.full(draws, np.nan) for quantile in quantiles}
    goodput = np.zeros(draws)
    for number in range(draws):
        starts = generator.uniform(0, stretch.seconds, count)
        first, last = np.searchsorted(twice, starts), np.searchsorted(twice, starts + stretch.seconds / count)
        changes = np.bincount(first, minlength=2 * requests + 1) - np.bincount(last, minlength=2 * requests + 1)
        covered = np.cumsum(changes)[:-1]
        times = covered[:requests] + covered[requests:]  # how often each request is in this resample
        goodput[number] = times @ scored_audio_s / stretch.seconds
        reached = np.cumsum(times[by_latency])
        if len(reached) and reached[-1]:
            for quantile in quantiles:
                found[f"p{quantile}"][number] = sorted_ms[np.searchsorted(reached, quantile / 100 * reached[-1])]
    return Draws(found, goodput)


def interval(values: Floats, confidence: float = 0.95) -> tuple[float, float]:
    """The percentile interval of draws; those that are no number are left out, and NaN if all are."""
    there = values[np.isfinite(values)]
    if not len(there):
        return float("nan"), float("nan")
    outside = 100 * (1 - confidence) / 2
    low, high = np.percentile(there, [outside, 100 - outside])
    return float(low), float(high)
