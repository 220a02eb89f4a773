"""Peak memory is that of the batch, not of whoever asked for it."""

from __future__ import annotations

import numpy as np
import pytest
from voicestress_model import export_model, random_checkpoint, stress_contract

from load_tests.bench.growth import peak_memory_mb
from load_tests.bench.workload import mixed_speech


@pytest.mark.slow
def test_peak_memory_grows_with_the_batch_and_not_with_the_process_that_measures(tmp_path):
    checkpoint = random_checkpoint("tiny")
    export_model(checkpoint, stress_contract(checkpoint), tmp_path / "stress")
    graph = tmp_path / "stress" / "1" / "model.onnx"
    windows = mixed_speech(32, shortest_s=8.0, longest_s=8.0)
    ballast = np.ones(150_000_000, np.float64)  # 1.2 GB, touched
    one, many = (peak_memory_mb(graph, windows[:size], 1) for size in (1, 32))
    assert ballast[-1] == 1
    assert one < many < 1_200
