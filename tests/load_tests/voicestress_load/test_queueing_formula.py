"""The formula the generator is held against is itself held against a simulation and a textbook's mean."""

from __future__ import annotations

import numpy as np
import pytest
from voicestress_load.arrivals import poisson_times

from load_tests.bench.served import first_come_latencies
from tests.load_tests.voicestress_load.queueing import latency_percentile, wait_is_within


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_percentiles_are_those_of_a_simulated_queue(load):
    times = poisson_times(load, 1_000_000.0, seed=4)
    latencies = first_come_latencies(times, [1.0] * len(times))
    for share in (0.5, 0.95, 0.99):
        assert latency_percentile(share, load, 1.0) == pytest.approx(np.percentile(latencies, 100 * share), rel=0.03)


def test_its_mean_wait_is_pollaczeks_and_khinchines():
    grid = np.linspace(0, 30, 30_001)
    mean = np.trapezoid if hasattr(np, "trapezoid") else np.trapz
    found = mean([1 - wait_is_within(t, 0.7, 1.0) for t in grid], grid)
    assert found == pytest.approx(0.7 / (2 * (1 - 0.7)), rel=0.001)
