"""Where a page or a picture is written: checked before anything is scored, and replaced whole or not at all."""

from __future__ import annotations

import importlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from voicestress.errors import StressError
from voicestress.look.entries import Entry

PAGE_SUFFIXES = (".html", ".htm")
PLOT_SUFFIXES = (".png", ".svg", ".pdf")
MOST_PLOTTED = 20


class LookError(StressError):
    """The page or the picture can't be made or written. The message says which, and what would help."""


def write_page(entries: Sequence[Entry], path: Path) -> None:
    """Write one self-contained HTML page of all ``entries``.

    Raises:
        LookError: ``path`` is no place for a page, or could not be written; what was there before is untouched.
    """
    from voicestress.look.page import render_page

    check_target(path, PAGE_SUFFIXES)
    _write_whole(path, render_page(entries).encode())


def write_plot(entries: Sequence[Entry], path: Path) -> None:
    """Write one picture of all ``entries``, at most 20; PNG, SVG or PDF by the suffix. Needs matplotlib.

    Raises:
        LookError: ``path`` is no place for a picture, could not be written, or matplotlib is not installed.
    """
    check_target(path, PLOT_SUFFIXES)
    check_can_plot(len(entries))
    from voicestress.look.plot import render_plot

    _write_whole(path, render_plot(entries, path.suffix.lower().removeprefix(".")))


def check_target(path: Path, suffixes: Sequence[str]) -> None:
    """Refuse a path that can't be written, or that is not one of those files by its name."""
    if path.suffix.lower() not in suffixes:
        names = " or ".join([", ".join(suffixes[:-1]), suffixes[-1]])
        raise LookError(f"{path}: its name must end in {names}")
    folder = path.parent
    if not folder.exists():
        raise LookError(f"{path}: there is no folder {folder}. Make it first.")
    if not folder.is_dir():
        raise LookError(f"{path}: {folder} is not a folder")
    if path.is_dir():
        raise LookError(f"{path}: is a folder. Name a file in it.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise LookError(f"{path}: this user may not write to {folder}")


def check_can_plot(recordings: int) -> None:
    """Refuse a picture of too many recordings, and one without matplotlib."""
    if recordings > MOST_PLOTTED:
        raise LookError(f"a picture holds at most {MOST_PLOTTED} recordings, not {recordings}; a page holds any number")
    try:
        importlib.import_module("matplotlib")
    except ModuleNotFoundError as error:
        raise LookError(f"a picture needs {error.name}: pip install 'voicestress[plot]'") from error


def _write_whole(path: Path, contents: bytes) -> None:
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        scratch.write_bytes(contents)
        scratch.replace(path)
    except OSError as error:
        raise LookError(f"{path}: can't be written ({error.strerror})") from error
    finally:
        scratch.unlink(missing_ok=True)
