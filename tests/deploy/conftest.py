from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from voicestress_triton import TritonServer

from tests.deploy.graphs import add_model, config, doubling, ragged_rows

_DELAY = ("dynamic_batching {", "dynamic_batching { max_queue_delay_microseconds: 500000")
_NO_BATCH_INPUT = """
backend: "onnxruntime"
max_batch_size: {batch}
input [{{ name: "X" data_type: TYPE_FP32 dims: {dims} }}]
output [{{ name: "Y" data_type: TYPE_FP32 dims: {dims} }}]
instance_group [{{ kind: KIND_CPU count: 1 }}]
optimization {{ graph {{ level: 1 }} }}
"""


@pytest.fixture(scope="session")
def one_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of one good model, ``rows``, with a hardware variant ``cpu2`` of two instances."""
    repository = tmp_path_factory.mktemp("one")
    add_model(repository, "rows", ragged_rows())
    (repository / "rows" / "configs").mkdir()
    (repository / "rows" / "configs" / "cpu2.pbtxt").write_text(config(("KIND_AUTO count: 1", "KIND_CPU count: 2")))
    return repository


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """A Triton with every kind of model these tests send requests to."""
    repository = tmp_path_factory.mktemp("many")
    add_model(repository, "rows", ragged_rows(limit=50_000))
    add_model(repository, "patient", ragged_rows(limit=50_000), config(_DELAY))
    add_model(repository, "twins", ragged_rows(work=500), config(("count: 1", "count: 2"), ("size: 16", "size: 1")))
    add_model(
        repository, "slow", ragged_rows(work=1200), config(("size: 16", "size: 1"), ("queue_size: 64", "queue_size: 2"))
    )
    add_model(repository, "repeats", ragged_rows(repeat=2))
    add_model(repository, "fixed", doubling(["rows", 4]), _NO_BATCH_INPUT.format(batch=8, dims="[4]"))
    add_model(repository, "unbatched", doubling([2, "n"]), _NO_BATCH_INPUT.format(batch=0, dims="[2, -1]"))
    with TritonServer(repository) as running:
        yield running
