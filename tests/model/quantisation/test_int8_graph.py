"""What is in eight bits and what is not, and that no product of bytes can overflow."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from voicestress_model.quantisation.calibration import Calibrated, Steps, calibrate
from voicestress_model.quantisation.int8_graph import byte_weights, write_int8
from voicestress_model.quantisation.products import find_products

from tests.paths import MODEL_REPOSITORY

FP32_OPERATORS = ("LayerNormalization", "Gelu", "Softmax", "Conv", "Scan")


def all_nodes(path):
    return list(ir.load(path).graph.all_nodes())


def is_of_bytes(value):
    """Whether ``value`` holds bytes: it was quantised, and at most moved since."""
    while (producer := value.producer()) is not None and producer.op_type in (
        "Gather",
        "Reshape",
        "Slice",
        "Transpose",
    ):
        value = producer.inputs[0]
    return producer is not None and producer.op_type == "QuantizeLinear"


def test_the_convolutions_but_the_first_and_the_linear_layers_are_products_of_bytes(checkpoint, graphs):
    layers = len(checkpoint.detector.wav2vec2.encoder.layers)
    assert len(find_products(ir.load(graphs.fp32))) == 6 + 1 + 4 * layers
    products = [node for node in all_nodes(graphs.int8) if node.op_type == "MatMulIntegerToFloat"]
    assert len(products) == 6 + 1 + 4 * layers
    for product in products:
        activations, weights = product.inputs[0], product.inputs[1]
        assert is_of_bytes(activations)
        assert weights.const_value.dtype == ir.DataType.INT8
        assert np.abs(weights.const_value.numpy().astype(int)).max() <= 64, "pairs of products must fit 16 bits"
    assert find_products(ir.load(graphs.int8)) == []


def test_norms_gelu_softmax_and_the_positions_are_as_they_were_and_see_no_bytes(graphs):
    before, after = all_nodes(graphs.fp32), all_nodes(graphs.int8)
    counts = [Counter(node.op_type for node in nodes) for nodes in (before, after)]
    for operator in FP32_OPERATORS:
        assert counts[0][operator] == counts[1][operator] > 0
    for node in after:
        if node.op_type not in ("MatMulIntegerToFloat", "Gather", "Reshape"):
            assert not any(is_of_bytes(value) for value in node.inputs if value is not None), node


def test_the_waveform_s_convolution_attention_and_the_head_are_fp32(graphs):
    products = [node for node in all_nodes(graphs.int8) if node.op_type in ("MatMul", "Gemm")]
    constants = [node.inputs[1].name for node in products if node.inputs[1].is_initializer()]
    assert all(name.startswith("head.") or "_to_copy" in name for name in constants), constants
    loop = next(node for node in all_nodes(graphs.int8) if node.op_type == "Scan")
    body = loop.attributes["body"].as_graph()
    (first,) = [node for node in body if node.op_type == "MatMul"]
    assert first.inputs[0].producer() is None or not is_of_bytes(first.inputs[0])
    assert body.inputs[1] in first.inputs, "the loop's windows go into it as they come"


def test_steps_are_static_where_norms_keep_rows_alike_and_a_row_s_own_where_they_do_not(checkpoint, graphs, speech):
    windows = [speech[:40_000], speech[40_000:80_000]]
    calibrated = calibrate(graphs.fp32, windows)
    products = find_products(ir.load(graphs.fp32))
    own = {product.name for product in products if calibrated[product.origin.name].steps is None}
    group_norm = checkpoint.detector.config.feat_extract_norm == "group"
    assert own == ({f"front_end.others.{number}.weight" for number in range(6)} if group_norm else set())


def write_product(path, weights, bias):
    """A graph of one product, in fp32."""
    nodes = [
        helper.make_node("Neg", ["X"], ["Y"]),
        helper.make_node("Gemm", ["Y", "transformer.weight", "bias"], ["Z"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", size])
        for name, size in zip("XZ", weights.shape, strict=True)
    ]
    constants = [numpy_helper.from_array(weights, "transformer.weight"), numpy_helper.from_array(bias, "bias")]
    graph = helper.make_graph(nodes, "product", ends[:1], ends[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


def write_product_of_bytes(folder, calibrated):
    """``int8.onnx`` of ``fp32.onnx`` in ``folder``; what it gives is of bytes, or no test here says anything."""
    write_int8(folder / "fp32.onnx", {"Y": calibrated}, folder / "int8.onnx")
    assert [node.op_type for node in all_nodes(folder / "int8.onnx")].count("MatMulIntegerToFloat") == 1


def run(path, rows):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"X": -rows})[0]


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 6, 7, 48, 200])
@pytest.mark.parametrize("inputs", [64, 770, 3072])
@pytest.mark.parametrize("zero", [0, 128, 255])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_no_product_of_bytes_overflows(tmp_path, rows, inputs, zero, sign):
    generator = np.random.default_rng(rows)
    worst = generator.random((inputs, 40)) < 0.95
    weights = np.where(worst, sign * 64, generator.integers(-64, 65, worst.shape)).astype(np.float32)
    bytes_ = np.where(generator.random((rows, inputs)) < 0.95, 255, generator.integers(0, 256, (rows, inputs)))
    bytes_[-1, :] = 0  # the other end
    write_product(tmp_path / "fp32.onnx", weights, np.zeros(40, np.float32))
    means = np.zeros(inputs)
    steps = Steps(np.float32(1), np.uint8(zero))
    write_product_of_bytes(tmp_path, Calibrated(steps, means, means, 0.0))
    exact = (bytes_ - zero) @ (byte_weights(weights).integers.astype(np.int64))
    found = run(tmp_path / "int8.onnx", (bytes_ - zero).astype(np.float32))
    # Sums of integers up to 2 ** 27 become fp32 at the very end: one part in 2 ** 23, and the scales are 1.
    assert np.abs(found - exact).max() <= np.abs(exact).max() * 2.0**-22


@pytest.mark.parametrize("own", [True, False])
def test_a_product_of_bytes_is_the_product(tmp_path, own):
    generator = np.random.default_rng(1)
    rows = generator.normal(size=(50, 96)).astype(np.float32)
    rows[10:20] *= 1e-3
    weights = generator.normal(size=(96, 32)).astype(np.float32)
    bias = generator.normal(size=32).astype(np.float32)
    write_product(tmp_path / "fp32.onnx", weights, bias)
    steps = None if own else Steps(np.float32(8 / 255), np.uint8(128))
    write_product_of_bytes(tmp_path, Calibrated(steps, np.zeros(96), np.zeros(96), 0.0))
    error = np.abs(run(tmp_path / "int8.onnx", rows) - run(tmp_path / "fp32.onnx", rows))
    assert error.max() < 1.0
    quiet = np.abs(rows[10:20] @ weights).mean()
    assert (error[10:20].mean() < 0.05 * quiet) == own, "rows of their own size need steps of their own"


def test_what_rounding_adds_on_average_is_taken_back(tmp_path):
    generator = np.random.default_rng(2)
    rows = (np.full((400, 64), 0.013) + generator.normal(scale=1e-4, size=(400, 64))).astype(np.float32)
    weights = generator.normal(size=(64, 16)).astype(np.float32)
    write_product(tmp_path / "fp32.onnx", weights, np.zeros(16, np.float32))
    steps = Steps(np.float32(0.01), np.uint8(0))  # everything becomes 0.01
    exact = rows.mean(axis=0, dtype=np.float64)
    for rounded, off in ((exact, True), (steps.rounded(rows).mean(axis=0, dtype=np.float64), False)):
        write_product_of_bytes(tmp_path, Calibrated(steps, exact, rounded, 0.0))
        error = (run(tmp_path / "int8.onnx", rows) - run(tmp_path / "fp32.onnx", rows)).mean(axis=0)
        assert (np.abs(error).max() > 1e-3) == off


def test_a_head_that_works_on_frames_stays_fp32_too():
    products = find_products(ir.load(MODEL_REPOSITORY / "stress" / "1" / "model.onnx"))  # attentive statistics
    assert {product.name.split(".")[0] for product in products} == {"front_end", "transformer"}
    assert len({product.name for product in products}) == len(products) == 6 + 1 + 4 * 4
