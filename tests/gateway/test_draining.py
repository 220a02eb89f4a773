"""SIGTERM: readiness goes first, then new requests, and what is in flight finishes."""

from __future__ import annotations

import json
import signal
import threading
import time

import httpx
from websockets.sync.client import connect

from tests.gateway.conftest import problem, running
from tests.gateway.test_clients import HEAD, connected
from tests.gateway.test_streams import rest


def slow_upload(url: str, content: bytes, may_end: threading.Event, answers: list[httpx.Response]) -> threading.Thread:
    """Begins an upload that ends when it may."""
    started = threading.Event()

    def pieces():
        yield content[:1000]
        started.set()
        may_end.wait(30)
        yield content[1000:]

    def send():
        headers = {"content-type": "audio/wav"}
        answers.append(httpx.post(f"{url}/v1/analyses", content=pieces(), headers=headers, timeout=60))

    thread = threading.Thread(target=send)
    thread.start()
    started.wait(10)
    return thread


def wait_in_flight(gateway, count: int) -> None:
    end_s = time.monotonic() + 10
    while gateway.metric("in_flight") != count and time.monotonic() < end_s:
        time.sleep(0.05)
    assert gateway.metric("in_flight") == count


def test_it_drains_in_order(server, logs_folder, jfk):
    with running(logs_folder, server.url, "--drain-delay-s", "1.5") as gateway:
        may_end, answers = threading.Event(), []
        thread = slow_upload(gateway.url, jfk, may_end, answers)
        wait_in_flight(gateway, 1)
        gateway.process.send_signal(signal.SIGTERM)
        time.sleep(0.4)
        assert httpx.get(f"{gateway.url}/readyz").status_code == 503  # first this,
        files = {"file": jfk}
        response = httpx.post(f"{gateway.url}/v1/analyses", files=files, timeout=60)
        assert response.status_code == 200  # while requests are still taken,
        assert response.headers["connection"] == "close"
        time.sleep(1.6)
        response = httpx.post(f"{gateway.url}/v1/analyses", files=files, timeout=60)
        problem(response, 503, "draining")  # then no more,
        assert "retry-after" in response.headers
        may_end.set()
        thread.join()
        assert answers[0].status_code == 200  # and what was in flight is answered
        assert gateway.process.wait(5) == 0


def test_an_idle_gateway_ends_at_once(server, logs_folder):
    for number in (signal.SIGTERM, signal.SIGINT):
        with running(logs_folder, server.url) as gateway, httpx.Client() as client:
            client.get(f"{gateway.url}/healthz")  # and keeps the connection
            started_s = time.monotonic()
            gateway.process.send_signal(number)
            assert gateway.process.wait(5) == 0
            assert time.monotonic() - started_s < 3


def test_it_ends_in_time_whatever_is_in_flight(server, logs_folder, jfk):
    with running(logs_folder, server.url, "--drain-s", "1.5") as gateway, connected(gateway) as stuck:
        stuck.sendall(HEAD.format(len(jfk)).encode() + jfk[:1000])
        wait_in_flight(gateway, 1)
        gateway.process.send_signal(signal.SIGTERM)
        gateway.process.wait(6)
        stuck.settimeout(1)
        assert b"HTTP/1.1 200" not in stuck.recv(4096)


def test_a_live_stream_comes_to_its_report(server, logs_folder, speech):
    with running(logs_folder, server.url, "--drain-s", "4") as gateway:
        with connect(f"ws://{gateway.address}/v1/stream?rate=16000") as socket:
            socket.send(speech.tobytes())
            while json.loads(socket.recv(timeout=20))["type"] != "update":
                continue
            gateway.process.send_signal(signal.SIGTERM)
            messages, code = rest(socket)
        assert (messages[-1]["type"], code) == ("report", 1001)
        assert gateway.process.wait(6) == 0
