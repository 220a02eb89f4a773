"""Recordings of an archive, read in processes of their own from files and from what fsspec fetches."""

from __future__ import annotations

import asyncio
from functools import partial

from voicestress_audio import InvalidAudio, Recording, read_recording
from voicestress_audio.processes import ReaderProcesses

from voicestress.contract import WindowBounds
from voicestress.errors import StressError


class Decoders:
    """So many ``processes`` that read recordings."""

    def __init__(self, processes: int, *, speech_detection: bool, bounds: WindowBounds) -> None:
        self._processes = ReaderProcesses(processes)
        self._read = partial(_read, speech_detection=speech_detection, bounds=bounds)

    async def read(self, name: str) -> Recording:
        """The recording at a path or an fsspec URL.

        Raises:
            InvalidAudio: it can't be used, or a process died of it time and again.
        """
        return await asyncio.wrap_future(self._processes.submit(self._read, name))

    @property
    def process_ids(self) -> list[int]:
        """Of those that read."""
        return self._processes.process_ids

    def close(self) -> None:
        """End the processes, whatever they do."""
        self._processes.close()


def _read(name: str, *, speech_detection: bool, bounds: WindowBounds) -> Recording:
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
