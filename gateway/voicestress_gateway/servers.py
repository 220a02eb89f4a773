"""Asks Triton itself whether a model is ready, which the client has no need of."""

from __future__ import annotations

import asyncio
from typing import Any

from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException
from voicestress import connection
from voicestress.errors import StressError

_ANSWER_S = 2.0


class Servers:
    """The servers of a client with these ``settings`` (``voicestress.commands.connecting.settings_of``)."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._urls = connection.check_addresses(settings["url"])
        self._model, self._token = settings["model"], settings.get("token")
        tls = settings.get("tls")
        self._credentials = None if tls is None else tls.credentials()
        self._options = connection.channel_options(tls)
        self._tritons: list[InferenceServerClient] = []  # made when first needed: they belong to an event loop

    async def have_model_ready(self) -> bool:
        """Whether one of them does."""
        if not self._tritons:
            self._tritons = [
                InferenceServerClient(url, creds=self._credentials, channel_args=self._options) for url in self._urls
            ]
        return any(await asyncio.gather(*(self._has_model_ready(triton) for triton in self._tritons)))

    async def close(self) -> None:
        """Close the connections."""
        for triton in self._tritons:
            await triton.close()

    async def _has_model_ready(self, triton: InferenceServerClient) -> bool:
        try:
            headers = connection.headers(self._token)
            return bool(await triton.is_model_ready(self._model, headers=headers, client_timeout=_ANSWER_S))
        except (InferenceServerException, StressError):  # StressError: the token can't be read
            return False
