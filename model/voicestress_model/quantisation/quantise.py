"""From an exported fp32 graph to its int8 form, or to the reason why there is none."""

from __future__ import annotations

import tempfile
from pathlib import Path

from voicestress.contract import StressContract

from voicestress_model.errors import ExportError
from voicestress_model.quantisation.calibration import calibrate
from voicestress_model.quantisation.int8_graph import write_int8
from voicestress_model.quantisation.level_change import LARGEST_LEVEL_CHANGE, LevelChange, level_change
from voicestress_model.quantisation.speech import CalibrationSpeech


def quantise(
    path: Path, contract: StressContract, speech: CalibrationSpeech, *, largest: float = LARGEST_LEVEL_CHANGE
) -> LevelChange:
    """Replace the fp32 graph at ``path`` by its int8 form; returns how levels change on the held-out speech.

    ``largest`` is how much they may change on average, in points of 100.

    Raises:
        ExportError: they change by more; the graph is as it was.
    """
    with tempfile.TemporaryDirectory(prefix="voicestress-int8-") as scratch:
        quantised = Path(scratch, path.name)
        write_int8(path, calibrate(path, speech.calibrating), quantised)
        change = level_change(path, quantised, contract, speech.held_out)
        if not change.mean <= largest:
            raise ExportError(
                f"{contract.checkpoint}: in int8, {change} windows held out of calibration; a mean change of "
                f"{largest:g} is allowed, so nothing was written. Calibrate on more speech, or speech more like that "
                "to be scored, stay with fp32, or allow more with --largest-level-change"
            )
        path.write_bytes(quantised.read_bytes())
    return change
