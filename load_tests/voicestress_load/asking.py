"""One request to a service, and what became of it: what every kind of Locust user shares."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from voicestress.commands.connecting import settings_of
from voicestress.errors import DeadlineExceeded, Overloaded, StressError
from voicestress.wire import Priority

from voicestress_load.settings import Connection
from voicestress_load.workload import Format

Outcome = Literal["scored", "rejected", "late", "failed"]


@dataclass(eq=False)
class Request:
    """A request that is ready to be sent.

    ``payload`` is what its user made of the audio, ``size_bytes`` how much of it goes over the wire. ``begin_at`` is
    when it was meant to begin, of ``time.monotonic()``: a live stream speaks from then on.
    """

    number: int
    step: int
    kind: str
    priority: Priority
    format: Format
    live: bool
    audio_s: float
    payload: Any
    size_bytes: int
    begin_at: float = 0.0


@dataclass(frozen=True)
class Ending:
    """What became of a request; ``error`` is the name of what went wrong, ``detail`` its words."""

    outcome: Outcome
    error: str = ""
    detail: str = ""


SCORED = Ending("scored")


@dataclass(frozen=True)
class Model:
    """Which model answers, and in which version."""

    name: str
    version: str


def ending_of(error: StressError) -> Ending:
    """What an error of the client means for a load test: full is *rejected*, too slow is *late*, all else *failed*."""
    if isinstance(error, Overloaded):
        outcome: Outcome = "rejected"
    else:
        outcome = "late" if isinstance(error, DeadlineExceeded) else "failed"
    return Ending(outcome, type(error).__name__, str(error))


def client_settings(connection: Connection) -> dict[str, Any]:
    """What a ``StressClient`` is made with; the token is this machine's own."""
    ca, certificate, key, server_name = connection.tls_files
    return settings_of(
        Namespace(
            url=connection.urls,
            model=connection.model,
            deadline_s=connection.deadline_s,
            tls=connection.tls,
            tls_ca=ca,
            tls_certificate=certificate,
            tls_key=key,
            tls_server_name=server_name,
            token_file=None if connection.token_file is None else Path(connection.token_file),
        )
    )
