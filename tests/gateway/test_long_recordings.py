"""Long recordings are read in processes of their own, and hold up nobody: short ones, their clients, the end."""

from __future__ import annotations

import asyncio
import http.client
import io
import resource
import signal
import socket
import statistics
import threading
import time
from contextlib import suppress

import aiohttp
import httpx
import numpy as np
import psutil
import pytest
from voicestress import StressClient

from tests.gateway.conftest import problem, running, wav
from tests.gateway.hours import spoken_flac, spoken_webm
from tests.gateway.test_clients import HEAD, connected, settled
from tests.preprocess.media import encode_kind

AUDIO = {"content-type": "audio/flac"}
HOUR_S = 3_600
# Short recordings, beside several of an hour: what they may wait on two cores that other tests use, too.
MEDIAN_S, P95_S = 0.25, 1.0


@pytest.fixture(scope="module")
def patient_gateway(server, logs_folder):
    """One that takes hours."""
    with running(logs_folder, server.url, "--longest-audio-s", "4000", "--analysis-s", "280") as started:
        yield started


@pytest.fixture(scope="module")
def minute(speech) -> bytes:
    return spoken_flac(speech, 66.0)


@pytest.fixture(scope="module")
def hour(speech) -> bytes:
    return spoken_flac(speech, HOUR_S)


@pytest.fixture(scope="module")
def opus_hour(speech) -> bytes:
    return spoken_webm(speech, HOUR_S)


def post(gateway, content: bytes) -> httpx.Response:
    return httpx.post(f"{gateway.url}/v1/analyses", content=content, headers=AUDIO, timeout=300)


def readers(gateway) -> list[psutil.Process]:
    """The processes that read for a gateway."""
    found = []
    for child in psutil.Process(gateway.process.pid).children():
        try:
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def at_work(gateway) -> list[psutil.Process]:
    """Those that have something to read: all started by now, and used more than their start takes."""
    busy = []
    for reader in readers(gateway):
        try:
            before_s = sum(reader.cpu_times()[:2])
            time.sleep(0.2)
            busy += [reader] if sum(reader.cpu_times()[:2]) - before_s > 0.02 else []
        except psutil.NoSuchProcess:
            continue
    return busy


def wait_until(true, within_s: float = 20.0) -> None:
    end_s = time.monotonic() + within_s
    while not (is_so := true()) and time.monotonic() < end_s:
        time.sleep(0.05)
    assert is_so


class InBackground:
    """An upload by a thread; ``leave`` ends it without a word."""

    def __init__(self, gateway, content: bytes) -> None:
        self._socket = connected(gateway)
        self._socket.settimeout(300)
        self._code, self.answer = 0, b""
        self._thread = threading.Thread(target=self._send, args=(content,))
        self._thread.start()

    def _send(self, content: bytes) -> None:
        with suppress(OSError, http.client.HTTPException), self._socket:  # it may be left
            self._socket.sendall(HEAD.format(len(content)).encode() + content)
            response = http.client.HTTPResponse(self._socket)
            response.begin()
            self._code, self.answer = response.status, response.read()

    def leave(self) -> None:
        with suppress(OSError):  # it may have been left itself
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)

    def status(self) -> int:
        self._thread.join(300)
        return self._code


def test_a_long_recording_gets_the_report_of_the_client(patient_gateway, server, minute):
    response = post(patient_gateway, minute)
    assert response.status_code == 200, response.text
    assert len(readers(patient_gateway)) == 1
    with StressClient(server.url) as client:
        expected = client.analyze(minute)
    report = response.json()
    assert report["stress_level"] == pytest.approx(expected.stress_level, abs=1e-3)
    assert [window["start_s"] for window in report["windows"]] == [window.start_s for window in expected.windows]


def test_a_length_that_only_decoding_tells_is_found_too(patient_gateway, speech):
    webm = encode_kind(np.tile(speech, 4) / 32768, 16_000, "webm, live")
    report = post(patient_gateway, webm).json()
    assert report["duration_s"] == pytest.approx(44.0, abs=0.1)


def test_short_recordings_need_no_process(server, logs_folder, jfk):
    with running(logs_folder, server.url) as gateway:
        assert post(gateway, jfk).status_code == 200
        assert readers(gateway) == []


def test_what_is_known_to_be_too_long_is_refused_without_a_process(server, logs_folder, minute):
    with running(logs_folder, server.url, "--longest-audio-s", "40") as gateway:
        problem(post(gateway, minute), 413, "too-long")
        assert readers(gateway) == []


def test_a_broken_long_recording_is_422(patient_gateway, minute):
    details = problem(post(patient_gateway, minute[:-30_000]), 422, "invalid-audio")
    assert details["detail"].startswith("recording: is cut off")


def test_a_reader_that_is_killed_is_replaced(patient_gateway, hour):
    upload = InBackground(patient_gateway, hour)
    wait_until(lambda: at_work(patient_gateway))
    for reader in readers(patient_gateway):
        reader.kill()
    wait_until(lambda: at_work(patient_gateway))  # it is read again
    while not upload.answer:  # and kills each that reads it
        for reader in readers(patient_gateway):
            reader.kill()
        time.sleep(0.05)
    assert upload.status() == 422
    assert b"processes died" in upload.answer
    assert patient_gateway.process.poll() is None


def decoders(gateway) -> list[psutil.Process]:
    """The processes that decode for its readers."""
    return [child for reader in readers(gateway) for child in reader.children()]


