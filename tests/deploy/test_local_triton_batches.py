"""The Python-based onnxruntime backend, through the real Triton."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException, np_to_triton_dtype
from voicestress_triton import TritonServer

from tests.deploy.graphs import add_model
from tests.deploy.processes import becomes_true

DEADLINE_S = 30
_RAISES_CONFIG = """
backend: "python"
max_batch_size: 8
input [{ name: "PCM" data_type: TYPE_INT16 dims: [-1] }]
output [{ name: "LOGITS" data_type: TYPE_FP32 dims: [3] }]
instance_group [{ kind: KIND_CPU count: 1 }]
"""
_RAISES = """
from voicestress_triton.python_backend import answer
from voicestress_triton.ragged import BatchPlan

def fail(feeds):
    raise KeyError(__file__)

class TritonPythonModel:
    def execute(self, requests):
        return answer(BatchPlan(True, ("PCM",), (2,), frozenset(), (), ("LOGITS",)), requests, fail, ())
"""


@pytest.fixture(scope="module")
def client(server: TritonServer) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(server.url) as connected:
        yield connected


def tensor(name: str, values: np.ndarray) -> InferInput:
    given = InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
    given.set_data_from_numpy(values)
    return given


def ask(client: InferenceServerClient, model: str, pcm: np.ndarray) -> np.ndarray:
    """LOGITS of one request ``[rows, samples]``."""
    return client.infer(model, [tensor("PCM", pcm)], client_timeout=DEADLINE_S).as_numpy("LOGITS")


def ask_together(client: InferenceServerClient, model: str, requests: list[np.ndarray]) -> list[Any]:
    """The answers, or errors, to requests sent at the same moment, in their order."""
    done: queue.Queue[tuple[int, Any]] = queue.Queue()
    for index, pcm in enumerate(requests):

        def answered(result: Any, error: Any, index: int = index) -> None:
            done.put((index, error if result is None else result.as_numpy("LOGITS")))

        client.async_infer(model, [tensor("PCM", pcm)], answered, client_timeout=DEADLINE_S)
    return [answer for _, answer in sorted((done.get(timeout=DEADLINE_S) for _ in requests), key=lambda pair: pair[0])]


def counts(client: InferenceServerClient, model: str) -> tuple[int, int]:
    """Rows answered and batches executed so far."""
    [statistics] = client.get_inference_statistics(model, client_timeout=DEADLINE_S).model_stats
    return statistics.inference_count, statistics.execution_count


def window(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([length, seed]).integers(-(2**15), 2**15, (1, length), np.int16)


def expected(pcm: np.ndarray) -> np.ndarray:
    """Sum and length of every row ``[rows, samples]``."""
    return np.stack([pcm.sum(axis=1, dtype=np.float64), np.full(len(pcm), pcm.shape[1])], axis=1).astype(np.float32)


def test_requests_of_mixed_lengths_run_as_one_batch_and_each_gets_its_own_answer(client: InferenceServerClient):
    windows = [window(length) for length in (8000, 1, 79, 16000, 3, 40000)]
    rows, batches = counts(client, "patient")
    answers = ask_together(client, "patient", windows)
    # Triton counts a batch a moment after it has answered.
    assert becomes_true(lambda: counts(client, "patient") == (rows + 6, batches + 1))
    for pcm, logits in zip(windows, answers, strict=True):
        np.testing.assert_array_equal(logits[:, :2], expected(pcm))
        assert logits[:, 2] == 6


def test_a_request_of_several_rows_shares_a_batch_with_others(client: InferenceServerClient):
    four = np.concatenate([window(500, seed) for seed in range(4)])
    answers = ask_together(client, "patient", [window(300), four, window(700)])
    assert [logits.shape for logits in answers] == [(1, 3), (4, 3), (1, 3)]
    np.testing.assert_array_equal(answers[1][:, :2], expected(four))
    assert {float(size) for logits in answers for size in logits[:, 2]} == {6.0}


def test_empty_windows_reach_the_graph_and_leave_their_neighbours_alone(client: InferenceServerClient):
    np.testing.assert_array_equal(ask(client, "rows", window(0)), [[0, 0, 1]])
    answers = ask_together(client, "patient", [window(0), window(900), window(0)])
    np.testing.assert_array_equal(answers[1][:, :2], expected(window(900)))
    np.testing.assert_array_equal(answers[2], [[0, 0, 3]])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "expected 1 inputs but got 0"),
        ([tensor("PCM", np.zeros((1, 5), np.float32))], "data-type is 'FP32'"),
        ([tensor("PCM", np.zeros(5, np.int16))], "unexpected shape"),
        ([tensor("PCM", np.zeros((1, 2, 3), np.int16))], "unexpected shape"),
        ([tensor("PCM", np.zeros((17, 2), np.int16))], "batch-size must be <= 16"),
        ([tensor("LENGTHS", np.ones((1, 1), np.int32))], "unexpected inference input 'LENGTHS'"),
    ],
    ids=["no input", "float samples", "no batch dimension", "one dimension more", "too many rows", "another input"],
)
def test_a_wrong_request_is_refused_by_triton(client: InferenceServerClient, inputs: list[InferInput], message: str):
    with pytest.raises(InferenceServerException, match=message):
        client.infer("rows", inputs, client_timeout=DEADLINE_S)
    np.testing.assert_array_equal(ask(client, "rows", window(7))[:, :2], expected(window(7)))


def test_a_wrong_request_does_not_touch_those_it_arrives_with(client: InferenceServerClient):
    with ThreadPoolExecutor(2) as pool:
        bad = pool.submit(client.infer, "patient", [tensor("PCM", np.zeros((1, 5), np.float32))])
        good = pool.submit(ask_together, client, "patient", [window(100), window(200)])
    assert isinstance(bad.exception(), InferenceServerException)
    for pcm, logits in zip([window(100), window(200)], good.result(), strict=True):
        np.testing.assert_array_equal(logits[:, :2], expected(pcm))


def test_a_run_that_fails_answers_every_request_of_its_batch_and_the_next_one_works(client: InferenceServerClient):
    answers = ask_together(client, "patient", [window(10), window(50_001), window(20)])
    assert all(isinstance(answer, InferenceServerException) for answer in answers)
    assert all("out of data bounds" in answer.message() for answer in answers)
    np.testing.assert_array_equal(ask(client, "patient", window(10))[:, :2], expected(window(10)))


def test_an_error_says_nothing_about_the_files_of_the_server(client: InferenceServerClient):
    with pytest.raises(InferenceServerException) as failure:
        ask(client, "rows", window(50_001))
    assert "Traceback" not in failure.value.message()
    assert ".py" not in failure.value.message()


def test_an_exception_nobody_foresaw_is_told_by_its_type_alone(tmp_path: Path):
    add_model(tmp_path, "raises", config_text=_RAISES_CONFIG)
    (tmp_path / "raises" / "1" / "model.py").write_text(_RAISES)
    with TritonServer(tmp_path) as server, InferenceServerClient(server.url) as client:
        for _ in range(2):
            with pytest.raises(InferenceServerException) as failure:
                ask(client, "raises", window(5))
        assert failure.value.message() == "the model failed with KeyError; the server's log says more"


def test_a_request_of_no_rows_is_refused_alone_and_the_good_ones_beside_it_are_answered(client: InferenceServerClient):
    windows = [window(length) for length in range(100, 112)]
    nothing = np.zeros((0, 0), np.int16)
    answers = ask_together(client, "patient", [*windows[:6], nothing, *windows[6:]])
    refused = answers.pop(6)
    for pcm, logits in zip(windows, answers, strict=True):
        np.testing.assert_array_equal(logits[:, :2], expected(pcm))
        assert logits[:, 2] == 12
    assert refused.status() == "StatusCode.INVALID_ARGUMENT"
    assert refused.message() == (
        "input 'PCM' arrived with the shape [0]: give it 2 dimensions, the first of them of one row or more"
    )


def test_a_request_of_no_rows_with_nobody_beside_it_never_leaves_triton(client: InferenceServerClient):
    """Triton's batcher keeps it until one with rows comes by: no backend sees it, and its caller needs a deadline."""
    _, batches = counts(client, "rows")
    with pytest.raises(InferenceServerException) as failure:
        client.infer("rows", [tensor("PCM", np.zeros((0, 0), np.int16))], client_timeout=1)
    assert failure.value.status() == "StatusCode.DEADLINE_EXCEEDED"
    assert counts(client, "rows")[1] == batches
    np.testing.assert_array_equal(ask(client, "rows", window(7))[:, :2], expected(window(7)))


