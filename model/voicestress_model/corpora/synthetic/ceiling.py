"""How well the classes can be told apart at all: a classifier that is given the true parameters of every recording.

The draws overlap, so even this one errs; no model that listens can be expected to do better.
"""

from __future__ import annotations

from math import log

import numpy as np
import numpy.typing as npt

from voicestress_model.corpora.corpus import Corpus, Utterance

PARAMETERS = ("f0_shift_st", "f0_range", "duration", "pauses", "pause_s", "tilt_db_octave", "jitter")
_FACTORS = frozenset({"f0_range", "duration", "jitter"})


def ceiling_uar(corpus: Corpus) -> dict[str, float]:
    """UAR (mean recall of the labels) of a classifier on the true parameters, by split, fitted on "train".

    A logistic regression on the parameters and their products: a pitch that rises or falls is no linear cue.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    fitted = make_pipeline(StandardScaler(), PolynomialFeatures(2), StandardScaler(), LogisticRegression(max_iter=1000))
    training = corpus.split("train")
    fitted.fit(true_parameters(training), [utterance.label for utterance in training])
    return {
        split: float(balanced_accuracy_score([u.label for u in tested], fitted.predict(true_parameters(tested))))
        for split, tested in ((split, corpus.split(split)) for split in corpus.splits)
        if split != "train"
    }


def true_parameters(utterances: tuple[Utterance, ...]) -> npt.NDArray[np.float64]:
    """The parameters recordings were made with: ``[utterances, 7]`` as in ``PARAMETERS``, factors as logs."""
    return np.array([[_number(utterance, name) for name in PARAMETERS] for utterance in utterances])


def _number(utterance: Utterance, name: str) -> float:
    value = float(utterance.details[name])
    return log(value) if name in _FACTORS else value
