"""``voicestress analyze``: score recordings with a running server."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import BinaryIO

from voicestress.cli import exit_code
from voicestress.client import StressClient
from voicestress.commands.connecting import add_connection_arguments, settings_of, untrained_said_elsewhere
from voicestress.errors import InvalidAudio, StressError
from voicestress.look.options import Looks
from voicestress.look.options import add_arguments as add_look_arguments
from voicestress.report import StressReport
from voicestress.terminal import printable, render, wants_colour
from voicestress.wire import PRIORITIES

SUMMARY = "score recordings with a running server"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``voicestress analyze``."""
    parser.add_argument("recordings", nargs="+", metavar="FILE", help="a recording; - for standard input")
    parser.add_argument("--json", action="store_true", help="one line of JSON a recording")
    parser.add_argument(
        "--priority", choices=PRIORITIES, default="normal", help="who goes first where the server is busy (normal)"
    )
    parser.add_argument(
        "--no-speech-detection",
        dest="speech_detection",
        action="store_false",
        help="the recordings hold nothing but speech",
    )
    add_look_arguments(parser)
    add_connection_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Score each recording; one that can't be used does not stop the others, a service that fails does."""
    worst, looks = 0, Looks(arguments)
    with StressClient(**settings_of(arguments), priority=arguments.priority) as client:
        with untrained_said_elsewhere():
            client.contract()
        for number, name in enumerate(arguments.recordings):
            try:
                source = looks.readable_twice(_standard_input()) if name == "-" else Path(name)
                report = client.analyze(source, speech_detection=arguments.speech_detection)
                looks.add(name, source, report)
            except InvalidAudio as error:
                worst = exit_code(error)
                looks.add_failure(name, error)
                _print_failure(name, error, as_json=arguments.json)
            else:
                _print_report(name, report, as_json=arguments.json, first=number == 0)
    looks.write()
    return worst


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise InvalidAudio("-: standard input is closed. Pipe a recording in, or name a file.")
    return sys.stdin.buffer


def _print_report(name: str, report: StressReport, *, as_json: bool, first: bool) -> None:
    if as_json:
        text = json.dumps({"recording": name, **report.model_dump(mode="json")})
    elif wants_colour(sys.stdout, os.environ):
        from voicestress.look.coloured import print_report

        print(end="" if first else "\n")  # noqa: T201 - the command's answer
        print_report(printable(name), report, sys.stdout)
        return
    else:
        text = ("" if first else "\n") + render(printable(name), report)
    print(text, flush=True)  # noqa: T201 - the command's answer


def _print_failure(name: str, error: StressError, *, as_json: bool) -> None:
    if as_json:
        failure = {"recording": name, "error": {"kind": type(error).__name__, "message": str(error)}}
        print(json.dumps(failure), flush=True)  # noqa: T201 - the command's answer
    print(f"voicestress: {printable(str(error))}", file=sys.stderr)  # noqa: T201 - the command's answer
