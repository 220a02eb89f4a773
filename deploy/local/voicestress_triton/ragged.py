"""How a batch of requests becomes one run of a graph, and its outputs become answers: Triton's C++ rules, in numpy.

The C++ backends get this from Triton's input collector; the Python backend hands over the requests one by one.

Shapes: R requests of b_r rows each, B = Σ b_r rows in the batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class RowCountError(ValueError):
    """The graph gave another number of rows than the batch has."""


@dataclass(frozen=True)
class ItemShape:
    """A ``batch_input`` of kind BATCH_ITEM_SHAPE: the shape of every row of ``source``, as one row of ``target``."""

    target: str
    source: str
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class BatchPlan:
    """What a model's configuration says about its batches.

    Attributes:
        batching: whether the first dimension of every request is its rows (``max_batch_size`` above 0).
        inputs: names of the inputs, in the order of the configuration.
        ranks: how many dimensions each of them has in a request, the rows included.
        ragged: those of them with ``allow_ragged_batch``.
        item_shapes: the ``batch_input`` tensors.
        outputs: names of the outputs.
    """

    batching: bool
    inputs: tuple[str, ...]
    ranks: tuple[int, ...]
    ragged: frozenset[str]
    item_shapes: tuple[ItemShape, ...]
    outputs: tuple[str, ...]


def refusal(plan: BatchPlan, request: Mapping[str, Array]) -> str | None:
    """Why a request can't be part of a batch, or None.

    Triton checks shapes before a request gets here, but it lets through one of no rows, ``[0, 0]``, and hands it
    over with the shape ``(0,)``.
    """
    for name, rank in zip(plan.inputs, plan.ranks, strict=True):
        shape = request[name].shape
        if len(shape) != rank or (plan.batching and shape[0] == 0):
            rows = ", the first of them of one row or more" if plan.batching else ""
            return f"input '{name}' arrived with the shape {list(shape)}: give it {rank} dimensions{rows}"
    return None


def assemble(plan: BatchPlan, requests: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """The graph's inputs for a batch of requests, each a mapping of input name to array ``[b_r, ...]``.

    A ragged input becomes ``[Σ elements]``: its requests flattened, one after the other. Any other is stacked to
    ``[B, ...]``. A batch of one request is not copied.
    """
    feeds: dict[str, Array] = {}
    for name in plan.inputs:
        arrays = [request[name].reshape(-1) if name in plan.ragged else request[name] for request in requests]
        feeds[name] = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    for wanted in plan.item_shapes:
        shapes = [request[wanted.source].shape for request in requests]
        rows = [np.tile(np.asarray(shape[1:], wanted.dtype), (shape[0], 1)) for shape in shapes]  # [b_r, dims]
        feeds[wanted.target] = np.concatenate(rows)  # [B, dims]
    return feeds


def split(plan: BatchPlan, requests: Sequence[Mapping[str, Array]], outputs: Sequence[Array]) -> list[list[Array]]:
    """The outputs ``[B, ...]`` of a batch, cut into those of each request ``[b_r, ...]``; views, not copies.

    Raises:
        RowCountError: an output has not one row for every row of the batch, so nobody can say whose they are.
    """
    if not plan.batching:
        return [list(outputs)]
    ends = np.cumsum([request[plan.inputs[0]].shape[0] for request in requests])
    for name, output in zip(plan.outputs, outputs, strict=True):
        if output.shape[0] != ends[-1]:
            raise RowCountError(f"output '{name}' has {output.shape[0]} rows for a batch of {ends[-1]}")
    per_output = [np.split(output, ends[:-1]) for output in outputs]
    return [list(arrays) for arrays in zip(*per_output, strict=True)]
