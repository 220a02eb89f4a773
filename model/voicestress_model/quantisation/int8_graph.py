"""The quantised graph: its products in eight bits, everything else as it was.

Activations become unsigned bytes with one static scale and zero point each, weights signed ones up to 64 with a scale
for every output. AVX2 adds pairs of their products in 16 bits, which full signed bytes would overflow: 255 · 127 · 2 is
above 32767, 255 · 64 · 2 is not. Unsigned weights can't overflow either, as ONNX Runtime widens them first, but where a
CPU has instructions for bytes (VNNI) it doesn't use them then: measured there, 410 GOP/s a core against 930, with fp32
at 265.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from voicestress_model.quantisation.calibration import Calibrated, Steps
from voicestress_model.quantisation.products import Product, find_products

_LARGEST_WEIGHT = 64
# How far below a column's largest weight its range may end: a few weights clipped, all others rounded less.
_SHRINKS = np.linspace(0.7, 1.0, 16)
# Of a row's 256 bytes, these are below and above its zero: after GELU most of what is large is positive.
ROW_ZERO = 64
ROW_STEPS = 255 - ROW_ZERO
_DOMAIN = "com.microsoft"


@dataclass(frozen=True)
class ByteWeights:
    """Weights as bytes: ``weights[k, n] ≈ integers[k, n] · scales[n]``."""

    integers: npt.NDArray[np.int8]  # [K, N] -64 to 64
    scales: npt.NDArray[np.float32]  # [N]

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """The weights that the bytes stand for, ``[K, N]``."""
        return self.integers.astype(np.float64) * self.scales


def byte_weights(weights: npt.NDArray[np.float32]) -> ByteWeights:
    """``weights [K, N]`` as bytes, each column over the range that serves it with the least squared error."""
    largest = np.abs(weights).max(axis=0)
    widest = np.where(largest > 0, largest / _LARGEST_WEIGHT, 1.0).astype(np.float32)  # [N]
    scales, least = widest, np.full_like(widest, np.inf)
    for shrink in _SHRINKS:
        shrunk = (shrink * widest).astype(np.float32)
        error = np.square(_rounded(weights, shrunk) * shrunk - weights).sum(axis=0)  # [N]
        scales, least = np.where(error < least, shrunk, scales), np.minimum(error, least)
    return ByteWeights(_rounded(weights, scales).astype(np.int8), scales)


def _rounded(weights: npt.NDArray[np.float32], scales: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.rint(weights / scales).clip(-_LARGEST_WEIGHT, _LARGEST_WEIGHT)


def write_int8(path: Path, calibrated: Mapping[str, Calibrated], target: Path) -> int:
    """Write the graph at ``path`` to ``target`` with its products quantised; returns how many there are.

    ``calibrated`` is what ``calibrate`` gives.
    """
    model = ir.load(path)
    graph = model.graph
    model.opset_imports[_DOMAIN] = 1
    products = find_products(model)
    quantised: dict[str, tuple[ir.Value, ir.Value, ir.Value]] = {}
    for product in products:
        name = str(product.origin.name)
        known = calibrated[name]
        weights = byte_weights(product.weights)
        if known.steps is None:
            _multiply_rows(graph, product, weights)
            continue
        if name not in quantised:
            quantised[name] = _quantise(graph, product.origin, known.steps)
        _multiply_bytes(graph, product, weights, quantised[name], _bias(product, weights, known))
    ir.save(model, target)
    return len(products)


def _quantise(graph: ir.Graph, origin: ir.Value, steps: Steps) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Bytes of ``origin``, with their scale and zero point."""
    scale = _initializer(graph, f"{origin.name}_scale", np.asarray(steps.scale))
    zero = _initializer(graph, f"{origin.name}_zero", np.asarray(steps.zero))
    node = ir.node("QuantizeLinear", [origin, scale, zero])
    quantised = node.outputs[0]
    quantised.name, quantised.dtype, quantised.shape = f"{origin.name}_bytes", ir.DataType.UINT8, origin.shape
    producer = origin.producer()
    assert producer is not None
    producer.append(node)
    return quantised, scale, zero


