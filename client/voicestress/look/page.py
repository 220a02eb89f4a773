"""Scored recordings as one self-contained HTML page: no scripts, nothing loaded from anywhere, no audio in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from importlib.resources import files

from voicestress.look import words
from voicestress.look.entries import Entry, Look, Unscored
from voicestress.look.scale import length
from voicestress.look.text import text
from voicestress.look.timeline import render_timeline
from voicestress.report import StressReport
from voicestress.terminal import clock, counted, value

# The browser itself refuses whatever is not written in the page.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def render_page(entries: Sequence[Entry]) -> str:
    """The page of all ``entries``, in their order."""
    style = files("voicestress.look").joinpath("page.css").read_text(encoding="utf-8")
    title = text(entries[0].name) if len(entries) == 1 else counted(len(entries), "recording")
    sections = [_recording(entry, f"r{number}") for number, entry in enumerate(entries) if isinstance(entry, Look)]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Vocal stress: {title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        f"{_head(entries)}\n{_overview(entries)}\n{''.join(sections)}{_about(entries)}</main>\n</body>\n</html>\n"
    )


def _head(entries: Sequence[Entry]) -> str:
    warnings = dict.fromkeys(line for model in words.models_of(entries) for line in words.warnings_of(model))
    warned = "".join(f'<p class="warning" role="note">{line}</p>' for line in warnings)
    return f'<header><h1>Vocal stress</h1><p class="lead">{words.IN_SHORT}</p>{warned}</header>'


def _overview(entries: Sequence[Entry]) -> str:
    """All recordings at a glance, with the reasons of those that were not scored; nothing for one that was."""
    if len(entries) == 1 and isinstance(entries[0], Look):
        return ""
    rows = "".join(
        _overview_row(entry, f"r{number}") for number, entry in enumerate(entries) if isinstance(entry, Look)
    )
    table = (
        '<div class="scroll" role="region" tabindex="0" aria-label="All recordings"><table class="overview"><thead><tr>'
        '<th scope="col">Recording</th><th scope="col">Length</th><th scope="col">Level</th><th scope="col">Status</th>'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )
    reasons = "".join(
        f"<li><b>{text(entry.name)}</b>: {text(entry.reason)}</li>" for entry in entries if isinstance(entry, Unscored)
    )
    unscored = f'<h3>Not scored</h3><ul class="unscored">{reasons}</ul>' if reasons else ""
    return f'<div class="all"><h2>{words.outcome(entries)}</h2>{table if rows else ""}{unscored}</div>\n'


def _overview_row(look: Look, key: str) -> str:
    report = look.report
    return (
        f'<tr><th scope="row"><a href="#{key}">{text(look.name)}</a></th><td>{length(report.duration_s)}</td>'
        f"{_cell(f'{report.stress_level:.1f}', report.stress_level / 100, _kind(report))}"
        f"<td>{_badge(report)}</td></tr>"
    )


def _recording(look: Look, key: str) -> str:
    report = look.report
    highest = max(report.windows, key=lambda window: window.stress_level)
    threshold = report.model.status_threshold
    facts = {
        "Length": length(report.duration_s),
        "Speech": f"{length(report.speech_s)} in {counted(len(report.windows), 'window')}",
        "Highest window": f"{highest.stress_level:.1f} at {clock(highest.start_s, 1)}",
    }
    listed = "".join(f"<div><dt>{name}</dt><dd>{fact}</dd></div>" for name, fact in facts.items())
    return (
        f'<section id="{key}" aria-labelledby="{key}-h"><h2 id="{key}-h">{text(look.name)}</h2>'
        f'<div class="verdict"><div class="score"><p class="number"><b>{report.stress_level:.1f}</b> of 100 '
        f"{_badge(report)}</p>"
        f'<div class="gauge {_kind(report)}" style="--level:{report.stress_level:.1f}%;--limit:{threshold:g}%" '
        f'aria-hidden="true"><i></i><span>High above {threshold:g}</span></div></div>'
        f'<dl class="facts">{listed}</dl></div>'
        f"{render_timeline(look, key)}{_windows(report)}</section>\n"
    )


def _windows(report: StressReport) -> str:
    labels = "".join(f'<th scope="col">{text(label)}</th>' for label in report.emotions)
    rows = []
    for window in report.windows:
        cells = _cell(f"{window.stress_level:.1f}", window.stress_level / 100, _kind(report, window.stress_level))
        cells += "".join(_cell(value(report, number), number, "emotion") for number in window.emotions.values())
        rows.append(
            f'<tr><th scope="row">{clock(window.start_s, 2)} <span>to {clock(window.end_s, 2)}</span></th>'
            f"<td>{window.speech_s:.2f}</td>{cells}</tr>"
        )
    return (
        '<h3>Window by window</h3><div class="scroll tall" role="region" tabindex="0" aria-label="Windows">'
        '<table><thead><tr><th scope="col">Window</th><th scope="col">Speech, s</th><th scope="col">Level</th>'
        f"{labels}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _about(entries: Sequence[Entry]) -> str:
    models = words.models_of(entries)
    cards = "".join(f'<p class="card">{text(words.card_line(model))}</p>' for model in models)
    limits = "".join(f"<p>{sentence}</p>" for sentence in words.WHAT_IT_IS_NOT)
    made = datetime.now(timezone.utc)
    return (
        f"<footer>{_reading(entries)}<h2>What the number is not</h2>{limits}"
        f"{'<h2>The model</h2>' if models else ''}{cards}"
        f'<p class="note">Made by voicestress {text(version("voicestress"))} on '
        f'<time datetime="{made:%Y-%m-%dT%H:%MZ}">{made.day} {made:%B %Y, %H:%M} UTC</time>. '
        "The page holds no audio and loads nothing.</p></footer>\n"
    )


def _reading(entries: Sequence[Entry]) -> str:
    """How to read the drawings there are."""
    reports = [entry.report for entry in entries if isinstance(entry, Look)]
    if not reports:
        return ""
    meanings = {"Sound and speech": words.SOUND, "Level": words.LEVEL}
    for report in reports:
        meanings[", ".join(report.emotions)] = words.DIMENSIONS if report.model.heuristic else words.SHARES
    listed = "".join(f"<dt>{text(name)}</dt><dd>{meaning}</dd>" for name, meaning in meanings.items())
    return f"<h2>How to read it</h2><dl>{listed}</dl>"


def _badge(report: StressReport) -> str:
    return f'<span class="badge {_kind(report)}">{report.status}</span>'


def _cell(written: str, share: float, kind: str) -> str:
    """A cell with its number, and a bar of 0 to 1 below it."""
    return f'<td class="bar {kind}" style="--share:{100 * min(max(share, 0.0), 1.0):.1f}%">{written}</td>'


def _kind(report: StressReport, level: float | None = None) -> str:
    shown = report.stress_level if level is None else level
    return "high" if shown > report.model.status_threshold else "normal"
