"""Speech to calibrate on, and graphs of both norm kinds in fp32 and int8."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
import soundfile
from voicestress import StressContract
from voicestress_model.export import stress_contract
from voicestress_model.quantisation import Int8Export, export_int8

from tests.paths import JFK_WAV

# Its pauses: each part is a recording of its own with some seconds of speech.
PARTS_S = ((0.0, 2.8), (2.8, 5.0), (5.0, 7.9), (7.9, 11.0))


@pytest.fixture(scope="session")
def recordings(tmp_path_factory) -> Path:
    """A folder with four recordings of a real voice."""
    folder = tmp_path_factory.mktemp("recordings")
    speech, rate_hz = soundfile.read(JFK_WAV, dtype="int16")
    for number, (start_s, end_s) in enumerate(PARTS_S):
        soundfile.write(folder / f"{number}.wav", speech[int(start_s * rate_hz) : int(end_s * rate_hz)], rate_hz)
    return folder


class Graphs(NamedTuple):
    """One checkpoint's graphs, its contract in int8, and what its export measured."""

    fp32: Path
    int8: Path
    contract: StressContract
    exported: Int8Export


@pytest.fixture(scope="session")
def graphs(checkpoint, both_precisions, recordings, tmp_path_factory) -> Graphs:
    folder = tmp_path_factory.mktemp("graphs") / "int8"
    contract = stress_contract(checkpoint, longest_window_s=3.0)
    exported = export_int8(checkpoint, contract, folder, calibration=[recordings])
    int8 = contract.model_copy(update={"precision": "int8"})
    return Graphs(both_precisions.fp32, folder / "1" / "model.onnx", int8, exported)
