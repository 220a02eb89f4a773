"""Free ports, and clear words about taken ones."""

from __future__ import annotations

import errno
import socket

from voicestress_triton.errors import PortInUseError, ServerStartError


def check_free(address: str, port: int, service: str) -> None:
    """Make sure that ``service`` could listen at ``address:port``.

    Raises:
        PortInUseError: something listens there.
        ServerStartError: the address is not one of this machine, or the port needs more rights.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As Triton does: connections of an earlier server that still linger are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(probe, address, port, service)


def hold_free(address: str, service: str) -> socket.socket:
    """A free port for ``service``, held by the socket returned until that is closed.

    The socket shares its port (SO_REUSEPORT) with a server of the same user that is told to share too, and with
    nobody else. Between a port that is only *looked up* and Triton's binding it lie the seconds of loading its models.
    """
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _bind(held, address, 0, service)
    except BaseException:
        held.close()
        raise
    return held


def _bind(probe: socket.socket, address: str, port: int, service: str) -> None:
    try:
        probe.bind((address, port))
    except OverflowError:
        raise ServerStartError(f"{service}: {port} is not a port: give 1 to 65535, or 0 for a free one") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"{service}: {address}:{port} is already in use: stop what listens there, or choose another port "
                "(0 is a free one)"
            ) from None
        raise ServerStartError(f"{service}: can't listen on {address}:{port}: {error.strerror}") from error
