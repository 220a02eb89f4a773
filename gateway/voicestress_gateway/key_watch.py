"""API keys that come and go while the gateway runs: their file is read again once it has changed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path

from voicestress_gateway import logs
from voicestress_gateway.keys import read_keys
from voicestress_gateway.settings import GatewaySettings


class WatchedKeys:
    """The keys that are valid now, as ``ring``.

    A file that can't be read, or not all of it, changes nothing: it may be about to be written. What counts is what it
    holds, and not its time: Kubernetes replaces a mounted Secret by turning a link.

    Raises:
        ValueError: the keys can't be read at the start.
        OSError: their file can't be.
    """

    def __init__(self, settings: GatewaySettings, environment: Mapping[str, str]) -> None:
        self._settings, self._environment = settings, environment
        self._task: asyncio.Task[None] | None = None
        self._seen = self._content()
        self.ring = read_keys(settings, environment)

    def start(self) -> None:
        """Look from now on, if there is a file to look at."""
        if self._settings.keys_file is not None:
            self._task = asyncio.ensure_future(self._watch())

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._settings.keys_s)
            content = await asyncio.to_thread(self._content)
            if content != self._seen:
                self._seen = content
                await asyncio.to_thread(self._read)

    def _read(self) -> None:
        try:
            self.ring = read_keys(self._settings, self._environment)
        except (ValueError, OSError) as error:
            logs.event("keys unchanged", level=logging.ERROR, reason=str(error), keys=len(self.ring))
        else:
            logs.event("keys changed", keys=len(self.ring))

    def _content(self) -> bytes | None:
        """What is in the file; None where it can't be read."""
        if self._settings.keys_file is None:
            return None
        with contextlib.suppress(OSError):
            return Path(self._settings.keys_file).read_bytes()
        return None
