"""A recording over time, as HTML: outline, speech, level and emotions, one above the other on one time axis.

Each row is an SVG that stretches to the width there is; words and numbers are HTML beside and above it, so that they
keep their size on a narrow screen.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from voicestress.look.entries import Look
from voicestress.look.envelope import Span
from voicestress.look.scale import bars_have_room, decibels, length, middles, time_marks
from voicestress.look.text import text
from voicestress.report import StressReport
from voicestress.terminal import clock, counted, value

_WIDTH = 1000  # of every drawing, in its own units: the whole recording
_WAVE_HEIGHT = 200
_MOST_TOLD = 20  # segments of speech, one by one, to who can't see the drawing


def render_timeline(look: Look, key: str) -> str:
    """The rows of ``look``; ``key`` starts every id in them, and must be the page's only one."""
    report = look.report
    emotions = [_emotion(report, label, f"{key}-{place}") for place, label in enumerate(report.emotions)]
    return (
        f'<figure class="timeline">{_waveform(look, key)}{_speech(look, key)}{_level(report, key)}{"".join(emotions)}'
        f"{_axis(report.duration_s)}</figure>"
    )


def _waveform(look: Look, key: str) -> str:
    envelope, duration_s = look.envelope, look.report.duration_s
    scale = 0.49 * _WAVE_HEIGHT / max(envelope.peak, 1e-9)
    middle = _WAVE_HEIGHT / 2
    outline = _band(middle - scale * envelope.high, middle - scale * envelope.low)
    loudness = _band(middle - scale * envelope.rms, middle + scale * envelope.rms)
    drawn = (
        f'<defs><g id="{key}-wave"><path class="outline" d="{outline}"/><path class="loudness" d="{loudness}"/></g>'
        f'<clipPath id="{key}-spoken"><path d="{_blocks(look.speech, duration_s, _WAVE_HEIGHT)}"/></clipPath></defs>'
        f'<use href="#{key}-wave" class="unspoken"/>'
        f'<use href="#{key}-wave" class="spoken" clip-path="url(#{key}-spoken)"/>'
    )
    described = (
        f"Outline of {length(duration_s)} of sound. Its loudest moment is {decibels(envelope.peak)} of full scale."
    )
    svg = _svg(f"{key}-w", "Sound", described, _WAVE_HEIGHT, _grid(duration_s, _WAVE_HEIGHT) + drawn)
    return _row("Sound", f"peak {decibels(envelope.peak)}", svg, "wave")


def _speech(look: Look, key: str) -> str:
    duration_s = look.report.duration_s
    spans = "; ".join(f"{clock(start, 1)} to {clock(end, 1)}" for start, end in look.speech[:_MOST_TOLD])
    more = f" and {len(look.speech) - _MOST_TOLD} more" if len(look.speech) > _MOST_TOLD else ""
    described = f"{counted(len(look.speech), 'segment')} of speech: {spans}{more}."
    svg = _svg(
        f"{key}-s", "Speech", described, 10, f'<path class="spoken" d="{_blocks(look.speech, duration_s, 10)}"/>'
    )
    return _row("Speech", length(look.report.speech_s), svg, "speech")


def _level(report: StressReport, key: str) -> str:
    threshold = report.model.status_threshold
    bars = "".join(
        f'<rect class="{_status(report, window.stress_level)}" x="{_x(window.start_s, report):.1f}" '
        f'y="{100 - window.stress_level:.1f}" width="{_x(window.end_s - window.start_s, report):.1f}" '
        f'height="{window.stress_level:.1f}"><title>{clock(window.start_s, 2)} to {clock(window.end_s, 2)}: '
        f"level {window.stress_level:.1f}</title></rect>"
        for window in report.windows
    )
    levels = [window.stress_level for window in report.windows]
    described = (
        f"{counted(len(levels), 'window')}, levels from {min(levels):.1f} to {max(levels):.1f}, mean "
        f"{report.stress_level:.1f}; High above {threshold:g}."
    )
    limit = f'<path class="limit" d="M0,{100 - threshold:g}H{_WIDTH}"/>'
    svg = _svg(f"{key}-l", "Stress level", described, 100, _grid(report.duration_s, 100) + bars + limit)
    marks = "".join(f'<span class="mark" style="bottom:{mark}%">{mark}</span>' for mark in (0, 50, 100))
    limit_note = f"High above {threshold:g}"
    return _row("Level", f"mean {report.stress_level:.1f}", marks + svg + _numbers(report), "level", limit_note)


