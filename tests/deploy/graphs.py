"""Small ONNX graphs with the serving contract's signature, and model repositories made of them.

    PCM INT16 [Σ samples], LENGTHS INT32 [B, 1]  ->  LOGITS FP32 [B, 3]: a row's sum, its length, and B

B is the size of the batch the row was executed in.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CONFIG = """
backend: "onnxruntime"
max_batch_size: 16
input [{ name: "PCM" data_type: TYPE_INT16 dims: [-1] allow_ragged_batch: true }]
batch_input [{ kind: BATCH_ITEM_SHAPE target_name: "LENGTHS" data_type: TYPE_INT32 source_input: "PCM" }]
output [{ name: "LOGITS" data_type: TYPE_FP32 dims: [3] }]
dynamic_batching { default_queue_policy { max_queue_size: 64 } }
instance_group [{ kind: KIND_AUTO count: 1 }]
parameters { key: "intra_op_thread_count" value { string_value: "1" } }
parameters { key: "stress_labels" value { string_value: "[\\"neutral\\", \\"sad\\", \\"anxious\\"]" } }
"""


def ragged_rows(
    *,
    pcm: tuple[int, list[int | str]] = (TensorProto.INT16, ["samples"]),
    lengths: tuple[int, list[int | str]] = (TensorProto.INT32, ["rows", 1]),
    rows: int | str = "rows",
    limit: int = 1 << 20,
    work: int = 0,
    repeat: int = 1,
) -> onnx.ModelProto:
    """The graph of this module; the arguments bend it.

    Args:
        pcm: type and shape of PCM.
        lengths: type and shape of LENGTHS.
        rows: declared rows of LOGITS.
        limit: a row longer than this makes the run fail.
        work: side of square matrices that are multiplied eight times, to be slow.
        repeat: how often the rows are given, where 1 is right.
    """
    constants = {
        "zero": np.array(0, np.int64),
        "zero_sum": np.zeros(1),
        "axis_0": np.array([0], np.int64),
        "axis_1": np.array([1], np.int64),
        "flat": np.array([-1], np.int64),
        "table": np.zeros(limit + 1, np.float32),
        "square": np.array([work, work], np.int64),
    }
    nodes = [
        helper.make_node("Reshape", ["PCM", "flat"], ["pcm"]),
        helper.make_node("Cast", ["pcm"], ["samples_f64"], to=TensorProto.DOUBLE),
        helper.make_node("CumSum", ["samples_f64", "zero"], ["running"]),
        helper.make_node("Concat", ["zero_sum", "running"], ["sums"], axis=0),
        helper.make_node("Reshape", ["LENGTHS", "flat"], ["lengths"]),
        helper.make_node("Cast", ["lengths"], ["length"], to=TensorProto.INT64),
        helper.make_node("CumSum", ["length", "zero"], ["end"]),
        helper.make_node("Sub", ["end", "length"], ["start"]),
        helper.make_node("Gather", ["sums", "end"], ["sum_at_end"]),
        helper.make_node("Gather", ["sums", "start"], ["sum_at_start"]),
        helper.make_node("Sub", ["sum_at_end", "sum_at_start"], ["row_sum"]),
        helper.make_node("Gather", ["table", "length"], ["nothing"]),  # out of bounds above the limit
        helper.make_node("Cast", ["row_sum"], ["row_sum_f32"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["row_sum_f32", "nothing"], ["column_0"]),
        helper.make_node("Cast", ["length"], ["column_1"], to=TensorProto.FLOAT),
        helper.make_node("Shape", ["length"], ["batch"]),
        helper.make_node("Expand", ["batch", "batch"], ["batches"]),
        helper.make_node("Cast", ["batches"], ["column_2"], to=TensorProto.FLOAT),
    ]
    for column in range(3):
        nodes.append(helper.make_node("Unsqueeze", [f"column_{column}", "axis_1"], [f"c{column}"]))
    nodes.append(helper.make_node("Concat", ["c0", "c1", "c2"], ["table_of_rows"], axis=1))
    result = "table_of_rows"
    if work:
        nodes += [
            helper.make_node("ReduceMax", [result], ["seed"], keepdims=0),
            helper.make_node("Expand", ["seed", "square"], ["product_0"]),
            *(helper.make_node("MatMul", [f"product_{n}", "product_0"], [f"product_{n + 1}"]) for n in range(8)),
            helper.make_node("ReduceMax", ["product_8"], ["large"], keepdims=0),
            helper.make_node("Min", ["large", "c0_zero"], ["nil"]),
            helper.make_node("Add", [result, "nil"], ["after_work"]),
        ]
        constants["c0_zero"] = np.array(0, np.float32)
        result = "after_work"
    nodes.append(helper.make_node("Concat", [result] * repeat, ["LOGITS"], axis=0))
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "ragged_rows",
        [helper.make_tensor_value_info("PCM", *pcm), helper.make_tensor_value_info("LENGTHS", *lengths)],
        [helper.make_tensor_value_info("LOGITS", TensorProto.FLOAT, [rows, 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items() if name in used],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def doubling(shape: list[int | str]) -> onnx.ModelProto:
    """X FP32 of ``shape`` -> Y, twice as much."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["X", "X"], ["Y"])],
        "doubling",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, shape)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def config(*changes: tuple[str, str]) -> str:
    """``CONFIG`` with each (old, new) replaced; every old text must be there."""
    text = CONFIG
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def add_model(
    repository: Path, name: str, graph: onnx.ModelProto | bytes | None = None, config_text: str = CONFIG
) -> None:
    """Write a model; None as its graph leaves out the file, and bytes are written as they are."""
    version = repository / name / "1"
    version.mkdir(parents=True)
    (repository / name / "config.pbtxt").write_text(config_text)
    if graph is not None:
        (version / "model.onnx").write_bytes(graph if isinstance(graph, bytes) else graph.SerializeToString())
