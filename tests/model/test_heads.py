"""Every head keeps the property to defend: a window's logits are its own."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2Config
from voicestress import StressClient, StressContract
from voicestress_model.agreement import onnx_logits, onnx_session, reference_logits
from voicestress_model.architectures import ARCHITECTURES
from voicestress_model.checkpoints import StressCheckpoint, load_checkpoint
from voicestress_model.detector import StressDetector, stress_config
from voicestress_model.errors import CheckpointError
from voicestress_model.evaluation import checkpoint_scorer, server_scorer
from voicestress_model.export import export_model, packed_model, stress_contract
from voicestress_model.heads import HEADS, build_head, masked_mean
from voicestress_triton import TritonServer

from tests.model.conftest import noise, with_lively_weights
from tests.model.test_cuda_kernels import without_kernel
from tests.paths import JFK_WAV

SHORTEST, LONGEST = 400, 48_000
REFERENCE_TOLERANCE = 1e-4
NEIGHBOUR_TOLERANCE = 1e-5

OPTIONS = {
    "mean_pool_mlp": {"bottleneck": 24, "dropout": 0.3},
    "projection": {"bottleneck": 24},
    "dense_tanh": {"bottleneck": 24, "dropout": 0.3},
    "attentive_statistics": {"bottleneck": 24, "attention": 16, "dropout": 0.3},
    "temporal_convolution": {"bottleneck": 24, "channels": 32, "blocks": 4, "dropout": 0.3},
}


def config_with(kind, **options):
    shape = {**ARCHITECTURES["tiny"], "num_hidden_layers": 1, "use_weighted_layer_sum": True}
    config = stress_config(Wav2Vec2Config(**shape))
    config.stress_head = {"kind": kind, **(options or OPTIONS[kind])}
    return config


@pytest.fixture(scope="module", params=HEADS)
def kind(request):
    return request.param


class Exported(NamedTuple):
    """A checkpoint with a head, its contract, and the folder it was exported to."""

    checkpoint: StressCheckpoint
    contract: StressContract
    folder: Path


@pytest.fixture(scope="module")
def exported_with(tmp_path_factory):
    """Exports each head once, into a repository of its own."""

    @functools.cache
    def exported(kind):
        torch.manual_seed(7)
        detector = StressDetector(config_with(kind)).eval()
        checkpoint = with_lively_weights(StressCheckpoint(detector, normalize=True, name=kind, weights="random"))
        contract = stress_contract(checkpoint, shortest_window_s=SHORTEST / 16_000, longest_window_s=LONGEST / 16_000)
        folder = tmp_path_factory.mktemp("repository") / kind
        export_model(checkpoint, contract, folder, gpu_file=None)
        return Exported(checkpoint, contract, folder)

    return exported


@pytest.fixture(scope="module")
def exported(exported_with, kind):
    return exported_with(kind)


@pytest.fixture(scope="module")
def checkpoint(exported):
    return exported.checkpoint


@pytest.fixture(scope="module")
def packed(exported):
    return packed_model(exported.checkpoint, exported.contract)


@pytest.fixture(scope="module")
def session(exported):
    return onnx_session(exported.folder / "1" / "model.onnx")


@pytest.fixture(scope="module", params=["torch", "onnxruntime"])
def score(request, packed, session):
    """Logits of a batch of windows, through torch or through ONNX Runtime."""

    def through_torch(windows):
        lengths = torch.tensor([[len(window)] for window in windows], dtype=torch.int32)
        with torch.inference_mode():
            return packed(torch.from_numpy(np.concatenate(windows)), lengths).numpy()

    return through_torch if request.param == "torch" else lambda windows: onnx_logits(session, windows)


@pytest.fixture(scope="module")
def head(kind):
    """A head with drawn weights, in evaluation mode."""
    torch.manual_seed(11)
    built = build_head(config_with(kind)).eval()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape))
    return built


def frames_of(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def mask_of(*counts, longest):
    return torch.arange(longest) < torch.tensor(counts).unsqueeze(1)


def test_every_head_is_tested():
    assert set(OPTIONS) == set(HEADS)


def test_logits_are_hugging_face_s_for_mixed_lengths(checkpoint, score):
    windows = [noise(length, seed=length) for length in (400, 721, 8000, LONGEST, 20_001)]
    expected = reference_logits(checkpoint, windows)
    assert np.ptp(expected, axis=0).max() > 0.05  # windows differ, so agreement means something
    assert np.abs(score(windows) - expected).max() < REFERENCE_TOLERANCE


@pytest.mark.parametrize("neighbour", [79, 400, LONGEST, LONGEST + 1])
def test_logits_do_not_depend_on_neighbours(score, neighbour):
    window, loud = noise(20_000), noise(neighbour, seed=1, peak=30_000)
    alone = score([window])[0]
    assert np.abs(score([window, loud])[0] - alone).max() < NEIGHBOUR_TOLERANCE
    assert np.abs(score([loud, window])[1] - alone).max() < NEIGHBOUR_TOLERANCE


def test_a_window_out_of_bounds_gets_nan_and_only_that_window(score):
    logits = score([noise(8000), noise(79), noise(9000)])
    assert np.isnan(logits[1]).all()
    assert np.isfinite(logits[[0, 2]]).all()


def test_on_a_gpu_every_node_has_a_kernel_for_its_types(exported):
    assert without_kernel(exported.folder / "1" / "model.onnx") == []


@pytest.mark.parametrize("name", ["mean_pool_mlp", "temporal_convolution"])
def test_served_through_triton_a_recording_scores_as_the_checkpoint_does(name, exported_with):
    """The third of the heads that are trained with is the demo model's."""
    checkpoint, contract, folder = exported_with(name)
    (expected,) = checkpoint_scorer(checkpoint, contract).score([lambda: JFK_WAV])
    with TritonServer(folder.parent) as server, StressClient(server.url, model=name) as client:
        (report,) = server_scorer(client).score([lambda: JFK_WAV])
    assert len(report.windows) > 1
    for window, reference in zip(report.windows, expected.windows, strict=True):
        assert window.stress_level == pytest.approx(reference.stress_level, abs=0.01)


