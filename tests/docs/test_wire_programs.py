"""The programs of docs/wire, in Node and in Go, score as the Python client does, through a real Triton."""

from __future__ import annotations

import json
import re
import shutil
import time

import grpc
import numpy as np
import pytest
import soundfile
from voicestress import StressClient
from voicestress_triton import TritonServer

from tests.client.test_client import closed_port
from tests.conftest import NOT_A_STRESS_MODEL
from tests.docs.conftest import WIRE
from tests.paths import JFK_WAV
from tests.relay import Relay, serving

WINDOW = slice(8_000, 39_200)
DIMENSIONAL = "dimensional"
ATTEMPTS = 5


@pytest.fixture
def wav(tmp_path, speech):
    """A file with the samples it is given, by default a window of speech."""

    def write(samples=speech[WINDOW], *, rate_hz=16_000, subtype="PCM_16"):
        soundfile.write(tmp_path / "window.wav", samples, rate_hz, subtype=subtype)
        return tmp_path / "window.wav"

    return write


def score(program, window, **settings):
    done = program.run(window, **settings)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refusal(program, window, **settings):
    done = program.run(window, **settings)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


@pytest.mark.parametrize("model", ["stress", "group_norm", "layer_norm"])
def test_a_window_scores_as_in_python(program, server, speech, wav, model):
    with StressClient(server.url, model=model) as client:
        expected = client.analyze((speech[WINDOW], 16_000), speech_detection=False)
    scored = score(program, wav(), url=server.url, model=model)
    assert scored["level"] == pytest.approx(expected.stress_level, abs=1e-3)
    assert scored["emotions"] == pytest.approx(expected.emotions, abs=1e-5)
    assert scored["status"] == expected.status


def test_windows_average_to_the_recording_s_level(program, server, client, speech, wav):
    report = client.analyze(JFK_WAV)
    assert len(report.windows) > 1
    levels = []
    for window in report.windows:
        start, end = (round(seconds * 16_000) for seconds in (window.start_s, window.end_s))
        levels.append(score(program, wav(speech[start:end]), url=server.url)["level"])
    weighted = np.average(levels, weights=[window.speech_s for window in report.windows])
    assert weighted == pytest.approx(report.stress_level, abs=1e-3)


def test_a_dimensional_model_and_a_low_threshold_are_read_from_the_contract(program, repository, tmp_path, wav):
    shutil.copytree(repository / "layer_norm", tmp_path / DIMENSIONAL)
    config = tmp_path / DIMENSIONAL / "config.pbtxt"
    text = config.read_text().replace('name: "layer_norm"', f'name: "{DIMENSIONAL}"')
    stated = {
        "labels": ["valence", "arousal", "dominance"],
        "policy": "arousal_valence",
        "label_weights": [],
        "temperature": 1.0,
        "status_threshold": 0.5,
    }
    for name, value in stated.items():
        escaped = json.dumps(json.dumps(value)).replace("\\", "\\\\")
        text, changed = re.subn(rf'("stress_{name}" value {{ string_value: ).*( }} }})', rf"\1{escaped}\2", text)
        assert changed == 1
    config.write_text(text)
    with TritonServer(tmp_path, models=[DIMENSIONAL]) as served:
        with StressClient(served.url, model=DIMENSIONAL) as client:
            expected = client.analyze(wav(), speech_detection=False)
        scored = score(program, wav(), url=served.url, model=DIMENSIONAL)
    assert 0.5 < expected.stress_level < 100, "clipped: the test can't tell formulas apart"
    assert scored["level"] == pytest.approx(expected.stress_level, abs=1e-3)
    assert scored["emotions"] == pytest.approx(expected.emotions, abs=1e-5)
    assert scored["status"] == expected.status == "High"


def test_the_request_is_the_python_client_s(program, stub, wav):
    relay = Relay(stub)
    with serving(relay) as url:
        score(program, wav(), url=url, deadline_s=20)
        with StressClient(url, model="group_norm", deadline_s=20) as client:
            client.analyze(wav(), speech_detection=False)
    theirs, ours = relay.windows
    assert theirs.parameters["priority"].int64_param == ours.parameters["priority"].uint64_param == 2
    assert theirs.parameters["timeout"].int64_param == 18_000_000
    for request in (theirs, ours):
        request.parameters.clear()
    assert theirs == ours


