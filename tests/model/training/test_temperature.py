"""The fitted temperature is the one with the least loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from voicestress_model.training.temperature import HIGHEST, LOWEST, fit_temperature, negative_log_likelihood


def drawn(temperature, *, samples=4000, seed=0):
    """Logits that are ``temperature`` times too large for the labels drawn with them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2.0, size=(samples, 3))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return logits * temperature, labels


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0, 3.0, 20.0])
def test_the_temperature_logits_were_spoilt_with_is_found(temperature):
    logits, labels = drawn(temperature)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.08)


def test_no_other_temperature_has_less_loss():
    logits, labels = drawn(2.5, samples=300)
    least = negative_log_likelihood(logits, labels, fit_temperature(logits, labels))
    assert all(negative_log_likelihood(logits, labels, other) >= least for other in np.geomspace(0.01, 100, 2001))


def test_an_offset_of_a_recording_s_logits_changes_nothing():
    logits, labels = drawn(2.0)
    offset = np.random.default_rng(1).normal(scale=50, size=(len(logits), 1))
    assert fit_temperature(logits + offset, labels) == pytest.approx(fit_temperature(logits, labels), rel=1e-9)


def test_logits_that_are_always_right_or_always_wrong_get_a_bound():
    right = np.eye(3)[np.arange(30) % 3]
    assert fit_temperature(right, np.arange(30) % 3) == LOWEST
    assert fit_temperature(right, (np.arange(30) + 1) % 3) == HIGHEST


def test_the_loss_is_that_of_torch():
    logits, labels = drawn(1.0, samples=50)
    expected = torch.nn.functional.cross_entropy(torch.from_numpy(logits / 1.7), torch.from_numpy(labels))
    assert negative_log_likelihood(logits, labels, 1.7) == pytest.approx(float(expected), rel=1e-12)
