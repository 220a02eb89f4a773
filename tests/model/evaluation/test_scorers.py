"""A checkpoint and a server of the same model say the same."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from voicestress import StressClient
from voicestress_audio import read_recording
from voicestress_model.agreement import reference_logits
from voicestress_model.corpora import Utterance, read_corpus
from voicestress_model.errors import CheckpointError
from voicestress_model.evaluation import checkpoint_scorer, server_scorer
from voicestress_model.evaluation.scores import score_utterances
from voicestress_model.export import stress_contract

LARGEST_DIFFERENCE = 0.1  # points of stress level


@pytest.fixture(scope="module")
def checkpoint_scores(lively_checkpoints):
    checkpoint = lively_checkpoints["group_norm"]
    return checkpoint_scorer(checkpoint, stress_contract(checkpoint, longest_window_s=3.0))


def test_a_checkpoint_and_its_server_give_the_same_levels(client, checkpoint_scores, manifest):
    utterances = read_corpus(manifest).utterances
    served, _ = score_utterances(server_scorer(client), utterances)
    here, _ = score_utterances(checkpoint_scores, utterances)
    assert served.utterances == here.utterances == utterances
    assert np.abs(served.levels - here.levels).max() < LARGEST_DIFFERENCE
    assert np.abs(served.probabilities - here.probabilities).max() < 1e-3
    assert np.ptp(here.levels) > 1  # the clips differ, so the test can tell them apart


def test_a_level_is_what_the_client_reports(client, checkpoint_scores, manifest):
    utterance = read_corpus(manifest).utterances[0]  # five seconds: several windows
    report = client.analyze(utterance.path, speech_detection=False)
    assert len(report.windows) > 1
    (scores, _) = score_utterances(checkpoint_scores, [utterance])
    assert scores.levels[0] == pytest.approx(report.stress_level, abs=1e-3)
    assert scores.probabilities[0] == pytest.approx([*report.emotions.values()], abs=1e-5)


def test_scoring_leaves_torch_s_threads_as_they_were(checkpoint_scores, manifest):
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        score_utterances(checkpoint_scores, read_corpus(manifest).utterances[:3])
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_windows_score_as_with_hugging_face(lively_checkpoints, checkpoint_scores, manifest):
    utterance, contract = read_corpus(manifest).utterances[1], checkpoint_scores.contract
    recording = read_recording(
        utterance.path, shortest_window_samples=8000, longest_window_samples=48_000, speech_detection=False
    )
    logits = reference_logits(lively_checkpoints["group_norm"], [window.pcm for window in recording.windows])
    (scores, _) = score_utterances(checkpoint_scores, [utterance])
    assert scores.probabilities[0] == pytest.approx(contract.emotions(logits)[0], abs=1e-5)


def test_the_stored_temperature_is_the_one_that_counts(lively_checkpoints, checkpoint_scores, manifest):
    checkpoint = lively_checkpoints["layer_norm"]
    assert stress_contract(checkpoint).temperature == 1
    checkpoint.detector.config.stress_temperature = 2.5
    try:
        contract = stress_contract(checkpoint)
        scores, _ = score_utterances(checkpoint_scorer(checkpoint, contract), read_corpus(manifest).utterances[:6])
    finally:
        del checkpoint.detector.config.stress_temperature
    assert contract.temperature == 2.5
    assert (scores.probabilities.max(axis=1) < scores.untempered.max(axis=1)).all()


@pytest.mark.parametrize("temperature", [0, -1, "warm"])
def test_a_stored_temperature_that_is_none_is_refused(lively_checkpoints, temperature):
    checkpoint = lively_checkpoints["layer_norm"]
    checkpoint.detector.config.stress_temperature = temperature
    try:
        with pytest.raises(CheckpointError, match=r"stress_temperature.*a number above 0"):
            stress_contract(checkpoint)
    finally:
        del checkpoint.detector.config.stress_temperature


@pytest.mark.parametrize("where", ["checkpoint", "server"])
def test_what_can_not_be_read_is_listed_and_the_others_keep_their_scores(
    where, server, checkpoint_scores, manifest, tmp_path
):
    good = read_corpus(manifest).utterances[:3]
    (tmp_path / "bad.wav").write_text("no sound")
    bad = Utterance(tmp_path / "bad.wav", "sad", "x", "train")
    missing = dataclasses.replace(bad, path=tmp_path / "missing.wav")
    with StressClient(server.url, model="group_norm") as connected:
        scorer = checkpoint_scores if where == "checkpoint" else server_scorer(connected)
        scores, rejected = score_utterances(scorer, [bad, good[0], missing, *good[1:]])
    alone, _ = score_utterances(checkpoint_scores, good)
    assert scores.utterances == good
    assert scores.levels == pytest.approx(alone.levels, abs=LARGEST_DIFFERENCE)
    assert [item.utterance for item in rejected] == [bad, missing]
    assert "is not audio" in rejected[0].reason
    assert "no such file" in rejected[1].reason
