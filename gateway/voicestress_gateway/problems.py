"""What can go wrong, as a client over HTTP is told: problem details (RFC 9457)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field
from voicestress import (
    ContractError,
    DeadlineExceeded,
    InvalidAudio,
    NoSpeech,
    Overloaded,
    StressError,
    TooLong,
    Unauthorized,
    Unavailable,
)

MEDIA_TYPE = "application/problem+json"
_RETRY_S = 1


class ProblemDetails(BaseModel):
    """RFC 9457: what went wrong, for programs (``type``) and for people (``detail``)."""

    type: str = Field(description="which problem it is; stays the same", examples=["urn:voicestress:problem:no-speech"])
    title: str = Field(description="the problem in a few words; the same for each of its type")
    status: int = Field(description="the HTTP status")
    detail: str = Field(description="this very problem, in words, with what would help")
    request_id: str = Field(default="", description="what to name when asking about it; also in X-Request-Id")


@dataclass(frozen=True)
class Kind:
    """One kind of problem; ``example`` is a detail it may have."""

    slug: str
    status: int
    title: str
    example: str

    @property
    def type(self) -> str:
        """Its URI."""
        return f"urn:voicestress:problem:{self.slug}"


NO_FILE = Kind("no-file", 400, "No file uploaded", "there is no recording in the request")
MALFORMED = Kind("malformed-upload", 400, "Upload can't be read", "the multipart form ends before its last boundary")
UNAUTHORIZED = Kind("unauthorized", 401, "No valid API key", "give a valid key as `Authorization: Bearer KEY`")
FORBIDDEN_ORIGIN = Kind("forbidden-origin", 403, "Origin not allowed", "pages of this origin may not ask")
NOT_FOUND = Kind("not-found", 404, "Nothing there", "there is nothing at this path; /openapi.json lists what there is")
WRONG_METHOD = Kind("method-not-allowed", 405, "Method not allowed", "this path does not take GET")
UPLOAD_TIMEOUT = Kind("upload-timeout", 408, "Upload too slow", "nothing came for 15 s")
TOO_LARGE = Kind("too-large", 413, "Upload too large", "the upload has more than 67108864 bytes, the largest allowed")
TOO_LONG = Kind("too-long", 413, "Recording too long", "recording: is 7200.0 s long; at most 1800 s are scored")
UNSUPPORTED = Kind("unsupported-media-type", 415, "Format can't be read", "recording: WMA can't be read")
INVALID_PARAMETERS = Kind("invalid-parameters", 422, "Parameters can't be used", "speech_detection: must be a boolean")
INVALID_AUDIO = Kind("invalid-audio", 422, "Recording can't be used", "recording: is empty (0 bytes)")
NO_SPEECH = Kind("no-speech", 422, "No speech", "recording: 0.2 s of speech, 0.5 s needed")
RATE_LIMITED = Kind("rate-limited", 429, "Too many requests", "this key may make 600 requests a minute")
TOO_MANY_AT_ONCE = Kind("too-many-at-once", 429, "Too many requests at once", "this key may make 32 requests at once")
INTERNAL = Kind("internal", 500, "Error in the gateway", "something went wrong that should not; it was logged")
OVERLOADED = Kind("overloaded", 503, "Model overloaded", "the model's queue is full; retry later")
UNAVAILABLE = Kind("unavailable", 503, "Model unavailable", "the model can't be reached; retry later")
BUSY = Kind("busy", 503, "Gateway full", "the gateway has as much to do as it may; retry later")
DRAINING = Kind("draining", 503, "Gateway stopping", "the gateway is being stopped; ask another, or later")
DEADLINE = Kind("deadline-exceeded", 504, "Took too long", "there was no report within 60 s")

_FOR_LATER = {408, 429, 503, 504}


class Problem(Exception):
    """A request ends with this ``kind`` of problem.

    ``cause`` is what is logged beside it; it may name servers, and is never told to the client.
    """

    def __init__(
        self, kind: Kind, detail: str | None = None, *, retry_after_s: int | None = None, cause: str = ""
    ) -> None:
        super().__init__(kind.slug)
        self.kind, self.detail, self.cause = kind, kind.example if detail is None else detail, cause
        self._retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        """The headers that belong to it."""
        headers = {}
        if self.kind.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self._retry_after_s is not None or self.kind.status in (429, 503):
            headers["Retry-After"] = str(self._retry_after_s or _RETRY_S)
        return headers

    @property
    def close_code(self) -> int:
        """The code a WebSocket is closed with for it."""
        if self.kind.status in _FOR_LATER and self.kind is not UPLOAD_TIMEOUT:
            return 1013
        return 1011 if self.kind.status == 500 else 1008

    def details(self, request_id: str = "") -> dict[str, Any]:
        """The problem object."""
        kind = self.kind
        return ProblemDetails(
            type=kind.type, title=kind.title, status=kind.status, detail=self.detail, request_id=request_id
        ).model_dump()


def problem_of(error: StressError) -> Problem:
    """What a client over HTTP is told of ``error``: about its recording all of it, about our servers little."""
    if isinstance(error, InvalidAudio):
        kind = NO_SPEECH if isinstance(error, NoSpeech) else TOO_LONG if isinstance(error, TooLong) else INVALID_AUDIO
        kind = UNSUPPORTED if error.is_unreadable_format else kind
        return Problem(kind, _without_placeholder(str(error)))
    if isinstance(error, Overloaded):
        return Problem(OVERLOADED, cause=str(error))
    if isinstance(error, DeadlineExceeded):
        return Problem(DEADLINE, "the model did not answer in time; retry later", cause=str(error))
    known = isinstance(error, (Unavailable, Unauthorized, ContractError))
    return Problem(UNAVAILABLE, cause=str(error)) if known else Problem(INTERNAL, cause=str(error))


def _without_placeholder(message: str) -> str:
    for placeholder in ("<bytes>", "<stream>", "<samples>"):
        message = message.replace(placeholder, "recording")
    return message
