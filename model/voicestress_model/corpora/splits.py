"""Splits by speaker: nobody is heard both in training and in testing."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np

from voicestress_model.corpora.corpus import Corpus, check
from voicestress_model.corpora.errors import CorpusError

# Drawing whole assignments and keeping the best is as good as a solver here, and says the same for the same seed.
_DRAWS = 400
# A label left out of a split it must be in costs more than any imbalance.
_EMPTY_CLASS_COST = 1e3


def split_by_speaker(corpus: Corpus, *, dev_share: float = 0.15, test_share: float = 0.15, seed: int = 0) -> Corpus:
    """Assign every speaker to "train", "dev" or "test", with labels and sexes as balanced as drawing finds them.

    The shares are of the utterances, 0 to below 1; a share of 0 leaves the split out. The same seed gives the same
    splits, whatever the order of the utterances.

    Raises:
        CorpusError: the corpus has splits already, or too few speakers for every split to have all labels.
        ValueError: the shares leave nothing to train on.
    """
    if dev_share < 0 or test_share < 0 or dev_share + test_share >= 1:
        raise ValueError(f"dev_share {dev_share} and test_share {test_share} must be 0 or more, and below 1 together")
    if corpus.splits:
        raise CorpusError(f"{corpus.name}: it has splits already ({', '.join(corpus.splits)}).")
    shares = {"test": test_share, "dev": dev_share, "train": 1 - dev_share - test_share}
    shares = {split: share for split, share in shares.items() if share > 0}
    speakers = sorted(corpus.speakers)
    if len(speakers) < len(shares):
        raise CorpusError(
            f"{corpus.name}: {len(speakers)} speaker(s) can't fill {len(shares)} splits ({', '.join(shares)}) "
            "without being in two. Add speakers, or leave a split out by giving it a share of 0."
        )
    counts = _counts(corpus, speakers)
    rng = np.random.default_rng(seed)
    drawn = (_draw(counts, list(shares.values()), rng) for _ in range(_DRAWS))
    best = min(drawn, key=lambda assignment: _imbalance(counts, assignment, list(shares.values()), len(corpus.labels)))
    names = list(shares)
    split_of = {speaker: names[number] for speaker, number in zip(speakers, best, strict=True)}
    utterances = tuple(dataclasses.replace(u, split=split_of[u.speaker]) for u in corpus.utterances)
    return check(dataclasses.replace(corpus, utterances=utterances))


def _counts(corpus: Corpus, speakers: list[str]) -> np.ndarray:
    """Utterances of each speaker by label, then by sex where it is known: float64 ``[speakers, labels + 2]``."""
    labels, sexes = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for utterance in corpus.utterances:
        labels[utterance.speaker, utterance.label] += 1
        if utterance.sex is not None:
            sexes[utterance.speaker, utterance.sex] += 1
    rows = [
        [labels[speaker, label] for label in corpus.labels] + [sexes[speaker, sex] for sex in ("female", "male")]
        for speaker in speakers
    ]
    return np.array(rows, dtype=np.float64)


def _draw(counts: np.ndarray, shares: list[float], rng: np.random.Generator) -> np.ndarray:
    """The number of each speaker's split: shuffled speakers fill one split after the other, the last takes the rest."""
    sizes = counts[:, :-2].sum(axis=1)
    order = rng.permutation(len(sizes))
    assignment = np.full(len(sizes), len(shares) - 1)
    taken = 0
    for number, share in enumerate(shares[:-1]):
        wanted, filled, start = share * sizes.sum(), 0.0, taken
        must_stay = len(shares) - 1 - number  # one speaker for each split still to come
        while taken < len(order) - must_stay:
            size = sizes[order[taken]]
            if taken > start and filled + size / 2 > wanted:
                break
            assignment[order[taken]] = number
            filled += size
            taken += 1
    return assignment


def _imbalance(counts: np.ndarray, assignment: np.ndarray, shares: list[float], labels: int) -> float:
    totals = np.maximum(counts.sum(axis=0), 1)
    cost = 0.0
    for number, share in enumerate(shares):
        inside = counts[assignment == number].sum(axis=0)
        present = counts.sum(axis=0) > 0
        cost += float((((inside / totals - share)[present]) ** 2).sum()) / share
        cost += _EMPTY_CLASS_COST * int((inside[:labels] == 0).sum())
    return cost
