"""Offers recordings to Triton at a steady rate, and says how long they took. Ends with 1 when too many fail.

An open loop: a recording is sent when its time has come, whether or not earlier ones are back, and its time counts from
then. A caller that waits for answers would slow down with the server, and hide that it is slow.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from voicestress import AsyncStressClient, StressError
from voicestress.commands.connecting import add_connection_arguments, settings_of
from voicestress_audio import Recording, read_recording

RECORDING = Path("/usr/share/voicestress/jfk.wav")


async def offer(arguments: argparse.Namespace) -> dict[str, Any]:
    """Offer the recording, and return what came of it."""
    latencies_s: list[float] = []
    failures: Counter[str] = Counter()

    async def score(client: AsyncStressClient, recording: Recording, due_s: float) -> None:
        try:
            await client.score(recording)
            latencies_s.append(time.monotonic() - due_s)
        except StressError as error:
            failures[type(error).__name__] += 1

    async with AsyncStressClient(**settings_of(arguments)) as client:
        recording = read_recording(arguments.recording, **(await client.contract()).window_bounds)
        await client.score(recording)  # connections are made before the clock runs
        start_s = time.monotonic()
        calls = []
        for number in range(arguments.per_second * arguments.seconds):
            due_s = start_s + number / arguments.per_second
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            calls.append(asyncio.create_task(score(client, recording, due_s)))
        await asyncio.gather(*calls)
    took_s = time.monotonic() - start_s
    speech_s = sum(window.pcm.size for window in recording.windows) / 16_000
    ranked = sorted(latencies_s)
    return {
        "offered": len(calls),
        "scored": len(ranked),
        "failed": dict(failures),
        "audio_seconds_a_second": round(len(ranked) * speech_s / took_s, 2),
        **{
            f"p{q}_ms": round(ranked[min(len(ranked) - 1, len(ranked) * q // 100)] * 1e3, 1)
            for q in (50, 95, 99)
            if ranked
        },
    }


def main() -> int:
    """Offer, print one line of JSON, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-second", type=int, required=True, help="recordings offered a second")
    parser.add_argument("--seconds", type=int, required=True, help="for how long")
    parser.add_argument("--failures-percent", type=float, default=0.0, help="the most that may fail")
    parser.add_argument("--recording", type=Path, default=RECORDING, help="what is offered (default: %(default)s)")
    add_connection_arguments(parser)
    arguments = parser.parse_args()
    result = asyncio.run(offer(arguments))
    print(json.dumps(result), flush=True)  # noqa: T201 - its answer
    failed = sum(result["failed"].values())
    return int(failed > result["offered"] * arguments.failures_percent / 100)


if __name__ == "__main__":
    sys.exit(main())
