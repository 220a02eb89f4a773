"""``voicestress analyze``: score recordings with a running server."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import BinaryIO

from voicestress.cli import exit_code
from voicestress.client import StressClient, UntrainedModelWarning
from voicestress.errors import InvalidAudio, StressError
from voicestress.report import StressReport
from voicestress.terminal import render

SUMMARY = "score recordings with a running server"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``voicestress analyze``."""
    parser.add_argument("recordings", nargs="+", metavar="FILE", help="a recording; - for standard input")
    parser.add_argument("--url", default="localhost:8001", help="the server's gRPC address (default: localhost:8001)")
    parser.add_argument("--model", default="stress", help="the model's name (default: stress)")
    parser.add_argument("--json", action="store_true", help="one line of JSON a recording")
    parser.add_argument("--deadline-s", type=float, default=30.0, help="limit of one request (default: 30 s)")
    parser.add_argument(
        "--no-speech-detection",
        dest="speech_detection",
        action="store_false",
        help="the recordings hold nothing but speech",
    )


def run(arguments: argparse.Namespace) -> int:
    """Score each recording; one that can't be used does not stop the others, a service that fails does."""
    worst = 0
    with StressClient(arguments.url, model=arguments.model, deadline_s=arguments.deadline_s) as client:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UntrainedModelWarning)  # the report says so itself
            client.contract()
        for number, name in enumerate(arguments.recordings):
            try:
                source = _standard_input() if name == "-" else Path(name)
                report = client.analyze(source, speech_detection=arguments.speech_detection)
            except InvalidAudio as error:
                worst = exit_code(error)
                _print_failure(name, error, as_json=arguments.json)
            else:
                _print_report(name, report, as_json=arguments.json, first=number == 0)
    return worst


def printable(name: str) -> str:
    """``name`` with control characters escaped, so that a file's name can't move the cursor or fake a line."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in name)


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise InvalidAudio("-: standard input is closed. Pipe a recording in, or name a file.")
    return sys.stdin.buffer


def _print_report(name: str, report: StressReport, *, as_json: bool, first: bool) -> None:
    if as_json:
        text = json.dumps({"recording": name, **report.model_dump(mode="json")})
    else:
        text = ("" if first else "\n") + render(printable(name), report)
    print(text, flush=True)  # noqa: T201 - the command's answer


def _print_failure(name: str, error: StressError, *, as_json: bool) -> None:
    if as_json:
        failure = {"recording": name, "error": {"kind": type(error).__name__, "message": str(error)}}
        print(json.dumps(failure), flush=True)  # noqa: T201 - the command's answer
    print(f"voicestress: {printable(str(error))}", file=sys.stderr)  # noqa: T201 - the command's answer
