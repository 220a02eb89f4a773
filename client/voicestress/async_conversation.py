"""The requests of one recording that are with the servers, and how a coroutine waits for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from voicestress.errors import ServiceError, StressError
from voicestress.schedule import Call
from voicestress.scoring import Request, Scoring
from voicestress.wire import Answer


class AsyncConversation:
    """``Conversation``, awaited.

    Args:
        scoring: the windows.
        ask: sends a request and awaits its answer, which may be an error of the service.
        patience_s: how long to wait for any answer at all, in seconds.
    """

    def __init__(self, scoring: Scoring, ask: Callable[[Request], Awaitable[Answer]], *, patience_s: float) -> None:
        self._scoring, self._ask, self._patience_s = scoring, ask, patience_s
        self._calls: dict[asyncio.Future[Answer], Call] = {}

    async def run(self, *, unanswered: int = 0) -> None:
        """Send and wait until at most so many windows are ``unanswered``."""
        while self._scoring.unanswered > unanswered:
            self._send_due()
            await self._receive(self._scoring.wait_s(time.monotonic()))

    async def go_on(self) -> None:
        """Send what is due and take what has come, without waiting."""
        self._send_due()
        if self._calls:
            await self._receive(0.0)
            self._send_due()

    def cancel(self) -> None:
        """End what is still with the servers; they are told."""
        for asked, call in self._calls.items():
            asked.cancel()
            self._scoring.cancelled(call)
        self._calls.clear()

    def _send_due(self) -> None:
        while (request := self._scoring.next_request(time.monotonic())) is not None:
            self._calls[asyncio.ensure_future(self._ask(request))] = request.call

    async def _receive(self, at_most_s: float | None) -> None:
        """Take the answers that come next, if any come within ``at_most_s``."""
        if not self._calls:
            await asyncio.sleep(at_most_s or 0.0)
            return
        done, _ = await asyncio.wait(
            self._calls,
            timeout=self._patience_s if at_most_s is None else at_most_s,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if not done and at_most_s is None:
            # gRPC ends every call at its deadline; should it ever not, nothing here hangs.
            raise ServiceError(f"neither answer nor time-out from a server in {self._patience_s:g} s")
        for asked in done:
            if (call := self._calls.pop(asked, None)) is None:
                continue  # another call for the same window was answered first
            answer = asked.result()
            if isinstance(answer, StressError):
                self._scoring.failed(call, answer, time.monotonic())
            else:
                self._forget(self._scoring.answered(call, answer))

    def _forget(self, useless: list[Call]) -> None:
        for asked in [asked for asked, call in self._calls.items() if call in useless]:
            del self._calls[asked]
            asked.cancel()
