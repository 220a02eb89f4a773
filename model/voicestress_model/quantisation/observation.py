"""What the activations of an exported graph are on recordings, seen by running it with more outputs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
from voicestress.contract import INPUT_NAME

from voicestress_model.agreement import Pcm, onnx_session
from voicestress_model.onnx_graph import LENGTHS_NAME
from voicestress_model.quantisation.products import find_products

Values = npt.NDArray[np.float32]


def activations(path: Path, windows: Iterable[Pcm]) -> Iterator[dict[str, Values]]:
    """What the products at ``path`` multiply, ``[..., columns]`` by the name of its origin, window after window."""
    model = ir.load(path)
    origins = {str(product.origin.name): product.origin for product in find_products(model)}
    outputs = _show(model.graph, list(origins.values()))
    with tempfile.TemporaryDirectory(prefix="voicestress-observe-") as scratch:
        shown = Path(scratch, "model.onnx")
        ir.save(model, shown)
        session = onnx_session(shown)
        for window in windows:
            feeds = {INPUT_NAME: window, LENGTHS_NAME: np.array([[len(window)]], dtype=np.int32)}
            yield dict(zip(origins, session.run(outputs, feeds), strict=True))


def _show(graph: ir.Graph, values: Sequence[ir.Value]) -> list[str]:
    """Make ``values`` outputs of ``graph``, those inside a loop as all its turns stacked; their names there."""
    loops = {id(body): node for node in graph for body in _bodies(node)}
    names = []
    for value in values:
        body = value.graph
        if isinstance(body, ir.Graph) and body is not graph:
            value = _stacked(loops[id(body)], body, value)
        graph.outputs.append(value)
        names.append(str(value.name))
    return names


def _bodies(node: ir.Node) -> list[ir.Graph]:
    return [a.as_graph() for a in node.attributes.values() if a.type == ir.AttributeType.GRAPH]


def _stacked(scan: ir.Node, body: ir.Graph, value: ir.Value) -> ir.Value:
    body.outputs.append(value)
    scan.resize_outputs(len(scan.outputs) + 1)
    stacked = scan.outputs[-1]
    stacked.name, stacked.type = f"{value.name}_of_all_turns", value.type
    directions = scan.attributes.get_ints("scan_output_directions")
    if directions is not None:
        scan.attributes["scan_output_directions"] = ir.AttrInt64s("scan_output_directions", [*directions, 0])
    return stacked
