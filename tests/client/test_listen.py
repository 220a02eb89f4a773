"""``voicestress listen`` with raw audio from a pipe, against a real Triton."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from tests.paths import JFK_WAV


def listen(server, *options):
    command = ["-m", "voicestress", "listen", "-", "--url", server.url, "--model", "group_norm", "--rate", "16000"]
    return subprocess.Popen(
        [sys.executable, *command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_updates_come_while_it_is_said_and_the_report_at_the_end(server, client, speech):
    process = listen(server, "--json")
    loud = np.concatenate([speech, np.zeros(16_000, np.int16)])
    process.stdin.write(loud.tobytes())
    process.stdin.flush()
    first = json.loads(process.stdout.readline())["update"]  # the pipe is still open
    assert first["window"]["end_s"] < 5
    process.stdin.close()
    said, errors = process.stdout.read(), process.stderr.read()
    assert process.wait(timeout=30) == 0, errors
    process.stdout.close()
    process.stderr.close()
    *updates, last = [json.loads(line) for line in said.splitlines()]
    expected = client.analyze((loud, 16_000))
    windows = [first["window"], *(update["update"]["window"] for update in updates)]
    assert [window["end_s"] for window in windows] == [window.end_s for window in expected.windows]
    assert last["report"]["stress_level"] == pytest.approx(expected.stress_level, abs=0.01)


def test_for_people_it_prints_lines_and_a_report(server, speech):
    said, errors = listen(server).communicate(speech.tobytes(), timeout=60)
    assert b"last 30 s" in said
    assert b"stress level" in said
    assert errors == b""


def test_ctrl_c_ends_it_with_the_report(server, speech):
    process = listen(server, "--json")
    process.stdin.write(speech.tobytes())
    process.stdin.flush()
    assert b"update" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    said = process.stdout.read()
    assert process.wait(timeout=30) == 0
    assert "report" in json.loads(said.splitlines()[-1])
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    process.stderr.close()
    process.stdout.close()


@pytest.mark.parametrize(
    ("raw", "code", "message"),
    [
        (JFK_WAV.read_bytes(), 2, b"-f s16le"),
        (bytes(32_000), 2, b"s of speech"),
        (b"", 2, b"no samples"),
        (b"x", 2, b"whole 16-bit sample"),
    ],
)
def test_what_is_no_speech_is_named(server, raw, code, message):
    process = listen(server)
    _, errors = process.communicate(raw, timeout=60)
    assert process.returncode == code
    assert message in errors


def test_a_rate_of_no_voice_is_named(server):
    process = listen(server, "--rate", "1000")
    _, errors = process.communicate(b"", timeout=60)
    assert (process.returncode, b"1000 Hz" in errors) == (2, True)
