"""POST /v1/analyses: a recording in, its report out, and every way that can fail."""

from __future__ import annotations

import gzip

import httpx
import numpy as np
import psutil
import pytest
from voicestress import StressReport

from tests.gateway.conftest import problem, running, wav
from tests.paths import MODEL_REPOSITORY
from tests.preprocess.media import encode_kind

AUDIO = {"content-type": "audio/wav"}


def analyses(gateway, content, headers=AUDIO, **parameters) -> httpx.Response:
    return httpx.post(f"{gateway.url}/v1/analyses", content=content, headers=headers, params=parameters, timeout=60)


def test_a_raw_upload_gets_the_report_of_the_client(gateway, server, jfk):
    from voicestress import StressClient

    response = analyses(gateway, jfk)
    assert response.status_code == 200, response.text
    with StressClient(server.url) as client:
        expected = client.analyze(jfk)
    report = StressReport.model_validate_json(response.content)
    assert report.stress_level == pytest.approx(expected.stress_level, abs=1e-3)
    assert [w.start_s for w in report.windows] == [w.start_s for w in expected.windows]
    assert report.model == expected.model


@pytest.mark.parametrize("content_type", ["audio/wav", "audio/x; codec=1", "application/octet-stream", "video/webm"])
def test_a_recording_is_known_by_its_bytes_and_not_by_its_content_type(gateway, jfk, content_type):
    assert analyses(gateway, jfk, {"content-type": content_type}).status_code == 200


def test_a_form_gets_the_same_report(gateway, jfk):
    form = httpx.post(f"{gateway.url}/v1/analyses", files={"file": ("x.wav", jfk)}, data={"other": "field"}, timeout=60)
    assert form.status_code == 200
    assert form.json()["stress_level"] == pytest.approx(analyses(gateway, jfk).json()["stress_level"], abs=1e-3)


def test_a_chunked_upload_needs_no_length(gateway, jfk):
    pieces = (jfk[start : start + 1000] for start in range(0, len(jfk), 1000))
    assert analyses(gateway, pieces).status_code == 200


def test_what_a_phone_sends_is_decoded(gateway, speech):
    webm = encode_kind(speech / 32768, 16_000, "webm")
    assert analyses(gateway, webm, {"content-type": "audio/webm"}).json()["duration_s"] == pytest.approx(11.0, abs=0.1)


def test_speech_detection_is_an_option(gateway, speech):
    report = analyses(gateway, wav(speech[:48_000]), speech_detection="false").json()
    assert report["speech_s"] == pytest.approx(3.0, abs=0.01)


def test_a_request_id_is_kept_if_it_can_stand_in_a_log(gateway):
    for given, kept in (("abc-123", True), ("a b", False), ("x" * 65, False)):
        response = httpx.get(f"{gateway.url}/healthz", headers={"x-request-id": given})
        assert (response.headers["x-request-id"] == given) is kept


def test_wrong_content_types_are_415(gateway, jfk):
    for content_type in ("text/plain", "application/json", "application/x-www-form-urlencoded", "image/png"):
        problem(analyses(gateway, jfk, {"content-type": content_type}), 415, "unsupported-media-type")
    problem(analyses(gateway, jfk, {}), 415, "unsupported-media-type")


def test_compressed_requests_are_415(gateway, jfk):
    headers = {**AUDIO, "content-encoding": "gzip"}
    problem(analyses(gateway, gzip.compress(jfk), headers), 415, "unsupported-media-type")


def test_formats_that_are_not_read_are_415(gateway):
    for content in (b"wvpk" + bytes(1000), b"\x30\x26\xb2\x75" + bytes(1000), b"%PDF-1.7" + bytes(1000)):
        problem(analyses(gateway, content), 415, "unsupported-media-type")


def test_a_recording_that_is_cut_off_is_422(gateway, jfk):
    details = problem(analyses(gateway, jfk[:-1000]), 422, "invalid-audio")
    assert details["detail"].startswith("recording: is cut off")


def test_silence_is_422(gateway):
    details = problem(analyses(gateway, wav(np.zeros(32_000))), 422, "no-speech")
    assert details["detail"] == "recording: 0.0 s of speech, 0.5 s needed"


def test_wrong_options_are_422(gateway, jfk):
    details = problem(analyses(gateway, jfk, speech_detection="perhaps"), 422, "invalid-parameters")
    assert "speech_detection" in details["detail"]


