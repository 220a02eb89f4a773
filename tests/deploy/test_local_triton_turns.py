"""A model with limits on its queue has two instances that take turns: one works, one holds the next batch ready."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from google.protobuf import text_format
from tritonclient.grpc import InferenceServerClient, model_config_pb2
from voicestress_model.triton_config import CPU_BATCH_SIZE, Served, gpu_config, triton_config
from voicestress_triton import TritonServer
from voicestress_triton.tuning.settings import contract_of

from tests.deploy.test_local_triton_batches import ask, ask_together, counts, window
from tests.paths import MODEL_REPOSITORY

# Triton looks at a queue with limits at least this often.
TRITON_LOOKS_S = 0.5
SLEEPS_S = 0.1
_CONFIG = """
backend: "python"
max_batch_size: 1
input [{{ name: "PCM" data_type: TYPE_INT16 dims: [-1] }}]
output [{{ name: "LOGITS" data_type: TYPE_FP64 dims: [2] }}]
dynamic_batching {{ default_queue_policy {{ max_queue_size: 64 }} }}
instance_group [{{ kind: KIND_CPU count: 2 {turns} }}]
"""
_TURNS = 'rate_limiter {{ resources [ {{ name: "{}" count: 1 }} ] }}'
# The models that sleep, and what they take turns for: "beside" as an exported model does, "sharing" as none should.
_SLEEPERS = {"in_turns": "in_turns_turn", "beside": "beside_turn", "sharing": "in_turns_turn", "at_once": None}
_SLEEPS = f"""
import time

import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        start_s = time.monotonic()
        time.sleep({SLEEPS_S})
        times = np.array([[start_s, time.monotonic()]])
        return [pb_utils.InferenceResponse([pb_utils.Tensor("LOGITS", times)]) for _ in requests]
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    repository = tmp_path_factory.mktemp("turns")
    (repository / "stress").symlink_to((MODEL_REPOSITORY / "stress").resolve())
    for name, resource in _SLEEPERS.items():
        (repository / name / "1").mkdir(parents=True)
        turns = "" if resource is None else _TURNS.format(resource)
        (repository / name / "config.pbtxt").write_text(_CONFIG.format(turns=turns))
        (repository / name / "1" / "model.py").write_text(_SLEEPS)
    with TritonServer(repository) as server, InferenceServerClient(server.url) as connected:
        yield connected


def test_a_queue_is_worked_off_though_no_more_requests_come(client):
    """Without the second instance every batch but the first would wait until Triton looks."""
    windows = [window(16_000, seed) for seed in range(12 * CPU_BATCH_SIZE)]
    ask(client, "stress", windows[0])
    executed = counts(client, "stress")[1]
    start = time.perf_counter()
    answers = ask_together(client, "stress", windows)
    took_s = time.perf_counter() - start
    assert all(isinstance(answer, np.ndarray) for answer in answers)
    executed = counts(client, "stress")[1] - executed
    assert executed >= 12
    assert took_s < 0.5 * (executed - 1) * TRITON_LOOKS_S


def intervals(answers):
    """When each execution of a sleeping model began and ended, ``[executions, 2]``."""
    return np.concatenate(answers)


def overlap_s(intervals_of_one, intervals_of_other):
    """For how long both worked at once."""
    return sum(
        max(0.0, min(end, other_end) - max(start, other_start))
        for start, end in intervals_of_one
        for other_start, other_end in intervals_of_other
    )


@pytest.mark.parametrize(("model", "overlap"), [("in_turns", False), ("at_once", True)])
def test_one_instance_works_at_a_time_and_the_next_begins_at_once(client, model, overlap):
    worked = intervals(ask_together(client, model, [window(1_000, seed) for seed in range(10)]))
    starts_s, ends_s = worked[worked[:, 0].argsort()].T
    waited_s = starts_s[1:] - ends_s[:-1]
    assert (waited_s < 0).any() == overlap
    if not overlap:
        assert np.median(waited_s) < 0.5 * (TRITON_LOOKS_S - SLEEPS_S)


def ask_both(client, other, each):
    """When ``in_turns`` and ``other`` worked, asked for ``each`` windows at the same moment."""
    windows = [window(1_000, seed) for seed in range(each)]
    with ThreadPoolExecutor(2) as callers:
        answers = callers.map(lambda model: ask_together(client, model, windows), ("in_turns", other))
        return [intervals(answer) for answer in answers]


@pytest.mark.parametrize(("other", "together"), [("beside", True), ("sharing", False)])
def test_models_with_turns_of_their_own_work_at_the_same_time_and_only_those(client, other, together):
    at_once_s = [overlap_s(*ask_both(client, other, 1)) for _ in range(8)]
    assert (max(at_once_s) > 0.25 * SLEEPS_S) == together


def test_of_two_models_with_queues_neither_waits_for_all_of_the_other_s(client):
    """Triton asks only the instance that is first in line, of any model: where it waits for its turn, so do others."""
    one, other = ask_both(client, "beside", 10)
    for worked in (one, other):
        starts_s, ends_s = worked[worked[:, 0].argsort()].T
        assert (starts_s[1:] >= ends_s[:-1]).all(), "of each model one instance at a time"
    assert max(one[:, 0].min(), other[:, 0].min()) < min(np.median(one), np.median(other))


@pytest.mark.parametrize(("name", "backend"), [("stress", "onnxruntime"), ("stress_torchscript", "pytorch")])
def test_an_exported_model_takes_turns_with_itself_alone_in_every_variant(name, backend):
    shipped = (MODEL_REPOSITORY / name / "config.pbtxt").read_text()
    served, contract = Served(name, backend), contract_of(shipped)
    for config in (shipped, triton_config(served, contract), gpu_config(served, contract, "model")):
        assert resource_of(config) == f"{name}_turn"


def resource_of(config: str) -> str:
    """What the instances of a config.pbtxt take turns for."""
    (group,) = text_format.Parse(config, model_config_pb2.ModelConfig()).instance_group
    (resource,) = group.rate_limiter.resources
    assert (group.count, resource.count) == (2, 1)
    return resource.name
