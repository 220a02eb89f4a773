"""A recording is dropped, chosen or spoken, and its report is there to see and to hear."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest
import soundfile
from playwright.sync_api import expect
from voicestress import StressClient

from tests.gateway.page.conftest import Visit
from tests.paths import JFK_WAV

DROP = """([name, type, sound]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([Uint8Array.from(atob(sound), (letter) => letter.charCodeAt(0))], name, { type }));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    const event = new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true });
    document.querySelector("h1").dispatchEvent(event);
  }
}"""


@pytest.fixture(scope="module")
def report(server):
    with StressClient(server.url, model="stress") as client:
        return client.analyze(JFK_WAV)


def drop(visit: Visit, path: Path) -> None:
    visit.page.evaluate(DROP, [path.name, "audio/wav", base64.b64encode(path.read_bytes()).decode()])


def cells(visit: Visit) -> list[list[str]]:
    rows = visit.page.get_by_role("table").locator("tbody tr")
    return [[" ".join(text.split()) for text in row.locator("th, td").all_inner_texts()] for row in rows.all()]


def outline(visit: Visit) -> str:
    return visit.page.locator(".spoken .outline").get_attribute("d") or ""


def test_a_chosen_file_is_reported_as_the_client_reports_it(visit, report):
    here = visit()
    here.score()
    shown = here.page.locator("#result").inner_text()
    assert "jfk.wav" in shown
    assert f"{report.stress_level:.1f}" in shown
    assert report.status in shown
    assert report.model.checkpoint in here.page.locator("footer").inner_text()
    expected = [
        [f"{w.speech_s:.1f}", f"{w.stress_level:.1f}", *(f"{100 * p:.0f}%" for p in w.emotions.values())]
        for w in report.windows
    ]
    assert [row[1:] for row in cells(here)] == expected
    assert outline(here).count("L") == 2 * min(800, round(50 * report.duration_s)) - 1
    assert here.page.get_by_role("img", name=re.compile("Sound")).count() == 1
    for label in report.emotions:
        assert here.page.get_by_role("img", name=re.compile(f"^{label}")).count() == 1


def test_a_dropped_file_is_scored(visit, report):
    here = visit()
    here.agree()
    drop(here, JFK_WAV)
    here.wait_for_report()
    assert f"{report.stress_level:.1f}" in here.page.locator("#result").inner_text()


def test_nothing_is_sent_before_consent(visit):
    here = visit()
    asked: list[str] = []
    here.page.on("request", lambda request: asked.append(request.url))
    here.page.on("websocket", lambda socket: asked.append(socket.url))
    drop(here, JFK_WAV)
    for name in ("Choose a file", "Speak"):
        here.page.get_by_role("button", name=name).click(force=True)
        assert "consent" in here.problem()
        assert here.page.get_by_role("checkbox").evaluate("box => box === document.activeElement")
    here.page.wait_for_timeout(300)
    assert asked == []
    assert "no diagnosis, no lie detector" in here.page.get_by_role("region", name="Before the first").inner_text()


def test_consent_lasts_as_long_as_the_tab_and_can_be_withdrawn(visit):
    here = visit()
    here.score()
    here.page.reload()
    assert here.page.get_by_role("checkbox").is_checked()
    assert here.page.evaluate("localStorage.length + document.cookie.length") == 0
    here.choose(JFK_WAV)
    here.wait_for_report()
    here.page.get_by_role("button", name="Withdraw consent").click()
    here.page.get_by_role("button", name="Choose a file").click(force=True)
    assert "consent" in here.problem()
    assert not visit().page.get_by_role("checkbox").is_checked()


def test_a_window_is_played_by_a_click_and_stops_at_its_end(visit, report):
    here = visit()
    here.score()
    window = here.page.get_by_role("button", name="Window 2 of 4")
    window.click()
    assert window.get_attribute("aria-pressed") == "true"
    here.page.get_by_role("button", name="Stop 0:03").wait_for()
    assert here.page.locator(".playhead").is_visible()
    expect(window).to_have_attribute("aria-pressed", "false", timeout=5000)
    assert not here.page.locator(".playhead").is_visible()
    here.page.get_by_role("button", name="Play all").click()
    here.page.get_by_role("button", name="Stop", exact=True).click()
    here.page.get_by_role("button", name="Play all").wait_for()


def test_what_the_browser_cannot_decode_is_scored_without_outline_and_sound(visit):
    here = visit()
    here.page.evaluate("() => { OfflineAudioContext.prototype.decodeAudioData = () => Promise.reject(new Error()); }")
    here.score()
    assert len(cells(here)) == 4
    assert "can't decode" in here.page.locator("#result").inner_text()
    assert here.page.locator(".wave").count() == 0
    assert here.page.get_by_role("img", name=re.compile("Level. 4 windows")).count() == 1
    assert here.page.get_by_role("button", name="Play").count() == 0


def test_another_recording_takes_the_place_of_the_last(visit, tmp_path):
    speech, rate_hz = soundfile.read(JFK_WAV, dtype="int16")
    path = tmp_path / "shorter <b>.wav"
    soundfile.write(path, speech[: 5 * rate_hz], rate_hz)
    here = visit()
    here.score()
    here.choose(path)
    here.page.get_by_role("heading", name="shorter <b>.wav").wait_for()
    assert len(cells(here)) < 4


def test_the_microphone_is_scored_while_it_is_heard(visit, report):
    here = visit()
    here.agree()
    here.speak(seconds=9.0)
    live = here.page.locator("#result").inner_text()
    assert "over the last 30 s" in live
    assert "neutral" in live
    assert f"High above {report.model.status_threshold:g}" in live
    assert here.page.locator("#result .badge").first.inner_text() in ("High", "Normal")
    assert outline(here)
    assert "Level" in here.page.get_by_role("status").inner_text()
    here.page.get_by_role("button", name="Stop", exact=True).click()
    here.wait_for_report()
    assert abs(report.windows[0].stress_level - float(cells(here)[0][2])) < 10  # the same voice, resampled twice
    here.page.get_by_role("button", name="Window 1 of").click()
    here.page.get_by_role("button", name="Stop 0:0").wait_for()


def test_live_windows_are_high_where_the_report_says_so(visit, gateway_url):
    """With a threshold that the stream gives, and no voice of a test reaches by itself."""
    here = visit()

    def lowered(route):
        server = route.connect_to_server()

        def tell(message):
            told = json.loads(message)
            route.send(json.dumps({**told, "status_threshold": 0.0} if told["type"] == "ready" else told))

        server.on_message(tell)

    here.page.route_web_socket(re.compile("/v1/stream"), lowered)
    here.agree()
    here.speak(seconds=6.0)
    assert here.page.locator("#result .badge").first.inner_text() == "High"
    assert here.page.locator(".level path.high").get_attribute("d")
    assert not here.page.locator(".level path.normal").get_attribute("d")


MEDIA_RECORDER = """async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const recorder = new MediaRecorder(stream, { mimeType: "audio/webm;codecs=opus" });
  const socket = new WebSocket(location.origin.replace("http", "ws") + "/v1/stream?format=webm");
  const messages = [];
  recorder.ondataavailable = ({ data }) => socket.send(data);
  recorder.onstop = () => socket.send(JSON.stringify({ type: "end" }));
  socket.onopen = () => { recorder.start(250); setTimeout(() => recorder.stop(), 9000); };
  return new Promise((resolve) => {
    socket.onmessage = ({ data }) => messages.push(JSON.parse(data));
    socket.onclose = () => resolve(messages);
  });
}"""


@pytest.mark.slow
def test_a_browsers_own_media_recorder_is_understood(visit, report):
    """As an app would use it; the page itself sends samples."""
    messages = visit().page.evaluate(MEDIA_RECORDER)
    kinds = [message["type"] for message in messages]
    assert kinds[0] == "ready"
    assert kinds[-1] == "report"
    assert kinds.count("update") >= 2
    heard = messages[-1]["report"]
    assert heard["duration_s"] == pytest.approx(9.0, abs=1.0)
    assert heard["stress_level"] == pytest.approx(report.stress_level, abs=15.0)


def test_a_recording_can_be_cancelled(visit):
    here = visit()
    here.agree()
    here.speak(seconds=1.0)
    here.page.get_by_role("button", name="Cancel").click()
    assert "Cancelled" in here.page.get_by_role("status").inner_text()
    assert not here.page.locator("#result").is_visible()
    here.speak(seconds=0.5)


def test_asking_for_the_microphone_can_be_cancelled(visit):
    here = visit()
    here.page.evaluate("() => { navigator.mediaDevices.getUserMedia = () => new Promise(() => {}); }")
    here.agree()
    here.page.get_by_role("button", name="Speak").click()
    here.page.get_by_role("button", name="Cancel").click()
    expect(here.page.get_by_role("status")).to_contain_text("Cancelled")
    here.choose(JFK_WAV)
    here.wait_for_report()


def test_a_recording_ends_by_itself_at_its_longest(visit, gateway_url):
    here = visit()
    html = here.page.request.get(gateway_url).text()
    shorter = html.replace("LONGEST_SPOKEN_S = 600", "LONGEST_SPOKEN_S = 6")
    assert shorter != html
    here.page.route(f"{gateway_url}/", lambda route: route.fulfill(body=shorter, content_type="text/html"))
    here.page.reload()
    here.agree()
    here.page.get_by_role("button", name="Speak").click()
    here.wait_for_report()
    assert "Recording stops after" in here.page.locator("#result").inner_text()
