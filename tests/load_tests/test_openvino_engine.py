"""OpenVINO is compared where somebody has put it, on graphs that give what the exported one gives."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from voicestress_model import random_checkpoint, stress_contract
from voicestress_model.agreement import mixed_windows, onnx_logits, onnx_session, reference_logits

from load_tests.bench import openvino_engine
from tests.model.conftest import with_lively_weights


def test_without_openvino_it_says_where_to_read_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["openvino_engine", "--architecture", "tiny", "--out", str(tmp_path)])
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if "openvino" not in entry])
    with pytest.raises(SystemExit, match="openvino is not installed: see the head of this file"):
        openvino_engine.main()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_without_its_loop_a_graph_is_the_same_model(tmp_path):
    checkpoint = with_lively_weights(random_checkpoint("tiny"))
    graphs = openvino_engine.write_graphs(checkpoint, tmp_path)
    windows = mixed_windows(stress_contract(checkpoint))
    exact = reference_logits(checkpoint, windows)
    for name in ("as exported", "one tile"):
        assert np.abs(onnx_logits(onnx_session(graphs[name]), windows) - exact).max() < 1e-4, name
