"""The front end that trains fast is the one that is served."""

from __future__ import annotations

import pytest
import torch
from voicestress_model.architectures import random_checkpoint
from voicestress_model.training.front_end import use_matrix_products


@pytest.mark.parametrize("samples", [400, 401, 719, 720, 16_000, 23_457])
def test_features_and_gradients_are_those_of_transformers(samples):
    torch.manual_seed(2)
    waveforms = torch.randn(2, samples)
    plain, fast = (random_checkpoint("tiny-layer-norm").detector.wav2vec2.feature_extractor for _ in range(2))
    detector = random_checkpoint("tiny-layer-norm").detector
    detector.wav2vec2.feature_extractor = fast
    use_matrix_products(detector)
    features, expected = fast(waveforms), plain(waveforms)
    assert torch.allclose(features, expected, atol=1e-5)
    features.square().mean().backward()
    expected.square().mean().backward()
    for name, parameter in plain.named_parameters():
        assert torch.allclose(fast.get_parameter(name).grad, parameter.grad, atol=1e-5, rtol=1e-3), name


def test_it_changes_nothing_about_what_is_saved():
    detector = random_checkpoint("tiny-layer-norm").detector
    before = set(detector.state_dict())
    use_matrix_products(detector)
    assert set(detector.state_dict()) == before
