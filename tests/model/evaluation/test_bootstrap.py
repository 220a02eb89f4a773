"""Intervals hold what they promise, and promise nothing where they can't."""

from __future__ import annotations

import numpy as np
from voicestress_model.evaluation.bootstrap import resample
from voicestress_model.evaluation.metrics import confusion_matrix, unweighted_average_recall

SPEAKERS, EACH = 30, 20


def covered(*, by_speaker: bool, simulations: int = 80) -> float:
    """How often the interval has the true UAR in it, where speakers differ in how well they are recognised."""
    generator, inside = np.random.default_rng(1), 0
    for simulation in range(simulations):
        skill = generator.beta(4, 2, SPEAKERS)  # mean 2/3, the UAR over all possible speakers
        truth = np.tile([0, 1], SPEAKERS * EACH // 2)
        right = generator.random(SPEAKERS * EACH) < np.repeat(skill, EACH)
        predicted = np.where(right, truth, 1 - truth)
        names = np.repeat(np.arange(SPEAKERS), EACH) if by_speaker else np.arange(SPEAKERS * EACH)
        interval = resample([f"{name}" for name in names], seed=simulation, draws=120).interval(
            lambda weights, truth=truth, predicted=predicted: unweighted_average_recall(
                confusion_matrix(truth, predicted, 2, weights)
            )
        )
        inside += interval.low <= 2 / 3 <= interval.high
    return inside / simulations


def test_intervals_over_speakers_cover_and_intervals_over_utterances_would_not():
    assert covered(by_speaker=True) >= 0.86
    assert covered(by_speaker=False) < 0.75


def test_a_speaker_is_drawn_whole_or_not_at_all():
    resamples = resample(["a", "a", "b", "c", "d", "e", "e", "e"], seed=0)
    assert resamples.unit == "speakers"
    assert (resamples.draws[:, 0] == resamples.draws[:, 1]).all()
    assert (resamples.draws[:, 5] == resamples.draws[:, 7]).all()
    assert (resamples.draws[:, [0, 2, 3, 4, 5]].sum(axis=1) == 5).all()


def test_fewer_than_five_speakers_fall_back_to_utterances():
    resamples = resample(["a", "a", "b", "c", "d"], seed=0)
    assert resamples.unit == "utterances"
    assert (resamples.draws.sum(axis=1) == 5).all()
    assert (resamples.draws[:, 0] != resamples.draws[:, 1]).any()


def test_the_same_seed_gives_the_same_resamples():
    names = [f"{number % 7}" for number in range(30)]
    assert (resample(names, seed=1).draws == resample(names, seed=1).draws).all()
    assert (resample(names, seed=1).draws != resample(names, seed=2).draws).any()


def test_a_statistic_that_is_not_defined_in_some_resamples_has_an_interval_over_the_others():
    interval = resample(list("abcdef"), seed=0).interval(lambda w: float("nan") if w[0] == 0 else float(w.mean()))
    assert (interval.value, interval.low, interval.high) == (1, 1, 1)
