"""How the scores of the same utterances change when the recordings get worse."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from voicestress_audio import SAMPLE_RATE_HZ, Source

from voicestress_model.corpora import Utterance
from voicestress_model.corpora.pcm import Pcm, read_pcm
from voicestress_model.evaluation import distortions
from voicestress_model.evaluation.bootstrap import Interval, resample
from voicestress_model.evaluation.metrics import confusion_matrix, unweighted_average_recall
from voicestress_model.evaluation.scorers import Scorer
from voicestress_model.evaluation.scores import Scores, score_utterances

SNRS_DB = (20, 10, 5, 0)
_TALKERS = 5


@dataclass(frozen=True)
class Condition:
    """What the utterances went through, and what became of their scores.

    ``mean_absolute_change`` and ``mean_change`` are of the stress level, in points of 100, against the untouched
    recordings. ``rejected`` utterances could no longer be read, and are in neither.
    """

    name: str
    kind: str
    snr_db: int | None
    utterances: int
    rejected: int
    uar: Interval
    mean_absolute_change: float
    mean_change: float


@dataclass(frozen=True)
class Robustness:
    """The conditions, the first being the untouched recordings, on one sample of ``utterances``."""

    utterances: int
    splits: tuple[str, ...]
    resampled: str
    conditions: tuple[Condition, ...]


def balanced_sample(scores: Scores, most: int, *, seed: int) -> Scores:
    """At most ``most`` of the utterances, drawn in turn from every split and label."""
    generator = np.random.default_rng(seed)
    groups: dict[tuple[str | None, str], list[int]] = {}
    for place in generator.permutation(len(scores.utterances)):
        utterance = scores.utterances[place]
        groups.setdefault((utterance.split, utterance.label), []).append(int(place))
    ranked = sorted((rank, place) for group in groups.values() for rank, place in enumerate(group))
    return scores.take(np.array(sorted(place for _, place in ranked[:most]), dtype=np.int64))


def condition_count() -> int:
    """How many conditions ``robustness`` scores, the untouched one aside."""
    return len(_conditions({}))


def robustness(
    scorer: Scorer, clean: Scores, *, seed: int, on_scored: Callable[[], object] = lambda: None
) -> Robustness:
    """Score the utterances of ``clean`` under each condition; ``on_scored`` is called after each utterance."""
    pcm = {utterance: read_pcm(utterance.path) for utterance in clean.utterances}
    resampled = resample(clean.speakers, seed=seed)
    place = {utterance: number for number, utterance in enumerate(clean.utterances)}
    labels = len(scorer.contract.labels)
    conditions = [_condition("as recorded", "clean", None, clean, clean, labels, seed)]
    for name, kind, snr_db, distort in _conditions(pcm):

        def source(utterance: Utterance, distort: _Distort = distort) -> Source:
            return distort(utterance, np.random.default_rng([seed, place[utterance]]))

        scores, _ = score_utterances(scorer, clean.utterances, source=source, on_scored=on_scored)
        conditions.append(_condition(name, kind, snr_db, scores, clean, labels, seed))
    splits = tuple(dict.fromkeys(utterance.split or "all" for utterance in clean.utterances))
    return Robustness(len(clean.utterances), splits, resampled.unit, tuple(conditions))


_Distort = Callable[[Utterance, np.random.Generator], Source]


def _conditions(pcm: dict[Utterance, Pcm]) -> list[tuple[str, str, int | None, _Distort]]:
    """Name, kind, signal-to-noise ratio and distortion of each condition, for the utterances in ``pcm``."""
    everyone = list(pcm)

    def noisy(snr_db: int, noise: Callable[[Utterance, np.random.Generator], np.ndarray]) -> _Distort:
        def distort(utterance: Utterance, generator: np.random.Generator) -> Source:
            return distortions.with_noise(pcm[utterance], noise(utterance, generator), snr_db), SAMPLE_RATE_HZ

        return distort

    def white(utterance: Utterance, generator: np.random.Generator) -> np.ndarray:
        return distortions.white_noise(len(pcm[utterance]), generator)

    def babble(utterance: Utterance, generator: np.random.Generator) -> np.ndarray:
        talkers = [pcm[other] for other in _others(everyone, utterance, generator)]
        return distortions.babble(len(pcm[utterance]), talkers, generator)

    def coded(encode: Callable[[Pcm], bytes]) -> _Distort:
        return lambda utterance, _: encode(pcm[utterance])

    return [
        *((f"white noise, {snr} dB", "white noise", snr, noisy(snr, white)) for snr in SNRS_DB),
        *((f"babble, {snr} dB", "babble", snr, noisy(snr, babble)) for snr in SNRS_DB),
        ("telephone", "channel", None, coded(distortions.telephone)),
        ("Opus, 16 kbit/s", "channel", None, coded(distortions.opus)),
        ("MP3, 32 kbit/s", "channel", None, coded(distortions.mp3)),
    ]


def _others(everyone: Sequence[Utterance], utterance: Utterance, generator: np.random.Generator) -> Iterator[Utterance]:
    """A few utterances of other speakers; of any others where there is only one speaker."""
    strangers = [other for other in everyone if other.speaker != utterance.speaker] or list(everyone)
    for number in generator.integers(len(strangers), size=_TALKERS):
        yield strangers[number]


def _condition(
    name: str, kind: str, snr_db: int | None, scores: Scores, clean: Scores, labels: int, seed: int
) -> Condition:
    before = dict(zip(clean.utterances, clean.levels, strict=True))
    change = scores.levels - np.array([before[utterance] for utterance in scores.utterances])
    interval = resample(scores.speakers, seed=seed).interval(
        lambda weights: unweighted_average_recall(confusion_matrix(scores.truth, scores.predicted, labels, weights))
    )
    return Condition(
        name=name,
        kind=kind,
        snr_db=snr_db,
        utterances=len(scores.utterances),
        rejected=len(clean.utterances) - len(scores.utterances),
        uar=interval,
        mean_absolute_change=float(np.abs(change).mean()),
        mean_change=float(change.mean()),
    )
