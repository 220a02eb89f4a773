"""From a checkpoint to a model that Triton serves."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from voicestress.contract import DIMENSIONS, StressContract

from voicestress_model import geometry
from voicestress_model.agreement import (
    Logits,
    Pcm,
    mixed_windows,
    onnx_logits,
    onnx_session,
    reference_logits,
    torchscript_logits,
)
from voicestress_model.checkpoints import StressCheckpoint
from voicestress_model.detector import ARTICLE_LABELS
from voicestress_model.errors import CheckpointError, ExportError
from voicestress_model.geometry import LONGEST_WINDOW_S, SAMPLE_RATE_HZ, SHORTEST_WINDOW_S
from voicestress_model.onnx_graph import write_onnx
from voicestress_model.packed import PackedWav2Vec2
from voicestress_model.torchscript_graph import load_torchscript, write_torchscript
from voicestress_model.triton_config import GPU_CONFIG, Backend, Served, gpu_config, triton_config

LARGEST_DISAGREEMENT = 1e-4
HALF_FILE = "model.fp16.onnx"
_VERSION = "1"
_ARTICLE_WEIGHTS = dict(zip(ARTICLE_LABELS, (0.0, 0.5, 1.0), strict=True))


@dataclass(frozen=True)
class Format:
    """A kind of model file: who serves it and runs it, its name, how it is written and how it is run here."""

    backend: Backend
    runtime: str
    file: str
    write: Callable[[PackedWav2Vec2, Path], None]
    logits: Callable[[Path, Sequence[Pcm]], Logits]


FORMATS = {
    "onnx": Format(
        "onnxruntime", "ONNX Runtime", "model.onnx", write_onnx, lambda path, pcm: onnx_logits(onnx_session(path), pcm)
    ),
    "torchscript": Format(
        "pytorch",
        "TorchScript",
        "model.pt",
        write_torchscript,
        lambda path, pcm: torchscript_logits(load_torchscript(path), pcm),
    ),
}
_MODEL_FILES = {HALF_FILE, *(known.file for known in FORMATS.values())}


def stress_contract(
    checkpoint: StressCheckpoint,
    *,
    label_weights: dict[str, float] | None = None,
    shortest_window_s: float = SHORTEST_WINDOW_S,
    longest_window_s: float = LONGEST_WINDOW_S,
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


def packed_model(
    checkpoint: StressCheckpoint, contract: StressContract, *, tile_slots: int = geometry.TILE_SLOTS
) -> PackedWav2Vec2:
    """The padding-free model of ``checkpoint``, within the window bounds of ``contract``."""
    return PackedWav2Vec2(
        checkpoint.detector,
        normalize=checkpoint.normalize,
        shortest_samples=contract.shortest_window_samples,
        longest_samples=contract.longest_window_samples,
        tile_slots=tile_slots,
    )


def export_model(
    checkpoint: StressCheckpoint,
    contract: StressContract,
    folder: Path,
    *,
    format: str = "onnx",  # noqa: A002 - the option's name
    response_cache: bool = False,
    gpu_file: str | None = "",
    rewrite: Callable[[Path], object] | None = None,
) -> float:
    """Write a model that Triton serves into ``folder``, named after it, replacing what stood there.

    These are ``1/model.onnx`` (or ``model.pt``), ``config.pbtxt``, and ``configs/gpu.pbtxt`` for GPUs. Nothing is
    written unless ONNX Runtime (or TorchScript), on a batch of mixed lengths, is within 1e-4 of Hugging Face run on
    each window alone. Other variants (``voicestress tune``) go: they state another model's contract, and were measured
    with it. Returns the largest difference between the logits.

    Args:
        checkpoint: what is exported.
        contract: what the model will state of itself.
        folder: where to.
        format: a name of ``FORMATS``.
        response_cache: whether Triton may answer repeated audio from its response cache.
        gpu_file: name of the file the variant for GPUs serves, where it is not the model's own (""); None for no such
            variant.
        rewrite: changes the verified file at the path it is given into what is written, or writes ``gpu_file`` beside
            it, unless it raises.

    Raises:
        ExportError: they differ by more, or the folder can't take the model.
    """
    made = FORMATS[format]
    folder = folder.absolute()
    _check_writable(folder)
    # Elsewhere until it is whole: Triton takes any folder in its repository for a model.
    with tempfile.TemporaryDirectory(prefix="voicestress-export-") as scratch:
        path = Path(scratch, made.file)
        made.write(packed_model(checkpoint, contract), path)
        windows = mixed_windows(contract)
        difference = float(np.abs(made.logits(path, windows) - reference_logits(checkpoint, windows)).max())
        if not difference <= LARGEST_DISAGREEMENT:
            raise ExportError(
                f"{checkpoint.name}: {made.runtime} and Hugging Face disagree by {difference:.1e} in the logits, "
                f"{LARGEST_DISAGREEMENT:.0e} allowed; nothing was written"
            )
        if rewrite is not None:
            rewrite(path)
        _install(Path(scratch), folder / _VERSION)
    served = Served(folder.name, made.backend, response_cache)
    (folder / "config.pbtxt").write_text(triton_config(served, contract), encoding="utf-8")
    _write_gpu_config(served, contract, folder, made.file if gpu_file == "" else gpu_file)
    for variant in other_variants(folder):
        variant.unlink()
    return difference


def other_variants(folder: Path) -> list[Path]:
    """Configurations in ``folder`` that an export does not write. They state the contract of the model they are of."""
    return [path for path in sorted((folder / GPU_CONFIG).parent.glob("*.pbtxt")) if path != folder / GPU_CONFIG]


def _install(made: Path, version: Path) -> None:
    """Put the files of ``made`` in the place of the model files in ``version``."""
    version.mkdir(parents=True, exist_ok=True)
    names = {path.name for path in made.iterdir()}
    for name in names:
        shutil.copyfile(made / name, version / f".{name}")
        (version / f".{name}").replace(version / name)
    for name in _MODEL_FILES - names:
        (version / name).unlink(missing_ok=True)


def _write_gpu_config(served: Served, contract: StressContract, folder: Path, file: str | None) -> None:
    path = folder / GPU_CONFIG
    if file is None:
        path.unlink(missing_ok=True)
        return
    if file == HALF_FILE:
        contract = contract.model_copy(update={"precision": "fp16"})
    path.parent.mkdir(exist_ok=True)
    path.write_text(gpu_config(served, contract, file), encoding="utf-8")


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
