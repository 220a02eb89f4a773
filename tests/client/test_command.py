"""``voicestress analyze`` as a shell sees it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from voicestress.cli import main

from tests.client.test_client import closed_port
from tests.conftest import RANDOM_MODEL
from tests.paths import JFK_WAV


@pytest.fixture
def analyze(server, capsys):
    """Run ``voicestress analyze`` and give its exit code, standard output and standard error."""

    def run(*arguments, model="group_norm"):
        code = main(["analyze", "--url", server.url, "--model", model, *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "notes.wav"
    path.write_text("dear diary")
    return path


def test_a_report_is_readable(analyze):
    code, out, err = analyze(JFK_WAV)
    assert (code, err) == (0, "")
    assert "11.0 s, 7.9 s of speech" in out
    assert "stress level" in out
    assert "High above 70" in out
    timeline = next(line for line in out.splitlines() if line.endswith("0:11"))
    assert set(timeline) & set("▁▂▃▄▅▆▇█")
    assert "·" in timeline
    assert "means nothing" not in out


def test_a_random_model_says_so_in_the_report(analyze):
    code, out, _ = analyze(JFK_WAV, model=RANDOM_MODEL)
    assert code == 0
    assert "this level means nothing" in out


def test_json_is_one_line_a_recording(analyze):
    code, out, _ = analyze(JFK_WAV, JFK_WAV, "--json")
    reports = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [report["recording"] for report in reports] == [str(JFK_WAV)] * 2
    assert 0 <= reports[0]["stress_level"] <= 100


def test_one_bad_recording_does_not_stop_the_others(analyze, text_file):
    code, out, err = analyze(text_file, JFK_WAV, text_file.parent, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 2
    assert [line.get("error", {}).get("kind") for line in lines] == ["InvalidAudio", None, "InvalidAudio"]
    assert "stress_level" in lines[1]
    assert err.count("notes.wav") == 1


def test_no_server_is_exit_code_3(capsys):
    assert main(["analyze", str(JFK_WAV), "--url", f"127.0.0.1:{closed_port()}"]) == 3
    assert "no Triton answers there" in capsys.readouterr().err


def test_a_model_that_is_no_stress_model_is_exit_code_3(analyze):
    code, _, err = analyze(JFK_WAV, model="plain")
    assert code == 3
    assert "not a stress model" in err


def test_standard_input_is_a_recording_too(server):
    command = [sys.executable, "-m", "voicestress", "analyze", "-", "--url", server.url, "--json"]
    with JFK_WAV.open("rb") as recording:
        done = subprocess.run(command, stdin=recording, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["duration_s"] == 11.0


def test_a_reader_that_goes_away_is_no_traceback(server):
    command = f"{sys.executable} -m voicestress analyze {JFK_WAV} {JFK_WAV} --url {server.url} | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr


def test_names_that_no_encoding_has_are_reported_and_stop_nothing(server, tmp_path):
    strange = os.fsencode(tmp_path / "caf") + b"\xe9.wav"
    shutil.copy(JFK_WAV, strange)
    command = [sys.executable, "-m", "voicestress", "analyze", strange, JFK_WAV, "--url", server.url]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, encoding="latin-1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("stress level") == 2


def test_a_name_can_not_write_to_the_terminal(analyze, tmp_path):
    hostile = tmp_path / "a\x1b[2Jb\nvoicestress: all is well.wav"
    shutil.copy(JFK_WAV, hostile)
    _, out, _ = analyze(hostile)
    assert "\x1b" not in out
    assert "a\\x1b[2Jb\\nvoicestress" in out


def test_ctrl_c_ends_it_without_a_traceback(server):
    command = [sys.executable, "-m", "voicestress", "analyze", "-", "--url", server.url]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(6)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_scoring_leaves_no_file_behind(server, tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "voicestress", "analyze", str(JFK_WAV), "--url", server.url, "--json"]
    subprocess.run(command, env=environment, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    assert list(Path(tmp_path).iterdir()) == []