def test_rows_that_nobody_asked_for_are_an_error_and_not_somebody_elses_answer(client: InferenceServerClient):
    with pytest.raises(InferenceServerException, match="output 'LOGITS' has 2 rows for a batch of 1"):
        ask(client, "repeats", window(5))


def test_a_full_queue_says_so_at_once(client: InferenceServerClient):
    answers = ask_together(client, "slow", [window(10)] * 12)
    refused = [answer for answer in answers if isinstance(answer, InferenceServerException)]
    assert refused
    assert len(refused) < 12
    assert all("Exceeds maximum queue size" in answer.message() for answer in refused)
    assert {answer.status() for answer in refused} == {"StatusCode.UNAVAILABLE"}


def test_requests_cancelled_in_the_queue_and_while_they_run_do_no_harm(client: InferenceServerClient):
    callers = [client.async_infer("twins", [tensor("PCM", window(10))], lambda result, error: None) for _ in range(8)]
    for caller in callers:
        caller.cancel()
    np.testing.assert_array_equal(ask(client, "twins", window(11))[:, :2], expected(window(11)))


def test_several_instances_of_a_model_share_its_requests(client: InferenceServerClient):
    windows = [window(length) for length in range(1, 21)]
    for pcm, logits in zip(windows, ask_together(client, "twins", windows), strict=True):
        np.testing.assert_array_equal(logits[:, :2], expected(pcm))


def test_ordinary_models_are_served_too(client: InferenceServerClient):
    for model, values in (("fixed", np.ones((3, 4))), ("unbatched", np.ones((2, 5)))):
        answer = client.infer(model, [tensor("X", values.astype(np.float32))], client_timeout=DEADLINE_S)
        np.testing.assert_array_equal(answer.as_numpy("Y"), 2 * values)
