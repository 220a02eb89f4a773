"""From an upload to its report: decoded in threads, a bounded number at once, given up when nobody waits any more."""

from __future__ import annotations

import asyncio
import io
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from voicestress import AsyncStressClient, StressReport
from voicestress_audio import AudioLimits, Recording, read_recording

from voicestress_gateway.metrics import Metrics
from voicestress_gateway.problems import DEADLINE, Problem
from voicestress_gateway.settings import GatewaySettings

# Reading takes turns with the event loop for Python's lock, so that threads full of long recordings would hold up all
# others: those have few threads of their own. 512 KiB are 16 s of WAV, and minutes of Opus.
_THREADS_A_PROCESSOR = 4
_LONG_BYTES = 512 * 1024


class Abandoned(Exception):
    """Nobody waits for this recording any more."""


@dataclass(frozen=True)
class RequestLimits(AudioLimits):
    """``AudioLimits`` that also end the reading of a recording that is ``abandoned``."""

    abandoned: threading.Event = field(default_factory=threading.Event)

    @property
    def way_out(self) -> str:
        """What who sent it can do: the limit is the gateway's."""
        return f"at most {self.longest_s:g} s are scored. Cut it."

    def within(
        self, blocks: Iterator[npt.NDArray[np.float32]], rate_hz: int, name: str
    ) -> Iterator[npt.NDArray[np.float32]]:
        """The same blocks ``[n]``, until there are too many or nobody waits for them."""
        for block in AudioLimits.within(self, blocks, rate_hz, name):
            if self.abandoned.is_set():
                raise Abandoned
            yield block


class Analyser:
    """Decodes and scores uploads with ``client``."""

    def __init__(self, client: AsyncStressClient, settings: GatewaySettings, metrics: Metrics) -> None:
        self._client, self._settings, self._metrics = client, settings, metrics
        self._turns = asyncio.Semaphore(settings.analyses_at_once)
        processors = os.cpu_count() or 1
        self._readers = ThreadPoolExecutor(_THREADS_A_PROCESSOR * processors, thread_name_prefix="gateway-read")
        self._long_readers = ThreadPoolExecutor(max(1, processors // 2), thread_name_prefix="gateway-read-long")

    async def analyse(self, file: io.BytesIO, *, speech_detection: bool) -> StressReport:
        """The report of the recording in ``file``.

        Raises:
            Problem: it took too long.
            StressError: as ``AsyncStressClient.analyze``.
        """
        limit_s = self._settings.analysis_s
        try:
            return await asyncio.wait_for(self._analyse(file, speech_detection), limit_s)
        except asyncio.TimeoutError:
            raise Problem(DEADLINE, f"there was no report within {limit_s:g} s; send less, or later") from None

    def close(self) -> None:
        """Take no more; what is being read is read to its next block."""
        for readers in (self._readers, self._long_readers):
            readers.shutdown(wait=False, cancel_futures=True)

    async def _analyse(self, file: io.BytesIO, speech_detection: bool) -> StressReport:
        queued_s = time.monotonic()
        async with self._turns:
            started_s = time.monotonic()
            recording = await self._read(file, speech_detection)
            read_s = time.monotonic()
            report = await self._client.score(recording)
            self._metrics.stages.labels("wait").observe(started_s - queued_s)
            self._metrics.stages.labels("read").observe(read_s - started_s)
            self._metrics.stages.labels("score").observe(time.monotonic() - read_s)
        self._metrics.audio_s.labels("upload").inc(report.duration_s)
        return report

    async def _read(self, file: io.BytesIO, speech_detection: bool) -> Recording:
        contract = await self._client.contract()
        limits = RequestLimits(longest_s=self._settings.longest_audio_s, most_bytes=self._settings.body_bytes)

        def read() -> Recording:
            if limits.abandoned.is_set():
                raise Abandoned
            return read_recording(file, speech_detection=speech_detection, limits=limits, **contract.window_bounds)

        readers = self._long_readers if file.getbuffer().nbytes > _LONG_BYTES else self._readers
        try:
            return await asyncio.get_running_loop().run_in_executor(readers, read)
        finally:
            limits.abandoned.set()  # which matters only if it was cancelled here
