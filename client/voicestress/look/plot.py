"""Scored recordings as one picture for a slide or a paper: what the page shows over time. Needs matplotlib."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from voicestress.look import words
from voicestress.look.entries import Entry, Look, Unscored
from voicestress.look.scale import bars_have_room, middles, time_marks
from voicestress.report import StressReport
from voicestress.terminal import extent, printable, value

DOTS_PER_INCH = 150
WIDTH_IN = 10.0
_LEFT_IN, _RIGHT_IN, _EDGE_IN = 1.6, 0.4, 0.3
_TITLE_IN, _WAVE_IN, _SPEECH_IN, _LEVEL_IN, _EMOTION_IN, _AXIS_IN = 0.62, 1.0, 0.07, 1.2, 0.24, 0.55
_GAP_IN, _LEVEL_GAP_IN, _LINE_IN = 0.09, 0.24, 0.2
_CHARACTERS = 160  # in a line of small text
_INK, _MUTED, _LINE, _FAINT = "#16191d", "#5a646e", "#dde1e6", "#c3cad2"
_NORMAL, _HIGH, _EMOTION, _WARN = "#2a6fc4", "#c2410c", "#6d5bd0", "#a8321f"
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "grid.color": _LINE,
    "grid.linewidth": 0.8,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "ytick.labelsize": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "voicestress",
    "text.parse_math": False,  # a dollar in a file's name is a dollar
}


def render_plot(entries: Sequence[Entry], suffix: str) -> bytes:
    """The picture of all ``entries``, one below the other, as a file of the format ``suffix``: png, svg or pdf."""
    file = io.BytesIO()
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a box says as much
        sheet = _Sheet(height_in(entries))
        for entry in entries:
            if isinstance(entry, Unscored):
                _unscored(sheet, entry)
            else:
                _recording(sheet, entry)
        for line, colour in _small_print(entries):
            sheet.write(line, _EDGE_IN, 0.12, colour, size=8)
            sheet.skip(_LINE_IN)
        sheet.figure.savefig(file, format=suffix, dpi=DOTS_PER_INCH)
    return file.getvalue()


def height_in(entries: Sequence[Entry]) -> float:
    """How high the picture of ``entries`` is, in inches."""
    parts = [_height_in(entry) for entry in entries]
    return _EDGE_IN + sum(parts) + _LINE_IN * len(_small_print(entries)) + _EDGE_IN


def _height_in(entry: Entry) -> float:
    if isinstance(entry, Unscored):
        return _TITLE_IN + _LINE_IN * len(_reason(entry))
    emotions = len(entry.report.emotions) * (_EMOTION_IN + _GAP_IN)
    return _TITLE_IN + _WAVE_IN + _GAP_IN + _SPEECH_IN + _LEVEL_GAP_IN + _LEVEL_IN + _LEVEL_GAP_IN + emotions + _AXIS_IN


class _Sheet:
    """A figure that is filled from the top."""

    def __init__(self, height_in: float) -> None:
        self.figure = Figure(figsize=(WIDTH_IN, height_in), facecolor="white")
        self._height_in, self._at_in = height_in, _EDGE_IN

    def skip(self, inches: float) -> None:
        """Leave so much free."""
        self._at_in += inches

    def axes(self, height_in: float) -> Axes:
        """Axes below what is there."""
        self.skip(height_in)
        wide = WIDTH_IN - _LEFT_IN - _RIGHT_IN
        bottom = 1 - self._at_in / self._height_in
        return self.figure.add_axes(
            (_LEFT_IN / WIDTH_IN, bottom, wide / WIDTH_IN, height_in / self._height_in), yticks=[]
        )

    def write(
        self, line: str, left_in: float, below_in: float, colour: str = _INK, *, size: float = 9, bold: bool = False,
        align: str = "left",
    ) -> None:  # fmt: skip
        """Text, its middle ``below_in`` below what is there."""
        self.figure.text(
            left_in / WIDTH_IN,
            1 - (self._at_in + below_in) / self._height_in,
            line,
            color=colour,
            size=size,
            weight="bold" if bold else "normal",
            ha=align,
            va="center",
        )


def _recording(sheet: _Sheet, look: Look) -> None:
    report = look.report
    colour = _HIGH if report.status == "High" else _NORMAL
    sheet.write(_shortened(look.name, 70), _EDGE_IN, 0.16, size=12, bold=True)
    verdict = f"{report.stress_level:.1f} of 100   {report.status}"
    sheet.write(verdict, WIDTH_IN - _RIGHT_IN, 0.16, colour, size=12, bold=True, align="right")
    sheet.write(extent(report), _EDGE_IN, 0.38, _MUTED)
    sheet.skip(_TITLE_IN)
    _name(sheet, "Sound", _WAVE_IN)
    _waveform(sheet.axes(_WAVE_IN), look)
    sheet.skip(_GAP_IN)
    _name(sheet, "Speech", _SPEECH_IN)
    strip = _prepare(sheet.axes(_SPEECH_IN), report, (0, 1))
    strip.broken_barh([(start_s, end_s - start_s) for start_s, end_s in look.speech], (0, 1), color=_NORMAL)
    strip.grid(visible=False)
    sheet.skip(_LEVEL_GAP_IN)
    _name(sheet, "Level", _LEVEL_IN)
    sheet.write(f"High above {report.model.status_threshold:g}", _EDGE_IN, _LEVEL_IN / 2 + 0.18, _HIGH, size=8)
    _level(sheet.axes(_LEVEL_IN), report)
    sheet.skip(_LEVEL_GAP_IN)
    for label, mean in report.emotions.items():
        _name(sheet, f"{_shortened(printable(label), 14)} {value(report, mean)}", _EMOTION_IN)
        axes = _prepare(sheet.axes(_EMOTION_IN), report, (0, 1))
        _bars(axes, report, np.clip([window.emotions[label] for window in report.windows], 0, 1), _EMOTION)
        axes.spines["bottom"].set_visible(True)
        sheet.skip(_GAP_IN)
    axes.tick_params(bottom=False, labelbottom=True, pad=2)
    sheet.skip(_AXIS_IN)


def _waveform(axes: Axes, look: Look) -> None:
    envelope, report = look.envelope, look.report
    reach = max(envelope.peak, 1e-9)
    _prepare(axes, report, (-reach, reach))
    at_s = (np.arange(len(envelope.rms)) + 0.5) * report.duration_s / len(envelope.rms)
    spoken = np.zeros(len(at_s), dtype=bool)
    for start_s, end_s in look.speech:
        spoken |= (at_s >= start_s) & (at_s <= end_s)
    axes.fill_between(at_s, envelope.low, envelope.high, color=_FAINT, linewidth=0)
    axes.fill_between(at_s, envelope.low, envelope.high, where=spoken.tolist(), color="#94b7e2", linewidth=0)
    axes.fill_between(at_s, -envelope.rms, envelope.rms, where=spoken.tolist(), color=_NORMAL, linewidth=0)


def _level(axes: Axes, report: StressReport) -> None:
    threshold = report.model.status_threshold
    _prepare(axes, report, (0, 100))
    levels = [window.stress_level for window in report.windows]
    _bars(axes, report, levels, *(_HIGH if level > threshold else _NORMAL for level in levels))
    axes.axhline(threshold, color=_HIGH, linewidth=1, linestyle=(0, (4, 3)))
    if bars_have_room(report):
        for middle, level in zip(middles(report), levels, strict=True):
            at = (middle * report.duration_s, level)
            number = axes.annotate(f"{level:.1f}", at, (0, 2), textcoords="offset points", size=8, ha="center")
            number.set_path_effects([withStroke(linewidth=2, foreground="white")])
    axes.set_yticks([0, 50, 100])
    axes.tick_params(left=False)
    axes.spines["bottom"].set_visible(True)


def _bars(axes: Axes, report: StressReport, heights: Iterable[float], *colours: str) -> None:
    starts = [window.start_s for window in report.windows]
    widths = [window.end_s - window.start_s for window in report.windows]
    axes.bar(starts, list(heights), width=widths, align="edge", color=colours, linewidth=0)


def _prepare(axes: Axes, report: StressReport, limits: tuple[float, float]) -> Axes:
    marks = time_marks(report.duration_s)
    axes.set_xlim(0, report.duration_s)
    axes.set_ylim(*limits)
    axes.set_xticks([at_s for at_s, _ in marks], [written for _, written in marks])
    axes.tick_params(bottom=False, labelbottom=False)
    axes.grid(visible=True, axis="x")
    axes.spines["bottom"].set_visible(False)
    return axes


def _name(sheet: _Sheet, name: str, height_in: float) -> None:
    sheet.write(name, _EDGE_IN, height_in / 2)


def _unscored(sheet: _Sheet, entry: Unscored) -> None:
    sheet.write(_shortened(entry.name, 70), _EDGE_IN, 0.16, size=12, bold=True)
    sheet.skip(0.3)
    for line in _reason(entry):
        sheet.write(line, _EDGE_IN, 0.1, _WARN)
        sheet.skip(_LINE_IN)
    sheet.skip(_TITLE_IN - 0.3)


def _reason(entry: Unscored) -> list[str]:
    return wrap(printable(f"not scored: {entry.reason}"), _CHARACTERS - 20)


def _small_print(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """The lines at the foot, and their colours."""
    lines: list[tuple[str, str]] = []
    for model in words.models_of(entries):
        lines += [(line, _WARN) for warning in words.warnings_of(model) for line in wrap(warning, _CHARACTERS)]
        lines += [(line, _INK) for line in wrap(printable(f"model {words.card_line(model)}"), _CHARACTERS)]
    return lines + [(line, _MUTED) for line in wrap(words.IN_SHORT, _CHARACTERS)]


def _shortened(name: str, most: int) -> str:
    """A long name without its middle."""
    shown = printable(name)
    return shown if len(shown) <= most else f"{shown[: most // 3]}…{shown[-(most - most // 3 - 1) :]}"
