"""What does not load: the refusals of Triton's C++ ONNX Runtime backend, and why each is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from onnx import TensorProto
from voicestress_triton import ModelLoadError, TritonServer

from tests.deploy.graphs import CONFIG, add_model, config, ragged_rows

_LENGTHS = 'target_name: "LENGTHS" data_type: TYPE_INT32'
_BATCH_INPUT = f'batch_input [{{ kind: BATCH_ITEM_SHAPE {_LENGTHS} source_input: "PCM" }}]'
_OUTPUT = 'output [{ name: "LOGITS" data_type: TYPE_FP32 dims: [3] }]'
_BATCHING = "dynamic_batching { default_queue_policy { max_queue_size: 64 } }"
_THREADS = 'intra_op_thread_count" value { string_value: "1"'

# Model name -> graph, configuration, and what the reason must say.
REFUSED = {
    "ragged_of_two_dimensions": (
        ragged_rows(pcm=(TensorProto.INT16, ["rows", "samples"])),
        CONFIG,
        r"input 'PCM': it is ragged, so the graph's input must have the shape \[-1\]",
    ),
    "lengths_not_given": (ragged_rows(), config((_BATCH_INPUT, "")), "the graph takes 'LENGTHS', 'PCM'"),
    "lengths_by_another_name": (
        ragged_rows(),
        config(('"LENGTHS"', '"SIZES"')),
        "gives the graph 'PCM', 'SIZES'",
    ),
    "lengths_of_another_type": (
        ragged_rows(),
        config((_LENGTHS, _LENGTHS.replace("INT32", "FP32"))),
        r"the graph takes TYPE_INT32 \[-1, 1\], the configuration gives TYPE_FP32",
    ),
    "lengths_of_64_bits": (
        ragged_rows(lengths=(TensorProto.INT64, ["rows", 1])),
        config((_LENGTHS, _LENGTHS.replace("INT32", "INT64"))),
        "batch input data type must be TYPE_INT32 or TYPE_FP32",
    ),
    "lengths_without_columns": (
        ragged_rows(lengths=(TensorProto.INT32, ["rows"])),
        CONFIG,
        r"the graph takes TYPE_INT32 \[-1\]",
    ),
    "one_count_a_request": (
        ragged_rows(),
        config(("BATCH_ITEM_SHAPE", "BATCH_ELEMENT_COUNT")),
        "kind BATCH_ELEMENT_COUNT is not supported",
    ),
    "input_of_another_type": (
        ragged_rows(),
        config(("TYPE_INT16", "TYPE_FP32")),
        "the configuration says TYPE_FP32, the graph TYPE_INT16",
    ),
    "output_of_another_type": (
        ragged_rows(),
        config((_OUTPUT, _OUTPUT.replace("FP32", "FP64"))),
        "output 'LOGITS': the configuration says TYPE_FP64, the graph TYPE_FP32",
    ),
    "output_by_another_name": (ragged_rows(), config(('"LOGITS"', '"SCORES"')), "only 'LOGITS'"),
    "output_left_open": (
        ragged_rows(),
        config((_OUTPUT, _OUTPUT.replace("[3]", "[-1]"))),
        r"the configuration says \[-1, -1\], with the batch dimension first, the graph \[-1, 3\]",
    ),
    "output_of_one_row": (ragged_rows(rows=1), CONFIG, r"first dimension must vary to be batched.*\[1, 3\]"),
    "no_batches": (
        ragged_rows(),
        config(("max_batch_size: 16", "max_batch_size: 0"), (_BATCHING, "")),
        "batch_input 'LENGTHS': it needs a max_batch_size above 0",
    ),
    "threads_in_words": (
        ragged_rows(),
        config((_THREADS, _THREADS.replace('"1"', '"two"'))),
        "parameter 'intra_op_thread_count': 'two' is not a whole number",
    ),
    "no_file": (None, CONFIG, r"no_file/1/model\.onnx: no such model file"),
    "not_a_graph": (b"RIFF of some length", CONFIG, "not_a_graph/1/model.onnx.*"),
    "syntax_error": (ragged_rows(), CONFIG + 'name: "open', r"config\.pbtxt:\d+:\d+: Unexpected end of string"),
}  # fmt: skip


@pytest.fixture(scope="module")
def reasons(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Why Triton refused each model of one repository that holds them all."""
    repository: Path = tmp_path_factory.mktemp("refused")
    for name, (graph, config_text, _) in REFUSED.items():
        add_model(repository, name, graph, config_text)
    (repository / "no_version").mkdir()
    (repository / "no_version" / "config.pbtxt").write_text(CONFIG)
    with pytest.raises(ModelLoadError) as refusal:
        TritonServer(repository).start()
    return refusal.value.failures


@pytest.mark.parametrize("model", REFUSED)
def test_a_model_that_can_not_be_served_is_refused_with_the_reason(reasons: dict[str, str], model: str):

    assert re.search(REFUSED[model][2], reasons[model]), reasons[model]
    assert "\n" not in reasons[model]


def test_a_model_with_no_version_is_refused(reasons: dict[str, str]):
    assert "at least one version" in reasons["no_version"]


def test_every_refused_model_is_named_once_in_the_message(reasons: dict[str, str]):
    lines = str(ModelLoadError(reasons)).splitlines()
    assert len(lines) == len(REFUSED) + 1
