"""What a run leaves in its folder: ``run.json``, ``requests.parquet`` and, where there is one, ``server.parquet``.

The runner writes it; the report, the comparison and CI read it. Of the audio nothing is kept but its seconds and bytes.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from voicestress.errors import StressError

OUTCOMES = ("scored", "rejected", "late", "failed")

# One row a request, those that were never answered too. Times are seconds since the run's start.
REQUESTS = pa.schema(
    [
        ("number", pa.int64()),
        ("step", pa.int32()),
        ("worker", pa.int32()),
        ("kind", pa.string()),  # the component of the workload
        ("priority", pa.string()),
        ("format", pa.string()),
        ("meant_s", pa.float64()),
        ("sent_s", pa.float64()),
        ("answered_s", pa.float64()),
        ("audio_s", pa.float64()),
        ("bytes", pa.int64()),
        ("outcome", pa.string()),
        ("error", pa.string()),  # the name of its class, or ""
    ]
)

# One row a value, as it was scraped: counters stay cumulative.
SERVER = pa.schema(
    [
        ("at_s", pa.float64()),
        ("server", pa.string()),
        ("name", pa.string()),
        ("labels", pa.string()),  # k="v",... sorted
        ("value", pa.float64()),
    ]
)

_RUN, _REQUESTS, _SERVER = "run.json", "requests.parquet", "server.parquet"


class UnreadableRun(StressError):
    """A folder does not hold a run that this version can read."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Figures(_Model):
    """What came of the requests meant in a span of time.

    Percentiles are of the latencies of those scored, from the moment each was *meant* to be sent, in milliseconds;
    None where nothing was scored. Lag is how much later than meant they were sent. Rates are over the span;
    ``offered`` counts all that were meant in it, ``achieved`` and ``goodput`` what was scored of them, by when the
    answers came. None of it is finite by accident: a span of no length has rates of 0.
    """

    requests: int = Field(ge=0)
    scored: int = Field(ge=0)
    rejected: int = Field(ge=0)
    late: int = Field(ge=0)
    failed: int = Field(ge=0)
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    offered_per_s: float
    achieved_per_s: float
    offered_audio_s_per_s: float
    goodput_audio_s_per_s: float
    lag_p99_ms: float
    lag_max_ms: float


class Slo(_Model):
    """What a service is asked to reach; None asks nothing.

    Args:
        p50_ms, p95_ms, p99_ms: bounds of the latency of what is scored, in milliseconds.
        errors_share: largest share of the requests that may fail or be late.
        rejected_share: largest share of the requests that may be turned away.
        goodput_audio_s_per_s: least seconds of audio scored a second.
    """

    p50_ms: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    p95_ms: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    p99_ms: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    errors_share: float = Field(default=0.0, ge=0, le=1)
    rejected_share: float = Field(default=0.01, ge=0, le=1)
    goodput_audio_s_per_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    def misses(self, figures: Figures) -> list[str]:
        """What ``figures`` miss of it, as sentences; empty when it is met."""
        if not figures.requests:
            return ["no request was made"]
        missed = []
        for name in ("p50", "p95", "p99"):
            bound, found = getattr(self, f"{name}_ms"), getattr(figures, f"{name}_ms")
            if bound is not None and found is None:
                missed.append(f"{name}: nothing was scored, at most {bound:g} ms is asked")
            elif bound is not None and found > bound:
                missed.append(f"{name} is {found:.0f} ms, at most {bound:g} ms is asked")
        wrong, rejected = (figures.late + figures.failed) / figures.requests, figures.rejected / figures.requests
        if wrong > self.errors_share:
            missed.append(f"{wrong:.2%} of the requests failed or were late, at most {self.errors_share:.2%} may")
        if rejected > self.rejected_share:
            missed.append(f"{rejected:.2%} of the requests were rejected, at most {self.rejected_share:.2%} may be")
        goodput, least = figures.goodput_audio_s_per_s, self.goodput_audio_s_per_s
        if least is not None and goodput < least:
            missed.append(f"goodput is {goodput:.1f} audio-seconds a second, at least {least:g} is asked")
        return missed


class Step(_Model):
    """A part of a run with one load: ``offered_per_s`` requests a second, or as many as ``callers`` that wait make.

    ``void`` says why its figures can't be believed, ``misses`` what they miss of the SLO.
    """

    number: int
    offered_per_s: float | None
    callers: int | None
    from_s: float
    until_s: float
    figures: Figures
    void: str | None
    misses: list[str]


