"""Shapes of load, against services whose capacity is known, and what follows for the run."""

from __future__ import annotations

import pyarrow as pa
import pytest
from voicestress_load.judging import MET, MISSED, judged, kept_step, verdict, why_void
from voicestress_load.results import REQUESTS, Figures, Slo, Step
from voicestress_load.settings import Connection, Settings
from voicestress_load.shapes import PRECISION, Part, search, shaped
from voicestress_load.workload import read_workload

SLO = Slo(p99_ms=100.0)


def step(number: int, rate: float, *, met: bool = True, void: str | None = None, achieved: float | None = None) -> Step:
    figures = Figures(
        requests=100, scored=100, rejected=0, late=0, failed=0, p50_ms=1.0, p95_ms=1.0, p99_ms=1.0,
        offered_per_s=rate, achieved_per_s=rate if achieved is None else achieved, offered_audio_s_per_s=rate,
        goodput_audio_s_per_s=rate, lag_p99_ms=0.0, lag_max_ms=0.0,
    )  # fmt: skip
    return Step(
        number=number, offered_per_s=rate, callers=None, from_s=0.0, until_s=1.0, figures=figures, void=void,
        misses=[] if met else ["p99 is too high"],
    )  # fmt: skip


def followed(shape, made) -> list[Step]:
    """The steps of ``shape`` where ``made`` makes each of its number and rate."""
    steps: list[Step] = []
    parts = next(shape)
    while True:
        stage = [made(len(steps) + place, part.rate_hz) for place, part in enumerate(parts)]
        steps += stage
        try:
            parts = shape.send(stage)
        except StopIteration:
            return steps


@pytest.mark.parametrize("capacity", [0.7, 9.0, 10.0, 333.0, 2000.0])
def test_a_search_finds_the_capacity_from_below(capacity):
    steps = followed(search(10.0, 1.0, 0), lambda number, rate: step(number, rate, met=rate <= capacity))
    kept = steps[kept_step(steps)]
    assert capacity / PRECISION <= kept.offered_per_s <= capacity
    assert len(steps) <= 15


def test_a_search_that_never_meets_ends():
    steps = followed(search(10.0, 1.0, 0), lambda number, rate: step(number, rate, met=False))
    assert kept_step(steps) is None
    assert verdict(steps, set(), is_any_enough=True) == MISSED
    assert why_void(steps, set(), is_search=True) is None


def test_a_step_of_a_search_has_its_least_time_and_its_least_requests():
    shape = search(10.0, 3.0, 100)
    (slow,) = next(shape)
    assert slow.seconds - slow.settling_s == 10.0
    (fast,) = shape.send([step(0, 10.0)])
    for number, rate in enumerate((20.0, 40.0)):
        (fast,) = shape.send([step(number + 1, rate)])
    assert fast.rate_hz == 80.0
    assert fast.seconds - fast.settling_s == 3.0


def test_a_search_tries_a_void_step_again_and_then_is_void_itself():
    def made(number, rate):
        return step(number, rate, void="late" if rate > 50 else None)

    steps = followed(search(10.0, 1.0, 0), made)
    assert [found.offered_per_s for found in steps] == [10.0, 20.0, 40.0, 80.0, 80.0]
    assert "late" in why_void(steps, set(), is_search=True)
    assert "more than the rate of step 3 may be met" in why_void(steps, set(), is_search=True)


def test_a_void_step_that_was_missed_too_only_bounds_a_search():
    def made(number, rate):
        return step(number, rate, met=rate < 50, void="late" if rate > 50 else None)

    steps = followed(search(10.0, 1.0, 0), made)
    assert steps[kept_step(steps)].offered_per_s == pytest.approx(50, rel=PRECISION - 1)
    assert why_void(steps, set(), is_search=True) is None


