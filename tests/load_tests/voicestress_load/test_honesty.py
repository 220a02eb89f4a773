"""The generator against servers of known behaviour: what it reports is what was there."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import psutil
import pytest
from voicestress_load.arrivals import poisson_arrivals
from voicestress_load.results import read_requests, read_run

from load_tests.bench.served import first_come_latencies
from tests.load_tests.voicestress_load.conftest import stub
from tests.load_tests.voicestress_load.queueing import latency_percentile

# So long that what the wire takes, 2 to 3 ms here when nothing else wakes the cores, is within the 5 %: the formula has
# a queue and a server, and no wire.
SERVICE_MS = 100.0
LENIENT = ("--slo", "p99=20s", "errors=100%", "rejected=100%", "--lag-bound-ms", "2000")


def typical_seed(rate: float, seconds: float, settling_s: float, *, within: float) -> int:
    """A seed whose arrivals, in a queue of the stub's speed, have the formula's percentiles ``within`` that share.

    A minute of arrivals strays by more than 5 % from what an endless run has: that is the arrivals' doing, not the
    generator's, and known before anything is sent.
    """
    wanted = np.array([latency_percentile(share, rate, SERVICE_MS / 1000) for share in (0.5, 0.95, 0.99)])
    for seed in range(20_000):
        times = poisson_arrivals([(0, rate, 0.0, seconds)], first_number=0, seed=seed).meant_s
        latencies = np.array(first_come_latencies(times, [SERVICE_MS / 1000] * len(times)))[times >= settling_s]
        if np.all(np.abs(np.percentile(latencies, (50, 95, 99)) / wanted - 1) < within):
            return seed
    raise AssertionError("no seed is typical")


def figures_at(load, share: float, seconds: float, *, within: float):
    rate, settling_s = share / SERVICE_MS * 1000, min(0.1 * seconds, 5.0)
    seed = typical_seed(rate, seconds + settling_s, settling_s, within=within)
    with stub("--service-ms", str(SERVICE_MS)) as url:
        ended = load(
            "run",
            "half_second",
            "--url",
            url,
            "--rate",
            str(rate),
            "--seconds",
            str(seconds),
            "--seed",
            str(seed),
            *LENIENT,
        )
    assert ended.code == 0, ended.err + ended.out
    return rate, read_run(ended.folder).steps[0].figures


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.3, 0.6, 0.8])
def test_percentiles_are_the_queueing_formulas(load, share):
    """On a machine with nothing else to do: who shares its cores is another queue."""
    check_percentiles(load, share, 150.0, within=0.05)


def test_percentiles_are_near_the_formulas_beside_other_work(load):
    check_percentiles(load, 0.6, 10.0, within=0.2)


def check_percentiles(load, share: float, seconds: float, *, within: float) -> None:
    rate, figures = figures_at(load, share, seconds, within=0.3 * within)
    for name, quantile in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
        wanted_ms = 1000 * latency_percentile(quantile, rate, SERVICE_MS / 1000)
        assert getattr(figures, name) == pytest.approx(wanted_ms, rel=within), name


def test_a_stall_is_latency_and_not_fewer_requests(load):
    with stub("--service-ms", "1", "--stall-at", "200", "--stall-s", "2") as url:
        ended = load("run", "half_second", "--url", url, "--rate", "60", "--seconds", "8", *LENIENT)
    assert ended.code == 0, ended.err
    rows = read_requests(ended.folder)
    meant, answered = rows["meant_s"].to_numpy(), rows["answered_s"].to_numpy()
    over = answered[np.argmax(answered - meant)]  # the stall's end, when the first to wait was answered
    within = (meant > over - 2.0) & (meant < over - 0.05)
    assert within.sum() > 0.7 * 60 * 2, "as many were sent as at any other time"
    left = over - meant[within]
    assert np.all(answered[within] - meant[within] >= left - 0.02), "each waited for all that was left of it"
    assert (answered - meant).max() == pytest.approx(2.0, abs=0.1)
    assert set(rows["outcome"].to_pylist()) == {"scored"}
    assert rows["sent_s"].to_numpy()[within] == pytest.approx(meant[within], abs=0.1), "and was sent when it was meant"


def test_a_generator_that_stands_still_says_void(load):
    def stand_still(pid: int) -> None:
        worker = worker_of(pid)
        time.sleep(6.0)
        for _ in range(4):
            os.kill(worker.pid, signal.SIGSTOP)
            time.sleep(0.5)
            os.kill(worker.pid, signal.SIGCONT)
            time.sleep(0.5)

    with stub() as url:
        ended = load(
            "run",
            "half_second",
            "--url",
            url,
            "--rate",
            "50",
            "--seconds",
            "12",
            *LENIENT,
            "--lag-bound-ms",
            "50",
            meanwhile=stand_still,
        )
    assert ended.code == 3, ended.err
    run = read_run(ended.folder)
    assert "the generator itself was late" in run.void
    assert run.void in ended.out
    assert run.steps[0].figures.lag_p99_ms > 100


def worker_of(pid: int) -> psutil.Process:
    end_s = time.monotonic() + 30
    while time.monotonic() < end_s:
        for child in psutil.Process(pid).children(recursive=True):
            if "worker" in child.cmdline():
                return child
        time.sleep(0.1)
    raise AssertionError("no worker was started")


def test_a_lost_worker_makes_a_run_void(load):
    def lose_it(pid: int) -> None:
        worker = worker_of(pid)
        time.sleep(5.0)
        worker.kill()

    with stub() as url:
        ended = load("run", "half_second", "--url", url, "--rate", "50", "--seconds", "30", *LENIENT, meanwhile=lose_it)
    assert ended.code == 3
    assert "worker 1 of this machine ended" in ended.err + ended.out
    assert ended.seconds < 30


def test_what_is_started_ends_with_the_command(load):
    found: list[psutil.Process] = []

    def end_it(pid: int) -> None:
        found.append(worker_of(pid))
        found.extend(psutil.Process(pid).children(recursive=True))
        os.kill(pid, signal.SIGKILL)

    with stub() as url:
        load("run", "half_second", "--url", url, "--rate", "50", "--seconds", "60", *LENIENT, meanwhile=end_it)
    _, alive = psutil.wait_procs(found, timeout=20)
    assert not alive


def test_two_workers_send_what_one_sends(load):
    sent = []
    with stub() as url:
        for workers in ("1", "2"):
            ended = load(
                "run",
                "mix",
                "--url",
                url,
                "--rate",
                "40",
                "--seconds",
                "4",
                "--seed",
                "3",
                "--workers",
                workers,
                *LENIENT,
            )
            assert ended.code in (0, 3), ended.err
            rows = read_requests(ended.folder).sort_by("number")
            first = rows["meant_s"].to_numpy()[0]
            sent.append(
                {
                    "numbers": rows["number"].to_pylist(),
                    "kinds": rows["kind"].to_pylist(),
                    "audio_s": rows["audio_s"].to_pylist(),
                    "times": rows["meant_s"].to_numpy() - first,
                    "bytes": rows["bytes"].to_pylist(),
                }
            )
            assert set(rows["worker"].to_pylist()) == set(range(int(workers)))
    one, two = (each.pop("times") for each in sent)
    assert np.allclose(one, two, atol=1e-6)
    assert sent[0] == sent[1]
    assert len(set(sent[0]["kinds"])) == 3


def test_nothing_is_kept_of_the_audio(load):
    with stub() as url:
        ended = load("run", "utterances", "--url", url, "--rate", "50", "--seconds", "4", *LENIENT)
    assert ended.code == 0, ended.err
    kept = {path.name: path.stat().st_size for path in ended.folder.rglob("*")}
    assert set(kept) <= {"run.json", "requests.parquet", "server.parquet", "report.html", "report.json"}
    rows = read_requests(ended.folder)
    sent_bytes = sum(rows["bytes"].to_pylist())
    assert kept["requests.parquet"] < 0.01 * sent_bytes
    assert not any(str(field.type) in ("binary", "large_binary") for field in rows.schema)
    assert [path for path in ended.folder.parent.iterdir() if path.is_file()] == []


def rate_reached(load, rate: int, seconds: int) -> tuple[float, int, str | None]:
    with stub() as url:
        ended = load(
            "run", "half_second", "--url", url, "--rate", str(rate), "--seconds", str(seconds), "--slo", "p99=10s"
        )
    run = read_run(ended.folder)
    return run.steps[0].figures.achieved_per_s, ended.code, run.void


def test_one_worker_sends_a_hundred_requests_a_second_beside_other_work(load):
    achieved, _, _ = rate_reached(load, 100, 5)
    assert achieved > 80


@pytest.mark.slow
def test_one_worker_sends_a_thousand_requests_a_second(load):
    achieved, code, void = rate_reached(load, 1000, 20)
    assert code == 0, void
    assert achieved > 970
