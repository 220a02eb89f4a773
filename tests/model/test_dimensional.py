"""Checkpoints that tell arousal, dominance and valence, in the form audEERING publishes its model."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model
from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2PreTrainedModel
from voicestress import StressClient
from voicestress.cli import main
from voicestress.terminal import render
from voicestress_model.agreement import onnx_logits, onnx_session, reference_logits
from voicestress_model.architectures import ARCHITECTURES
from voicestress_model.checkpoints import load_checkpoint
from voicestress_model.corpora import read_corpus
from voicestress_model.errors import CheckpointError, ExportError
from voicestress_model.evaluation import EvaluationError, Options, checkpoint_scorer, evaluate
from voicestress_model.export import stress_contract
from voicestress_triton import TritonServer

from tests.model.conftest import noise
from tests.paths import JFK_WAV

LABELS = ("arousal", "dominance", "valence")


class _RegressionHead(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.out_proj = nn.Linear(config.hidden_size, config.num_labels)

    def forward(self, pooled):
        return self.out_proj(torch.tanh(self.dense(pooled)))


class Wav2Vec2ForSpeechClassification(Wav2Vec2PreTrainedModel):
    """The class such checkpoints bring along: its parameters' names are those of their files."""

    def __init__(self, config):
        super().__init__(config)
        self.wav2vec2 = Wav2Vec2Model(config)
        self.classifier = _RegressionHead(config)
        self.post_init()

    def forward(self, values):
        return self.classifier(self.wav2vec2(values).last_hidden_state.mean(dim=1))


def save_dimensional(folder, labels=LABELS, **options):
    torch.manual_seed(5)
    config = Wav2Vec2Config(
        **ARCHITECTURES["tiny-layer-norm"],
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        problem_type="regression",
        finetuning_task="wav2vec2_reg",
        **{"pooling_mode": "mean", **options},
    )
    model = Wav2Vec2ForSpeechClassification(config).eval()
    with torch.no_grad():  # near the middle of each dimension, and moved by what is heard
        model.classifier.dense.weight.mul_(20)
        model.classifier.out_proj.weight.mul_(1.5)
        model.classifier.out_proj.bias.copy_(torch.full((len(labels),), 0.5))
    model.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints") / "msp-dim"
    save_dimensional(folder)
    return folder


def test_it_tells_what_its_own_class_tells(tmp_path):
    model = save_dimensional(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["architectures"] == ["Wav2Vec2ForSpeechClassification"]
    window = noise(20_000)
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(tmp_path)
    values = extractor(window.astype(np.float32) / 32768, sampling_rate=16_000, return_tensors="pt").input_values
    with torch.inference_mode():
        expected = model(values)[0].numpy()
    checkpoint = load_checkpoint(str(tmp_path))
    assert checkpoint.detector.labels == LABELS
    assert np.abs(reference_logits(checkpoint, [window])[0] - expected).max() < 1e-6


def test_other_poolings_are_refused(tmp_path):
    save_dimensional(tmp_path, pooling_mode="max")
    with pytest.raises(CheckpointError, match="pooling_mode is 'max'"):
        load_checkpoint(str(tmp_path))


def test_the_same_class_with_labels_needs_weights_like_any_other(tmp_path):
    save_dimensional(tmp_path, labels=("calm", "tense"))
    checkpoint = load_checkpoint(str(tmp_path))
    with pytest.raises(ExportError, match="its labels are calm, tense"):
        stress_contract(checkpoint)
    contract = stress_contract(checkpoint, label_weights={"calm": 0, "tense": 1})
    assert contract.policy == "label_weights"


def test_label_weights_do_not_fit_dimensions(folder):
    with pytest.raises(ExportError, match="dimensions, not labels"):
        stress_contract(load_checkpoint(str(folder)), label_weights=dict.fromkeys(LABELS, 0.5))


def test_recall_of_dimensions_has_no_meaning(folder, labelled_corpus):
    checkpoint = load_checkpoint(str(folder))
    with pytest.raises(EvaluationError, match="tells dimensions"):
        evaluate(checkpoint_scorer(checkpoint, stress_contract(checkpoint)), labelled_corpus, Options())


@pytest.fixture
def labelled_corpus(tmp_path):
    manifest, other = tmp_path / "manifest.csv", tmp_path / "other.wav"
    other.symlink_to(JFK_WAV)
    manifest.write_text(f"path,label,speaker,split\n{JFK_WAV},neutral,a,dev\n{other},anxious,b,dev\n")
    return read_corpus(manifest)


def test_exported_and_served_its_level_is_the_heuristic_and_says_so(folder, tmp_path):
    model = tmp_path / "repository" / "dimensional"
    assert main(["export", str(folder), "--out", str(model)]) == 0
    windows = [noise(8000), noise(128_000), noise(20_001)]
    dimensions = onnx_logits(onnx_session(model / "1" / "model.onnx"), windows)
    assert np.abs(dimensions - reference_logits(load_checkpoint(str(folder)), windows)).max() < 1e-4

    with TritonServer(model.parent) as server, StressClient(server.url, model="dimensional") as client:
        report = client.analyze(JFK_WAV)
    assert report.model.policy == "arousal_valence"
    assert report.model.heuristic
    for window in report.windows:
        arousal, valence = window.emotions["arousal"], window.emotions["valence"]
        assert window.stress_level == pytest.approx(100 * min(1, max(0, arousal * (1 - valence))), abs=1e-3)
    assert 0 < report.stress_level < 100
    text = render("jfk.wav", report)
    assert "the level is a heuristic (arousal_valence)" in text
    assert f"arousal {report.emotions['arousal']:.2f}" in text
    assert "%" not in text
