"""StressClient against a real Triton."""

from __future__ import annotations

import io
import os
import queue
import shutil
import signal
import socket
import threading
import time

import numpy as np
import pytest
import soundfile
from tritonclient.grpc import InferenceServerClient
from voicestress import (
    AudioLimits,
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
    wire,
)
from voicestress_audio import read_recording
from voicestress_model.agreement import reference_logits
from voicestress_triton import TritonServer

from tests.conftest import BOASTING_MODEL, CROWDED_MODEL, NOT_A_STRESS_MODEL, RANDOM_MODEL
from tests.paths import JFK_WAV, MODEL_REPOSITORY


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_recording_goes_in_and_a_stress_report_comes_out(client):
    report = client.analyze(JFK_WAV)
    assert report.duration_s == 11.0
    assert 6 < report.speech_s < 10
    assert report.status == ("High" if report.stress_level > 70 else "Normal")
    assert set(report.emotions) == {"neutral", "sad", "anxious"}
    assert sum(report.emotions.values()) == pytest.approx(1)
    assert (report.model.name, report.model.version) == ("group_norm", "1")
    assert all(window.end_s - window.start_s <= 3.0 for window in report.windows)


def test_the_level_is_what_the_checkpoint_says_window_by_window(client, lively_checkpoints):
    report, contract = client.analyze(JFK_WAV), client.contract()
    recording = read_recording(
        JFK_WAV,
        shortest_window_samples=contract.shortest_window_samples,
        longest_window_samples=contract.longest_window_samples,
    )
    logits = reference_logits(lively_checkpoints["group_norm"], [window.pcm for window in recording.windows])
    levels = contract.levels(contract.emotions(logits))
    assert [window.stress_level for window in report.windows] == pytest.approx(levels.tolist(), abs=0.01)
    assert np.ptp(levels) > 0.5  # the windows differ, so the test can tell them apart
    weighted = np.average(levels, weights=[window.speech_s for window in recording.windows])
    assert report.stress_level == pytest.approx(weighted, abs=0.01)


def test_every_kind_of_source_gives_the_same_report(client, speech):
    expected = client.analyze(JFK_WAV)
    with JFK_WAV.open("rb") as file:
        sources = [str(JFK_WAV), JFK_WAV.read_bytes(), file, (speech, 16_000), (speech / np.float32(32768), 16_000)]
        for source in sources:
            assert client.analyze(source).stress_level == pytest.approx(expected.stress_level, abs=1e-3)


def test_speech_detection_can_be_left_out_for_speech_that_is_cut(client, speech):
    report = client.analyze((speech[6000:36_000], 16_000), speech_detection=False)
    assert report.speech_s == report.duration_s == pytest.approx(30_000 / 16_000)


def test_a_report_survives_json(client):
    report = client.analyze(JFK_WAV)
    assert type(report).model_validate_json(report.model_dump_json()) == report