def test_a_full_server_is_asked_again(program, server, stub, wav):
    relay = Relay(stub, failures=2)
    with serving(relay) as url:
        scored = score(program, wav(), url=url)
    assert len(relay.windows) == 3
    assert scored["level"] == pytest.approx(score(program, wav(), url=server.url)["level"], abs=1e-3)


def test_a_server_that_stays_full_is_called_overloaded(program, stub, wav):
    relay = Relay(stub, failures=100)
    with serving(relay) as url:
        said = refusal(program, wav(), url=url)
    assert said == "score: overloaded: Exceeds maximum queue size\n"
    assert len(relay.windows) == ATTEMPTS


def test_what_would_fail_again_is_not_asked_again(program, stub, wav):
    relay = Relay(stub, failures=100, error=(grpc.StatusCode.INVALID_ARGUMENT, "unexpected shape"))
    with serving(relay) as url:
        assert "unexpected shape" in refusal(program, wav(), url=url)
    assert len(relay.windows) == 1


def test_a_call_ends_at_its_deadline(program, stub, wav):
    start = time.monotonic()
    with serving(Relay(stub, delay_s=5)) as url:
        said = refusal(program, wav(), url=url, deadline_s=1)
        assert time.monotonic() - start < 4
    assert "deadline" in said.lower()


@pytest.mark.parametrize("deadline_s", [0.0, float("nan")])
def test_no_call_is_made_without_a_deadline(program, stub, wav, deadline_s):
    relay = Relay(stub)
    with serving(relay) as url:
        assert "usage:" in refusal(program, wav(), url=url, deadline_s=deadline_s)
    assert not relay.windows


def test_nothing_there_is_not_called_overloaded(program, wav):
    said = refusal(program, wav(), url=f"127.0.0.1:{closed_port()}")
    assert "UNAVAILABLE" in said.upper()
    assert "overloaded" not in said


def test_a_model_that_is_no_stress_model_is_refused(program, server, wav):
    assert "not a stress model" in refusal(program, wav(), url=server.url, model=NOT_A_STRESS_MODEL)


@pytest.mark.parametrize("samples", [7_999, 48_001])
def test_a_window_out_of_bounds_is_not_sent(program, stub, speech, wav, samples):
    relay = Relay(stub)
    with serving(relay) as url:
        said = refusal(program, wav(speech[:samples]), url=url)
    assert f"{samples} samples; group_norm takes 8000 to 48000" in said
    assert not relay.windows


@pytest.mark.parametrize("samples", [8_000, 48_000])
def test_the_bounds_themselves_are_allowed(program, server, speech, wav, samples):
    assert score(program, wav(speech[:samples]), url=server.url)["emotions"]


@pytest.mark.parametrize(
    ("channels", "settings"),
    [(1, {"rate_hz": 8_000}), (2, {}), (1, {"subtype": "PCM_24"}), (1, {"subtype": "FLOAT"})],
    ids=["8 kHz", "stereo", "24 bits", "floats"],
)
def test_another_kind_of_wav_is_refused(program, server, speech, wav, channels, settings):
    window = wav(np.repeat(speech[WINDOW, None], channels, axis=1), **settings)
    assert "not a 16 kHz mono 16-bit WAV" in refusal(program, window, url=server.url)


@pytest.mark.parametrize("size", [0, 20, 43])
def test_a_file_that_is_no_wav_is_refused(program, server, wav, size):
    window = wav()
    window.write_bytes(window.read_bytes()[:size])
    assert "not a 16 kHz mono 16-bit WAV" in refusal(program, window, url=server.url)


def test_other_chunks_of_a_wav_are_skipped(program, server, wav):
    window = wav()
    expected = score(program, window, url=server.url)
    header, rest = window.read_bytes()[:12], window.read_bytes()[12:]
    window.write_bytes(header + b"LIST" + (3).to_bytes(4, "little") + b"odd\0" + rest)
    assert score(program, window, url=server.url)["level"] == pytest.approx(expected["level"], abs=1e-3)


def test_node_s_packages_are_pinned_and_named_by_no_registry():
    lock = json.loads((WIRE / "node" / "package-lock.json").read_text())
    wanted = json.loads((WIRE / "node" / "package.json").read_text())["dependencies"]
    for name, version in wanted.items():
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
    named = [name for name, package in lock["packages"].items() if "resolved" in package]
    assert not named, "npm install --omit-lockfile-registry-resolved"
    assert all("integrity" in package for name, package in lock["packages"].items() if name)
