"""The outline of a recording and its speech."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from voicestress import InvalidAudio
from voicestress.look import look_at
from voicestress.look.envelope import read_outline
from voicestress_audio import SAMPLE_RATE_HZ, find_speech

from tests.paths import JFK_WAV


@pytest.mark.parametrize("columns", [1, 7, 800])
def test_a_column_is_the_lowest_highest_and_root_mean_square_of_its_samples(speech, columns):
    envelope, _ = read_outline(JFK_WAV, len(speech) / SAMPLE_RATE_HZ, speech_detection=False, columns=columns)
    edges = [column * len(speech) // columns for column in range(columns + 1)]
    pieces = [speech[start:end] / 32768 for start, end in pairwise(edges)]
    np.testing.assert_allclose(envelope.low, [piece.min() for piece in pieces])
    np.testing.assert_allclose(envelope.high, [piece.max() for piece in pieces])
    np.testing.assert_allclose(envelope.rms, [np.sqrt(np.mean(piece**2)) for piece in pieces])


def test_a_recording_of_few_samples_has_a_column_for_each():
    envelope, _ = read_outline(
        (np.arange(5, dtype=np.int16), SAMPLE_RATE_HZ), 5 / SAMPLE_RATE_HZ, speech_detection=False
    )
    np.testing.assert_allclose(envelope.high * 32768, np.arange(5))


def test_the_speech_is_what_the_client_finds(look, speech):
    segments = find_speech([speech])
    assert look.speech == tuple((start / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ) for start, end in segments)
    assert look.speech


def test_without_detection_the_windows_are_the_speech(client):
    report = client.analyze(JFK_WAV, speech_detection=False)
    look = look_at("jfk.wav", JFK_WAV, report, speech_detection=False)
    assert look.speech == tuple((window.start_s, window.end_s) for window in report.windows)


@pytest.mark.parametrize("duration_s", [10.0, 12.0])
def test_a_recording_that_is_no_longer_what_was_scored_is_refused(duration_s):
    with pytest.raises(InvalidAudio, match=r"jfk\.wav: its length changed"):
        read_outline(JFK_WAV, duration_s, speech_detection=False)


def test_a_long_recording_takes_no_more_memory_than_a_short_one(tmp_path):
    path, minutes = tmp_path / "long.wav", 10
    soundfile.write(path, np.zeros(minutes * 60 * SAMPLE_RATE_HZ, dtype=np.int16), SAMPLE_RATE_HZ)
    tracemalloc.start()
    read_outline(path, minutes * 60.0, speech_detection=False)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 8e6  # its samples are 19 MB
