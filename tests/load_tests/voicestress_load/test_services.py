"""The generator against what it is for: a real Triton, a real gateway, live streams; a search with a known answer."""

from __future__ import annotations

import pytest
from voicestress_load.results import read_requests, read_run, read_server

from tests.gateway.conftest import running
from tests.load_tests.voicestress_load.conftest import stub
from tests.load_tests.voicestress_load.queueing import latency_percentile

LENIENT = ("--slo", "p99=20s", "--lag-bound-ms", "500")
MIX = """
repeat = {repeat}

[[component]]
name = "utterance"
weight = 3.0
priority = "live"
lengths = {{ distribution = "uniform", shortest_s = 0.5, longest_s = 3.0 }}

[[component]]
name = "message"
format = "{format}"
lengths = {{ distribution = "fixed", seconds = 12.0 }}
"""


@pytest.fixture
def mix(tmp_path):
    file = tmp_path / "small.toml"
    file.write_text(MIX.format(repeat="false", format="flac"))
    return str(file)


def outcomes(ended) -> set[str]:
    return set(read_requests(ended.folder)["outcome"].to_pylist())


def test_triton_is_asked_with_every_kind_of_request(load, server, mix):
    ended = load("run", mix, "--url", server.url, "--rate", "6", "--seconds", "6", *LENIENT)
    assert ended.code == 0, ended.err + ended.out
    run, rows = read_run(ended.folder), read_requests(ended.folder)
    assert (run.mode, run.shape, run.protocol, run.model, run.model_version) == (
        "open",
        "steady",
        "grpc",
        "stress",
        "1",
    )
    assert run.command.startswith("voicestress load run")
    assert set(rows["kind"].to_pylist()) == {"utterance", "message"}
    assert outcomes(ended) == {"scored"}
    assert "report.html" in ended.out
    assert (ended.folder / "report.html").exists()
    assert "step 1: 6.0 requests/s for 6 s" in ended.out


def test_a_gateway_is_asked_over_http(load, server, mix, tmp_path):
    with running(tmp_path, server.url) as gateway:
        ended = load("run", mix, "--protocol", "http", "--url", gateway.url, "--rate", "5", "--seconds", "5", *LENIENT)
    assert ended.code == 0, ended.err + ended.out
    run, rows = read_run(ended.folder), read_requests(ended.folder)
    assert (run.protocol, run.model, run.model_version) == ("http", "stress", "1")
    assert outcomes(ended) == {"scored"}
    assert {"wav", "flac"} == set(rows["format"].to_pylist())
    names = set(read_server(ended.folder)["name"].to_pylist())
    assert any(name.startswith("voicestress_gateway_") for name in names)


def test_a_gateway_that_turns_requests_away_is_told_from_one_that_fails(load, server, mix, tmp_path):
    with running(tmp_path, server.url, "--requests-at-once", "1") as gateway:
        ended = load("run", mix, "--protocol", "http", "--url", gateway.url, "--rate", "60", "--seconds", "4", *LENIENT)
    assert ended.code == 1, ended.err + ended.out
    rows = read_requests(ended.folder)
    assert outcomes(ended) == {"scored", "rejected"}
    pairs = zip(rows["outcome"].to_pylist(), rows["error"].to_pylist(), strict=True)
    assert set(pairs) == {("scored", ""), ("rejected", "busy")}
    assert "were rejected, at most 1.00% may be" in ended.out


def test_live_streams_last_as_long_as_they_are_spoken(load, server, tmp_path):
    file = tmp_path / "streams.toml"
    file.write_text(MIX.format(repeat="false", format="wav").replace("12.0", "2.0"))
    ended = load("run", str(file), "--protocol", "live", "--url", server.url, "--rate", "2", "--seconds", "6", *LENIENT)
    assert ended.code == 0, ended.err + ended.out
    rows = read_requests(ended.folder)
    assert outcomes(ended) == {"scored"}
    latency_s = rows["answered_s"].to_numpy() - rows["meant_s"].to_numpy()
    assert latency_s.min() > 0, "no report before the last word"
    assert latency_s.max() < 2.0


def test_callers_that_wait_are_told_apart(load, mix):
    with stub("--service-ms", "10") as url:
        ended = load("run", mix, "--url", url, "--callers", "4", "--seconds", "4", *LENIENT)
    assert ended.code == 0, ended.err + ended.out
    run = read_run(ended.folder)
    assert run.mode == "closed"
    assert (run.steps[0].callers, run.steps[0].offered_per_s) == (4, None)
    rows = read_requests(ended.folder)
    assert rows["meant_s"].to_pylist() == pytest.approx(rows["sent_s"].to_pylist(), abs=0.05)
    assert len(set(rows["number"].to_pylist())) == rows.num_rows
    assert "A closed loop" in ended.out


def test_a_trace_is_replayed(load, tmp_path):
    (tmp_path / "trace.csv").write_text("meant_s,audio_s,kind\n0,0.5,window\n0.5,1.25,window\n2,0.75,window\n")
    with stub() as url:
        ended = load("run", "half_second", "--url", url, "--trace", str(tmp_path / "trace.csv"), *LENIENT)
    assert ended.code == 0, ended.err + ended.out
    rows = read_requests(ended.folder).sort_by("meant_s")
    meant = rows["meant_s"].to_numpy()
    assert (meant - meant[0]).tolist() == pytest.approx([0.0, 0.5, 2.0])
    assert rows["audio_s"].to_pylist() == [0.5, 1.25, 0.75]
    assert read_run(ended.folder).shape == "trace"


def test_requests_that_repeat_are_asked_for(load, server, tmp_path):
    (tmp_path / "w.toml").write_text(MIX.format(repeat="true", format="wav"))
    ended = load("run", str(tmp_path / "w.toml"), "--url", server.url, "--rate", "5", "--seconds", "3", *LENIENT)
    assert ended.code == 0, ended.err + ended.out
    assert read_run(ended.folder).workload["repeat"] is True


@pytest.mark.slow  # the local search of `make load` is the quick one
def test_a_search_finds_the_rate_the_formula_has(load):
    service_s, bound_s = 0.020, 0.1
    with stub("--service-ms", "20") as url:
        ended = load(
            "search", "half_second", "--url", url, "--slo", "p99=100ms", "--seconds", "10", "--requests", "100",
            "--lag-bound-ms", "20",
        )  # fmt: skip
    assert ended.code == 0, ended.err + ended.out
    run = read_run(ended.folder)
    kept = run.steps[run.kept_step]
    assert run.shape == "search"
    assert latency_percentile(0.99, 0.8 * kept.offered_per_s, service_s) < bound_s
    assert latency_percentile(0.99, min(1.25 * kept.offered_per_s, 49.0), service_s) > bound_s
    assert f"{kept.figures.goodput_audio_s_per_s:.1f} audio-seconds a second" in ended.out
    assert all(step.misses for step in run.steps if step.offered_per_s > kept.offered_per_s)


def test_a_missed_slo_ends_with_1(load):
    with stub("--service-ms", "20") as url:
        ended = load("run", "half_second", "--url", url, "--rate", "45", "--seconds", "5", "--slo", "p99=25ms")
    assert ended.code in (1, 3), ended.err
    assert "at most 25 ms is asked" in ended.out
