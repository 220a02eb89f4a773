"""A corpus: recordings of speech with labels and speakers, read from a manifest or a known dataset's folder."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from voicestress_model.corpora.errors import CorpusError

Sex = Literal["female", "male"]

# The order in which labels stand in a model; labels beyond these follow in alphabetical order.
ARTICLE_LABELS = ("neutral", "sad", "anxious")
# Splits used to fit or to choose a model: their speakers may be heard in no other split ...
FITTED_SPLITS = ("train", "dev")
# ... except in this one, which asks how known voices fare with sentences that were never trained on.
UNSEEN_SENTENCES = "unseen_sentences"
# Known voices with new sentences, and the same voices manipulated in two ways; no other two splits share a speaker.
_MAY_SHARE_SPEAKERS = ({"train", UNSEEN_SENTENCES}, {"unseen_engine", "unseen_manipulator"})

_READERS = {
    "manifest": "voicestress_model.corpora.manifest",
    "ravdess": "voicestress_model.corpora.ravdess",
    "iemocap": "voicestress_model.corpora.iemocap",
    "crema-d": "voicestress_model.corpora.crema_d",
}


@dataclass(frozen=True)
class Utterance:
    """One recording of one speaker.

    ``label`` is the mapped label, ``speaker`` is unique within the corpus. ``split`` is "train", "dev", "test", the
    name of a held-out tier such as "unseen_voices", or None while it is not assigned. ``details`` is whatever else the
    corpus knows, as text: the sentence, the original label, how a synthetic recording was made.
    """

    path: Path
    label: str
    speaker: str
    split: str | None = None
    sex: Sex | None = None
    details: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Corpus:
    """A checked corpus.

    ``labels`` are in the model's order, e.g. ("neutral", "sad", "anxious"). ``dropped`` counts the recordings left out
    by their original label, because no label of the model fits it.

    What ``check`` promises: there are at least two labels, each has utterances, each is in "train" and in "dev" where
    those splits exist, no speaker crosses splits, and either all utterances have a split or none has.
    """

    name: str
    labels: tuple[str, ...]
    utterances: tuple[Utterance, ...]
    dropped: Mapping[str, int] = field(default_factory=dict, hash=False)

    def split(self, name: str) -> tuple[Utterance, ...]:
        """The utterances of the split ``name``.

        Raises:
            CorpusError: there is no such split.
        """
        chosen = tuple(utterance for utterance in self.utterances if utterance.split == name)
        if not chosen:
            known = ", ".join(self.splits) or "none; assign them with split_by_speaker"
            raise CorpusError(f"{self.name}: there is no split {name!r}. Its splits: {known}.")
        return chosen

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits, in the order of their first utterances; empty while none is assigned."""
        return tuple(dict.fromkeys(u.split for u in self.utterances if u.split is not None))

    @property
    def speakers(self) -> tuple[str, ...]:
        """The speakers, in the order of their first utterances."""
        return tuple(dict.fromkeys(utterance.speaker for utterance in self.utterances))


def read_corpus(path: str | Path, *, kind: str | None = None) -> Corpus:
    """Read a manifest (.csv, .parquet) or the folder of a dataset, and check it.

    ``kind`` is "manifest", "ravdess", "iemocap" or "crema-d"; None finds out from the file's ending or the folder's
    layout. No recording is opened: ``check_recordings`` does that.

    Raises:
        CorpusError: nothing is there, its kind is unknown, or it breaks a promise of ``Corpus``.
    """
    path = Path(path)
    if kind is not None and kind not in _READERS:
        raise CorpusError(f"{kind!r} is no kind of corpus. Known kinds: {', '.join(_READERS)}.")
    if not path.exists():
        raise CorpusError(f"{path}: nothing is there. Check the path.")
    # By name, because the readers import this module.
    if kind is not None:
        return check(importlib.import_module(_READERS[kind]).read(path))
    for module in _READERS.values():
        reader = importlib.import_module(module)
        if reader.recognises(path):
            return check(reader.read(path))
    raise CorpusError(
        f"{path}: not a .csv or .parquet manifest, and not laid out like a known dataset. "
        f"Name its kind ({', '.join(_READERS)}), or write a manifest with the columns path,label,speaker."
    )


