"""An answer that comes before its request has: it has to arrive, and the connection has to end.

A server that closes a connection on which bytes are still coming resets it, and the client may lose the answer it was
sent. So the answer goes out at once, what still comes is read for a while and dropped, and then the connection ends.
"""

from __future__ import annotations

import asyncio
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LINGER_S = 2.0
_LINGER_BYTES = 64 * 2**20


class Lingering:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            request = _Request(receive, send, has_body=_has_body(scope))
            await self._app(scope, request.receive, request.send)
        else:
            await self._app(scope, receive, send)


class _Request:
    def __init__(self, receive: Receive, send: Send, *, has_body: bool) -> None:
        self._receive, self._send = receive, send
        self._is_open = has_body  # more of the request is to come

    async def receive(self) -> Message:
        message = await self._receive()
        if not message.get("more_body", False):
            self._is_open = False
        return message

    async def send(self, message: Message) -> None:
        if self._is_open and message["type"] == "http.response.start":
            MutableHeaders(scope=message)["connection"] = "close"
        if not self._is_open or message["type"] != "http.response.body" or message.get("more_body", False):
            await self._send(message)
            return
        await self._send({**message, "more_body": True})
        await self._drop_the_rest()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _drop_the_rest(self) -> None:
        end_s, dropped_bytes = time.monotonic() + _LINGER_S, 0
        while self._is_open and dropped_bytes < _LINGER_BYTES and (left_s := end_s - time.monotonic()) > 0:
            try:
                message = await asyncio.wait_for(self.receive(), left_s)
            except asyncio.TimeoutError:
                return
            dropped_bytes += len(message.get("body", b""))


def _has_body(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
