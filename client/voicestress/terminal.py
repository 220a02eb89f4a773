"""A report for people, in plain text."""

from __future__ import annotations

from voicestress.report import StressReport, WindowReport

_BARS = "▁▂▃▄▅▆▇█"
_SILENCE = "·"
_TIMELINE_COLUMNS = 60
_MOST_ROWS = 12


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
    step_s = report.duration_s / columns
    cells = []
    for column in range(columns):
        start_s, end_s = column * step_s, (column + 1) * step_s
        levels = [w.stress_level for w in report.windows if w.start_s < end_s and w.end_s > start_s]
        cells.append(_bar(max(levels)) if levels else _SILENCE)
    return "".join(cells)


def _bar(level: float) -> str:
    return _BARS[min(int(level / 100 * len(_BARS)), len(_BARS) - 1)]


def _table(windows: tuple[WindowReport, ...], shown: str) -> list[str]:
    rows, note = windows, []
    if len(windows) > _MOST_ROWS:
        highest = sorted(windows, key=lambda window: window.stress_level, reverse=True)[:_MOST_ROWS]
        rows = tuple(sorted(highest, key=lambda window: window.start_s))
        note = [f"  the {_MOST_ROWS} highest of {len(windows)} windows; --json has them all"]
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
