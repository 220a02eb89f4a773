"""What a model learns to tell beside the labels, and forgets when training is over.

A label says little about a clip. Where the corpus knows more, a rating or how far the pitch was moved, telling that as
well teaches the backbone what to listen to (Caruana 1997, Multitask Learning). Nothing of it is in the checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import torch
from torch import Tensor, nn

from voicestress_model.corpora import Corpus, Utterance
from voicestress_model.detector import StressDetector
from voicestress_model.training.errors import TrainingError


class WithAuxiliary(nn.Module):
    """A detector, and a linear layer that tells ``targets`` numbers, or none, from what the head's last layer sees."""

    tell: nn.Linear | None

    def __init__(self, detector: StressDetector, targets: int, *, seed: int) -> None:
        super().__init__()
        self.detector, self.tell = detector, None
        if not targets:
            return
        last = [module for module in detector.head.modules() if isinstance(module, nn.Linear)][-1]
        last.register_forward_pre_hook(self._keep)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.tell = nn.Linear(last.in_features, targets)

    def forward(self, waveforms: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``[B, labels]`` and standardised targets ``[B, targets]`` of ``waveforms [B, samples]``."""
        logits = self.detector(waveforms)
        return logits, logits[:, :0] if self.tell is None else self.tell(self._seen)

    def _keep(self, module: nn.Module, inputs: tuple[Tensor]) -> None:
        (self._seen,) = inputs


def standardised_targets(corpus: Corpus, details: Sequence[str]) -> Tensor:
    """The numbers to tell ``[recordings, targets]``, for "train" and then "dev", standardised over "train".

    Raises:
        TrainingError: a recording doesn't have one, or it is no number, or is the same everywhere.
    """
    training = corpus.split("train")
    recordings = training + corpus.split("dev")
    if not details:
        return torch.empty(len(recordings), 0)
    values = torch.tensor([[_number(u, name, corpus.name) for name in details] for u in recordings])
    fitted = values[: len(training)]
    spread, mean = torch.std_mean(fitted, dim=0, correction=0)  # [targets] each
    for name, deviation in zip(details, spread.tolist(), strict=True):
        if deviation == 0:
            raise TrainingError(f"auxiliary.details: {name!r} is the same for every recording of {corpus.name}")
    return (values - mean) / spread


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
