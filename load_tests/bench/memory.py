"""How much memory a server takes, and whether requests can make it take more."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from voicestress_model.agreement import Pcm
from voicestress_triton import TritonServer
from voicestress_triton.tuning.settings import Queue, Setting, config_with

from load_tests.bench.arrivals import closed_loop, open_loop
from load_tests.bench.workload import speech

BATCH_SIZES = (1, 2, 4, 8)
LONGEST_S, OVERLONG_S = 8.0, 80.0
_QUEUE = Queue(64, 60.0)
_OVERLONG = 128  # requests at once: a full queue, and as many again that it turns away
_VARIANT = "measured"
# A look at a gigabyte holds the kernel's lock on it for 20 ms: often, it would slow down what it measures.
_LOOK_EVERY_S = 0.5


@dataclass(frozen=True)
class Memory:
    """MB of a Triton and all its processes together, shared pages once: ``idle`` after its start, ``busy`` at most with
    a queue full of the longest windows, both by the largest batch that the configuration allows; and ``overlong`` at
    most, with batches of the first size, when as many windows come that are ten times too long.
    """

    idle_mb: dict[int, float]
    busy_mb: dict[int, float]
    overlong_mb: float
    overlong_s: float
    queue_windows: int


def measure(model: Path, *, threads: int, seconds: float, batch_sizes: Sequence[int] = BATCH_SIZES) -> Memory:
    """Serve ``model`` with one instance and batches of up to each of ``batch_sizes``, each time for ``seconds``."""
    generator = np.random.default_rng(8)
    longest = [speech(LONGEST_S, generator) for _ in range(8)]
    idle, busy = {}, {}
    for size in batch_sizes:
        with _serving(model, Setting(instances=1, threads=threads, max_batch_size=size)) as server:
            idle[size] = memory_mb(server.pid)
            busy[size] = _while_busy(server, longest, seconds)
    with _serving(model, Setting(instances=1, threads=threads, max_batch_size=batch_sizes[0])) as server:
        overlong_mb = _while_flooded(server, np.tile(longest[0], round(OVERLONG_S / LONGEST_S)))
    return Memory(idle, busy, overlong_mb, OVERLONG_S, _QUEUE.windows)


@contextlib.contextmanager
def _serving(model: Path, setting: Setting) -> Iterator[TritonServer]:
    variant = model / "configs" / f"{_VARIANT}.pbtxt"
    variant.parent.mkdir(exist_ok=True)
    config = (model / "config.pbtxt").read_text(encoding="utf-8")
    variant.write_text(config_with(config, setting, queue=_QUEUE), encoding="utf-8")
    try:
        with TritonServer(model.parent, model_config_name=_VARIANT) as server:
            yield server
    finally:
        variant.unlink()


def _while_busy(server: TritonServer, windows: Sequence[Pcm], seconds: float) -> float:
    with MemoryWatch(server.pid) as watch:
        asyncio.run(
            closed_loop(
                server.url, windows, callers=_QUEUE.windows, seconds=seconds, deadline_s=2 * seconds, finish=False
            )
        )
    return watch.largest_mb()


def _while_flooded(server: TritonServer, window: Pcm) -> float:
    with MemoryWatch(server.pid) as watch:
        asyncio.run(open_loop(server.url, [window], [0.0] * _OVERLONG, deadline_s=60.0))
    return watch.largest_mb()


class MemoryWatch:
    """Watches the memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        self._pid, self._over = pid, threading.Event()
        self._seen: list[tuple[float, float]] = []  # seconds since it began to watch, and MB
        self._watch = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()

    def largest_mb(self, *, until_s: float = math.inf) -> float:
        """The most there was in the first ``until_s`` seconds."""
        return max((mb for at_s, mb in self._seen if at_s < until_s), default=0.0)

    def _look(self) -> None:
        start = time.monotonic()
        while not self._over.wait(_LOOK_EVERY_S):
            self._seen.append((time.monotonic() - start, memory_mb(self._pid)))


def memory_mb(pid: int) -> float:
    """Proportional set size of a process and all its descendants, in MB: shared pages count once."""
    total_kb = 0
    for process in _family(pid):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except (OSError, ProcessLookupError):  # it is gone
            continue
        total_kb += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total_kb / 1000


def _family(pid: int) -> list[int]:
    family = [pid]
    for member in family:
        for task in Path(f"/proc/{member}/task").glob("*/children"):
            try:
                family += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
    return family
