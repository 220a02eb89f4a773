"""On a GPU nothing of a graph falls back to the CPU: ONNX Runtime lists a CUDA kernel for every node and its types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from voicestress_model.onnx_graph import OPSET

from tests.paths import MODEL_REPOSITORY

KERNELS = json.loads(Path(__file__).with_name("data").joinpath("cuda_kernels.json").read_text())["kernels"]
HEAVY = {"MatMul", "Gemm", "Conv", "Gelu", "Softmax", "LayerNormalization"}

Types = dict[str, int]


def nodes(graph: onnx.GraphProto, outer: Types) -> Iterator[tuple[onnx.NodeProto, list[str], list[str]]]:
    """Every node, those in a loop's body too, with the types of its inputs (those left out: "") and outputs."""
    types = dict(outer)
    for value in [*graph.input, *graph.output, *graph.value_info]:
        types[value.name] = value.type.tensor_type.elem_type
    types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    for node in graph.node:
        named = [[type_name(types[name]) if name else "" for name in names] for names in (node.input, node.output)]
        yield node, *named
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from nodes(attribute.g, types)


def type_name(number: int) -> str:
    return onnx.TensorProto.DataType.Name(number).lower()


def nodes_at(path: Path) -> list[tuple[onnx.NodeProto, list[str], list[str]]]:
    model = onnx.shape_inference.infer_shapes(onnx.load(path), data_prop=True)
    assert {(opset.domain, opset.version) for opset in model.opset_import} == {("", OPSET)}
    return list(nodes(model.graph, {}))


def without_kernel(path: Path) -> list[str]:
    """The nodes that CUDA has no kernel for, or not for their types."""
    return [f"{node.op_type}({', '.join(given)})" for node, given, _ in nodes_at(path) if not has_kernel(node, given)]


def has_kernel(node: onnx.NodeProto, given: list[str]) -> bool:
    kernel = KERNELS.get(node.op_type)
    if kernel is None or node.domain:
        return False
    names = kernel["inputs"] * len(given) if kernel.get("variadic") else kernel["inputs"]
    return all(type_ == "" or type_ in kernel["types"][name] for type_, name in zip(given, names, strict=False))


@pytest.fixture(params=["fp32", "fp16"])
def graph(request, both_precisions):
    """A graph of each norm kind in each precision, as ``configs/gpu.pbtxt`` serves them."""
    return getattr(both_precisions, request.param)


def test_every_node_has_a_kernel_for_its_types(graph):
    assert without_kernel(graph) == []


@pytest.mark.parametrize("file", ["model.onnx", "model.fp16.onnx"])
def test_every_node_of_the_shipped_files_has_a_kernel_for_its_types(file):
    assert without_kernel(MODEL_REPOSITORY / "stress" / "1" / file) == []


def test_a_node_without_a_kernel_would_be_seen(graph):
    product = next(node for node, _, _ in nodes_at(graph) if node.op_type == "MatMul")
    assert has_kernel(product, ["float16", "float16"])
    assert not has_kernel(product, ["int64", "int64"])
    product.domain = "com.microsoft"
    assert not has_kernel(product, ["float16", "float16"])


def test_in_fp16_are_the_large_products_and_gelu_and_in_fp32_norms_and_softmax(graph, both_precisions):
    types: dict[str, set[str]] = {}
    for node, given, _ in nodes_at(graph):
        if node.op_type in HEAVY:
            types.setdefault(node.op_type, set()).add(given[0])
    assert types["LayerNormalization"] == types["Softmax"] == {"float"}
    half = graph == both_precisions.fp16
    assert types["Conv"] == types["Gelu"] == ({"float16"} if half else {"float"})
    assert ("float16" in types["MatMul"] | types["Gemm"]) == half


def test_in_fp16_only_the_first_convolution_moments_and_head_multiply_in_more(both_precisions):
    products = [
        (node, given) for node, given, _ in nodes_at(both_precisions.fp16) if node.op_type in ("MatMul", "Gemm")
    ]
    wide = [node for node, given in products if given[0] != "float16"]
    assert 0 < len(wide) < len(products)
    weights = [name for node in wide for name in node.input if "transformer" in name or "others" in name]
    assert weights == []
