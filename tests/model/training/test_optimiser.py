"""Who learns, how fast, and when."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from voicestress_model.architectures import random_checkpoint
from voicestress_model.training.optimiser import class_weights, freeze_backbone, parameter_groups, rate_factor
from voicestress_model.training.settings import OptimiserSettings


@pytest.fixture(scope="module")
def detector():
    return random_checkpoint("tiny").detector


def rates_of(detector, **settings):
    """The highest learning rate and the decay of every parameter, by name."""
    names = {id(parameter): name for name, parameter in detector.named_parameters()}
    groups = parameter_groups(detector, OptimiserSettings(**settings))
    return {
        names[id(parameter)]: (group["peak_lr"], group["weight_decay"])
        for group in groups
        for parameter in group["params"]
    }


def test_every_parameter_learns_in_one_group(detector):
    groups = parameter_groups(detector, OptimiserSettings())
    assert sum(len(group["params"]) for group in groups) == len(list(detector.parameters()))
    assert len(rates_of(detector)) == len(list(detector.parameters()))


def test_lower_layers_learn_slower_and_the_head_at_its_own_rate(detector):
    rates = {name: rate for name, (rate, _) in rates_of(detector, peak_lr=1e-3, head_lr=5e-3, layer_decay=0.5).items()}
    assert rates["head.layers.0.weight"] == 5e-3
    assert rates["wav2vec2.encoder.layers.1.attention.q_proj.weight"] == 1e-3
    assert rates["wav2vec2.encoder.layers.0.attention.q_proj.weight"] == 5e-4
    assert rates["wav2vec2.feature_projection.projection.weight"] == 2.5e-4
    assert rates["wav2vec2.feature_extractor.conv_layers.0.conv.weight"] == 2.5e-4


def test_norms_and_biases_do_not_decay(detector):
    decays = {name: decay for name, (_, decay) in rates_of(detector, weight_decay=0.1).items()}
    assert decays["wav2vec2.encoder.layers.0.layer_norm.weight"] == 0
    assert decays["head.layers.0.bias"] == 0
    assert decays["head.layers.0.weight"] == 0.1


def test_rates_rise_over_the_warm_up_then_fall_to_nothing():
    factors = [rate_factor(step, 1000, 0.1) for step in range(1000)]
    assert factors[0] < 0.02
    assert np.all(np.diff(factors[:101]) > 0)
    assert np.all(np.diff(factors[101:]) < 0)
    assert max(factors) == 1.0
    assert factors[-1] < 1e-5
    assert rate_factor(550, 1000, 0.1) == pytest.approx(0.5)


def test_a_run_of_one_step_has_a_rate():
    assert rate_factor(0, 1, 0.1) == 1.0


def test_a_frozen_backbone_gets_no_gradient_and_a_thawed_one_does():
    detector = random_checkpoint("tiny").detector.train()
    waveforms = torch.randn(2, 8000)
    freeze_backbone(detector, True)
    detector(waveforms).sum().backward()
    assert all(parameter.grad is None for parameter in detector.wav2vec2.parameters())
    assert all(parameter.grad is not None for parameter in detector.head.parameters())
    freeze_backbone(detector, False)
    detector(waveforms).sum().backward()
    learning = {name for name, parameter in detector.wav2vec2.named_parameters() if parameter.grad is not None}
    assert {name for name, _ in detector.wav2vec2.named_parameters()} - learning <= {"masked_spec_embed"}


def test_balanced_weights_make_every_label_count_the_same():
    counts = {"neutral": 60, "sad": 30, "anxious": 10}
    weights = class_weights(counts, OptimiserSettings(class_weights="balanced"))
    assert torch.allclose(weights * torch.tensor([60.0, 30.0, 10.0]), torch.tensor([100 / 3] * 3))


def test_given_weights_follow_the_order_of_the_labels():
    settings = OptimiserSettings(class_weights={"anxious": 3.0, "neutral": 1.0, "sad": 2.0})
    assert class_weights({"neutral": 1, "sad": 1, "anxious": 1}, settings).tolist() == [1, 2, 3]


def test_without_weights_all_clips_count_the_same():
    assert class_weights({"neutral": 1, "sad": 9}, OptimiserSettings()) is None
