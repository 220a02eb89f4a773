"""What is said of a run: the headline, what limits it, and what becomes of a spike."""

from __future__ import annotations

import json

import numpy as np
import pytest
from voicestress_load.limits import what_limits
from voicestress_load.results import Slo
from voicestress_load.server_side import ServerSide
from voicestress_load.summary import best_step, headline, summary

from tests.load_tests.voicestress_load import made_runs


def told(folder, rates, *, with_server=True, spoil=lambda rows: rows, shape="search", void=None, mode="open", **how):
    """The run of ``made_runs`` at ``rates``, its requests and the server's side of it."""
    requests, server, steps = made_runs.served(rates, **how)
    run = made_runs.keep(folder, requests, server, steps, slo=how.get("slo", made_runs.SLO), shape=shape, void=void,
                         mode=mode)  # fmt: skip
    rows = spoil(server.to_pylist())
    return run, requests, ServerSide(server.from_pylist(rows, schema=server.schema), "stress") if with_server else None


def without_a_third_of_its_compute(rows):
    """As if two thirds of each execution were spent waiting beside an idle model."""
    compute = {row["at_s"]: row["value"] for row in rows if "compute_infer" in row["name"]}
    for row in rows:
        if "compute_infer" in row["name"]:
            row["value"] /= 3
        if "queue_duration" in row["name"]:
            row["value"] += compute[row["at_s"]] * 2 / 3
    return rows


def test_the_headline_is_the_highest_rate_that_met_the_slo(tmp_path):
    run, requests, server = told(tmp_path, [10, 30, 60])
    assert [bool(step.misses) for step in run.steps] == [False, False, True]
    found = summary(run, requests, server)
    assert found["headline"]["step"] == 1
    assert found["headline"]["audio_s_per_s"] == pytest.approx(60, rel=0.1)
    assert found["headline"]["sentence"].startswith(f"{found['headline']['audio_s_per_s']:.1f} audio-seconds a second")
    assert "p99 at most 200 ms" in found["headline"]["sentence"]


def test_a_server_that_computes_all_the_time_is_limited_by_its_compute(tmp_path):
    said = what_limits(*told(tmp_path, [10, 30, 60]))
    assert said.startswith("The model's compute: at 60 requests a second it was computing")
    assert "75% of its machine's processors" in said
    assert "of computing" in said


def test_rejections_of_a_busy_server_are_its_compute_too(tmp_path):
    said = what_limits(*told(tmp_path, [10, 80], most_waiting=5))
    assert said.startswith("The model's compute: at 80")
    assert "were turned away" in said


def test_rejections_of_a_server_with_time_to_spare_are_the_queues_bound(tmp_path):
    said = what_limits(*told(tmp_path, [10, 33], most_waiting=0, slo=Slo(p99_ms=1000)))
    assert said.startswith("The queue's bound: at 10")
    assert "were turned away though it was computing" in said


def test_a_late_generator_is_what_limits_where_the_server_was_not_reached(tmp_path):
    run, requests, server = told(tmp_path, [10, 20], lag_s=0.3, slo=Slo(p99_ms=1000))
    assert run.steps[1].void is not None
    said = what_limits(run, requests, server)
    assert said.startswith("The load generator: at 20 requests a second its requests were up to 300 ms late")


def test_time_outside_the_server_is_told_from_time_inside(tmp_path):
    said = what_limits(*told(tmp_path, [10, 20], outside_s=0.3))
    assert said.startswith("The way to the model: at 10")
    assert "network" in said


def test_waiting_beside_an_idle_model_is_the_queue(tmp_path):
    said = what_limits(*told(tmp_path, [4, 47], spoil=without_a_third_of_its_compute))
    assert said.startswith("The queue: at 47")


def test_an_answer_that_takes_longer_than_the_slo_is_said_to(tmp_path):
    said = what_limits(*told(tmp_path, [1, 2], service_s=0.19, slo=Slo(p50_ms=150)))
    assert said.startswith("The time of one answer: at 1 requests a second")


def test_without_metrics_it_says_that_it_does_not_know(tmp_path):
    said = what_limits(*told(tmp_path, [10, 60], with_server=False))
    assert said.startswith("The server, at 60 requests a second: p99 is")
    assert "--metrics" in said


