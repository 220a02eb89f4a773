"""The HTTP gateway: recordings and live speech in, stress reports out, with a page for browsers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voicestress_gateway.app import create_app
    from voicestress_gateway.gateway import Gateway
    from voicestress_gateway.server import GatewayServer
    from voicestress_gateway.settings import GatewaySettings

__all__ = ["Gateway", "GatewayServer", "GatewaySettings", "create_app"]

_MODULES = {"Gateway": "gateway", "GatewayServer": "server", "GatewaySettings": "settings", "create_app": "app"}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for: ``voicestress --help`` needs no web framework."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
