"""Scores an archive: recordings decoded in processes, scored concurrently, written down in order of completion."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from voicestress_audio import InvalidAudio, Recording

from voicestress.async_client import AsyncStressClient
from voicestress.bulk.decoding import Decoders
from voicestress.bulk.journal import Journal
from voicestress.bulk.results import scored_in, write_results
from voicestress.bulk.throttle import Throttle
from voicestress.errors import DeadlineExceeded, Overloaded, ServiceError, StressError, Unauthorized
from voicestress.report import StressReport
from voicestress.retry import WORTH_RETRYING

# Speech that is decoded and not scored yet, over all recordings: 32 kB each second.
_HELD_S = 1_800.0
_PAUSE_S = 1.0
# How often a recording is asked for again that the service failed, and how many such in a row end it all.
_AGAIN = 2
_REFUSED_IN_A_ROW = 10
_PASSING = (*WORTH_RETRYING, DeadlineExceeded)


@dataclass(frozen=True)
class Files:
    """Where an archive's results go."""

    out: Path

    @property
    def journal(self) -> Path:
        """What was scored since ``out`` was written."""
        return self.out.with_name(f"{self.out.stem}.journal.jsonl")

    @property
    def failures(self) -> Path:
        """What can't be scored, and why."""
        return self.out.with_name(f"{self.out.stem}.failures.jsonl")


@dataclass
class Summary:
    """What a run did, in recordings."""

    scored: int = 0
    failed: int = 0
    before: int = 0
    audio_s: float = 0.0


@dataclass(frozen=True)
class Settings:
    """How an archive is scored.

    Args:
        at_once: recordings with the servers at once, at most.
        processes: that decode.
        speech_detection: find the speech first.
        patience_s: how long a service that is away or full is waited for, in seconds.
    """

    at_once: int = 16
    processes: int = os.cpu_count() or 1
    speech_detection: bool = True
    patience_s: float = 300.0


async def score_archive(
    recordings: Sequence[str],
    files: Files,
    client: AsyncStressClient,
    settings: Settings,
    *,
    retry_failed: bool = False,
    on_done: Callable[[Summary], None] = lambda summary: None,
) -> Summary:
    """Score those of ``recordings`` that ``files`` have no result for, and write the results.

    Raises:
        ServiceError, ContractError: the service failed for good, or for longer than patience. What was scored is kept.
        SourceError: the files can't be written, or another process is at it.
    """
    with Journal(files.journal) as journal, Journal(files.failures) as failures:
        if retry_failed:
            failures.clear()
        done = scored_in(files.out)
        done.update(entry["recording"] for entry in chain(journal.entries(), failures.entries()))
        waiting = deque(recording for recording in recordings if recording not in done)
        archive = _Archive(client, journal, failures, settings, Summary(before=len(recordings) - len(waiting)), on_done)
        await archive.score(waiting)
        write_results(files.out, journal.entries())
        files.journal.unlink()
        if not archive.has_failures:
            files.failures.unlink()
        return archive.summary


class _Archive:
    def __init__(
        self,
        client: AsyncStressClient,
        journal: Journal,
        failures: Journal,
        settings: Settings,
        summary: Summary,
        on_done: Callable[[Summary], None],
    ) -> None:
        self._client, self._journal, self._failures, self._settings = client, journal, failures, settings
        self.summary, self._on_done = summary, on_done
        self._throttle = Throttle(settings.at_once)
        self._held_s = 0.0
        self._at_servers, self._went = 0, asyncio.Event()
        self._refused = 0  # recordings in a row that the service failed
        self._away_since_s: float | None = None

    @property
    def has_failures(self) -> bool:
        return next(self._failures.entries(), None) is not None

    async def score(self, waiting: deque[str]) -> None:
        contract = await self._client.contract()
        decoders = Decoders(
            self._settings.processes, speech_detection=self._settings.speech_detection, bounds=contract.window_bounds
        )
        tasks: set[asyncio.Task[None]] = set()
        try:
            while waiting or tasks:
                while waiting and len(tasks) < self._at_once and (self._held_s < _HELD_S or not tasks):
                    tasks.add(asyncio.create_task(self._score_one(waiting.popleft(), decoders)))
                done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            decoders.close()

    @property
    def _at_once(self) -> int:
        return self._throttle.limit + self._settings.processes

    async def _score_one(self, name: str, decoders: Decoders) -> None:
        try:
            if not _is_text(name):
                raise InvalidAudio(f"{name!r}: its name is no text. Rename it.")
            recording = await decoders.read(name)
        except InvalidAudio as error:
            self._fail(name, error)
            return
        self._held_s += recording.speech_s
        try:
            report = await self._score(recording)
        except (Unauthorized, *_PASSING):
            raise
        except ServiceError as error:
            self._refused += 1
            if self._refused >= _REFUSED_IN_A_ROW:
                raise
            self._fail(name, error)
            return
        finally:
            self._held_s -= recording.speech_s
        self._away_since_s, self._refused = None, 0
        self._throttle.succeeded()
        entry: dict[str, Any] = {"recording": name, **report.model_dump(mode="json")}
        self._journal.write(entry)
        self.summary.scored += 1
        self.summary.audio_s += report.duration_s
        self._on_done(self.summary)

    async def _score(self, recording: Recording) -> StressReport:
        while self._at_servers >= self._throttle.limit:
            self._went.clear()
            await self._went.wait()
        self._at_servers += 1
        try:
            return await self._score_patiently(recording)
        finally:
            self._at_servers -= 1
            self._went.set()

    async def _score_patiently(self, recording: Recording) -> StressReport:
        again = _AGAIN
        while True:
            try:
                return await self._client.score(recording)
            except _PASSING as error:
                await self._wait_for_service(error)
            except ServiceError as error:
                if isinstance(error, Unauthorized) or not again:
                    raise
                again -= 1
                await asyncio.sleep(_PAUSE_S)

    def _fail(self, name: str, error: StressError) -> None:
        self._failures.write({"recording": name, "error": type(error).__name__, "reason": str(error)})
        self.summary.failed += 1
        self._on_done(self.summary)

    async def _wait_for_service(self, error: Exception) -> None:
        """Wait a little, or raise ``error`` if nothing was scored for longer than patience."""
        if isinstance(error, Overloaded):
            self._throttle.overloaded()
        now_s = time.monotonic()
        self._away_since_s = now_s if self._away_since_s is None else self._away_since_s
        if now_s - self._away_since_s >= self._settings.patience_s:
            raise error
        await asyncio.sleep(_PAUSE_S)


def _is_text(name: str) -> bool:
    """Whether Parquet can hold it: a file's name may be any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