def test_many_threads_may_share_a_client(client):
    expected, levels = client.analyze(JFK_WAV).stress_level, []
    threads = [threading.Thread(target=lambda: levels.append(client.analyze(JFK_WAV).stress_level)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert levels == [pytest.approx(expected, abs=1e-3)] * 8


def test_windows_of_one_recording_are_sent_concurrently(server, client, speech):
    def counts():
        with InferenceServerClient(server.url) as triton:
            stats = triton.get_inference_statistics("group_norm").model_stats[0]
        return stats.inference_count, stats.execution_count

    windows_before, batches_before = counts()
    report = client.analyze((np.tile(speech, 8), 16_000))
    windows_after, batches_after = counts()
    assert windows_after - windows_before == len(report.windows) > 20
    assert batches_after - batches_before < len(report.windows), "one after the other, none could share a batch"


def test_a_model_with_random_weights_warns(server):
    with (
        StressClient(server.url, model=RANDOM_MODEL) as client,
        pytest.warns(UntrainedModelWarning, match="tiny-random-seed-0.*mean nothing"),
    ):
        report = client.analyze(JFK_WAV)
    assert report.model.weights == "random"


@pytest.mark.parametrize("seconds", [3, 0.05])
def test_what_is_not_speech_is_not_scored(client, speech, seconds):
    noise = np.random.default_rng(0).normal(scale=3000, size=round(seconds * 16_000)).astype(np.int16)
    for samples in (noise, np.zeros_like(noise), speech[8000 : 8000 + round(0.05 * 16_000)]):
        with pytest.raises(NoSpeech, match=r"s of speech, 0\.5 s needed"):
            client.analyze((samples, 16_000))


def test_bad_audio_is_refused_before_the_server_is_asked(client, tmp_path):
    (tmp_path / "call.wav").write_text("not a recording")
    with pytest.raises(InvalidAudio, match=r"call\.wav"):
        client.analyze(tmp_path / "call.wav")


def test_a_recording_beyond_the_limits_is_refused_before_it_is_decoded(client):
    with pytest.raises(InvalidAudio, match=r"11\.0 s long; at most 10 s"):
        client.analyze(JFK_WAV, limits=AudioLimits(longest_s=10))


def test_nothing_there_is_unavailable_and_says_so_once_it_was_tried_again():
    """Six times, with up to 3.1 s of delays in between."""
    start = time.monotonic()
    with StressClient(f"127.0.0.1:{closed_port()}") as client, pytest.raises(Unavailable, match="no Triton answers"):
        client.analyze(JFK_WAV)
    assert time.monotonic() - start < 4


def test_a_server_that_never_answers_runs_into_the_deadline():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        url = f"127.0.0.1:{silent.getsockname()[1]}"
        with StressClient(url, deadline_s=0.5) as client, pytest.raises((DeadlineExceeded, Unavailable)):
            client.analyze(JFK_WAV)
        assert time.monotonic() - start < 3


def test_a_server_that_stops_answering_runs_into_the_deadline():
    with (
        TritonServer(MODEL_REPOSITORY, models=["stress"]) as server,
        StressClient(server.url, deadline_s=1.0) as client,
    ):
        client.analyze(JFK_WAV)
        os.kill(server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(DeadlineExceeded, match="no answer within 1 s"):
                client.analyze(JFK_WAV)
        finally:
            os.kill(server.pid, signal.SIGCONT)


def test_a_server_that_dies_is_unavailable():
    with (
        TritonServer(MODEL_REPOSITORY, models=["stress"]) as server,
        StressClient(server.url, deadline_s=10.0) as client,
    ):
        client.analyze(JFK_WAV)
        server.stop()
        with pytest.raises(Unavailable):
            client.analyze(JFK_WAV)


def test_a_model_that_is_not_there_is_named(server):
    with StressClient(server.url, model="nobody") as client, pytest.raises(ContractError, match="'nobody'"):
        client.analyze(JFK_WAV)


def test_a_model_that_is_no_stress_model_is_refused(server):
    with (
        StressClient(server.url, model=NOT_A_STRESS_MODEL) as client,
        pytest.raises(ContractError, match="not a stress model"),
    ):
        client.analyze(JFK_WAV)


def test_a_full_queue_is_overloaded_not_unavailable(server, speech):
    with (
        StressClient(server.url, model=CROWDED_MODEL, retries=RetryPolicy(attempts=1)) as client,
        pytest.raises(Overloaded, match="queue of crowded is full"),
    ):
        client.analyze((np.tile(speech, 3), 16_000))


def test_what_a_full_queue_turned_away_gets_through_later(server, client):
    patient = RetryPolicy(attempts=30, first_delay_s=1.0)
    with StressClient(server.url, model=CROWDED_MODEL, deadline_s=60.0, in_flight=2, retries=patient) as crowded:
        report = crowded.analyze(JFK_WAV)
    assert report.stress_level == pytest.approx(client.analyze(JFK_WAV).stress_level, abs=1e-3)


def test_live_audio_goes_before_an_archive(server, speech):
    windows = 150
    with InferenceServerClient(server.url) as triton:
        answers = queue.SimpleQueue()

        def send(name, priority):
            triton.async_infer(
                "group_norm",
                wire.window_input(speech[: 3 * 16_000]),
                lambda result, error: answers.put((name, error)),
                outputs=wire.requested_output(),
                priority=wire.PRIORITIES[priority],
            )

        for number in range(windows):
            send(number, "archive")
        send("live", "live")
        order = [answers.get(timeout=60) for _ in range(windows + 1)]
    assert all(error is None for _, error in order)
    place = [name for name, _ in order].index("live")
    assert place < 0.75 * windows, "the live window waited for the archive"


def test_nothing_is_computed_for_a_caller_whose_time_is_over(server, speech):
    with InferenceServerClient(server.url) as triton:
        answers = queue.SimpleQueue()

        def send(name, timeout_us):
            triton.async_infer(
                "group_norm",
                wire.window_input(speech[: 3 * 16_000]),
                lambda result, error: answers.put((name, error)),
                outputs=wire.requested_output(),
                timeout=timeout_us,
            )

        for _ in range(60):
            send("patient", 0)
        send("gone", 1000)
        answered = [answers.get(timeout=60) for _ in range(61)]
    (error,) = [error for name, error in answered if name == "gone"]
    assert "timeout expired" in str(error).lower()
    assert all(error is None for name, error in answered if name == "patient")


@pytest.mark.parametrize("timeout_s", [1e-7, 0.01, 1.0, 30.0])
def test_the_server_gives_up_a_little_before_the_caller_so_that_it_can_say_why(timeout_s):
    assert 1 <= wire.queue_timeout_us(timeout_s) <= max(1, 0.95e6 * timeout_s)  # 0 would mean no limit


def test_a_priority_that_is_none_is_refused():
    with pytest.raises(ValueError, match="live, normal, archive"):
        StressClient("localhost:8001", priority="urgent")


def test_a_model_that_breaks_its_own_contract_is_a_service_error(server, speech):
    with StressClient(server.url, model=BOASTING_MODEL) as client, pytest.raises(ServiceError, match="3 NaN"):
        client.analyze((speech[8000:13_000], 16_000), speech_detection=False)


def test_a_new_version_of_the_model_is_read_by_its_own_contract(repository, tmp_path):
    shutil.copytree(repository / "group_norm", tmp_path / "group_norm")
    config = tmp_path / "group_norm" / "config.pbtxt"
    with TritonServer(tmp_path) as server:
        url = server.url
        client = StressClient(url, model="group_norm")
        before = client.analyze(JFK_WAV)
    (tmp_path / "group_norm" / "1").rename(tmp_path / "group_norm" / "2")
    text = config.read_text()
    assert "[0.0, 0.5, 1.0]" in text
    config.write_text(text.replace("[0.0, 0.5, 1.0]", "[1.0, 0.5, 0.0]"))
    with TritonServer(tmp_path, port=int(url.rpartition(":")[2])), client:
        after = client.analyze(JFK_WAV)
    assert (before.model.version, after.model.version) == ("1", "2")
    assert after.emotions == pytest.approx(before.emotions, abs=1e-4)
    assert after.stress_level == pytest.approx(100 - before.stress_level, abs=0.01)


@pytest.mark.parametrize(
    "options", [{"deadline_s": 0}, {"deadline_s": -1.0}, {"deadline_s": float("nan")}, {"in_flight": 0}]
)
def test_a_setting_that_makes_no_sense_is_refused_at_once(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        StressClient("localhost:8001", **options)


@pytest.mark.parametrize(
    "url", ["localhost:99999", "localhost:0", "http://localhost:8001", "localhost", ":8001", "localhost:http"]
)
def test_an_address_that_is_none_is_refused_with_the_right_form(url):
    with pytest.raises(ServiceError, match="host:port"):
        StressClient(url)


def test_a_recording_in_another_rate_and_format_scores_alike(client, speech):
    expected = client.analyze(JFK_WAV)
    flac = io.BytesIO()
    soundfile.write(flac, np.stack([speech, speech], axis=1), 16_000, format="FLAC")
    assert client.analyze(flac.getvalue()).stress_level == pytest.approx(expected.stress_level, abs=1e-3)
