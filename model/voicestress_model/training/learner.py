"""One step of learning, on whatever device there is."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import set_seed
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from voicestress_model.detector import StressDetector
from voicestress_model.geometry import SAMPLE_RATE_HZ
from voicestress_model.training.errors import TrainingError
from voicestress_model.training.front_end import use_matrix_products
from voicestress_model.training.optimiser import freeze_backbone, parameter_groups
from voicestress_model.training.settings import OptimiserSettings

_PCM_SCALE = 1.0 / 32768.0
_NORMALIZATION_EPS = 1e-7  # of Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm


def accelerator_for(precision: str) -> Accelerator:
    """Hugging Face accelerate on the GPUs there are, or on the CPU.

    Raises:
        TrainingError: ``precision`` is "bf16" or "fp16" and there is no GPU.
    """
    if precision != "fp32" and not torch.accelerator.is_available():
        raise TrainingError(f"precision: {precision} needs a GPU, and there is none here; use fp32")
    return Accelerator(
        mixed_precision="no" if precision == "fp32" else precision,
        # A frozen backbone gets no gradients, and SpecAugment's mask gets none where it isn't used.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )


@dataclass(frozen=True)
class Step:
    """What came of a step: the mean loss and the length of the gradient before it was shortened."""

    loss: float
    gradient_norm: float


class Learner:
    """A detector and what makes it learn: ``detector`` on the accelerator's device, with AdamW."""

    def __init__(
        self,
        detector: StressDetector,
        accelerator: Accelerator,
        settings: OptimiserSettings,
        *,
        normalize: bool,
        at_once_s: float | None,
        class_weights: Tensor | None,
        seed: int,
    ) -> None:
        self.detector, self.normalize, self._at_once_s = detector, normalize, at_once_s
        self._accelerator, self._settings, self._seed = accelerator, settings, seed
        self._weights = None if class_weights is None else class_weights.to(accelerator.device)
        if accelerator.device.type == "cpu" and detector.config.feat_extract_norm == "layer":
            use_matrix_products(detector)
        self._optimizer = torch.optim.AdamW(parameter_groups(detector, settings))
        self._model: nn.Module
        self._model, self._prepared = accelerator.prepare(detector, self._optimizer)

    def learn(self, pcm: Tensor, labels: Tensor, *, step: int, rate_factor: float) -> Step:
        """Learn from int16 ``pcm [B, samples]`` and ``labels [B]``; every draw follows from the seed and ``step``."""
        set_seed(_seed_of(self._seed, step, self._accelerator.process_index))
        freeze_backbone(self.detector, step < self._settings.frozen_steps)
        for group in self._optimizer.param_groups:
            group["lr"] = group["peak_lr"] * rate_factor
        self._model.train()
        loss = self._accumulate_gradients(pcm.to(self._accelerator.device), labels.to(self._accelerator.device))
        norm = self._accelerator.clip_grad_norm_(self._model.parameters(), self._settings.clip_norm)
        self._prepared.step()
        self._prepared.zero_grad()
        if not math.isfinite(loss):
            raise TrainingError(f"step {step}: the loss is {loss}. Lower optimiser.peak_lr, or train in fp32.")
        return Step(loss, float(norm))

    def _accumulate_gradients(self, pcm: Tensor, labels: Tensor) -> float:
        """Add the gradient of the mean loss over the batch, a piece of it at a time, and return that loss.

        The batch is all processes' together. They average their gradients, so each divides by the mean weight.
        """
        clips = len(labels) if self._at_once_s is None else max(1, int(self._at_once_s * SAMPLE_RATE_HZ / pcm.shape[1]))
        pieces = list(zip(pcm.split(clips), labels.split(clips), strict=True))
        weights = torch.ones_like(labels, dtype=torch.float32) if self._weights is None else self._weights[labels]
        mean_weight = self._accelerator.reduce(weights.sum(), reduction="mean")
        loss = torch.zeros_like(mean_weight)
        for number, (waveforms, truth) in enumerate(pieces):
            # The gradients are exchanged once a batch, with the last piece.
            last = number == len(pieces) - 1
            with contextlib.nullcontext() if last else self._accelerator.no_sync(self._model):
                logits = self._model(normalized(waveforms, self.normalize))  # [piece, labels]
                summed = F.cross_entropy(
                    logits,
                    truth,
                    weight=self._weights,
                    label_smoothing=self._settings.label_smoothing,
                    reduction="sum",
                )
                self._accelerator.backward(summed / mean_weight)
            loss += summed.detach() / mean_weight
        return float(self._accelerator.reduce(loss, reduction="mean"))

    def state(self) -> dict[str, Any]:
        """Everything that changes as it learns."""
        scaler = self._accelerator.scaler
        return {
            "detector": self.detector.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Be as when ``state`` was taken."""
        self.detector.load_state_dict(state["detector"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._accelerator.scaler is not None:
            self._accelerator.scaler.load_state_dict(state["scaler"])


def _seed_of(*numbers: int) -> int:
    """A seed below 2³² for Python's, numpy's and torch's global generators, which dropout and SpecAugment draw from."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def normalized(pcm: Tensor, normalize: bool) -> Tensor:
    """Float waveforms ``[B, samples]`` of int16 ``pcm``, as ``Wav2Vec2FeatureExtractor`` makes them."""
    waveforms = pcm.float() * _PCM_SCALE
    if not normalize:
        return waveforms
    variance, mean = torch.var_mean(waveforms, dim=1, correction=0, keepdim=True)  # [B, 1] each
    return (waveforms - mean) / (variance + _NORMALIZATION_EPS).sqrt()
