"""AsyncStressClient: StressClient for asyncio. What it does is in the modules both share; here it is awaited."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType

from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException
from voicestress_audio import AudioLimits, Recording, Source, read_recording
from voicestress_audio.limits import DEFAULT_LIMITS

from voicestress import tracing, wire
from voicestress.async_conversation import AsyncConversation
from voicestress.async_stream import AsyncStressStream
from voicestress.base import MODEL_CHANGES, READY_ANSWER_S, BaseClient
from voicestress.contract import StressContract
from voicestress.errors import Unauthorized
from voicestress.report import StressReport
from voicestress.scoring import Request, Scoring


class AsyncStressClient(BaseClient):
    """A stress model on one or more Triton servers, for asyncio; keep one for the life of the process.

    Recordings are read in threads of its own and never block the event loop. Cancelling a call cancels its requests at
    the servers. It belongs to the event loop it is first used in. ``BaseClient`` tells of its settings.
    """

    def _connect(self) -> None:
        self._tritons: list[InferenceServerClient] = []  # made when first needed: they belong to an event loop
        self._asking: asyncio.Future[None] | None = None
        threads = os.cpu_count() or 1
        # Streams don't queue behind archives.
        self._readers = ThreadPoolExecutor(threads, thread_name_prefix="voicestress-read")
        self._listeners = ThreadPoolExecutor(threads, thread_name_prefix="voicestress-listen")

    async def contract(self) -> StressContract:
        """What the model says of itself; read from a server once.

        Raises:
            Unavailable, DeadlineExceeded, Unauthorized: no server can be asked.
            ContractError: the model there is not one this client can read.
        """
        while self._contract is None:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.ensure_future(self._ask_contract())
                self._asking.add_done_callback(_look_at)
            await asyncio.shield(self._asking)  # for all who wait, and whoever of them is cancelled
        return self._contract

    async def is_ready(self) -> bool:
        """Whether a server has the model ready; asked anew each time, in 2 s at most."""
        asked = (self._has_model_ready(self._triton(replica)) for replica in range(len(self._urls)))
        return any(await asyncio.gather(*asked))

    async def analyze(
        self, source: Source, *, speech_detection: bool = True, limits: AudioLimits = DEFAULT_LIMITS
    ) -> StressReport:
        """Score a recording; see ``StressClient.analyze``.

        Raises:
            InvalidAudio: the recording can't be used; ``NoSpeech`` if too little of it is speech.
            ServiceError: the service failed: ``Overloaded``, ``Unavailable``, ``DeadlineExceeded``, ``Unauthorized``.
            ContractError: the model there is not one this client can read.
        """
        with tracing.span("analyze"):
            contract = await self.contract()

            def read() -> Recording:
                return read_recording(
                    source, speech_detection=speech_detection, limits=limits, **contract.window_bounds
                )

            with tracing.span("read"):
                recording = await asyncio.get_running_loop().run_in_executor(self._readers, read)
            return await self.score(recording)

    async def score(self, recording: Recording) -> StressReport:
        """Score a recording that was read already, by ``read_recording`` with the bounds in the model's contract.

        Raises:
            ServiceError, ContractError: as ``analyze``.
        """
        with tracing.span("score", windows=len(recording.windows)):
            for _ in range(MODEL_CHANGES):
                scoring = await self._score(recording)
                if not self._is_outdated(scoring):
                    return self._report(recording, scoring)
            raise self._keeps_changing()

    @asynccontextmanager
    async def stream(
        self,
        rate_hz: int,
        *,
        channels: int = 1,
        speech_detection: bool = True,
        priority: wire.Priority = "live",
    ) -> AsyncIterator[AsyncStressStream]:
        """Score a recording while it goes on, as ``StressClient.stream``, in an ``async with`` block.

        Raises:
            InvalidAudio: no voice is recorded at this rate, or with so many channels.
            ServiceError, ContractError: as ``contract``.
        """
        scoring = self._scoring(await self.contract())
        open_live = partial(self._live, scoring, rate_hz, channels=channels, speech_detection=speech_detection)
        # Making a speech detector takes 0.1 s.
        live = await asyncio.get_running_loop().run_in_executor(self._listeners, open_live)
        stream = AsyncStressStream(
            live,
            self._conversation(scoring, priority),
            self._listeners,
            rate_hz=rate_hz,
            bytes_per_s=2 * channels * rate_hz,
        )
        try:
            yield stream
        finally:
            stream.close()

    async def close(self) -> None:
        """Close the connections. Recordings that are being read are read to their end, for nobody."""
        if self._asking is not None:
            self._asking.cancel()
        for executor in (self._readers, self._listeners):
            executor.shutdown(wait=False, cancel_futures=True)
        for triton in self._tritons:
            await triton.close()

    async def __aenter__(self) -> AsyncStressClient:
        """The client itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.close()

    async def _ask_contract(self) -> None:
        schedule = self._schedule(what="request", windows=1)
        while not schedule.is_done:
            now_s = time.monotonic()
            if (call := schedule.next_call(now_s)) is None:
                await asyncio.sleep(schedule.wait_s(now_s) or 0.0)
                continue
            try:
                response = await self._triton(call.replica).get_model_config(
                    self._model, headers=self._headers(), client_timeout=call.timeout_s
                )
            except InferenceServerException as error:
                schedule.fail(call, self._service_error(error, call), time.monotonic())
            else:
                schedule.answer(call)
                self._adopt(response.config, call)

    async def _score(self, recording: Recording) -> Scoring:
        scoring = self._scoring(await self.contract())
        for window in recording.windows:
            scoring.add(window.pcm)
        conversation = self._conversation(scoring, self._priority)
        try:
            await conversation.run()
        finally:
            conversation.cancel()
        return scoring

    async def _has_model_ready(self, triton: InferenceServerClient) -> bool:
        try:
            return bool(
                await triton.is_model_ready(self._model, headers=self._headers(), client_timeout=READY_ANSWER_S)
            )
        except (InferenceServerException, Unauthorized):  # Unauthorized: there is no token to send
            return False

    def _conversation(self, scoring: Scoring, priority: wire.Priority) -> AsyncConversation:
        async def ask(request: Request) -> wire.Answer:
            try:
                return await self._triton(request.call.replica).infer(**self._arguments(request, priority))
            except InferenceServerException as error:
                return self._service_error(error, request.call)

        return AsyncConversation(scoring, ask, patience_s=2 * self._deadline_s)

    def _triton(self, replica: int) -> InferenceServerClient:
        if not self._tritons:
            self._tritons = [
                InferenceServerClient(url, creds=self._credentials, channel_args=self._channel_options)
                for url in self._urls
            ]
        return self._tritons[replica]


def _look_at(asked: asyncio.Future[None]) -> None:
    """An error nobody waits for any more is no news."""
    if not asked.cancelled():
        asked.exception()
