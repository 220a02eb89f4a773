"""Stub servers of known speed, and the command as users run it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.load_tests.voicestress_load import stub_server


@contextmanager
def stub(*options: str) -> Iterator[str]:
    """The address of a stub server with these options."""
    command = [sys.executable, stub_server.__file__, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str
    folder: Path
    seconds: float


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "voicestress", "load", *arguments]


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Ended]:
    """Runs ``voicestress load ... --out FOLDER`` to its end; ``meanwhile`` is called with its process."""

    def run(*arguments: str, meanwhile: Callable[[int], None] = lambda pid: None, within_s: float = 200.0) -> Ended:
        folder = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        began = time.monotonic()
        process = subprocess.Popen(
            [*command(*arguments), "--out", str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "VOICESTRESS_TOKEN": ""},
        )
        try:
            meanwhile(process.pid)
            out, err = process.communicate(timeout=within_s)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=30)
        return Ended(process.returncode, out, err, folder, time.monotonic() - began)

    return run
