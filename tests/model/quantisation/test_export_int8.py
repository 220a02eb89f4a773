"""``voicestress export --precision int8``: what it says, what it refuses, and that Triton serves it."""

from __future__ import annotations

import numpy as np
import pytest
from voicestress import StressClient
from voicestress.cli import main
from voicestress_audio import read_recording
from voicestress_model.agreement import onnx_logits, onnx_session
from voicestress_model.quantisation import level_change, read_calibration
from voicestress_triton import TritonServer

from tests.model.conftest import exporter_gives
from tests.model.test_export import contract_of
from tests.paths import JFK_WAV


@pytest.fixture(scope="module")
def saved(checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints") / "lively"
    checkpoint.save(folder)
    return folder


@pytest.fixture
def export(saved, both_precisions):
    """``voicestress export --precision int8`` with a folder and more options, of a graph that was made before."""

    def run(out, *options):
        bounds = ("--shortest-window-s", "0.025", "--longest-window-s", "3")
        with exporter_gives(both_precisions.fp32):
            return main(["export", str(saved), "--precision", "int8", "--out", str(out), *bounds, *map(str, options)])

    return run


def test_the_figures_are_those_of_the_half_it_was_not_calibrated_on(graphs, recordings):
    held_out = read_calibration([recordings], graphs.contract).held_out
    measured = level_change(graphs.fp32, graphs.int8, graphs.contract, held_out)
    assert measured == graphs.exported.change
    assert measured.windows == len(held_out)
    assert 0 < measured.mean <= measured.largest < 1.0


def test_a_change_beyond_the_limit_is_refused_and_nothing_is_written(export, recordings, tmp_path, capsys):
    limit = ("--largest-level-change", "0.00001")
    assert export(tmp_path / "int8", "--calibration", recordings, *limit) == 1
    said = capsys.readouterr().err
    assert "points of 100 on average" in said
    assert "1e-05 is allowed" in said
    assert "--largest-level-change" in said
    assert list(tmp_path.iterdir()) == []


def test_int8_without_speech_to_calibrate_on_is_refused(export, tmp_path, capsys):
    assert export(tmp_path / "int8") == 1
    assert "--calibration" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_command_prints_what_int8_costs_and_triton_serves_the_levels_that_the_graph_gives(
    export, recordings, tmp_path, capsys
):
    folder = tmp_path / "repository" / "int8"
    assert export(folder, "--calibration", recordings) == 0
    printed = capsys.readouterr().out
    assert "points of 100 on average" in printed
    assert "at most" in printed
    assert "the status agrees on" in printed
    contract = contract_of(folder)
    assert contract.precision == "int8"
    windows = read_recording(
        JFK_WAV,
        shortest_window_samples=contract.shortest_window_samples,
        longest_window_samples=contract.longest_window_samples,
    ).windows
    logits = onnx_logits(onnx_session(folder / "1" / "model.onnx"), [window.pcm for window in windows])
    with TritonServer(folder.parent) as server, StressClient(server.url, model="int8") as client:
        report = client.analyze(JFK_WAV)
    assert report.model.precision == "int8"
    served = [window.stress_level for window in report.windows]
    assert np.abs(served - contract.levels(contract.emotions(logits))).max() < 0.005
