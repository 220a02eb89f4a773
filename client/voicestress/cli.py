"""The ``voicestress`` command: finds the subcommands of the installed packages and runs the one asked for."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points, version
from typing import Protocol, cast

from voicestress.errors import ContractError, InvalidAudio, ServiceError, StressError

EXIT_REFUSED = 1
EXIT_INVALID_AUDIO = 2
EXIT_SERVICE_FAILED = 3
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_NO_READER = 128 + 13  # SIGPIPE, which Windows has no name for


class Command(Protocol):
    """A subcommand: a module in the entry point group ``voicestress.commands``.

    Its imports are light; what is heavy is imported by ``run``, and may be missing until its extra is installed.
    """

    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the subcommand's arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it, and return the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``voicestress`` with ``argv`` and return its exit code.

    0 done, 1 refused, 2 wrong usage or a recording that can't be used, 3 the service failed.
    """
    parser = argparse.ArgumentParser(prog="voicestress", description="Score vocal stress in speech.")
    parser.add_argument("--version", action="version", version=f"voicestress {version('voicestress')}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for entry_point in sorted(entry_points(group="voicestress.commands"), key=lambda entry: entry.name):
        command = cast(Command, entry_point.load())
        subparser = subparsers.add_parser(entry_point.name, help=command.SUMMARY, description=command.__doc__)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run, command=entry_point.name)
    arguments = parser.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):  # a file name, or a bar of the timeline, may have no form in its encoding
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        return cast(int, arguments.run(arguments))
    except ModuleNotFoundError as error:
        return _fail(f"{error.name} is not installed: {_extra_for(error.name, arguments.command)}", EXIT_REFUSED)
    except StressError as error:
        return _fail(str(error), exit_code(error))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever read the output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_NO_READER


def exit_code(error: StressError) -> int:
    """The exit code that tells a shell script what kind of error it was."""
    if isinstance(error, InvalidAudio):
        return EXIT_INVALID_AUDIO
    return EXIT_SERVICE_FAILED if isinstance(error, (ServiceError, ContractError)) else EXIT_REFUSED


def _fail(message: str, code: int) -> int:
    print(f"voicestress: {message}", file=sys.stderr)  # noqa: T201 - the command's answer
    return code


_EXTRAS = {
    "bulk": {"fsspec", "pyarrow", "tqdm"},
    "gateway": {"fastapi", "httptools", "prometheus_client", "python_multipart", "starlette", "uvicorn", "websockets"},
    "load": {"gevent", "geventhttpclient", "locust", "matplotlib", "prometheus_client", "pyarrow", "tomli"},
    "microphone": {"sounddevice"},
    "model": {"torch", "torchaudio", "transformers", "onnx", "onnx_ir", "onnxscript", "safetensors"},
    "train": {
        "accelerate",
        "matplotlib",
        "parselmouth",
        "pyarrow",
        "pyworld",
        "scipy",
        "sklearn",
        "tensorboard",
        "threadpoolctl",
        "tqdm",
        "yaml",
    },
}


def _extra_for(module: str | None, command: str) -> str:
    """How to install ``module``: by the extra that has it, that of the command's name where several do."""
    extras = [extra for extra, modules in _EXTRAS.items() if module in modules]
    extra = command if command in extras else extras[-1] if extras else "local"
    return f"pip install 'voicestress[{extra}]'"
