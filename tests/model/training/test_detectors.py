"""What a run starts from: loaded whole, or not at all."""

from __future__ import annotations

import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model
from voicestress_model.architectures import ARCHITECTURES, random_checkpoint
from voicestress_model.errors import CheckpointError
from voicestress_model.training import TrainingError
from voicestress_model.training.detectors import detector_to_train
from voicestress_model.training.settings import ModelSettings

from tests.model.training.voices import HEAD, SHAPE

LABELS = ("neutral", "sad", "anxious")


def built(labels=LABELS, seed=0, **settings):
    return detector_to_train(ModelSettings(**settings), labels, seed=seed)


@pytest.fixture(scope="module")
def backbone_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("backbone")
    torch.manual_seed(9)
    Wav2Vec2Model(Wav2Vec2Config(**ARCHITECTURES["tiny"])).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def checkpoint_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    random_checkpoint("tiny", seed=4).save(folder)
    return folder


def test_an_architecture_takes_its_shape_head_and_labels_from_the_settings():
    detector, normalize = built(
        ("calm", "tense"), architecture="tiny", shape=SHAPE, head=HEAD, weighted_layer_sum=True, dropout=0.2
    )
    assert detector.labels == ("calm", "tense")
    assert detector.config.conv_dim == (16,) * 7 or detector.config.conv_dim == [16] * 7
    assert type(detector.head).__name__ == "AttentiveStatistics"
    assert detector.layer_weights.shape == (2,)
    assert detector.wav2vec2.encoder.layers[0].dropout.p == 0.2
    assert normalize


def test_the_seed_draws_the_weights():
    first, again, other = (built(seed=seed, architecture="tiny")[0].head.layers[0].weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_backbone_keeps_its_weights_and_gets_the_head_asked_for(backbone_folder):
    detector, normalize = built(backbone=str(backbone_folder), head=HEAD, dropout=0.0, weighted_layer_sum=True)
    loaded = Wav2Vec2Model.from_pretrained(backbone_folder)
    for name, parameter in loaded.named_parameters():
        assert torch.equal(detector.wav2vec2.get_parameter(name), parameter), name
    assert type(detector.head).__name__ == "AttentiveStatistics"
    assert normalize is False  # as its feature extractor says


def test_settings_decide_on_normalisation_when_asked(backbone_folder):
    assert built(backbone=str(backbone_folder), normalize=True)[1] is True


def test_a_checkpoint_keeps_its_head(checkpoint_folder):
    detector, normalize = built(checkpoint=str(checkpoint_folder))
    for name, parameter in random_checkpoint("tiny", seed=4).detector.named_parameters():
        assert torch.equal(detector.get_parameter(name), parameter), name
    assert normalize is True


def test_a_checkpoint_with_other_labels_is_refused(checkpoint_folder):
    with pytest.raises(TrainingError, match="its labels are neutral, sad, anxious, in this order; the corpus's"):
        built(("sad", "neutral", "anxious"), checkpoint=str(checkpoint_folder))


def test_a_checkpoint_of_the_wrong_kind_is_refused(backbone_folder, checkpoint_folder):
    with pytest.raises(CheckpointError, match="backbone without a stress head"):
        built(checkpoint=str(backbone_folder))


def test_the_backbone_of_somebody_s_classifier_gets_a_new_head(checkpoint_folder):
    detector, _ = built(("calm", "tense"), backbone=str(checkpoint_folder))
    assert detector.labels == ("calm", "tense")
    for name, parameter in random_checkpoint("tiny", seed=4).detector.wav2vec2.named_parameters():
        assert torch.equal(detector.wav2vec2.get_parameter(name), parameter), name


def test_a_backbone_that_does_not_say_whether_to_normalise_is_refused(tmp_path):
    Wav2Vec2Model(Wav2Vec2Config(**ARCHITECTURES["tiny"])).save_pretrained(tmp_path)
    with pytest.raises(TrainingError, match=r"set model\.normalize"):
        built(backbone=str(tmp_path))
    assert built(backbone=str(tmp_path), normalize=True)[1] is True


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"architecture": "huge"}, "'huge' is unknown; known are: wav2vec2-base"),
        ({"architecture": "tiny", "shape": {"hidden_size": 97}}, r"model\.shape"),
        ({"architecture": "tiny", "head": {"kind": "magic"}}, "'magic' is unknown"),
        ({"checkpoint": "nowhere/at-all"}, "nowhere/at-all"),
    ],
)
def test_what_can_not_be_built_is_refused_by_name(settings, complaint):
    with pytest.raises((TrainingError, CheckpointError), match=complaint):
        built(**settings)
