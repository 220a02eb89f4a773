"""API keys: who may ask, how often, and how much at once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import httpx
import pytest
from voicestress_gateway.keys import EVERYBODY, KeyRing, digest_of, new_key, read_keys
from voicestress_gateway.problems import Problem
from voicestress_gateway.quotas import Quotas
from voicestress_gateway.settings import GatewaySettings

from tests.gateway.conftest import problem, running, wav

ALICE, BOB, CAROL = new_key(), new_key(), new_key()


@pytest.fixture(scope="module")
def guarded(server, logs_folder):
    """Alice may ask as often as she likes, Bob three times a minute, Carol once at a time."""
    file = logs_folder / "keys"
    file.write_text(f"# who may ask\nalice {digest_of(ALICE)} 0 0\n\nbob {digest_of(BOB)} 3\n")
    environment = {"VOICESTRESS_GATEWAY_KEYS": f"carol {digest_of(CAROL)} 0 1;"}
    with running(logs_folder, server.url, "--keys-file", str(file), environment=environment) as started:
        yield started


def ask(gateway, **headers) -> httpx.Response:
    silence = wav([0.0] * 16_000)
    headers = {"content-type": "audio/wav", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return httpx.post(f"{gateway.url}/v1/analyses", content=silence, headers=headers, timeout=60)


def test_nobody_asks_without_a_key(guarded):
    for headers in (
        {},
        {"authorization": f"Bearer {new_key()}"},
        {"x_api_key": ""},
        {"authorization": f"Basic {ALICE}"},
    ):
        response = ask(guarded, **headers)
        problem(response, 401, "unauthorized")
        assert response.headers["www-authenticate"] == "Bearer"
    problem(httpx.post(f"{guarded.url}/analyze-stress", files={"file": b"x"}), 401, "unauthorized")


def test_a_key_comes_in_either_header(guarded):
    problem(ask(guarded, authorization=f"Bearer {ALICE}"), 422, "no-speech")
    problem(ask(guarded, x_api_key=ALICE), 422, "no-speech")


def test_probes_need_no_key(guarded):
    for path in ("/healthz", "/readyz", "/metrics", "/", "/openapi.json"):
        assert httpx.get(guarded.url + path).status_code == 200


def test_a_keys_rate_is_429_and_says_when_to_come_back(guarded):
    for _ in range(3):
        problem(ask(guarded, x_api_key=BOB), 422, "no-speech")
    response = ask(guarded, x_api_key=BOB)
    problem(response, 429, "rate-limited")
    assert 1 <= int(response.headers["retry-after"]) <= 20
    problem(ask(guarded, x_api_key=ALICE), 422, "no-speech")


def test_a_keys_concurrency_is_429(guarded, jfk):
    started, may_end = threading.Event(), threading.Event()

    def slowly():
        yield jfk[:1000]
        started.set()
        may_end.wait(10)
        yield jfk[1000:]

    def first():
        headers = {"x-api-key": CAROL, "content-type": "audio/wav"}
        responses.append(httpx.post(f"{guarded.url}/v1/analyses", content=slowly(), headers=headers, timeout=60))

    responses: list[httpx.Response] = []
    thread = threading.Thread(target=first)
    thread.start()
    started.wait(10)
    while True:  # the head may still be on its way
        response = ask(guarded, x_api_key=CAROL)
        if response.status_code == 429:
            break
    problem(response, 429, "too-many-at-once")
    assert "retry-after" in response.headers
    may_end.set()
    thread.join()
    assert responses[0].status_code == 200
    problem(ask(guarded, x_api_key=CAROL), 422, "no-speech")


def test_the_log_names_keys_and_does_not_hold_them(guarded):
    ask(guarded, x_api_key=ALICE)
    assert any(line.get("key") == "alice" for line in guarded.log())
    text = guarded.log_path.read_text()
    for key in (ALICE, BOB, CAROL):
        assert key not in text
        assert digest_of(key) not in text


def test_the_command_makes_a_key_and_its_line():
    made = subprocess.run(
        [sys.executable, "-m", "voicestress", "gateway-key", "dave"], capture_output=True, text=True, check=True
    )
    key = made.stderr.rpartition(" ")[2].strip()
    ring = read_keys(GatewaySettings(), {"VOICESTRESS_GATEWAY_KEYS": made.stdout})
    found = ring.find(key)
    assert found is not None
    assert (found.name, found.requests_a_minute, found.at_once) == ("dave", 600, 32)
    assert ring.find(key[:-1]) is None


def test_lines_that_are_no_keys_are_refused_and_not_repeated():
    for line in (f"eve {ALICE}", ALICE, f"eve {digest_of(ALICE)} many", f"two words {digest_of(ALICE)}"):
        with pytest.raises(ValueError, match="NAME SHA256") as caught:
            read_keys(GatewaySettings(), {"VOICESTRESS_GATEWAY_KEYS": line})
        assert ALICE not in str(caught.value)


def test_without_keys_everybody_may_ask():
    assert KeyRing([]).find(None) is EVERYBODY


def test_requests_are_earned_again_with_time():
    now_s = [0.0]
    quotas = Quotas(clock=lambda: now_s[0])
    key = read_keys(GatewaySettings(key_rate=60), {"VOICESTRESS_GATEWAY_KEYS": f"a {digest_of('a')}"}).find("a")
    for _ in range(60):
        with quotas.admitted(key):
            pass
    with pytest.raises(Problem), quotas.admitted(key):
        pass
    now_s[0] += 1.0
    with quotas.admitted(key):
        pass
    with pytest.raises(Problem), quotas.admitted(key):
        pass


def test_other_machines_get_in_only_with_keys_or_on_purpose(server):
    command = [sys.executable, "-m", "voicestress", "gateway", "--port", "0", "--host", "0.0.0.0", "--url", server.url]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1
    assert "no API keys" in refused.stderr


def told(gateway, event: str, count: int) -> list[dict]:
    """Its log lines of this ``event``, once there are so many."""
    end_s = time.monotonic() + 10
    while len(lines := [line for line in gateway.log() if line["event"] == event]) < count and time.monotonic() < end_s:
        time.sleep(0.05)
    assert len(lines) == count
    return lines


def test_changed_keys_count_without_a_restart_and_broken_ones_do_not(server, logs_folder):
    folder = logs_folder / "mounted"
    folder.mkdir()

    def mount(version: str, text: str) -> None:
        """As Kubernetes does it: a link to the file of another version takes the place of the link there was."""
        (folder / version).write_text(text)
        (folder / "next").symlink_to(version)
        (folder / "next").rename(folder / "keys")

    alice, bob = f"alice {digest_of(ALICE)} 0 0", f"bob {digest_of(BOB)} 0 0"
    mount("1", alice)
    with running(logs_folder, server.url, "--keys-file", str(folder / "keys"), "--keys-s", "0.1") as watching:
        problem(ask(watching, x_api_key=BOB), 401, "unauthorized")
        mount("2", f"{alice}\n{bob}\n")
        assert told(watching, "keys changed", 1)[0]["keys"] == 2
        for key in (ALICE, BOB):
            problem(ask(watching, x_api_key=key), 422, "no-speech")
        mount("3", f"{alice}\ncarol {CAROL}\n")  # the key itself, where its hash belongs
        assert told(watching, "keys unchanged", 1)[0]["keys"] == 2
        mount("4", "")
        told(watching, "keys unchanged", 2)
        (folder / "keys").unlink()
        assert "keys" in told(watching, "keys unchanged", 3)[-1]["reason"]
        for key in (ALICE, BOB):
            problem(ask(watching, x_api_key=key), 422, "no-speech")
        problem(ask(watching), 401, "unauthorized")
        mount("5", bob)
        told(watching, "keys changed", 2)
        problem(ask(watching, x_api_key=ALICE), 401, "unauthorized")
        problem(ask(watching, x_api_key=BOB), 422, "no-speech")
        text = watching.log_path.read_text()
    for key in (ALICE, BOB, CAROL):
        assert key not in text
        assert digest_of(key) not in text
