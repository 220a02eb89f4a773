"""How well the classes can be told apart at all: a classifier that is given the true parameters of every recording.

The draws overlap, so even this one errs; no model that listens can be expected to do better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log
from typing import Any

import numpy as np
import numpy.typing as npt

from voicestress_model.corpora.corpus import Utterance

PARAMETERS = ("f0_shift_st", "f0_range", "duration", "pauses", "pause_s", "tilt_db_octave", "jitter")
_FACTORS = frozenset({"f0_range", "duration", "jitter"})


def fit_ceiling(
    utterances: Sequence[Utterance], labels: Sequence[str], *, seed: int
) -> Callable[[Sequence[Utterance]], npt.NDArray[np.int64]]:
    """A classifier fitted on the true parameters of ``utterances``: gives label numbers ``[n]`` of n others.

    Boosted trees: the parameters act together, and pitch may rise or fall.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    model: Any = HistGradientBoostingClassifier(max_iter=150, learning_rate=0.06, max_leaf_nodes=8, random_state=seed)
    with threadpool_limits(1):  # small sums, and threads that wait for each other
        model.fit(true_parameters(utterances), [labels.index(utterance.label) for utterance in utterances])
    return lambda asked: np.asarray(model.predict(true_parameters(asked)))


def true_parameters(utterances: Sequence[Utterance]) -> npt.NDArray[np.float64]:
    """The parameters recordings were made with: ``[utterances, 7]`` as in ``PARAMETERS``, factors as logs."""
    return np.array([[_number(utterance, name) for name in PARAMETERS] for utterance in utterances])


def _number(utterance: Utterance, name: str) -> float:
    value = float(utterance.details[name])
    return log(value) if name in _FACTORS else value
