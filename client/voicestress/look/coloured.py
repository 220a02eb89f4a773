"""A report for people at a terminal that has colours. Needs rich; the plain one is in ``voicestress.terminal``."""

from __future__ import annotations

from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from voicestress.look import words
from voicestress.report import StressReport, WindowReport
from voicestress.terminal import clock, extent, highest_windows, timeline_bars, value

# Readable on black and on white; rich takes the nearest where a terminal has fewer.
_NORMAL, _HIGH, _EMOTION, _EMPTY, _WARN = "#3b8eea", "#e5573f", "#9a7bea", "#8a8a8a", "bold #d08700"
_MEAN_COLUMNS = 30
_MOST_COLUMNS, _FEWEST_COLUMNS = 60, 10  # of the timeline
_BESIDE_TIMELINE = 16  # the margins, and the clocks at both ends


def print_report(name: str, report: StressReport, stream: TextIO) -> None:
    """Print the report of the recording ``name``, which is printable, to the terminal ``stream``."""
    console = Console(file=stream, markup=False, emoji=False, highlight=False)
    columns = min(_MOST_COLUMNS, max(_FEWEST_COLUMNS, console.width - _BESIDE_TIMELINE))
    shown = highest_windows(report.windows)
    console.print(Text(name, style="bold"))
    console.print(Text(extent(report), style="dim"), end="\n\n")
    console.print(_verdict(report))
    console.print(Text("\n").join(_mean(report, label) for label in report.emotions), end="\n\n")
    console.print(_timeline(report, columns))
    console.print(_table(report, shown))
    if len(shown) < len(report.windows):
        note = f"  the {len(shown)} highest of {len(report.windows)} windows; --html shows them all"
        console.print(Text(note, style="dim"), end="\n\n")
    for warning in words.warnings_of(report.model):
        console.print(Text(f"  {warning}", style=_WARN))
    console.print(Text(f"  model {words.card_line(report.model)}", style="dim"))


def _verdict(report: StressReport) -> Text:
    tone = _tone(report, report.stress_level)
    return Text.assemble(
        "  stress level ",
        (f"{report.stress_level:.1f}", f"bold {tone}"),
        (" of 100  ", "dim"),
        (f" {report.status} ", f"bold black on {tone}"),
        (f"  High above {report.model.status_threshold:g}\n", "dim"),
    )


def _mean(report: StressReport, label: str) -> Text:
    number = report.emotions[label]
    filled = round(min(max(number, 0.0), 1.0) * _MEAN_COLUMNS)
    width = max(len(name) for name in report.emotions)
    return Text.assemble(
        f"  {label:<{width}}  ",
        ("━" * filled, _EMOTION),
        ("━" * (_MEAN_COLUMNS - filled), _EMPTY),
        f" {value(report, number):>4}",
    )


def _timeline(report: StressReport, columns: int) -> Text:
    line = Text.assemble((f"  {clock(0)} ", "dim"))
    for bar, level in timeline_bars(report, columns):
        line.append(bar, _EMPTY if level is None else _tone(report, level))
    return line.append(f" {clock(report.duration_s)}", "dim")


def _table(report: StressReport, shown: tuple[WindowReport, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="dim", border_style="dim")
    for heading in ("start", "end", "level", *report.emotions):
        table.add_column(Text(heading), justify="right")
    for window in shown:
        level = Text(f"{window.stress_level:.1f}", style=_tone(report, window.stress_level))
        emotions = [value(report, number) for number in window.emotions.values()]
        table.add_row(f"{window.start_s:.2f}", f"{window.end_s:.2f}", level, *emotions)
    return table


def _tone(report: StressReport, level: float) -> str:
    return _HIGH if level > report.model.status_threshold else _NORMAL
