"""A recording that is scored while it goes on: the report of the whole, updates on the way, nothing that grows."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time

import numpy as np
import pytest
from voicestress import AsyncStressClient, InvalidAudio, NoSpeech, StressClient, Unavailable
from voicestress_triton import TritonServer

from tests.client import hour_of_a_stream
from tests.client.test_async_client import lateness_s
from tests.paths import JFK_WAV, MODEL_REPOSITORY

STEP = 1_600


def in_steps(samples, step=STEP):
    return [samples[at : at + step] for at in range(0, len(samples), step)]


def streamed(client, chunks, **options):
    with client.stream(16_000, **options) as stream:
        updates = [update for chunk in chunks for update in stream.push(chunk)]
        return updates, stream.finish()


def streamed_async(server, chunks, *, many=1, model="group_norm"):
    async def one(client):
        updates = []
        async with client.stream(16_000) as stream:
            for chunk in chunks:
                updates += await stream.push(chunk)
            return updates, await stream.finish()

    async def run():
        async with AsyncStressClient(server.url, model=model) as client:
            return await asyncio.gather(*(one(client) for _ in range(many)))

    return asyncio.run(run())


def same(report, expected):
    assert report.stress_level == pytest.approx(expected.stress_level, abs=1e-3)
    assert (report.duration_s, report.speech_s) == (expected.duration_s, pytest.approx(expected.speech_s))
    assert [(w.start_s, w.end_s) for w in report.windows] == [(w.start_s, w.end_s) for w in expected.windows]
    assert report.model == expected.model


@pytest.mark.parametrize("detection", [True, False])
@pytest.mark.parametrize("step", [160, 1_600, 50_000, 200_000])
def test_the_report_is_that_of_the_recording(client, speech, step, detection):
    expected = client.analyze((speech, 16_000), speech_detection=detection)
    _, report = streamed(client, in_steps(speech, step), speech_detection=detection)
    same(report, expected)


@pytest.mark.parametrize("step", [160, 1_600, 50_000])
def test_the_report_is_that_of_the_recording_in_asyncio(server, client, speech, step):
    ((_, report),) = streamed_async(server, in_steps(speech, step))
    same(report, client.analyze((speech, 16_000)))


def test_updates_tell_each_window_in_order(client, speech):
    """Of the recording and some silence, so that the last window comes as an update too."""
    quiet = np.zeros(16_000, np.int16)
    with client.stream(16_000) as stream:
        updates = []
        for chunk in in_steps(np.concatenate([speech, quiet, quiet])):
            updates += stream.push(chunk)
            time.sleep(0.02)
        report = stream.finish()
    assert [update.window for update in updates] == list(report.windows)
    weights = [window.speech_s for window in report.windows]
    assert updates[-1].rolling_level == pytest.approx(
        np.average([window.stress_level for window in report.windows], weights=weights)
    )
    assert updates[-1].speech_s == pytest.approx(report.speech_s)
    assert all(update.heard_s >= update.window.end_s for update in updates)


def test_the_rolling_level_forgets_what_is_older_than_half_a_minute(client, speech):
    updates, _ = streamed(client, in_steps(np.tile(speech, 6)))
    last = updates[-1]
    recent = [u.window for u in updates if u.window.end_s > last.window.end_s - 30]
    assert len(recent) < len(updates)
    expected = np.average([w.stress_level for w in recent], weights=[w.speech_s for w in recent])
    assert last.rolling_level == pytest.approx(expected)


def test_the_first_update_comes_soon_after_its_window(server, speech):
    """In real time, on an idle server."""

    async def run():
        async with AsyncStressClient(server.url, model="group_norm") as client, client.stream(16_000) as stream:
            start = time.monotonic()
            for number, chunk in enumerate(in_steps(speech, 800)):
                await asyncio.sleep(max(0.0, start + (number + 1) * 0.05 - time.monotonic()))
                if updates := await stream.push(chunk):
                    return time.monotonic() - start - updates[0].window.end_s
        return None

    assert asyncio.run(run()) < 1.5


def test_a_hundred_streams_in_one_process(server, client, speech):
    expected = client.analyze((speech[:80_000], 16_000))
    for _, report in streamed_async(server, in_steps(speech[:80_000]), many=100):
        same(report, expected)


def test_the_caller_waits_where_the_server_is_far_behind(server, speech):
    """However fast audio is pushed, only so many windows wait."""
    with StressClient(server.url, model="group_norm", in_flight=2) as client, client.stream(16_000) as stream:
        most = 0
        for chunk in in_steps(np.tile(speech, 12), 16_000):
            stream.push(chunk)
            most = max(most, stream._live._scoring.unanswered)
        assert 0 < most <= 4
        stream.finish()


def test_chunks_may_be_reused_by_the_caller(server, client, speech):
    buffer = np.empty(400, np.int16)

    async def run():
        async with AsyncStressClient(server.url, model="group_norm") as c, c.stream(16_000) as stream:
            for chunk in in_steps(speech, 400):
                buffer[: len(chunk)] = chunk
                await stream.push(buffer[: len(chunk)])
            return await stream.finish()

    same(asyncio.run(run()), client.analyze((speech, 16_000)))


@pytest.mark.timeout(250)
def test_memory_is_the_same_after_an_hour(server):
    """Of a process of its own, fed faster than real time; the windows' times and logits, 200 bytes each, are all that
    grows.
    """
    command = [sys.executable, hour_of_a_stream.__file__, server.url, "group_norm", str(JFK_WAV)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)
    hour = json.loads(done.stdout)
    assert hour["duration_s"] == 3600
    assert hour["windows"] > 1000
    assert max(hour["held_mb"]) < hour["held_mb"][4] + 5


def test_silence_is_no_speech(server, client):
    with pytest.raises(NoSpeech):
        streamed(client, [np.zeros(32_000, np.int16)])
    with pytest.raises(NoSpeech):
        streamed_async(server, [np.zeros(32_000, np.int16)])


def test_an_error_ends_the_stream(client, speech):
    with client.stream(16_000) as stream:
        stream.push(speech[:16_000])
        with pytest.raises(InvalidAudio, match="not a number"):
            stream.push(np.array([np.nan]))
        with pytest.raises(ValueError, match="has ended"):
            stream.push(speech[16_000:])
        with pytest.raises(ValueError, match="has ended"):
            stream.finish()


def test_a_stream_that_has_ended_takes_nothing_more(client, speech):
    with client.stream(16_000) as stream:
        stream.push(speech)
        stream.finish()
        with pytest.raises(ValueError, match="has ended"):
            stream.push(speech)


def test_a_stream_that_is_cancelled_gives_its_detector_back(server, speech):
    async def run():
        async with AsyncStressClient(server.url, model="group_norm") as client:

            async def feed():
                async with client.stream(16_000) as stream:
                    for chunk in in_steps(np.tile(speech, 20), 160_000):
                        await stream.push(chunk)

            for delay_s in np.linspace(0.001, 0.5, 10):
                task = asyncio.create_task(feed())
                await asyncio.sleep(delay_s)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            async with client.stream(16_000) as stream:
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(stream.push(np.tile(speech, 20)), 0.05)
                for use in (stream.push(speech), stream.finish()):
                    with pytest.raises(ValueError, match="has ended"):
                        await use
            async with client.stream(16_000) as stream:
                await stream.push(speech)
                return await stream.finish()

    with StressClient(server.url, model="group_norm") as client:
        same(asyncio.run(run()), client.analyze((speech, 16_000)))


def test_opening_streams_does_not_hold_up_the_event_loop(server):
    async def run():
        async with AsyncStressClient(server.url, model="group_norm") as client:
            await client.contract()

            async def open_one():
                async with client.stream(16_000):
                    await asyncio.sleep(1)

            return max(await lateness_s(asyncio.gather(*(open_one() for _ in range(40)))))

    assert asyncio.run(run()) < 0.5


@pytest.mark.parametrize("chunk", ["text", [0, 1], None])
def test_what_is_no_chunk_is_a_type_error(server, chunk):
    with pytest.raises(TypeError, match="numpy array"):
        streamed_async(server, [chunk])


def test_a_server_that_dies_ends_the_stream_with_its_error(speech):
    with (
        TritonServer(MODEL_REPOSITORY, models=["stress"]) as server,
        StressClient(server.url, deadline_s=3.0) as client,
        client.stream(16_000) as stream,
    ):
        stream.push(speech)
        server.stop()
        with pytest.raises(Unavailable):
            stream.finish()


def test_a_recording_in_another_rate_streams_alike(client, speech):
    import soxr

    samples = soxr.resample(speech.astype(np.float32) / 32768, 16_000, 44_100)
    expected = client.analyze((samples, 44_100))
    with client.stream(44_100) as stream:
        for chunk in in_steps(samples, 4_410):
            stream.push(chunk)
        same(stream.finish(), expected)


def test_a_file_streamed_as_bytes_gives_the_report_of_the_file(client, speech):
    expected = client.analyze(JFK_WAV)
    raw = speech.tobytes()
    _, report = streamed(client, [raw[at : at + 3_333] for at in range(0, len(raw), 3_333)])
    same(report, expected)
