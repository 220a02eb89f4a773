"""Exporting a checkpoint in int8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from voicestress.contract import StressContract

from voicestress_model.checkpoints import StressCheckpoint
from voicestress_model.errors import ExportError
from voicestress_model.export import export_model
from voicestress_model.quantisation.level_change import LARGEST_LEVEL_CHANGE, LevelChange
from voicestress_model.quantisation.quantise import quantise
from voicestress_model.quantisation.speech import read_calibration


@dataclass(frozen=True)
class Int8Export:
    """What was measured: the fp32 graph against Hugging Face in logits, and the int8 graph against that in levels."""

    difference: float
    change: LevelChange
    recordings: int
    left_out: tuple[str, ...]


def export_int8(
    checkpoint: StressCheckpoint,
    contract: StressContract,
    folder: Path,
    *,
    calibration: Sequence[Path],
    largest_level_change: float = LARGEST_LEVEL_CHANGE,
    response_cache: bool = False,
) -> Int8Export:
    """Do what ``export_model`` does, in int8: one half of the recordings sets the scales, the other measures the cost.

    There is no variant for GPUs: ONNX Runtime has no such products there.

    ``calibration`` are folders, manifests or files with speech like that to be scored. Levels may change by
    ``largest_level_change`` points of 100 on average.

    Raises:
        ExportError: too few recordings, levels change by more, or what ``export_model`` says; nothing is written.
    """
    if not calibration:
        raise ExportError("int8 needs recordings like those to be scored: --calibration FOLDER, MANIFEST or files")
    speech = read_calibration(calibration, contract)
    contract = contract.model_copy(update={"precision": "int8"})
    changes: list[LevelChange] = []
    difference = export_model(
        checkpoint,
        contract,
        folder,
        gpu_file=None,
        response_cache=response_cache,
        rewrite=lambda path: changes.append(quantise(path, contract, speech, largest=largest_level_change)),
    )
    return Int8Export(difference, changes[0], speech.recordings, speech.left_out)
