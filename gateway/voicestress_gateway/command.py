"""Serve a running model over HTTP, with a page for browsers, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import ipaddress
import sys

from voicestress_gateway import server_options
from voicestress_gateway import settings as gateway_settings
from voicestress_gateway.settings import variable_of

SUMMARY = "serve a running model over HTTP, with a page for browsers"
_EXIT_REFUSED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``voicestress gateway``."""
    parser.epilog = (
        f"Every option can be given as an environment variable too: --key-rate as {variable_of('key_rate')}, --url as "
        f"{variable_of('url')} (several separated by commas), --tls as {variable_of('tls')}=true. "
        "API keys: `voicestress gateway-key NAME` makes one; its line goes into --keys-file, or, several separated by "
        f"`;`, into {gateway_settings.KEYS_VARIABLE}. The file is read again when it changes. Without any keys the "
        "gateway listens on this machine only, unless --without-keys says that something in front of it asks for them."
    )
    gateway_settings.add_arguments(parser)
    server_options.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve until it is stopped; 0 then, 1 when a setting is wrong."""
    import uvicorn  # noqa: F401 - what the extra has is missed here, before anything else

    from voicestress_gateway import logs
    from voicestress_gateway.gateway import Gateway
    from voicestress_gateway.server import GatewayServer

    try:
        settings = gateway_settings.read_settings(arguments)
        gateway = Gateway(settings, server_options.read_connection(arguments))
    except (ValueError, OSError) as error:
        return _refuse(str(error))
    if not (gateway.keys.ring or settings.without_keys or _is_loopback(settings.host)):
        return _refuse(
            f"{settings.host} can be reached from other machines, and there are no API keys. Make one with "
            "`voicestress gateway-key NAME`, or say --without-keys where something in front of it asks for them."
        )
    logs.set_up()
    GatewayServer(gateway).run()
    return 0


def _refuse(message: str) -> int:
    sys.stderr.write(f"voicestress gateway: {message}\n")
    return _EXIT_REFUSED


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
