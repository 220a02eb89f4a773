"""``voicestress listen``: score a microphone, or raw audio from a pipe, while it goes on."""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager

from voicestress.client import StressClient
from voicestress.commands.connecting import add_connection_arguments, settings_of, untrained_said_elsewhere
from voicestress.errors import InvalidAudio
from voicestress.report import StressReport, StressUpdate
from voicestress.terminal import render

SUMMARY = "score a microphone or a pipe while it goes on"
_STEP_S = 0.1
_NOTICE_S = 0.2
_CONTAINERS = (b"RIFF", b"fLaC", b"OggS", b"ID3")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``voicestress listen``."""
    parser.add_argument(
        "source",
        nargs="?",
        choices=["-", "microphone"],
        default="microphone",
        metavar="-",
        help="- for raw 16-bit little-endian samples from a pipe (default: the microphone)",
    )
    parser.add_argument("--rate", type=int, default=48_000, metavar="HZ", help="sample rate (default: 48000)")
    parser.add_argument("--channels", type=int, default=1, help="1 or 2, interleaved (default: 1)")
    parser.add_argument("--json", action="store_true", help="one line of JSON an update, and one for the report")
    parser.add_argument(
        "--no-speech-detection", dest="speech_detection", action="store_false", help="there is nothing but speech"
    )
    add_connection_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print an update for each window, and the report when the audio ends or Ctrl-C is pressed."""
    with StressClient(**settings_of(arguments)) as client, untrained_said_elsewhere():
        stream = client.stream(arguments.rate, channels=arguments.channels, speech_detection=arguments.speech_detection)
        with stream, _end_on_interrupt() as is_to_end, closing(_chunks(arguments, is_to_end)) as chunks:
            for chunk in chunks:
                for update in stream.push(chunk):
                    _print_update(update, as_json=arguments.json)
                if is_to_end():
                    break
            report = stream.finish()
            for update in stream.last_updates:
                _print_update(update, as_json=arguments.json)
            _print_report(report, as_json=arguments.json)
    return 0


@contextmanager
def _end_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed; pressed once more, it interrupts as usual."""
    pressed = threading.Event()

    def note(number: int, frame: object) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _chunks(arguments: argparse.Namespace, is_to_end: Callable[[], bool]) -> Generator[bytes, None, None]:
    return _piped(arguments, is_to_end) if arguments.source == "-" else _heard(arguments)


def _piped(arguments: argparse.Namespace, is_to_end: Callable[[], bool]) -> Generator[bytes, None, None]:
    if sys.stdin is None:
        raise InvalidAudio("-: standard input is closed. Pipe raw audio in, e.g. from `ffmpeg ... -f s16le -`.")
    step = max(1, round(_STEP_S * arguments.rate)) * 2 * arguments.channels
    pipe, is_first = sys.stdin.fileno(), True
    while not is_to_end():
        # Windows can't wait for a pipe, only read it.
        if sys.platform != "win32" and not select.select([pipe], [], [], _NOTICE_S)[0]:
            continue
        if not (chunk := os.read(pipe, step)):
            return
        if is_first and chunk.startswith(_CONTAINERS):
            raise InvalidAudio(
                f"-: begins like a file ({chunk[:4]!r}), not like raw samples. Let ffmpeg write them with `-f s16le`, "
                "or give the file to `voicestress analyze -`."
            )
        is_first = False
        yield chunk


def _heard(arguments: argparse.Namespace) -> Generator[bytes, None, None]:
    from voicestress.microphone import microphone

    print("listening; Ctrl-C ends it", file=sys.stderr)  # noqa: T201 - the command's answer
    yield from microphone(arguments.rate, channels=arguments.channels, step_s=_STEP_S)


def _print_update(update: StressUpdate, *, as_json: bool) -> None:
    if as_json:
        text = json.dumps({"update": update.model_dump(mode="json")})
    else:
        window = update.window
        text = (
            f"{window.start_s:8.2f} {window.end_s:8.2f}   level {window.stress_level:5.1f}   "
            f"last 30 s {update.rolling_level:5.1f}"
        )
    print(text, flush=True)  # noqa: T201 - the command's answer


def _print_report(report: StressReport, *, as_json: bool) -> None:
    text = json.dumps({"report": report.model_dump(mode="json")}) if as_json else "\n" + render("all of it", report)
    print(text, flush=True)  # noqa: T201 - the command's answer
