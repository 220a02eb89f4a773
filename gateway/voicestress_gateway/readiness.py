"""Whether there is a model to ask: looked at again and again, so that asking costs nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from voicestress import AsyncStressClient, StressError

from voicestress_gateway import logs
from voicestress_gateway.metrics import Metrics


class Readiness:
    """Knows whether a server is ready and the model's contract was read; ``reason`` says why not.

    Args:
        client: asks the servers.
        every_s: seconds between two looks.
    """

    def __init__(self, client: AsyncStressClient, metrics: Metrics, *, every_s: float) -> None:
        self._client, self._metrics, self._every_s = client, metrics, every_s
        self._task: asyncio.Task[None] | None = None
        self.is_ready = False
        self.reason = "the model was not asked yet"

    def start(self) -> None:
        """Look from now on."""
        self._task = asyncio.ensure_future(self._watch())

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        while True:
            self._note(*await self._look())
            await asyncio.sleep(self._every_s)

    async def _look(self) -> tuple[str, str]:
        """Why it is not ready, for everybody and for the log; nothing if it is."""
        try:
            if not await self._client.is_ready():
                return "no server has the model ready", ""
            await self._client.contract()
        except StressError as error:
            return f"the model can't be asked ({type(error).__name__})", str(error)
        return "", ""

    def _note(self, reason: str, cause: str) -> None:
        is_ready = not reason
        if reason != self.reason:
            level = logging.INFO if is_ready else logging.WARNING
            logs.event("ready" if is_ready else "not ready", level=level, reason=reason, cause=cause)
        self.is_ready, self.reason = is_ready, reason
        self._metrics.ready.set(is_ready)
