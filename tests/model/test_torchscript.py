"""The TorchScript model, the ONNX one's twin: Hugging Face's logits whatever the batch, nothing of this machine."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from voicestress.cli import main
from voicestress_model.agreement import reference_logits, torchscript_logits
from voicestress_model.architectures import random_checkpoint
from voicestress_model.checkpoints import load_checkpoint
from voicestress_model.errors import ExportError
from voicestress_model.export import export_model, packed_model, stress_contract
from voicestress_model.heads import HEADS, build_head
from voicestress_model.torchscript_graph import load_torchscript, write_torchscript

from tests.model.conftest import noise, with_lively_weights
from tests.model.test_checkpoints import save_classifier
from tests.model.test_export import contract_of, read_config
from tests.model.test_packed import NEIGHBOUR_TOLERANCE, NEIGHBOURS, REFERENCE_TOLERANCE
from tests.paths import MODEL_REPOSITORY, ROOT

SHIPPED = MODEL_REPOSITORY / "stress_torchscript"
# Batches that have nothing in common, in their order: the second run must not remember the first.
BATCHES = ([8_000], [48_000, 8_001, 30_000], [8_000] * 9, [20_479, 20_480, 20_481, 8_319, 8_321], [48_000])


def written(checkpoint, folder: Path):
    contract = stress_contract(checkpoint, longest_window_s=3.0)
    write_torchscript(packed_model(checkpoint, contract), folder / "model.pt")
    return load_torchscript(folder / "model.pt")


@pytest.fixture(scope="module")
def scripted(checkpoint, tmp_path_factory):
    return written(checkpoint, tmp_path_factory.mktemp("torchscript"))


def test_logits_are_hugging_face_s_whatever_the_batch(scripted, checkpoint):
    for number, lengths in enumerate(BATCHES):
        windows = [noise(length, seed=number + length) for length in lengths]
        logits = torchscript_logits(scripted, windows)
        assert np.abs(logits - reference_logits(checkpoint, windows)).max() < REFERENCE_TOLERANCE


@pytest.mark.parametrize("neighbours", NEIGHBOURS.values(), ids=NEIGHBOURS.keys())
def test_logits_do_not_depend_on_neighbours(scripted, neighbours):
    window = noise(20_001)
    alone = torchscript_logits(scripted, [window])[0]
    together = torchscript_logits(scripted, [*neighbours, window, *neighbours])[len(neighbours)]
    assert np.abs(together - alone).max() < NEIGHBOUR_TOLERANCE


@pytest.mark.parametrize("samples", [0, 1, 79, 7_999, 48_001])
def test_a_window_out_of_bounds_gets_nan_and_its_neighbour_does_not(scripted, samples):
    logits = torchscript_logits(scripted, [noise(samples), noise(9_000)])
    assert np.isnan(logits[0]).all()
    assert np.isfinite(logits[1]).all()


def test_two_runs_are_equal_even_of_a_model_that_was_left_in_training(tmp_path):
    checkpoint = with_lively_weights(random_checkpoint("tiny"))
    for module in checkpoint.detector.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.5
    model = packed_model(checkpoint, stress_contract(checkpoint))
    model.train()
    write_torchscript(model, tmp_path / "model.pt")
    scripted = load_torchscript(tmp_path / "model.pt")
    assert not any(module.training for module in scripted.modules())
    windows = [noise(20_001), noise(8_000)]
    first, second = (torchscript_logits(scripted, windows) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - reference_logits(checkpoint, windows)).max() < REFERENCE_TOLERANCE


def test_runs_with_the_executor_s_own_optimisation_agree_too(scripted, checkpoint):
    for lengths in BATCHES:
        windows = [noise(length, seed=length) for length in lengths]
        counts = torch.tensor([[length] for length in lengths], dtype=torch.int32)
        with torch.inference_mode():
            logits = scripted(torch.from_numpy(np.concatenate(windows)), counts).numpy()
        assert np.abs(logits - reference_logits(checkpoint, windows)).max() < REFERENCE_TOLERANCE


@pytest.mark.parametrize("kind", HEADS)
def test_every_head_compiles(kind, tmp_path):
    checkpoint = random_checkpoint("tiny")
    checkpoint.detector.config.stress_head = {"kind": kind, "bottleneck": 8}
    checkpoint.detector.head = build_head(checkpoint.detector.config).eval()
    checkpoint = with_lively_weights(checkpoint)
    windows = [noise(20_001), noise(8_000)]
    logits = torchscript_logits(written(checkpoint, tmp_path), windows)
    assert np.abs(logits - reference_logits(checkpoint, windows)).max() < REFERENCE_TOLERANCE


def test_a_weighted_sum_of_layers_compiles(tmp_path):
    save_classifier(tmp_path / "checkpoint", architecture="tiny-layer-norm", use_weighted_layer_sum=True)
    checkpoint = load_checkpoint(str(tmp_path / "checkpoint"))
    contract = stress_contract(checkpoint, label_weights=dict.fromkeys(checkpoint.detector.labels, 0.5))
    assert export_model(checkpoint, contract, tmp_path / "stress", format="torchscript") < 1e-4


def test_the_file_names_no_device_so_that_it_runs_on_any(scripted, tmp_path):
    with zipfile.ZipFile(SHIPPED / "1" / "model.pt") as archive:
        code = b"".join(archive.read(name) for name in archive.namelist() if name.endswith(".py"))
    assert b"torch.arange(" in code
    assert b"torch.device(" not in code
    assert b"cuda:" not in code


def test_the_file_tells_nothing_of_the_machine_it_was_made_on():
    with zipfile.ZipFile(SHIPPED / "1" / "model.pt") as archive:
        contents = b"".join(archive.read(name) for name in archive.namelist())
    for trace in (b"site-packages", str(Path.home()).encode(), str(ROOT).encode(), b"voicestress_model/packed"):
        assert trace not in contents


def test_the_same_model_is_written_as_the_same_bytes(tmp_path):
    checkpoint = random_checkpoint("tiny")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        written(checkpoint, tmp_path / name)
    assert (tmp_path / "a" / "model.pt").read_bytes() == (tmp_path / "b" / "model.pt").read_bytes()


def test_exporting_warns_of_nothing(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        written(random_checkpoint("tiny"), tmp_path)


def test_the_command_writes_a_model_for_the_pytorch_backend(tmp_path, capsys):
    folder = tmp_path / "stress_torchscript"
    assert main(["export", "--architecture", "tiny", "--format", "torchscript", "--out", str(folder)]) == 0
    assert "TorchScript and Hugging Face agree to" in capsys.readouterr().out
    config = read_config(folder)
    assert (config.name, config.backend) == ("stress_torchscript", "pytorch")
    assert [path.name for path in (folder / "1").iterdir()] == ["model.pt"]
    assert not config.response_cache.enable


def test_names_are_those_of_forward_s_arguments_as_the_cpp_backend_wants_them():
    config = read_config(SHIPPED)
    _, *arguments = load_torchscript(SHIPPED / "1" / "model.pt").forward.schema.arguments
    assert [argument.name for argument in arguments] == [config.input[0].name, *config.batch_input[0].target_name]
    assert [output.name for output in config.output] == ["LOGITS"]


def test_the_shipped_model_is_the_shipped_onnx_model_s_twin():
    assert contract_of(SHIPPED) == contract_of(MODEL_REPOSITORY / "stress")
    checkpoint = load_checkpoint(str(ROOT / "model" / "voicestress-demo"))
    windows = [noise(20_001), noise(8_000), noise(128_000)]
    logits = torchscript_logits(load_torchscript(SHIPPED / "1" / "model.pt"), windows)
    assert np.abs(logits - reference_logits(checkpoint, windows)).max() < REFERENCE_TOLERANCE


def test_disagreement_with_hugging_face_refuses_to_write(tmp_path):
    checkpoint = random_checkpoint("tiny")
    with torch.no_grad():
        checkpoint.detector.head.layers[-1].weight.mul_(1e8)
    with pytest.raises(ExportError, match="TorchScript and Hugging Face disagree by"):
        export_model(checkpoint, stress_contract(checkpoint), tmp_path / "stress", format="torchscript")
    assert list(tmp_path.iterdir()) == []
