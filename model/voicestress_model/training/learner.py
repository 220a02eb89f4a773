"""One step of learning, on whatever device there is."""

from __future__ import annotations

import contextlib
import copy
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs
from accelerate.utils import set_seed
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from voicestress_model import numerics
from voicestress_model.detector import StressDetector
from voicestress_model.geometry import SAMPLE_RATE_HZ
from voicestress_model.training.auxiliary import WithAuxiliary, missed_sum
from voicestress_model.training.errors import TrainingError
from voicestress_model.training.front_end import use_matrix_products
from voicestress_model.training.loader import Heard
from voicestress_model.training.optimiser import freeze_backbone, parameter_groups
from voicestress_model.training.settings import OptimiserSettings

_LONGEST_WAIT = timedelta(hours=24)


def accelerator_for(precision: str) -> Accelerator:
    """Hugging Face accelerate on the GPUs there are, or on the CPU; "auto" is ``automatic_precision``.

    Raises:
        TrainingError: ``precision`` is "bf16" or "fp16" and there is no GPU.
    """
    if precision == "auto":
        precision = automatic_precision()
    if precision != "fp32" and not torch.accelerator.is_available():
        raise TrainingError(f"precision: {precision} needs a GPU, and there is none here; use fp32")
    return Accelerator(
        mixed_precision="no" if precision == "fp32" else precision,
        kwargs_handlers=[
            # A frozen backbone gets no gradients, and SpecAugment's mask gets none where it isn't used.
            DistributedDataParallelKwargs(find_unused_parameters=True),
            # The others wait while one decodes the corpus, however large it is.
            InitProcessGroupKwargs(timeout=_LONGEST_WAIT),
        ],
    )


def automatic_precision() -> str:
    """What the GPU here computes fastest in, with an exponent that holds: bf16, else fp16; fp32 on a CPU."""
    if not torch.cuda.is_available():
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


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
        told: int,
        told_of_frames: int = 0,
        told_weight: float,
        seed: int,
    ) -> None:
        self.detector, self.normalize, self._at_once_s = detector, normalize, at_once_s
        self._accelerator, self._settings, self._seed = accelerator, settings, seed
        self._weights = None if class_weights is None else class_weights.to(accelerator.device)
        self._average = _still_copy(detector, accelerator) if settings.averaging else None
        if accelerator.device.type == "cpu" and detector.config.feat_extract_norm == "layer":
            use_matrix_products(detector)
        self._told_weight = told_weight
        self._learning = WithAuxiliary(detector, told, told_of_frames, seed=seed)
        groups = parameter_groups(detector, settings)
        if telling := self._learning.telling_parameters():
            rate = settings.head_lr or settings.peak_lr
            groups.append({"params": telling, "lr": rate, "peak_lr": rate})
        self._optimizer = torch.optim.AdamW(groups)
        self._model: nn.Module
        self._model, self._prepared = accelerator.prepare(self._learning, self._optimizer)

    @property
    def outcome(self) -> StressDetector:
        """What came of it so far: the weights' average where one is kept, else the detector that learns."""
        return self._average or self.detector

    def learn(self, heard: Heard, *, step: int, rate_factor: float) -> Step:
        """Learn from a batch; every draw follows from the seed and ``step``."""
        set_seed(_seed_of(self._seed, step, self._accelerator.process_index))
        freeze_backbone(self.detector, step < self._settings.frozen_steps)
        for group in self._optimizer.param_groups:
            group["lr"] = group["peak_lr"] * rate_factor
        self._model.train()
        loss = self._accumulate_gradients(Heard(*(part.to(self._accelerator.device) for part in heard)))
        norm = self._accelerator.clip_grad_norm_(self._model.parameters(), self._settings.clip_norm)
        self._prepared.step()
        self._prepared.zero_grad()
        if self._average is not None:
            # The first weights are no better than none: at first the average forgets faster.
            decay = min(self._settings.averaging, (1 + step) / (10 + step))
            learned = [parameter.detach() for parameter in self.detector.parameters()]
            torch._foreach_lerp_(list(self._average.parameters()), learned, 1 - decay)
        if not math.isfinite(loss):
            raise TrainingError(f"step {step}: the loss is {loss}. Lower optimiser.peak_lr, or train in fp32.")
        return Step(loss, float(norm))

    def _accumulate_gradients(self, heard: Heard) -> float:
        """Add the gradient of the mean loss over the batch, a piece of it at a time; returns that of the labels.

        The batch is all processes' together. They average their gradients, so each divides by the mean of theirs.
        """
        samples, clips = heard.pcm.shape[1], len(heard.labels)
        size = clips if self._at_once_s is None else max(1, int(self._at_once_s * SAMPLE_RATE_HZ / samples))
        pieces = [Heard(*parts) for parts in zip(*(part.split(size) for part in heard), strict=True)]
        weights = torch.ones(self.detector.config.num_labels) if self._weights is None else self._weights
        weights = weights.to(heard.pcm.device)  # [labels]
        shares = torch.stack([weights[heard.labels].sum(), weights.new_tensor(clips)])
        mean_weight, mean_clips = self._accelerator.reduce(shares, reduction="mean")
        loss = torch.zeros_like(mean_weight)
        for number, piece in enumerate(pieces):
            # The gradients are exchanged once a batch, with the last piece.
            last = number == len(pieces) - 1
            with contextlib.nullcontext() if last else self._accelerator.no_sync(self._model):
                logits, told, told_of_frames = self._model(normalized(piece.pcm, self.normalize))
                smoothing = self._settings.label_smoothing
                summed = F.cross_entropy(
                    logits, piece.labels, weight=weights, label_smoothing=smoothing, reduction="sum"
                )
                missed = missed_sum(told, piece.targets) + missed_sum(told_of_frames, piece.tracks)
                self._accelerator.backward(summed / mean_weight + self._told_weight * missed / mean_clips)
            loss += summed.detach() / mean_weight
        return float(self._accelerator.reduce(loss, reduction="mean"))

    def state(self) -> dict[str, Any]:
        """Everything that changes as it learns."""
        scaler = self._accelerator.scaler
        return {
            "learning": self._learning.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Be as when ``state`` was taken."""
        self._learning.load_state_dict(state["learning"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._accelerator.scaler is not None:
            self._accelerator.scaler.load_state_dict(state["scaler"])


def _still_copy(detector: StressDetector, accelerator: Accelerator) -> StressDetector:
    """A copy that doesn't learn by itself."""
    return copy.deepcopy(detector).requires_grad_(False).to(accelerator.device)


def _seed_of(*numbers: int) -> int:
    """A seed below 2³² for Python's, numpy's and torch's global generators, which dropout and SpecAugment draw from."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def normalized(pcm: Tensor, normalize: bool) -> Tensor:
    """Float waveforms ``[B, samples]`` of int16 ``pcm``, as ``Wav2Vec2FeatureExtractor`` makes them."""
    waveforms = pcm.float() * numerics.PCM_SCALE
    if not normalize:
        return waveforms
    variance, mean = torch.var_mean(waveforms, dim=1, correction=0, keepdim=True)  # [B, 1] each
    return (waveforms - mean) / (variance + numerics.NORMALIZATION_EPS).sqrt()