def check(corpus: Corpus) -> Corpus:
    """Return ``corpus`` if it keeps the promises of ``Corpus``.

    Raises:
        CorpusError: naming what breaks them.
    """
    _check_labels(corpus)
    _check_splits(corpus)
    _check_sentences(corpus)
    _check_classes(corpus, corpus.utterances, "")
    for split in FITTED_SPLITS:
        if split in corpus.splits:
            _check_classes(corpus, corpus.split(split), f" in the split {split!r}")
    return corpus


def label_order(labels: set[str]) -> tuple[str, ...]:
    """``labels`` in the model's order."""
    known = tuple(label for label in ARTICLE_LABELS if label in labels)
    return known + tuple(sorted(labels - set(known)))


def listed(names: list[str] | tuple[str, ...], *, most: int = 5) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _check_labels(corpus: Corpus) -> None:
    if not corpus.utterances:
        dropped = ", ".join(f"{label} ({count})" for label, count in corpus.dropped.items())
        why = f"; dropped because no label fits: {dropped}" if dropped else ""
        raise CorpusError(f"{corpus.name}: there is no utterance in it{why}.")
    if len(corpus.labels) < 2:
        raise CorpusError(
            f"{corpus.name}: every utterance is labelled {corpus.labels[0]!r}; a classifier needs two labels or more."
        )


def _check_classes(corpus: Corpus, utterances: tuple[Utterance, ...], where: str) -> None:
    heard = {utterance.label for utterance in utterances}
    if empty := [label for label in corpus.labels if label not in heard]:
        raise CorpusError(
            f"{corpus.name}: no utterance{where} is labelled {' or '.join(map(repr, empty))}. "
            "Add some, or leave the label out."
        )


def _check_splits(corpus: Corpus) -> None:
    unassigned = [utterance for utterance in corpus.utterances if utterance.split is None]
    if not corpus.splits:
        return
    if unassigned:
        raise CorpusError(
            f"{corpus.name}: {len(unassigned)} of {len(corpus.utterances)} utterances have no split, the first is "
            f"{unassigned[0].path}. Give all of them one, or none and let split_by_speaker choose."
        )
    splits_of: dict[str, dict[str, Path]] = {}
    for utterance in corpus.utterances:
        splits_of.setdefault(utterance.speaker, {}).setdefault(utterance.split or "", utterance.path)
    leaks = [speaker for speaker, splits in splits_of.items() if _leaks(set(splits))]
    if leaks:
        where = "; ".join(f"{split!r} ({path})" for split, path in splits_of[leaks[0]].items())
        raise CorpusError(
            f"{corpus.name}: {len(leaks)} speaker(s) in more than one split: {listed(leaks)}. {leaks[0]} is in "
            f"{where}. A model would know the voices it is tested on: put each speaker in one split."
        )


def _check_sentences(corpus: Corpus) -> None:
    """The split that may share speakers with "train" may not share sentences too."""
    both_splits = [u for u in corpus.utterances if u.split in ("train", UNSEEN_SENTENCES)]
    unnamed = [u for u in both_splits if not u.details.get("sentence")]
    if unnamed and any(u.split == UNSEEN_SENTENCES for u in both_splits):
        raise CorpusError(
            f"{corpus.name}: it has a split {UNSEEN_SENTENCES!r}, and {len(unnamed)} utterances of it and of 'train' "
            f"have no sentence, the first is {unnamed[0].path}. Give them a column 'sentence', or name the split "
            "otherwise."
        )
    said = {split: {u.details.get("sentence") for u in corpus.utterances if u.split == split} - {None}
            for split in ("train", UNSEEN_SENTENCES)}  # fmt: skip
    if both := sorted(str(sentence) for sentence in said["train"] & said[UNSEEN_SENTENCES]):
        raise CorpusError(
            f"{corpus.name}: {len(both)} sentence(s) in both 'train' and {UNSEEN_SENTENCES!r}: {listed(both, most=2)}. "
            "Name the split otherwise, with speakers of its own, or move them."
        )


def _leaks(splits: set[str]) -> bool:
    return len(splits) > 1 and splits not in _MAY_SHARE_SPEAKERS