def _multiply_bytes(
    graph: ir.Graph,
    product: Product,
    weights: ByteWeights,
    quantised: tuple[ir.Value, ir.Value, ir.Value],
    bias: npt.NDArray[np.float32],
) -> None:
    """Let ``product`` multiply bytes with static steps."""
    value, scale, zero = quantised
    if product.moves:
        product.moves[0].replace_input_with(0, value)
        for move in product.moves:
            move.outputs[0].dtype = ir.DataType.UINT8
        value = product.moves[-1].outputs[0]
    inputs = [value, *_sides(graph, product, weights, scale, zero), _initializer(graph, f"{product.name}_bias", bias)]
    _replace(graph, product, [ir.node("MatMulIntegerToFloat", inputs, domain=_DOMAIN)])


def _multiply_rows(graph: ir.Graph, product: Product, weights: ByteWeights) -> None:
    """Let ``product`` multiply bytes with steps that are made anew for every row, from its largest and least value."""
    rows = product.input
    last = _initializer(graph, "last_axis", np.array([-1], np.int64))
    nodes: list[ir.Node] = []

    def add(op_type: str, *inputs: ir.Value, domain: str = "", **attributes: int) -> ir.Value:
        nodes.append(ir.node(op_type, list(inputs), attributes, domain=domain))
        return nodes[-1].outputs[0]

    def number(name: str, value: float) -> ir.Value:
        return _initializer(graph, name, np.asarray(value, np.float32))

    high = add("ReduceMax", rows, last, keepdims=1)  # [R, 1]
    low = add("ReduceMin", rows, last, keepdims=1)
    top = add("Max", high, add("Mul", low, number("row_low_to_high", -ROW_STEPS / ROW_ZERO)), number("row_least", 1e-9))
    scale = add("Mul", top, number("row_step", 1 / ROW_STEPS))
    scaled = add("Mul", rows, add("Reciprocal", scale))
    one, zero = number("row_one", 1.0), _initializer(graph, "row_zero", np.asarray(ROW_ZERO, np.uint8))
    value = add("QuantizeLinear", scaled, one, zero)
    result = add("MatMulIntegerToFloat", value, *_sides(graph, product, weights, one, zero), domain=_DOMAIN)
    result = add("Mul", result, scale)
    if product.bias is not None:
        add("Add", result, _initializer(graph, f"{product.name}_bias", product.bias))
    _replace(graph, product, nodes)


def _sides(graph: ir.Graph, product: Product, weights: ByteWeights, scale: ir.Value, zero: ir.Value) -> list[ir.Value]:
    return [
        _initializer(graph, f"{product.name}_bytes", weights.integers),
        scale,
        _initializer(graph, f"{product.name}_scales", weights.scales),
        zero,
        _initializer(graph, f"{product.name}_zeros", np.zeros(len(weights.scales), np.int8)),
    ]


def _replace(graph: ir.Graph, product: Product, nodes: list[ir.Node]) -> None:
    """Put ``nodes`` in the place of ``product``; the last one gives what it gave."""
    old = [product.node] if product.added_bias is None else [product.added_bias, product.node]
    owner = old[0].graph
    assert owner is not None
    owner.insert_after(old[0], nodes)
    output = nodes[-1].outputs[0]
    output.type, output.shape = product.output.type, product.output.shape
    product.output.replace_all_uses_with(output, replace_graph_outputs=True)
    for number, node in enumerate(nodes):
        node.outputs[0].name = f"{product.name}_{number}"
    constants = [value for node in old for value in node.inputs if value is not None and value.is_initializer()]
    owner.remove(old, safe=True)
    for constant in constants:
        if not constant.uses():
            graph.initializers.pop(str(constant.name), None)


def _bias(product: Product, weights: ByteWeights, calibrated: Calibrated) -> npt.NDArray[np.float32]:
    """The bias ``[N]``, made up for what rounding adds to an output on average."""
    taps = len(product.weights) // len(calibrated.exact)  # rows side by side, each with the same means
    lost = np.tile(calibrated.exact, taps) @ product.weights - np.tile(calibrated.rounded, taps) @ weights.values
    return np.asarray(lost + (0.0 if product.bias is None else product.bias), dtype=np.float32)


def _initializer(graph: ir.Graph, name: str, array: npt.NDArray[np.generic]) -> ir.Value:
    if name in graph.initializers:
        return graph.initializers[name]
    value = ir.Value(name=name, const_value=ir.tensor(array, name=name))
    value.shape, value.dtype = ir.Shape(array.shape), ir.DataType.from_numpy(array.dtype)
    graph.register_initializer(value)
    return value
