"""Around every request: its id, its line in the log, its metrics, and the headers every answer has."""

from __future__ import annotations

import logging
import re
import secrets
import time
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voicestress_gateway import logs
from voicestress_gateway.gateway import Gateway

# Metrics have a label for each of these, and for what else is asked for one together.
PROBES = ("/healthz", "/readyz", "/metrics")
_ROUTES = frozenset({*PROBES, "/", "/analyze-stress", "/v1/analyses", "/v1/stream", "/openapi.json"})
_REQUEST_ID = re.compile(rb"[\w.:-]{1,64}")
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(self)",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}


class Observed:
    """ASGI middleware; the outermost."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app, self._gateway = app, gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        watch = _Watch(scope, receive, send, self._gateway)
        is_probe = scope["path"] in PROBES
        self._gateway.in_flight += not is_probe
        self._gateway.metrics.in_flight.inc(not is_probe)
        error: BaseException | None = None
        try:
            await self._app(scope, watch.receive, watch.send)
        except Exception as caught:  # noqa: BLE001 - it was answered with 500, and is logged here
            error = caught
        except BaseException as caught:
            error = caught
            raise
        finally:
            self._gateway.in_flight -= not is_probe
            self._gateway.metrics.in_flight.dec(not is_probe)
            watch.conclude(error, is_quiet=is_probe)


class _Watch:
    """One request, or one WebSocket."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, gateway: Gateway) -> None:
        self._scope, self._receive, self._send, self._gateway = scope, receive, send, gateway
        self._started_s = time.perf_counter()
        self._received_bytes = 0
        self._status = 0
        self._state: dict[str, Any] = scope.setdefault("state", {})
        self._state["request_id"] = self._request_id = _request_id(scope)

    async def receive(self) -> Message:
        message = await self._receive()
        self._received_bytes += len(message.get("body") or message.get("bytes") or b"")
        if message["type"] == "websocket.disconnect":
            self._status = self._status or message["code"]
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self._request_id
            if kind != "websocket.accept":
                self._status = message["status"]
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if self._gateway.is_draining:
                    headers["connection"] = "close"
        elif kind == "websocket.close":
            self._status = message.get("code", 1000)
        await self._send(message)

    def conclude(self, error: BaseException | None, *, is_quiet: bool) -> None:
        path = self._scope["path"]
        route = path if path in _ROUTES else "other"
        method = self._scope.get("method", "WS")
        took_s = time.perf_counter() - self._started_s
        metrics = self._gateway.metrics
        metrics.requests.labels(route, method if method in _METHODS else "other", str(self._status)).inc()
        metrics.latency.labels(route).observe(took_s)
        metrics.upload_bytes.inc(self._received_bytes)
        problem = self._state.get("problem", "")
        if problem:
            metrics.rejections.labels(problem).inc()
        if is_quiet and error is None:
            return
        known = {name: self._state[name] for name in ("key", "problem", "cause") if self._state.get(name)}
        logs.event(
            "request" if self._scope["type"] == "http" else "stream",
            level=logging.INFO if error is None else logging.ERROR,
            error=error,
            request_id=self._request_id,
            method=method,
            route=route,
            status=self._status,
            duration_ms=round(1000 * took_s, 1),
            received_bytes=self._received_bytes,
            **known,
        )


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WS"})


def _request_id(scope: Scope) -> str:
    """The caller's own, if it can stand in a log; else a new one."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode() if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
