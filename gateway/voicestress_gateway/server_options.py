"""Which servers the gateway asks, and how: the client's own options, which here may stand in the environment too."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from voicestress.commands.connecting import add_connection_arguments, settings_of

from voicestress_gateway.settings import truth, variable_of


@dataclass(frozen=True)
class _Option:
    """An option that was not given is None, as long as nobody has looked into the environment."""

    action: argparse.Action
    default: Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``add_connection_arguments``."""
    before = len(parser._actions)
    add_connection_arguments(parser)
    options = tuple(_Option(action, action.default) for action in parser._actions[before:])
    for option in options:
        option.action.default = None
    parser.set_defaults(server_options=options)


def read_connection(arguments: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What clients are made with, by a command line, else by the environment, else by default.

    Raises:
        ValueError: a value can't be read.
        ServiceError: what is said of TLS can't be used.
    """
    values = vars(arguments).copy()
    for option in arguments.server_options:
        name = option.action.dest
        if values[name] is None:
            text = environment.get(variable_of(name), "").strip()
            values[name] = _parsed(option.action, text) if text else option.default
    return settings_of(argparse.Namespace(**values))


def _parsed(action: argparse.Action, text: str) -> Any:
    if action.nargs == 0:
        return truth(action.dest, text)
    parse: Any = action.type or str
    try:
        if isinstance(action, argparse._AppendAction):
            return [parse(part.strip()) for part in text.split(",") if part.strip()]
        return parse(text)
    except (ValueError, argparse.ArgumentTypeError) as error:
        raise ValueError(f"{variable_of(action.dest)}: {error}") from error
