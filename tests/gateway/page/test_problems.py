"""Whatever goes wrong is explained in words, with a way on."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import soundfile
from playwright.sync_api import expect

from tests.gateway.page.conftest import KEY, LARGEST_UPLOAD_MB, LONGEST_AUDIO_S
from tests.paths import JFK_WAV

pytestmark = pytest.mark.slow


def test_no_speech_is_explained(visit, silence):
    here = visit()
    here.agree()
    here.choose(silence)
    told = here.problem()
    assert "No speech" in told
    assert "choose a recording with a voice in it" in told
    assert not here.page.get_by_role("button", name="Try again").is_visible()
    assert not here.page.locator("#result").is_visible()


def test_a_mute_microphone_is_explained(visit, launch, silence):
    browser = launch(
        [
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-audio-capture={silence}",
        ]
    )
    here = visit(of=browser)
    here.agree()
    here.speak(seconds=5.0)
    assert "muted" in here.page.locator("#result").inner_text()
    here.page.get_by_role("button", name="Stop", exact=True).click()
    assert "No speech" in here.problem()


def test_what_is_no_audio_is_explained(visit, tmp_path):
    path = tmp_path / "letter.wav"
    path.write_bytes(b"Dear friend, this is no recording.")
    here = visit()
    here.agree()
    here.choose(path)
    assert re.search("can't be (used|read)", here.problem())


def test_an_empty_file_is_not_sent(visit, tmp_path):
    path = tmp_path / "nothing.wav"
    path.touch()
    here = visit()
    here.agree()
    asked: list[str] = []
    here.page.on("request", lambda request: asked.append(request.url))
    here.choose(path)
    assert "empty" in here.problem()
    assert asked == []


def test_too_large_an_upload_is_explained(visit, tmp_path):
    path = tmp_path / "long.wav"
    path.write_bytes(JFK_WAV.read_bytes() + bytes(LARGEST_UPLOAD_MB * 2**20))
    here = visit()
    here.agree()
    here.choose(path)
    told = here.problem()
    assert "too large" in told.lower()
    assert "compressed format" in told


def test_too_long_a_recording_is_explained(visit, tmp_path):
    path = tmp_path / "hours.flac"
    soundfile.write(path, np.zeros(8_000 * (LONGEST_AUDIO_S + 20), dtype=np.int16), 8_000)
    here = visit()
    here.agree()
    here.choose(path)
    told = here.problem()
    assert "too long" in told.lower()
    assert "shorter part" in told


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_asked_again_when_it_says(visit, gateway_url, status):
    busy = {"type": "urn:voicestress:problem:busy", "title": "Gateway full", "status": status, "detail": "retry later"}
    here = visit()
    refuse = True

    def answer(route):
        headers = {"Content-Type": "application/problem+json", "Retry-After": "2"}
        route.fulfill(status=status, headers=headers, body=json.dumps(busy)) if refuse else route.continue_()

    here.page.route(f"{gateway_url}/v1/analyses", answer)
    here.agree()
    here.choose(JFK_WAV)
    assert "Gateway full" in here.problem()
    again = here.page.get_by_role("button", name="Try again")
    assert again.is_disabled()
    assert re.search(r"in \d s", again.inner_text())
    refuse = False
    expect(again).to_be_enabled(timeout=4000)
    again.click()
    here.wait_for_report()
    assert not here.page.get_by_role("alert").inner_text()


def test_an_answer_that_is_no_problem_document_is_explained_too(visit, gateway_url):
    here = visit()
    here.page.route(f"{gateway_url}/v1/analyses", lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"))
    here.agree()
    here.choose(JFK_WAV)
    assert "502" in here.problem()


def test_a_broken_connection_is_explained_and_tried_again(visit):
    here = visit()
    here.agree()
    here.page.context.set_offline(True)
    here.choose(JFK_WAV)
    assert "did not answer" in here.problem()
    here.page.context.set_offline(False)
    here.page.get_by_role("button", name="Try again").click()
    here.wait_for_report()


def test_a_live_connection_that_breaks_is_explained(visit, gateway_url):
    here = visit()
    here.page.route_web_socket(re.compile("/v1/stream"), lambda socket: socket.close(code=1011))
    here.agree()
    here.page.get_by_role("button", name="Speak").click()
    assert "did not answer" in here.problem()
    assert here.page.get_by_role("button", name="Speak").is_enabled()


def test_a_key_is_asked_for_and_kept_for_the_session_only(visit, locked_url):
    here = visit(locked_url)
    here.agree()
    here.choose(JFK_WAV)
    assert "API key" in here.problem()
    field = here.page.get_by_label("API key")
    assert field.evaluate("field => field === document.activeElement")
    here.page.keyboard.type("wrong")
    here.page.keyboard.press("Enter")
    expect(field).to_have_value("")
    expect(field).to_be_focused()
    assert "API key" in here.problem()
    field.fill(KEY)
    here.page.keyboard.press("Enter")
    here.wait_for_report()
    here.speak(seconds=6.0)  # the same key, in the subprotocol
    here.page.get_by_role("button", name="Stop", exact=True).click()
    here.page.get_by_role("heading", name="Your voice").wait_for()
    here.wait_for_report()
    assert here.page.evaluate("localStorage.length") == 0
    assert KEY not in here.page.content()


def test_a_live_recording_without_a_key_asks_for_it(visit, locked_url):
    here = visit(locked_url)
    here.agree()
    here.page.get_by_role("button", name="Speak").click()
    assert "API key" in here.problem()
    here.page.get_by_label("API key").fill(KEY)
    here.page.get_by_role("button", name="Use this key").click()
    here.page.get_by_role("button", name="Stop", exact=True).wait_for()


def test_a_refused_microphone_is_explained(visit, launch):
    here = visit(of=launch(["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream=deny"]))
    here.agree()
    here.page.get_by_role("button", name="Speak").click()
    assert "microphone was refused" in here.problem()


def test_no_microphone_is_explained(visit, launch):
    here = visit(of=launch(["--use-fake-ui-for-media-stream"]))
    here.agree()
    here.page.get_by_role("button", name="Speak").click()
    assert "No microphone was found" in here.problem()
