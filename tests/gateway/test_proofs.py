"""Long proofs, run by ``make bench``: memory over ten thousand requests, what the gateway adds, what it saturates."""

from __future__ import annotations

import asyncio
import http.client
import io
import itertools
import statistics
import subprocess
import sys
import time

import aiohttp
import numpy as np
import psutil
import pytest
from voicestress import AsyncStressClient
from voicestress_load.results import read_run

from tests.gateway.conftest import wav
from tests.preprocess.media import encode_kind

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
AUDIO = {"content-type": "audio/wav"}


def memory_mb(gateway) -> float:
    return psutil.Process(gateway.process.pid).memory_info().rss / 2**20


async def posted(gateway, contents, *, callers: int = 16, **parameters) -> int:
    """Posts all ``contents``, and returns how many were answered with a report."""
    async with aiohttp.ClientSession() as session:

        async def one() -> int:
            reports = 0
            for content in contents:
                url = f"{gateway.url}/v1/analyses"
                async with session.post(url, data=io.BytesIO(content), params=parameters, headers=AUDIO) as response:
                    await response.read()
                    reports += response.status == 200
            return reports

        return sum(await asyncio.gather(*(one() for _ in range(callers))))


def test_memory_is_flat_over_ten_thousand_requests(gateway, speech):
    """Most are refused, and some scored; all of them are read whole."""
    good, silent, broken = wav(speech[16_000:32_000]), wav(np.zeros(16_000)), wav(speech)[:200_000]
    after = []
    for _ in range(5):
        mixed = itertools.cycle([good, silent, broken, b"", silent, broken, silent, broken, b"x" * 100_000, silent])
        asyncio.run(posted(gateway, iter(list(itertools.islice(mixed, 2_000)))))
        after.append(memory_mb(gateway))
    assert gateway.metric("requests_total") >= 10_000
    assert gateway.metric("in_flight") == gateway.metric("upload_memory_bytes") == 0
    # What the first two thousand leave is what the process needs; what grows afterwards would be a leak.
    assert after[-1] - after[0] < 15, after
    assert psutil.Process(gateway.process.pid).num_fds() < 60


def test_the_gateway_adds_at_most_5_ms_to_the_client(gateway, server, speech):
    spoken = wav(speech[:80_000])
    connection = http.client.HTTPConnection(*gateway.address.split(":"))

    def post() -> None:
        connection.request("POST", "/v1/analyses", body=spoken, headers=AUDIO)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        response.read()

    async def in_turns() -> list[float]:
        added = []
        async with AsyncStressClient(server.url) as client:
            for _ in range(60):
                started_s = time.perf_counter()
                await client.analyze(spoken)
                between_s = time.perf_counter()
                post()
                added.append(time.perf_counter() - between_s - (between_s - started_s))
        return added

    added_ms = 1000 * statistics.median(asyncio.run(in_turns())[10:])
    connection.close()
    print(f"the gateway adds {added_ms:.2f} ms at the median")  # noqa: T201
    assert added_ms <= 5


SPOKEN = """
speech_detection = false

[[component]]
name = "window"
format = "wav"
lengths = { distribution = "fixed", seconds = 5.0 }
"""


def test_the_gateway_saturates_triton(gateway, server, tmp_path):
    """What the load generator's 16 callers reach over HTTP and over gRPC, in turns, on cores that all of them share."""
    workload = tmp_path / "spoken.toml"
    workload.write_text(SPOKEN)
    ratios = []
    for turn in range(7):
        reached = []
        for protocol, url in (("http", gateway.url), ("grpc", server.url)):
            out = tmp_path / f"{protocol}-{turn}"
            command = [sys.executable, "-m", "voicestress", "load", "run", str(workload), "--out", str(out)]
            asked = ["--protocol", protocol, "--url", url, "--callers", "16", "--seconds", "8", "--slo", "p99=20s"]
            subprocess.run([*command, *asked], check=True, capture_output=True)
            reached.append(read_run(out).steps[0].figures.achieved_per_s)
        ratios.append(reached[0] / reached[1])
    print(f"through the gateway / over gRPC: {statistics.median(ratios):.3f}, {ratios}")  # noqa: T201
    assert statistics.median(ratios) >= 0.9


def test_bombs_of_an_hour_end_soon_and_hold_up_nobody(gateway, speech):
    bomb = encode_kind(np.zeros(3_600 * 8_000), 8_000, "webm, live")
    spoken = wav(speech[:80_000])

    async def both() -> tuple[int, float]:
        bombing = asyncio.ensure_future(posted(gateway, iter([bomb] * 4), callers=4))
        await asyncio.sleep(1.0)
        started_s = time.perf_counter()
        assert await posted(gateway, iter([spoken]), callers=1) == 1
        waited_s = time.perf_counter() - started_s  # before the bombs are waited for
        return await bombing, waited_s

    reports, waited_s = asyncio.run(both())
    assert reports == 0
    print(f"beside four bombs of an hour a short recording takes {1000 * waited_s:.0f} ms")  # noqa: T201
    assert waited_s < 2
    assert gateway.metric('rejections_total{reason="too-long"}') >= 1  # the last may have waited too long: 503, 504
