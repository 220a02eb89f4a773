"""Recordings read in processes of their own: decoding, resampling and speech detection keep one core busy each."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from voicestress_audio import InvalidAudio, Recording, read_recording

from voicestress.contract import WindowBounds
from voicestress.errors import StressError

_CRASHES = 2


class Decoders:
    """So many ``processes`` that read recordings.

    When one dies, all that are read at the time are suspects: each is read again in a process of its own, one after the
    other, and only who is alone is blamed.
    """

    def __init__(self, processes: int, *, speech_detection: bool, bounds: WindowBounds) -> None:
        self._processes, self._speech_detection, self._bounds = processes, speech_detection, bounds
        self._pool = _new_pool(processes)
        self._alone: ProcessPoolExecutor | None = None
        self._one_suspect = asyncio.Lock()

    async def read(self, name: str) -> Recording:
        """The recording at a path or an fsspec URL.

        Raises:
            InvalidAudio: it can't be used, or a process died of it time and again.
        """
        pool = self._pool
        try:
            return await self._read_in(pool, name)
        except BrokenProcessPool:
            if pool is self._pool:
                self._pool = _new_pool(self._processes)
        async with self._one_suspect:
            for _ in range(_CRASHES):
                self._alone = _new_pool(1)
                try:
                    return await self._read_in(self._alone, name)
                except BrokenProcessPool:
                    continue
                finally:
                    _end(self._alone)
        raise InvalidAudio(f"{name}: {_CRASHES} processes died while they read it: is it very long, or memory short?")

    @property
    def process_ids(self) -> list[int]:
        """Of those that read."""
        pools = [self._pool, *([] if self._alone is None else [self._alone])]
        return [pid for pool in pools for pid in (pool._processes or {})]

    def close(self) -> None:
        """End the processes, whatever they do."""
        _end(self._pool)
        if self._alone is not None:
            _end(self._alone)

    async def _read_in(self, pool: ProcessPoolExecutor, name: str) -> Recording:
        return await asyncio.get_running_loop().run_in_executor(pool, _read, name, self._speech_detection, self._bounds)


def _new_pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"), initializer=_die_with_parent)


def _end(pool: ProcessPoolExecutor) -> None:
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()


def _die_with_parent() -> None:
    """A process of a pool would wait for work for ever when the one that gives it is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _read(name: str, speech_detection: bool, bounds: WindowBounds) -> Recording:
    if "://" not in name:
        return read_recording(name, speech_detection=speech_detection, **bounds)
    import fsspec

    try:
        with fsspec.open(name, "rb") as file:
            return read_recording(file, speech_detection=speech_detection, **bounds)
    except StressError as error:
        raise type(error)(str(error).replace("<stream>", name)) from error
    except Exception as error:
        raise InvalidAudio(f"{name}: can't be fetched ({error}). Check the URL and the credentials.") from error
