"""What the model's figures are held against: hand-made features, and what the corpus lets anybody know.

Both are fitted on the corpus' train split and asked about the same utterances as the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from voicestress_model.corpora import Utterance
from voicestress_model.corpora.prosody_rows import prosody_rows
from voicestress_model.corpora.synthetic.ceiling import PARAMETERS, fit_ceiling

# Reading the features takes longer than scoring; a regression on two dozen of them needs no more.
MOST_TRAINING_UTTERANCES = 10_000


@dataclass(frozen=True)
class Comparison:
    """A classifier to compare with: ``predict`` gives label numbers ``[n]`` of n utterances."""

    name: str
    description: str
    trained_on: int
    predict: Callable[[Sequence[Utterance]], npt.NDArray[np.int64]]


def prosody_baseline(
    training: Sequence[Utterance],
    tested: Sequence[Utterance],
    labels: Sequence[str],
    *,
    seed: int,
    on_read: Callable[[], object] = lambda: None,
) -> Comparison:
    """A logistic regression on hand-made prosody features, fitted on ``training``; what can't be read is left out.

    It can be asked about the utterances of ``tested``, all of which can be read. ``on_read`` is called after each
    recording.
    """
    rows = prosody_rows([utterance.path for utterance in (*training, *tested)], on_read=on_read)
    fitted = [(row, u.label) for row, u in zip(rows, training, strict=False) if row is not None]
    features = dict(zip(tested, rows[len(training) :], strict=True))
    model = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=5000, random_state=seed)
    )
    with threadpool_limits(1):  # as in scorers.py: small products waiting for each other across cores
        model.fit(np.stack([row for row, _ in fitted]), [labels.index(label) for _, label in fitted])
    return Comparison(
        "prosody",
        "logistic regression on hand-made prosody features",
        len(fitted),
        lambda asked: np.asarray(model.predict(np.stack([features[utterance] for utterance in asked]))),
    )


def ceiling(utterances: Sequence[Utterance], labels: Sequence[str], *, seed: int) -> Comparison:
    """A classifier on the true manipulation parameters, fitted on ``utterances``: how far apart classes are drawn."""
    return Comparison(
        "ceiling",
        f"gradient-boosted trees on the true manipulation parameters ({', '.join(PARAMETERS)})",
        len(utterances),
        fit_ceiling(utterances, labels, seed=seed),
    )


def has_true_parameters(utterances: Sequence[Utterance]) -> bool:
    """Whether the utterances say how they were made, as those of the synthetic corpus do."""
    return all(name in utterance.details for utterance in utterances for name in PARAMETERS)


def training_sample(utterances: Sequence[Utterance], *, seed: int) -> list[Utterance]:
    """The utterances, or as many of them as make a good baseline in a bearable time, drawn with ``seed``."""
    if len(utterances) <= MOST_TRAINING_UTTERANCES:
        return list(utterances)
    chosen = np.random.default_rng(seed).choice(len(utterances), MOST_TRAINING_UTTERANCES, replace=False)
    return [utterances[place] for place in sorted(chosen)]
