"""What training computes in: what the GPU is fast with, fp32 on a CPU."""

from __future__ import annotations

import pytest
import torch
from voicestress_model.training import TrainingError
from voicestress_model.training.learner import accelerator_for, automatic_precision


@pytest.mark.parametrize(("has_bf16", "precision"), [(True, "bf16"), (False, "fp16")])
def test_a_gpu_gets_mixed_precision_of_the_kind_it_computes_in(monkeypatch, has_bf16, precision):
    """A card that only emulates bf16 is slower with it than without."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: has_bf16 or including_emulation
    )
    assert automatic_precision() == precision


def test_a_cpu_trains_in_fp32(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert automatic_precision() == "fp32"


@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is a GPU here")
def test_mixed_precision_without_a_gpu_is_refused():
    with pytest.raises(TrainingError, match="bf16 needs a GPU"):
        accelerator_for("bf16")
