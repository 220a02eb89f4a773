"""The ASGI application: the endpoints, what they answer when something goes wrong, and what is around them."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp
from voicestress import StressError

from voicestress_gateway import documented, problems
from voicestress_gateway.analyses import ARTICLE_PATH, analyses_router
from voicestress_gateway.gateway import Gateway
from voicestress_gateway.lingering import Lingering
from voicestress_gateway.observed import Observed
from voicestress_gateway.probes import probes_router
from voicestress_gateway.problems import NO_FILE, Problem, problem_of
from voicestress_gateway.streams import streams_router
from voicestress_gateway.website import website_router

_GARBAGE_OBJECTS = 10_000  # some megabytes, until they are looked for
_DESCRIPTION = """Scores vocal stress in recorded or live speech, from 0 to 100.

The level orders voices by what a model was trained to hear; it is no diagnosis, no lie detector and no measure of a
person's health. Errors are problem details (RFC 9457).

Live speech is scored by the WebSocket `/v1/stream?rate=16000&channels=1&format=s16le`: binary messages hold interleaved
16-bit little-endian samples, or, with `format=webm`, what a browser's MediaRecorder makes; the text
`{"type": "end"}` asks for the report. Messages come back with the `type` `ready` (the model's `labels` and
`status_threshold`), `update` (a window, as it is scored), and `report`, or else `problem`. Browsers send a key as the
protocol `key.KEY` beside `voicestress.v1`."""
_HTTP_KINDS = {404: problems.NOT_FOUND, 405: problems.WRONG_METHOD}
_GONE_STATUS = 499  # nobody gets it: the client has left


def create_app(gateway: Gateway) -> ASGIApp:
    """The application of ``gateway``, to be run by an ASGI server."""
    app: ASGIApp = Lingering(create_api(gateway))
    if origins := gateway.settings.origins:
        app = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-Id"],
            expose_headers=["Retry-After", "X-Request-Id"],
        )
    return Observed(app, gateway)


def create_api(gateway: Gateway) -> FastAPI:
    """The endpoints alone; ``openapi()`` describes them."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await gateway.start()
        _let_garbage_wait()
        yield
        await gateway.stop()

    api = FastAPI(
        title="voicestress",
        version=version("voicestress"),
        summary="Vocal stress of speech",
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # its page would load scripts from other hosts
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in (analyses_router(gateway), streams_router(gateway), probes_router(gateway), website_router()):
        api.include_router(router)
    api.openapi = lambda: documented.openapi(api)  # type: ignore[method-assign]
    handlers: dict[Any, Any] = {
        Problem: _answer_problem,
        StressError: _answer_stress_error,
        RequestValidationError: _answer_wrong_parameters,
        HTTPException: _answer_http_error,
        ClientDisconnect: _answer_nobody,
        Exception: _answer_failure,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)
    return api


def _let_garbage_wait() -> None:
    """Collect seldom, and never again what is there by now: at full load that took a tenth of the gateway's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE_OBJECTS)


async def _answer_problem(request: Request, problem: Problem) -> Response:
    request.state.problem, request.state.cause = problem.kind.slug, problem.cause
    details = problem.details(request.state.request_id)
    if request.url.path == ARTICLE_PATH:
        if problem.kind is NO_FILE:
            return JSONResponse({"error": problem.kind.title}, problem.kind.status)
        details["error"] = problem.detail
    return JSONResponse(details, problem.kind.status, problem.headers, problems.MEDIA_TYPE)


async def _answer_stress_error(request: Request, error: StressError) -> Response:
    return await _answer_problem(request, problem_of(error))


async def _answer_wrong_parameters(request: Request, error: RequestValidationError) -> Response:
    wrong = (f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())
    return await _answer_problem(request, Problem(problems.INVALID_PARAMETERS, "; ".join(wrong)))


async def _answer_http_error(request: Request, error: HTTPException) -> Response:
    kind = _HTTP_KINDS.get(error.status_code, problems.NOT_FOUND)
    detail = f"this path does not take {request.method}" if kind is problems.WRONG_METHOD else None
    response = await _answer_problem(request, Problem(kind, detail))
    response.headers.update(error.headers or {})
    return response


async def _answer_nobody(request: Request, error: ClientDisconnect) -> Response:
    request.state.problem = "client-gone"
    return Response(status_code=_GONE_STATUS)


async def _answer_failure(request: Request, error: Exception) -> Response:
    return await _answer_problem(request, Problem(problems.INTERNAL))
