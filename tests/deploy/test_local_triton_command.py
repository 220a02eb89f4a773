"""``voicestress serve``, as the shell sees it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.processes import becomes_true, group_members, leftovers, nothing_new_stays

# The command alone, without the client's `voicestress` around it.
_SERVE = """
import argparse, sys
from voicestress_triton import command
parser = argparse.ArgumentParser()
command.add_arguments(parser)
sys.exit(command.run(parser.parse_args()))
"""


def serve(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _SERVE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def triton_of(command: subprocess.Popen[str]) -> int:
    """Process id of the Triton a running command started."""
    [supervisor] = Path(f"/proc/{command.pid}/task/{command.pid}/children").read_text().split()
    [triton] = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return int(triton)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_a_signal_ends_it_cleanly(one_model: Path, number: signal.Signals):
    before = leftovers()
    with serve(one_model, "--port", "0") as command:
        assert command.stdout is not None
        ready, models = command.stdout.readline(), command.stdout.readline()
        assert ready.startswith("Triton 2.")
        assert "is ready: gRPC 127.0.0.1:" in ready
        assert models == "Serving rows (version 1). Ctrl-C stops it.\n"
        triton = triton_of(command)
        command.send_signal(number)
        command.send_signal(signal.SIGTERM)  # an impatient one more changes nothing
        rest, errors = command.communicate(timeout=30)
    assert (command.returncode, rest, errors) == (0, "", "")
    assert not group_members(triton)
    assert nothing_new_stays(before)


def test_a_signal_while_it_starts_ends_it_cleanly_too(one_model: Path):
    before = leftovers()
    with serve(one_model, "--port", "0", "--verbose") as command:
        assert command.stderr is not None
        command.stderr.readline()  # Triton's first line: it is starting
        command.terminate()
        command.communicate(timeout=30)
    assert command.returncode == 0
    assert nothing_new_stays(before)


def test_a_triton_that_dies_is_reported_and_is_a_failure(one_model: Path):
    with serve(one_model, "--port", "0") as command:
        assert command.stdout is not None
        command.stdout.readline()
        group = triton_of(command)
        subprocess.run(["kill", "-KILL", str(group)], check=True)
        _, errors = command.communicate(timeout=30)
    assert command.returncode == 3
    assert errors.startswith("error: Triton ended with exit code 137")
    assert becomes_true(lambda: not group_members(group))


def test_a_wrong_repository_is_one_line_and_exit_code_3(tmp_path: Path):
    with serve(tmp_path / "nowhere") as command:
        output, errors = command.communicate(timeout=30)
    assert (command.returncode, output) == (3, "")
    assert errors == (
        f"error: {tmp_path / 'nowhere'}: no such folder. Give the folder that holds the models, or export one with "
        "`voicestress export`.\n"
    )


def test_the_old_triton_of_the_wheel_warns_before_it_is_opened_to_other_machines(tmp_path: Path):
    with serve(tmp_path / "nowhere", "--address", "0.0.0.0") as command:
        _, errors = command.communicate(timeout=30)
    assert errors.startswith("warning: 0.0.0.0 can be reached from other machines")
    assert command.returncode == 3
