"""How good predicted labels and stress levels are.

``truth`` and ``predicted`` are label numbers ``[n]``, 0 to ``labels`` - 1. ``weights [n]`` counts an utterance that
often, which is how ``bootstrap.py`` draws its samples; without them each counts once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float64]


def confusion_matrix(
    truth: Labels, predicted: Labels, labels: int, weights: Weights | None = None
) -> npt.NDArray[np.float64]:
    """Utterances ``[labels, labels]`` by true label (row) and predicted label (column)."""
    counts = np.bincount(truth * labels + predicted, weights=weights, minlength=labels * labels)
    return counts.astype(np.float64).reshape(labels, labels)


def recalls(confusion: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Share of each label's utterances that were recognised, ``[labels]``; NaN for a label that has none."""
    totals = confusion.sum(axis=1)
    return np.divide(np.diag(confusion), totals, out=np.full(len(totals), np.nan), where=totals > 0)


def unweighted_average_recall(confusion: npt.NDArray[np.float64]) -> float:
    """UAR, 0 to 1: the mean recall over the labels that occur, each counting the same however rare it is.

    Schuller et al. 2009, The INTERSPEECH 2009 Emotion Challenge. Guessing gives 1 / labels.
    """
    return float(np.nanmean(recalls(confusion)))


def macro_f1(confusion: npt.NDArray[np.float64]) -> float:
    """Mean over the labels that occur of F1 = 2 TP / (2 TP + FP + FN), 0 to 1."""
    true_positives = np.diag(confusion)
    denominator = confusion.sum(axis=0) + confusion.sum(axis=1)
    occurs = confusion.sum(axis=1) > 0
    return float(np.mean(2 * true_positives[occurs] / denominator[occurs]))


def level_auc(
    levels: npt.NDArray[np.float64], high: npt.NDArray[np.bool_], low: npt.NDArray[np.bool_], weights: Weights
) -> float:
    """Probability, 0 to 1, that an utterance of ``high [n]`` gets a higher level than one of ``low [n]``.

    The area under the ROC curve; equal levels count half. NaN where either side weighs nothing. (scikit-learn's takes
    a millisecond, which the bootstrap pays a thousand times for every tier.)
    """
    distinct, rank = np.unique(levels, return_inverse=True)
    highs = np.bincount(rank, weights=weights * high, minlength=len(distinct))
    lows = np.bincount(rank, weights=weights * low, minlength=len(distinct))
    pairs = highs.sum() * lows.sum()
    below = np.cumsum(lows) - lows
    return float((highs * (below + lows / 2)).sum() / pairs) if pairs else float("nan")


def opposite_labels(label_weights: Sequence[float], occurring: Sequence[int]) -> tuple[list[int], list[int]]:
    """The ``occurring`` label numbers that count most towards stress, and those that count least.

    Anxious and neutral, for the article's labels. Two empty lists where all count the same.
    """
    most = max(label_weights[label] for label in occurring)
    least = min(label_weights[label] for label in occurring)
    if most == least:
        return [], []
    return (
        [label for label in occurring if label_weights[label] == most],
        [label for label in occurring if label_weights[label] == least],
    )
