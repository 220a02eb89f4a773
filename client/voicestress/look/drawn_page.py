"""A self-contained page of tables and drawings: no scripts, nothing loaded from anywhere, light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files


def document(title: str, body: str) -> str:
    """The whole page: ``title`` is text, ``body`` is HTML whose drawings are from ``voicestress.look.drawing``."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style()}</style>\n</head>\n<body>\n<main>\n{body}</main>\n"
        "</body>\n</html>\n"
    )


def style() -> str:
    """The page's CSS; its variables, which drawings take their colours from, come first."""
    return files("voicestress.look").joinpath("drawn_page.css").read_text(encoding="utf-8")


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, text_columns: Sequence[int] = (), kind: str = ""
) -> str:
    """A table that scrolls by itself where it is too wide: titles are text, cells are HTML.

    The first column and ``text_columns`` are words, which may wrap in the latter; ``kind`` is a class of the CSS.
    """

    def cell(tag: str, column: int, content: str) -> str:
        words = ' class="text"' if column in text_columns else ""
        return f"<{tag}{words}>{content}</{tag}>"

    head = "".join(cell("th", column, escape(title)) for column, title in enumerate(header))
    body = "".join(
        f"<tr>{''.join(cell('td', column, content) for column, content in enumerate(row))}</tr>" for row in rows
    )
    classes = f' class="{kind}"' if kind else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="Table">'
        f"<table{classes}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
