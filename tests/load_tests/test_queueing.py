"""What latencies are held against, and what a flood is said to leave behind."""

from __future__ import annotations

import numpy as np
import pytest

from load_tests.bench.arrivals import Answer, busy_per_s, poisson_times
from load_tests.bench.overload import recovery_s
from load_tests.bench.served import first_come_latencies


def test_a_queue_of_one_server_waits_for_those_before():
    assert first_come_latencies([0.0, 1.0, 10.0], [3.0, 2.0, 1.0]) == [3.0, 4.0, 1.0]


def test_its_mean_wait_is_that_of_queueing_theory():
    """Pollaczek and Khinchine: λ E[S²] / (2 (1 - λ E[S]))."""
    generator = np.random.default_rng(0)
    times = poisson_times(0.7, 200_000.0, seed=1)
    service = generator.uniform(0.5, 1.5, len(times))
    waits = np.array(first_come_latencies(times, service.tolist())) - service
    assert waits.mean() == pytest.approx(0.7 * (1 + 1 / 12) / (2 * (1 - 0.7)), rel=0.05)


def test_arrivals_come_at_the_rate_asked_for_and_are_not_regular():
    gaps = np.diff(poisson_times(50.0, 1000.0, seed=2))
    assert gaps.mean() == pytest.approx(1 / 50, rel=0.02)
    assert gaps.std() == pytest.approx(1 / 50, rel=0.05)


def answer(meant_s, latency_s, outcome="scored"):
    return Answer(meant_s, meant_s + latency_s, 4.0, outcome)


def test_recovery_counts_from_when_the_load_fell_to_when_most_are_fast_again():
    calm = [answer(1.0, 0.2), answer(2.0, 0.4)]
    fast = [answer(70.0 + at, 0.3) for at in range(9)]
    slow = [answer(60.0 + at, 2.0) for at in range(4)]
    assert recovery_s(calm, fast, since_s=69.0) == 5.0, "five in a row tell"
    assert recovery_s(calm, [*slow, *fast], since_s=60.0) == 11.0, "of five in a row, three are slow until the 2nd fast"
    rejected = [answer(60.0 + at, 0.0, "rejected") for at in range(4)]
    assert recovery_s(calm, [*rejected, *fast], since_s=60.0) == 11.0


def test_a_slow_request_by_chance_is_no_overload():
    calm = [answer(1.0, 0.2), answer(2.0, 0.4)]
    after = [answer(60.0 + at, 2.0 if at in (7, 20) else 0.3) for at in range(30)]
    assert recovery_s(calm, after, since_s=60.0) == 4.0


def test_what_is_scored_a_second_is_counted_from_answer_to_answer():
    answers = [answer(0.0, float(at)) for at in range(1, 11)]
    assert busy_per_s(answers, from_s=2.5, until_s=9.5) == pytest.approx(4.0)
