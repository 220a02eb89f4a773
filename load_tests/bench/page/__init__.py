"""The figures as one self-contained page, for somebody who has never seen the project."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from voicestress.look.drawing import drawn_in_page_colours
from voicestress.look.drawn_page import document, table

from load_tests.bench.page import engine_sections, server_sections
from load_tests.bench.page.parts import Found
from load_tests.bench.verdicts import shown, verdicts


def render(found: Found) -> str:
    """The page of what ``proof.py`` found; parts that were not measured are left out."""
    with drawn_in_page_colours():
        body = "".join(section(found[name]) for name, section in _SECTIONS.items() if name in found)
    about = found["about"]
    commands = "\n".join(about["commands"])
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return document(
        "voicestress: how fast it is",
        "<h1>How fast it is</h1>"
        f'<p class="lead">{escape(about["architecture"])}, {about["threads"]} threads of '
        f"{escape(about['processor'])}.</p>"
        '<div class="card"><p>What is compared took turns within one run on one machine: the ratios hold elsewhere, '
        "the absolute figures do not. An audio-second is a second of speech; 10 audio-seconds a second is ten times "
        "real time. The weights are random, which costs what trained ones do and says nothing about scores. Nothing "
        "here was measured on a GPU.</p></div>"
        f"{_judged(found)}{_failed(found)}{body}"
        f"<h2>How it was measured</h2><pre><code>{escape(commands)}</code></pre>"
        f'<p class="note">{escape(versions)}</p>',
    )


def _failed(found: Found) -> str:
    return "".join(
        f"<p><strong>{escape(part)}</strong> was not measured, because it failed: {escape(why)}</p>"
        for part, why in found.get("failed", {}).items()
    )


def _judged(found: Found) -> str:
    rows = []
    for verdict in verdicts(found):
        wanted = f"{'at most ' if verdict.at_most else ''}{verdict.wanted:g} {verdict.unit}"
        known = f"<br><small>{escape(verdict.known)}</small>" if verdict.known else ""
        reached = "reached" if verdict.reached else f"<strong>short</strong>{known}"
        rows.append([escape(verdict.what), wanted, f"<strong>{shown(verdict.measured)}</strong>", reached])
    return "<h2>In short</h2>" + table(["What", "Wanted", "Measured", ""], rows, text_columns=(0, 3))


_SECTIONS: dict[str, Callable[[Found], str]] = {
    "engines": engine_sections.engines,
    "where": engine_sections.where,
    "served": server_sections.served,
    "client": engine_sections.client,
    "peers": server_sections.peers,
    "neighbours": engine_sections.neighbours,
    "demo_int8": engine_sections.demo_int8,
    "growth": engine_sections.growth,
    "overload": server_sections.overload,
    "memory": server_sections.memory,
    "on_paper": engine_sections.on_paper,
}
