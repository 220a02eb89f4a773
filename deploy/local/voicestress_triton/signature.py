"""Does a configuration fit its graph? The checks of Triton's C++ backends at load, and the plan they allow.

A model that loads here has to load in NVIDIA's container, so what the C++ backends refuse is refused here. On purpose
two things more are: what they load and then fail on at every request (a ``batch_input`` the graph cannot take), and
what only they can do (sequences, strings, reshape and the like), so that nothing is silently served in another way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voicestress_triton.ragged import BatchPlan, ItemShape

_DTYPES: dict[str, np.dtype[Any]] = {
    f"TYPE_{name}": np.dtype(kind)
    for name, kind in {
        "BOOL": np.bool_, "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32, "UINT64": np.uint64,
        "INT8": np.int8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64,
        "FP16": np.float16, "FP32": np.float32, "FP64": np.float64,
    }.items()
}  # fmt: skip
_NOT_IN_TORCH = {"TYPE_UINT16", "TYPE_UINT32", "TYPE_UINT64"}  # as its backend has it
_TYPE_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_ONLY_CPP = {
    "sequence_batching": "sequences",
    "batch_output": "batch_output",
    "model_operations": "custom operator libraries",
}


class UnservableModelError(ValueError):
    """The configuration does not fit the graph, or asks for more than the Python-based backends do."""


@dataclass(frozen=True)
class TensorSpec:
    """What a graph says of one input or output; a dimension of -1 varies."""

    dtype: np.dtype[Any]
    dims: tuple[int, ...]

    def __str__(self) -> str:
        return f"{_TYPE_NAMES.get(self.dtype, self.dtype)} {list(self.dims)}"


def plan_batches(
    config: Mapping[str, Any], inputs: Mapping[str, TensorSpec], outputs: Mapping[str, TensorSpec]
) -> BatchPlan:
    """The plan for a model with this configuration, as Triton gives it to the backend, and this graph.

    Raises:
        UnservableModelError: the configuration does not fit the graph; the message says where.
    """
    _refuse_what_only_cpp_does(config)
    batching = config["max_batch_size"] > 0
    item_shapes = tuple(_item_shape(entry, inputs, batching) for entry in config.get("batch_input", []))
    configured = {entry["name"]: entry for entry in config["input"]}
    expected = {*configured, *(wanted.target for wanted in item_shapes)}
    if expected != set(inputs):
        raise UnservableModelError(
            f"the configuration gives the graph {_names(expected)} (input and batch_input), the graph takes "
            f"{_names(set(inputs))}"
        )
    ragged = {name for name, entry in configured.items() if entry.get("allow_ragged_batch")}
    for name, entry in configured.items():
        _check_dtype("input", entry, inputs[name])
        if name in ragged:
            _check_ragged(name, inputs[name], batching)
        else:
            _check_dims("input", entry, inputs[name], batching, exact=False)
    for entry in config["output"]:
        if entry["name"] not in outputs:
            raise UnservableModelError(
                f"output '{entry['name']}': the graph has no such output, only {_names(set(outputs))}"
            )
        _check_dtype("output", entry, outputs[entry["name"]])
        _check_dims("output", entry, outputs[entry["name"]], batching, exact=True)
    names = tuple(entry["name"] for entry in config["output"])
    ranks = tuple(len(entry["dims"]) + batching for entry in configured.values())
    return BatchPlan(batching, tuple(configured), ranks, frozenset(ragged), item_shapes, names)


def stated_specs(
    config: Mapping[str, Any], arguments: Sequence[str]
) -> tuple[dict[str, TensorSpec], dict[str, TensorSpec]]:
    """What a configuration states of its tensors, as inputs ``arguments`` and outputs of a graph that states nothing.

    TorchScript names the arguments of its forward, and no types or shapes: the configuration is taken at its word.
    """
    batch = (-1,) if config["max_batch_size"] > 0 else ()
    given = {
        entry["name"]: TensorSpec(
            _DTYPES[entry["data_type"]],
            (-1,) if entry.get("allow_ragged_batch") else (*batch, *map(int, entry["dims"])),
        )
        for entry in [*config["input"], *config["output"]]
    }
    given |= {
        entry["target_name"][0]: TensorSpec(_DTYPES[entry["data_type"]], (-1, 1))
        for entry in config.get("batch_input", [])
    }
    outputs = {entry["name"]: given[entry["name"]] for entry in config["output"]}
    return {name: given.get(name, TensorSpec(np.dtype(np.float32), (-1,))) for name in arguments}, outputs


def check_torchscript(config: Mapping[str, Any]) -> None:
    """Refuse what the C++ PyTorch backend refuses of a configuration, whatever its model.

    On purpose one thing more: a numbered output, ``LOGITS__0``, whose number it goes by if all outputs have one.

    Raises:
        UnservableModelError: it has types that torch has not, or numbered outputs.
    """
    for entry in [*config["input"], *config["output"]]:
        if entry["data_type"] in _NOT_IN_TORCH:
            raise UnservableModelError(f"'{entry['name']}': PyTorch models have no {entry['data_type']}")
    for entry in config["output"]:
        if "__" in entry["name"]:
            raise UnservableModelError(
                f"output '{entry['name']}': Triton's own backend may go by its number, this stand-in for it goes by "
                "the order of the outputs"
            )


def _refuse_what_only_cpp_does(config: Mapping[str, Any]) -> None:
    asked = [words for key, words in _ONLY_CPP.items() if config.get(key)]
    tensors = [*config["input"], *config["output"]]
    asked += [f"reshape of '{entry['name']}'" for entry in tensors if entry.get("reshape")]
    asked += [f"strings in '{entry['name']}'" for entry in tensors if entry["data_type"] == "TYPE_STRING"]
    asked += [f"optional input '{entry['name']}'" for entry in config["input"] if entry.get("optional")]
    if config.get("model_transaction_policy", {}).get("decoupled"):
        asked.append("decoupled answers")
    if asked:
        raise UnservableModelError(
            f"Triton's own backend may serve {' and '.join(asked)}, this stand-in for it does not"
        )


def _item_shape(entry: Mapping[str, Any], inputs: Mapping[str, TensorSpec], batching: bool) -> ItemShape:
    """Check one ``batch_input``: Triton would load most of these mistakes and then fail every request."""
    [target], [source] = entry["target_name"], entry["source_input"]
    if entry["kind"] != "BATCH_ITEM_SHAPE":
        raise UnservableModelError(
            f"batch_input '{target}': kind {entry['kind']} is not supported, BATCH_ITEM_SHAPE is"
        )
    if not batching:
        raise UnservableModelError(f"batch_input '{target}': it needs a max_batch_size above 0")
    dtype = _DTYPES[entry["data_type"]]
    if target in inputs:
        spec = inputs[target]
        fits = spec.dtype == dtype and len(spec.dims) == 2 and spec.dims[0] == -1
        if not fits:
            raise UnservableModelError(
                f"batch_input '{target}': the graph takes {spec}, the configuration gives "
                f"{TensorSpec(dtype, (-1, 1))}, one row for every row of the batch"
            )
    return ItemShape(target, source, dtype)


def _check_dtype(kind: str, entry: Mapping[str, Any], spec: TensorSpec) -> None:
    if _DTYPES.get(entry["data_type"]) != spec.dtype:
        raise UnservableModelError(
            f"{kind} '{entry['name']}': the configuration says {entry['data_type']}, the graph "
            f"{_TYPE_NAMES.get(spec.dtype, spec.dtype)}"
        )


def _check_ragged(name: str, spec: TensorSpec, batching: bool) -> None:
    if not batching:
        raise UnservableModelError(f"input '{name}': allow_ragged_batch needs a max_batch_size above 0")
    if spec.dims != (-1,):
        raise UnservableModelError(
            f"input '{name}': it is ragged, so the graph's input must have the shape [-1], and it has {list(spec.dims)}"
        )


def _check_dims(kind: str, entry: Mapping[str, Any], spec: TensorSpec, batching: bool, *, exact: bool) -> None:
    """Compare shapes as Triton does: an input of the graph may be more general than configured, an output may not."""
    configured = [int(dim) for dim in entry["dims"]]
    full = [-1, *configured] if batching else configured
    if not spec.dims:
        raise UnservableModelError(f"{kind} '{entry['name']}': the graph has a scalar there, which has no row to batch")
    if batching and spec.dims[0] != -1:
        raise UnservableModelError(
            f"{kind} '{entry['name']}': the graph's first dimension must vary to be batched, and the graph has "
            f"{list(spec.dims)}"
        )
    fits = len(full) == len(spec.dims) and all(
        have == want or (have == -1 and not exact) for have, want in zip(spec.dims, full, strict=True)
    )
    if not fits:
        batch = ", with the batch dimension first" if batching else ""
        raise UnservableModelError(
            f"{kind} '{entry['name']}': the configuration says {full}{batch}, the graph {list(spec.dims)}"
        )


def _names(names: set[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names)) or "nothing"
