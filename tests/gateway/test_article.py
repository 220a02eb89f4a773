"""POST /analyze-stress: what was written against the article's service works unchanged."""

from __future__ import annotations

import httpx
import requests

from tests.gateway.conftest import problem
from tests.paths import JFK_WAV


def test_the_articles_own_client(gateway):
    url = f"{gateway.url}/analyze-stress"
    with open(JFK_WAV, "rb") as recording:  # noqa: PTH123 - as the article has it
        response = requests.post(url, files={"file": recording}, timeout=60)
    assert response.status_code == 200
    answer = response.json()
    assert set(answer) == {"stress_level", "status"}
    assert answer["stress_level"] == round(answer["stress_level"], 2)
    assert 0 <= answer["stress_level"] <= 100
    assert answer["status"] in ("High", "Normal")


def test_no_file_is_the_articles_error(gateway):
    url = f"{gateway.url}/analyze-stress"
    for response in (
        httpx.post(url),
        httpx.post(url, files={"other": b"x"}),
        httpx.post(url, content=b"", headers={"content-type": "audio/wav"}),
    ):
        assert (response.status_code, response.json()) == (400, {"error": "No file uploaded"})


def test_all_of_the_report_on_request(gateway, jfk):
    url = f"{gateway.url}/analyze-stress"
    short = httpx.post(url, files={"file": jfk}, timeout=60).json()
    full = httpx.post(url, files={"file": jfk}, params={"full": "true"}, timeout=60).json()
    assert abs(short["stress_level"] - full["stress_level"]) < 0.02
    assert len(full["windows"]) == 4
    assert full["model"]["name"] == "stress"


def test_a_raw_upload_will_do(gateway, jfk):
    response = httpx.post(
        f"{gateway.url}/analyze-stress", content=jfk, headers={"content-type": "audio/wav"}, timeout=60
    )
    assert set(response.json()) == {"stress_level", "status"}


def test_other_errors_say_it_in_both_forms(gateway, jfk):
    details = problem(httpx.post(f"{gateway.url}/analyze-stress", files={"file": jfk[:-1000]}), 422, "invalid-audio")
    assert details["error"] == details["detail"]
