"""The fastest this machine multiplies matrices: what bounds every engine, whatever it does around its products."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper

# Rows, inner and columns as they occur in wav2vec2-base, from a second of its front end to its feed-forward layers.
_SHAPES = ((1600, 1536, 512), (800, 1536, 512), (512, 768, 3072), (512, 3072, 768), (1024, 768, 2304))
_RUNS = 25


def matrix_product_peak(threads: int) -> float:
    """Operations a second (a multiplication and an addition are two), the best of PyTorch's and ONNX Runtime's.

    Of each shape the median counts, as it does of the engines that are held against it.
    """
    torch.set_num_threads(threads)
    generator = np.random.default_rng(0)
    best = 0.0
    for rows, inner, columns in _SHAPES:
        left = generator.standard_normal((rows, inner), dtype=np.float32)
        right = generator.standard_normal((inner, columns), dtype=np.float32)
        for run in (_torch_product(left, right), _onnx_product(left, right, threads)):
            best = max(best, 2.0 * rows * inner * columns / _median_s(run))
    return best


def _torch_product(left: np.ndarray, right: np.ndarray) -> Callable[[], object]:
    a, b = torch.from_numpy(left), torch.from_numpy(right)
    return lambda: a @ b


def _onnx_product(left: np.ndarray, right: np.ndarray, threads: int) -> Callable[[], object]:
    weights = helper.make_tensor("B", TensorProto.FLOAT, right.shape, right.tobytes(), raw=True)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["A", "B"], ["C"])],
        "product",
        [helper.make_tensor_value_info("A", TensorProto.FLOAT, left.shape)],
        [helper.make_tensor_value_info("C", TensorProto.FLOAT, None)],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"A": left})


def _median_s(run: Callable[[], object]) -> float:
    run()
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
