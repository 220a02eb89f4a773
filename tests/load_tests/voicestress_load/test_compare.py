"""What may be claimed of two runs."""

from __future__ import annotations

import numpy as np
import pytest
from voicestress_load.blocks import Stretch, draw, interval
from voicestress_load.compare import NO_DIFFERENCE, IncomparableRuns, compare
from voicestress_load.report import render_comparison
from voicestress_load.results import Slo

from tests.load_tests.voicestress_load import made_runs


@pytest.fixture
def kept(tmp_path):
    """Keeps a run of ``made_runs`` in a folder of its own."""

    def keep(name, rates, *, shape="steady", void=None, mode="open", **how):
        requests, server, steps = made_runs.served(rates, **how)
        made_runs.keep(tmp_path / name, requests, server, steps, slo=how.get("slo", made_runs.SLO), shape=shape,
                       void=void, mode=mode)  # fmt: skip
        return tmp_path / name

    return keep


def queue_stretch(seed, *, rate=30.0, service_s=0.025, seconds=60.0):
    """Latencies of M/D/1, in milliseconds, after a while to settle."""
    requests, _, _ = made_runs.served([rate], seconds=seconds + 30, service_s=service_s, seed=seed)
    meant_s = requests.column("meant_s").to_numpy()
    late = meant_s >= 30
    latency_ms = 1e3 * (requests.column("answered_s").to_numpy() - meant_s)
    return Stretch(seconds, meant_s[late] - 30, latency_ms[late], requests.column("audio_s").to_numpy()[late])


def test_intervals_hold_the_truth_as_often_as_they_say_where_single_requests_would_not():
    truth = np.percentile(np.concatenate([queue_stretch(seed).latency_ms for seed in range(1000, 1100)]), 50)
    by_blocks = by_requests = 0
    runs = 100
    for seed in range(runs):
        stretch = queue_stretch(seed)
        low, high = interval(draw(stretch, (50,), seed=seed, draws=300).latency_ms["p50"])
        by_blocks += low <= truth <= high
        rng = np.random.default_rng(seed)
        single = np.percentile(rng.choice(stretch.latency_ms, (300, len(stretch.latency_ms))), 50, axis=1)
        low, high = interval(single)
        by_requests += low <= truth <= high
    assert by_blocks >= 0.87 * runs
    assert by_requests <= 0.75 * runs


def test_draws_are_seeded_and_are_around_what_was_measured():
    stretch = queue_stretch(1)
    drawn, again, other = (draw(stretch, (50, 99), seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(drawn.latency_ms["p99"], again.latency_ms["p99"])
    assert not np.array_equal(drawn.latency_ms["p99"], other.latency_ms["p99"])
    assert np.median(drawn.latency_ms["p50"]) == pytest.approx(np.percentile(stretch.latency_ms, 50), rel=0.1)
    assert np.mean(drawn.goodput_audio_s_per_s) == pytest.approx(stretch.audio_s.sum() / 60, rel=0.02)


def test_latencies_that_resemble_each_other_for_longer_hold_fewer_stretches():
    rng = np.random.default_rng(1)
    at_s = np.arange(0, 60, 0.05)
    apart = Stretch(60.0, at_s, rng.exponential(10, len(at_s)), np.ones(len(at_s)))
    waves = Stretch(60.0, at_s, 100 + 50 * np.sin(2 * np.pi * at_s / 40), np.ones(len(at_s)))
    assert apart.stretches > 60
    assert waves.stretches < apart.stretches / 10


def test_of_two_runs_of_one_server_nothing_can_be_claimed(kept):
    found = compare(kept("a", [25], seed=1), kept("b", [25], seed=2))
    assert [ratio.verdict for ratio in found.ratios] == [NO_DIFFERENCE] * 3
    assert found.verdict.startswith("No difference can be claimed")
    assert all(ratio.low < 1 < ratio.high for ratio in found.ratios)


def test_a_server_that_is_slower_is_said_to_be_worse_and_the_other_way_round_better(kept):
    fast, slow = kept("a", [25], seed=1, service_s=0.015), kept("b", [25], seed=2, service_s=0.025)
    found = compare(fast, slow)
    verdicts = {ratio.what.split()[0]: ratio.verdict for ratio in found.ratios}
    assert verdicts == {"goodput": NO_DIFFERENCE, "p50": "worse", "p99": "worse"}
    assert found.verdict.startswith("B is worse: p50 latency at 25 requests a second is")
    assert compare(slow, fast).verdict.startswith("B is better: p50 latency")


def test_capacities_of_searches_are_as_wide_as_their_steps(kept):
    slo = Slo(p99_ms=400)
    a = kept("a", [20, 30, 40, 60], shape="search", seed=1, slo=slo)
    same = kept("same", [20, 30, 40, 60], shape="search", seed=2, slo=slo)
    much_better = kept("better", [70, 90, 120, 260], shape="search", service_s=0.005, seed=3, slo=slo)
    capacity = compare(a, same).ratios[0]
    assert capacity.what == "highest rate within the SLO"
    assert capacity.verdict == NO_DIFFERENCE
    assert capacity.low < 0.75  # A's could have been as high as 60
    assert capacity.high > 1.4
    found = compare(a, much_better)
    assert found.ratios[0].verdict == "better"
    assert found.ratios[0].low > 1.5
    assert "No load was run in both" in found.notes[0]


def test_a_search_that_never_missed_has_no_capacity_to_claim(kept):
    found = compare(kept("a", [10, 20], shape="search"), kept("b", [10, 60], shape="search"))
    assert found.ratios[0].verdict == NO_DIFFERENCE
    assert np.isnan(found.ratios[0].low)
    assert "without a rate that missed" in found.ratios[0].note


def test_runs_that_are_too_short_get_no_interval(kept):
    found = compare(
        kept("a", [48], seconds=10.0, slo=Slo(p99_ms=5000)), kept("b", [48], seconds=10.0, seed=2, slo=Slo(p99_ms=5000))
    )
    assert all(np.isnan(ratio.low) for ratio in found.ratios)
    assert "too short" in found.ratios[0].note
    assert found.verdict.startswith("No difference can be claimed")


@pytest.mark.parametrize(
    ("other", "named"),
    [({"slo": Slo(p99_ms=300)}, "slo"), ({"mode": "closed"}, "mode"), ({"shape": "ramp"}, "shape")],
)
def test_runs_that_were_asked_differently_are_refused_unless_told(kept, other, named):
    a, b = kept("a", [10]), kept("b", [10], **other)
    with pytest.raises(IncomparableRuns, match=f"differ in {named}.*--anyway"):
        compare(a, b)
    found = compare(a, b, anyway=True)
    assert named in found.notes[0]
    assert named in found.differs


def test_void_runs_are_refused_even_then(kept):
    a, b = kept("a", [10]), kept("b", [10], void="the generator was late")
    with pytest.raises(IncomparableRuns, match="that run is void"):
        compare(a, b, anyway=True)


def test_the_page_says_what_can_be_claimed_and_what_it_rests_on(kept):
    found = compare(kept("a", [20, 40], seed=1), kept("b", [20, 40], seed=2, service_s=0.024))
    page = render_comparison(found)
    assert found.verdict.split(":")[0] in page
    assert "Künsch 1989" in page
    assert "from one start or one day to another" in page
    assert page.count("<svg") == 2
    assert "http://" not in page.replace("http://127.0.0.1", "")
    assert page == render_comparison(found)
