"""Half precision for GPUs: what it costs, what it refuses, and what is written."""

from __future__ import annotations

import math
import shutil

import numpy as np
import onnx
import onnxruntime
import torch
from voicestress.cli import main
from voicestress_model.agreement import mixed_windows, onnx_logits, onnx_session, reference_logits
from voicestress_model.architectures import random_checkpoint
from voicestress_model.export import HALF_FILE, export_model, packed_model, stress_contract
from voicestress_model.geometry import GPU_TILE_SLOTS, TILE_SLOTS
from voicestress_model.half import half_logits, half_products

from tests.model.conftest import exporter_gives, noise
from tests.model.test_export import contract_of
from tests.model.test_gpu_config import read_variant
from tests.paths import JFK_WAV


def export(checkpoint, out, *options):
    """What the command returns; the checkpoint is saved beside ``out``."""
    folder = out.with_name("checkpoint")
    checkpoint.save(folder)
    return main(["export", str(folder), "--precision", "fp16", "--out", str(out), *map(str, options)])


def test_half_precision_changes_logits_by_thousandths_of_their_size(checkpoint):
    contract = stress_contract(checkpoint, longest_window_s=3.0)
    windows = mixed_windows(contract)
    exact = reference_logits(checkpoint, windows)
    half = half_logits(half_products(packed_model(checkpoint, contract)), windows)
    assert 0 < np.abs(half - exact).max() < 0.01 * np.abs(exact).max()


def test_products_added_up_in_fp32_are_torch_s_own_in_fp16(group_norm_checkpoint):
    model = half_products(packed_model(group_norm_checkpoint, stress_contract(group_norm_checkpoint)))
    window = noise(9_000)
    with torch.inference_mode():
        own = model(torch.from_numpy(window), torch.tensor([[len(window)]], dtype=torch.int32)).numpy()
    ours = half_logits(model, [window])
    assert np.abs(ours - own).max() < 0.005 * np.abs(own).max()


def test_the_checkpoint_stays_in_fp32(checkpoint):
    half_products(packed_model(checkpoint, stress_contract(checkpoint)))
    assert {parameter.dtype for parameter in checkpoint.detector.parameters()} == {torch.float32}


def test_a_window_s_logits_in_half_precision_do_not_depend_on_its_neighbours(both_precisions):
    session = onnx_session(both_precisions.fp16)
    window = noise(20_001)
    alone = onnx_logits(session, [window])[0]
    square = np.where(np.arange(48_000) // 40 % 2, 32767, -32768).astype(np.int16)
    together = onnx_logits(session, [noise(79), square, window, np.zeros(9_000, np.int16)])[2]
    assert np.abs(together - alone).max() < 1e-3 * np.abs(alone).max()


def test_what_is_measured_is_small_and_on_every_window_given(both_precisions):
    measured = both_precisions.measured
    assert (measured.recordings, measured.left_out) == (1, ())
    assert measured.change.windows == measured.change.same_status > 1
    assert 0 < measured.change.mean <= measured.change.largest < 0.5
    assert measured.difference < 1e-4


def test_both_precisions_are_written_and_each_variant_says_which_it_serves(both_precisions):
    folder = both_precisions.folder
    assert contract_of(folder).precision == "fp32"
    variant, contract = read_variant(folder)
    assert (variant.default_model_filename, contract.precision) == (HALF_FILE, "fp16")
    assert both_precisions.fp16.stat().st_size < 0.8 * both_precisions.fp32.stat().st_size


def tiles(graph, windows):
    """How many tiles the front end of ``graph`` makes of ``windows``."""
    model = onnx.load(graph)
    (loop,) = [node for node in model.graph.node if node.op_type == "Scan"]
    slots = loop.input[len(loop.input) - onnx.helper.get_node_attr_value(loop, "num_scan_inputs")]
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(slots))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    lengths = np.array([[len(window)] for window in windows], dtype=np.int32)
    return len(session.run([slots], {"PCM": np.concatenate(windows), "LENGTHS": lengths})[0])


def test_the_file_for_gpus_works_in_their_tiles_and_the_cpu_s_in_its_own(both_precisions):
    windows = [noise(48_000)] * 8
    slots = 8 * 150
    assert tiles(both_precisions.fp32, windows) == math.ceil(slots / TILE_SLOTS)
    assert tiles(both_precisions.fp16, windows) == math.ceil(slots / GPU_TILE_SLOTS)


def test_another_export_takes_the_half_file_away_again(both_precisions, checkpoint, tmp_path):
    folder = shutil.copytree(both_precisions.folder, tmp_path / "stress")
    export_model(checkpoint, stress_contract(checkpoint), folder, format="torchscript")
    assert [path.name for path in (folder / "1").iterdir()] == ["model.pt"]
    variant, contract = read_variant(folder)
    assert (variant.default_model_filename, contract.precision) == ("model.pt", "fp32")


def test_what_overflows_is_refused_and_nothing_is_written(tmp_path, capsys):
    checkpoint = random_checkpoint("tiny")
    layer = checkpoint.detector.wav2vec2.encoder.layers[0]
    with torch.no_grad():  # beyond 65504 between two products, where fp32 has room
        layer.feed_forward.intermediate_dense.bias.fill_(1e5)
        layer.feed_forward.output_dense.weight.mul_(1e-5)
    assert export(checkpoint, tmp_path / "stress") == 1
    assert "5 of 5 windows overflow (beyond 65504)" in capsys.readouterr().err
    assert not (tmp_path / "stress").exists()


def test_a_change_beyond_the_limit_is_refused_and_nothing_is_written(both_precisions, checkpoint, tmp_path, capsys):
    limit = ("--shortest-window-s", 0.025, "--longest-window-s", 3, "--largest-level-change", "0.0000001")
    with exporter_gives(both_precisions.fp32):
        assert export(checkpoint, tmp_path / "stress", "--calibration", JFK_WAV, *limit) == 1
    said = capsys.readouterr().err
    assert "in half precision, the level changes by" in said
    assert "1e-07 is allowed" in said
    assert not (tmp_path / "stress").exists()


def test_torchscript_is_fp32(checkpoint, tmp_path, capsys):
    assert export(checkpoint, tmp_path / "stress", "--format", "torchscript") == 1
    assert "fp16 is for --format onnx" in capsys.readouterr().err
