"""Three times as much work as the server can do: what it still completes, how it turns the rest away, how it recovers.

capacity   callers that wait for their answers keep it busy
calm       Poisson arrivals at a third of that
flood      Poisson arrivals at three times that
after      Poisson arrivals at a third again, from the moment the flood ends
capacity   once more: the machine that the flood met is the one between the two

Those of Poisson arrivals are one stream: what the flood leaves in the queue is there when it ends.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from voicestress_triton import TritonServer

from load_tests.bench.arrivals import Answer, busy_per_s, closed_loop, open_loop, poisson_times
from load_tests.bench.memory import MemoryWatch
from load_tests.bench.verdicts import table, verdicts
from load_tests.bench.workload import mixed_speech

# Enough to keep a batch at work, one ready and one waiting; more would only be turned away by a short queue.
_CALLERS = 12
_IN_A_ROW = 5


@dataclass(frozen=True)
class Figures:
    """What came of it; capacity is the mean of before and after, memory the largest of all the server's processes."""

    capacity_audio_s_per_s: float
    flood_audio_s_per_s: float
    flood_share: float
    asked: int
    scored: int
    rejected: int
    neither: int
    rejection_p50_s: float | None
    rejection_p95_s: float | None
    scored_p95_s: float | None
    calm_p95_s: float
    recovery_s: float
    memory_calm_mb: float
    memory_flood_mb: float


def main() -> None:
    """Measure and print; 1 unless everything wanted was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=Path, help="folder of the model stress")
    parser.add_argument("--config", help="hardware variant, e.g. tuned")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each part (default: 30)")
    parser.add_argument("--deadline-s", type=float, default=30.0, help="of each request (default: 30)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    with TritonServer(arguments.repository, model_config_name=arguments.config) as server:
        found = measure(server, seconds=arguments.seconds, deadline_s=arguments.deadline_s)
    for name, value in asdict(found).items():
        print(f"{name:28}{value:10.2f}" if isinstance(value, float) else f"{name:28}{value!s:>10}")
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(found), indent=1))
    judged = verdicts({"overload": asdict(found)})
    print("\n".join(table(judged)))
    raise SystemExit(0 if all(verdict.reached for verdict in judged) else 1)


def measure(server: TritonServer, *, seconds: float, deadline_s: float) -> Figures:
    """All parts against a running server, each for ``seconds``."""
    windows = mixed_speech(200, seed=1)
    mean_s = float(np.mean([len(window) for window in windows])) / 16_000

    def measured_capacity() -> float:
        with MemoryWatch(server.pid):  # it costs the server time in the other parts too
            busy = closed_loop(server.url, windows, callers=_CALLERS, seconds=seconds, deadline_s=deadline_s)
            return busy_per_s(asyncio.run(busy), from_s=seconds / 4, until_s=seconds)

    before = measured_capacity()
    times = [
        part * seconds + at_s
        for part, share in enumerate((1 / 3, 3, 1 / 3))
        for at_s in poisson_times(share * before / mean_s, seconds, seed=2 + part)
    ]
    with MemoryWatch(server.pid) as memory:
        answers = asyncio.run(open_loop(server.url, windows, times, deadline_s=deadline_s))
    capacity = (before + measured_capacity()) / 2
    calm, flood, after = (
        [answer for answer in answers if part * seconds <= answer.meant_s < (part + 1) * seconds] for part in range(3)
    )
    rejected = [answer.latency_s for answer in flood if answer.outcome == "rejected"]
    scored = [answer.latency_s for answer in flood if answer.outcome == "scored"]
    in_order = sorted(answers, key=lambda answer: answer.answered_s)
    flood_rate = busy_per_s(
        [answer for answer in in_order if answer.outcome == "scored"], from_s=1.25 * seconds, until_s=2 * seconds
    )
    return Figures(
        capacity_audio_s_per_s=capacity,
        flood_audio_s_per_s=flood_rate,
        flood_share=flood_rate / capacity,
        asked=len(flood),
        scored=len(scored),
        rejected=len(rejected),
        neither=len(flood) - len(scored) - len(rejected),
        rejection_p50_s=_percentile(rejected, 50),
        rejection_p95_s=_percentile(rejected, 95),
        scored_p95_s=_percentile(scored, 95),
        calm_p95_s=_percentile([answer.latency_s for answer in calm], 95),
        recovery_s=recovery_s(calm, after, since_s=2 * seconds),
        memory_calm_mb=memory.largest_mb(until_s=seconds),
        memory_flood_mb=memory.largest_mb(),
    )


def recovery_s(calm: Sequence[Answer], after: Sequence[Answer], *, since_s: float) -> float:
    """Seconds from ``since_s``, when the load fell, until most requests are seen to be as fast as in calm.

    The last of ``_IN_A_ROW`` requests of which most were rejected, or slower than any in calm: a single slow one comes
    by chance at any time, as it would have in calm had that lasted longer. No sooner than the first so many can tell.
    """
    slowest_s = max(answer.latency_s for answer in calm)
    late = [answer.outcome != "scored" or answer.latency_s > slowest_s for answer in after]
    ends = [last for last in range(len(after)) if sum(late[max(0, last + 1 - _IN_A_ROW) : last + 1]) > _IN_A_ROW // 2]
    first_told = min(_IN_A_ROW, len(after)) - 1
    return after[max([first_told, *ends])].meant_s - since_s


def _percentile(values: Sequence[float], share: float) -> float | None:
    return float(np.percentile(values, share)) if len(values) else None


if __name__ == "__main__":
    main()
