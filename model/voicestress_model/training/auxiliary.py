"""What a model learns to tell beside the labels, and forgets when training is over.

A label says little about a clip. Telling what can be measured in it, or what else the corpus knows of it, teaches the
backbone what to listen to (Caruana 1997, Multitask Learning). Nothing of it is in the checkpoint. ``targets.py`` has
the numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from voicestress_model.detector import StressDetector


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
