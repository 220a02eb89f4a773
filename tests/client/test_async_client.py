"""AsyncStressClient against a real Triton: as StressClient, without ever holding up the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import time

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient
from voicestress import (
    AsyncStressClient,
    ContractError,
    DeadlineExceeded,
    InvalidAudio,
    NoSpeech,
    Overloaded,
    RetryPolicy,
    ServiceError,
    StressClient,
    Unavailable,
    UntrainedModelWarning,
)
from voicestress_audio import read_recording
from voicestress_triton import TritonServer

from tests.client.test_client import closed_port
from tests.conftest import CROWDED_MODEL, NOT_A_STRESS_MODEL, RANDOM_MODEL
from tests.paths import JFK_WAV


def using(server, use, **settings):
    """What ``use`` makes of a client in an event loop of its own."""

    async def run():
        async with AsyncStressClient(server.url, **{"model": "group_norm", **settings}) as client:
            return await use(client)

    return asyncio.run(run())


async def lateness_s(work):
    """How late the event loop was, each time it had to wake something up while ``work`` went on."""
    late = []

    async def tick():
        while True:
            asked = time.perf_counter()
            await asyncio.sleep(0.01)
            late.append(time.perf_counter() - asked - 0.01)

    ticking = asyncio.create_task(tick())
    await work
    ticking.cancel()
    return late


def test_it_gives_the_report_of_the_other_client(server, client, speech):
    for source in (JFK_WAV, JFK_WAV.read_bytes(), (speech, 16_000)):
        expected = client.analyze(source)
        report = using(server, lambda c, source=source: c.analyze(source))
        assert report.stress_level == pytest.approx(expected.stress_level, abs=1e-3)
        assert [w.start_s for w in report.windows] == [w.start_s for w in expected.windows]
        assert report.model == expected.model


def test_a_recording_that_was_read_already_is_scored(server, client):
    recording = read_recording(JFK_WAV, **client.contract().window_bounds)
    expected = client.analyze(JFK_WAV)
    assert client.score(recording).stress_level == pytest.approx(expected.stress_level, abs=1e-3)
    scored = using(server, lambda c: c.score(recording))
    assert scored.stress_level == pytest.approx(expected.stress_level, abs=1e-3)


def test_many_recordings_at_once(server, client):
    expected = client.analyze(JFK_WAV).stress_level

    async def many(c):
        return await asyncio.gather(*(c.analyze(JFK_WAV) for _ in range(40)))

    assert [report.stress_level for report in using(server, many)] == [pytest.approx(expected, abs=1e-3)] * 40


def test_the_event_loop_is_never_held_up(server, speech):
    """While ten minutes are decoded, searched for speech and scored, the loop turns."""
    long = np.tile(speech, 55)

    async def beside(c):
        await c.contract()
        return await lateness_s(c.analyze((long, 16_000)))

    late = using(server, beside, in_flight=4)
    assert len(late) > 50
    assert np.percentile(late, 99) < 0.1


def test_cancelling_reaches_the_server(server, speech):
    """What was cancelled while it queued is never computed."""

    def counted():
        with InferenceServerClient(server.url) as triton:
            statistics = triton.get_inference_statistics("group_norm").model_stats[0]
        return statistics.inference_count

    windows = 400
    recording = (np.tile(speech, 110), 16_000)

    async def cancelled(c):
        await c.contract()
        task = asyncio.create_task(c.analyze(recording, speech_detection=False))
        while counted() < before + 8:
            await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    before = counted()
    using(server, cancelled, in_flight=200)
    time.sleep(1)
    after = counted()
    time.sleep(1)
    assert counted() == after, "the server goes on"
    assert after - before < windows * 0.75


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"model": "nobody"}, ContractError),
        ({"model": NOT_A_STRESS_MODEL}, ContractError),
        ({"model": CROWDED_MODEL, "retries": RetryPolicy(attempts=1)}, Overloaded),
    ],
)
def test_errors_are_those_of_the_other_client(server, speech, settings, error):
    with pytest.raises(error):
        using(server, lambda c: c.analyze((np.tile(speech, 3), 16_000)), **settings)


def test_bad_audio_is_refused(server, tmp_path):
    (tmp_path / "call.wav").write_text("not a recording")
    with pytest.raises(InvalidAudio, match=r"call\.wav"):
        using(server, lambda c: c.analyze(tmp_path / "call.wav"))
    with pytest.raises(NoSpeech):
        using(server, lambda c: c.analyze((np.zeros(48_000, np.int16), 16_000)))


def test_nothing_there_is_unavailable_soon():
    async def ask():
        async with AsyncStressClient(f"127.0.0.1:{closed_port()}", deadline_s=2.0) as client:
            await client.analyze(JFK_WAV)

    start = time.monotonic()
    with pytest.raises((Unavailable, DeadlineExceeded)):
        asyncio.run(ask())
    assert time.monotonic() - start < 4


def test_all_who_ask_a_dead_service_are_told_at_the_same_time():
    async def ask():
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            async with AsyncStressClient(f"127.0.0.1:{silent.getsockname()[1]}", deadline_s=1.0) as client:
                start = time.monotonic()
                errors = await asyncio.gather(*(client.analyze(JFK_WAV) for _ in range(8)), return_exceptions=True)
                return errors, time.monotonic() - start

    errors, took_s = asyncio.run(ask())
    assert all(isinstance(error, (Unavailable, DeadlineExceeded)) for error in errors)
    assert took_s < 2.5


def test_a_new_version_of_the_model_is_read_by_its_own_contract_by_all(repository, tmp_path):
    """Recordings that are scored at the same time when the version changes; and a stream that began before."""
    shutil.copytree(repository / "group_norm", tmp_path / "group_norm")
    config = tmp_path / "group_norm" / "config.pbtxt"
    port = closed_port()

    def serving():
        return TritonServer(tmp_path, port=port)

    async def both():
        async with AsyncStressClient(f"127.0.0.1:{port}", model="group_norm") as client:
            with serving():
                before = await client.analyze(JFK_WAV)
                stream = await open_streams.enter_async_context(client.stream(16_000))
            (tmp_path / "group_norm" / "1").rename(tmp_path / "group_norm" / "2")
            config.write_text(config.read_text().replace("[0.0, 0.5, 1.0]", "[1.0, 0.5, 0.0]"))
            with serving():
                after = await asyncio.gather(*(client.analyze(JFK_WAV) for _ in range(6)))
                with pytest.raises(ServiceError, match="replaced"):
                    await push_and_finish(stream, JFK_WAV.read_bytes()[44:])
            return before, after

    async def run():
        nonlocal open_streams
        async with contextlib.AsyncExitStack() as open_streams:
            return await both()

    async def push_and_finish(stream, raw):
        await stream.push(raw)
        await stream.finish()

    open_streams = None
    before, after = asyncio.run(run())
    assert {report.model.version for report in after} == {"2"}
    assert [report.stress_level for report in after] == [pytest.approx(100 - before.stress_level, abs=0.01)] * 6


def test_it_tells_whether_the_model_is_ready(server):
    away = f"127.0.0.1:{closed_port()}"
    for urls, model, ready in [
        ([away, server.url], "group_norm", True),
        (server.url, "nobody", False),
        (away, "group_norm", False),
    ]:
        with StressClient(urls, model=model) as client:
            assert client.is_ready() is ready

        async def ask(urls=urls, model=model):
            async with AsyncStressClient(urls, model=model) as client:
                return await client.is_ready()

        assert asyncio.run(ask()) is ready


def test_a_model_with_random_weights_warns(server):
    with pytest.warns(UntrainedModelWarning, match=r"test_async|random"):
        report = using(server, lambda c: c.analyze(JFK_WAV), model=RANDOM_MODEL)
    assert report.model.weights == "random"
