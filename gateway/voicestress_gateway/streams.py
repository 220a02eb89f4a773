"""Live speech: ``WS /v1/stream``. Audio comes in, an update goes out for each window, and the report at the end.

The first message, ``Ready``, tells of the model what one needs to show updates.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocketDisconnect, WebSocketState
from voicestress import AsyncStressStream, StressContract, StressError, StressUpdate

from voicestress_gateway import problems
from voicestress_gateway.gateway import Gateway
from voicestress_gateway.problems import Problem, problem_of
from voicestress_gateway.sounds import RawSound, Sound, WebmSound, webm_sound

PROTOCOL = "voicestress.v1"
# How often a stream looks for answers while no audio comes.
_LOOK_S = 0.25
_SEND_S = 10.0
_ENDED, _GOING_AWAY = 1000, 1001


class StreamOptions(BaseModel):
    """What the address of a stream says of it."""

    model_config = ConfigDict(frozen=True)

    rate: Annotated[int, Field(ge=8_000, le=192_000, description="Hz; WebM has its own")] = 16_000
    channels: Annotated[int, Field(ge=1, le=2, description="interleaved; WebM has its own")] = 1
    format: Literal["s16le", "webm"] = "s16le"
    speech_detection: bool = True


class Ready(BaseModel):
    """The first message of a stream."""

    type: Literal["ready"] = "ready"
    labels: tuple[str, ...]
    status_threshold: float = Field(description="stress level above which the status is High")
    heuristic: bool = Field(description="the level is a rule of thumb: the model was trained for something else")
    weights: Literal["trained", "random"]


def streams_router(gateway: Gateway) -> APIRouter:
    """The WebSocket ``/v1/stream``."""
    router = APIRouter()

    @router.websocket("/v1/stream")
    async def stream(websocket: WebSocket) -> None:
        if not _comes_from_here(websocket, gateway.settings.origins):
            websocket.state.problem = problems.FORBIDDEN_ORIGIN.slug
            await websocket.close(1008)  # before it was accepted: the answer is 403
            return
        try:
            await websocket.accept(PROTOCOL if PROTOCOL in websocket.scope["subprotocols"] else None)
            code = await _converse(websocket, gateway)
        except WebSocketDisconnect:
            websocket.state.problem = "client-gone"
        except (Problem, StressError) as error:
            await _end_with(websocket, error if isinstance(error, Problem) else problem_of(error))
        except Exception:
            await _end_with(websocket, Problem(problems.INTERNAL))
            raise
        else:
            await websocket.close(code)

    return router


async def _converse(websocket: WebSocket, gateway: Gateway) -> int:
    """A stream from its options to its report; returns the code to close with."""
    with gateway.admitted(gateway.key_of(websocket)), gateway.streams.one(), gateway.metrics.streams.track_inprogress():
        session = _Session(websocket, gateway, _options(websocket))
        await session.run()
    return _GOING_AWAY if gateway.streams_end.is_set() else _ENDED


class _Session:
    """One stream: a task hears the client, and another one has what it said scored."""

    def __init__(self, websocket: WebSocket, gateway: Gateway, options: StreamOptions) -> None:
        self._websocket, self._gateway, self._options = websocket, gateway, options
        self._settings = gateway.settings

    async def run(self) -> None:
        """Hear and score until the report was sent.

        Raises:
            Problem, StressError: it can't go on.
            WebSocketDisconnect: the client left.
        """
        async with self._sound() as (sound, rate_hz, channels):
            client = self._gateway.client
            await self._say_ready(await client.contract())
            is_to_detect = self._options.speech_detection
            async with client.stream(rate_hz, channels=channels, speech_detection=is_to_detect) as stream:
                scoring = asyncio.ensure_future(self._score(sound, stream, 2 * channels * rate_hz, rate_hz))
                hearing = asyncio.ensure_future(self._hear(sound))
                limit_s = self._settings.stream_longest_s + self._settings.analysis_s
                try:
                    done, _ = await asyncio.wait(
                        {scoring, hearing}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
                    )
                    if not done:
                        raise self._too_long()
                    (scoring if scoring.done() else hearing).result()
                finally:
                    for task in (scoring, hearing):
                        task.cancel()
                    await asyncio.gather(scoring, hearing, return_exceptions=True)

    async def _say_ready(self, contract: StressContract) -> None:
        about = Ready(
            labels=contract.labels,
            status_threshold=contract.status_threshold,
            heuristic=contract.heuristic,
            weights=contract.weights,
        )
        await _send(self._websocket, about.model_dump(mode="json"))

    @asynccontextmanager
    async def _sound(self) -> AsyncIterator[tuple[Sound, int, int]]:
        if self._options.format == "s16le":
            yield RawSound(), self._options.rate, self._options.channels
        else:
            async with webm_sound(self._settings.stream_longest_s) as sound:
                yield sound, WebmSound.rate_hz, 1  # channels are those of its arrays

    async def _hear(self, sound: Sound) -> None:
        """Feed ``sound`` with what the client says. Never returns: after the end, it waits for the client to leave."""
        idle_s, ending = self._settings.stream_idle_s, asyncio.ensure_future(self._gateway.streams_end.wait())
        try:
            while not ending.done() and (message := await self._received(idle_s, ending)) is not None:
                await sound.feed(message)
            await sound.end()
            while True:
                await self._receive()
        finally:
            ending.cancel()

    async def _received(self, idle_s: float, ending: asyncio.Future[Any]) -> bytes | None:
        """The next message with audio, or None if there are to be no more."""
        receiving = asyncio.ensure_future(self._receive())
        try:
            await asyncio.wait({receiving, ending}, timeout=idle_s, return_when=asyncio.FIRST_COMPLETED)
            if receiving.done():
                return receiving.result()
            if ending.done():
                return None
            raise Problem(problems.UPLOAD_TIMEOUT, f"nothing came for {idle_s:g} s")
        finally:
            receiving.cancel()

    async def _receive(self) -> bytes | None:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        if (text := message.get("text")) is None:
            return bytes(message["bytes"])
        _check_end(text)
        return None

    async def _score(self, sound: Sound, stream: AsyncStressStream, bytes_per_s: int, rate_hz: int) -> None:
        """Have all of ``sound`` scored, and send what comes of it."""
        heard_s = 0.0
        waiting = asyncio.ensure_future(sound.next_chunk())
        try:
            while True:
                done, _ = await asyncio.wait({waiting}, timeout=_LOOK_S)
                chunk = waiting.result() if done else b""
                if chunk is None:
                    break
                if done:
                    waiting = asyncio.ensure_future(sound.next_chunk())
                heard_s += len(chunk) / (bytes_per_s if isinstance(chunk, bytes) else rate_hz)
                if heard_s > self._settings.stream_longest_s:
                    raise self._too_long()
                await self._send_updates(await stream.push(chunk))
        finally:
            waiting.cancel()
        limit_s = self._settings.analysis_s
        try:
            report = await asyncio.wait_for(stream.finish(), limit_s)
        except asyncio.TimeoutError:
            raise Problem(problems.DEADLINE, f"there was no report within {limit_s:g} s") from None
        await self._send_updates(stream.last_updates)
        self._gateway.metrics.audio_s.labels("stream").inc(report.duration_s)
        await _send(self._websocket, {"type": "report", "report": report.model_dump(mode="json")})

    async def _send_updates(self, updates: list[StressUpdate]) -> None:
        for update in updates:
            await _send(self._websocket, {"type": "update", "update": update.model_dump(mode="json")})

    def _too_long(self) -> Problem:
        most_s = self._settings.stream_longest_s
        return Problem(problems.TOO_LONG, f"a live stream has at most {most_s:g} s; begin a new one")


def _options(websocket: WebSocket) -> StreamOptions:
    try:
        return StreamOptions.model_validate(dict(websocket.query_params))
    except ValidationError as error:
        wrong = (f"{each['loc'][0]}: {each['msg']}" for each in error.errors(include_url=False))
        raise Problem(problems.INVALID_PARAMETERS, "; ".join(wrong)) from None


def _check_end(text: str) -> None:
    said: Any = None
    with suppress(ValueError):
        said = json.loads(text)
    if said != {"type": "end"}:
        raise Problem(problems.INVALID_PARAMETERS, 'the only text message is {"type": "end"}; audio is sent as binary')


async def _send(websocket: WebSocket, message: dict[str, Any]) -> None:
    """Send a message; a client that takes none is left."""
    try:
        await asyncio.wait_for(websocket.send_json(message), _SEND_S)
    except asyncio.TimeoutError:
        raise WebSocketDisconnect(1006) from None


async def _end_with(websocket: WebSocket, problem: Problem) -> None:
    websocket.state.problem, websocket.state.cause = problem.kind.slug, problem.cause
    if websocket.client_state is not WebSocketState.CONNECTED:
        return
    with suppress(WebSocketDisconnect, RuntimeError):  # RuntimeError: it has left meanwhile
        await _send(websocket, {"type": "problem", "problem": problem.details(websocket.state.request_id)})
        await websocket.close(problem.close_code, problem.kind.title)


def _comes_from_here(websocket: WebSocket, origins: tuple[str, ...]) -> bool:
    """Whether it is no browser's, or that of a page of this gateway or of an allowed one.

    Browsers let any page open a WebSocket to anywhere; only the server can refuse it.
    """
    origin = websocket.headers.get("origin")
    if origin is None or origin.rstrip("/") in origins or "*" in origins:
        return True
    return urlsplit(origin).netloc == websocket.headers.get("host")
