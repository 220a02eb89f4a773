"""Numbers a corpus knows are learned beside the labels, and leave no trace but better weights."""

from __future__ import annotations

import json

import pytest
import torch
from voicestress_model.checkpoints import load_checkpoint
from voicestress_model.corpora import read_corpus
from voicestress_model.corpora.prosody import FEATURES
from voicestress_model.heads import HEADS
from voicestress_model.training import TrainingError, TrainingSettings, train
from voicestress_model.training.auxiliary import WithAuxiliary
from voicestress_model.training.detectors import detector_to_train
from voicestress_model.training.targets import detail_targets, prosody_targets

from tests.model.training.voices import PITCH_HZ, read_manifest, settings_of, write_corpus, write_manifest


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Hums whose manifest knows their pitch and how pleasant they are."""
    path = write_corpus(tmp_path_factory.mktemp("rated"))
    rows = [{**row, "pitch": str(PITCH_HZ[row["label"]]), "pleasant": "1"} for row in read_manifest(path)]
    return write_manifest(path, rows)


def test_targets_have_zero_mean_and_unit_variance_over_the_training_split(manifest):
    targets = detail_targets(read_corpus(manifest), ["pitch"])
    assert targets.shape == (60, 1)
    assert targets[:36].mean().abs() < 1e-6
    assert targets[:36].std(correction=0) == pytest.approx(1)
    assert len(targets.unique()) == 3


def test_without_targets_there_are_none(manifest):
    assert detail_targets(read_corpus(manifest), []).shape == (60, 0)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("loudness", "no 'loudness' .* it has: pitch, pleasant"), ("pleasant", "is the same for every recording")],
)
def test_a_target_that_can_not_be_learned_is_refused_by_name(manifest, name, complaint):
    with pytest.raises(TrainingError, match=complaint):
        detail_targets(read_corpus(manifest), [name])


@pytest.mark.parametrize(("value", "complaint"), [("loud", "is no number"), ("nan", "is nan")])
def test_a_target_that_is_no_number_is_refused(tmp_path, value, complaint):
    path = write_corpus(tmp_path, each=1)
    write_manifest(path, [{**row, "pitch": value} for row in read_manifest(path)])
    with pytest.raises(TrainingError, match=complaint):
        detail_targets(read_corpus(path), ["pitch"])


@pytest.mark.parametrize("kind", HEADS)
def test_any_head_s_last_layer_is_listened_to(manifest, tmp_path, kind):
    settings = settings_of(manifest, tmp_path, model={"head": {"kind": kind, "bottleneck": 8}})
    detector, _ = detector_to_train(TrainingSettings.model_validate(settings).model, tuple(PITCH_HZ), seed=0)
    model = WithAuxiliary(detector, 2, seed=0).eval()
    waveforms = torch.randn(3, 8000)
    logits, told, _ = model(waveforms)
    assert told.shape == (3, 2)
    assert torch.equal(logits, detector(waveforms))
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


def test_prosody_is_measured_once_and_standardised(manifest, tmp_path):
    heard = []
    corpus = read_corpus(manifest)
    targets = prosody_targets(corpus, tmp_path, lambda: heard.append(1))
    assert (targets.shape, len(heard)) == ((60, len(FEATURES)), 60)
    pitch = targets[:, FEATURES.index("f0_median_st")]
    assert pitch[:36].mean().abs() < 0.2
    truth = [PITCH_HZ[utterance.label] for utterance in corpus.split("train") + corpus.split("dev")]
    assert torch.corrcoef(torch.stack([pitch, torch.tensor(truth).log2()]))[0, 1] > 0.9
    assert targets.abs().max() <= 4
    assert torch.equal(prosody_targets(corpus, tmp_path, lambda: heard.append(1)), targets)
    assert len(heard) == 60


def test_what_can_not_be_read_is_average(tmp_path):
    path = write_corpus(tmp_path, each=2)
    corpus = read_corpus(path)
    corpus.split("train")[1].path.write_bytes(b"no recording")
    targets = prosody_targets(corpus, tmp_path, lambda: None)
    assert targets[1].eq(0).all()
    assert targets[0].ne(0).any()


def test_a_run_learns_to_tell_the_prosody(manifest, tmp_path):
    train(TrainingSettings.model_validate(settings_of(manifest, tmp_path / "out", auxiliary={"prosody": True})))
    load_checkpoint(str(tmp_path / "out"))
