"""AsyncStressClient against a real Triton: as StressClient, without ever holding up the event loop."""

from __future__ import annotations

import asyncio
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
    Unavailable,
    UntrainedModelWarning,
)
from voicestress_audio import read_recording

from tests.client.test_client import closed_port
from tests.conftest import CROWDED_MODEL, NOT_A_STRESS_MODEL, RANDOM_MODEL
from tests.paths import JFK_WAV


def using(server, use, **settings):
    """What ``use`` makes of a client in an event loop of its own."""

    async def run():
        async with AsyncStressClient(server.url, **{"model": "group_norm", **settings}) as client:
            return await use(client)

    return asyncio.run(run())


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
        late = []

        async def tick():
            while True:
                asked = time.perf_counter()
                await asyncio.sleep(0.01)
                late.append(time.perf_counter() - asked - 0.01)

        ticking = asyncio.create_task(tick())
        await c.analyze((long, 16_000))
        ticking.cancel()
        return late

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


def test_a_model_with_random_weights_warns(server):
    with pytest.warns(UntrainedModelWarning, match=r"test_async|random"):
        report = using(server, lambda c: c.analyze(JFK_WAV), model=RANDOM_MODEL)
    assert report.model.weights == "random"
