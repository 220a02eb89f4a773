"""Which epoch is kept: the highest recall as far as so few recordings can tell, then the lowest loss."""

from __future__ import annotations

import numpy as np
import pytest
from voicestress_model.training.progress import Epoch, Progress
from voicestress_model.training.scoring import unweighted_average_recall, unweighted_average_recall_error


def best_of(*epochs, error=0.02):
    """The number of the epoch that is kept of (UAR, loss) pairs."""
    history = tuple(Epoch(number, number, 1e-3, 0.5, *pair, 0.0, error) for number, pair in enumerate(epochs, start=1))
    best = Progress(history=history).best
    return None if best is None else best.epoch


@pytest.mark.parametrize(
    ("epochs", "kept"),
    [
        ([], None),
        ([(0.7, 0.6)], 1),
        ([(0.7, 0.6), (0.8, 0.5), (0.75, 0.4)], 2),  # far below the highest recall, a low loss does not help
        ([(0.85, 0.40), (0.84, 0.35)], 2),  # as good as can be told, and surer
        ([(0.85, 0.40), (0.84, 0.45)], 1),
        ([(0.84, 0.35), (0.85, 0.40)], 1),
        ([(0.80, 0.35), (0.85, 0.40)], 2),
        ([(0.85, 0.40), (0.835, 0.38), (0.82, 0.30)], 2),  # no drifting down: the highest counts
    ],
)
def test_of_epochs_within_a_standard_error_of_the_highest_recall_the_surest_is_kept(epochs, kept):
    assert best_of(*epochs) == kept


@pytest.mark.parametrize(
    ("recalls", "over"),
    [
        ([(0.80, 0.4), (0.79, 0.5), (0.79, 0.5)], True),
        ([(0.80, 0.4), (0.79, 0.5)], False),
        ([(0.80, 0.4), (0.81, 0.5), (0.79, 0.5)], False),  # the first is kept, but recall still rose
        ([(0.80, 0.4), (0.81, 0.5), (0.79, 0.5), (0.79, 0.5)], True),
    ],
)
def test_patience_counts_from_the_last_rise_of_recall(recalls, over):
    history = tuple(Epoch(number, number, 1e-3, 0.5, *pair, 0.0, 0.02) for number, pair in enumerate(recalls, start=1))
    assert Progress(history=history).is_patience_over(2) is over
    assert not Progress(history=history).is_patience_over(None)


def test_without_an_error_the_highest_recall_is_kept():
    assert best_of((0.85, 0.4), (0.849, 0.3), error=0.0) == 1


def test_the_standard_error_is_that_of_drawing_recordings_again():
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [40, 60, 100])
    right = generator.random(200) < np.array([0.9, 0.6, 0.8])[labels]
    logits = np.eye(3)[np.where(right, labels, (labels + 1) % 3)]
    places = [np.flatnonzero(labels == label) for label in range(3)]
    drawn = [np.concatenate([generator.choice(own, len(own)) for own in places]) for _ in range(2000)]
    spread = np.std([unweighted_average_recall(logits[d], labels[d], np.arange(200)) for d in drawn])
    assert unweighted_average_recall_error(logits, labels, np.arange(200)) == pytest.approx(spread, rel=0.06)
