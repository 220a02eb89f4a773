"""WS /v1/stream: live audio in, updates and the report out, and how it ends otherwise."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from socket import SHUT_RDWR

import httpx
import numpy as np
import pytest
from voicestress import StressReport, StressUpdate
from voicestress_gateway.keys import digest_of, new_key
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.gateway.conftest import running
from tests.preprocess.media import encode_kind

END = json.dumps({"type": "end"})


def opened(gateway, query: str = "rate=16000", **options):
    return connect(f"ws://{gateway.address}/v1/stream?{query}", open_timeout=20, **options)


def rest(socket) -> tuple[list[dict], int]:
    """What still comes, and the code it is closed with."""
    messages = []
    try:
        while True:
            messages.append(json.loads(socket.recv(timeout=60)))
    except ConnectionClosed:
        return messages, socket.close_code


def conversation(gateway, sound: bytes, query: str = "rate=16000", step: int = 3_200) -> tuple[list[dict], int]:
    with opened(gateway, query) as socket:
        with suppress(ConnectionClosed):  # it may end before all was sent
            for start in range(0, len(sound), step):
                socket.send(sound[start : start + step])
            socket.send(END)
        return rest(socket)


def problem_in(messages: list[dict]) -> str:
    assert messages[-1]["type"] == "problem"
    details = messages[-1]["problem"]
    assert details["request_id"]
    return details["type"].rpartition(":")[2]


def check(messages, code, expected):
    assert messages[0]["type"] == "ready"
    updates = [StressUpdate.model_validate(message["update"]) for message in messages[1:-1]]
    report = StressReport.model_validate(messages[-1]["report"])
    assert code == 1000
    assert [update.window for update in updates] == list(report.windows)
    assert report.duration_s == pytest.approx(expected["duration_s"], abs=0.05)
    assert report.stress_level == pytest.approx(expected["stress_level"], abs=3.0)


@pytest.fixture(scope="module")
def expected(gateway, jfk) -> dict:
    return httpx.post(f"{gateway.url}/v1/analyses", files={"file": jfk}, timeout=60).json()


def test_an_update_for_each_window_and_the_report(gateway, speech, expected):
    messages, code = conversation(gateway, speech.tobytes())
    check(messages, code, expected)
    assert messages[-1]["report"]["stress_level"] == pytest.approx(expected["stress_level"], abs=1e-3)


def test_two_channels_and_messages_that_end_inside_a_sample(gateway, speech, expected):
    stereo = np.repeat(speech, 2).tobytes()
    messages, code = conversation(gateway, stereo, "rate=16000&channels=2&format=s16le", step=3_331)
    check(messages, code, expected)


def test_what_media_recorder_makes(gateway, speech, expected):
    webm = encode_kind(speech / 32768, 16_000, "webm, live")
    messages, code = conversation(gateway, webm, "format=webm", step=2_000)
    check(messages, code, expected)


def test_updates_come_while_it_goes_on_in_either_format(gateway, speech):
    for query, sound in (
        ("rate=16000", speech.tobytes()),
        ("format=webm", encode_kind(speech / 32768, 16_000, "webm, live")),
    ):
        with opened(gateway, query) as socket:
            socket.send(sound[: len(sound) * 2 // 3])
            assert [json.loads(socket.recv(timeout=20))["type"] for _ in range(2)] == ["ready", "update"]


def test_a_stream_first_says_what_updates_mean(gateway, expected):
    with opened(gateway) as socket:
        ready = json.loads(socket.recv(timeout=20))
    model = expected["model"]
    assert ready == {
        "type": "ready",
        "labels": list(expected["emotions"]),
        **{name: model[name] for name in ("status_threshold", "heuristic", "weights")},
    }


def test_no_speech_is_a_problem_and_closes_with_1008(gateway):
    messages, code = conversation(gateway, bytes(64_000))
    assert (problem_in(messages), code) == ("no-speech", 1008)
    messages, code = conversation(gateway, b"")
    assert (problem_in(messages), code) == ("invalid-audio", 1008)


def test_what_is_no_webm_is_a_problem(gateway):
    messages, code = conversation(gateway, b"\x1a\x45\xdf\xa3" + bytes(50_000), "format=webm")
    assert (problem_in(messages), code) == ("invalid-audio", 1008)


@pytest.mark.parametrize("query", ["rate=1", "rate=fast", "channels=3", "format=mp3", "speech_detection=perhaps"])
def test_options_that_can_not_be_used_are_a_problem(gateway, query):
    with opened(gateway, query) as socket:
        messages, code = rest(socket)
    assert (problem_in(messages), code) == ("invalid-parameters", 1008)


def test_other_texts_are_a_problem(gateway):
    for text in ("end", '{"type": "stop"}', "[]"):
        with opened(gateway) as socket:
            socket.send(text)
            messages, code = rest(socket)
        assert (problem_in(messages), code) == ("invalid-parameters", 1008)


def test_who_says_nothing_is_left(small_gateway):
    with opened(small_gateway) as socket:
        messages, code = rest(socket)
    assert (problem_in(messages), code) == ("upload-timeout", 1008)


def test_a_stream_has_an_end_also_as_a_bomb(small_gateway):
    silence = encode_kind(np.zeros(120 * 8000), 8_000, "webm, live")
    for query, sound in (("rate=16000", bytes(40 * 32_000)), ("format=webm", silence)):
        messages, code = conversation(small_gateway, sound, query)
        assert (problem_in(messages), code) == ("too-long", 1008)


def test_messages_that_are_too_large_close_it(gateway):
    with opened(gateway) as socket:
        with suppress(ConnectionClosed):
            socket.send(bytes(2**21))
        assert rest(socket)[1] in (1009, 1006)


def test_only_so_many_streams_at_once(small_gateway, speech):
    with opened(small_gateway) as first, opened(small_gateway) as second:
        first.send(speech[:1600].tobytes())
        second.send(speech[:1600].tobytes())
        with opened(small_gateway) as third:
            messages, code = rest(third)
        assert (problem_in(messages), code) == ("busy", 1013)


def test_who_vanishes_frees_the_place(small_gateway, speech):
    for _ in range(6):
        with suppress(ConnectionClosed), opened(small_gateway) as socket:
            socket.send(speech.tobytes()[:64_000])
            socket.socket.shutdown(SHUT_RDWR)  # without a word
    end_s = time.monotonic() + 10
    while small_gateway.metric("streams") and time.monotonic() < end_s:
        time.sleep(0.1)
    assert small_gateway.metric("streams") == 0


def test_a_browser_gives_its_key_among_the_protocols(server, logs_folder, speech):
    key = new_key()
    environment = {"VOICESTRESS_GATEWAY_KEYS": f"browser {digest_of(key)}"}
    with running(logs_folder, server.url, environment=environment) as guarded:
        with opened(guarded, subprotocols=["voicestress.v1"]) as socket:
            messages, code = rest(socket)
        assert (problem_in(messages), code) == ("unauthorized", 1008)
        with opened(guarded, subprotocols=["voicestress.v1", f"key.{key}"]) as socket:
            assert socket.subprotocol == "voicestress.v1"
            socket.send(speech.tobytes())
            socket.send(END)
            assert rest(socket)[1] == 1000
        with opened(guarded, additional_headers={"Authorization": f"Bearer {key}"}) as socket:
            socket.send(END)
            assert problem_in(rest(socket)[0]) == "invalid-audio"


def test_pages_of_other_origins_open_no_stream(gateway):
    with pytest.raises(InvalidStatus) as caught:
        opened(gateway, origin="https://evil.example")
    assert caught.value.response.status_code == 403
    with opened(gateway, origin=gateway.url) as socket:
        socket.send(END)
        assert problem_in(rest(socket)[0]) == "invalid-audio"
