"""Pitch, level and spectrum of every frame are what was recorded, wherever and however fast a piece is heard."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from voicestress_model.geometry import frame_count
from voicestress_model.training import TrainingSettings, train
from voicestress_model.training.augment import Augmentation, augment
from voicestress_model.training.auxiliary import missed_sum
from voicestress_model.training.clips import Clip, Clips
from voicestress_model.training.tracks import F0, VALUES, clip_tracks, track

from tests.model.training.voices import RATE_HZ, hum, settings_of, write_corpus

LEVEL = VALUES.index("level_db")
VOICED = VALUES.index("voiced")


def semitones(pitch_hz: float) -> float:
    return 12 * np.log2(pitch_hz)


def pcm(samples: np.ndarray) -> np.ndarray:
    return (32767 * samples).astype(np.int16)


@pytest.fixture
def hums():
    """A second at 120 Hz, then a second at 180 Hz."""
    generator = np.random.default_rng(0)
    return pcm(np.concatenate([hum(120, generator), hum(180, generator)]))


def clips_of(tmp_path, *recordings):
    path = tmp_path / "clips.pcm"
    path.write_bytes(b"".join(recording.tobytes() for recording in recordings))
    starts = np.cumsum([0, *(len(recording) for recording in recordings)])
    return Clips(path, tuple(Clip(int(start), len(r), 0, 0) for start, r in zip(starts, recordings, strict=False)))


def test_the_pitch_of_a_hum_is_its_own_in_every_frame(hums):
    values = track(hums)
    assert values.shape == (201, len(VALUES))
    assert np.nanmedian(values[10:90, F0]) == pytest.approx(semitones(120), abs=0.1)
    assert np.nanmedian(values[110:190, F0]) == pytest.approx(semitones(180), abs=0.1)
    assert values[10:90, VOICED].mean() > 0.95


def test_silence_has_no_pitch_and_a_low_level(hums):
    values = track(np.concatenate([hums, np.zeros(RATE_HZ, np.int16)]))
    assert np.isnan(values[210:, F0]).all()
    assert (values[210:, LEVEL] < values[50, LEVEL] - 40).all()
    assert np.isfinite(values[:, 1:]).all()


def test_a_piece_is_told_about_where_it_is_heard(tmp_path, hums):
    tracks = clip_tracks(clips_of(tmp_path, hums), tmp_path, lambda: None)
    early = tracks.told(0, 8000, first_sample=0, speed=1, semitones=0)
    late = tracks.told(0, 8000, first_sample=20_000, speed=1, semitones=0)
    assert early.shape == late.shape == (frame_count(8000), len(VALUES))
    higher = np.nanmedian(late[2:-2, F0]) - np.nanmedian(early[2:-2, F0])
    assert higher == pytest.approx(tracks.semitone * (semitones(180) - semitones(120)), abs=0.05)


def test_what_is_told_of_a_sped_up_piece_is_what_is_heard_in_it(tmp_path, hums):
    tracks = clip_tracks(clips_of(tmp_path, hums), tmp_path, lambda: None)
    faster = Augmentation.model_validate({"speed": {"probability": 1, "factor": [1.1, 1.1]}})
    piece = augment(hums, 20_000, faster, np.random.default_rng(3))
    told = tracks.told(0, 20_000, first_sample=piece.first_sample, speed=piece.speed, semitones=piece.semitones)
    centres = (np.arange(len(told)) * 320 + 200) // 160
    heard = track(piece.pcm.numpy())[centres]
    known = np.isfinite(told[:, F0]) & np.isfinite(heard[:, F0])
    apart = np.diff(told[known, F0]) / tracks.semitone - np.diff(heard[known, F0])
    assert known.sum() > 40
    assert np.median(np.abs(apart)) < 0.1
    shift = np.median(told[known, F0] / tracks.semitone - heard[known, F0])
    own = tracks.told(0, len(hums), first_sample=0, speed=1, semitones=0)[10:40, F0]
    assert shift == pytest.approx(np.nanmedian(own) / tracks.semitone - semitones(120), abs=0.2)


def test_clips_know_their_own_frames_and_are_measured_once(tmp_path, hums):
    measured = []
    clips = clips_of(tmp_path, hums[:RATE_HZ], hums[RATE_HZ:])
    tracks = clip_tracks(clips, tmp_path, lambda: measured.append(1))
    again = clip_tracks(clips, tmp_path, lambda: measured.append(1))
    assert len(measured) == 2
    assert np.array_equal(tracks.values, again.values, equal_nan=True)
    assert tracks.first_frames == (0, 101, 202)
    pitches = [np.nanmedian(tracks.told(n, 8000, first_sample=2000, speed=1, semitones=0)[:, F0]) for n in (0, 1)]
    assert pitches[1] > pitches[0]


def test_what_is_not_a_number_is_not_missed():
    targets = torch.tensor([[[1.0, float("nan")], [3.0, float("nan")]], [[float("nan")] * 2] * 2])
    told = torch.zeros_like(targets).requires_grad_()
    missed = missed_sum(told, targets)
    assert missed.item() == pytest.approx((1 + 9) / 2)
    missed.backward()
    assert told.grad is not None
    assert torch.isfinite(told.grad).all()
    assert told.grad[1].eq(0).all()


def test_a_run_learns_to_tell_them(tmp_path):
    settings = settings_of(write_corpus(tmp_path / "voices"), tmp_path / "out", auxiliary={"tracks": True})
    record = train(TrainingSettings.model_validate(settings))
    assert record["settings"]["auxiliary"]["tracks"] is True
