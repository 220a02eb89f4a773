"""What a raw gRPC caller gets, through a real Triton: any client in any language relies on this."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tritonclient.grpc import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException
from voicestress_model.agreement import reference_logits
from voicestress_model.triton_config import CPU_BATCH_SIZE

from tests.conftest import TORCHSCRIPT_MODEL
from tests.model.conftest import noise
from tests.model.test_packed import NEIGHBOUR_TOLERANCE, REFERENCE_TOLERANCE

SHORTEST, LONGEST = 8_000, 48_000
MODELS = ("group_norm", "layer_norm", TORCHSCRIPT_MODEL)
HOUR_SAMPLES = 3600 * 16_000


@pytest.fixture(scope="module")
def triton(server):
    with InferenceServerClient(server.url) as connected:
        yield connected


def infer(triton, model, array, *, name="PCM", dtype="INT16"):
    tensor = InferInput(name, list(array.shape), dtype)
    tensor.set_data_from_numpy(array)
    return triton.infer(model, [tensor], client_timeout=60).as_numpy("LOGITS")


def infer_together(triton, model, windows):
    """Logits of windows that are sent at once, so that they share batches."""
    with ThreadPoolExecutor(len(windows)) as threads:
        return [row[0] for row in threads.map(lambda window: infer(triton, model, window[None]), windows)]


def counts(triton, model):
    """Windows scored and batches run so far; they move a moment after the answer."""
    time.sleep(0.2)
    stats = triton.get_inference_statistics(model).model_stats[0]
    return stats.inference_count, stats.execution_count


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.integers(SHORTEST, LONGEST), min_size=1, max_size=6), seed=st.integers(0, 2**31))
def test_served_logits_are_hugging_face_s(triton, lively_checkpoints, model, lengths, seed):
    windows = [noise(length, seed=seed + number) for number, length in enumerate(lengths)]
    served = infer_together(triton, model, windows)
    assert np.abs(served - reference_logits(lively_checkpoints[model], windows)).max() < REFERENCE_TOLERANCE


@pytest.mark.parametrize("model", MODELS)
def test_served_logits_do_not_depend_on_neighbours(triton, speech, model):
    window = speech[10_000:38_000]
    alone = infer(triton, model, window[None])[0]
    square = np.where(np.arange(LONGEST) // 40 % 2, 32767, -32768).astype(np.int16)
    neighbours = [noise(79), noise(LONGEST), np.zeros(LONGEST, np.int16), square, noise(0), noise(HOUR_SAMPLES // 60)]
    windows_before, batches_before = counts(triton, model)
    for _ in range(3):
        together = infer_together(triton, model, [window, *neighbours, window])
        assert np.abs(together[0] - alone).max() < NEIGHBOUR_TOLERANCE
        assert np.abs(together[-1] - alone).max() < NEIGHBOUR_TOLERANCE
    windows, batches = counts(triton, model)
    assert windows - windows_before > batches - batches_before, "no batch was shared: the test shows nothing"


def test_a_cpu_scores_waiting_windows_a_batch_at_a_time_and_no_more(triton):
    windows_before, batches_before = counts(triton, "group_norm")
    waiting = 4 * CPU_BATCH_SIZE
    infer_together(triton, "group_norm", [noise(LONGEST)] * waiting)
    windows, batches = counts(triton, "group_norm")
    assert windows - windows_before == waiting
    assert 4 <= batches - batches_before < waiting


@pytest.mark.parametrize("model", MODELS)
def test_several_windows_in_one_request_get_a_row_each(triton, lively_checkpoints, speech, model):
    windows = np.stack([speech[start : start + 20_000] for start in (0, 30_000, 60_000)])
    logits = infer(triton, model, windows)
    assert np.abs(logits - reference_logits(lively_checkpoints[model], list(windows))).max() < 1e-4


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("samples", [0, 1, 79, SHORTEST - 1, LONGEST + 1, HOUR_SAMPLES])
def test_a_window_out_of_bounds_gets_nan(triton, model, samples):
    assert np.isnan(infer(triton, model, noise(samples)[None])).all()


@pytest.mark.parametrize("model", ["group_norm", TORCHSCRIPT_MODEL])
@pytest.mark.parametrize(
    ("array", "options"),
    [
        (np.zeros((1, 16_000), np.float32), {"dtype": "FP32"}),
        (np.zeros((1, 16_000), np.int32), {"dtype": "INT32"}),
        (np.zeros(16_000, np.int16), {}),
        (np.zeros((1, 1, 16_000), np.int16), {}),
        (np.zeros((64, 8_000), np.int16), {}),
        (np.zeros((1, 16_000), np.int16), {"name": "AUDIO"}),
    ],
    ids=["float", "int32", "no batch dimension", "too many dimensions", "more rows than a batch", "another name"],
)
def test_a_wrong_request_gets_an_error_and_the_next_one_an_answer(triton, model, array, options):
    with pytest.raises(InferenceServerException):
        infer(triton, model, array, **options)
    assert np.isfinite(infer(triton, model, noise(16_000)[None])).all()


def test_wrong_requests_among_good_ones_harm_nobody(triton, speech):
    window = speech[10_000:38_000]
    alone = infer(triton, "group_norm", window[None])[0]

    def send(number):
        if number % 2:
            with pytest.raises(InferenceServerException):
                infer(triton, "group_norm", np.zeros((1, 16_000), np.float32), dtype="FP32")
            return alone
        return infer(triton, "group_norm", window[None])[0]

    with ThreadPoolExecutor(16) as threads:
        assert np.abs(np.array(list(threads.map(send, range(48)))) - alone).max() < NEIGHBOUR_TOLERANCE