def test_nothing_is_read_for_who_has_left(patient_gateway, hour, opus_hour):
    uploads = [InBackground(patient_gateway, each) for each in (opus_hour, hour, hour)]
    wait_until(lambda: len(at_work(patient_gateway)) == 2 and decoders(patient_gateway))
    of_it = decoders(patient_gateway)
    for upload in uploads:
        upload.leave()
    wait_until(lambda: not readers(patient_gateway), within_s=5)
    wait_until(lambda: not any(is_alive(decoder) for decoder in of_it), within_s=5)
    settled(patient_gateway)


def test_whose_turn_does_not_come_is_503_and_who_takes_too_long_504(server, logs_folder, hour):
    with running(
        logs_folder, server.url, "--long-at-once", "1", "--analysis-s", "2", "--longest-audio-s", "4000"
    ) as hasty:
        first = InBackground(hasty, hour)
        wait_until(lambda: readers(hasty))
        response = post(hasty, hour)
        problem(response, 503, "busy")
        assert "retry-after" in response.headers
        assert first.status() == 504
        wait_until(lambda: not readers(hasty), within_s=5)


def test_sigterm_lets_a_long_recording_finish_and_leaves_no_process(server, logs_folder, speech):
    with running(logs_folder, server.url) as gateway:
        upload = InBackground(gateway, spoken_flac(speech, 600))
        wait_until(lambda: at_work(gateway))
        of_it = psutil.Process(gateway.process.pid).children(recursive=True)
        gateway.process.send_signal(signal.SIGTERM)
        assert upload.status() == 200
        assert gateway.process.wait(5) == 0
        wait_until(lambda: not any(is_alive(child) for child in of_it), within_s=3)


def test_a_killed_gateway_leaves_no_reader(server, logs_folder, hour):
    with running(logs_folder, server.url, "--longest-audio-s", "4000") as gateway:
        upload = InBackground(gateway, hour)
        wait_until(lambda: at_work(gateway))
        of_it = readers(gateway)
        gateway.process.kill()
        wait_until(lambda: not any(is_alive(reader) for reader in of_it), within_s=5)
        upload.leave()


async def waited_s(gateway, spoken: bytes, count: int) -> list[float]:
    """How long each of ``count`` short uploads took, one after the other."""
    waits = []
    async with aiohttp.ClientSession() as session:
        for _ in range(count):
            started_s = time.perf_counter()
            async with session.post(f"{gateway.url}/v1/analyses", data=io.BytesIO(spoken), headers=AUDIO) as response:
                assert response.status == 200, await response.text()
                await response.read()
            waits.append(time.perf_counter() - started_s)
    return sorted(waits)


def described(waits: list[float]) -> str:
    median, p95 = statistics.median(waits), waits[int(0.95 * len(waits))]
    return f"median {1000 * median:.0f} ms, p95 {1000 * p95:.0f} ms, most {1000 * waits[-1]:.0f} ms"


def check_short_ones_go_on(gateway, spoken: bytes, hours: list[bytes], count: int) -> list[InBackground]:
    alone = asyncio.run(waited_s(gateway, spoken, count))
    uploads = [InBackground(gateway, each) for each in hours]
    wait_until(lambda: len(at_work(gateway)) == 2)
    beside = asyncio.run(waited_s(gateway, spoken, count))
    print(f"short ones alone: {described(alone)}; beside {len(hours)} hours: {described(beside)}")  # noqa: T201
    assert not any(upload.answer for upload in uploads)  # they were at work all the time
    assert statistics.median(beside) < MEDIAN_S, beside
    assert beside[int(0.95 * count)] < P95_S, beside
    return uploads


def test_four_hours_at_once_do_not_hold_up_short_recordings(patient_gateway, speech, hour):
    uploads = check_short_ones_go_on(patient_gateway, wav(speech[:80_000]), [hour] * 4, 40)
    for upload in uploads:
        upload.leave()
    wait_until(lambda: not readers(patient_gateway), within_s=5)
    settled(patient_gateway)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_four_hours_in_two_formats_are_scored_and_do_not_hold_up_short_recordings(
    patient_gateway, speech, hour, opus_hour
):
    uploads = check_short_ones_go_on(patient_gateway, wav(speech[:80_000]), [hour, opus_hour, hour, opus_hour], 100)
    while not all(upload.answer for upload in uploads):  # also while they are scored
        waits = asyncio.run(waited_s(patient_gateway, wav(speech[:80_000]), 20))
        print(f"further: {described(waits)}")  # noqa: T201
        assert statistics.median(waits) < MEDIAN_S, waits
    assert [upload.status() for upload in uploads] == [200] * 4
    settled(patient_gateway)


def test_uploads_are_never_on_disk(server, logs_folder, jfk, minute, speech):
    """No process of this gateway may write to files: the system refuses it."""
    with running(logs_folder, server.url) as diskless:
        resource.prlimit(diskless.process.pid, resource.RLIMIT_FSIZE, (0, 0))
        for content in (jfk, minute, encode_kind(speech / 32768, 16_000, "webm")):
            assert post(diskless, content).status_code == 200
        large = wav(np.tile(speech, 60))  # 21 MB, far more than what forms are usually held in memory
        form = httpx.post(f"{diskless.url}/analyze-stress", files={"file": ("x.wav", large)}, timeout=60)
        assert form.status_code == 200
        (reader,) = readers(diskless)
        assert reader.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
