"""From a checkpoint to a model that Triton serves."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from voicestress.contract import DIMENSIONS, StressContract

from voicestress_model.agreement import mixed_windows, onnx_logits, onnx_session, reference_logits
from voicestress_model.checkpoints import StressCheckpoint
from voicestress_model.detector import ARTICLE_LABELS
from voicestress_model.errors import CheckpointError, ExportError
from voicestress_model.geometry import SAMPLE_RATE_HZ
from voicestress_model.onnx_graph import write_onnx
from voicestress_model.packed import PackedWav2Vec2
from voicestress_model.triton_config import triton_config

LARGEST_DISAGREEMENT = 1e-4
_VERSION = "1"
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
    anxious) have weights of their own; for any others they must be given, since no default could be defended. A
    dimensional checkpoint (arousal, dominance, valence) has none: it gets the policy ``arousal_valence``. The
    temperature is the checkpoint's (``stress_temperature`` in its config.json), or 1.

    Raises:
        ExportError: a label without a weight, a weight without a label, or a value out of range.
        CheckpointError: the stored temperature is no number above 0.
    """
    labels = checkpoint.detector.labels
    dimensional = set(labels) == set(DIMENSIONS)
    weights = _dimensional_weights if dimensional else _weights
    try:
        return StressContract(
            labels=labels,
            policy="arousal_valence" if dimensional else "label_weights",
            label_weights=weights(checkpoint, label_weights),
            temperature=_temperature(checkpoint),
            shortest_window_samples=round(shortest_window_s * SAMPLE_RATE_HZ),
            longest_window_samples=round(longest_window_s * SAMPLE_RATE_HZ),
            checkpoint=checkpoint.name,
            weights=checkpoint.weights,
        )
    except ValueError as error:
        raise ExportError(f"{checkpoint.name}: {error}") from error


def _weights(checkpoint: StressCheckpoint, given: dict[str, float] | None) -> tuple[float, ...]:
    labels = checkpoint.detector.labels
    weights = _ARTICLE_WEIGHTS if given is None else given
    if set(weights) != set(labels):
        raise ExportError(
            f"{checkpoint.name}: its labels are {', '.join(labels)}; weights are known for {', '.join(weights)}. "
            f"Give one weight for each: --label-weights {','.join(f'{label}=…' for label in labels)}"
        )
    return tuple(weights[label] for label in labels)


def _dimensional_weights(checkpoint: StressCheckpoint, given: dict[str, float] | None) -> tuple[float, ...]:
    if given is not None:
        raise ExportError(
            f"{checkpoint.name}: it tells {', '.join(checkpoint.detector.labels)}, which are dimensions, not labels, "
            "and have no weights: its level is 100 · clip(arousal · (1 - valence)). Leave --label-weights out"
        )
    return ()


def _temperature(checkpoint: StressCheckpoint) -> float:
    stored = getattr(checkpoint.detector.config, "stress_temperature", 1.0)
    if isinstance(stored, bool) or not isinstance(stored, (int, float)) or not (math.isfinite(stored) and stored > 0):
        raise CheckpointError(
            f"{checkpoint.name}: stress_temperature in its config.json is {stored!r}, a number above 0 needed"
        )
    return float(stored)


def export_model(
    checkpoint: StressCheckpoint,
    contract: StressContract,
    folder: Path,
    *,
    rewrite: Callable[[Path], object] | None = None,
) -> float:
    """Write ``folder/config.pbtxt`` and ``folder/1/model.onnx``, named after the folder, replacing what stood there.

    Nothing is written unless ONNX Runtime, on a batch of mixed lengths, is within 1e-4 of Hugging Face run on each
    window alone. Returns the largest difference between the logits. ``rewrite`` then changes the graph at the path it
    is given into what is written, e.g. ``quantise``, unless it raises.

    Raises:
        ExportError: they differ by more, or the folder can't take the model.
    """
    model = PackedWav2Vec2(
        checkpoint.detector,
        normalize=checkpoint.normalize,
        shortest_samples=contract.shortest_window_samples,
        longest_samples=contract.longest_window_samples,
    )
    folder = folder.absolute()
    _check_writable(folder)
    # Elsewhere until it is whole: Triton takes any folder in its repository for a model.
    with tempfile.TemporaryDirectory(prefix="voicestress-export-") as scratch:
        path = Path(scratch, "model.onnx")
        write_onnx(model, path)
        difference = _disagreement(checkpoint, contract, path)
        if not difference <= LARGEST_DISAGREEMENT:
            raise ExportError(
                f"{checkpoint.name}: ONNX Runtime and Hugging Face disagree by {difference:.1e} in the logits, "
                f"{LARGEST_DISAGREEMENT:.0e} allowed; nothing was written"
            )
        if rewrite is not None:
            rewrite(path)
        (folder / _VERSION).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / _VERSION / ".model.onnx")
    (folder / _VERSION / ".model.onnx").replace(folder / _VERSION / "model.onnx")
    (folder / "config.pbtxt").write_text(triton_config(folder.name, contract), encoding="utf-8")
    return difference


def _check_writable(folder: Path) -> None:
    others = sorted(path.name for path in folder.glob("[0-9]*") if path.name != _VERSION)
    if others:
        raise ExportError(
            f"{folder}: it holds version {', '.join(others)}, which Triton would serve instead of the version "
            f"{_VERSION} that export writes; remove it, or export to another folder"
        )
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK)):
        raise ExportError(f"{folder}: {nearest} can't be written to; choose another --out")


def _disagreement(checkpoint: StressCheckpoint, contract: StressContract, path: Path) -> float:
    windows = mixed_windows(contract)
    return float(np.abs(onnx_logits(onnx_session(path), windows) - reference_logits(checkpoint, windows)).max())
