"""The profile's shares are of the time a run takes, and none is counted twice."""

from __future__ import annotations

import time

from voicestress_model import export_model, random_checkpoint, stress_contract
from voicestress_model.agreement import onnx_logits, onnx_session

from load_tests.bench.operator_times import OTHERS, time_by_kind
from load_tests.bench.workload import mixed_speech


def test_the_kinds_add_up_to_the_time_that_a_run_takes(tmp_path):
    checkpoint = random_checkpoint("tiny")
    export_model(checkpoint, stress_contract(checkpoint), tmp_path / "stress")
    graph = tmp_path / "stress" / "1" / "model.onnx"
    windows = mixed_speech(8)
    audio_s = sum(map(len, windows)) / 16_000
    found = time_by_kind(graph, [windows[:4], windows[4:]], threads=1)

    session = onnx_session(graph, threads=1)
    onnx_logits(session, windows[:4])
    start = time.perf_counter()
    for batch in (windows[:4], windows[4:]):
        onnx_logits(session, batch)
    run_ms = 1000 * (time.perf_counter() - start) / audio_s
    assert 0.4 * run_ms < sum(found.values()) < 1.5 * run_ms  # the machine is shared; twice would be what loops hold
    assert next(iter(found)) == "matrix products"
    assert found[OTHERS] < 0.1 * sum(found.values())
