"""Runs of a server that is a formula: one window at a time, each in the same time, from a queue that may be bounded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from voicestress_load.results import (
    REQUESTS,
    SERVER,
    Run,
    Slo,
    Step,
    figures_of,
    write_requests,
    write_run,
    write_server,
)

AUDIO_S = 2.0
SLO = Slo(p99_ms=200.0)
URL = "http://127.0.0.1:8002/metrics"


def served(
    rates, *, seconds=30.0, service_s=0.02, most_waiting=10**9, seed=1, outside_s=0.001, slo=SLO, lag_s=0.0,
    lag_bound_ms=50.0,
):  # fmt: skip
    """Requests, the server's metrics and the steps of Poisson arrivals at ``rates``, one after the other.

    ``outside_s`` of each answer is spent outside the server; ``lag_s`` is how late the last step's requests are sent.
    """
    rng = np.random.default_rng(seed)
    rows, done, free_s = [], [], 0.0
    for number, per_s in enumerate(rates):
        times = number * seconds + np.cumsum(rng.exponential(1 / per_s, int(2 * per_s * seconds) + 50))
        for meant_s in times[times < (number + 1) * seconds]:
            sent_s = meant_s + (lag_s if number == len(rates) - 1 else 0.0)
            waiting = sum(begun_s > sent_s for _, begun_s, _ in done[-most_waiting - 1 :]) if most_waiting < 1e6 else 0
            if waiting > most_waiting:
                answered_s, outcome = sent_s + 0.002, "rejected"
            else:
                begun_s = max(free_s, sent_s)
                free_s = begun_s + service_s
                done.append((sent_s, begun_s, free_s))
                answered_s, outcome = free_s + outside_s, "scored"
            error = "Overloaded" if outcome == "rejected" else ""
            rows.append((len(rows), number, 0, "window", "normal", "wav", meant_s, sent_s, answered_s, AUDIO_S, 64_000,
                         outcome, error))  # fmt: skip
    requests = pa.table(
        [list(column) for column in zip(*rows, strict=True)], schema=pa.schema([(f.name, f.type) for f in REQUESTS])
    )
    steps = []
    for number, per_s in enumerate(rates):
        from_s, until_s = number * seconds, (number + 1) * seconds
        figures = figures_of(requests, from_s, until_s)
        void = f"the generator was {figures.lag_p99_ms:.0f} ms late" if figures.lag_p99_ms > lag_bound_ms else None
        steps.append(
            Step(number=number, offered_per_s=float(per_s), callers=None, from_s=from_s, until_s=until_s,
                 figures=figures, void=void, misses=slo.misses(figures))
        )  # fmt: skip
    rejected_at = [row[8] for row in rows if row[11] == "rejected"]
    return requests, metrics(done, rejected_at, until_s=len(rates) * seconds + 1), steps


def metrics(done, rejected_at, *, until_s, every_s=1.0, model="stress"):
    """What Triton would export of windows with their times of coming, beginning and end; one window a batch."""
    ended = np.array([each[2] for each in done])
    waited_us = np.cumsum([1e6 * (begun - came) for came, begun, _ in done])
    computed_us = np.cumsum([1e6 * (end - begun) for _, begun, end in done])
    rows = []
    for at_s in np.arange(-0.5, until_s + every_s, every_s):
        count = int(np.searchsorted(ended, at_s))
        labels = f'model="{model}",version="1"'
        values = {
            ("nv_inference_request_success", labels): count,
            ("nv_inference_count", labels): count,
            ("nv_inference_exec_count", labels): count,
            ("nv_inference_queue_duration_us", labels): waited_us[count - 1] if count else 0.0,
            ("nv_inference_compute_infer_duration_us", labels): computed_us[count - 1] if count else 0.0,
            ("nv_inference_pending_request_count", labels): sum(came <= at_s < begun for came, begun, _ in done),
            ("nv_inference_request_failure", f'model="{model}",reason="REJECTED",version="1"'): sum(
                at <= at_s for at in rejected_at
            ),
            ("nv_inference_request_success", 'model="another",version="1"'): 10 * at_s,
            ("nv_cpu_utilization", ""): 0.75,
            ("nv_cpu_memory_used_bytes", ""): 2e9 + 1e6 * at_s,
        }
        rows += [(at_s, URL, name, found, float(value)) for (name, found), value in values.items()]
    return pa.table([list(column) for column in zip(*rows, strict=True)], schema=SERVER)


def keep(folder: Path, requests, server, steps, *, slo=SLO, **other) -> Run:
    """Write a run as the runner does."""
    met = [step for step in steps if step.void is None and not step.misses]
    kept = max(met, key=lambda step: step.offered_per_s, default=None)
    settings = {
        "command": "voicestress load run utterances --url 127.0.0.1:8001",
        "started_at": "2026-01-02T03:04:05Z",
        "mode": "open",
        "shape": "search",
        "protocol": "grpc",
        "urls": ["127.0.0.1:8001"],
        "model": "stress",
        "model_version": "1",
        "workload": {"component": [{"name": "window", "lengths": {"distribution": "fixed", "seconds": AUDIO_S}}]},
        "workload_name": "windows",
        "seed": 1,
        "kept_step": kept.number if kept and other.get("shape", "search") == "search" else None,
        "lag_bound_ms": 50.0,
        "void": None,
        "versions": {"voicestress": "0.1.0", "triton": "2.51.0"},
        "processor": "a processor",
        "cores": 2,
        "workers": 1,
    }
    run = Run(slo=slo, steps=steps, **{**settings, **other})
    write_run(folder, run)
    write_requests(folder, requests)
    if server is not None:
        write_server(folder, server)
    return run
