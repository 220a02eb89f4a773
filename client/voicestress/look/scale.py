"""Times and shares as people read them, and where an axis has its marks."""

from __future__ import annotations

from itertools import pairwise
from math import floor, log10

from voicestress.report import StressReport
from voicestress.terminal import clock

_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_MOST_MARKS = 6
# Where windows lie closer than this share of the width, numbers above their bars would touch on a telephone.
_ROOM_FOR_A_NUMBER = 0.11


def length(seconds: float) -> str:
    """``seconds`` as ``7.9 s``, or from a minute on as a clock shows them."""
    return f"{seconds:.1f} s" if seconds < 59.95 else clock(seconds)


def time_marks(duration_s: float) -> list[tuple[float, str]]:
    """Where the time axis of a recording has its marks, at most seven, and what is written there."""
    step_s = next((step for step in _STEPS_S if duration_s / step <= _MOST_MARKS), _STEPS_S[-1])
    marks = [number * step_s for number in range(floor(duration_s / step_s + 1e-9) + 1)]
    return [(mark, clock(mark) if step_s >= 1 else f"{mark:.1f} s") for mark in marks]


def middles(report: StressReport) -> list[float]:
    """Where the middle of each window is, as a share of the recording."""
    return [(window.start_s + window.end_s) / 2 / report.duration_s for window in report.windows]


def bars_have_room(report: StressReport) -> bool:
    """Whether the bars of a report's windows are far enough from each other for numbers above them."""
    return all(after - before >= _ROOM_FOR_A_NUMBER for before, after in pairwise(middles(report)))


def decibels(share: float) -> str:
    """A share of full scale, in decibels."""
    return f"{20 * log10(share):.1f} dB" if share > 0 else "nothing"
