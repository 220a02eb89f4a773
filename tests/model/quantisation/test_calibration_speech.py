"""Which recordings set the scales, and which measure."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import soundfile
from voicestress_audio import read_recording
from voicestress_model.errors import ExportError
from voicestress_model.export import stress_contract
from voicestress_model.quantisation import read_calibration
from voicestress_model.quantisation.speech import MOST_WINDOWS

from tests.paths import JFK_WAV


@pytest.fixture(scope="module")
def contract(group_norm_checkpoint):
    return stress_contract(group_norm_checkpoint)


def as_bytes(windows):
    return sorted(window.tobytes() for window in windows)


def test_windows_are_those_the_client_cuts_and_each_recording_is_in_one_half(recordings, contract):
    speech = read_calibration([recordings], contract)
    cut = [
        as_bytes(
            window.pcm
            for window in read_recording(
                path,
                shortest_window_samples=contract.shortest_window_samples,
                longest_window_samples=contract.longest_window_samples,
            ).windows
        )
        for path in recordings.iterdir()
    ]
    halves = [as_bytes(speech.calibrating), as_bytes(speech.held_out)]
    assert sorted(halves[0] + halves[1]) == sorted(window for windows in cut for window in windows)
    assert sum(set(windows) <= set(halves[0]) for windows in cut) == 2
    assert sum(set(windows) <= set(halves[1]) for windows in cut) == 2


def test_the_same_recordings_give_the_same_halves_however_they_are_named(recordings, contract):
    folder = read_calibration([recordings], contract)
    files = read_calibration(sorted(recordings.iterdir(), reverse=True), contract)
    assert as_bytes(folder.held_out) == as_bytes(files.held_out)


def test_of_a_long_recording_no_more_windows_are_kept_than_measure_well(tmp_path, contract):
    speech, rate_hz = soundfile.read(JFK_WAV, dtype="int16")
    for number in range(2):
        soundfile.write(tmp_path / f"{number}.wav", np.tile(speech, 40), rate_hz)
    found = read_calibration([tmp_path], contract)
    assert len(found.calibrating) == len(found.held_out) == MOST_WINDOWS


def test_what_a_manifest_says_was_trained_on_is_left_out(recordings, contract, tmp_path):
    manifest = tmp_path / "manifest.csv"
    lines = [f"{recordings}/{n}.wav,{label},{n},{split}" for n, (label, split) in enumerate(
        [("a", "train"), ("b", "train"), ("a", "test"), ("b", "test")]
    )]  # fmt: skip
    manifest.write_text("\n".join(["path,label,speaker,split", *lines]))
    found = read_calibration([manifest], contract)
    alone = read_calibration([recordings / "2.wav", recordings / "3.wav"], contract)
    assert found.recordings == 2
    assert as_bytes(found.held_out + found.calibrating) == as_bytes(alone.held_out + alone.calibrating)


def test_recordings_that_cannot_be_used_are_named_and_left_out(recordings, contract, tmp_path):
    shutil.copytree(recordings, tmp_path / "some")
    soundfile.write(tmp_path / "some" / "silence.wav", np.zeros(32_000, np.int16), 16_000)
    found = read_calibration([tmp_path / "some"], contract)
    assert found.recordings == 4
    (reason,) = found.left_out
    assert "silence.wav" in reason


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda folder: folder / "nowhere", "nothing is there"),
        (lambda folder: folder, "0 of 0 recordings can be used"),
        (lambda _: JFK_WAV, "1 of 1 recordings can be used"),
    ],
)
def test_too_little_speech_is_refused(tmp_path, contract, make, complaint):
    with pytest.raises(ExportError, match=complaint):
        read_calibration([make(tmp_path)], contract)