def _numbers(report: StressReport) -> str:
    """The level above each bar, or nothing where they would touch."""
    if not bars_have_room(report):
        return ""
    spans = "".join(
        f'<span style="left:{100 * middle:.2f}%;bottom:{window.stress_level:.1f}%">{window.stress_level:.1f}</span>'
        for middle, window in zip(middles(report), report.windows, strict=True)
    )
    return f'<div class="numbers" aria-hidden="true">{spans}</div>'


def _emotion(report: StressReport, label: str, key: str) -> str:
    values = [window.emotions[label] for window in report.windows]
    bars = "".join(
        f"M{_x(window.start_s, report):.1f},100h{_x(window.end_s - window.start_s, report):.1f}"
        f"v-{100 * height:.1f}H{_x(window.start_s, report):.1f}z"
        for window, height in zip(report.windows, np.clip(values, 0.0, 1.0), strict=True)
    )
    mean = value(report, report.emotions[label])
    described = f"From {value(report, min(values))} to {value(report, max(values))}, mean {mean}."
    svg = _svg(key, label, described, 100, _grid(report.duration_s, 100) + f'<path class="emotion" d="{bars}"/>')
    return _row(label, mean, svg, "emotion-row")


def _axis(duration_s: float) -> str:
    marks = "".join(
        f'<span style="left:{100 * at_s / duration_s:.2f}%">{written}</span>'
        for at_s, written in time_marks(duration_s)
    )
    return f'<div class="row axis" aria-hidden="true"><div class="plot">{marks}</div></div>'


def _row(name: str, note: str, drawn: str, kind: str, limit: str = "") -> str:
    limited = f' <span class="limit">{limit}</span>' if limit else ""
    return (
        f'<div class="row {kind}"><div class="name"><b>{text(name)}</b> <span>{text(note)}</span>{limited}</div>'
        f'<div class="plot">{drawn}</div></div>'
    )


def _svg(key: str, title: str, described: str, height: int, drawn: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" preserveAspectRatio="none" role="img" aria-labelledby="{key}-t {key}-d">'
        f'<title id="{key}-t">{text(title)}</title><desc id="{key}-d">{text(described)}</desc>{drawn}</svg>'
    )


def _grid(duration_s: float, height: int) -> str:
    lines = "".join(f"M{_WIDTH * at_s / duration_s:.1f},0V{height}" for at_s, _ in time_marks(duration_s))
    return f'<path class="grid" d="{lines}"/>'


def _band(top: npt.NDArray[np.float64], bottom: npt.NDArray[np.float64]) -> str:
    """The path around everything between two lines ``[columns]``."""
    at = (np.arange(len(top)) + 0.5) * _WIDTH / len(top)
    points = [*zip(at, top, strict=True), *zip(at[::-1], bottom[::-1], strict=True)]
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points) + "z"


def _blocks(spans: Iterable[Span], duration_s: float, height: int) -> str:
    scale = _WIDTH / duration_s
    return "".join(f"M{start * scale:.1f},0H{end * scale:.1f}V{height}H{start * scale:.1f}z" for start, end in spans)


def _x(seconds: float, report: StressReport) -> float:
    return _WIDTH * seconds / report.duration_s


def _status(report: StressReport, level: float) -> str:
    return "high" if level > report.model.status_threshold else "normal"
