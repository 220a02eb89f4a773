"""The numbers a model learns to tell beside the labels, for every recording of "train" and then of "dev"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from voicestress_model.corpora import Corpus, Utterance
from voicestress_model.corpora.prosody import FEATURES
from voicestress_model.corpora.prosody_rows import prosody_rows
from voicestress_model.training.clips import write_atomically
from voicestress_model.training.errors import TrainingError

_FARTHEST = 4.0  # standard deviations: a pitch tracker errs by octaves, and squares make much of it


def detail_targets(corpus: Corpus, details: Sequence[str]) -> Tensor:
    """Columns of the manifest ``[recordings, details]``, standardised over "train".

    Raises:
        TrainingError: a recording doesn't have one, or it is no number, or is the same everywhere.
    """
    recordings = _recordings(corpus)
    if not details:
        return torch.empty(len(recordings), 0)
    values = torch.tensor([[_number(utterance, name, corpus.name) for name in details] for utterance in recordings])
    for name, column in zip(details, values[: len(corpus.split("train"))].T, strict=True):
        if (column == column[0]).all():
            raise TrainingError(f"auxiliary.details: {name!r} is the same for every recording of {corpus.name}")
    return _standardised(values, corpus)


def prosody_targets(corpus: Corpus, folder: Path, progress: Callable[[], object]) -> Tensor:
    """Hand-made prosody features ``[recordings, 23]``, standardised over "train"; measured once and kept in ``folder``.

    What can't be read is average in everything: it is never heard. ``progress`` is called after each recording.
    """
    path = folder / "prosody.npy"
    if not path.exists():
        rows = prosody_rows([utterance.path for utterance in _recordings(corpus)], on_read=progress)
        values = np.array([np.full(len(FEATURES), np.nan) if row is None else row for row in rows])
        write_atomically(path, values.tobytes())
    values = np.frombuffer(path.read_bytes()).reshape(-1, len(FEATURES))
    return _standardised(torch.from_numpy(values.copy()), corpus)


def _recordings(corpus: Corpus) -> tuple[Utterance, ...]:
    return corpus.split("train") + corpus.split("dev")


def _standardised(values: Tensor, corpus: Corpus) -> Tensor:
    fitted = values[: len(corpus.split("train"))]
    known = ~fitted.isnan().any(dim=1)
    spread, mean = torch.std_mean(fitted[known], dim=0, correction=0)  # [targets] each
    scaled = (values - mean) / spread.clamp(min=torch.finfo(spread.dtype).tiny)
    return scaled.nan_to_num(0.0).clamp(-_FARTHEST, _FARTHEST).float()


def _number(utterance: Utterance, name: str, corpus: str) -> float:
    try:
        value = float(utterance.details[name])
    except KeyError as error:
        known = ", ".join(utterance.details) or "none"
        raise TrainingError(
            f"auxiliary.details: {corpus} has no {name!r} for {utterance.path}; it has: {known}"
        ) from error
    except ValueError as error:
        raise TrainingError(f"auxiliary.details: {name!r} of {utterance.path} is no number") from error
    if not isfinite(value):
        raise TrainingError(f"auxiliary.details: {name!r} of {utterance.path} is {value}")
    return value
