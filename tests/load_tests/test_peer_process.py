"""The harness that starts, asks and stops other people's servers, on a small server of the standard library."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from load_tests.bench.arrivals import busy_per_s
from load_tests.bench.workload import mixed_speech
from load_tests.peers.caller import answers_one, ask, busy
from load_tests.peers.catalogue import RAY_SERVE
from load_tests.peers.process import PeerError, PeerProcess
from tests.deploy.processes import becomes_true
from tests.load_tests import small_server
from tests.paths import ROOT

PEER = RAY_SERVE  # it is asked with a WAV file and nothing around it, which the small server understands
WINDOWS = mixed_speech(16, shortest_s=0.5, longest_s=2.0)


@pytest.fixture
def pids_file(tmp_path: Path) -> Path:
    return tmp_path / "pids"


def process(kind: str, pids_file: Path, **options: float) -> PeerProcess:
    return PeerProcess(
        [sys.executable, small_server.__file__, kind],
        {"PIDS": str(pids_file)},
        is_ready=lambda url: answers_one(PEER, url, WINDOWS[0]),
        **options,
    )


def all_gone(pids_file: Path) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in json.loads(pids_file.read_text()))


def test_a_server_is_ready_once_it_scores_and_leaves_nothing(pids_file):
    with process("serve", pids_file) as server:
        assert ask(PEER, server.url, WINDOWS[0]).tolist() == [0.0, 1.0, 2.0]
        folder = Path(f"/proc/{json.loads(pids_file.read_text())[0]}/cwd").resolve()
        assert folder.name.startswith("peer-")
        assert not all_gone(pids_file)
    assert all_gone(pids_file)
    assert not folder.exists()


def test_a_server_that_ignores_sigterm_is_killed_and_its_daemon_too(pids_file):
    with process("stubborn", pids_file, grace_s=0.5):
        pass
    assert all_gone(pids_file)


def test_a_server_that_never_listens_is_given_up_at_the_deadline(pids_file):
    start = time.monotonic()
    with pytest.raises(PeerError, match=r"not ready after 5 s"), process("sleep", pids_file, ready_within_s=5.0):
        pass
    assert time.monotonic() - start < 40
    assert all_gone(pids_file)


def test_a_server_that_ends_says_why(pids_file):
    with pytest.raises(PeerError, match=r"it ended with 1; it last said: no model here"), process("die", pids_file):
        pass


def test_a_server_is_stopped_when_an_error_comes_by(pids_file):
    with pytest.raises(KeyError), process("serve", pids_file):
        raise KeyError
    assert all_gone(pids_file)


def test_a_server_does_not_outlive_whoever_started_it(pids_file):
    program = (
        "import sys, time; from tests.load_tests.test_peer_process import process; from pathlib import Path\n"
        "with process('stubborn', Path(sys.argv[1]), grace_s=0.5): print('ready', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", program, str(pids_file)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        os.kill(parent.pid, signal.SIGKILL)
    assert becomes_true(lambda: all_gone(pids_file), within_s=30)


def test_throughput_is_what_the_server_can_do(pids_file):
    seconds = 4.0
    with process("serve", pids_file) as server:
        answers = busy(PEER, server.url, WINDOWS, callers=8, seconds=seconds)
    assert {answer.outcome for answer in answers} == {"scored"}
    assert max(answer.answered_s for answer in answers) <= seconds + 1
    rate = busy_per_s(answers, from_s=seconds / 4, until_s=seconds)
    # A busy machine makes it slower, nothing makes it faster; a clock that cut windows in two would be off both ways.
    assert 0.2 * small_server.AUDIO_S_PER_S < rate < 1.02 * small_server.AUDIO_S_PER_S


def test_what_is_not_scored_is_counted_as_failed(pids_file):
    broken = dataclasses.replace(PEER, path="/broken")
    with process("serve", pids_file) as server:
        answers = busy(broken, server.url, WINDOWS, callers=2, seconds=0.5)
        with pytest.raises(PeerError, match="it answers 500"):
            ask(broken, server.url, WINDOWS[0])
    assert {answer.outcome for answer in answers} == {"failed"}


def test_an_address_where_nobody_listens_is_an_error_that_says_so():
    with pytest.raises(PeerError, match="does not answer with logits"):
        ask(PEER, "http://127.0.0.1:9", WINDOWS[0])
