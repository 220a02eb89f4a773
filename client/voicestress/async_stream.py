"""A recording that is scored while it goes on, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np
import numpy.typing as npt
from voicestress_audio import Window

from voicestress.async_conversation import AsyncConversation
from voicestress.live import LiveScore
from voicestress.report import StressReport, StressUpdate

# Shorter chunks wait for each other: a thread for every 10 ms of each call would cost more than the hearing.
_HEARD_AT_ONCE_S = 0.1


class AsyncStressStream:
    """A recording that goes on: ``AsyncStressClient.stream`` makes it. For one task.

    ``last_updates`` are those that came with ``finish``. Whatever error ends a call, being cancelled among them, it
    ends the stream.
    """

    def __init__(
        self,
        live: LiveScore,
        conversation: AsyncConversation,
        listeners: Executor,
        *,
        rate_hz: int,
        bytes_per_s: int,
    ) -> None:
        self._live, self._conversation, self._listeners = live, conversation, listeners
        self.last_updates: list[StressUpdate] = []
        self._rate_hz, self._bytes_per_s = rate_hz, bytes_per_s
        self._waiting: list[npt.NDArray[Any] | bytes] = []
        self._waiting_s = 0.0
        self._hearing: Future[list[Window]] | None = None

    async def push(self, chunk: npt.NDArray[Any] | bytes) -> list[StressUpdate]:
        """The updates that are there after ``chunk``; see ``StressStream.push``.

        Raises:
            InvalidAudio: the samples of this or of one of the last chunks can't be used.
            ServiceError: the service failed: ``Overloaded``, ``Unavailable``, ``DeadlineExceeded``, ``Unauthorized``.
            ValueError: the stream has ended.
        """
        with self._live.ending_on_error(self.close):
            if isinstance(chunk, np.ndarray):
                self._waiting.append(chunk.copy())
                self._waiting_s += (len(chunk) if chunk.ndim else 1) / self._rate_hz
            elif isinstance(chunk, (bytes, bytearray, memoryview)):
                self._waiting.append(bytes(chunk))
                self._waiting_s += len(chunk) / self._bytes_per_s
            else:
                raise TypeError(f"a chunk is a numpy array, or the bytes of 16-bit samples, not {type(chunk).__name__}")
            if self._waiting_s >= _HEARD_AT_ONCE_S:
                await self._hear_waiting()
            await self._conversation.go_on()
            await self._conversation.run(unanswered=self._live.backlog)
            return self._live.updates()

    async def finish(self) -> StressReport:
        """The report of all that was pushed; see ``StressStream.finish``. The stream ends with it.

        Raises:
            InvalidAudio: nothing was pushed, or not whole samples; ``NoSpeech`` if too little of it is speech.
            ServiceError, ValueError: as ``push``.
        """
        with self._live.ending_on_error(self.close):
            await self._hear_waiting()
            self._live.add(await self._in_thread(self._live.hear_the_end))
            await self._conversation.run()
            self.last_updates = self._live.updates()
            report = self._live.report()
        self.close()
        return report

    def close(self) -> None:
        """End it without a report; what is with the servers is cancelled."""
        self._live.end()
        self._conversation.cancel()
        if self._hearing is None:
            self._live.release()
        else:  # at once where that is done
            self._hearing.add_done_callback(lambda _: self._live.release())

    async def _hear_waiting(self) -> None:
        chunks, self._waiting, self._waiting_s = self._waiting, [], 0.0
        self._live.add(await self._in_thread(lambda: self._live.hear(chunks)))

    async def _in_thread(self, hear: Callable[[], list[Window]]) -> list[Window]:
        self._hearing = self._listeners.submit(hear)
        return await asyncio.wrap_future(self._hearing)
