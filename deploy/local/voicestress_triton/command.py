"""Run Triton in the foreground, on the models of a repository, until Ctrl-C."""

from __future__ import annotations

import argparse
import ipaddress
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING

from voicestress.commands.arguments import some

if TYPE_CHECKING:
    from voicestress_triton.server import TritonServer

SUMMARY = "serve the models of a repository with Triton on this machine"

_EXIT_SERVER_FAILED = 3
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``voicestress serve``."""
    parser.add_argument(
        "repository",
        metavar="MODEL_REPOSITORY",
        nargs="?",
        default="./model_repository",
        help="folder of the models (default: %(default)s)",
    )
    parser.add_argument("--address", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8001, help="gRPC port, 0 for a free one (default: %(default)s)")
    parser.add_argument("--http-port", type=int, help="HTTP port (default: no HTTP)")
    parser.add_argument("--metrics-port", type=int, help="port of the Prometheus metrics (default: no metrics)")
    parser.add_argument(
        "--model-config-name", metavar="NAME", help="hardware variant of the models: their configs/NAME.pbtxt"
    )
    parser.add_argument(
        "--model",
        metavar="NAME",
        action="append",
        dest="models",
        help="serve this model only; again for more (default: all that this machine has the packages for)",
    )
    parser.add_argument(
        "--response-cache-mb",
        type=some,
        metavar="N",
        help="memory for the answers of models exported with --response-cache, in MB (default: no cache)",
    )
    parser.add_argument("--verbose", action="store_true", help="show Triton's log")


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; 0 after a clean stop, 3 when the server did not start or ended unasked."""
    previous = {number: signal.signal(number, _stop) for number in _STOP_SIGNALS}
    try:
        return _serve(arguments)
    except KeyboardInterrupt:
        return 0
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _serve(arguments: argparse.Namespace) -> int:
    from voicestress_triton.errors import ServerStartError
    from voicestress_triton.runtime import installed_tritonserver
    from voicestress_triton.server import TritonServer

    if not _is_loopback(arguments.address) and installed_tritonserver() is None:
        sys.stderr.write(
            f"warning: {arguments.address} can be reached from other machines, and the Triton in the nvidia-pytriton "
            "wheel has known remote flaws. Use NVIDIA's current container for that.\n"
        )
    server = TritonServer(
        arguments.repository,
        address=arguments.address,
        port=arguments.port,
        http_port=arguments.http_port,
        metrics_port=arguments.metrics_port,
        model_config_name=arguments.model_config_name,
        models=arguments.models,
        response_cache_mb=arguments.response_cache_mb,
        verbose=arguments.verbose,
    )
    try:
        with server:
            for name, why in server.left_out.items() if arguments.models is None else ():
                sys.stderr.write(f"warning: {name} is not served: {why}\n")
            _announce(server, arguments)
            server.wait()
            raise server.end_error()
    except ServerStartError as error:
        sys.stderr.write(f"error: {error}\n")
        return _EXIT_SERVER_FAILED


def _announce(server: TritonServer, arguments: argparse.Namespace) -> None:
    where = [f"gRPC {server.url}"]
    if arguments.http_port is not None:
        where.append(f"HTTP {server.http_url}")
    if arguments.metrics_port is not None:
        where.append(f"metrics {server.metrics_url}")
    sys.stdout.write(f"Triton {server.triton_version} is ready: {', '.join(where)}\n")
    sys.stdout.write(f"Serving {', '.join(server.models)}. Ctrl-C stops it.\n")
    sys.stdout.flush()


def _stop(signal_number: int, frame: FrameType | None) -> None:
    """Leave the serving block once; more signals must not interrupt the stopping."""
    for number in _STOP_SIGNALS:
        signal.signal(number, _do_nothing)
    raise KeyboardInterrupt


def _do_nothing(signal_number: int, frame: FrameType | None) -> None:
    # SIG_IGN would not do: Python prints an error for a signal that came in before it was set.
    return


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
