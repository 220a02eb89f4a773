"""The calibration error is small for honest probabilities and the known value for dishonest ones."""

from __future__ import annotations

import numpy as np
import pytest
from voicestress import StressContract
from voicestress.report import stress_report
from voicestress_audio import read_recording
from voicestress_model.evaluation.calibration import BINS, calibration, expected_calibration_error
from voicestress_model.evaluation.scores import untempered

from tests.paths import JFK_WAV


def drawn(count: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities ``[count, 3]`` and labels drawn from them: perfect calibration."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet([1.0, 1.0, 1.0], count)
    truth = (generator.random((count, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    return probabilities, truth


def test_the_error_of_a_perfectly_calibrated_model_is_small():
    probabilities, truth = drawn(20_000)
    assert calibration(probabilities, truth, temperature=1, seed=0).error < 0.015


def test_the_error_of_an_overconfident_model_is_how_much_it_boasts():
    right = np.arange(1000) < 700
    assert expected_calibration_error(np.full(1000, 0.9), right) == pytest.approx(0.2)
    assert expected_calibration_error(np.full(1000, 0.5), right) == pytest.approx(0.2)


def test_the_error_is_that_done_by_hand():
    confidence, right = np.array([0.41, 0.42, 0.95, 0.96, 0.97]), np.array([True, False, True, True, False])
    by_hand = 2 / 5 * abs(0.5 - 0.415) + 3 / 5 * abs(2 / 3 - 0.96)
    assert expected_calibration_error(confidence, right) == pytest.approx(by_hand)


def test_few_utterances_have_an_error_that_honesty_does_not_prevent_and_it_is_foretold():
    found = [calibration(*drawn(100, seed=seed), temperature=1, seed=seed) for seed in range(40)]
    errors = np.mean([one.error for one in found])
    assert errors > 0.05
    assert np.mean([one.error_if_calibrated for one in found]) == pytest.approx(errors, rel=0.15)


def test_every_utterance_is_in_one_bin_and_bins_know_their_means():
    probabilities, truth = drawn(500)
    found = calibration(probabilities, truth, temperature=1, seed=0)
    assert len(found.bins) == BINS
    assert sum(part.count for part in found.bins) == 500
    assert all(part.count == 0 for part in found.bins if part.high <= 1 / 3)
    gaps = [part.count * abs(part.accuracy - part.confidence) for part in found.bins if part.count]
    assert sum(gaps) / 500 == pytest.approx(found.error)
    assert all(part.low < part.confidence <= part.high for part in found.bins if part.count)


def test_certainty_is_in_the_last_bin():
    found = calibration(np.eye(3), np.arange(3), temperature=1, seed=0)
    assert [part.count for part in found.bins] == [0] * (BINS - 1) + [3]


@pytest.mark.parametrize("scale", [1, 30, 300])
def test_a_report_tells_its_probabilities_without_temperature(scale):
    recording = read_recording(JFK_WAV, shortest_window_samples=8000, longest_window_samples=32_000)
    contract = StressContract(checkpoint="x", weights="trained", temperature=1.7)
    plain = contract.model_copy(update={"temperature": 1.0})
    logits = scale * np.random.default_rng(0).standard_normal((len(recording.windows), 3)).astype(np.float32)
    scaled = stress_report(recording, logits, contract, name="x", version="1")
    expected = stress_report(recording, logits, plain, name="x", version="1")
    assert untempered(scaled, contract) == pytest.approx([*expected.emotions.values()], abs=1e-9)
