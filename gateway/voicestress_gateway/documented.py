"""The parts of the OpenAPI document that FastAPI can't know: uploads and problems."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from voicestress_gateway import problems
from voicestress_gateway.problems import Kind, ProblemDetails
from voicestress_gateway.uploads import MULTIPART

_REPORT_ERRORS = (
    problems.NO_FILE,
    problems.MALFORMED,
    problems.UNAUTHORIZED,
    problems.UPLOAD_TIMEOUT,
    problems.TOO_LARGE,
    problems.TOO_LONG,
    problems.UNSUPPORTED,
    problems.INVALID_PARAMETERS,
    problems.INVALID_AUDIO,
    problems.NO_SPEECH,
    problems.RATE_LIMITED,
    problems.TOO_MANY_AT_ONCE,
    problems.INTERNAL,
    problems.OVERLOADED,
    problems.UNAVAILABLE,
    problems.BUSY,
    problems.DRAINING,
    problems.DEADLINE,
)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}
UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A recording: WAV, FLAC, MP3, Ogg, Opus, AIFF; where PyAV is installed also M4A, MP4, 3GP, AAC, "
        "AMR, WebM. As the field `file` of a form, or as it is.",
        "content": {MULTIPART: {"schema": _FORM}, "audio/*": _BINARY, "application/octet-stream": _BINARY},
    }
}


def problem_responses(kinds: tuple[Kind, ...] = _REPORT_ERRORS, *, article: bool = False) -> dict[int | str, Any]:
    """OpenAPI's ``responses`` for ``kinds``, with an example of each.

    Those of the article's endpoint have an ``error`` beside, and no file is its own form.
    """
    of_status = defaultdict(list)
    for kind in kinds:
        of_status[kind.status].append(kind)
    responses: dict[int | str, Any] = {}
    for status, same in of_status.items():
        content: dict[str, Any] = {}
        for kind in same:
            media_type, value = problems.MEDIA_TYPE, _example(kind)
            if article and kind is problems.NO_FILE:
                media_type, value = "application/json", {"error": kind.title}
            elif article:
                value = {**value, "error": kind.example}
            schema = {"$ref": f"#/components/schemas/{'ArticleError' if 'type' not in value else 'ProblemDetails'}"}
            examples = content.setdefault(media_type, {"schema": schema, "examples": {}})["examples"]
            examples[kind.slug] = {"summary": kind.title, "value": value}
        responses[status] = {
            "description": " or ".join(dict.fromkeys(kind.title for kind in same)),
            "content": content,
            **({"headers": _RETRY_AFTER} if status in (429, 503) else {}),
        }
    return responses


# FastAPI's own classes would look for them with every request, and a key is looked for already.
KEYS: dict[str, Any] = {"security": [{"HTTPBearer": []}, {"APIKeyHeader": []}]}
_KEY_SCHEMES = {
    "HTTPBearer": {"type": "http", "scheme": "bearer", "description": "an API key, where the gateway has any"},
    "APIKeyHeader": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "the same"},
}


def openapi(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, summary=app.summary, description=app.description, routes=app.routes
        )
        components = document.setdefault("components", {})
        components["securitySchemes"] = _KEY_SCHEMES
        schemas = components.setdefault("schemas", {})
        schemas["ProblemDetails"] = ProblemDetails.model_json_schema()
        schemas["ArticleError"] = {
            "type": "object",
            "required": ["error"],
            "properties": {"error": {"type": "string"}},
        }
        app.openapi_schema = document
    return app.openapi_schema


def _example(kind: Kind) -> dict[str, Any]:
    return problems.Problem(kind).details("5f2b8c0d9e1a4b37")


_RETRY_AFTER = {"Retry-After": {"description": "seconds to wait before asking again", "schema": {"type": "integer"}}}