def settings(shape: str, **asked) -> Settings:
    connection = Connection(protocol="grpc", urls=["here:1"], model="stress", deadline_s=1.0)
    name, workload = read_workload("utterances")
    return Settings(
        command="", connection=connection, workload=workload, workload_name=name, shape=shape, slo=SLO,
        lag_bound_ms=10.0, out="", **{"seconds": 10.0, **asked},
    )  # fmt: skip


def rates(shape: str, **asked) -> list[float | None]:
    parts = next(shaped(settings(shape, **asked), idle_s=0.1, trace_s=None))
    return [part.rate_hz for part in parts]


def test_a_spike_is_calm_high_and_calm_again_and_only_the_calm_is_judged():
    parts = next(shaped(settings("spike", rate_hz=5.0, spike=4.0), idle_s=0.1, trace_s=None))
    assert [part.rate_hz for part in parts] == [5.0, 20.0, 5.0, 5.0]
    assert [part.gated for part in parts] == [True, False, False, True]


def test_a_soak_is_as_long_as_asked_in_parts():
    assert rates("soak", rate_hz=5.0) == [5.0] * 10


def test_a_ramp_goes_up_to_its_rate():
    assert rates("ramp", rate_hz=16.0) == [2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0]


def test_a_ramp_without_a_rate_ends_when_the_server_is_behind():
    shape = shaped(settings("ramp"), idle_s=0.1, trace_s=None)
    steps = followed(shape, lambda number, rate: step(number, rate, achieved=min(rate, 20.0)))
    assert steps[0].offered_per_s == 2.5
    assert 20.0 / 0.9 < steps[-2].offered_per_s < 20.0 / 0.9 * 1.25
    assert steps[-1].offered_per_s == pytest.approx(1.25 * steps[-2].offered_per_s)


def test_a_closed_loop_has_callers_and_no_rate():
    (part,) = next(shaped(settings("steady", callers=8), idle_s=0.1, trace_s=None))
    assert part.callers == 8
    assert part.rate_hz is None


def requests(latency_s: float, *, lag_s: float = 0.0, count: int = 100) -> pa.Table:
    empty = {field.name: "" if field.type == pa.string() else 0 for field in REQUESTS}
    rows = [
        {
            **empty,
            "meant_s": place / 10,
            "sent_s": place / 10 + lag_s,
            "answered_s": place / 10 + latency_s,
            "audio_s": 2.0,
            "outcome": "scored",
        }
        for place in range(count)
    ]
    return pa.Table.from_pylist(rows, schema=REQUESTS)


def judge(rows: pa.Table, *, part: Part | None = None, lost: str | None = None) -> Step:
    part = Part(10.0, 10.0) if part is None else part
    return judged(rows, 0, part, (0.0, 10.0), SLO, lag_bound_ms=10.0, lost=lost, given_up=False)


def test_a_step_within_the_slo_is_met_and_one_beyond_is_missed():
    met, missed = judge(requests(0.05)), judge(requests(0.15))
    assert (met.misses, met.void) == ([], None)
    assert missed.misses == ["p99 is 150 ms, at most 100 ms is asked"]
    assert verdict([met], {0}, is_any_enough=False) == MET
    assert verdict([missed], {0}, is_any_enough=False) == MISSED


def test_a_late_generator_makes_a_step_void():
    assert "went out 20 ms or more after it was meant to, at most 10 ms" in judge(requests(0.05, lag_s=0.02)).void
    assert judge(requests(0.05, lag_s=0.005)).void is None


def test_requests_that_are_not_known_of_make_a_step_void():
    assert judge(requests(0.05), lost="3 are lost").void == "3 are lost"


def test_what_comes_while_a_step_settles_is_not_counted():
    settling = judge(requests(0.05), part=Part(10.0, 10.0, settling_s=2.0))
    assert settling.figures.requests == 80
    assert settling.from_s == 2.0


def test_a_step_without_requests_is_void_and_not_full_of_zeros():
    assert "not one request" in judge(requests(0.05, count=0)).void
