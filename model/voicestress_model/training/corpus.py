"""The corpus a run learns from: read, split by speaker, its labels in the order asked for."""

from __future__ import annotations

import dataclasses

import numpy as np

from voicestress_model.corpora import Corpus, Utterance, read_corpus, split_by_speaker
from voicestress_model.training.errors import TrainingError
from voicestress_model.training.settings import CorpusSettings


def split_corpus(settings: CorpusSettings, *, seed: int) -> Corpus:
    """The corpus, with the splits "train" and "dev".

    Raises:
        CorpusError: it can't be used: a column is missing, a label has no recordings, a speaker is in two splits.
        TrainingError: its labels are not those of the settings.
    """
    corpus = read_corpus(settings.path, kind=settings.kind)
    if settings.labels is not None:
        if set(settings.labels) != set(corpus.labels) or len(settings.labels) != len(corpus.labels):
            raise TrainingError(
                f"corpus.labels: {', '.join(settings.labels)} are not the labels of {corpus.name}: "
                f"{', '.join(corpus.labels)}"
            )
        corpus = dataclasses.replace(corpus, labels=settings.labels)
    if not corpus.splits:
        corpus = split_by_speaker(corpus, dev_share=settings.dev_share, test_share=settings.test_share, seed=seed)
    return corpus


def with_shuffled_labels(corpus: Corpus, *, seed: int) -> Corpus:
    """Each recording gets another's label and details, of its split; the recordings of any one label get all labels in
    the shares the split has them in, so that luck leaves nothing of the truth.

    Details go with the label, for to know how a synthetic recording was made is to know its label.
    """
    rng = np.random.default_rng([seed, 1])
    shuffled: list[Utterance] = []
    for split in corpus.splits:
        utterances = corpus.split(split)
        by_label = [
            rng.permutation([number for number, utterance in enumerate(utterances) if utterance.label == label])
            for label in corpus.labels
        ]
        # Dealt by how far down its own pile each lies, any stretch of them has its share of every label.
        depths = np.concatenate([(np.arange(len(pile)) + rng.uniform()) / max(len(pile), 1) for pile in by_label])
        dealt = np.concatenate(by_label)[depths.argsort(kind="stable")]
        receivers = np.concatenate([rng.permutation(pile) for pile in by_label])
        given = dict(zip(receivers.tolist(), dealt.tolist(), strict=True))
        shuffled += [
            dataclasses.replace(
                utterance, label=utterances[given[number]].label, details=utterances[given[number]].details
            )
            for number, utterance in enumerate(utterances)
        ]
    return dataclasses.replace(corpus, utterances=tuple(shuffled))
