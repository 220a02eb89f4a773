"""Ways to multiply in eight bits, on the products of wav2vec2-base: what each gains, and what it takes from the result.

    python -m load_tests.bench.byte_products

Every way multiplies the same rows by the same weights through ONNX Runtime, or OpenVINO where it is installed, and
gives fp32. The rows are what a layer norm leaves, with a few channels ten times as large, as transformers have them.
Ways that scale a whole batch at once (dynamic) are out: a window's score would depend on its neighbours. They are
here to compare.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from voicestress_model.quantisation.calibration import Calibrated, steps_for
from voicestress_model.quantisation.int8_graph import write_int8
from voicestress_model.quantisation.spread import Spread

# A second of the third convolution; of the feed-forward layers and of attention's projections, ten seconds.
_SHAPES = ((800, 1536, 512), (500, 768, 3072), (500, 3072, 768), (500, 768, 2304))
_RUNS = 15
_BLOCK = 128

Floats = npt.NDArray[np.float32]
Run = Callable[[Floats], Floats]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="(default: one a core)")
    parser.add_argument("--out", type=Path, default=Path("build/bench/products"), help="(default: %(default)s)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    print("GOP/s (median), and the size of the error relative to the result's\n")
    print(f"{'':34}" + "".join(f"{'x'.join(map(str, shape)):>22}" for shape in _SHAPES))
    cells = [_measured(shape, arguments.out, arguments.threads) for shape in _SHAPES]
    for name in cells[0]:
        print(f"{name:34}" + "".join(f"{cell[name]:>22}" for cell in cells))


def _measured(shape: tuple[int, int, int], folder: Path, threads: int) -> dict[str, str]:
    generator = np.random.default_rng(0)
    rows, inner, columns = shape
    channel = np.where(generator.random(inner) < 0.01, 10.0, 1.0)
    batch = [(generator.standard_normal((rows, inner)) * channel).astype(np.float32) for _ in range(4)]
    weights = (generator.standard_normal((inner, columns)) / np.sqrt(inner)).astype(np.float32)
    exact = batch[0].astype(np.float64) @ weights
    cells = {}
    for name, make in _WAYS.items():
        try:
            run = make(weights, batch, folder, threads)
            lost = np.linalg.norm(run(batch[0]) - exact) / np.linalg.norm(exact)
            cells[name] = f"{2e-9 * rows * inner * columns / _seconds(run, batch[0]):.0f}  {lost:.1%}"
        except (ImportError, RuntimeError, ValueError) as error:  # it can't do that here: said in the table
            cells[name] = type(error).__name__
    return cells


def _seconds(run: Run, rows: Floats) -> float:
    run(rows)
    taken = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        run(rows)
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def _graph(weights: Floats, folder: Path) -> Path:
    """The product in fp32, after something that makes its input no graph input, as in a model."""
    inner, columns = weights.shape
    graph = helper.make_graph(
        [helper.make_node("Identity", ["A"], ["X"]), helper.make_node("Gemm", ["X", "weight", "bias"], ["Y"])],
        "product",
        [helper.make_tensor_value_info("A", TensorProto.FLOAT, ["rows", inner])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["rows", columns])],
        [numpy_helper.from_array(weights, "weight"), numpy_helper.from_array(np.zeros(columns, np.float32), "bias")],
    )
    path = folder / "fp32.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def _session(path: Path, threads: int) -> Run:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda rows: np.asarray(session.run(None, {"A": rows})[0])


def _fp32(weights: Floats, batch: list[Floats], folder: Path, threads: int) -> Run:
    return _session(_graph(weights, folder), threads)


def _ours(*, own: bool) -> Callable[[Floats, list[Floats], Path, int], Run]:
    def make(weights: Floats, batch: list[Floats], folder: Path, threads: int) -> Run:
        spread = Spread()
        for rows in batch:
            spread.add(rows)
        means = np.zeros(len(weights))
        calibrated = Calibrated(None if own else steps_for(spread), means, means, 0.0)
        write_int8(_graph(weights, folder), {"X": calibrated}, folder / "ours.onnx")
        return _session(folder / "ours.onnx", threads)

    return make


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, batch: list[Floats]) -> None:
        self._left = iter(batch)

    def get_next(self) -> dict[str, Floats] | None:
        rows = next(self._left, None)
        return None if rows is None else {"A": rows}


def _quantize_static(
    form: QuantFormat, weight_type: QuantType, *, seven_bits: bool = False
) -> Callable[[Floats, list[Floats], Path, int], Run]:
    def make(weights: Floats, batch: list[Floats], folder: Path, threads: int) -> Run:
        quantize_static(
            str(_graph(weights, folder)),
            str(folder / "static.onnx"),
            _Reader(batch),
            quant_format=form,
            per_channel=True,
            reduce_range=seven_bits,
            weight_type=weight_type,
            op_types_to_quantize=["Gemm", "MatMul"],
        )
        return _session(folder / "static.onnx", threads)

    return make


def _dynamic(weights: Floats, batch: list[Floats], folder: Path, threads: int) -> Run:
    from onnxruntime.quantization import quantize_dynamic

    path = _as_matmul(weights, folder)
    quantize_dynamic(str(path), str(folder / "dynamic.onnx"), per_channel=True, reduce_range=True)
    return _session(folder / "dynamic.onnx", threads)


def _n_bits(bits: int) -> Callable[[Floats, list[Floats], Path, int], Run]:
    def make(weights: Floats, batch: list[Floats], folder: Path, threads: int) -> Run:
        from onnxruntime.quantization.matmul_nbits_quantizer import (
            DefaultWeightOnlyQuantConfig,
            MatMulNBitsQuantizer,
        )

        config = DefaultWeightOnlyQuantConfig(block_size=_BLOCK, is_symmetric=True, accuracy_level=4, bits=bits)
        quantizer = MatMulNBitsQuantizer(onnx.load(_as_matmul(weights, folder)), algo_config=config)
        quantizer.process()
        onnx.save(quantizer.model.model, folder / "n_bits.onnx")
        return _session(folder / "n_bits.onnx", threads)

    return make


def _as_matmul(weights: Floats, folder: Path) -> Path:
    """The same product as a MatMul, which some tools know better than Gemm."""
    model = onnx.load(_graph(weights, folder))
    product = model.graph.node[1]
    product.op_type = "MatMul"
    del product.input[2]
    del model.graph.initializer[1]
    path = folder / "matmul.onnx"
    onnx.save(model, path)
    return path


def _openvino(precision: str) -> Callable[[Floats, list[Floats], Path, int], Run]:
    def make(weights: Floats, batch: list[Floats], folder: Path, threads: int) -> Run:
        import openvino

        path = _graph(weights, folder)
        if precision == "int8":
            _quantize_static(QuantFormat.QDQ, QuantType.QInt8)(weights, batch, folder, threads)
            path = folder / "static.onnx"
        settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()
        return lambda rows: np.array(request.infer([rows])[0])

    return make


_WAYS: dict[str, Callable[[Floats, list[Floats], Path, int], Run]] = {
    "fp32": _fp32,
    "voicestress, static steps": _ours(own=False),
    "voicestress, steps of each row": _ours(own=True),
    "QDQ, signed weights of 7 bits": _quantize_static(QuantFormat.QDQ, QuantType.QInt8, seven_bits=True),
    "QDQ, signed weights of 8 bits": _quantize_static(QuantFormat.QDQ, QuantType.QInt8),
    "QOperator, signed weights of 7 bits": _quantize_static(QuantFormat.QOperator, QuantType.QInt8, seven_bits=True),
    "dynamic (scales the batch at once)": _dynamic,
    "MatMulNBits, 8 bits, int8 sums": _n_bits(8),
    "MatMulNBits, 4 bits, int8 sums": _n_bits(4),
    "OpenVINO, fp32": _openvino("fp32"),
    "OpenVINO, QDQ, 8 bits": _openvino("int8"),
}

if __name__ == "__main__":
    main()
