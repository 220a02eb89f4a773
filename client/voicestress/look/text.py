"""Text from outside (a file's name, a label, an error) as it may stand in a page."""

from html import escape

from voicestress.terminal import printable


def text(written: str) -> str:
    """``written`` without what HTML would read as markup, what can't be seen, and what has no encoding."""
    return escape(printable(written), quote=True)
