"""Uploads: read to memory as they come in, within limits, and never to disk."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from async_timeout import timeout
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from voicestress_gateway.multipart import FIELD, RecordingInForm
from voicestress_gateway.problems import MALFORMED, NO_FILE, TOO_LARGE, UNSUPPORTED, UPLOAD_TIMEOUT, Problem
from voicestress_gateway.quotas import Room
from voicestress_gateway.settings import GatewaySettings

MULTIPART = "multipart/form-data"
# What a recording is called that is sent as it is: phones call theirs video, too.
RAW = ("audio/*", "application/octet-stream", "application/ogg", "video/mp4", "video/webm", "video/3gpp")
# A form around a recording: its boundaries, headers and other fields.
_FORM_BYTES = 64 * 1024
_HOW = f"send {MULTIPART} with the field `{FIELD}`, or the recording itself as audio/* or application/octet-stream"


class Uploads:
    """Reads uploads; all of them together take no more than ``settings.memory_mb``."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self.memory = Room(settings.memory_bytes, "bytes of uploads")

    @asynccontextmanager
    async def received(self, request: Request) -> AsyncIterator[io.BytesIO]:
        """The recording in ``request``, for the length of the block.

        Raises:
            Problem: there is none, or it is too large or too slow, or of a kind that isn't read.
            ClientDisconnect: who sent it has gone.
        """
        recording = _Recording(self._settings.body_bytes, self.memory)
        try:
            await self._read(request, recording)
            recording.file.seek(0)
            yield recording.file
        finally:
            recording.forget()

    async def _read(self, request: Request, recording: _Recording) -> None:
        kind, parameters = parse_options_header(request.headers.get("content-type", ""))
        self._check_head(request)
        most_bytes = self._settings.body_bytes
        form = None
        if kind == MULTIPART.encode():
            most_bytes += _FORM_BYTES
            if not (boundary := parameters.get(b"boundary")):
                raise Problem(MALFORMED, "the multipart form's content type names no boundary")
            form = RecordingInForm(boundary, recording.add)
        elif kind and not _is_raw(kind.decode("latin-1")):
            raise Problem(UNSUPPORTED, f"uploads of this content type can't be read; {_HOW}")
        take = recording.add if form is None else form.push
        received_bytes = 0
        async for chunk in self._patiently(request):
            received_bytes += len(chunk)
            if received_bytes > most_bytes:
                raise too_large(self._settings.body_bytes)
            if chunk and not kind:
                raise Problem(UNSUPPORTED, f"the upload has no content type; {_HOW}")
            take(chunk)
        if form is not None:
            if received_bytes:
                form.finish()
            if not form.found:
                raise Problem(NO_FILE, f"the form has no field `{FIELD}`")
        elif not received_bytes:
            raise Problem(NO_FILE, f"there is no recording in the request; {_HOW}")

    def _check_head(self, request: Request) -> None:
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise Problem(UNSUPPORTED, "compressed requests can't be read; send the recording as it is")
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._settings.body_bytes + _FORM_BYTES:
            raise too_large(self._settings.body_bytes)

    async def _patiently(self, request: Request) -> AsyncIterator[bytes]:
        idle_s, upload_s = self._settings.idle_s, self._settings.upload_s
        end_s = time.monotonic() + upload_s
        more = True
        while more:
            left_s = min(idle_s, end_s - time.monotonic())
            try:
                if left_s <= 0:
                    raise asyncio.TimeoutError
                async with timeout(left_s):  # wait_for would make a task for every piece
                    message = await request.receive()
            except asyncio.TimeoutError:
                said = f"nothing came for {idle_s:g} s" if left_s == idle_s else f"it took more than {upload_s:g} s"
                raise Problem(UPLOAD_TIMEOUT, f"{said}; send it again, over a faster connection") from None
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            more = message.get("more_body", False)
            yield message.get("body", b"")


class _Recording:
    """A recording that comes in."""

    def __init__(self, most_bytes: int, memory: Room) -> None:
        self.file = io.BytesIO()
        self._most_bytes, self._memory = most_bytes, memory
        self._bytes = 0

    def add(self, piece: bytes) -> None:
        """The next piece.

        Raises:
            Problem: it is too large, or there is no memory for it.
        """
        if self._bytes + len(piece) > self._most_bytes:
            raise too_large(self._most_bytes)
        self._memory.take(len(piece))
        self._bytes += len(piece)
        self.file.write(piece)

    def forget(self) -> None:
        """Free its memory."""
        self._memory.give_back(self._bytes)
        self._bytes = 0
        self.file = io.BytesIO()


def too_large(most_bytes: int) -> Problem:
    """The problem of an upload with too many bytes."""
    return Problem(TOO_LARGE, f"the upload has more than {most_bytes} bytes, the largest allowed; encode it smaller")


def _is_raw(kind: str) -> bool:
    return kind in RAW or kind.startswith("audio/")