@pytest.mark.parametrize("rubbish", [0.0, 1e4, torch.inf, torch.nan])
def test_what_stands_in_masked_frames_changes_nothing(head, rubbish):
    frames, mask = frames_of(2, 40, 96), mask_of(40, 25, longest=40)
    spoilt = torch.where(mask.unsqueeze(-1), frames, rubbish)
    assert torch.equal(head(spoilt, mask), head(frames, mask))


def test_the_length_of_the_padding_changes_nothing(head):
    frames = frames_of(1, 25, 96)
    padded = torch.cat([frames, frames_of(1, 60, 96, seed=1)], dim=1)
    alone, beside = head(frames, mask_of(25, longest=25)), head(padded, mask_of(25, longest=85))
    assert torch.allclose(beside, alone, atol=NEIGHBOUR_TOLERANCE, rtol=0)


def test_a_window_without_frames_gets_numbers_and_gradients(head):
    frames = frames_of(2, 10, 96).requires_grad_()
    logits = head(frames, mask_of(10, 0, longest=10))
    logits.sum().backward()
    assert torch.isfinite(logits).all()
    assert torch.isfinite(frames.grad).all()


def test_every_frame_of_a_window_counts(head):
    frames = frames_of(1, 12, 96).requires_grad_()
    head(frames, mask_of(9, longest=12)).square().sum().backward()
    moved = frames.grad[0].abs().sum(dim=-1)
    assert (moved[:9] > 0).all()
    assert (moved[9:] == 0).all()


def test_frames_that_are_all_alike_have_finite_gradients(head):
    frames = torch.full((1, 30, 96), 3.0, requires_grad=True)
    head(frames, mask_of(30, longest=30)).sum().backward()
    assert torch.isfinite(frames.grad).all()


def test_a_head_is_saved_and_loaded_with_its_checkpoint(checkpoint, kind, tmp_path):
    checkpoint.save(tmp_path)
    loaded = load_checkpoint(str(tmp_path))
    assert loaded.detector.config.stress_head == {"kind": kind, **OPTIONS[kind]}
    window = [noise(9000)]
    assert np.abs(reference_logits(loaded, window) - reference_logits(checkpoint, window)).max() < 1e-6


def test_attentive_statistics_see_the_spread_that_a_mean_can_not():
    torch.manual_seed(5)
    head = build_head(config_with("attentive_statistics")).eval()
    mask = mask_of(50, longest=50)
    steady = torch.full((1, 50, 96), 0.5)
    sway = torch.where(torch.arange(50) % 2 == 0, 1.0, -1.0)[None, :, None]
    moving = steady + 0.4 * sway
    assert torch.allclose(masked_mean(steady, mask), masked_mean(moving, mask), atol=1e-6)
    assert (head(steady, mask) - head(moving, mask)).abs().max() > 1e-4


def test_a_temporal_convolution_hears_the_order_that_a_mean_can_not():
    torch.manual_seed(5)
    head = build_head(config_with("temporal_convolution")).eval()
    frames, mask = frames_of(1, 50, 96), mask_of(50, longest=50)
    assert (head(frames, mask) - head(frames.flip(1), mask)).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("stress_head", "complaint"),
    [
        ({"kind": "magic"}, "'magic' is unknown; known are: mean_pool_mlp"),
        ({}, "None is unknown"),
        ({"kind": "mean_pool_mlp"}, "bottleneck"),
        ({"kind": "projection", "bottleneck": 8, "dropout": 0.1}, "dropout"),
        ({"kind": "mean_pool_mlp", "bottleneck": 8, "dropout": 1.5}, "dropout"),
        ({"kind": "temporal_convolution", "bottleneck": 8, "channels": -1}, "-1"),
        ({"kind": "temporal_convolution", "bottleneck": 8, "blocks": 0}, "0 blocks, at least 1 needed"),
    ],
)
def test_a_head_that_can_not_be_built_is_refused_by_name(stress_head, complaint):
    config = config_with("projection")
    config.stress_head = stress_head
    with pytest.raises(CheckpointError, match=complaint):
        build_head(config)
