"""From a checkpoint to a model that Triton serves."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
from voicestress.contract import StressContract

from voicestress_model.agreement import mixed_windows, onnx_logits, onnx_session, reference_logits
from voicestress_model.checkpoints import StressCheckpoint
from voicestress_model.detector import ARTICLE_LABELS
from voicestress_model.errors import ExportError
from voicestress_model.onnx_graph import write_onnx
from voicestress_model.packed import PackedWav2Vec2
from voicestress_model.triton_config import triton_config

LARGEST_DISAGREEMENT = 1e-4
_ARTICLE_WEIGHTS = dict(zip(ARTICLE_LABELS, (0.0, 0.5, 1.0), strict=True))


def stress_contract(
    checkpoint: StressCheckpoint,
    *,
    label_weights: dict[str, float] | None = None,
    shortest_window_s: float = 0.5,
    longest_window_s: float = 8.0,
) -> StressContract:
    """The contract a model exported from ``checkpoint`` will state.

    ``label_weights`` says how much each label counts towards stress, 0 to 1. Only the article's labels (neutral, sad,
    anxious) have weights of their own; for any others they must be given, since no default could be defended.

    Raises:
        ExportError: a label without a weight, a weight without a label, or a value out of range.
    """
    labels = checkpoint.detector.labels
    weights = _ARTICLE_WEIGHTS if label_weights is None else label_weights
    if set(weights) != set(labels):
        raise ExportError(
            f"{checkpoint.name}: its labels are {', '.join(labels)}; weights are known for {', '.join(weights)}. "
            f"Give one weight for each: --label-weights {','.join(f'{label}=…' for label in labels)}"
        )
    try:
        return StressContract(
            labels=labels,
            label_weights=tuple(weights[label] for label in labels),
            shortest_window_samples=round(shortest_window_s * 16_000),
            longest_window_samples=round(longest_window_s * 16_000),
            checkpoint=checkpoint.name,
            weights=checkpoint.weights,
        )
    except ValueError as error:
        raise ExportError(f"{checkpoint.name}: {error}") from error


def export_model(checkpoint: StressCheckpoint, contract: StressContract, folder: Path) -> float:
    """Write ``folder/config.pbtxt`` and ``folder/1/model.onnx``, named after the folder, replacing what stood there.

    Nothing is written unless ONNX Runtime, on a batch of mixed lengths, is within 1e-4 of Hugging Face run on each
    window alone. Returns the largest difference between the logits.

    Raises:
        ExportError: they differ by more.
    """
    model = PackedWav2Vec2(
        checkpoint.detector,
        normalize=checkpoint.normalize,
        shortest_samples=contract.shortest_window_samples,
        longest_samples=contract.longest_window_samples,
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        version = Path(scratch, "1")
        version.mkdir()
        write_onnx(model, version / "model.onnx")
        difference = _disagreement(checkpoint, contract, version / "model.onnx")
        if not difference <= LARGEST_DISAGREEMENT:
            raise ExportError(
                f"{checkpoint.name}: ONNX Runtime and Hugging Face disagree by {difference:.1e} in the logits, "
                f"{LARGEST_DISAGREEMENT:.0e} allowed; nothing was written"
            )
        folder.mkdir(exist_ok=True)
        shutil.rmtree(folder / "1", ignore_errors=True)
        version.rename(folder / "1")
        (folder / "config.pbtxt").write_text(triton_config(folder.name, contract), encoding="utf-8")
    return difference


def _disagreement(checkpoint: StressCheckpoint, contract: StressContract, path: Path) -> float:
    windows = mixed_windows(contract)
    return float(np.abs(onnx_logits(onnx_session(path), windows) - reference_logits(checkpoint, windows)).max())
