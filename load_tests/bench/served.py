"""What serving costs on top of the engine: throughput when busy, latency when idle, waiting against queueing theory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tritonclient.grpc.aio import InferenceServerClient
from voicestress_model.agreement import Pcm

from load_tests.bench.arrivals import Answer, ask, busy_per_s, closed_loop, open_loop, poisson_times
from load_tests.bench.compare_engines import clock
from load_tests.bench.engines import Engine
from load_tests.bench.workload import mixed_speech

_LOADS = (0.3, 0.5, 0.7, 0.85, 0.95)
_ALONE = 24
_PAUSE_S = 0.1  # an engine's threads spin for up to 40 ms after it has answered, and would disturb the other


@dataclass(frozen=True)
class Load:
    """Latencies at a share of saturation, and the 99th percentile one server with a first-come queue would give."""

    share: float
    p50_s: float
    p95_s: float
    p99_s: float
    queue_p99_s: float


@dataclass(frozen=True)
class Served:
    """``served_over_direct`` is the median over rounds. Idle latencies are means over windows that were scored one at a
    time, directly and served in turns, each the median of its rounds.
    """

    direct_audio_s_per_s: float
    served_audio_s_per_s: float
    served_over_direct: float
    idle_direct_s: float
    idle_served_s: float
    loads: tuple[Load, ...]


def measure(url: str, engine: Engine, *, batch_size: int, rounds: int, seconds: float) -> Served:
    """Measure the server at ``url`` against ``engine``, the same graph called here with batches of ``batch_size``."""
    windows = mixed_speech(64, seed=5)
    audio_s = sum(map(len, windows)) / 16_000
    direct, served = [], []
    for _ in range(rounds):
        direct.append(audio_s / clock(engine, windows, batch_size))
        answers = asyncio.run(closed_loop(url, windows, callers=32, seconds=seconds, deadline_s=120))
        served.append(busy_per_s(answers, from_s=seconds / 4, until_s=seconds))
    alone = np.median([asyncio.run(_in_turns(url, engine, windows[:_ALONE])) for _ in range(rounds)], axis=0)
    idle_direct_s, idle_served_s = alone.mean(axis=0).tolist()
    return Served(
        direct_audio_s_per_s=float(np.median(direct)),
        served_audio_s_per_s=float(np.median(served)),
        served_over_direct=float(np.median(np.array(served) / np.array(direct))),
        idle_direct_s=idle_direct_s,
        idle_served_s=idle_served_s,
        loads=tuple(_under(share, url, engine, windows, float(np.median(served)), seconds) for share in _LOADS),
    )


async def _in_turns(url: str, engine: Engine, windows: Sequence[Pcm]) -> npt.NDArray[np.float64]:
    """Seconds ``[windows, 2]`` of each window alone, called directly and then through an idle server."""
    async with InferenceServerClient(url) as triton:
        times = []
        for window in windows:
            await asyncio.sleep(_PAUSE_S)
            direct_s = _seconds(engine, window)
            await asyncio.sleep(_PAUSE_S)
            start = time.perf_counter()
            await ask(triton, url, "stress", window, deadline_s=120)
            times.append((direct_s, time.perf_counter() - start))
    return np.array(times)


def _under(share: float, url: str, engine: Engine, windows: Sequence[Pcm], rate: float, seconds: float) -> Load:
    mean_s = float(np.mean([len(window) for window in windows])) / 16_000
    times = poisson_times(share * rate / mean_s, 4 * seconds, seed=int(100 * share))
    # Before and after: the machine is not the same from minute to minute.
    before = [_seconds(engine, window) for window in windows]
    answers = asyncio.run(open_loop(url, windows, times, deadline_s=120))
    after = [_seconds(engine, window) for window in windows]
    service = [*before, *after]
    queued = first_come_latencies(times, [service[number % len(service)] for number in range(len(times))])
    latencies = [answer.latency_s for answer in _scored(answers)]
    p50, p95, p99 = np.percentile(latencies, (50, 95, 99)).tolist()
    return Load(share, p50, p95, p99, float(np.percentile(queued, 99)))


def first_come_latencies(times_s: Sequence[float], service_s: Sequence[float]) -> list[float]:
    """Latencies of a single server that takes requests in the order of their ``times_s`` (Lindley's recursion)."""
    free_s, latencies = 0.0, []
    for arrives_s, takes_s in zip(times_s, service_s, strict=True):
        free_s = max(free_s, arrives_s) + takes_s
        latencies.append(free_s - arrives_s)
    return latencies


def _scored(answers: Sequence[Answer]) -> list[Answer]:
    lost = [answer for answer in answers if answer.outcome != "scored"]
    if lost:
        raise RuntimeError(f"{len(lost)} of {len(answers)} requests were not scored: {lost[0].outcome}")
    return list(answers)


def _seconds(engine: Engine, window: Pcm) -> float:
    start = time.perf_counter()
    engine.run([window])
    return time.perf_counter() - start
