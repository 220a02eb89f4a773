"""Metrics against values computed by hand and by scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score
from sklearn.metrics import confusion_matrix as sklearn_confusion
from voicestress_model.evaluation.metrics import (
    confusion_matrix,
    level_auc,
    macro_f1,
    opposite_labels,
    recalls,
    unweighted_average_recall,
)


def test_figures_of_a_confusion_matrix_are_those_done_by_hand():
    truth, predicted = np.array([0, 0, 0, 0, 1, 1, 2]), np.array([0, 0, 0, 1, 1, 2, 2])
    confusion = confusion_matrix(truth, predicted, 3)
    assert confusion.tolist() == [[3, 1, 0], [0, 1, 1], [0, 0, 1]]
    assert recalls(confusion).tolist() == [0.75, 0.5, 1.0]
    assert unweighted_average_recall(confusion) == pytest.approx(0.75)
    assert macro_f1(confusion) == pytest.approx((6 / 7 + 2 / 4 + 2 / 3) / 3)


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_scikit_learn_s(seed):
    generator = np.random.default_rng(seed)
    truth, predicted = generator.integers(0, 4, 200), generator.integers(0, 4, 200)
    confusion = confusion_matrix(truth, predicted, 4)
    assert (confusion == sklearn_confusion(truth, predicted, labels=range(4))).all()
    assert unweighted_average_recall(confusion) == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert macro_f1(confusion) == pytest.approx(f1_score(truth, predicted, average="macro"))


def test_a_weight_counts_an_utterance_that_often():
    generator = np.random.default_rng(0)
    truth, predicted, times = (generator.integers(0, 3, 60) for _ in range(3))
    repeated = confusion_matrix(np.repeat(truth, times), np.repeat(predicted, times), 3)
    assert (confusion_matrix(truth, predicted, 3, times.astype(float)) == repeated).all()


def test_a_label_that_does_not_occur_counts_in_no_mean():
    confusion = confusion_matrix(np.array([0, 0, 2]), np.array([0, 1, 2]), 3)
    assert math.isnan(recalls(confusion)[1])
    assert unweighted_average_recall(confusion) == 0.75
    assert macro_f1(confusion) == pytest.approx((2 / 3 + 1) / 2)


@pytest.mark.parametrize("seed", range(5))
def test_the_auc_is_scikit_learn_s_ties_and_weights_included(seed):
    generator = np.random.default_rng(seed)
    levels = np.round(generator.uniform(0, 100, 80), -1)
    truth, weights = generator.integers(0, 3, 80), generator.integers(0, 4, 80).astype(float)
    chosen = truth != 1
    expected = roc_auc_score(truth[chosen] == 2, levels[chosen], sample_weight=weights[chosen])
    assert level_auc(levels, truth == 2, truth == 0, weights) == pytest.approx(expected)


def test_the_auc_of_one_side_alone_is_none():
    levels, everybody = np.array([1.0, 2.0]), np.array([True, True])
    assert math.isnan(level_auc(levels, everybody, ~everybody, np.ones(2)))


def test_the_opposite_labels_are_those_that_count_most_and_least():
    assert opposite_labels((0, 0.5, 1), (0, 1, 2)) == ([2], [0])
    assert opposite_labels((0, 1, 0, 1), (0, 1, 2, 3)) == ([1, 3], [0, 2])
    assert opposite_labels((0, 0.5, 1), (0, 1)) == ([1], [0])
    assert opposite_labels((1, 1), (0, 1)) == ([], [])
