"""A model with limits on its queue has two instances that take turns: one works, one holds the next batch ready."""

from __future__ import annotations

import time

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient
from voicestress_model.triton_config import CPU_BATCH_SIZE
from voicestress_triton import TritonServer

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
_TURNS = 'rate_limiter { resources [ { name: "turn" count: 1 } ] }'
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
    for name, turns in (("in_turns", _TURNS), ("at_once", "")):
        (repository / name / "1").mkdir(parents=True)
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


@pytest.mark.parametrize(("model", "overlap"), [("in_turns", False), ("at_once", True)])
def test_one_instance_works_at_a_time_and_the_next_begins_at_once(client, model, overlap):
    worked = np.concatenate(ask_together(client, model, [window(1_000, seed) for seed in range(10)]))
    starts_s, ends_s = worked[worked[:, 0].argsort()].T
    waited_s = starts_s[1:] - ends_s[:-1]
    assert (waited_s < 0).any() == overlap
    if not overlap:
        assert np.median(waited_s) < 0.5 * (TRITON_LOOKS_S - SLEEPS_S)
