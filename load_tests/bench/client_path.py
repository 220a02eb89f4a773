"""What the client adds to a request, and whether one process of it keeps a server busy.

``python -m load_tests.bench.client_path REPOSITORY`` serves the model ``stress`` of a repository and measures it; with
``--archive FOLDER`` also ``voicestress bulk`` on that many short recordings, which it makes there.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet
from tritonclient.grpc import InferenceServerClient
from voicestress import AsyncStressClient, StressClient
from voicestress_audio import Recording, Window
from voicestress_model.agreement import Pcm
from voicestress_triton import TritonServer

from load_tests.bench.arrivals import Outcome, busy_per_s, closed_loop, keep_busy
from load_tests.bench.compare_engines import clock
from load_tests.bench.engines import padding_free
from load_tests.bench.workload import five_seconds, mixed_speech, write_recordings

_CALLERS = 32
_REQUESTS = 60
_PAUSE_S = 0.05
_SHORT_S = (0.8, 2.0)


@dataclass(frozen=True)
class Figures:
    """``added`` is the median over requests of a window of 5 s, alone: the caller's time less the server's own, in ms.
    ``over_direct`` is throughput against the engine called directly, the median over rounds.
    """

    added_ms: dict[str, float]
    direct_audio_s_per_s: float
    over_direct: dict[str, float]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each client in each round (default: 6)")
    parser.add_argument("--batch-size", type=int, default=2, help="of the engine called directly (default: 2)")
    parser.add_argument("--archive", type=Path, help="folder for an archive to score as well")
    parser.add_argument("--recordings", type=int, default=2000, help="in the archive (default: 2000)")
    arguments = parser.parse_args()
    with TritonServer(arguments.repository, models=["stress"]) as server:
        graph = arguments.repository / "stress" / "1" / "model.onnx"
        found = measure(
            server.url, graph, batch_size=arguments.batch_size, rounds=arguments.rounds, seconds=arguments.seconds
        )
        print(json.dumps(asdict(found), indent=1))
        if arguments.archive:
            print(json.dumps(bulk(server.url, arguments.archive, arguments.recordings), indent=1))


def measure(url: str, graph: Path, *, batch_size: int, rounds: int, seconds: float) -> Figures:
    """Both clients against the server at ``url``, and the engine on ``graph`` called here."""
    engine = padding_free(graph, "padding-free", len(os.sched_getaffinity(0)))
    windows = mixed_speech(64, seed=5)
    audio_s = sum(map(len, windows)) / 16_000
    clients: dict[str, Callable[[], float]] = {
        "StressClient": lambda: _threads(url, windows, seconds),
        "AsyncStressClient": lambda: asyncio.run(_tasks(url, windows, seconds)),
        "no client": lambda: _bare(url, windows, seconds),
    }
    direct: list[float] = []
    rates: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(rounds):
        direct.append(audio_s / clock(engine, windows, batch_size))
        for name, rate in clients.items():
            rates[name].append(rate())
    return Figures(
        added_ms=_added_ms(url),
        direct_audio_s_per_s=float(np.median(direct)),
        over_direct={name: float(np.median(np.array(rate) / np.array(direct))) for name, rate in rates.items()},
    )


def bulk(url: str, folder: Path, recordings: int) -> dict[str, float]:
    """``voicestress bulk`` on so many short recordings, against the same windows sent by callers that wait."""
    generator = np.random.default_rng(6)
    source = np.concatenate(mixed_speech(64, seed=5))
    starts = generator.integers(0, len(source) - 2 * 16_000, recordings)
    windows = [source[at : at + round(generator.uniform(*_SHORT_S) * 16_000)] for at in starts]
    audio_s = sum(map(len, windows)) / 16_000
    archive, out = write_recordings(folder / "archive", windows), folder / "results.parquet"
    out.unlink(missing_ok=True)
    before = _bare(url, windows, 15.0)
    start = time.perf_counter()
    words = ["bulk", str(archive), "--out", str(out), "--url", url, "--no-speech-detection"]
    subprocess.run([sys.executable, "-m", "voicestress", *words], check=True, timeout=1800)
    took_s = time.perf_counter() - start
    after = _bare(url, windows, 15.0)
    assert pyarrow.parquet.read_metadata(out).num_rows == recordings
    saturated = (before + after) / 2
    return {
        "audio_s": audio_s,
        "took_s": took_s,
        "saturated_audio_s_per_s": saturated,
        "share": audio_s / took_s / saturated,
    }


def _added_ms(url: str) -> dict[str, float]:
    pcm = five_seconds()
    with InferenceServerClient(url) as triton, StressClient(url) as client:

        def server_ns() -> int:
            return int(triton.get_inference_statistics("stress").model_stats[0].inference_stats.success.ns)

        def once() -> float:
            before = server_ns()
            start = time.perf_counter()
            client.analyze((pcm, 16_000), speech_detection=False)
            took_s = time.perf_counter() - start
            return 1e3 * took_s - 1e-6 * (server_ns() - before)

        async def each() -> list[float]:
            added = []
            async with AsyncStressClient(url) as other:
                for _ in range(_REQUESTS):
                    await asyncio.sleep(_PAUSE_S)
                    before = server_ns()
                    start = time.perf_counter()
                    await other.analyze((pcm, 16_000), speech_detection=False)
                    took_s = time.perf_counter() - start
                    added.append(1e3 * took_s - 1e-6 * (server_ns() - before))
            return added

        once()
        threads = []
        for _ in range(_REQUESTS):
            time.sleep(_PAUSE_S)
            threads.append(once())
        return {
            "StressClient": float(np.median(threads)),
            "AsyncStressClient": float(np.median(asyncio.run(each())[1:])),
        }


def _recording(pcm: Pcm) -> Recording:
    seconds = len(pcm) / 16_000
    return Recording("<samples>", seconds, seconds, (Window(pcm, 0, len(pcm), len(pcm)),))


def _threads(url: str, windows: Sequence[Pcm], seconds: float) -> float:
    """Audio-seconds a second of one StressClient shared by threads."""
    with StressClient(url) as client, ThreadPoolExecutor(_CALLERS) as pool:
        client.contract()
        start = time.perf_counter()

        def call(first: int) -> float:
            scored_s, number = 0.0, first
            while time.perf_counter() - start < seconds:
                scored_s += client.score(_recording(windows[number % len(windows)])).duration_s
                number += _CALLERS
            return scored_s

        scored_s = sum(pool.map(call, range(_CALLERS)))
        return scored_s / (time.perf_counter() - start)


async def _tasks(url: str, windows: Sequence[Pcm], seconds: float) -> float:
    async with AsyncStressClient(url) as client:
        await client.contract()

        async def score(number: int) -> Outcome:
            await client.score(_recording(windows[number]))
            return "scored"

        answers = await keep_busy(score, windows, callers=_CALLERS, seconds=seconds)
        return busy_per_s(answers, from_s=seconds / 4, until_s=seconds)


def _bare(url: str, windows: Sequence[Pcm], seconds: float) -> float:
    answers = asyncio.run(closed_loop(url, windows, callers=_CALLERS, seconds=seconds, deadline_s=120))
    return busy_per_s(answers, from_s=seconds / 4, until_s=seconds)


if __name__ == "__main__":
    main()
