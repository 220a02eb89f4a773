"""An exported model says what it is, agrees with its checkpoint, and carries nothing of the machine it was made on."""

from __future__ import annotations

import dataclasses
import shutil
import urllib.request
from pathlib import Path

import numpy as np
import onnx
import pytest
from google.protobuf import text_format
from tritonclient.grpc import InferenceServerClient, model_config_pb2
from voicestress.cli import main
from voicestress.contract import StressContract
from voicestress_model.agreement import mixed_windows, onnx_logits, onnx_session, reference_logits
from voicestress_model.architectures import random_checkpoint
from voicestress_model.checkpoints import load_checkpoint
from voicestress_model.errors import ExportError
from voicestress_model.export import export_model, stress_contract
from voicestress_triton import TritonServer

from tests.client.test_serving_contract import infer
from tests.deploy.processes import becomes_true
from tests.model.conftest import exporter_gives, noise
from tests.model.test_checkpoints import save_classifier
from tests.paths import MODEL_REPOSITORY, ROOT


def read_config(folder):
    return text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())


def contract_of(folder):
    parameters = read_config(folder).parameters
    return StressContract.from_parameters({key: value.string_value for key, value in parameters.items()}, model="x")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repository") / "stress"
    assert main(["export", "--architecture", "tiny", "--response-cache", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def exports_at_once(exported):
    """Exporting the tiny architecture gives the file it gave before: for tests of what stands around it."""
    with exporter_gives(exported / "1" / "model.onnx"):
        yield


@pytest.mark.usefixtures("exports_at_once")
def test_exporting_again_leaves_no_variant_that_states_another_model_s_contract(exported, tmp_path, capsys):
    folder = shutil.copytree(exported, tmp_path / "stress")
    (folder / "configs" / "tuned.pbtxt").write_text((folder / "config.pbtxt").read_text())
    assert main(["export", "--architecture", "tiny", "--out", str(folder), "--longest-window-s", "4"]) == 0
    assert f"removed {folder}/configs/tuned.pbtxt" in capsys.readouterr().out
    assert [path.name for path in (folder / "configs").iterdir()] == ["gpu.pbtxt"]
    assert contract_of(folder).longest_window_s == 4
    assert not read_config(folder).response_cache.enable


@pytest.mark.usefixtures("exports_at_once")
def test_only_a_model_exported_for_it_answers_repeated_audio_from_the_cache(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "stress")
    assert main(["export", "--architecture", "tiny", "--out", str(tmp_path / "plain")]) == 0
    window, other = noise(20_000)[None], noise(20_000, seed=1)[None]
    with (
        TritonServer(tmp_path, metrics_port=0, response_cache_mb=4) as server,
        InferenceServerClient(server.url) as triton,
    ):

        def hits(model):
            with urllib.request.urlopen(server.metrics_url, timeout=10) as page:
                lines = page.read().decode().splitlines()
            named = f'nv_cache_num_hits_per_model{{model="{model}",'
            return sum(int(line.split()[-1]) for line in lines if line.startswith(named))

        plain = [infer(triton, "plain", window) for _ in range(2)]
        first = infer(triton, "stress", window)
        infer(triton, "stress", other)
        assert hits("stress") == 0
        again = infer(triton, "stress", window)
        assert becomes_true(lambda: hits("stress") == 1)
        assert hits("plain") == 0
        for logits in (again, *plain):
            np.testing.assert_array_equal(logits, first)


def test_the_config_describes_the_model(exported):
    config, contract = read_config(exported), contract_of(exported)
    assert (config.name, config.backend) == ("stress", "onnxruntime")
    assert config.input[0].allow_ragged_batch
    assert config.dynamic_batching.default_queue_policy.max_queue_size > 0
    assert config.response_cache.enable
    assert contract.labels == ("neutral", "sad", "anxious")
    assert contract.label_weights == (0, 0.5, 1)
    assert contract.weights == "random"
    assert contract.checkpoint == "tiny-random-seed-0"
    assert (contract.shortest_window_s, contract.longest_window_s) == (0.5, 8)


def test_the_graph_s_ends_are_those_of_the_serving_contract(exported):
    graph = onnx.load(exported / "1" / "model.onnx").graph
    ends = {
        value.name: (
            value.type.tensor_type.elem_type,
            [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim],
        )
        for value in [*graph.input, *graph.output]
    }
    assert ends == {
        "PCM": (onnx.TensorProto.INT16, ["samples"]),
        "LENGTHS": (onnx.TensorProto.INT32, ["batch", 1]),
        "LOGITS": (onnx.TensorProto.FLOAT, ["batch", 3]),
    }


def test_gelu_is_one_operator(exported):
    operators = {node.op_type for node in onnx.load(exported / "1" / "model.onnx").graph.node}
    assert "Gelu" in operators
    assert "Erf" not in operators


@pytest.mark.parametrize("folder", ["exported", "shipped"])
def test_the_graph_tells_nothing_of_the_machine_it_was_made_on(exported, folder):
    path = exported if folder == "exported" else MODEL_REPOSITORY / "stress"
    contents = (path / "1" / "model.onnx").read_bytes()
    for trace in (b'File "', b"site-packages", str(Path.home()).encode(), str(ROOT).encode()):
        assert trace not in contents


@pytest.mark.usefixtures("exports_at_once")
def test_disagreement_with_hugging_face_refuses_to_write(tmp_path):
    other = random_checkpoint("tiny", seed=1)
    with pytest.raises(ExportError, match="ONNX Runtime and Hugging Face disagree by"):
        export_model(other, stress_contract(other), tmp_path / "stress")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("exports_at_once")
def test_a_refused_export_leaves_the_model_that_was_there(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "stress")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    other = random_checkpoint("tiny", seed=1)
    with pytest.raises(ExportError):
        export_model(other, stress_contract(other), tmp_path / "stress")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_another_version_in_the_folder_is_not_overtaken_in_silence(tmp_path, capsys):
    (tmp_path / "stress" / "2").mkdir(parents=True)
    assert main(["export", "--architecture", "tiny", "--out", str(tmp_path / "stress")]) == 1
    assert "it holds version 2" in capsys.readouterr().err


def test_a_folder_that_can_not_be_made_is_refused_before_anything_is_exported(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert main(["export", "--architecture", "tiny", "--out", str(tmp_path / "file" / "stress")]) == 1
    assert "can't be written to" in capsys.readouterr().err


@pytest.mark.usefixtures("exports_at_once")
def test_a_model_is_named_after_its_folder_whatever_that_is_called(tmp_path, monkeypatch):
    folder = tmp_path / 'a "quoted" name'
    folder.mkdir()
    monkeypatch.chdir(folder)
    checkpoint = random_checkpoint("tiny")
    export_model(checkpoint, stress_contract(checkpoint), Path())
    assert read_config(folder).name == folder.name


def test_other_labels_need_weights_and_are_listed(tmp_path, capsys):
    save_classifier(tmp_path / "checkpoint")
    out = tmp_path / "stress"
    export = ["export", str(tmp_path / "checkpoint"), "--format", "torchscript", "--out", str(out)]
    assert main(export) == 1
    assert "its labels are neu, hap, ang, sad" in capsys.readouterr().err
    assert main([*export, "--label-weights", "neu=0,hap=0,ang=1,sad=0.5"]) == 0
    assert contract_of(out).label_weights == (0, 0, 1, 0.5)
    assert contract_of(out).weights == "trained"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--shortest-window-s", "0.01"], "shortest_window_samples"),
        (["--longest-window-s", "600"], "longest_window_samples"),
        (["--shortest-window-s", "5"], "at least twice the shortest"),
        (["--label-weights", "neutral=0,sad=0.5,anxious=2"], "label_weights"),
    ],
)
def test_a_value_out_of_range_is_refused_before_anything_is_exported(tmp_path, capsys, options, complaint):
    assert main(["export", "--architecture", "tiny", "--out", str(tmp_path / "stress"), *options]) == 1
    assert complaint in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        (["--shortest-window-s", "0"], "'0' is not a number of seconds above 0"),
        (["--longest-window-s", "nan"], "'nan' is not a number of seconds above 0"),
        (["--largest-level-change", "-1"], "'-1' is not a number of points from 0 to 100"),
        (["--largest-level-change", "nan"], "'nan' is not a number of points from 0 to 100"),
        (["--seed", "-1"], "'-1' is not a whole number, 0 or more"),
    ],
)
def test_what_is_no_such_number_is_wrong_usage(tmp_path, capsys, option, complaint):
    with pytest.raises(SystemExit) as exit_code:
        main(["export", "--architecture", "tiny", "--out", str(tmp_path / "stress"), *option])
    assert exit_code.value.code == 2
    assert f"argument {option[0]}: {complaint}" in capsys.readouterr().err


def test_an_exported_checkpoint_scores_as_the_checkpoint(tmp_path):
    save_classifier(tmp_path / "checkpoint", architecture="tiny-layer-norm", use_weighted_layer_sum=True)
    checkpoint = load_checkpoint(str(tmp_path / "checkpoint"))
    contract = stress_contract(checkpoint, label_weights=dict.fromkeys(checkpoint.detector.labels, 0.5))
    assert export_model(checkpoint, contract, tmp_path / "stress") < 1e-4
    windows = [noise(8000), noise(128_000), noise(20_001)]
    logits = onnx_logits(onnx_session(tmp_path / "stress" / "1" / "model.onnx"), windows)
    assert np.abs(logits - reference_logits(checkpoint, windows)).max() < 1e-4


def test_the_agreement_is_measured_from_the_shortest_to_the_longest_window():
    checkpoint = random_checkpoint("tiny")
    contract = stress_contract(dataclasses.replace(checkpoint, name="x"))
    lengths = sorted(len(window) for window in mixed_windows(contract))
    assert lengths[0] == contract.shortest_window_samples
    assert lengths[-1] == contract.longest_window_samples
    assert len(set(lengths)) == 5
