"""A Locust user that posts recordings to the HTTP gateway, over geventhttpclient as Locust's own fast users do.

To be imported once gevent is patched, as ``node.py`` does.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import gevent
from geventhttpclient import HTTPClient, HTTPParseError
from locust import User
from voicestress.connection import headers
from voicestress.errors import Unauthorized

from voicestress_load.asking import SCORED, Ending, Model, Request, client_settings
from voicestress_load.audio import Pcm, encoded
from voicestress_load.errors import BadInput
from voicestress_load.settings import Connection
from voicestress_load.workload import Component

# Of connections, so that a request never waits for another's: an open loop would become a closed one.
_AT_ONCE = 100_000
_ANSWER_S = 5.0
_BROKEN = (OSError, HTTPParseError)


class HttpUser(User):  # type: ignore[misc]  # Locust's User is of type Any where mypy can't see it
    """Posts what is asked of it to ``/v1/analyses``, once. Several gateways take turns."""

    abstract = True

    def __init__(self, environment: Any, connection: Connection, *, speech_detection: bool, rate_hz: int) -> None:
        super().__init__(environment)
        self.rate_hz = rate_hz
        self._urls, self._deadline_s = connection.urls, connection.deadline_s
        self._path = f"/v1/analyses?speech_detection={str(speech_detection).lower()}"
        self._token = client_settings(connection.model_copy(update={"urls": []}))["token"]
        self._clients = [self._connected(url) for url in connection.urls]
        self.model: Model | None = None

    def introduce(self) -> None:
        """Find out whether a gateway is there; the shortest window is between it and its servers.

        Raises:
            BadInput: no gateway answers, or one that is not ready.
        """
        for url, client in zip(self._urls, self._clients, strict=True):
            try:
                with gevent.Timeout(_ANSWER_S):
                    status = self._prefixed_get(client, url, "/readyz")
            except (*_BROKEN, gevent.Timeout) as error:
                raise BadInput(
                    f"{url}: no gateway answers there ({error}); is it running, and is this its HTTP address?"
                ) from error
            if status == 404:
                raise BadInput(f"{url}: what answers there is no voicestress gateway: it has no /readyz; check --url")
            if status != 200:
                raise BadInput(f"{url}: the gateway is not ready (HTTP {status}); are the servers behind it up?")

    def payload(self, pcm: Pcm, component: Component) -> tuple[bytes, int]:
        """The file that is sent of ``pcm`` [n], and its bytes."""
        body = encoded(pcm, self.rate_hz, component.format)
        return body, len(body)

    def send(self, request: Request) -> Ending:
        """Post a recording and wait for its report."""
        place = request.number % len(self._clients)
        path = urlsplit(self._urls[place]).path.rstrip("/") + self._path
        try:
            with gevent.Timeout(self._deadline_s):
                headers_sent = {**headers(self._token), "Content-Type": "application/octet-stream"}
                response = self._clients[place].post(path, body=request.payload, headers=headers_sent)
                status, body = response.status_code, bytes(response.read())
        except (gevent.Timeout, TimeoutError):
            return Ending("late", "DeadlineExceeded", f"no answer within {self._deadline_s:g} s")
        except Unauthorized as error:
            return Ending("failed", type(error).__name__, str(error))
        except _BROKEN as error:
            return Ending("failed", type(error).__name__, f"{self._urls[place]}: {error}")
        if status == 200:
            if self.model is None:
                model = json.loads(body)["model"]
                self.model = Model(model["name"], model["version"])
            return SCORED
        return _refusal(status, body)

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            client.close()

    def _connected(self, url: str) -> HTTPClient:
        return HTTPClient.from_url(
            url, concurrency=_AT_ONCE, connection_timeout=self._deadline_s, network_timeout=self._deadline_s
        )

    def _prefixed_get(self, client: HTTPClient, url: str, path: str) -> int:
        response = client.get(urlsplit(url).path.rstrip("/") + path, headers=headers(self._token))
        response.read()
        return int(response.status_code)


def _refusal(status: int, body: bytes) -> Ending:
    """What an answer that is no report means; the gateway's problems are RFC 9457's."""
    try:
        problem = json.loads(body)
        name, detail = str(problem["type"]).rpartition(":")[2], str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        name, detail = f"HTTP {status}", body[:100].decode("utf-8", "replace")
    if status == 429 or name in {"overloaded", "busy"}:
        return Ending("rejected", name, detail)
    return Ending("late" if status == 504 else "failed", name, detail)
