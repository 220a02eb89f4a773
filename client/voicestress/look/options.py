"""``analyze --html`` and ``--plot``: checked first, collected on the way, written at the end."""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import BinaryIO

from voicestress_audio import Source
from voicestress_audio.byte_source import MOST_STREAM_BYTES

from voicestress.errors import InvalidAudio
from voicestress.look.entries import Entry, Unscored, look_at
from voicestress.look.output import PAGE_SUFFIXES, PLOT_SUFFIXES, check_can_plot, check_target, write_page, write_plot
from voicestress.report import StressReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``--html`` and ``--plot``."""
    parser.add_argument("--html", type=Path, metavar="FILE.html", help="also write a page to look at, with no scripts")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE.png", help="also draw a picture: .png, .svg or .pdf; needs voicestress[plot]"
    )


class Looks:
    """The recordings that a page and a picture will show; nothing is kept, or read twice, if neither is asked for.

    Raises:
        LookError: what is asked for can't be made.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._html: Path | None = arguments.html
        self._plot: Path | None = arguments.plot
        self._speech_detection: bool = arguments.speech_detection
        self._entries: list[Entry] = []
        if self._html is not None:
            check_target(self._html, PAGE_SUFFIXES)
        if self._plot is not None:
            check_target(self._plot, PLOT_SUFFIXES)
            check_can_plot(len(arguments.recordings))

    @property
    def wanted(self) -> bool:
        """Whether there is anything to make."""
        return self._html is not None or self._plot is not None

    def readable_twice(self, stream: BinaryIO) -> BinaryIO:
        """``stream``, held in memory where it can't seek and its outline is wanted."""
        if not self.wanted or stream.seekable():
            return stream
        held = stream.read(MOST_STREAM_BYTES + 1)
        if len(held) > MOST_STREAM_BYTES:
            raise InvalidAudio(f"-: goes on after {MOST_STREAM_BYTES} bytes. Save it to a file, and give that.")
        return io.BytesIO(held)

    def add(self, name: str, source: Source, report: StressReport) -> None:
        """Take the report of a recording, and read its outline.

        Raises:
            InvalidAudio: the recording is no longer what was scored.
        """
        if self.wanted:
            look = look_at(_shown(name), source, report, speech_detection=self._speech_detection)
            self._entries.append(look)

    def add_failure(self, name: str, error: InvalidAudio) -> None:
        """Take the reason why a recording has no report."""
        if self.wanted:
            reason = str(error).removeprefix(f"{name}: ").removeprefix("<stream>: ")
            self._entries.append(Unscored(_shown(name), reason))

    def write(self) -> None:
        """Write what was asked for.

        Raises:
            LookError: it could not be written.
        """
        if self._html is not None:
            write_page(self._entries, self._html)
        if self._plot is not None:
            write_plot(self._entries, self._plot)


def _shown(name: str) -> str:
    return "standard input" if name == "-" else name
