"""Who learns how fast, and when."""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from torch import nn

from voicestress_model.detector import StressDetector
from voicestress_model.training.settings import OptimiserSettings

_LAYER = re.compile(r"wav2vec2\.encoder\.layers\.(\d+)\.")


def parameter_groups(detector: StressDetector, settings: OptimiserSettings) -> list[dict[str, Any]]:
    """AdamW's groups, each with its highest learning rate as ``peak_lr``.

    The top transformer layer learns at ``settings.peak_lr``, each one below at ``layer_decay`` times the rate of the
    one above, and all in front of the first layer one step below that (Howard and Ruder 2018, ULMFiT, section 3.1).
    The head and the mixture of layers have a rate of their own. Biases, norms and other vectors don't decay.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in detector.named_parameters():
        rate = _peak_rate(name, detector.config.num_hidden_layers, settings)
        decay = settings.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "peak_lr": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]


def rate_factor(step: int, steps: int, warmup_share: float) -> float:
    """Share of its highest learning rate that everybody learns at in ``step``, 0 to 1.

    It rises in a line over the warm-up, then falls along half a cosine (Loshchilov and Hutter 2017, SGDR, equation 5).
    """
    warmup = round(warmup_share * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def freeze_backbone(detector: StressDetector, frozen: bool) -> None:
    """Stop the backbone from learning, or let it learn."""
    # Leaves the gradient of the waveform itself uncomputed, which Transformers asks for and nobody reads.
    detector.wav2vec2.freeze_feature_encoder()
    detector.wav2vec2.requires_grad_(not frozen)


def class_weights(counts: dict[str, int], settings: OptimiserSettings) -> torch.Tensor | None:
    """The weight of each label in the loss ``[labels]``, for training clips counted by label in the model's order.

    Balanced weights are n / (labels · count): every label counts the same, a clip counts 1 on average.
    """
    if settings.class_weights is None:
        return None
    if settings.class_weights == "balanced":
        total = sum(counts.values())
        return torch.tensor([total / (len(counts) * count) for count in counts.values()])
    return torch.tensor([settings.class_weights[label] for label in counts])


def _peak_rate(name: str, layers: int, settings: OptimiserSettings) -> float:
    if not name.startswith("wav2vec2."):
        return settings.head_lr or settings.peak_lr
    if match := _LAYER.match(name):
        return settings.peak_lr * settings.layer_decay ** (layers - 1 - int(match[1]))
    return settings.peak_lr * settings.layer_decay**layers
