"""uvicorn, run so that it stops without losing a request and does not wait for who says nothing."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from voicestress_gateway import logs
from voicestress_gateway.app import create_app
from voicestress_gateway.gateway import Gateway

_LARGEST_MESSAGE_BYTES = 2**20
# How long before the end live streams are told to come to theirs, at most.
_STREAMS_END_S = 5.0
# What is cut off at the end gets so long to notice, in whole seconds; uvicorn takes a little more.
_CUT_OFF_S = 1
_CUTTING_S = 1.5


class GatewayServer(uvicorn.Server):
    """Serves ``gateway`` until SIGTERM or SIGINT, and then drains.

    Readiness goes false at once; after ``drain_delay_s`` new requests are refused; when none is in flight, or
    ``drain_s`` have passed, it ends. A second signal ends it at once.
    """

    def __init__(self, gateway: Gateway) -> None:
        settings = gateway.settings
        super().__init__(
            uvicorn.Config(
                create_app(gateway),
                host=settings.host,
                port=settings.port,
                http=_protocol(settings.idle_s),
                ws_max_size=_LARGEST_MESSAGE_BYTES,
                ws_per_message_deflate=False,  # small messages that expand to large ones
                log_config=None,
                access_log=False,  # it would have query strings; ``observed`` writes the gateway's own
                server_header=False,
                proxy_headers=False,
                lifespan="on",
                backlog=2048,
                timeout_graceful_shutdown=_CUT_OFF_S,
            )
        )
        self._gateway = gateway
        self._draining_since_s: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say where."""
        await super().startup(sockets)
        for server in self.servers:
            for listening in server.sockets:
                host, port = listening.getsockname()[:2]
                host = f"[{host}]" if ":" in host else host
                logs.event("listening", address=f"{host}:{port}")
                sys.stdout.write(f"The gateway and its page: http://{host}:{port}/\nCtrl-C stops it.\n")
        sys.stdout.flush()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain; end at once the second time."""
        if self._draining_since_s is None:
            self._draining_since_s = time.monotonic()
            self._gateway.drain()
        else:
            self.should_exit = self.force_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Go on with the draining, ten times a second."""
        if self._draining_since_s is not None:
            settings, drained_s = self._gateway.settings, time.monotonic() - self._draining_since_s
            if drained_s >= settings.drain_delay_s:
                self._gateway.refuse()
                self.should_exit |= not self._gateway.in_flight
            left_s = max(settings.drain_s - _CUTTING_S, settings.drain_delay_s) - drained_s
            if left_s <= min(_STREAMS_END_S, settings.drain_s / 2):
                self._gateway.streams_end.set()
            self.should_exit |= left_s <= 0
        return await super().on_tick(counter)


def _protocol(head_s: float) -> type[asyncio.Protocol]:
    """uvicorn's HTTP, which also ends a connection whose next request's head takes longer than ``head_s`` seconds."""

    class ImpatientProtocol(HttpToolsProtocol):
        _head_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait_for_head()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._wait_for_head()

        def on_headers_complete(self) -> None:
            self._stop_waiting()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _wait_for_head(self) -> None:
            if self._head_timer is None:
                self._head_timer = self.loop.call_later(head_s, self.transport.close)

        def _stop_waiting(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

    return ImpatientProtocol
