"""How a client reaches its servers: addresses, TLS, tokens, and what gRPC is told about connections."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from voicestress.errors import ServiceError, Unauthorized

Token = str | Callable[[], str]

_LARGEST_MESSAGE_BYTES = 2**31 - 1
_CHANNEL_OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.max_send_message_length", _LARGEST_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", _LARGEST_MESSAGE_BYTES),
    # Of a name with several addresses each is used in turn; gRPC alone would stay with the first.
    ("grpc.lb_policy_name", "round_robin"),
    # A peer that is gone without a word (a lost node, a NAT that forgot) is noticed while a call waits for it.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # gRPC waits up to two minutes before it tries a lost server again: a restarted one would stand idle.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # A name is looked up again when a connection is lost, at most this often; gRPC's own limit is half a minute.
    ("grpc.dns_min_time_between_resolutions_ms", 5_000),
    # Clients in one process share no connections: each has those it asked for.
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True)
class Tls:
    """TLS to the servers; the files are PEM.

    Args:
        ca: file of the authorities that vouch for the servers; None for those gRPC comes with.
        certificate, key: files of the client's own certificate and its key, for mutual TLS; both or neither.
        server_name: the name in the servers' certificates, where it is not the one in their address.
    """

    ca: str | os.PathLike[str] | None = None
    certificate: str | os.PathLike[str] | None = None
    key: str | os.PathLike[str] | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a client's certificate and its key go together: give both, or neither")

    def credentials(self) -> grpc.ChannelCredentials:
        """What gRPC needs of it.

        Raises:
            ServiceError: a file can't be read.
        """
        return grpc.ssl_channel_credentials(*(_pem(path) for path in (self.ca, self.key, self.certificate)))


def check_addresses(url: str | Sequence[str]) -> tuple[str, ...]:
    """One or several addresses as gRPC wants them: ``host:port``, or ``dns:///host:port``.

    Raises:
        ServiceError: there is none, or one is no such address.
    """
    urls = (url,) if isinstance(url, str) else tuple(url)
    if not urls:
        raise ServiceError("no server is named: give at least one gRPC address, e.g. localhost:8001")
    for each in urls:
        host, _, port = each.removeprefix("dns:///").rpartition(":")
        if "://" in host or not host or not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
            raise ServiceError(f"{each}: give the server's gRPC address as host:port, e.g. localhost:8001")
    return urls


def channel_options(tls: Tls | None) -> list[tuple[str, int | str]]:
    """What gRPC is told about a connection."""
    name = None if tls is None else tls.server_name
    return [*_CHANNEL_OPTIONS, *([] if name is None else [("grpc.ssl_target_name_override", name)])]


def headers(token: Token | None) -> dict[str, str]:
    """The metadata of a call; a token that is a function is asked for each time, as tokens expire.

    Raises:
        Unauthorized: it is no token.
    """
    if token is None:
        return {}
    text = (token() if callable(token) else token).strip()
    if not text or not text.isascii() or not text.isprintable():
        raise Unauthorized("the token is empty, or has characters that no HTTP header may have; check where it is from")
    return {"authorization": f"Bearer {text}"}


def _pem(path: str | os.PathLike[str] | None) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ServiceError(f"{os.fspath(path)}: can't be read ({error.strerror}). Give a PEM file for TLS.") from error
