"""Three Tritons under load: one is killed, one is stopped, both come back, and no caller notices."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from contextlib import ExitStack

import pytest
from tritonclient.grpc import InferenceServerClient
from voicestress import AsyncStressClient, RetryPolicy, StressClient, StressError, Unavailable
from voicestress_audio import read_recording
from voicestress_triton import TritonServer

from tests.client.test_client import closed_port
from tests.paths import JFK_WAV, MODEL_REPOSITORY

EVEN_WITHIN_S = 10.0
CALLERS = 12


def inference_count(url):
    with InferenceServerClient(url) as triton:
        return triton.get_inference_statistics("stress").model_stats[0].inference_count


def start(port=0):
    return TritonServer(MODEL_REPOSITORY, models=["stress"], port=port).start()


@pytest.fixture
def replicas():
    with ExitStack() as running:
        servers = [start() for _ in range(3)]
        for number in range(3):
            running.callback(lambda number=number: servers[number].stop())
        yield servers


def is_free(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


class Callers(threading.Thread):
    """Callers in an event loop of their own, each asking again as soon as it has its answer, until told to stop."""

    def __init__(self, urls):
        super().__init__()
        self.urls, self.over = urls, threading.Event()
        self.reports, self.failures = [], []

    def run(self):
        asyncio.run(self._call())

    async def _call(self):
        async with AsyncStressClient(self.urls, deadline_s=20.0) as client:
            recording = read_recording(JFK_WAV, **(await client.contract()).window_bounds)

            async def call():
                while not self.over.is_set():
                    try:
                        self.reports.append((time.monotonic(), await client.score(recording)))
                    except StressError as error:
                        self.failures.append(error)

            await asyncio.gather(*(call() for _ in range(CALLERS)))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(timeout=60)


def counted_while_calling(callers, servers, seconds):
    before = [inference_count(server.url) for server in servers]
    time.sleep(seconds)
    assert not callers.failures
    return [inference_count(server.url) - count for server, count in zip(servers, before, strict=True)]


def is_even(counts):
    """Whether each has its share within 10 %."""
    share = sum(counts) / len(counts)
    return all(abs(count - share) <= 0.1 * share for count in counts)


@pytest.mark.timeout(240)
def test_no_request_fails_when_servers_are_killed_stopped_and_started_again(replicas):
    urls = [server.url for server in replicas]
    ports = [int(url.rpartition(":")[2]) for url in urls]
    with Callers(urls) as callers:
        time.sleep(2)
        assert is_even(counted_while_calling(callers, replicas, 4))

        os.kill(replicas[0].pid, signal.SIGKILL)
        time.sleep(2)
        assert is_even(counted_while_calling(callers, replicas[1:], 4)), "the living ones share"

        replicas[1].stop()  # SIGTERM: it drains
        time.sleep(1)
        calls = len(callers.reports)
        time.sleep(2)
        assert len(callers.reports) > calls, "the last one answers"
        assert not callers.failures

        replicas[0].stop()
        replicas[0], replicas[1] = start(ports[0]), start(ports[1])
        time.sleep(EVEN_WITHIN_S)
        counts = counted_while_calling(callers, replicas, 5)
        assert is_even(counts), counts
    assert not callers.failures
    assert not callers.is_alive()
    levels = {round(report.stress_level, 2) for _, report in callers.reports}
    assert max(levels) - min(levels) <= 0.01


@pytest.mark.parametrize("kind", [pytest.param("threads", marks=pytest.mark.slow), "asyncio"])
def test_a_server_that_hangs_is_made_up_for_by_a_second_call(server, kind):
    """One of two is stopped in its tracks; without second calls its windows would wait for their deadline."""
    policy = RetryPolicy(second_after_s=0.3)
    with TritonServer(MODEL_REPOSITORY, models=["stress"]) as hanging:
        urls = [server.url, hanging.url]
        with StressClient(urls, deadline_s=30.0, retries=policy) as client:
            expected = client.analyze(JFK_WAV)
            recording = read_recording(JFK_WAV, **client.contract().window_bounds)

            async def ask():
                async with AsyncStressClient(urls, deadline_s=30.0, retries=policy) as other:
                    await other.contract()
                    os.kill(hanging.pid, signal.SIGSTOP)
                    return await other.score(recording)

            start_s = time.monotonic()
            try:
                if kind == "asyncio":
                    report = asyncio.run(ask())
                else:
                    os.kill(hanging.pid, signal.SIGSTOP)
                    report = client.score(recording)
                assert time.monotonic() - start_s < 10
            finally:
                os.kill(hanging.pid, signal.SIGCONT)
    assert report.stress_level == pytest.approx(expected.stress_level, abs=1e-3)


def test_a_client_may_start_while_some_servers_are_away(server):
    away = [f"127.0.0.1:{closed_port()}" for _ in range(2)]
    with StressClient([*away, server.url], model="group_norm") as client:
        for _ in range(3):
            client.analyze(JFK_WAV)


def test_a_client_waits_for_a_server_that_is_about_to_start():
    port = next(port for port in range(20_000, 30_000) if is_free(port))  # of a range no client's own end is in
    with ExitStack() as running:

        def start_late():
            time.sleep(0.3)
            running.callback(start(port).stop)

        late = threading.Thread(target=start_late)
        late.start()
        patient = RetryPolicy(attempts=100, first_delay_s=0.5)
        with StressClient(f"127.0.0.1:{port}", deadline_s=60.0, retries=patient) as client:
            assert client.analyze(JFK_WAV).windows
        late.join()


def test_where_all_are_away_it_is_unavailable():
    urls = [f"127.0.0.1:{closed_port()}" for _ in range(3)]
    start_s = time.monotonic()
    with StressClient(urls, deadline_s=2.0) as client, pytest.raises(Unavailable, match="gave up"):
        client.analyze(JFK_WAV)
    assert time.monotonic() - start_s < 4
