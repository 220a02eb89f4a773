"""How cost grows: throughput and memory against the batch, mixed lengths against equal and against padded ones."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from voicestress_model.agreement import Pcm, onnx_logits, onnx_session

from load_tests.bench.compare_engines import clock
from load_tests.bench.engines import Engine, padding_free
from load_tests.bench.workload import mixed_speech, speech

BATCH_SIZES = (1, 2, 4, 8, 16, 32)
LONGEST_S = 8.0
_WINDOWS = 32

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ByBatch:
    """By batch size: audio-seconds a second (medians) on mixed lengths and on equal ones; ``mixed_over_equal`` and
    ``mixed_over_alone`` (a batch against its windows one by one) compared round by round.
    """

    mixed: dict[int, float]
    equal: dict[int, float]
    mixed_over_equal: dict[int, float]
    mixed_over_alone: dict[int, float]


@dataclass(frozen=True)
class Growth:
    """``fp32`` and ``int8``; by batch size the mixed lengths ``padded``, by ``padded_with``; and peak memory in MB of
    one fp32 engine's process, with the longest windows the model takes.
    """

    fp32: ByBatch
    int8: ByBatch
    padded_with: str
    padded: dict[int, float]
    memory_mb: dict[int, float]


def measure(
    path: Path, int8: Path, padding: Engine, *, threads: int, rounds: int, batch_sizes: Sequence[int] = BATCH_SIZES
) -> Growth:
    """Measure the graphs at ``path`` and ``int8`` beside ``padding``, an engine that pads; all take turns on as much
    audio.
    """
    # First: engines keep the memory of their largest batch, and the padded one's leaves no room beside it.
    longest = [speech(LONGEST_S, np.random.default_rng(5)) for _ in range(max(batch_sizes))]
    memory_mb = {size: peak_memory_mb(path, longest[:size], threads) for size in batch_sizes}
    engines = [padding_free(graph, "padding-free", threads) for graph in (path, int8)]
    mixed = mixed_speech(_WINDOWS, seed=3)
    audio_s = sum(map(len, mixed)) / 16_000
    generator = np.random.default_rng(4)
    equal = [speech(audio_s / _WINDOWS, generator) for _ in mixed]
    ways = [(padding, mixed), *((engine, lengths) for engine in engines for lengths in (mixed, equal))]
    times = np.array(
        [[[clock(*way, size) for way in ways] for size in batch_sizes] for _ in range(rounds)]
    )  # [rounds, sizes, ways]

    def by_size(values: Floats) -> dict[int, float]:
        return dict(zip(batch_sizes, values.tolist(), strict=True))

    def compared(mixed: Floats, equal: Floats) -> ByBatch:  # both [rounds, sizes]
        return ByBatch(
            mixed=by_size(audio_s / np.median(mixed, axis=0)),
            equal=by_size(audio_s / np.median(equal, axis=0)),
            mixed_over_equal=by_size(np.median(equal / mixed, axis=0)),
            mixed_over_alone=by_size(np.median(mixed[:, :1] / mixed, axis=0)),
        )

    return Growth(
        fp32=compared(times[..., 1], times[..., 2]),
        int8=compared(times[..., 3], times[..., 4]),
        padded_with=padding.name,
        padded=by_size(audio_s / np.median(times[..., 0], axis=0)),
        memory_mb=memory_mb,
    )


def peak_memory_mb(path: Path, windows: Sequence[Pcm], threads: int) -> float:
    """The most memory a process of its own takes to load the graph and score one batch."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak_memory_mb, (path, list(windows), threads))


def _peak_memory_mb(path: Path, windows: list[Pcm], threads: int) -> float:
    onnx_logits(onnx_session(path, threads=threads), windows)
    # Not getrusage's, which a new process inherits from the one that started it.
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) / 1000
