"""How cost grows: throughput and memory against the batch, equal lengths against mixed ones."""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from voicestress_model.agreement import Pcm, onnx_logits, onnx_session

from load_tests.bench.compare_engines import clock
from load_tests.bench.engines import padding_free
from load_tests.bench.workload import mixed_speech, speech

BATCH_SIZES = (1, 2, 4, 8, 16, 32)
_WINDOWS = 32


@dataclass(frozen=True)
class Growth:
    """By batch size: audio-seconds a second on mixed and on equal lengths (medians), and peak memory in MB."""

    mixed: dict[int, float]
    equal: dict[int, float]
    mixed_over_equal: dict[int, float]
    memory_mb: dict[int, float]


def measure(path: Path, *, threads: int, rounds: int) -> Growth:
    """Measure the graph at ``path``; mixed and equal lengths hold the same audio and take turns."""
    engine = padding_free(path, "padding-free", threads)
    mixed = mixed_speech(_WINDOWS, seed=3)
    audio_s = sum(map(len, mixed)) / 16_000
    generator = np.random.default_rng(4)
    equal = [speech(audio_s / _WINDOWS, generator) for _ in mixed]
    times = np.array(
        [[[clock(engine, windows, size) for windows in (mixed, equal)] for size in BATCH_SIZES] for _ in range(rounds)]
    )  # [rounds, sizes, 2]
    rates = audio_s / np.median(times, axis=0)  # [sizes, 2]
    ratios = np.median(times[..., 1] / times[..., 0], axis=0)  # [sizes]
    return Growth(
        mixed=dict(zip(BATCH_SIZES, rates[:, 0].tolist(), strict=True)),
        equal=dict(zip(BATCH_SIZES, rates[:, 1].tolist(), strict=True)),
        mixed_over_equal=dict(zip(BATCH_SIZES, ratios.tolist(), strict=True)),
        memory_mb={size: peak_memory_mb(path, mixed[:size], threads) for size in BATCH_SIZES},
    )


def peak_memory_mb(path: Path, windows: Sequence[Pcm], threads: int) -> float:
    """The most memory a process of its own takes to load the graph and score one batch."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak_memory_mb, (path, list(windows), threads))


def _peak_memory_mb(path: Path, windows: list[Pcm], threads: int) -> float:
    onnx_logits(onnx_session(path, threads=threads), windows)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
