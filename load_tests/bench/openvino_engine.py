"""OpenVINO as the engine, in turns with ONNX Runtime, on graphs of wav2vec2-base; ``make bench`` does not run it.

OpenVINO is no dependency of this project. In a folder of its own it changes nothing of the environment:

    pip install --no-deps --target build/openvino openvino==2026.4.1
    PYTHONPATH=build/openvino python -m load_tests.bench.openvino_engine

The front end of the exported graph is a loop over tiles. So that there is something to compare where an engine can't
read that, each also gets the graph without its loop, with the whole batch as one tile, in fp32 and in int8.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from voicestress.contract import INPUT_NAME
from voicestress_model import StressCheckpoint, random_checkpoint, stress_contract
from voicestress_model.agreement import Pcm, mixed_windows, reference_logits
from voicestress_model.export import packed_model
from voicestress_model.layout import take
from voicestress_model.onnx_graph import LENGTHS_NAME, write_onnx
from voicestress_model.packed_front_end import PackedFrontEnd
from voicestress_model.quantisation.calibration import calibrate
from voicestress_model.quantisation.int8_graph import write_int8

from load_tests.bench.compare_engines import EngineFigures, compare
from load_tests.bench.engines import Engine, padding_free
from load_tests.bench.workload import mixed_speech

_CALIBRATION_WINDOWS = 12
_NOT_HERE = "openvino is not installed: see the head of this file, load_tests/bench/openvino_engine.py"


class OneTile(PackedFrontEnd):
    """The front end without its loop: the whole batch is one tile."""

    def _in_tiles(self, inputs: Tensor, which: Tensor, layers: Tensor) -> Tensor:
        slots = inputs.shape[0]
        slot = torch.arange(slots + 1, device=inputs.device).clamp(max=slots - 1)  # [N + 1]
        return self._tile(take(inputs, slot), take(which, slot), layers)


def main() -> None:
    """Export, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="wav2vec2-base", help="(default: %(default)s)")
    parser.add_argument("--windows", type=int, default=24, help="in the workload (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="(default: one a core)")
    parser.add_argument("--out", type=Path, default=Path("build/bench/openvino"), help="(default: %(default)s)")
    arguments = parser.parse_args()
    try:
        print(f"openvino {version('openvino')}, onnxruntime {version('onnxruntime')}, {arguments.threads} threads\n")
    except ModuleNotFoundError:
        raise SystemExit(_NOT_HERE) from None
    checkpoint = random_checkpoint(arguments.architecture)
    engines = []
    for name, path in write_graphs(checkpoint, arguments.out).items():
        engines.append(padding_free(path, f"{name}, ONNX Runtime", arguments.threads))
        try:
            engines.append(openvino(path, f"{name}, OpenVINO", arguments.threads))
        except RuntimeError as error:
            print(f"{name}: OpenVINO can't read it: {_reason(error)}")
    windows = mixed_windows(stress_contract(checkpoint))
    exact = reference_logits(checkpoint, windows)
    lost = [float(np.abs(np.asarray(engine.run(windows)) - exact).max()) for engine in engines]
    found = compare(engines, mixed_speech(arguments.windows), rounds=arguments.rounds)
    for figures, difference in zip(found, lost, strict=True):
        print(_line(figures, difference))


def write_graphs(checkpoint: StressCheckpoint, folder: Path) -> dict[str, Path]:
    """The exported graph, and without its loop in fp32 and int8, in ``folder``; by what they are."""
    folder.mkdir(parents=True, exist_ok=True)
    exported, one_tile, int8 = (folder / f"{name}.onnx" for name in ("exported", "one_tile", "one_tile_int8"))
    model = packed_model(checkpoint, stress_contract(checkpoint))
    write_onnx(model, exported)
    model.front_end = OneTile(checkpoint.detector.wav2vec2, normalize=checkpoint.normalize)
    write_onnx(model, one_tile)
    write_int8(one_tile, calibrate(one_tile, mixed_speech(_CALIBRATION_WINDOWS, seed=9)), int8)
    return {"as exported": exported, "one tile": one_tile, "one tile, int8": int8}


def openvino(path: Path, name: str, threads: int) -> Engine:
    """The graph at ``path`` through OpenVINO, sums in fp32.

    Raises:
        RuntimeError: it can't read the graph.
    """
    from openvino import Core

    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    request = Core().compile_model(str(path), "CPU", settings).create_infer_request()

    def run(windows: Sequence[Pcm]) -> object:
        lengths = np.array([[len(window)] for window in windows], dtype=np.int32)
        return request.infer({INPUT_NAME: np.concatenate(windows), LENGTHS_NAME: lengths})[0]

    return Engine(name, run, padded=False)


def _line(figures: EngineFigures, difference: float) -> str:
    return (
        f"{figures.name:30} {figures.audio_s_per_s:7.1f} audio-s/s in batches of {figures.batch_size}, "
        f"{figures.ratio:.2f} of the first; logits within {difference:.0e} of Hugging Face's"
    )


def _reason(error: RuntimeError) -> str:
    return " ".join(str(error).rpartition("with a message:")[2].split())[:300]


if __name__ == "__main__":
    main()
