"""The sender alone, with services that are functions: it keeps its times whatever they do, and says when it did not."""

from __future__ import annotations

import time

import gevent
import numpy as np
import pytest
from voicestress_load.arrivals import poisson_arrivals
from voicestress_load.asking import SCORED, Ending
from voicestress_load.audio import Voices, encoded
from voicestress_load.preparing import Preparing
from voicestress_load.sending import Callers, Sending
from voicestress_load.workload import Workload

WINDOW = {"name": "window", "weight": 40.0, "lengths": {"distribution": "fixed", "seconds": 0.5}}
CALL = {"name": "call", "format": "flac", "lengths": {"distribution": "fixed", "seconds": 120.0}}
MEANT, SENT, ANSWERED = 5, 6, 7


class Service:
    """Answers after ``takes`` seconds: asleep as greenlets sleep, or ``blocking`` all of them."""

    rate_hz = 16_000
    model = None

    def __init__(self, takes: float, *, blocking: bool = False) -> None:
        self.takes, self.sleep = takes, time.sleep if blocking else gevent.sleep

    def payload(self, pcm, component):
        body = encoded(pcm, self.rate_hz, component.format)
        return body, len(body)

    def send(self, request) -> Ending:
        self.sleep(self.takes)
        return SCORED


def sent(service: Service, *, components=(WINDOW,), rate: float = 100.0, seconds: float = 2.0) -> np.ndarray:
    """The times of all rows ``[n, 3]``: meant, sent, answered."""
    workload = Workload.model_validate({"component": list(components)})
    rows = []
    preparing = Preparing(workload, service, Voices([], 16_000), seed=1)
    sending = Sending(service, preparing, on_row=lambda row, _: rows.append(row), deadline_s=10.0)
    arrivals = poisson_arrivals([(0, rate, 0.0, seconds)], first_number=0, seed=1)
    assert sending.open_loop(arrivals, zero_at=time.monotonic() + 0.3) == len(arrivals)
    assert sorted(row[0] for row in rows) == arrivals.number.tolist()
    return np.array([row[MEANT : ANSWERED + 1] for row in rows])


def test_slow_answers_don_t_hold_up_what_is_sent():
    times = sent(Service(1.0))
    assert np.percentile(times[:, 1] - times[:, 0], 90) < 0.01
    assert times[:, 2] - times[:, 0] == pytest.approx(1.0, abs=0.2)


def test_what_holds_up_the_generator_shows_as_lag():
    times = sent(Service(0.03, blocking=True), rate=50.0)
    assert np.percentile(times[:, 1] - times[:, 0], 99) > 0.1


def test_encoding_a_call_does_not_hold_up_the_requests_around_it():
    times = sent(Service(0.01), components=(WINDOW, CALL), rate=50.0, seconds=4.0)
    assert np.percentile(times[:, 1] - times[:, 0], 90) < 0.02


def test_callers_that_wait_never_have_more_out_than_they_are():
    workload = Workload.model_validate({"component": [WINDOW]})
    service, rows = Service(0.05), []
    preparing = Preparing(workload, service, Voices([], 16_000), seed=1)
    sending = Sending(service, preparing, on_row=lambda row, _: rows.append(row), deadline_s=10.0)
    callers = Callers(step=0, first_numbers=(0, 1, 2), stride=3, from_s=0.0, until_s=1.0)
    assert sending.closed_loop(callers, zero_at=time.monotonic()) == len(rows)
    assert len(rows) == pytest.approx(3 * 1.0 / 0.05, rel=0.2)
    for row in rows:
        out = sum(other[SENT] <= row[SENT] < other[ANSWERED] for other in rows)
        assert out <= 3
