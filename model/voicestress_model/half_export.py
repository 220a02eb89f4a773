"""Exporting a checkpoint with a second file in half precision, which the variant for GPUs serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from voicestress.contract import StressContract

from voicestress_model import geometry
from voicestress_model.agreement import Logits, mixed_windows
from voicestress_model.checkpoints import StressCheckpoint
from voicestress_model.errors import ExportError
from voicestress_model.export import HALF_FILE, export_model, packed_model
from voicestress_model.half import half_logits, half_products
from voicestress_model.onnx_graph import write_onnx
from voicestress_model.quantisation import (
    LARGEST_LEVEL_CHANGE,
    LevelChange,
    compare_levels,
    graph_logits,
    read_measuring,
)


@dataclass(frozen=True)
class HalfExport:
    """What was measured: the fp32 graph against Hugging Face in logits, and half precision against that in levels."""

    difference: float
    change: LevelChange
    logits: float  # the largest difference between logits in half precision and in fp32
    recordings: int
    left_out: tuple[str, ...]


def export_half(
    checkpoint: StressCheckpoint,
    contract: StressContract,
    folder: Path,
    *,
    recordings: Sequence[Path] = (),
    largest_level_change: float = LARGEST_LEVEL_CHANGE,
    response_cache: bool = False,
) -> HalfExport:
    """Do what ``export_model`` does, and write ``model.fp16.onnx`` beside it, for ``configs/gpu.pbtxt`` to serve.

    Levels may change by ``largest_level_change`` points of 100 on average, on windows of ``recordings`` (folders,
    manifests or files), or on noise of all lengths where there are none. They are measured twice: with the model
    computed as a GPU computes it, which can overflow, and with the written graph in ONNX Runtime, which can be wrong.

    Raises:
        ExportError: levels change by more, or what ``export_model`` says; nothing is written.
    """
    speech = read_measuring(recordings, contract) if recordings else None
    windows = speech.held_out if speech else mixed_windows(contract)
    measured: list[tuple[LevelChange, float]] = []

    def write_half(path: Path) -> None:
        before = graph_logits(path, windows)
        model = half_products(packed_model(checkpoint, contract, tile_slots=geometry.GPU_TILE_SLOTS))
        after = half_logits(model, windows)
        measured.append((_accepted(checkpoint, before, after, contract, largest_level_change), _largest(before, after)))
        half_path = path.with_name(HALF_FILE)
        write_onnx(model, half_path)
        _accepted(checkpoint, before, graph_logits(half_path, windows), contract, largest_level_change)

    difference = export_model(
        checkpoint, contract, folder, gpu_file=HALF_FILE, response_cache=response_cache, rewrite=write_half
    )
    change, logits = measured[0]
    return HalfExport(difference, change, logits, speech.recordings if speech else 0, speech.left_out if speech else ())


def _largest(before: Logits, after: Logits) -> float:
    return float(np.abs(after - before).max())


def _accepted(
    checkpoint: StressCheckpoint, before: Logits, after: Logits, contract: StressContract, largest: float
) -> LevelChange:
    lost = int((~np.isfinite(after)).any(axis=1).sum())
    if lost:
        raise ExportError(
            f"{checkpoint.name}: in half precision {lost} of {len(after)} windows overflow (beyond 65504), so nothing "
            "was written. Stay with fp32"
        )
    change = compare_levels(before, after, contract)
    if not change.mean <= largest:
        raise ExportError(
            f"{checkpoint.name}: in half precision, {change} windows; a mean change of {largest:g} is allowed, so "
            "nothing was written. Stay with fp32, or allow more with --largest-level-change"
        )
    return change
