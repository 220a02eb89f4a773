"""The report on a terminal, with colours where they are wanted and none where they are not."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys

import pytest
from voicestress.look.coloured import print_report
from voicestress.terminal import render

from tests.paths import JFK_WAV

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def on_a_terminal(server):
    """Run ``voicestress analyze`` on a terminal and give what it showed."""

    def run(before="pass", **environment):
        arguments = ["analyze", str(JFK_WAV), "--url", server.url, "--model", "group_norm"]
        code = f"import sys; {before}; from voicestress.cli import main; sys.exit(main({arguments!r}))"
        ours, theirs = pty.openpty()
        clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=theirs,
            stderr=theirs,
            env={**clean, "TERM": "xterm-256color", "COLUMNS": "90", "PYTHONUTF8": "1", **environment},
        )
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:  # how Linux says that the other end is closed
            pass
        os.close(ours)
        assert process.wait(60) == 0
        return shown.decode().replace("\r\n", "\n")

    return run


def test_a_terminal_gets_colours(on_a_terminal, report):
    shown = on_a_terminal()
    assert "\x1b[" in shown
    plain = _ANSI.sub("", shown)
    assert f"stress level {report.stress_level:.1f} of 100" in plain
    assert f" {report.status} " in plain
    assert report.model.checkpoint in plain
    for window in report.windows:
        assert f"{window.start_s:.2f}" in plain
        assert f"{window.stress_level:.1f}" in plain
    assert set("▁▂▃▄▅▆▇█") & set(plain)


@pytest.mark.parametrize(
    ("before", "environment"),
    [("pass", {"NO_COLOR": "1"}), ("pass", {"TERM": "dumb"}), ("sys.modules['rich'] = None", {})],
)
def test_a_terminal_that_can_not_or_may_not_have_them_gets_the_plain_report(on_a_terminal, report, before, environment):
    assert on_a_terminal(before, **environment) == render(str(JFK_WAV), report) + "\n"


def test_what_is_piped_is_the_plain_report_to_the_byte(server, report):
    command = [
        sys.executable,
        "-m",
        "voicestress",
        "analyze",
        JFK_WAV,
        JFK_WAV,
        "--url",
        server.url,
        "--model",
        "group_norm",
    ]
    environment = {**os.environ, "PYTHONUTF8": "1", "FORCE_COLOR": "1"}
    done = subprocess.run(command, check=True, capture_output=True, timeout=60, env=environment)
    plain = render(str(JFK_WAV), report)
    assert done.stdout.decode() == f"{plain}\n\n{plain}\n"


@pytest.mark.parametrize("columns", ["20", "40", "200"])
def test_a_report_fits_its_terminal(report, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    stream = io.StringIO()
    print_report("jfk.wav", report, stream)
    assert max(len(line) for line in _ANSI.sub("", stream.getvalue()).splitlines()) <= int(columns)


def test_names_and_labels_are_not_markup(changed, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    stream = io.StringIO()
    look = changed(name="[red]a[/red].wav", labels=["[b]", ":smile:", "c"])
    print_report(look.name, look.report, stream)
    assert "[red]a[/red].wav" in stream.getvalue()
    assert "[b]" in stream.getvalue()
    assert ":smile:" in stream.getvalue()
