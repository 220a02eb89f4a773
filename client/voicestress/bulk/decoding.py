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

_CRASHES = 3


class Decoders:
    """So many ``processes`` that read recordings; one that dies takes none of the others' work with it."""

    def __init__(self, processes: int, *, speech_detection: bool, bounds: WindowBounds) -> None:
        self._processes, self._speech_detection, self._bounds = processes, speech_detection, bounds
        self._pool = self._new_pool()

    async def read(self, name: str) -> Recording:
        """The recording at a path or an fsspec URL.

        Raises:
            InvalidAudio: it can't be used, or a process died of it time and again.
        """
        for _ in range(_CRASHES):
            pool = self._pool
            try:
                return await asyncio.get_running_loop().run_in_executor(
                    pool, _read, name, self._speech_detection, self._bounds
                )
            except BrokenProcessPool:  # of this recording, or of another that was read at the time
                if pool is self._pool:
                    self._pool = self._new_pool()
        raise InvalidAudio(f"{name}: {_CRASHES} processes died while they read it: is it very long, or memory short?")

    def close(self) -> None:
        """End the processes, whatever they do."""
        processes = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._processes, mp_context=multiprocessing.get_context("spawn"), initializer=_die_with_parent
        )


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
            encoded = file.read()
    except (OSError, ImportError, ValueError) as error:
        raise InvalidAudio(f"{name}: can't be fetched ({error}). Check the URL and the credentials.") from error
    return read_recording(encoded, speech_detection=speech_detection, **bounds)
