"""The profile's shares are of the time a run takes, and none is counted twice."""

from __future__ import annotations

import time

from load_tests.bench.operator_times import OTHERS, time_by_kind
from load_tests.bench.workload import mixed_speech


def test_the_kinds_add_up_to_the_time_that_a_run_takes(tiny_model):
    graph = tiny_model / "1" / "model.onnx"
    windows = mixed_speech(8)
    audio_s = sum(map(len, windows)) / 16_000
    start = time.perf_counter()
    found = time_by_kind(graph, [windows[:4], windows[4:]], threads=1)
    assert 0 < sum(found.values()) * audio_s < 1000 * (time.perf_counter() - start)
    assert next(iter(found)) == "matrix products"
    # Were anything counted twice, as what a loop holds would be, less than nothing would be left.
    assert 0 <= found[OTHERS] < 0.4 * sum(found.values())
