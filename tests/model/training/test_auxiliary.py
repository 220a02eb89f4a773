"""Numbers a corpus knows are learned beside the labels, and leave no trace but better weights."""

from __future__ import annotations

import json

import pytest
import torch
from voicestress_model.checkpoints import load_checkpoint
from voicestress_model.corpora import read_corpus
from voicestress_model.training import TrainingError, TrainingSettings, train
from voicestress_model.training.auxiliary import WithAuxiliary, standardised_targets
from voicestress_model.training.detectors import detector_to_train

from tests.model.training.voices import PITCH_HZ, read_manifest, settings_of, write_corpus, write_manifest


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Hums whose manifest knows their pitch and how pleasant they are."""
    path = write_corpus(tmp_path_factory.mktemp("rated"))
    rows = [{**row, "pitch": str(PITCH_HZ[row["label"]]), "pleasant": "1"} for row in read_manifest(path)]
    return write_manifest(path, rows)


def test_targets_have_zero_mean_and_unit_variance_over_the_training_split(manifest):
    targets = standardised_targets(read_corpus(manifest), ["pitch"])
    assert targets.shape == (60, 1)
    assert targets[:36].mean().abs() < 1e-6
    assert targets[:36].std(correction=0) == pytest.approx(1)
    assert len(targets.unique()) == 3


def test_without_targets_there_are_none(manifest):
    assert standardised_targets(read_corpus(manifest), []).shape == (60, 0)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("loudness", "no 'loudness' .* it has: pitch, pleasant"), ("pleasant", "is the same for every recording")],
)
def test_a_target_that_can_not_be_learned_is_refused_by_name(manifest, name, complaint):
    with pytest.raises(TrainingError, match=complaint):
        standardised_targets(read_corpus(manifest), [name])


@pytest.mark.parametrize(("value", "complaint"), [("loud", "is no number"), ("nan", "is nan")])
def test_a_target_that_is_no_number_is_refused(tmp_path, value, complaint):
    path = write_corpus(tmp_path, each=1)
    write_manifest(path, [{**row, "pitch": value} for row in read_manifest(path)])
    with pytest.raises(TrainingError, match=complaint):
        standardised_targets(read_corpus(path), ["pitch"])


@pytest.mark.parametrize("kind", ["mean_pool_mlp", "attentive_statistics", "temporal_convolution", "projection"])
def test_any_head_s_last_layer_is_listened_to(manifest, tmp_path, kind):
    settings = settings_of(manifest, tmp_path, model={"head": {"kind": kind, "bottleneck": 8}})
    detector, _ = detector_to_train(TrainingSettings.model_validate(settings).model, tuple(PITCH_HZ), seed=0)
    model = WithAuxiliary(detector, 2, seed=0)
    waveforms = torch.randn(3, 8000)
    logits, told = model(waveforms)
    assert told.shape == (3, 2)
    assert torch.equal(logits, detector(waveforms)) or detector.training
    told.sum().backward()
    assert detector.wav2vec2.feature_projection.projection.weight.grad.abs().sum() > 0


def test_a_run_learns_them_and_saves_a_plain_checkpoint(manifest, tmp_path):
    settings = settings_of(manifest, tmp_path / "out", auxiliary={"details": ["pitch"], "weight": 0.5})
    train(TrainingSettings.model_validate(settings))
    load_checkpoint(str(tmp_path / "out"))  # refuses what it does not know
    assert json.loads((tmp_path / "out" / "training.json").read_text())["settings"]["auxiliary"]["details"] == ["pitch"]
    train(TrainingSettings.model_validate(settings_of(manifest, tmp_path / "without")))
    with_it, without = (load_checkpoint(str(tmp_path / name)).detector for name in ("out", "without"))
    weight = "wav2vec2.feature_projection.projection.weight"
    assert not torch.equal(with_it.get_parameter(weight), without.get_parameter(weight))
