"""What a model learns to tell beside the labels, and forgets when training is over.

A label says little about a clip. Telling what can be measured in it, or what else the corpus knows of it, teaches the
backbone what to listen to (Caruana 1997, Multitask Learning). Nothing of it is in the checkpoint. ``targets.py`` has
the numbers of a recording, ``tracks.py`` those of its frames.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from voicestress_model.detector import StressDetector


class WithAuxiliary(nn.Module):
    """A detector, and linear layers that tell ``targets`` numbers, or none, from what the head's last layer sees, and
    ``values`` numbers of each frame, or none, from the frames the head sees.
    """

    tell: nn.Linear | None
    tell_of_frames: nn.Linear | None

    def __init__(self, detector: StressDetector, targets: int, values: int = 0, *, seed: int) -> None:
        super().__init__()
        self.detector, self.tell, self.tell_of_frames = detector, None, None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if targets:
                last = [module for module in detector.head.modules() if isinstance(module, nn.Linear)][-1]
                last.register_forward_pre_hook(self._keep_pooled)
                self.tell = nn.Linear(last.in_features, targets)
            if values:
                detector.head.register_forward_pre_hook(self._keep_frames)
                self.tell_of_frames = nn.Linear(detector.config.hidden_size, values)

    def telling_parameters(self) -> list[nn.Parameter]:
        """Of the layers that the checkpoint will not have."""
        return [
            parameter
            for layer in (self.tell, self.tell_of_frames)
            if layer is not None
            for parameter in layer.parameters()
        ]

    def forward(self, waveforms: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits ``[B, labels]``, standardised targets ``[B, targets]`` and values of the frames ``[B, T, values]`` of
        ``waveforms [B, samples]``.
        """
        logits = self.detector(waveforms)
        told = logits[:, :0] if self.tell is None else self.tell(self._pooled)
        told_of_frames = logits[:, :0, None] if self.tell_of_frames is None else self.tell_of_frames(self._frames)
        return logits, told, told_of_frames

    def _keep_pooled(self, module: nn.Module, inputs: tuple[Tensor]) -> None:
        (self._pooled,) = inputs

    def _keep_frames(self, module: nn.Module, inputs: tuple[Tensor, Tensor]) -> None:
        self._frames, _ = inputs


def missed_sum(told: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error of each clip, summed over the clips; zero where there is nothing to tell.

    ``told`` and ``targets`` are ``[B, …]``; what is not a number in ``targets`` is left out.
    """
    if not targets.numel():
        return told.sum() * 0.0
    known = ~targets.isnan()
    missed = torch.where(known, told - targets.nan_to_num(), 0.0).square().flatten(1).sum(dim=1)
    return (missed / known.flatten(1).sum(dim=1).clamp(min=1)).sum()
