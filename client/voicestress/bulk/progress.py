"""How far an archive is, on the terminal."""

# ruff: noqa: T201 - it prints for people
from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from voicestress.bulk.run import Files, Summary


class Progress:
    """A bar on standard error with the rate and the time left; where that is no terminal, a line every half minute."""

    def __init__(self, recordings: int) -> None:
        on_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._bar = tqdm(
            total=recordings, unit="recording", file=sys.stderr, mininterval=0.2 if on_terminal else 30.0, smoothing=0.1
        )
        self._start_s = time.monotonic()

    def show(self, summary: Summary) -> None:
        """Show it."""
        done = summary.before + summary.scored + summary.failed
        if self._bar.n == 0 and summary.before:
            self._bar.initial = self._bar.n = summary.before  # no part of this run's rate
        audio_s_per_s = summary.audio_s / max(time.monotonic() - self._start_s, 1e-9)
        self._bar.set_postfix_str(f"{summary.failed} failed, {audio_s_per_s:.0f} s of audio a second", refresh=False)
        self._bar.update(done - self._bar.n)

    def print_summary(self, summary: Summary, files: Files) -> None:
        """What was done, and where the results are."""
        before = f", {summary.before} done before" if summary.before else ""
        print(f"{summary.scored} scored, {summary.failed} failed{before}: {files.out}")
        if files.failures.exists():
            print(f"what failed, and why: {files.failures}")

    def __enter__(self) -> Progress:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the bar as it is."""
        self._bar.close()
