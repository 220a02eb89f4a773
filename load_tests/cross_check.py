"""``voicestress load`` against NVIDIA's perf_analyzer: one server, the same Poisson times, in turns.

    sh load_tests/perf_analyzer.sh build/perf-analyzer .venv/dev/bin/python
    python -m load_tests.cross_check build/perf-analyzer/perf_analyzer --rates 80 120

perf_analyzer counts latency from when it sent a request, this project from when a request was meant to be sent: on a
generator that keeps its schedule that is the same.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from voicestress_load.arrivals import poisson_arrivals
from voicestress_load.audio import Voices
from voicestress_load.results import read_run
from voicestress_triton import TritonServer

ROOT = Path(__file__).parents[1]
WINDOW_S = 2.0
AGREE = 0.10
_RATE_HZ = 16_000
_WINDOWS = 50
_PERF_WINDOWS = 3  # perf_analyzer judges the last three of its measurements, and merges them
_WORKLOAD = f"""description = "Windows of one length, for perf_analyzer can't mix them."

[[component]]
name = "window"
format = "pcm"
lengths = {{ distribution = "fixed", seconds = {WINDOW_S} }}
"""


Times = npt.NDArray[np.float64]  # seconds from the first request's


@dataclass(frozen=True)
class Measured:
    """What one of the two found at a rate."""

    per_s: float
    p50_ms: float
    p99_ms: float


def measure(
    perf_analyzer: Path, repository: Path, rates: Sequence[float], *, seconds: float, turns: int
) -> list[list[list[Measured]]]:
    """For every rate, what perf_analyzer and this project found, in turns: ``[rates][2][turns]``."""
    with (
        TritonServer(repository, models=["stress"]) as server,
        tempfile.TemporaryDirectory() as scratch,
    ):
        folder = Path(scratch)
        data, workload = folder / "windows.json", folder / "window.toml"
        data.write_text(json.dumps({"data": list(_windows())}))
        workload.write_text(_WORKLOAD)
        found = []
        for rate in rates:
            theirs, ours = [], []
            for turn in range(turns):
                times = poisson_arrivals([(0, rate, 0.0, seconds)], first_number=0, seed=turn).meant_s
                scratch = folder / f"{rate:g}-{turn}"
                scratch.mkdir()
                theirs.append(_theirs(perf_analyzer, server.url, data, times, scratch))
                ours.append(_ours(workload, server.url, times, scratch))
                _say(f"{rate:g} a second, turn {turn + 1}: perf_analyzer {theirs[-1]}, voicestress load {ours[-1]}")
            found.append([theirs, ours])
    return found


def table(rates: Sequence[float], found: Sequence[Sequence[Sequence[Measured]]]) -> str:
    """Medians over the turns and their ratios, as a table for the docs."""
    lines = [
        "| requests a second | | perf_analyzer | voicestress load | ratio | within 10 % |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for rate, both in zip(rates, found, strict=True):
        for name, words in (("per_s", "scored a second"), ("p50_ms", "p50, ms"), ("p99_ms", "p99, ms")):
            theirs, ours = (statistics.median(getattr(each, name) for each in turns) for turns in both)
            spread = [f"{min(values):.1f} to {max(values):.1f}" for values in _values(both, name)]
            agrees = "yes" if abs(ours / theirs - 1) <= AGREE else "**no**"
            lines.append(
                f"| {rate:g} | {words} | {theirs:.1f} ({spread[0]}) | {ours:.1f} ({spread[1]}) | {ours / theirs:.3f} "
                f"| {agrees} |"
            )
    return "\n".join(lines)


def _values(both: Sequence[Sequence[Measured]], name: str) -> list[list[float]]:
    return [[getattr(each, name) for each in turns] for turns in both]


def _windows() -> Iterator[dict[str, object]]:
    """Windows in the form of perf_analyzer's --input-data."""
    voices = Voices([], _RATE_HZ)
    for number in range(_WINDOWS):
        pcm = voices.cut(WINDOW_S, np.random.default_rng(number), number=number)
        yield {"PCM": {"content": pcm.tolist(), "shape": [len(pcm)]}}


def _theirs(perf_analyzer: Path, url: str, data: Path, times: Times, scratch: Path) -> Measured:
    intervals, out = scratch / "intervals", scratch / "perf.csv"
    intervals.write_text("".join(f"{1e6 * gap:.0f}\n" for gap in np.diff(times, prepend=0.0)))
    command = [
        str(perf_analyzer), "-m", "stress", "-i", "grpc", "-u", url, "-b", "1", "--async",
        "--shape", f"PCM:{round(WINDOW_S * _RATE_HZ)}", "--input-data", str(data),
        "--request-intervals", str(intervals),
        f"--measurement-interval={1000 * times[-1] / _PERF_WINDOWS:.0f}", "--stability-percentage=999",
        "-f", str(out),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"perf_analyzer ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    with out.open(newline="") as file:
        (row,) = csv.DictReader(file)
    return Measured(
        float(row["Inferences/Second"]), float(row["p50 latency"]) / 1e3, float(row["p99 latency"]) / 1e3
    )  # given in microseconds


def _ours(workload: Path, url: str, times: Times, scratch: Path) -> Measured:
    trace, out = scratch / "trace.csv", scratch / "run"
    trace.write_text("meant_s,audio_s,kind\n" + "".join(f"{at_s:.6f},{WINDOW_S},window\n" for at_s in times))
    command = [
        sys.executable, "-m", "voicestress", "load", "run", str(workload), "--url", url, "--trace", str(trace),
        "--slo", "p99=10s", "--out", str(out),
    ]  # fmt: skip
    subprocess.run(command, capture_output=True, text=True, check=True)
    (step,) = read_run(out).steps
    figures = step.figures
    if figures.p50_ms is None or figures.p99_ms is None:
        raise SystemExit("nothing was scored")
    return Measured(figures.achieved_per_s, figures.p50_ms, figures.p99_ms)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command's answer


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("perf_analyzer", type=Path, help="its program")
    parser.add_argument("--rates", type=float, nargs="+", required=True, help="requests a second")
    parser.add_argument(
        "--repository", type=Path, default=ROOT / "model_repository", help="of the model (default: the demo model's)"
    )
    parser.add_argument("--seconds", type=float, default=30.0, help="of each measurement (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="measurements of each (default: %(default)s)")
    arguments = parser.parse_args()
    found = measure(
        arguments.perf_analyzer,
        arguments.repository,
        arguments.rates,
        seconds=arguments.seconds,
        turns=arguments.turns,
    )
    _say(table(arguments.rates, found))


if __name__ == "__main__":
    main()
