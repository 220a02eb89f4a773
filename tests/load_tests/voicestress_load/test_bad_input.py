"""What can't be run is refused in seconds, in one line that says what and how to go on, and leaves no report."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from voicestress.cli import main

from tests.load_tests.voicestress_load.conftest import stub

REFUSED = 2
QUICK = """
[[component]]
name = "window"
lengths = { distribution = "fixed", seconds = 0.5 }
"""


def check_refused(ended, words: str) -> None:
    assert ended.code == REFUSED, ended.out + ended.err
    assert words in ended.err
    assert ended.err.startswith("voicestress load: ")
    assert len(ended.err.strip().splitlines()) == 1, ended.err
    assert ended.seconds < 20
    assert not ended.folder.exists()


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_a_server_that_is_not_there(load):
    check_refused(load("search", "half_second", "--url", f"127.0.0.1:{closed_port()}"), "no Triton answers there")


def test_a_gateway_that_is_not_there(load):
    url = f"http://127.0.0.1:{closed_port()}"
    check_refused(load("search", "half_second", "--protocol", "http", "--url", url), "no gateway answers there")


def test_a_model_that_is_no_stress_model(load):
    with stub("--plain") as url:
        check_refused(load("search", "half_second", "--url", url), "not a stress model")


def test_a_model_that_is_not_there(load):
    with stub() as url:
        check_refused(load("search", "half_second", "--url", url, "--model", "anger"), "no stress model 'anger' there")


def test_an_slo_below_what_an_idle_server_takes(load):
    with stub("--service-ms", "60") as url:
        ended = load("search", "half_second", "--url", url, "--slo", "p99=30ms")
    check_refused(ended, "--slo p99=30ms can't be met: an idle server takes 6")


def test_audio_that_is_too_short_for_the_model(load, tmp_path):
    (tmp_path / "short.toml").write_text(QUICK.replace("0.5", "0.2"))
    with stub() as url:
        ended = load("run", str(tmp_path / "short.toml"), "--url", url, "--rate", "10")
    check_refused(ended, "component window: lengths from 0.2 s, but stress scores nothing below 0.5 s")


def test_metrics_that_were_asked_for_and_are_not_there(load):
    with stub() as url:
        ended = load("search", "half_second", "--url", url, "--metrics", f"http://127.0.0.1:{closed_port()}/metrics")
    check_refused(ended, "no metrics there")


TYPOS = {
    'nmae = "window"': ("component[1].nmae: no such key; is name meant?", 'name = "window"'),
    "seconds = -1.0": ("component[1].lengths.seconds = -1.0: ", "seconds = 0.5"),
    'seconds = "half"': ("component[1].lengths.seconds = 'half': ", "seconds = 0.5"),
    'distribution = "normal"': ("component[1].lengths", 'distribution = "fixed"'),
    "[[component]": ("not TOML", "[[component]]"),
    "": ("component[1].name: is missing", 'name = "window"'),
}


@pytest.mark.parametrize("typo", TYPOS)
def test_a_workload_with_a_typo(capsys, tmp_path, typo):
    words, right = TYPOS[typo]
    file = tmp_path / "mine.toml"
    file.write_text(QUICK.replace(right, typo))
    assert main(["load", "search", str(file), "--url", "127.0.0.1:1"]) == REFUSED
    error = capsys.readouterr().err
    assert f"{file}: " in error
    assert words in error


ARGUMENTS = {
    "no such workload": (["search", "uterances"], "uterances: no workload can be read there"),
    "rate of 0": (["run", "--rate", "0"], "--rate 0: give a number above 0"),
    "negative rate": (["run", "--rate", "-3"], "--rate -3: give a number above 0"),
    "no rate": (["run"], "--shape steady wants --rate"),
    "no time": (["run", "--rate", "1", "--seconds", "0"], "--seconds 0: give a number above 0"),
    "unknown SLO": (["search", "--slo", "p98=1s"], "--slo p98=1s: not understood"),
    "SLO without unit": (["search", "--slo", "p99=500"], "--slo p99=500: p99 is in ms"),
    "SLO of 0": (["search", "--slo", "p99=0ms"], "--slo p99=0ms: can't be met"),
    "SLO of a wrong unit": (["search", "--slo", "errors=5ms"], "--slo errors=5ms: errors is in %"),
    "goodput above what is offered": (
        ["run", "half_second", "--rate", "10", "--slo", "goodput=50"],
        "--slo goodput=50 can't be met: --rate 10 offers 5.0 audio-seconds",
    ),
    "both loops": (["run", "--callers", "4", "--rate", "3"], "--callers makes a closed loop"),
    "no address": (["search", "--url", "localhost"], "localhost: give the server's gRPC address"),
    "no address of a gateway": (["search", "--protocol", "http"], "--protocol http wants --url"),
    "not an HTTP address": (["search", "--protocol", "http", "--url", "here:80"], "--url here:80: give the gateway's"),
    "live over HTTP": (["search", "live", "--protocol", "http", "--url", "http://here"], "component stream is live"),
    "no trace": (["run", "--trace", "nowhere.csv"], "nowhere.csv: no trace can be read there"),
    "no run": (["report", "nowhere"], "nowhere: no run can be read there"),
    "no master": (["worker", "--master", ":80"], "--master :80: give the machine"),
}


@pytest.mark.parametrize("which", ARGUMENTS)
def test_arguments_that_make_no_sense(capsys, tmp_path, monkeypatch, which):
    monkeypatch.chdir(tmp_path)
    arguments, words = ARGUMENTS[which]
    assert main(["load", *arguments]) == REFUSED
    captured = capsys.readouterr()
    assert words in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert captured.out == ""
    assert list(Path().iterdir()) == []


def test_a_folder_that_holds_a_run(capsys, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    assert main(["load", "run", "--rate", "1", "--out", str(tmp_path)]) == REFUSED
    assert "there is a run already" in capsys.readouterr().err
    assert (tmp_path / "run.json").read_text() == "{}"
