"""Whether a probability of 80 % is right 80 % of the time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BINS = 15
_SIMULATIONS = 200


@dataclass(frozen=True)
class Bin:
    """The utterances whose top label's probability is in ``(low, high]``; their means are None where there are none."""

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """Reliability at one temperature.

    ``error`` is the expected calibration error, 0 to 1. ``error_if_calibrated`` is what it would be on average for
    a perfectly calibrated model with these confidences: few utterances leave a gap in every bin by chance alone.
    """

    temperature: float
    error: float
    error_if_calibrated: float
    bins: tuple[Bin, ...]


def calibration(
    probabilities: npt.NDArray[np.float64], truth: npt.NDArray[np.int64], *, temperature: float, seed: int
) -> Calibration:
    """The reliability of ``probabilities [n, labels]`` against the true labels ``truth [n]``."""
    confidence = probabilities.max(axis=1)  # [n]
    right = probabilities.argmax(axis=1) == truth  # [n]
    generator = np.random.default_rng(seed)
    simulated = [
        expected_calibration_error(confidence, generator.random(len(confidence)) < confidence)
        for _ in range(_SIMULATIONS)
    ]
    place = _bin_of(confidence)
    bins = []
    for number in range(BINS):
        inside = place == number
        mean = (float(confidence[inside].mean()), float(right[inside].mean())) if inside.any() else (None, None)
        bins.append(Bin(number / BINS, (number + 1) / BINS, int(inside.sum()), *mean))
    error = expected_calibration_error(confidence, right)
    return Calibration(temperature, error, float(np.mean(simulated)), tuple(bins))


def expected_calibration_error(confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> float:
    """Σ |B| / n · |accuracy(B) - confidence(B)| over 15 bins B of equal width, for the top label; 0 to 1.

    ``confidence [n]`` is the top label's probability, ``right [n]`` whether it was true. Guo et al. 2017, On
    Calibration of Modern Neural Networks, equation 3.
    """
    place = _bin_of(confidence)
    gaps = np.bincount(place, weights=right - confidence, minlength=BINS)  # |B| · (accuracy - confidence)
    return float(np.abs(gaps).sum() / len(confidence))


def _bin_of(confidence: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Number of the bin ``(m / 15, (m + 1) / 15]`` each confidence is in."""
    return np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
