"""Many clients, slow ones, and those that vanish: nobody holds up the others, and nothing is left of them."""

from __future__ import annotations

import asyncio
import socket
import time

import httpx

from tests.gateway.conftest import problem, wav

HEAD = "POST /v1/analyses HTTP/1.1\r\nHost: x\r\nContent-Type: audio/wav\r\nContent-Length: {}\r\n\r\n"


def connected(gateway) -> socket.socket:
    host, port = gateway.address.split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def settled(gateway) -> None:
    """Wait until nothing is in flight any more."""
    end_s = time.monotonic() + 20
    while (gateway.metric("in_flight") or gateway.metric("upload_memory_bytes")) and time.monotonic() < end_s:
        time.sleep(0.1)
    assert gateway.metric("in_flight") == 0
    assert gateway.metric("upload_memory_bytes") == 0


def test_two_hundred_uploads_at_once(gateway, speech):
    spoken = wav(speech[16_000:64_000])

    async def all_at_once():
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(limits=limits, timeout=120) as client:
            return await asyncio.gather(
                *(client.post(f"{gateway.url}/v1/analyses", files={"file": spoken}) for _ in range(200))
            )

    responses = asyncio.run(all_at_once())
    assert [response.status_code for response in responses] == [200] * 200
    levels = [response.json()["stress_level"] for response in responses]
    assert max(levels) - min(levels) < 1e-3
    settled(gateway)


def test_clients_that_trickle_are_ended_and_hold_up_nobody(small_gateway, jfk):
    slow = [connected(small_gateway) for _ in range(50)]
    for each in slow:
        each.sendall(HEAD.format(len(jfk)).encode() + jfk[:100])
    started_s = time.monotonic()
    assert httpx.post(f"{small_gateway.url}/v1/analyses", files={"file": jfk}, timeout=30).status_code == 200
    assert time.monotonic() - started_s < 3
    for at, each in enumerate(slow):
        while b"HTTP/1.1 408 " not in (answer := each.recv(4096)):  # one byte after the other, until it ends
            each.sendall(jfk[at : at + 1])
        assert b"upload-timeout" in answer + each.recv(4096)
        each.close()
    settled(small_gateway)


def test_an_upload_that_never_pauses_has_an_end_too(small_gateway, jfk):
    with connected(small_gateway) as slow:
        slow.sendall(HEAD.format(len(jfk)).encode())
        slow.settimeout(0.2)
        started_s, answer = time.monotonic(), b""
        while not answer and time.monotonic() - started_s < 10:
            slow.sendall(jfk[:10])
            try:
                answer = slow.recv(4096)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert 2 < time.monotonic() - started_s < 6


def test_a_head_that_never_ends_is_ended(small_gateway):
    with connected(small_gateway) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ")
        started_s = time.monotonic()
        assert slow.recv(100) == b""
        assert time.monotonic() - started_s < 5


def test_clients_that_vanish_half_way_leave_nothing(small_gateway, jfk):
    for sent in (0, 100, 200_000, len(jfk)):
        for _ in range(20):
            with connected(small_gateway) as vanishing:
                vanishing.sendall(HEAD.format(len(jfk)).encode() + jfk[:sent])
    settled(small_gateway)
    assert httpx.post(f"{small_gateway.url}/v1/analyses", files={"file": jfk}, timeout=30).status_code == 200


def test_who_announces_too_much_is_told_before_sending_it(small_gateway):
    with connected(small_gateway) as asking:
        head = HEAD.format(10 * 2**20).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n")
        asking.sendall(head.encode())
        assert asking.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_what_is_no_http_is_refused(gateway):
    with connected(gateway) as confused:
        confused.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
        assert confused.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert httpx.get(f"{gateway.url}/healthz").status_code == 200


def test_memory_for_uploads_is_bounded_together(server, logs_folder, jfk):
    from tests.gateway.conftest import running

    with running(logs_folder, server.url, "--memory-mb", "1") as narrow:
        held = [connected(narrow) for _ in range(3)]
        for each in held:
            each.sendall(HEAD.format(len(jfk)).encode() + jfk[:-1])
        time.sleep(0.5)
        response = httpx.post(f"{narrow.url}/v1/analyses", files={"file": jfk}, timeout=30)
        problem(response, 503, "busy")
        assert "retry-after" in response.headers
        for each in held:
            each.close()
        settled(narrow)
