"""The queue that the stub is: Poisson arrivals, one server, the same time for each, first come, first served."""

from __future__ import annotations

import math


def wait_is_within(t: float, rate: float, service: float) -> float:
    """P(wait <= t) of an M/D/1 queue (Crommelin 1932; Franx 2001 for one server; times and rates of one unit).

    (1 - r) Σ_k [-rate (t - k service)]^k / k! · exp(rate (t - k service)), k from 0 to t / service; r = rate · service.
    """
    terms = []
    for k in range(int(t / service) + 1):
        rest = rate * (t - k * service)
        terms.append((-rest) ** k / math.factorial(k) * math.exp(rest))
    return (1 - rate * service) * math.fsum(terms)


def latency_percentile(share: float, rate: float, service: float) -> float:
    """Latency (waiting and service) that ``share`` (0 to 1) of the requests don't exceed."""
    low, high = 0.0, 40 * service
    while high - low > 1e-9 * service:
        middle = (low + high) / 2
        low, high = (low, middle) if wait_is_within(middle, rate, service) >= share else (middle, high)
    return high + service
