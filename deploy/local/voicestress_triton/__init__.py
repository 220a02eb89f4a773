"""Triton on this machine: the real server, with no container, for development, tests and the demo.

``TritonServer`` starts and stops it, ``voicestress serve`` does so from the shell. Where no ``tritonserver`` is
installed it runs the one inside the ``nvidia-pytriton`` wheel, which is old (2.51): for this machine only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voicestress_triton.errors import (
        ModelLoadError,
        ModelRepositoryError,
        NotReadyError,
        PortInUseError,
        ServerStartError,
        TritonMissingError,
    )
    from voicestress_triton.server import TritonServer

__all__ = [
    "ModelLoadError",
    "ModelRepositoryError",
    "NotReadyError",
    "PortInUseError",
    "ServerStartError",
    "TritonMissingError",
    "TritonServer",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for.

    Every model instance is a process that imports this package for its backend half; loading the client library
    into each of them would cost memory and start-up time for nothing.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = "server" if name == "TritonServer" else "errors"
    return getattr(import_module(f"{__name__}.{module}"), name)
