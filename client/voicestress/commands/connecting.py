"""The arguments of every command that asks a server, and what they mean to a client."""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from voicestress.base import UntrainedModelWarning
from voicestress.commands.arguments import seconds
from voicestress.connection import Tls, Token
from voicestress.errors import Unauthorized

TOKEN_VARIABLE = "VOICESTRESS_TOKEN"  # noqa: S105 - the variable's name


def add_connection_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where the servers are and how they are asked."""
    group = parser.add_argument_group("servers")
    group.add_argument(
        "--url",
        action="append",
        metavar="HOST:PORT",
        help="a server's gRPC address (default: localhost:8001); given several times, they take turns",
    )
    group.add_argument("--model", default="stress", help="the model's name (default: stress)")
    group.add_argument("--deadline-s", type=seconds, default=30.0, help="limit of one request (default: 30 s)")
    group.add_argument("--tls", action="store_true", help="with TLS; any of the next four means it too")
    group.add_argument("--tls-ca", type=Path, metavar="PEM", help="authorities that vouch for the servers")
    group.add_argument("--tls-certificate", type=Path, metavar="PEM", help="this client's own certificate")
    group.add_argument("--tls-key", type=Path, metavar="PEM", help="the key of that certificate")
    group.add_argument("--tls-server-name", metavar="NAME", help="the name in the servers' certificates")
    group.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"a bearer token, read before each request (default: what {TOKEN_VARIABLE} holds, if anything)",
    )


def settings_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """What a client is made with."""
    return {
        "url": arguments.url or "localhost:8001",
        "model": arguments.model,
        "deadline_s": arguments.deadline_s,
        "tls": _tls(arguments),
        "token": _token(arguments),
    }


@contextmanager
def untrained_said_elsewhere() -> Iterator[None]:
    """Without the warning that a model is untrained: what a command prints says so itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrainedModelWarning)
        yield


def _tls(arguments: argparse.Namespace) -> Tls | None:
    files = (arguments.tls_ca, arguments.tls_certificate, arguments.tls_key, arguments.tls_server_name)
    try:
        return Tls(*files) if arguments.tls or any(files) else None
    except ValueError as error:
        raise Unauthorized(f"--tls-certificate, --tls-key: {error}") from error


def _token(arguments: argparse.Namespace) -> Token | None:
    if arguments.token_file is not None:
        return partial(_read_token, arguments.token_file)
    return os.environ.get(TOKEN_VARIABLE) or None


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Unauthorized(f"{path}: the token can't be read ({error})") from error
