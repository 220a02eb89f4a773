"""Engines on one workload, in turns: each at its best batch size, against Hugging Face eager and against the ceiling.

Recordings of mixed lengths come in the order they would arrive; nobody sorts them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from voicestress_model.agreement import Pcm

from load_tests.bench.engines import Engine

BATCH_SIZES = (1, 2, 4, 8)
_REST_S = 0.5  # engines' threads spin while they wait, and would disturb the next


@dataclass(frozen=True)
class EngineFigures:
    """``by_batch_size`` and ``audio_s_per_s`` (the median at the best size) are audio-seconds a second.

    ``ratio``, with its range, is against the first engine, round by round.
    """

    name: str
    by_batch_size: dict[int, float]
    batch_size: int
    audio_s_per_s: float
    ratio: float
    lowest: float
    highest: float


def compare(
    engines: Sequence[Engine], windows: Sequence[Pcm], *, rounds: int, batch_sizes: Sequence[int] = BATCH_SIZES
) -> list[EngineFigures]:
    """Figures of each engine on ``windows``; the first is what the others are held against."""
    audio_s = sum(map(len, windows)) / 16_000
    by_size: dict[str, dict[int, float]] = {}
    for engine in engines:
        for size in batch_sizes:
            clock(engine, windows, size)  # what is compiled at lengths it has not seen is not counted
            by_size.setdefault(engine.name, {})[size] = audio_s / clock(engine, windows, size)
    best = {name: max(rates, key=rates.__getitem__) for name, rates in by_size.items()}
    times = np.array([[clock(engine, windows, best[engine.name]) for engine in engines] for _ in range(rounds)])
    ratios = times[:, :1] / times  # [rounds, engines]
    return [
        EngineFigures(
            engine.name,
            by_size[engine.name],
            best[engine.name],
            audio_s / float(np.median(times[:, place])),
            float(np.median(ratios[:, place])),
            float(ratios[:, place].min()),
            float(ratios[:, place].max()),
        )
        for place, engine in enumerate(engines)
    ]


def clock(engine: Engine, windows: Sequence[Pcm], batch_size: int) -> float:
    """Wall seconds for all windows in batches, after a pause and a first batch that doesn't count."""
    time.sleep(_REST_S)
    engine.run(windows[:batch_size])
    start = time.perf_counter()
    for at in range(0, len(windows), batch_size):
        engine.run(windows[at : at + batch_size])
    return time.perf_counter() - start
