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


@dataclass(frozen=True)
class Growth:
    """By batch size: audio-seconds a second (medians) on mixed lengths, on equal ones and, by ``padded_with``, on the
    mixed ones padded; ``mixed_over_equal`` and ``mixed_over_alone`` (a batch against its windows one by one) round by
    round; peak memory in MB with the longest windows the model takes, of one engine's process.
    """

    padded_with: str
    mixed: dict[int, float]
    equal: dict[int, float]
    padded: dict[int, float]
    mixed_over_equal: dict[int, float]
    mixed_over_alone: dict[int, float]
    memory_mb: dict[int, float]


def measure(
    path: Path, padding: Engine, *, threads: int, rounds: int, batch_sizes: Sequence[int] = BATCH_SIZES
) -> Growth:
    """Measure the graph at ``path`` beside ``padding``, an engine that pads; all take turns on as much audio."""
    # First: engines keep the memory of their largest batch, and the padded one's leaves no room beside it.
    longest = [speech(LONGEST_S, np.random.default_rng(5)) for _ in range(max(batch_sizes))]
    memory_mb = {size: peak_memory_mb(path, longest[:size], threads) for size in batch_sizes}
    engine = padding_free(path, "padding-free", threads)
    mixed = mixed_speech(_WINDOWS, seed=3)
    audio_s = sum(map(len, mixed)) / 16_000
    generator = np.random.default_rng(4)
    equal = [speech(audio_s / _WINDOWS, generator) for _ in mixed]
    ways = ((engine, mixed), (engine, equal), (padding, mixed))
    times = np.array(
        [[[clock(*way, size) for way in ways] for size in batch_sizes] for _ in range(rounds)]
    )  # [rounds, sizes, ways]
    rates = audio_s / np.median(times, axis=0)  # [sizes, ways]
    over_equal = np.median(times[..., 1] / times[..., 0], axis=0)  # [sizes]
    over_alone = np.median(times[:, :1, 0] / times[..., 0], axis=0)  # [sizes]

    def by_size(values: npt.NDArray[np.float64]) -> dict[int, float]:
        return dict(zip(batch_sizes, values.tolist(), strict=True))

    return Growth(
        padded_with=padding.name,
        mixed=by_size(rates[:, 0]),
        equal=by_size(rates[:, 1]),
        padded=by_size(rates[:, 2]),
        mixed_over_equal=by_size(over_equal),
        mixed_over_alone=by_size(over_alone),
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
