"""Recordings in, reports out: ``POST /v1/analyses``, and ``POST /analyze-stress`` as the article had it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect
from voicestress import StressReport

from voicestress_gateway.documented import KEYS, UPLOAD_BODY, problem_responses
from voicestress_gateway.gateway import Gateway

ARTICLE_PATH = "/analyze-stress"
_T = TypeVar("_T")
_SpeechDetection = Annotated[
    bool, Query(description="find the speech first; false for recordings that hold nothing but speech")
]


class ArticleReport(BaseModel):
    """What the article's service answered."""

    stress_level: float = Field(ge=0, le=100, description="rounded to two decimals")
    status: Literal["High", "Normal"]


def analyses_router(gateway: Gateway) -> APIRouter:
    """Both endpoints."""

    async def identify(request: Request) -> None:
        request.state.caller = gateway.key_of(request)

    router = APIRouter(dependencies=[Depends(identify)])

    async def analysed(request: Request, speech_detection: bool) -> StressReport:
        with gateway.admitted(request.state.caller):
            async with gateway.uploads.received(request) as file:
                return await _unless_gone(request, gateway.analyser.analyse(file, speech_detection=speech_detection))

    @router.post(
        "/v1/analyses",
        response_model=StressReport,
        responses=problem_responses(),
        openapi_extra={**UPLOAD_BODY, **KEYS},
        summary="Score a recording",
        operation_id="analyze",
    )
    async def analyze(request: Request, speech_detection: _SpeechDetection = True) -> Response:
        """The stress report of one recording: its level, and each of its windows."""
        report = await analysed(request, speech_detection)
        return Response(report.model_dump_json(), media_type="application/json")

    @router.post(
        ARTICLE_PATH,
        response_model=ArticleReport | StressReport,
        responses=problem_responses(article=True),
        openapi_extra={**UPLOAD_BODY, **KEYS},
        summary="Score a recording, in the article's form",
        operation_id="analyze_stress",
    )
    async def analyze_stress(
        request: Request,
        full: Annotated[bool, Query(description="answer with all of the report")] = False,
        speech_detection: _SpeechDetection = True,
    ) -> Response:
        """The stress level of one recording, rounded to two decimals, and its status."""
        report = await analysed(request, speech_detection)
        rounded = {"stress_level": round(report.stress_level, 2), "status": report.status}
        return JSONResponse({**report.model_dump(mode="json"), **rounded} if full else rounded)

    return router


async def _unless_gone(request: Request, work: Coroutine[Any, Any, _T]) -> _T:
    """What ``work`` gives; it is cancelled when the client leaves.

    Raises:
        ClientDisconnect: it left.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return await working
    finally:
        for task in (working, leaving):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
