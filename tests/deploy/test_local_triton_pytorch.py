"""The Python-based pytorch backend, through the real Triton: what it serves, and what it refuses as the C++ one."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException
from voicestress_triton import ModelLoadError, TritonServer

from tests.deploy.graphs import CONFIG
from tests.deploy.test_local_triton_batches import ask, ask_together, expected, window

PYTORCH = CONFIG.replace("onnxruntime", "pytorch").replace("intra_op_thread_count", "INTRA_OP_THREAD_COUNT")


class Rows(torch.nn.Module):
    """Of every row its sum, its length and the size of its batch, as ``graphs.ragged_rows`` has them."""

    def forward(self, PCM: torch.Tensor, LENGTHS: torch.Tensor) -> torch.Tensor:  # noqa: N803 - names in the contract
        lengths = LENGTHS.flatten().long()
        ends = lengths.cumsum(0)
        sums = torch.cat([torch.zeros(1, dtype=torch.float64), PCM.double().cumsum(0)])
        totals = sums[ends] - sums[ends - lengths]
        return torch.stack([totals, lengths.double(), torch.full_like(totals, len(lengths))], dim=1).float()


class Doubles(Rows):
    def forward(self, PCM: torch.Tensor, LENGTHS: torch.Tensor) -> torch.Tensor:  # noqa: N803
        return torch.zeros(LENGTHS.shape[0], 3, dtype=torch.float64)


class Counts(Rows):
    def forward(self, PCM: torch.Tensor, count: int) -> torch.Tensor:  # noqa: N803
        return PCM.float() * count


def scripted(module: torch.nn.Module, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(module).save(str(path))


def add(repository: Path, name: str, module: torch.nn.Module | bytes | None = None, text: str = PYTORCH) -> None:
    version = repository / name / "1"
    version.mkdir(parents=True)
    (repository / name / "config.pbtxt").write_text(text)
    if isinstance(module, bytes):
        (version / "model.pt").write_bytes(module)
    elif module is not None:
        scripted(module, version / "model.pt")


def changed(old: str, new: str) -> str:
    assert old in PYTORCH, old
    return PYTORCH.replace(old, new)


_BATCH_INPUT = re.search(r"batch_input.*", PYTORCH).group()
_FLAG = 'parameters { key: "DISABLE_OPTIMIZED_EXECUTION" value { string_value: "perhaps" } }'
# Model name -> module, configuration, and what the reason must say.
REFUSED = {
    "lengths_not_given": (Rows(), changed(_BATCH_INPUT, ""), "the graph takes 'LENGTHS', 'PCM'"),
    "lengths_by_another_name": (Rows(), changed('"LENGTHS"', '"SIZES"'), "gives the graph 'PCM', 'SIZES'"),
    "an_argument_that_is_no_tensor": (Counts(), PYTORCH, "argument 'count' of the model is a int, not a Tensor"),
    "a_type_torch_has_not": (
        Rows(),
        changed("TYPE_INT16", "TYPE_UINT16"),
        "'PCM': PyTorch models have no TYPE_UINT16",
    ),
    "numbered_outputs": (Rows(), changed('"LOGITS"', '"LOGITS__0"'), "goes by the order of the outputs"),
    "no_batches": (
        Rows(),
        changed("max_batch_size: 16", "max_batch_size: 0").replace(re.search("dynamic_.*", PYTORCH).group(), ""),
        "needs a max_batch_size above 0",
    ),
    "a_flag_in_words": (Rows(), PYTORCH + _FLAG, "'perhaps' is neither true nor false"),
    "no_file": (None, PYTORCH, r"no_file/1/model\.pt: no such model file"),
    "not_torchscript": (b"RIFF of some length", PYTORCH, r"model\.pt is not TorchScript"),
}


@pytest.fixture(scope="module")
def reasons(tmp_path_factory) -> dict[str, str]:
    repository = tmp_path_factory.mktemp("refused")
    for name, (module, text, _) in REFUSED.items():
        add(repository, name, module, text)
    with pytest.raises(ModelLoadError) as refusal:
        TritonServer(repository, ready_timeout_s=280).start()  # nine processes load torch for it
    return refusal.value.failures


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    repository = tmp_path_factory.mktemp("pytorch")
    patient = changed("dynamic_batching {", "dynamic_batching { max_queue_delay_microseconds: 500000")
    add(repository, "patient", Rows(), patient)
    add(repository, "doubles", Doubles())
    with TritonServer(repository) as server, InferenceServerClient(server.url) as connected:
        yield connected


@pytest.mark.parametrize("model", REFUSED)
def test_a_model_that_can_not_be_served_is_refused_with_the_reason(reasons, model):
    assert re.search(REFUSED[model][2], reasons[model]), reasons[model]
    assert "\n" not in reasons[model]


def test_requests_of_mixed_lengths_run_as_one_batch_and_each_gets_its_own_answer(client):
    windows = [window(length) for length in (8000, 1, 79, 0, 16000, 3, 40000)]
    for pcm, logits in zip(windows, ask_together(client, "patient", windows), strict=True):
        np.testing.assert_array_equal(logits[:, :2], expected(pcm))
        assert logits[:, 2] == len(windows)


def test_a_request_of_several_rows_gets_a_row_for_each(client):
    four = np.concatenate([window(500, seed) for seed in range(4)])
    answers = ask_together(client, "patient", [window(300), four, window(700)])
    np.testing.assert_array_equal(answers[1][:, :2], expected(four))


def test_an_output_of_another_type_fails_the_request_as_in_cpp_and_names_no_file(client):
    with pytest.raises(InferenceServerException, match="the configuration says float32, the model float64") as failure:
        ask(client, "doubles", window(5))
    assert ".py" not in failure.value.message()
