"""A model and a corpus in, everything the report says out."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from tqdm import tqdm
from voicestress import StressContract

from voicestress_model.corpora import Corpus, Rejected, Utterance, check_recordings
from voicestress_model.evaluation.comparisons import (
    Comparison,
    ceiling,
    has_true_parameters,
    prosody_baseline,
    training_sample,
)
from voicestress_model.evaluation.errors import EvaluationError
from voicestress_model.evaluation.robustness import Robustness, balanced_sample, condition_count, robustness
from voicestress_model.evaluation.scorers import Scorer
from voicestress_model.evaluation.scores import Scores, score_utterances
from voicestress_model.evaluation.tiers import Tier, tier
from voicestress_model.evaluation.words import SYNTHETIC

TRAIN, DEV, WHOLE = "train", "dev", "all"
LARGEST_LEVEL_DIFFERENCE = 0.1  # points of 100: what a checkpoint and a server of the same model may differ by
_PACKAGES = ("voicestress", "numpy", "scikit-learn", "scipy", "soundfile", "torch", "transformers")


@dataclass(frozen=True)
class Options:
    """How to evaluate.

    ``splits`` are the tiers to report; empty for all but "train". ``robustness_utterances`` bounds the sample that goes
    through every distortion (0: none).
    """

    splits: tuple[str, ...] = ()
    seed: int = 0
    robustness_utterances: int = 300
    progress: bool = False


@dataclass(frozen=True)
class Agreement:
    """How far two scorers are apart on the same utterances, in points of stress level."""

    between: tuple[str, str]
    utterances: int
    largest_difference: float
    mean_difference: float
    allowed: float = LARGEST_LEVEL_DIFFERENCE

    @property
    def holds(self) -> bool:
        """Whether they agree."""
        return self.largest_difference <= self.allowed


@dataclass(frozen=True)
class Evaluation:
    """Everything the report says; ``rejected`` and ``asked`` count the utterances of the tiers."""

    contract: StressContract
    runtime: str
    corpus: str
    corpus_labels: tuple[str, ...]
    dropped: Mapping[str, int]
    seed: int
    versions: Mapping[str, str]
    asked: int
    rejected: tuple[Rejected, ...]
    tiers: tuple[Tier, ...]
    robustness: Robustness | None
    agreement: Agreement | None
    notes: tuple[str, ...]

    @property
    def rejected_share(self) -> float:
        """Share of the utterances that could not be scored, 0 to 1."""
        return len(self.rejected) / self.asked


def evaluate(scorer: Scorer, corpus: Corpus, options: Options, *, other: Scorer | None = None) -> Evaluation:
    """Score the tiers of ``corpus`` with ``scorer``; with ``other`` too, measure how far the two agree.

    Starts processes on a large corpus: a script calls it under ``if __name__ == "__main__"``.

    Raises:
        EvaluationError: the corpus has labels the model does not know, or a tier is missing or lacks a class.
        CorpusError: the recordings that can be used leave a class empty.
        ServiceError: the server failed.
    """
    names = check(scorer.contract, corpus, options)
    if other is not None:
        check(other.contract, corpus, options)
    parts = {name: corpus.utterances if name == WHOLE and not corpus.splits else corpus.split(name) for name in names}
    asked = [utterance for part in parts.values() for utterance in part]
    usable, rejected = _readable(corpus, asked, scorer.contract, options)
    with _bar("scoring", len(usable), options) as bar:
        scores, refused = score_utterances(scorer, usable, on_scored=bar.update)
    rejected = [*rejected, *refused]
    split_of = np.array([utterance.split or WHOLE for utterance in scores.utterances])
    scored = {name: scores.take(np.flatnonzero(split_of == name)) for name in names}
    for name, part in scored.items():
        _check_classes(corpus, name, part.utterances, "that can be scored ")
    comparisons, notes = _comparisons(corpus, scorer.contract, scores, options)
    sample = _robustness_sample(scored, options)
    return Evaluation(
        contract=scorer.contract,
        runtime=scorer.runtime,
        corpus=corpus.name,
        corpus_labels=corpus.labels,
        dropped=dict(corpus.dropped),
        seed=options.seed,
        versions={"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        asked=len(asked),
        rejected=tuple(rejected),
        tiers=tuple(_tiers(scored, scorer.contract, comparisons, options)),
        robustness=_robustness(scorer, sample, options),
        agreement=None if other is None else _agreement(scorer, other, scores, options),
        notes=tuple(notes),
    )


def check(contract: StressContract, corpus: Corpus, options: Options) -> tuple[str, ...]:
    """The names of the tiers that will be evaluated.

    Raises:
        EvaluationError: see ``evaluate``.
    """
    if contract.heuristic:
        raise EvaluationError(
            f"{contract.checkpoint}: it tells dimensions ({', '.join(contract.labels)}), and recall and calibration "
            f"of labels like those of {corpus.name} have no meaning for it."
        )
    if unknown := [label for label in corpus.labels if label not in contract.labels]:
        raise EvaluationError(
            f"{corpus.name}: its label(s) {', '.join(unknown)} are not among those of {contract.checkpoint}: "
            f"{', '.join(contract.labels)}. Rename them in the manifest, or leave their utterances out."
        )
    known = corpus.splits or (WHOLE,)
    names = options.splits or tuple(name for name in known if name != TRAIN)
    if missing := [name for name in names if name not in known]:
        raise EvaluationError(f"{corpus.name}: there is no split {', '.join(missing)}. Its splits: {', '.join(known)}.")
    if not names:
        raise EvaluationError(
            f"{corpus.name}: its only split is {TRAIN!r}, and figures on what a model was trained on say nothing. "
            f"Give other speakers to a test split, or insist with --split {TRAIN}."
        )
    for name in names:
        part = [utterance for utterance in corpus.utterances if (utterance.split or WHOLE) == name]
        _check_classes(corpus, name, part, "")
    return tuple(dict.fromkeys(names))


def _check_classes(corpus: Corpus, split: str, utterances: Sequence[Utterance], which: str) -> None:
    there = {utterance.label for utterance in utterances}
    if empty := [label for label in corpus.labels if label not in there]:
        raise EvaluationError(
            f"{corpus.name}: no utterance {which}in the split {split!r} is labelled {' or '.join(empty)}; "
            "recall and calibration need some of every class."
        )


def _readable(
    corpus: Corpus, asked: Sequence[Utterance], contract: StressContract, options: Options
) -> tuple[tuple[Utterance, ...], list[Rejected]]:
    with _bar("reading", len(asked), options) as bar:
        readable, rejected = check_recordings(
            dataclasses.replace(corpus, utterances=tuple(asked)),
            shortest_s=contract.shortest_window_s,
            progress=bar.update,
        )
    return readable.utterances, rejected


def _comparisons(
    corpus: Corpus, contract: StressContract, scores: Scores, options: Options
) -> tuple[list[Comparison], list[str]]:
    if TRAIN not in corpus.splits:
        return [], [f"No comparison with hand-made features: {corpus.name} has no split {TRAIN!r} to fit them on."]
    training = training_sample(corpus.split(TRAIN), seed=options.seed)
    with _bar("prosody baseline", len(training) + len(scores.utterances), options) as bar:
        found = [prosody_baseline(training, scores.utterances, contract.labels, seed=options.seed, on_read=bar.update)]
    notes = []
    if unread := len(training) - found[0].trained_on:
        notes.append(
            f"{unread} of the {len(training)} recordings for the regression on hand-made features can't be used."
        )
    if has_true_parameters(corpus.utterances):
        found.append(ceiling(corpus.split(TRAIN), contract.labels, seed=options.seed))
        notes.append(SYNTHETIC)
    return found, notes


def _tiers(
    scored: Mapping[str, Scores], contract: StressContract, comparisons: Sequence[Comparison], options: Options
) -> list[Tier]:
    with _bar("figures", len(scored), options) as bar:
        found = []
        for name, part in scored.items():
            found.append(tier(name, part, contract, comparisons, seed=options.seed))
            bar.update()
    return found


def _robustness_sample(scored: Mapping[str, Scores], options: Options) -> Scores | None:
    """The utterances for the distortions: not those a checkpoint was chosen by, where there are others."""
    if not options.robustness_utterances:
        return None
    parts = [part for name, part in scored.items() if name not in {TRAIN, DEV}] or list(scored.values())
    together = Scores(
        utterances=tuple(utterance for part in parts for utterance in part.utterances),
        truth=np.concatenate([part.truth for part in parts]),
        probabilities=np.concatenate([part.probabilities for part in parts]),
        untempered=np.concatenate([part.untempered for part in parts]),
        levels=np.concatenate([part.levels for part in parts]),
    )
    return balanced_sample(together, options.robustness_utterances, seed=options.seed)


def _robustness(scorer: Scorer, sample: Scores | None, options: Options) -> Robustness | None:
    if sample is None:
        return None
    with _bar("noise and codecs", condition_count() * len(sample.utterances), options) as bar:
        return robustness(scorer, sample, seed=options.seed, on_scored=bar.update)


def _agreement(scorer: Scorer, other: Scorer, scores: Scores, options: Options) -> Agreement:
    with _bar("scoring again", len(scores.utterances), options) as bar:
        theirs, _ = score_utterances(other, scores.utterances, on_scored=bar.update)
    if theirs.utterances != scores.utterances:
        raise EvaluationError(f"{other.runtime} refuses recordings that {scorer.runtime} scores: not the same windows")
    difference = np.abs(theirs.levels - scores.levels)
    return Agreement(
        (scorer.runtime, other.runtime), len(difference), float(difference.max()), float(difference.mean())
    )


def _bar(title: str, total: int, options: Options) -> Any:
    """A progress bar on standard error, where that is a terminal."""
    return tqdm(total=total, desc=title, unit="", disable=None if options.progress else True)
