"""The README's five lines, on a small backbone: from recordings to a model that is served."""

from __future__ import annotations

import re

import pytest
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model
from voicestress import StressClient
from voicestress.cli import main
from voicestress_triton import TritonServer

from tests.model.training.voices import SHAPE, write_corpus
from tests.paths import JFK_WAV, ROOT

SMALL = ("epochs=1", "threads=1", "batches.workers=0", "optimiser.frozen_steps=1", "batches.audio_s=8")


@pytest.fixture
def backbone(tmp_path):
    """What facebook/wav2vec2-base is, a hundredth as large: group norm, post-norm, in Hugging Face's files."""
    shape = {**SHAPE, "feat_extract_norm": "group", "do_stable_layer_norm": False, "conv_dim": (16,) * 7}
    Wav2Vec2Model(Wav2Vec2Config(**shape)).save_pretrained(tmp_path / "backbone")
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(tmp_path / "backbone")
    return tmp_path / "backbone"


def commands():
    """The lines after `pip install` in the README's chapter on an own model."""
    chapter = (ROOT / "README.md").read_text().partition("## Your own model")[2]
    return re.findall(r"^    voicestress (.*)$", chapter, re.MULTILINE)[:4]


def test_own_recordings_become_a_served_model(backbone, tmp_path, monkeypatch):
    train, evaluate, export, serve = commands()
    monkeypatch.chdir(tmp_path)
    manifest = write_corpus(tmp_path / "hums", split=False)
    changes = [f"model.backbone={backbone}", f"corpus.path={manifest}", *SMALL]
    assert main([*train.split(), *(part for change in changes for part in ("--set", change))]) == 0
    assert main(evaluate.split()) == 0
    assert (tmp_path / "checkpoints" / "mine" / "evaluation" / "report.html").is_file()
    assert main(export.split()) == 0
    name, repository = serve.split()
    assert name == "serve"
    with TritonServer(repository) as server, StressClient(server.url) as client:
        report = client.analyze(JFK_WAV)
    assert (report.model.checkpoint, report.model.weights) == ("mine", "trained")
