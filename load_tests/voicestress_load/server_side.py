"""What the metrics that were read during a run say of Triton: waiting, computing, batches, memory, by the run's clock.

Triton's counters count finished requests: a mean over a time is the difference of two sums over the difference of two
counts. All servers are added up, but for a mean, which is over all their requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]

_COMPUTE = tuple(f"nv_inference_compute_{part}_duration_us" for part in ("input", "infer", "output"))
_MEMORY = {
    "process_resident_memory_bytes": "of its process",
    "nv_gpu_memory_used_bytes": "of its GPUs",
    "nv_cpu_memory_used_bytes": "of the whole machine",
}
_REJECTED = re.compile(r'reason="REJECTED"')


@dataclass(frozen=True)
class ServerFigures:
    """The server from one time to another; None is what its metrics do not tell.

    ``queue_ms`` and ``compute_ms`` are means over requests. ``batch`` is windows an execution. ``busy`` is executions
    at once, on average and of all servers together: 0.5 is one server computing half of the time. ``pending`` is the
    most that waited when it was read, ``memory_mb`` the most that was in use. ``processor`` is the share of the
    machine's processors that anything used, on average.
    """

    requests_per_s: float
    rejected_per_s: float
    batch: float | None
    queue_ms: float | None
    compute_ms: float | None
    busy: float | None
    pending: float | None
    memory_mb: float | None
    processor: float | None


class ServerSide:
    """The metrics of one model over a run.

    Args:
        table: what was read, as ``results.SERVER``.
        model: the model's name, or None for all models there are.
    """

    def __init__(self, table: pa.Table, model: str | None = None) -> None:
        self._series = _series(table, model)
        read: dict[str, list[float]] = {}
        for server, at_s in zip(table.column("server").to_pylist(), table.column("at_s").to_pylist(), strict=True):
            read.setdefault(server, []).append(at_s)
        self.servers = sorted(read)
        self._first_s = {server: min(times) for server, times in read.items()}
        self.from_s = max(self._first_s.values(), default=0.0)
        self.until_s = min((max(times) for times in read.values()), default=0.0)
        # What its memory figure counts, in words; empty if it has none.
        self.memory_of = next((words for name, words in _MEMORY.items() if name in self._series), "")

    @property
    def computing(self) -> int:
        """How many of the servers compute with the model, and are no gateway."""
        return len({server for server, _ in self._series.get("nv_inference_exec_count", {})})

    def between(self, from_s: float, until_s: float) -> ServerFigures | None:
        """What it did from ``from_s`` to ``until_s``; None where nothing was read in that time."""
        from_s, until_s = max(from_s, self.from_s), min(until_s, self.until_s)
        if until_s - from_s <= 0:
            return None
        edges = np.array([from_s, until_s])

        def grown(name: str, which: Callable[[str], bool] = lambda labels: True) -> float:
            return float(np.diff(self._counter(name, edges, which))[0])

        requests, executions = grown("nv_inference_request_success"), grown("nv_inference_exec_count")
        windows = grown("nv_inference_count")
        compute_us = sum(grown(name) for name in _COMPUTE)
        seconds = until_s - from_s
        batch = windows / executions if executions else None
        return ServerFigures(
            requests_per_s=requests / seconds,
            rejected_per_s=grown("nv_inference_request_failure", lambda labels: bool(_REJECTED.search(labels)))
            / seconds,
            batch=batch,
            queue_ms=grown("nv_inference_queue_duration_us") / requests / 1e3 if requests else None,
            compute_ms=compute_us / requests / 1e3 if requests else None,
            # Each request of a batch counts the whole batch's time.
            busy=compute_us / batch / seconds / 1e6 if batch else 0.0,
            pending=self._most("nv_inference_pending_request_count", from_s, until_s),
            memory_mb=self._memory_mb(from_s, until_s),
            processor=self._mean("nv_cpu_utilization", from_s, until_s),
        )

    def over_time(self, from_s: float, until_s: float, *, most: int = 240) -> list[tuple[float, ServerFigures]]:
        """``between`` in turn for at most ``most`` equal parts of a second or more, each with its middle."""
        parts = max(1, min(most, int(until_s - from_s)))
        edges = np.linspace(from_s, until_s, parts + 1)
        found = [((start + end) / 2, self.between(start, end)) for start, end in pairwise(edges)]
        return [(float(at_s), figures) for at_s, figures in found if figures is not None]

    def _counter(self, name: str, at_s: Floats, which: Callable[[str], bool]) -> Floats:
        """The sum of a counter over servers and labels at some times, by straight lines between the samples."""
        total = np.zeros(len(at_s))
        for (server, labels), (times, values) in self._series.get(name, {}).items():
            if which(labels):
                # One that came later than the server's first metrics was at 0 until then.
                before = values[0] if times[0] <= self._first_s[server] else 0.0
                total += np.interp(at_s, times, _without_restarts(values), left=before)
        return total

    def _most(self, name: str, from_s: float, until_s: float) -> float | None:
        """The most that a gauge was in that time, the sum over servers of each one's most."""
        most = [
            float(values[(times >= from_s) & (times <= until_s)].max(initial=-np.inf))
            for times, values in self._series.get(name, {}).values()
        ]
        there = [value for value in most if np.isfinite(value)]
        return sum(there) if there else None

    def _mean(self, name: str, from_s: float, until_s: float) -> float | None:
        """What a gauge was in that time, the mean over servers and samples."""
        inside = [
            values[(times >= from_s) & (times <= until_s)] for times, values in self._series.get(name, {}).values()
        ]
        found = np.concatenate(inside) if inside else np.zeros(0)
        return float(found.mean()) if len(found) else None

    def _memory_mb(self, from_s: float, until_s: float) -> float | None:
        for name in _MEMORY:
            used = self._most(name, from_s, until_s)
            if used is not None:
                return used / 1e6
        return None


def _series(table: pa.Table, model: str | None) -> dict[str, dict[tuple[str, str], tuple[Floats, Floats]]]:
    """Times and values by name, and by server and labels; those of other models are left out."""
    rows: dict[str, dict[tuple[str, str], list[tuple[float, float]]]] = {}
    for row in table.to_pylist():
        if model is not None and 'model="' in row["labels"] and f'model="{model}"' not in row["labels"]:
            continue
        of_name = rows.setdefault(row["name"], {})
        of_name.setdefault((row["server"], row["labels"]), []).append((row["at_s"], row["value"]))
    found: dict[str, dict[tuple[str, str], tuple[Floats, Floats]]] = {}
    for name, of_name in rows.items():
        found[name] = {}
        for key, samples in of_name.items():
            ordered = np.array(sorted(samples))
            found[name][key] = ordered[:, 0], ordered[:, 1]
    return found


def _without_restarts(values: Floats) -> Floats:
    """A counter that goes on where the server was started again, and counted from 0."""
    steps = np.diff(values, prepend=values[:1])
    steps[steps < 0] = values[steps < 0]
    return np.asarray(values[0] + np.cumsum(steps))
