"""A report for people, in plain text."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TextIO

from voicestress.report import StressReport, WindowReport

_BARS = "▁▂▃▄▅▆▇█"
_SILENCE = "·"
_TIMELINE_COLUMNS = 60
_MOST_ROWS = 12


def printable(name: str) -> str:
    """``name`` with control characters escaped, so that a file's name can't move the cursor or fake a line."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in name)


def wants_colour(stream: TextIO | None, environment: Mapping[str, str]) -> bool:
    """Whether ``stream`` is a terminal for colours, nobody refused them (no-color.org), and rich is there for them."""
    if stream is None or not stream.isatty() or environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    return stream.encoding.lower().startswith("utf") and find_spec("rich") is not None


def render(name: str, report: StressReport) -> str:
    """The report of the recording ``name`` as a few lines of text: level, emotions, timeline, windows, model."""
    model = report.model
    shown = "{:.2f}" if model.heuristic else "{:.0%}"  # dimensions are no shares
    emotions = "   ".join(f"{label} {shown.format(value)}" for label, value in report.emotions.items())
    lines = [
        f"{name}: {report.duration_s:.1f} s, {report.speech_s:.1f} s of speech in {_count(report.windows)}",
        "",
        f"  stress level {report.stress_level:5.1f} of 100   {report.status} (High above {model.status_threshold:g})",
        f"  {emotions}",
        "",
        f"  {_clock(0)} {timeline(report)} {_clock(report.duration_s)}",
        "",
        *_table(report.windows, shown),
        "",
        f"  model {model.name} version {model.version}: {model.checkpoint}, {model.precision}",
    ]
    if model.weights == "random":
        lines.append("  its weights are random: nobody trained it, and this level means nothing")
    if model.heuristic:
        lines.append(
            f"  the level is a heuristic ({model.policy}): the model was trained for dimensions, not for stress"
        )
    return "\n".join(lines)


def timeline(report: StressReport, columns: int = _TIMELINE_COLUMNS) -> str:
    """The level over time as ``columns`` bars, the higher the more stressed; a dot where no window is."""
    return "".join(bar for bar, _ in timeline_bars(report, columns))


def timeline_bars(report: StressReport, columns: int) -> list[tuple[str, float | None]]:
    """The bars of ``timeline`` and their levels, None where no window is."""
    step_s = report.duration_s / columns
    cells: list[tuple[str, float | None]] = []
    for column in range(columns):
        start_s, end_s = column * step_s, (column + 1) * step_s
        levels = [w.stress_level for w in report.windows if w.start_s < end_s and w.end_s > start_s]
        cells.append((_bar(max(levels)), max(levels)) if levels else (_SILENCE, None))
    return cells


def highest_windows(windows: tuple[WindowReport, ...]) -> tuple[WindowReport, ...]:
    """The windows a terminal has room for, those with the highest levels, in order of time."""
    highest = sorted(windows, key=lambda window: window.stress_level, reverse=True)[:_MOST_ROWS]
    return tuple(sorted(highest, key=lambda window: window.start_s))


def _bar(level: float) -> str:
    return _BARS[min(int(level / 100 * len(_BARS)), len(_BARS) - 1)]


def _table(windows: tuple[WindowReport, ...], shown: str) -> list[str]:
    rows, note = highest_windows(windows), []
    if len(windows) > len(rows):
        note = [f"  the {len(rows)} highest of {len(windows)} windows; --json has them all"]
    labels = list(windows[0].emotions)
    header = "  start     end   level " + "".join(f"{label:>10}" for label in labels)
    lines = [
        f"{w.start_s:7.2f} {w.end_s:7.2f} {w.stress_level:7.1f} "
        + "".join(f"{shown.format(value):>10}" for value in w.emotions.values())
        for w in rows
    ]
    return [header, *lines, *note]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _count(windows: tuple[WindowReport, ...]) -> str:
    return "1 window" if len(windows) == 1 else f"{len(windows)} windows"
