"""Shapes and workers as an operator asks for them, against a stub."""

from __future__ import annotations

import socket
import subprocess

import pytest
from voicestress_load.results import read_requests, read_run

from tests.load_tests.voicestress_load.conftest import command, stub

LENIENT = ("--slo", "p99=20s", "--lag-bound-ms", "500")


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def test_a_worker_that_comes_from_elsewhere_sends_its_share(load):
    port, came = free_port(), []

    def come(pid: int) -> None:
        came.append(subprocess.Popen(command("worker", "--master", f"127.0.0.1:{port}")))

    with stub() as url:
        workers = ("--workers", "1", "--expect-workers", "1")
        ended = load(
            "run", "half_second", "--url", url, "--rate", "40", "--seconds", "4", *workers, "--port", str(port),
            *LENIENT, meanwhile=come,
        )  # fmt: skip
    assert ended.code == 0, ended.err + ended.out
    assert came[0].wait(20) == 0, "it ends with the run"
    rows = read_requests(ended.folder)
    assert set(rows["worker"].to_pylist()) == {0, 1}
    assert len(set(rows["number"].to_pylist())) == rows.num_rows > 100
    assert read_run(ended.folder).workers == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "options", "steps"),
    [
        ("ramp", ("--rate", "80", "--seconds", "2"), None),
        ("ramp", ("--seconds", "3"), None),
        ("spike", ("--rate", "20", "--spike", "4", "--seconds", "3"), 4),
        ("soak", ("--rate", "20", "--seconds", "20"), 10),
    ],
)
def test_a_shape_is_what_it_says(load, shape, options, steps):
    with stub("--service-ms", "20") as url:
        ended = load("run", "half_second", "--url", url, "--shape", shape, *options, *LENIENT)
    assert ended.code == 0, ended.err + ended.out
    run = read_run(ended.folder)
    offered = [step.offered_per_s for step in run.steps]
    assert run.shape == shape
    assert steps is None or len(offered) == steps
    if shape == "ramp":
        assert offered == sorted(set(offered))
        assert run.steps[-1].figures.achieved_per_s < 0.9 * offered[-1], "up to what the stub's 50 a second can't do"
    elif shape == "spike":
        assert offered == [20, 80, 20, 20]
        assert run.steps[1].figures.p99_ms > 10 * run.steps[0].figures.p50_ms
        assert run.steps[3].figures.p99_ms < run.steps[1].figures.p99_ms
    else:
        assert set(offered) == {20}