def test_no_recording_is_400(gateway):
    problem(analyses(gateway, b""), 400, "no-file")
    problem(httpx.post(f"{gateway.url}/v1/analyses", files={"other": b"x"}), 400, "no-file")


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("multipart/form-data", b"--x--"),
        ("multipart/form-data; boundary=x", b"--y\r\n"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc'),
        ("multipart/form-data; boundary=" + "x" * 300, b"--"),
        ("multipart/form-data; boundary=x", b"--x\r\nA: b\r\n\r\n\r\n" * 200 + b"--x--"),
    ],
)
def test_a_broken_form_is_400(gateway, content_type, content):
    problem(analyses(gateway, content, {"content-type": content_type}), 400, "malformed-upload")


def test_other_paths_and_methods_are_problems_too(gateway):
    problem(httpx.get(f"{gateway.url}/nowhere"), 404, "not-found")
    response = httpx.get(f"{gateway.url}/v1/analyses")
    problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "POST"


def test_too_many_bytes_are_413_whether_announced_or_not(small_gateway):
    too_many = bytes(2 * 2**20)
    problem(analyses(small_gateway, too_many), 413, "too-large")
    problem(analyses(small_gateway, iter([too_many])), 413, "too-large")
    problem(httpx.post(f"{small_gateway.url}/v1/analyses", files={"file": too_many}), 413, "too-large")


def test_a_client_that_sends_on_gets_its_413_all_the_same(small_gateway):
    pieces = (bytes(2**16) for _ in range(500))  # 31 MiB, far more than the limit and any buffer on the way
    problem(analyses(small_gateway, pieces), 413, "too-large")


def test_too_long_a_recording_is_413(small_gateway, speech):
    details = problem(analyses(small_gateway, wav(np.tile(speech, 2))), 413, "too-long")
    assert details["detail"] == "recording: is 22.0 s long; at most 20 s are scored. Cut it."


def test_thirty_times_the_longest_recording_as_silence_in_a_small_file_is_413(small_gateway):
    silence = np.zeros(600 * 8000)
    for kind in ("webm", "webm, live"):
        bomb = encode_kind(silence, 8_000, kind)
        assert len(bomb) < 2**19
        problem(analyses(small_gateway, bomb), 413, "too-long")


def test_no_triton_is_503(logs_folder, jfk):
    from tests.client.test_client import closed_port

    with running(logs_folder, f"127.0.0.1:{closed_port()}", ready=False) as alone:
        assert httpx.get(f"{alone.url}/healthz").status_code == 200
        not_ready = httpx.get(f"{alone.url}/readyz")
        assert (not_ready.status_code, not_ready.json()["status"]) == (503, "not ready")
        response = analyses(alone, jfk)
        problem(response, 503, "unavailable")
        assert int(response.headers["retry-after"]) >= 1
        assert "127.0.0.1" not in response.text


def test_no_stress_model_is_503(server, logs_folder, jfk):
    from tests.conftest import NOT_A_STRESS_MODEL

    with running(logs_folder, server.url, "--model", NOT_A_STRESS_MODEL, ready=False) as lost:
        problem(analyses(lost, jfk), 503, "unavailable")
        assert httpx.get(f"{lost.url}/readyz").status_code == 503


def test_a_full_model_is_503(server, logs_folder, jfk):
    """Its queue holds one window, for two seconds: three of the four windows are turned away as often as they may ask.

    Had the deadline passed before, the last of them might be answered with 504, for that is how it would have ended.
    """
    from tests.conftest import CROWDED_MODEL

    with running(logs_folder, server.url, "--model", CROWDED_MODEL, "--deadline-s", "25") as crowded:
        response = analyses(crowded, jfk)
        problem(response, 503, "overloaded")
        assert int(response.headers["retry-after"]) >= 1
        assert "127.0.0.1" not in response.text


def test_a_model_that_does_not_answer_in_time_is_504(logs_folder, jfk):
    from voicestress_triton import TritonServer

    with (
        TritonServer(MODEL_REPOSITORY, models=["stress"]) as triton,
        running(logs_folder, triton.url, "--deadline-s", "1", "--readiness-s", "30") as waiting,
    ):
        process = psutil.Process(triton.pid)
        process.suspend()
        try:
            problem(analyses(waiting, jfk), 504, "deadline-exceeded")
        finally:
            process.resume()


def test_what_takes_too_long_is_504(server, logs_folder, jfk):
    with running(logs_folder, server.url, "--analysis-s", "0.001") as hasty:
        problem(analyses(hasty, jfk), 504, "deadline-exceeded")
