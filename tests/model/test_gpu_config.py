"""The variant for GPUs: what it says, and that Triton reads it, as far as a machine without a GPU can tell."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from google.protobuf import text_format
from tritonclient.grpc import InferenceServerClient, model_config_pb2
from voicestress.contract import StressContract
from voicestress_model.triton_config import GPU_CONFIG
from voicestress_triton import ModelLoadError, TritonServer

from tests.client.test_serving_contract import infer
from tests.conftest import TORCHSCRIPT_MODEL
from tests.model.conftest import noise
from tests.model.test_export import read_config

MODELS = {"onnx": "group_norm", "torchscript": TORCHSCRIPT_MODEL}


def read_variant(folder):
    """The configuration for GPUs and the contract it states."""
    text = (folder / GPU_CONFIG).read_text()
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    parameters = {key: value.string_value for key, value in config.parameters.items()}
    return config, StressContract.from_parameters(parameters, model="x")


@pytest.fixture(scope="module", params=MODELS)
def exported(request, repository, tmp_path_factory):
    name = MODELS[request.param]
    return shutil.copytree(repository / name, tmp_path_factory.mktemp(request.param) / name)


def test_it_runs_on_gpus_with_larger_batches(exported):
    default, (gpu, _) = read_config(exported), read_variant(exported)
    assert [group.kind for group in gpu.instance_group] == [model_config_pb2.ModelInstanceGroup.KIND_GPU]
    assert gpu.max_batch_size > default.max_batch_size
    assert max(gpu.dynamic_batching.preferred_batch_size) == gpu.max_batch_size
    assert gpu.dynamic_batching.default_queue_policy.max_queue_size > gpu.max_batch_size
    assert gpu.optimization.input_pinned_memory.enable
    assert gpu.optimization.output_pinned_memory.enable


def test_its_convolutions_are_not_searched_anew_at_every_length(exported):
    gpu, _ = read_variant(exported)
    searched = {"onnxruntime": "1", "pytorch": ""}[gpu.backend]
    assert gpu.parameters["cudnn_conv_algo_search"].string_value == searched


def test_its_queue_is_that_of_the_default_but_for_its_length(exported):
    default, (gpu, _) = read_config(exported).dynamic_batching, read_variant(exported)[0:2]
    batching = gpu.dynamic_batching
    assert (batching.priority_levels, batching.default_priority_level) == (3, 2)
    batching.default_queue_policy.max_queue_size = default.default_queue_policy.max_queue_size
    assert batching.default_queue_policy == default.default_queue_policy


def test_it_has_the_same_ends_and_contract_as_the_default(exported):
    default, (gpu, contract) = read_config(exported), read_variant(exported)
    for part in ("name", "backend", "input", "output", "batch_input"):
        assert getattr(gpu, part) == getattr(default, part)
    stated = {key: value.string_value for key, value in default.parameters.items() if key.startswith("stress_")}
    assert contract.to_parameters() == stated


def test_it_serves_the_model_s_own_file(exported):
    gpu, _ = read_variant(exported)
    assert (exported / "1" / gpu.default_model_filename).is_file()


def test_it_says_so_where_its_tiles_are_those_of_a_cpu(exported, both_precisions):
    """A graph keeps the size it was exported with, TorchScript asks where it runs, and fp16 has a file for GPUs."""
    (gpu, _), hint = read_variant(exported), "tiles that fit a CPU's cache"
    assert (hint in (exported / GPU_CONFIG).read_text()) == (gpu.backend == "onnxruntime")
    assert hint not in (both_precisions.folder / GPU_CONFIG).read_text()


def test_it_warms_up_from_the_shortest_to_the_longest_window_and_with_the_largest_batch(exported):
    gpu, contract = read_variant(exported)
    samples = [(warm.inputs["PCM"].dims[0], warm.batch_size) for warm in gpu.model_warmup]
    lengths = {length for length, _ in samples}
    assert min(lengths) == contract.shortest_window_samples
    assert max(lengths) == contract.longest_window_samples
    assert len(lengths) >= 4
    assert (contract.longest_window_samples, gpu.max_batch_size) in samples
    assert {warm.inputs["PCM"].data_type for warm in gpu.model_warmup} == {model_config_pb2.TYPE_INT16}


def test_without_a_gpu_triton_refuses_it_and_says_why(exported):
    with pytest.raises(ModelLoadError, match="has kind KIND_GPU but no GPUs are available"):
        TritonServer(exported.parent, model_config_name="gpu").start()


def test_but_for_the_gpu_triton_serves_it_and_warms_up_with_ragged_batches(exported):
    """The whole variant, with its instances moved to the CPU."""
    text = (exported / GPU_CONFIG).read_text()
    (exported / "configs" / "moved.pbtxt").write_text(text.replace("KIND_GPU", "KIND_CPU"))
    try:
        with (
            TritonServer(exported.parent, model_config_name="moved") as server,
            InferenceServerClient(server.url) as triton,
        ):
            config = triton.get_model_config(exported.name).config
            assert len(config.model_warmup) == 9
            assert np.isfinite(infer(triton, exported.name, noise(20_000)[None])).all()
    finally:
        (exported / "configs" / "moved.pbtxt").unlink()
