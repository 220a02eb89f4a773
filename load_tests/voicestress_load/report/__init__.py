"""The report of a run: one self-contained page, and the figures of it as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from voicestress_load.report.comparison import render_comparison
from voicestress_load.report.page import render_page
from voicestress_load.results import read_requests, read_run, read_server
from voicestress_load.server_side import ServerSide
from voicestress_load.summary import summary

__all__ = ["render", "render_comparison", "write_report"]

PAGE, FIGURES = "report.html", "report.json"


def render(folder: Path) -> str:
    """The page of the run kept in ``folder``.

    Raises:
        UnreadableRun: there is none.
    """
    return _made(folder)[0]


def write_report(folder: Path) -> Path:
    """Write report.html and report.json into the ``folder`` of a run, and return the page's path.

    Raises:
        UnreadableRun: there is none.
    """
    page, figures = _made(folder)
    (folder / FIGURES).write_text(figures, encoding="utf-8")
    (folder / PAGE).write_text(page, encoding="utf-8")
    return folder / PAGE


def _made(folder: Path) -> tuple[str, str]:
    run, requests, scraped = read_run(folder), read_requests(folder), read_server(folder)
    server = ServerSide(scraped, run.model) if scraped is not None and scraped.num_rows else None
    found = summary(run, requests, server)
    return render_page(run, requests, server, found), json.dumps(found, indent=1, ensure_ascii=False) + "\n"
