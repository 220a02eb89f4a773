"""What the gateway's endpoints share: the model, who may ask it, how much is going on, and whether it is ending."""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from starlette.requests import HTTPConnection
from voicestress import AsyncStressClient, UntrainedModelWarning

from voicestress_gateway import logs
from voicestress_gateway.analysis import Analyser
from voicestress_gateway.key_watch import WatchedKeys
from voicestress_gateway.keys import ApiKey
from voicestress_gateway.metrics import Metrics
from voicestress_gateway.problems import DRAINING, UNAUTHORIZED, UNAVAILABLE, Problem
from voicestress_gateway.quotas import Quotas, Room
from voicestress_gateway.readiness import Readiness
from voicestress_gateway.settings import GatewaySettings
from voicestress_gateway.uploads import Uploads

_KEY_PROTOCOL = "key."


class Gateway:
    """One gateway. Make it in the event loop it runs in, or before.

    Args:
        settings: its own.
        connection: what its clients are made with, as ``voicestress.commands.connecting.settings_of`` gives it.
        environment: where API keys may be, beside the file.

    Raises:
        ValueError: the API keys can't be read.
        OSError: their file can't be.
        ServiceError: the connection's settings are wrong.
    """

    def __init__(
        self, settings: GatewaySettings, connection: dict[str, Any], *, environment: Mapping[str, str] = os.environ
    ) -> None:
        self.settings, self.metrics = settings, Metrics()
        self.keys, self._quotas = WatchedKeys(settings, environment), Quotas()
        self.client = AsyncStressClient(**connection)
        self._patient_client = AsyncStressClient(**connection, priority="archive")
        self.readiness = Readiness(self.client, self.metrics, every_s=settings.readiness_s)
        self.uploads = Uploads(settings)
        self.analyser = Analyser(self.client, self._patient_client, settings, self.metrics)
        self._requests = Room(settings.requests_at_once, "requests")
        self.streams = Room(settings.streams_at_once, "live streams")
        self.in_flight = 0  # requests and streams that a stop has to wait for
        self.is_refusing = False  # it is ending
        self.is_draining = False  # it is about to
        self.streams_end = asyncio.Event()  # live streams are to come to their report

    async def start(self) -> None:
        """Look whether the model is ready and whether the keys have changed, from now on."""
        warnings.simplefilter("ignore", UntrainedModelWarning)  # every report says it
        self.readiness.start()
        self.keys.start()

    async def stop(self) -> None:
        """Close the connections, and end the processes."""
        await self.readiness.stop()
        await self.keys.stop()
        self.analyser.close()
        await self.client.close()
        await self._patient_client.close()

    def drain(self) -> None:
        """Be not ready from now on, to be asked no more."""
        self.is_draining = True
        logs.event("draining", in_flight=self.in_flight)

    def refuse(self) -> None:
        """Refuse new requests from now on."""
        self.is_refusing = True

    @property
    def is_ready(self) -> bool:
        """Whether requests should be sent here."""
        return self.readiness.is_ready and not self.is_draining

    def key_of(self, connection: HTTPConnection) -> ApiKey:
        """Whose request or stream it is.

        Raises:
            Problem: nobody's who may ask.
        """
        key = self.keys.ring.find(_presented(connection))
        if key is None:
            raise Problem(UNAUTHORIZED)
        connection.scope["state"]["key"] = key.name
        return key

    @contextmanager
    def admitted(self, key: ApiKey) -> Iterator[None]:
        """For as long as a request, or a stream, of ``key`` is worked on.

        Raises:
            Problem: it can't be, now.
        """
        if self.is_refusing:
            raise Problem(DRAINING)
        if not self.readiness.is_ready:
            raise Problem(UNAVAILABLE, cause=self.readiness.reason)
        with self._requests.one(), self._quotas.admitted(key):
            yield


def _presented(connection: HTTPConnection) -> str | None:
    """The key in the headers; of a browser's WebSocket, which can't set any, among its protocols."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    if (key := connection.headers.get("x-api-key")) is not None:
        return key
    protocols: list[str] = connection.scope.get("subprotocols", [])
    return next((name[len(_KEY_PROTOCOL) :] for name in protocols if name.startswith(_KEY_PROTOCOL)), None)
