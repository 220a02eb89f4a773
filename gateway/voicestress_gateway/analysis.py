"""From an upload to its report: short recordings are read in threads, long ones in processes, so many of each at once.

Nothing is read for who does not wait any more. Of long recordings there are at most ``settings.long_at_once``, from
their first byte to their report: each takes its upload once more, and 32 kB for each second.
"""

from __future__ import annotations

import asyncio
import io
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TypeAlias

from async_timeout import timeout
from voicestress import AsyncStressClient, StressReport
from voicestress_audio import Recording, read_recording
from voicestress_audio.processes import Abandoned, ReaderProcesses

from voicestress_gateway.limits import LongRecording, RequestLimits, ShortRecordingLimits, is_long_by_its_bytes
from voicestress_gateway.metrics import Metrics
from voicestress_gateway.problems import BUSY, DEADLINE, Problem
from voicestress_gateway.settings import GatewaySettings

_THREADS_A_PROCESSOR = 4
# The processes that read give way to the gateway itself, and to a Triton on the same machine.
_NICENESS = 10


class Analyser:
    """Decodes and scores uploads.

    Args:
        client: scores short recordings.
        patient_client: scores long ones, whose windows should let others go first.
    """

    def __init__(
        self,
        client: AsyncStressClient,
        patient_client: AsyncStressClient,
        settings: GatewaySettings,
        metrics: Metrics,
    ) -> None:
        self._settings, self._metrics = settings, metrics
        threads = _THREADS_A_PROCESSOR * (os.cpu_count() or 1)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="gateway-read")
        self._processes = ReaderProcesses(settings.long_at_once, niceness=_NICENESS)
        self._short = _Lane(client, settings.analyses_at_once)
        self._long = _Lane(patient_client, settings.long_at_once)

    async def analyse(self, file: io.BytesIO, *, speech_detection: bool) -> StressReport:
        """The report of the recording in ``file``.

        Raises:
            Problem: it took too long, or its turn did not come in time.
            StressError: as ``AsyncStressClient.analyze``.
        """
        limit_s, upload = self._settings.analysis_s, _Upload(file, speech_detection)
        try:
            async with timeout(limit_s):
                return await self._analyse(upload)
        except asyncio.TimeoutError:
            if upload.turn_s < limit_s / 2:  # most of the time it waited for others
                said = f"the gateway has as many recordings to read as it may: no turn for {limit_s:g} s; retry later"
                raise Problem(BUSY, said) from None
            raise Problem(DEADLINE, f"there was no report within {limit_s:g} s; send less, or later") from None
        finally:
            upload.abandoned.set()  # which matters only if it was cancelled here

    def close(self) -> None:
        """Take no more; what is being read is given up."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._processes.close()

    async def _analyse(self, upload: _Upload) -> StressReport:
        if not is_long_by_its_bytes(upload.file):
            with suppress(LongRecording):
                return await self._analyse_in(self._short, upload, self._read_in_thread)
        return await self._analyse_in(self._long, upload, self._read_in_process)

    async def _analyse_in(self, lane: _Lane, upload: _Upload, read: _Read) -> StressReport:
        queued_s = time.monotonic()
        async with lane.turn(upload):
            contract = await lane.client.contract()
            options = partial(read_recording, speech_detection=upload.speech_detection, **contract.window_bounds)
            recording = await asyncio.wrap_future(read(upload, options))
            read_s = time.monotonic()
            report = await lane.client.score(recording)
            self._metrics.stages.labels("wait").observe(upload.turn_began_s - queued_s)
            self._metrics.stages.labels("read").observe(read_s - upload.turn_began_s)
            self._metrics.stages.labels("score").observe(time.monotonic() - read_s)
        self._metrics.audio_s.labels("upload").inc(report.duration_s)
        return report

    def _read_in_thread(self, upload: _Upload, read: _Reader) -> Future[Recording]:
        settings = self._settings
        limits = ShortRecordingLimits(settings.longest_audio_s, settings.body_bytes, upload.abandoned)

        def read_unless_abandoned() -> Recording:
            if upload.abandoned.is_set():
                raise Abandoned
            return read(upload.file, limits=limits)

        return self._threads.submit(read_unless_abandoned)

    def _read_in_process(self, upload: _Upload, read: _Reader) -> Future[Recording]:
        limited = partial(read, limits=RequestLimits(self._settings.longest_audio_s, self._settings.body_bytes))
        return self._processes.submit(limited, upload.file.getbuffer(), abandoned=upload.abandoned)


class _Upload:
    """What is to be analysed, and since when something is done about it."""

    def __init__(self, file: io.BytesIO, speech_detection: bool) -> None:
        self.file, self.speech_detection = file, speech_detection
        self.abandoned = threading.Event()
        self.turn_began_s = float("inf")

    @property
    def turn_s(self) -> float:
        """How long it has had its turn; less than nothing while it waits for it."""
        return time.monotonic() - self.turn_began_s


class _Lane:
    """So many recordings at once, and who scores them."""

    def __init__(self, client: AsyncStressClient, at_once: int) -> None:
        self.client = client
        self._turns = asyncio.Semaphore(at_once)

    @asynccontextmanager
    async def turn(self, upload: _Upload) -> AsyncIterator[None]:
        """Wait for a place in it, and keep that for the length of the block."""
        upload.turn_began_s = float("inf")
        async with self._turns:
            upload.turn_began_s = time.monotonic()
            yield


_Reader: TypeAlias = "partial[Recording]"
_Read: TypeAlias = "Callable[[_Upload, _Reader], Future[Recording]]"
