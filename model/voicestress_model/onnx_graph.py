"""The padding-free model as an ONNX graph."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx_ir
import torch
from voicestress.contract import INPUT_NAME, OUTPUT_NAME

from voicestress_model import geometry
from voicestress_model.packed import PackedWav2Vec2

LENGTHS_NAME = "LENGTHS"
OPSET = 20  # the first with Gelu as one operator


def write_onnx(model: PackedWav2Vec2, path: Path) -> None:
    """Write ``model`` to ``path``.

    It takes ``PCM`` int16 [samples] and ``LENGTHS`` int32 [batch, 1], and gives ``LOGITS`` float [batch, labels].
    """
    # More windows than padded views: a size of 1 in the example would be taken for a constant.
    lengths = torch.arange(2, geometry.VIEWS + 4, dtype=torch.int32).unsqueeze(1) * model.shortest_samples
    pcm = torch.zeros(int(lengths.sum()), dtype=torch.int16)
    with torch.no_grad(), _quiet_exporter():
        program = torch.onnx.export(
            model,
            (pcm, lengths),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes={"pcm": {0: "samples"}, "lengths": {0: "batch"}},
            input_names=[INPUT_NAME, LENGTHS_NAME],
            output_names=[OUTPUT_NAME],
            verbose=False,
        )
    assert program is not None
    _strip_provenance(program.model)
    program.save(str(path), external_data=False)


def _strip_provenance(model: onnx_ir.Model) -> None:
    """Drop the exporter's notes on where each node came from: stack traces with the paths of the exporting machine."""
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    values = [*model.graph.inputs, *model.graph.initializers.values()]
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
        values.extend(node.outputs)
    for value in values:
        value.metadata_props.clear()


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Without the exporter's remarks on optional packages and on its own internals: they concern no user."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category=DeprecationWarning)
            warnings.simplefilter("ignore", category=FutureWarning)
            yield
    finally:
        log.setLevel(level)
