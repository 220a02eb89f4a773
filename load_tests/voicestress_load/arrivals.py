"""When requests are sent, whatever the server does with them: who waits for answers measures a gentler world."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voicestress_load.errors import BadInput

_COLUMNS = ("meant_s", "audio_s", "kind")


def poisson_times(rate_hz: float, seconds: float, *, seed: int | Sequence[int]) -> list[float]:
    """Times of a Poisson process of ``rate_hz`` from 0 to ``seconds``."""
    generator = np.random.default_rng(seed)
    times = np.cumsum(generator.exponential(1 / rate_hz, size=int(2 * rate_hz * seconds) + 50))
    return [float(at) for at in times[times < seconds]]


@dataclass(frozen=True, eq=False)
class Arrivals:
    """Requests of a run, in the order they are meant to be sent: ``number`` [n] int64, ``step`` [n] int32 and
    ``meant_s`` [n], in seconds since the run's start.

    ``audio_s`` [n] and ``kind`` [n] are a trace's; None where the workload draws them.
    """

    number: npt.NDArray[np.int64]
    step: npt.NDArray[np.int32]
    meant_s: npt.NDArray[np.float64]
    audio_s: npt.NDArray[np.float64] | None = None
    kind: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.number)

    def share(self, worker: int, workers: int) -> Arrivals:
        """Those of one worker: every ``workers``-th. All shares together are the whole, however many there are."""
        mine = slice(worker, None, workers)
        return Arrivals(
            self.number[mine],
            self.step[mine],
            self.meant_s[mine],
            None if self.audio_s is None else self.audio_s[mine],
            None if self.kind is None else self.kind[mine],
        )

    def to_message(self) -> dict[str, Any]:
        """As it travels to a worker."""
        return {
            "number": self.number.tobytes(),
            "step": self.step.tobytes(),
            "meant_s": self.meant_s.tobytes(),
            "audio_s": None if self.audio_s is None else self.audio_s.tobytes(),
            "kind": None if self.kind is None else list(self.kind),
        }

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Arrivals:
        """What ``to_message`` gave."""
        return cls(
            np.frombuffer(message["number"], dtype=np.int64),
            np.frombuffer(message["step"], dtype=np.int32),
            np.frombuffer(message["meant_s"], dtype=np.float64),
            None if message["audio_s"] is None else np.frombuffer(message["audio_s"], dtype=np.float64),
            None if message["kind"] is None else tuple(message["kind"]),
        )


def poisson_arrivals(parts: Sequence[tuple[int, float, float, float]], *, first_number: int, seed: int) -> Arrivals:
    """Poisson arrivals of ``parts`` that follow one another, each ``(step, rate_hz, from_s, until_s)``.

    The same for the same seed and steps, whoever sends them.
    """
    meant_s, steps = [], []
    for step, rate_hz, from_s, until_s in parts:
        times = poisson_times(rate_hz, until_s - from_s, seed=(seed, step))
        meant_s += [from_s + at_s for at_s in times]
        steps += [step] * len(times)
    numbers = np.arange(first_number, first_number + len(meant_s), dtype=np.int64)
    return Arrivals(numbers, np.array(steps, dtype=np.int32), np.array(meant_s, dtype=np.float64))


@dataclass(frozen=True, eq=False)
class Trace:
    """Recorded requests: ``meant_s`` [n] from the first of them on, ``audio_s`` [n] and ``kind`` [n]."""

    meant_s: npt.NDArray[np.float64]
    audio_s: npt.NDArray[np.float64]
    kind: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """From the first to a mean gap after the last, in seconds."""
        last_s = float(self.meant_s[-1])
        return last_s + last_s / max(len(self.meant_s) - 1, 1) if last_s > 0 else 1.0

    def arrivals(self, *, step: int, from_s: float, first_number: int) -> Arrivals:
        """As they are replayed from ``from_s`` on."""
        count = len(self.meant_s)
        return Arrivals(
            np.arange(first_number, first_number + count, dtype=np.int64),
            np.full(count, step, dtype=np.int32),
            from_s + self.meant_s,
            self.audio_s,
            self.kind,
        )


def read_trace(path: Path) -> Trace:
    """A recorded trace: a CSV with the columns meant_s, audio_s and kind, or the requests.parquet of a run.

    Raises:
        BadInput: it can't be read, or a value can't be used; with its line.
    """
    columns = _parquet_columns(path) if path.suffix == ".parquet" else _csv_columns(path)
    times, lengths = (_numbers(path, name, columns[name]) for name in _COLUMNS[:2])
    if not len(times):
        raise BadInput(f"{path}: the trace has no requests")
    wrong = np.flatnonzero(~(np.isfinite(times) & np.isfinite(lengths) & (lengths > 0)))
    if len(wrong):
        row = int(wrong[0])
        raise BadInput(
            f"{path}: request {row + 1}: meant_s {times[row]:g}, audio_s {lengths[row]:g}; "
            "both are finite seconds, and audio_s is above 0"
        )
    order = np.argsort(times, kind="stable")
    return Trace(times[order] - times[order[0]], lengths[order], tuple(str(columns["kind"][row]) for row in order))


def _csv_columns(path: Path) -> dict[str, list[Any]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            _check_columns(path, reader.fieldnames or [])
            rows = list(reader)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: no trace can be read there ({error}); give a CSV or a requests.parquet") from error
    return {name: [row[name] for row in rows] for name in _COLUMNS}


def _parquet_columns(path: Path) -> dict[str, list[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        _check_columns(path, pq.read_schema(path).names)
        table = pq.read_table(path, columns=list(_COLUMNS))
    except (OSError, pa.ArrowInvalid) as error:
        raise BadInput(f"{path}: no trace can be read there ({error}); give a CSV or a requests.parquet") from error
    return {name: table[name].to_pylist() for name in _COLUMNS}


def _check_columns(path: Path, names: Sequence[str]) -> None:
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise BadInput(f"{path}: no column {missing[0]}; a trace has the columns {', '.join(_COLUMNS)}")


def _numbers(path: Path, name: str, values: Sequence[Any]) -> npt.NDArray[np.float64]:
    for row, value in enumerate(values):
        try:
            float(value)
        except (TypeError, ValueError) as error:
            raise BadInput(f"{path}: request {row + 1}: {name} is {value!r}; give seconds, such as 2.5") from error
    return np.array([float(value) for value in values], dtype=np.float64)
