"""Recordings are read in processes as they are read here; a process that dies, or works for nobody, is replaced."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from functools import partial

import numpy as np
import psutil
import pytest
import soundfile
from voicestress_audio import InvalidAudio, NoSpeech, read_recording
from voicestress_audio.processes import Abandoned, ReaderProcesses

from tests.paths import JFK_WAV

READ = partial(read_recording, shortest_window_samples=8_000, longest_window_samples=48_000)


@pytest.fixture(scope="module")
def processes():
    made = ReaderProcesses(2, niceness=5)
    yield made
    made.close()


@pytest.fixture(scope="module")
def long_flac(speech) -> bytes:
    """Ten minutes: seconds of work."""
    file = io.BytesIO()
    soundfile.write(file, np.tile(speech[::2], 54), 8_000, format="FLAC")
    return file.getvalue()


def described(recording):
    windows = [(w.start_sample, w.end_sample, w.speech_samples, w.pcm.tobytes()) for w in recording.windows]
    return recording.name, recording.duration_s, recording.speech_s, windows


def wait_until(true, within_s=10.0):
    end_s = time.monotonic() + within_s
    while not (is_so := true()) and time.monotonic() < end_s:
        time.sleep(0.02)
    assert is_so


def kill(processes) -> None:
    for pid in processes.process_ids:
        os.kill(pid, signal.SIGKILL)


def test_what_a_process_reads_is_what_is_read_here(processes):
    for source in (str(JFK_WAV), JFK_WAV.read_bytes()):
        assert described(processes.submit(READ, source).result(30)) == described(READ(source))
    assert {psutil.Process(pid).nice() for pid in processes.process_ids} == {5}


def test_its_errors_are_those_of_reading_here(processes):
    for source, kind, is_unreadable in (
        (b"wvpk" + bytes(100), InvalidAudio, True),
        (JFK_WAV.read_bytes()[:-100], InvalidAudio, False),
        (JFK_WAV.read_bytes()[:2_000], InvalidAudio, False),
    ):
        with pytest.raises(kind) as caught:
            processes.submit(READ, source).result(30)
        with pytest.raises(kind) as expected:
            READ(source)
        assert str(caught.value) == str(expected.value)
        assert caught.value.is_unreadable_format is is_unreadable
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros(16_000), 16_000, format="WAV")
    with pytest.raises(NoSpeech):
        processes.submit(READ, silence.getbuffer()).result(30)
    pids = processes.process_ids
    processes.submit(READ, str(JFK_WAV)).result(30)
    assert processes.process_ids == pids  # an error of a recording costs no process


def test_a_process_that_is_killed_is_replaced_and_its_recording_read_again(processes, long_flac):
    reading = processes.submit(READ, long_flac)
    time.sleep(0.3)
    kill(processes)
    assert reading.result(60).duration_s == pytest.approx(594, abs=1)


def test_a_recording_that_kills_its_process_each_time_is_to_blame(processes, long_flac):
    reading = processes.submit(READ, long_flac)
    while not reading.done():
        kill(processes)
        time.sleep(0.02)
    with pytest.raises(InvalidAudio, match="<bytes>: 2 processes died"):
        reading.result()
    assert processes.submit(READ, str(JFK_WAV)).result(30).windows


def test_nobody_else_is_to_blame(long_flac):
    processes, abandoned = ReaderProcesses(2), threading.Event()
    try:
        processes.submit(READ, long_flac, abandoned=abandoned)
        wait_until(lambda: processes.process_ids)
        (killed,) = processes.process_ids
        other = processes.submit(READ, str(JFK_WAV))
        wait_until(lambda: len(processes.process_ids) == 2)
        (spared,) = set(processes.process_ids) - {killed}
        os.kill(killed, signal.SIGKILL)
        assert other.result(30).windows
        assert spared in processes.process_ids
        assert killed not in processes.process_ids
    finally:
        abandoned.set()
        processes.close()


def test_what_nobody_waits_for_is_not_read_on(processes, long_flac):
    abandoned = threading.Event()
    reading = processes.submit(READ, long_flac, abandoned=abandoned)
    wait_until(lambda: processes.process_ids)
    time.sleep(0.3)
    before = set(processes.process_ids)
    abandoned.set()
    with pytest.raises(Abandoned):
        reading.result(1)
    (ended,) = before - set(processes.process_ids)
    assert not psutil.pid_exists(ended)
    with pytest.raises(Abandoned):
        processes.submit(READ, long_flac, abandoned=abandoned).result(1)


def test_closing_ends_what_is_at_work(long_flac):
    processes = ReaderProcesses(1)
    reading, waiting = processes.submit(READ, long_flac), processes.submit(READ, long_flac)
    wait_until(lambda: processes.process_ids)
    time.sleep(0.3)
    pids = processes.process_ids
    processes.close()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    with pytest.raises(Abandoned):
        reading.result(5)
    assert waiting.cancelled()