def test_what_met_everything_was_not_limited(tmp_path):
    said = what_limits(*told(tmp_path, [5, 10]))
    assert said == "Nothing did: 10 requests a second met the SLO, and no more was tried. The limit is above that."


def test_errors_are_named(tmp_path):
    requests, server, steps = made_runs.served([10])
    rows = requests.to_pylist()
    for row in rows[::3]:
        row.update(outcome="failed", error="Unavailable")
    requests = requests.from_pylist(rows, schema=requests.schema)
    figures = made_runs.figures_of(requests, 0.0, 30.0)
    steps = [steps[0].model_copy(update={"figures": figures, "misses": made_runs.SLO.misses(figures)})]
    run = made_runs.keep(tmp_path, requests, server, steps)
    said = what_limits(run, requests, ServerSide(server, "stress"))
    assert said.startswith("Errors: at 10 requests a second 33.")
    assert said.endswith("mostly Unavailable.")


def test_a_void_run_has_no_headline_but_says_that_it_is_void(tmp_path):
    run, requests, server = told(tmp_path, [10, 30], void="the generator was 900 ms late")
    found = summary(run, requests, server)
    assert found["headline"]["audio_s_per_s"] is None
    assert found["headline"]["sentence"] == "This run is void: the generator was 900 ms late."
    assert found["what_limits"] == "Nothing can be said of the server: the run is void."


def test_an_slo_that_was_met_at_no_rate_is_no_zero_without_words(tmp_path):
    run, _, _ = told(tmp_path, [10, 30], slo=Slo(p99_ms=1))
    assert best_step(run) is None
    assert "Nothing that was tried met the SLO (p99 at most 1 ms" in headline(run)
    assert "At 10 requests a second: p99 is" in headline(run)


def test_what_missed_in_part_is_not_told_as_if_it_had_met_all(tmp_path):
    run, _, _ = told(tmp_path, [10, 30, 60], shape="soak")
    assert headline(run).endswith("1 of 3 steps missed it.")


def test_a_closed_loop_is_labelled_as_such(tmp_path):
    requests, server, steps = made_runs.served([10])
    steps = [steps[0].model_copy(update={"offered_per_s": None, "callers": 4})]
    run = made_runs.keep(tmp_path, requests, server, steps, mode="closed", shape="steady")
    assert "with 4 callers that wait" in headline(run)
    assert "closed loop" in headline(run)


def test_recovery_from_a_spike_is_from_its_end_to_the_last_request_that_was_worse_off(tmp_path):
    run, requests, server = told(tmp_path, [10, 70, 10], shape="spike", slo=Slo(p99_ms=20_000))
    found = summary(run, requests, server)["recovery"]
    # 30 s at 70 a second leave 30 * 20 windows over what is served, and half of the rest is free to work them off.
    left_s = (70 - 50) * 30 * 0.02
    assert found["seconds"] == pytest.approx(left_s / (1 - 10 * 0.02), rel=0.35)
    assert 20 < found["before_ms"] < 200
    assert found["observed_s"] == pytest.approx(30, abs=1)
    assert summary(*told(tmp_path, [10, 70, 10]))["recovery"] is None


def test_the_summary_is_json_and_counts_what_there_was(tmp_path):
    run, requests, server = told(tmp_path, [10, 60], most_waiting=3)
    found = json.loads(json.dumps(summary(run, requests, server), allow_nan=False))
    outcomes = requests.column("outcome").to_pylist()
    assert found["whole"]["requests"] == len(outcomes)
    assert found["rejections"]["requests"] == outcomes.count("rejected") > 0
    assert found["rejections"]["p95_ms"] == pytest.approx(2, abs=0.1)
    assert sum(found["lengths"]["requests"]) == len(outcomes)
    assert np.searchsorted(found["lengths"]["edges_s"], made_runs.AUDIO_S) > 0
    assert found["steps"][1]["server"]["rejected_per_s"] == pytest.approx(outcomes.count("rejected") / 30, rel=0.1)
    assert found["run"]["command"] == run.command
