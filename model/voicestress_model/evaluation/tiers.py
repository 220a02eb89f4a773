"""All figures of one tier: one split of a corpus, scored by one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from voicestress import StressContract

from voicestress_model.evaluation.bootstrap import Interval, Resamples, resample
from voicestress_model.evaluation.calibration import Calibration, calibration
from voicestress_model.evaluation.comparisons import Comparison
from voicestress_model.evaluation.metrics import (
    confusion_matrix,
    level_auc,
    macro_f1,
    opposite_labels,
    recalls,
    unweighted_average_recall,
)
from voicestress_model.evaluation.scores import Scores

LEVEL_BIN_POINTS = 5
_QUANTILES = (5, 25, 50, 75, 95)


@dataclass(frozen=True)
class LevelDistribution:
    """Stress levels of one label's utterances: their mean, quantiles by per cent, and counts in bins of 5 points."""

    utterances: int
    mean: float
    quantiles: Mapping[str, float]
    histogram: tuple[int, ...]


@dataclass(frozen=True)
class LevelSeparation:
    """How well levels tell the labels that count most towards stress from those that count least."""

    high: tuple[str, ...]
    low: tuple[str, ...]
    auc: Interval


@dataclass(frozen=True)
class SpeakerSpread:
    """UAR by speaker, each over the labels that speaker has."""

    uar: Mapping[str, float]
    lowest: float
    median: float
    highest: float
    standard_deviation: float


@dataclass(frozen=True)
class SexGap:
    """UAR by sex, where the corpus knows it, and the largest less the smallest."""

    utterances: Mapping[str, int]
    uar: Mapping[str, Interval]
    gap: float


@dataclass(frozen=True)
class ComparisonFigures:
    """Another classifier on the same utterances; ``model_ahead_by`` is the model's UAR less its own, draw by draw."""

    name: str
    description: str
    trained_on: int
    uar: Interval
    model_ahead_by: Interval
    model_share: float


@dataclass(frozen=True)
class Tier:
    """The figures of one tier.

    ``confusion`` has the tier's labels as rows and the model's as columns. ``chance`` is the UAR of guessing.
    """

    name: str
    utterances: int
    speakers: int
    per_label: Mapping[str, int]
    resampled: str
    chance: float
    uar: Interval
    macro_f1: Interval
    recall: Mapping[str, float]
    confusion: tuple[tuple[int, ...], ...]
    per_speaker: SpeakerSpread
    by_sex: SexGap | None
    before: Calibration
    after: Calibration
    separation: LevelSeparation | None
    levels: Mapping[str, LevelDistribution]
    comparisons: tuple[ComparisonFigures, ...]


def tier(
    name: str, scores: Scores, contract: StressContract, comparisons: Sequence[Comparison] = (), *, seed: int
) -> Tier:
    """All figures of ``scores``, the utterances of the split ``name``; ``comparisons`` are asked about them too."""
    resamples = resample(scores.speakers, seed=seed)
    confusion = confusion_matrix(scores.truth, scores.predicted, len(contract.labels))
    occurring = [number for number in range(len(contract.labels)) if confusion[number].any()]
    share = recalls(confusion)
    return Tier(
        name=name,
        utterances=len(scores.utterances),
        speakers=len(set(scores.speakers)),
        per_label={contract.labels[number]: int(confusion[number].sum()) for number in occurring},
        resampled=resamples.unit,
        chance=1 / len(occurring),
        uar=resamples.interval(lambda weights: _uar(scores.truth, scores.predicted, contract, weights)),
        macro_f1=resamples.interval(
            lambda weights: macro_f1(confusion_matrix(scores.truth, scores.predicted, len(contract.labels), weights))
        ),
        recall={contract.labels[number]: float(share[number]) for number in occurring},
        confusion=tuple(tuple(int(count) for count in confusion[number]) for number in occurring),
        per_speaker=_speaker_spread(scores, contract),
        by_sex=_sex_gap(scores, contract, seed),
        before=calibration(scores.untempered, scores.truth, temperature=1.0, seed=seed),
        after=calibration(scores.probabilities, scores.truth, temperature=contract.temperature, seed=seed),
        separation=_separation(scores, contract, occurring, resamples),
        levels={contract.labels[number]: _distribution(scores.levels[scores.truth == number]) for number in occurring},
        comparisons=tuple(_compared(comparison, scores, contract, resamples) for comparison in comparisons),
    )


def _uar(
    truth: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.int64],
    contract: StressContract,
    weights: npt.NDArray[np.float64] | None = None,
) -> float:
    return unweighted_average_recall(confusion_matrix(truth, predicted, len(contract.labels), weights))


def _speaker_spread(scores: Scores, contract: StressContract) -> SpeakerSpread:
    speakers = np.asarray(scores.speakers)
    uar = {}
    for speaker in sorted(set(scores.speakers)):
        own = speakers == speaker
        uar[speaker] = _uar(scores.truth[own], scores.predicted[own], contract)
    values = np.array([*uar.values()])
    return SpeakerSpread(uar, float(values.min()), float(np.median(values)), float(values.max()), float(values.std()))


def _sex_gap(scores: Scores, contract: StressContract, seed: int) -> SexGap | None:
    sexes = np.array([utterance.sex or "" for utterance in scores.utterances])
    known = sorted(set(sexes) - {""})
    if len(known) < 2:
        return None
    counts, uar = {}, {}
    for sex in known:
        own = scores.take(np.flatnonzero(sexes == sex))
        counts[sex] = len(own.utterances)
        uar[sex] = resample(own.speakers, seed=seed).interval(
            lambda weights, own=own: _uar(own.truth, own.predicted, contract, weights)
        )
    values = [interval.value for interval in uar.values()]
    return SexGap(counts, uar, max(values) - min(values))


def _separation(
    scores: Scores, contract: StressContract, occurring: Sequence[int], resamples: Resamples
) -> LevelSeparation | None:
    high, low = opposite_labels(contract.label_weights, occurring)
    if not high:
        return None
    is_high, is_low = np.isin(scores.truth, high), np.isin(scores.truth, low)
    return LevelSeparation(
        high=tuple(contract.labels[number] for number in high),
        low=tuple(contract.labels[number] for number in low),
        auc=resamples.interval(lambda weights: level_auc(scores.levels, is_high, is_low, weights)),
    )


def _distribution(levels: npt.NDArray[np.float64]) -> LevelDistribution:
    counts, _ = np.histogram(levels, bins=np.arange(0, 100 + LEVEL_BIN_POINTS, LEVEL_BIN_POINTS))
    quantiles = dict(zip(map(str, _QUANTILES), np.percentile(levels, _QUANTILES).tolist(), strict=True))
    return LevelDistribution(len(levels), float(levels.mean()), quantiles, tuple(counts.tolist()))


def _compared(
    comparison: Comparison, scores: Scores, contract: StressContract, resamples: Resamples
) -> ComparisonFigures:
    theirs = comparison.predict(scores.utterances)

    def ahead(weights: npt.NDArray[np.float64]) -> float:
        ours = _uar(scores.truth, scores.predicted, contract, weights)
        return ours - _uar(scores.truth, theirs, contract, weights)

    uar = resamples.interval(lambda weights: _uar(scores.truth, theirs, contract, weights))
    return ComparisonFigures(
        name=comparison.name,
        description=comparison.description,
        trained_on=comparison.trained_on,
        uar=uar,
        model_ahead_by=resamples.interval(ahead),
        model_share=_uar(scores.truth, scores.predicted, contract) / uar.value if uar.value else float("nan"),
    )
