"""Which matrix products of an exported graph are quantised, and where their inputs come into being.

Letters: R rows; K inputs of a product; N outputs.

They are the products with a constant fp32 matrix: the convolutions but the first, and the transformer's linear layers.
The first convolution sees the waveform, and its weights are made anew for every window; the products of attention have
no constant side; the head is small and decides. All of those stay in fp32, as do norms, GELU and softmax.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

# Where they are. A head's weights can lose their name on the way, when the exporter turns them around.
_QUANTISED = ("front_end.", "transformer.")
# What moves values and changes none: quantised before it, bytes are moved instead of floats.
_MOVES = {"Gather", "Reshape"}


@dataclass(frozen=True)
class Product:
    """One matrix product with constant weights, ``[R, K] @ [K, N]`` plus bias.

    ``origin`` is the value that is quantised: what ``node`` multiplies, before anything moved it. ``moves`` are the
    nodes that move it, from ``origin`` on. ``added_bias`` is the node that adds the bias, where that is not ``node``.
    """

    name: str  # of the weights, e.g. transformer.layers.0.qkv.weight
    node: ir.Node
    origin: ir.Value
    moves: tuple[ir.Node, ...]
    weights: npt.NDArray[np.float32]  # [K, N]
    bias: npt.NDArray[np.float32] | None  # [N]
    added_bias: ir.Node | None

    @property
    def input(self) -> ir.Value:
        """What is multiplied, ``[R, K]``."""
        return self.moves[-1].outputs[0] if self.moves else self.origin

    @property
    def output(self) -> ir.Value:
        """The product with its bias."""
        return (self.added_bias or self.node).outputs[0]


def find_products(model: ir.Model) -> list[Product]:
    """The products of ``model`` that are to be quantised, in the order they are computed."""
    return [product for node in _nodes(model.graph) if (product := _product(node)) is not None]


def _nodes(graph: ir.Graph) -> Iterator[ir.Node]:
    """All nodes in order, those of a loop's body where the loop stands."""
    for node in graph:
        yield node
        for attribute in node.attributes.values():
            if attribute.type == ir.AttributeType.GRAPH:
                yield from _nodes(attribute.as_graph())


def _product(node: ir.Node) -> Product | None:
    if node.op_type not in ("MatMul", "Gemm"):
        return None
    left, right = node.inputs[0], node.inputs[1]
    weights = _constant(right)
    if left is None or right is None or weights is None or weights.ndim != 2:
        return None
    name = str(right.name)
    if not name.startswith(_QUANTISED):
        return None
    bias, added_bias = None, None
    if node.op_type == "Gemm":
        bias = None if len(node.inputs) < 3 else _constant(node.inputs[2])
        if node.attributes.get_int("transB", 0):
            weights = np.ascontiguousarray(weights.T)
    else:
        bias, added_bias = _bias_added_to(node.outputs[0])
    origin, moves = _origin(left)
    return Product(name, node, origin, moves, weights, bias, added_bias)


def _constant(value: ir.Value | None) -> npt.NDArray[np.float32] | None:
    if value is None or not value.is_initializer() or value.const_value is None:
        return None
    array = value.const_value.numpy()
    return array if array.dtype == np.float32 else None


def _bias_added_to(value: ir.Value) -> tuple[npt.NDArray[np.float32] | None, ir.Node | None]:
    uses = value.uses()
    if len(uses) != 1:
        return None, None
    (consumer, place) = next(iter(uses))
    bias = _constant(consumer.inputs[1 - place]) if consumer.op_type == "Add" else None
    return (None, None) if bias is None or bias.ndim != 1 else (bias, consumer)


def _origin(value: ir.Value) -> tuple[ir.Value, tuple[ir.Node, ...]]:
    moves: list[ir.Node] = []
    while (producer := value.producer()) is not None and producer.op_type in _MOVES and len(value.uses()) == 1:
        moved = producer.inputs[0]
        if moved is None:
            break
        moves.insert(0, producer)
        value = moved
    return value, tuple(moves)
