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
    emotions = "   ".join(f"{label} {value(report, number)}" for label, number in report.emotions.items())
    lines = [
        f"{name}: {extent(report)}",
        "",
        f"  stress level {report.stress_level:5.1f} of 100   {report.status} (High above {model.status_threshold:g})",
        f"  {emotions}",
        "",
        f"  {clock(0)} {timeline(report)} {clock(report.duration_s)}",
        "",
        *_table(report),
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


def _table(report: StressReport) -> list[str]:
    windows = report.windows
    rows, note = highest_windows(windows), []
    if len(windows) > len(rows):
        note = [f"  the {len(rows)} highest of {len(windows)} windows; --json has them all"]
    labels = list(windows[0].emotions)
    header = "  start     end   level " + "".join(f"{label:>10}" for label in labels)
    lines = [
        f"{w.start_s:7.2f} {w.end_s:7.2f} {w.stress_level:7.1f} "
        + "".join(f"{value(report, number):>10}" for number in w.emotions.values())
        for w in rows
    ]
    return [header, *lines, *note]


def clock(seconds: float, decimals: int = 0) -> str:
    """``seconds`` as ``1:05``, ``1:05.32`` or ``2:01:05``."""
    units = round(seconds * 10**decimals)
    whole, rest = divmod(units, 10**decimals)
    minutes, whole_s = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    front = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    fraction = f".{rest:0{decimals}d}" if decimals else ""
    return f"{front}:{whole_s:02d}{fraction}"


def value(report: StressReport, number: float) -> str:
    """One of the emotions: a share in per cent, or a dimension as it is."""
    return f"{number:.2f}" if report.model.heuristic else f"{number:.0%}"


def counted(number: int, one: str) -> str:
    """``1 window``, ``2 windows``."""
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def extent(report: StressReport) -> str:
    """How long the recording is, and how much of it was scored."""
    windows = counted(len(report.windows), "window")
    return f"{report.duration_s:.1f} s, {report.speech_s:.1f} s of speech in {windows}"
