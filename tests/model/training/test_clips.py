"""Recordings become clips once; those that can't be used are listed, counted and, beyond a share, refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import soundfile
from voicestress_model.corpora import CorpusError, read_corpus
from voicestress_model.training import TrainingError
from voicestress_model.training.clips import decode
from voicestress_model.training.settings import CorpusSettings

from tests.model.training.voices import PITCH_HZ, RATE_HZ, hum, read_manifest, write_corpus, write_manifest


@pytest.fixture
def manifest(tmp_path):
    return write_corpus(tmp_path / "corpus")


def decoded(manifest, folder, **settings):
    folder.mkdir(exist_ok=True)
    corpus = read_corpus(manifest)
    steps = []
    clips = decode(corpus, folder, CorpusSettings(path=manifest, **settings), lambda: steps.append(1))
    return clips, len(steps)


def test_a_clip_is_its_recording_s_samples(manifest, tmp_path):
    clips, _ = decoded(manifest, tmp_path / "run")
    utterances = read_corpus(manifest).split("train") + read_corpus(manifest).split("dev")
    assert len(clips.train.clips) + len(clips.dev.clips) == len(utterances) == 5 * 3 * 4
    for split in (clips.train, clips.dev):
        for number in (0, 7, len(split.clips) - 1):
            utterance = utterances[split.clips[number].recording]
            assert np.array_equal(split.read(number), soundfile.read(utterance.path, dtype="int16")[0])
            assert list(PITCH_HZ)[split.clips[number].label] == utterance.label


def test_labels_and_seconds_are_counted(manifest, tmp_path):
    clips, _ = decoded(manifest, tmp_path / "run")
    assert clips.train.count_labels(["neutral", "sad", "anxious"]) == {"neutral": 12, "sad": 12, "anxious": 12}
    assert 0.9 * 36 < clips.train.seconds < 1.3 * 36


def test_a_long_recording_becomes_several_clips_of_one_recording(manifest, tmp_path):
    voice = hum(120, np.random.default_rng(0), seconds=11.0)
    soundfile.write(manifest.parent / "ann-neutral-0.wav", voice, RATE_HZ)
    clips, _ = decoded(manifest, tmp_path / "run", longest_window_s=4.0)
    longest = max(range(len(clips.train.clips)), key=lambda number: clips.train.clips[number].samples)
    own = [clip for clip in clips.train.clips if clip.recording == clips.train.clips[longest].recording]
    assert len(own) >= 3
    assert all(clip.samples <= 4 * RATE_HZ for clip in own)


def test_a_run_that_goes_on_finds_its_clips_without_decoding(manifest, tmp_path):
    first, recordings = decoded(manifest, tmp_path / "run")
    again, none = decoded(manifest, tmp_path / "run")
    assert (recordings, none) == (60, 0)
    assert again == first


def test_clips_that_were_cut_otherwise_are_refused(manifest, tmp_path):
    decoded(manifest, tmp_path / "run")
    with pytest.raises(TrainingError, match="how it is cut, has changed since"):
        decoded(manifest, tmp_path / "run", longest_window_s=4.0)


def test_a_corpus_that_changed_meanwhile_is_refused(manifest, tmp_path):
    decoded(manifest, tmp_path / "run")
    rows = read_manifest(manifest)
    write_manifest(manifest, rows[:-1])
    with pytest.raises(TrainingError, match=r"has changed since .* was begun"):
        decoded(manifest, tmp_path / "run")


def spoil(folder):
    """One recording each that is no audio, digital silence, too soft to be a voice, too short."""
    (folder / "ann-sad-0.wav").write_bytes(b"not a recording")
    soundfile.write(folder / "ann-sad-1.wav", np.zeros(RATE_HZ), RATE_HZ)
    soundfile.write(folder / "ben-sad-0.wav", 1e-4 * np.sin(np.arange(RATE_HZ)), RATE_HZ)
    soundfile.write(folder / "dan-sad-0.wav", hum(100, np.random.default_rng(0), seconds=0.2), RATE_HZ)


def test_recordings_that_can_not_be_used_are_left_out_with_a_reason(manifest, tmp_path):
    spoil(manifest.parent)
    clips, _ = decoded(manifest, tmp_path / "run", max_rejected_share=0.1)
    reasons = {item.utterance.path.name: item.reason for item in clips.rejected}
    assert "is not audio" in reasons["ann-sad-0.wav"]
    assert "digital silence" in reasons["ann-sad-1.wav"]
    assert "is silent (its peak is 0.00012 of full scale" in reasons["ben-sad-0.wav"]
    assert "0.5 s" in reasons["dan-sad-0.wav"]
    assert len(reasons) == 4
    assert len(clips.train.clips) + len(clips.dev.clips) == 56


def test_more_of_them_than_allowed_are_refused_with_their_count(manifest, tmp_path):
    spoil(manifest.parent)
    with pytest.raises(
        TrainingError, match=r"4 of 60 recordings can't be used \(6\.7%\), .* allows 5\.0%.*:\n.*ann-sad-0"
    ):
        decoded(manifest, tmp_path / "run", max_rejected_share=0.05)


def test_a_label_that_loses_all_its_recordings_is_refused(manifest, tmp_path):
    for path in manifest.parent.glob("*-sad-*.wav"):
        path.write_bytes(b"")
    with pytest.raises(CorpusError, match="'sad'"):
        decoded(manifest, tmp_path / "run", max_rejected_share=1.0)


def test_a_corpus_without_development_split_is_refused(manifest, tmp_path):
    corpus = read_corpus(manifest)
    train_only = dataclasses.replace(corpus, utterances=corpus.split("train"))
    with pytest.raises(CorpusError, match="no split 'dev'"):
        decode(train_only, tmp_path, CorpusSettings(path=manifest), lambda: None)
