"""What the synthetic corpus holds: which speaker says which sentences in which split.

Every class says every sentence with every speaker that says it at all, so neither gives the class away. The held-out
splits build on each other: "unseen_sentences" are new sentences by known voices; "unseen_voices" new sentences by new
voices; "unseen_engine" the same with an engine training never heard; "unseen_manipulator" that engine's voices made
sad or anxious with another method. "dev" has voices and sentences of its own: what it is used to choose has to hold for
both.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from voicestress_model.corpora.corpus import ARTICLE_LABELS, UNSEEN_SENTENCES
from voicestress_model.corpora.errors import CorpusError
from voicestress_model.corpora.synthetic.cast import Speaker, cast
from voicestress_model.corpora.synthetic.sentences import DEVELOPMENT_SENTENCES, HELD_OUT_SENTENCES, TRAINING_SENTENCES

WORLD, PSOLA = "world", "psola"
# Sentences a worker is given at once: festival says them in one start, and the progress bar moves every few seconds.
_AT_ONCE = 12
_SAID = {"train": ("training", TRAINING_SENTENCES), "dev": ("development", DEVELOPMENT_SENTENCES)}


@dataclass(frozen=True)
class Part:
    """How many speakers of a split say how many sentences each; each sentence is said once in every class."""

    speakers: int
    sentences: int


@dataclass(frozen=True)
class Task:
    """Some sentences of one speaker, as pairs of id and text, and the splits and manipulators to render them for."""

    speaker: Speaker
    sentences: tuple[tuple[str, str], ...]
    renderings: tuple[tuple[str, str], ...]

    @property
    def recordings(self) -> int:
        """How many recordings the task makes."""
        return len(self.sentences) * len(self.renderings) * len(ARTICLE_LABELS)


SIZES = MappingProxyType(
    {
        "small": {
            "train": Part(4, 3),
            "dev": Part(2, 1),
            "unseen_sentences": Part(2, 1),
            "unseen_voices": Part(2, 1),
            "unseen_engine": Part(2, 1),
        },
        "demo": {
            "train": Part(108, 24),
            "dev": Part(8, 14),
            "unseen_sentences": Part(54, 2),
            "unseen_voices": Part(13, 20),
            "unseen_engine": Part(6, 20),
        },
    }
)


def plan(size: str, seed: int) -> list[Task]:
    """The tasks of a corpus of ``size``, in the order of its manifest.

    Raises:
        CorpusError: there is no such size.
    """
    if size not in SIZES:
        raise CorpusError(f"{size!r} is no size of the synthetic corpus. Sizes: {', '.join(SIZES)}.")
    speakers = cast(seed)
    tasks = []
    for split, part in SIZES[size].items():
        # Known voices: as many as are asked for of those that train.
        known = speakers["train"][: SIZES[size]["train"].speakers]
        chosen = (known if split == UNSEEN_SENTENCES else speakers[split])[: part.speakers]
        prefix, texts = _SAID.get(split, ("held-out", HELD_OUT_SENTENCES))
        renderings = [(split, WORLD)] + ([("unseen_manipulator", PSOLA)] if split == "unseen_engine" else [])
        for number, speaker in enumerate(chosen):
            numbers = _dealt(len(texts), part.sentences, number, np.random.default_rng([seed, *split.encode()]))
            said = [(f"{prefix}-{n + 1:03d}", texts[n]) for n in numbers]
            tasks += [
                Task(speaker, tuple(said[start : start + _AT_ONCE]), tuple(renderings))
                for start in range(0, len(said), _AT_ONCE)
            ]
    return tasks


def item_seed(seed: int, split: str, speaker: str, sentence: str, label: str) -> list[int]:
    """The seed of one recording: its own, so that no recording depends on the order they are made in."""
    return [seed, zlib.crc32("/".join((split, speaker, sentence, label)).encode())]


def _dealt(cards: int, each: int, player: int, rng: np.random.Generator) -> list[int]:
    """``each`` of ``cards`` numbers for ``player``, dealt on from the player before so that all are used alike."""
    order: list[int] = []
    while len(order) < (player + 1) * each:
        order += [int(card) for card in rng.permutation(cards)]
    dealt = order[player * each : (player + 1) * each]
    if len(set(dealt)) < each:  # the deal ran over the end of a shuffle and met a number twice
        spare = [card for card in order if card not in dealt]
        dealt = list(dict.fromkeys([*dealt, *spare]))[:each]
    return sorted(dealt)
