"""On a GPU nothing of a graph falls back to the CPU: ONNX Runtime lists a CUDA kernel for every node and its types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from voicestress_model import geometry
from voicestress_model.architectures import random_checkpoint
from voicestress_model.export import packed_model, stress_contract
from voicestress_model.half import half_products
from voicestress_model.heads import HEADS, build_head
from voicestress_model.onnx_graph import OPSET, write_onnx

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


@pytest.fixture(scope="module", params=["tiny", "tiny-layer-norm"])
def checkpoint(request):
    return random_checkpoint(request.param)


@pytest.fixture(scope="module", params=["fp32", "fp16"])
def graph(request, checkpoint, tmp_path_factory):
    """A graph of each norm kind in each precision."""
    model = packed_model(checkpoint, stress_contract(checkpoint), tile_slots=geometry.GPU_TILE_SLOTS)
    path = tmp_path_factory.mktemp("cuda") / f"{request.param}.onnx"
    write_onnx(model if request.param == "fp32" else half_products(model), path)
    return path


def test_every_node_has_a_kernel_for_its_types(graph):
    assert without_kernel(graph) == []


@pytest.mark.parametrize("file", ["model.onnx", "model.fp16.onnx"])
def test_every_node_of_the_shipped_files_has_a_kernel_for_its_types(file):
    assert without_kernel(MODEL_REPOSITORY / "stress" / "1" / file) == []


@pytest.mark.parametrize("kind", ["attentive_statistics", "temporal_convolution"])
def test_every_node_of_a_larger_head_has_a_kernel_for_its_types(kind, tmp_path):
    assert kind in HEADS
    checkpoint = random_checkpoint("tiny")
    checkpoint.detector.config.stress_head = {"kind": kind, "bottleneck": 8}
    checkpoint.detector.head = build_head(checkpoint.detector.config).eval()
    write_onnx(packed_model(checkpoint, stress_contract(checkpoint)), tmp_path / "model.onnx")
    assert without_kernel(tmp_path / "model.onnx") == []


def test_a_node_without_a_kernel_would_be_seen(graph):
    product = next(node for node, _, _ in nodes_at(graph) if node.op_type == "MatMul")
    assert has_kernel(product, ["float16", "float16"])
    assert not has_kernel(product, ["int64", "int64"])
    product.domain = "com.microsoft"
    assert not has_kernel(product, ["float16", "float16"])


def test_in_fp16_are_the_large_products_and_gelu_and_in_fp32_norms_and_softmax(graph):
    types: dict[str, set[str]] = {}
    for node, given, _ in nodes_at(graph):
        if node.op_type in HEAVY:
            types.setdefault(node.op_type, set()).add(given[0])
    assert types["LayerNormalization"] == types["Softmax"] == {"float"}
    half = graph.stem == "fp16"
    assert types["Conv"] == types["Gelu"] == ({"float16"} if half else {"float"})
    assert ("float16" in types["MatMul"] | types["Gemm"]) == half


def test_in_fp16_only_the_first_convolution_moments_and_head_multiply_in_more(graph):
    if graph.stem == "fp32":
        pytest.skip("all products are in fp32 or more there")
    wide = [node for node, given, _ in nodes_at(graph) if node.op_type in ("MatMul", "Gemm") and given[0] != "float16"]
    weights = [name for node in wide for name in node.input if "transformer" in name or "others" in name]
    assert weights == []