class Run(_Model):
    """A run: what was asked for, on what, and what came of each step.

    ``started_at`` is ISO 8601 in UTC; ``kept_step`` the step of the highest rate that met the SLO, in a search.
    """

    format: Literal[1] = 1
    command: str
    started_at: str
    mode: Literal["open", "closed"]
    shape: Literal["steady", "ramp", "spike", "soak", "search", "trace"]
    protocol: Literal["grpc", "http", "live"]
    urls: list[str]
    model: str | None
    model_version: str | None
    workload: dict[str, Any]
    workload_name: str
    seed: int
    slo: Slo
    steps: list[Step]
    kept_step: int | None
    lag_bound_ms: float
    void: str | None
    versions: dict[str, str]
    processor: str
    cores: int
    workers: int


def write_run(folder: Path, run: Run) -> None:
    """Write ``run`` into ``folder``, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _RUN).write_text(run.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_run(folder: Path) -> Run:
    """The run in ``folder``.

    Raises:
        UnreadableRun: there is none, or it is another version's.
    """
    try:
        return Run.model_validate_json((folder / _RUN).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableRun(
            f"{folder}: no run can be read there ({error}); give the folder a run was kept in"
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise UnreadableRun(
            f"{folder / _RUN}: {where}: {first['msg']}; it is no run of this version: make the run again"
        ) from error


def write_requests(folder: Path, table: pa.Table) -> None:
    """Write ``table`` of ``REQUESTS`` into ``folder``, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.cast(REQUESTS), folder / _REQUESTS, compression="zstd")


def read_requests(folder: Path) -> pa.Table:
    """The table of ``REQUESTS`` in ``folder``.

    Raises:
        UnreadableRun: there is none.
    """
    return _read_table(folder / _REQUESTS, REQUESTS)


def write_server(folder: Path, table: pa.Table) -> None:
    """Write ``table`` of ``SERVER`` into ``folder``, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.cast(SERVER), folder / _SERVER, compression="zstd")


def read_server(folder: Path) -> pa.Table | None:
    """The table of ``SERVER`` in ``folder``; None where no metrics were scraped.

    Raises:
        UnreadableRun: there is one that can't be read.
    """
    return _read_table(folder / _SERVER, SERVER) if (folder / _SERVER).exists() else None


def figures_of(table: pa.Table, from_s: float, until_s: float) -> Figures:
    """What came of the requests of ``table`` (of ``REQUESTS``) meant from ``from_s`` up to before ``until_s``.

    What was achieved is counted over the span, or to the last answer where that came later: a server that answers a
    span's requests long after it did not achieve their rate.
    """
    meant = table["meant_s"]
    meant_within = table.filter(pc.and_(pc.greater_equal(meant, from_s), pc.less(meant, until_s)))
    columns = {name: meant_within[name].to_numpy() for name in ("meant_s", "sent_s", "answered_s", "audio_s")}
    outcome = np.array(meant_within["outcome"].to_pylist(), dtype=object)
    scored = outcome == "scored"
    counts = {name: int((outcome == name).sum()) for name in OUTCOMES}
    latencies_ms = 1000.0 * (columns["answered_s"] - columns["meant_s"])[scored]
    lag_ms = 1000.0 * (columns["sent_s"] - columns["meant_s"])
    span_s = until_s - from_s
    answered_until_s = max(until_s, float(columns["answered_s"][scored].max(initial=until_s)))
    p50, p95, p99 = (_percentile(latencies_ms, share) for share in (50, 95, 99))
    return Figures(
        requests=len(outcome),
        **counts,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        offered_per_s=_rate(len(outcome), span_s),
        achieved_per_s=_rate(counts["scored"], answered_until_s - from_s),
        offered_audio_s_per_s=_rate(float(columns["audio_s"].sum()), span_s),
        goodput_audio_s_per_s=_rate(float(columns["audio_s"][scored].sum()), answered_until_s - from_s),
        lag_p99_ms=_percentile(lag_ms, 99) or 0.0,
        lag_max_ms=float(lag_ms.max(initial=0.0)),
    )


def _percentile(values: npt.NDArray[np.float64], share: float) -> float | None:
    return float(np.percentile(values, share)) if len(values) else None


def _rate(amount: float, seconds: float) -> float:
    return amount / seconds if seconds > 0 and math.isfinite(seconds) else 0.0


def _read_table(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        return pq.read_table(path).cast(schema)
    except (OSError, pa.ArrowInvalid, ValueError) as error:
        raise UnreadableRun(f"{path}: can't be read ({error}); give the folder a run was kept in") from error
