"""Temperature scaling: probabilities that mean what they say, at the cost of one number."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

LOWEST, HIGHEST = 0.01, 100.0
_HALVINGS = 60


def fit_temperature(logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> float:
    """The temperature at which softmax(logits / temperature) has the least negative log-likelihood.

    ``logits [n, K]`` and ``labels [n]`` are of recordings that were not trained on. Guo et al. 2017, On Calibration of
    Modern Neural Networks, section 4.2. The loss is convex in 1 / temperature, so bisecting its slope finds the one
    minimum. Bounded to 0.01 … 100: logits that say nothing about the labels, or everything, have none.
    """
    logits = np.asarray(logits, dtype=np.float64)
    low, high = math.log(1 / HIGHEST), math.log(1 / LOWEST)
    if _slope(logits, labels, math.exp(low)) >= 0:
        return HIGHEST
    if _slope(logits, labels, math.exp(high)) <= 0:
        return LOWEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _slope(logits, labels, math.exp(middle)) < 0:
            low = middle
        else:
            high = middle
    return math.exp(-(low + high) / 2)


def negative_log_likelihood(
    logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer], temperature: float = 1.0
) -> float:
    """Mean of -log softmax(logits / temperature)[label], in nats: ``logits [n, K]``, ``labels [n]``."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    chosen = scaled[np.arange(len(labels)), labels]
    return float((np.log(np.exp(scaled).sum(axis=1)) - chosen).mean())


def _slope(logits: npt.NDArray[np.float64], labels: npt.NDArray[np.integer], inverse: float) -> float:
    """Derivative of the loss by 1 / temperature: mean of E_p[logit] - logit of the label."""
    scaled = logits * inverse
    scaled = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    expected = (scaled * logits).sum(axis=1) / scaled.sum(axis=1)
    return float((expected - logits[np.arange(len(labels)), labels]).mean())
