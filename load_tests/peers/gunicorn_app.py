"""gunicorn with the workers and the port this process was told: ``python -m load_tests.peers.gunicorn_app APP``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from load_tests.peers.setting import Setting, address

if __name__ == "__main__":
    host, port = address()
    gunicorn = str(Path(sys.executable).parent / "gunicorn")
    workers = str(Setting.from_environment().workers)
    command = [gunicorn, "--workers", workers, "--bind", f"{host}:{port}", "--timeout", "300", sys.argv[1]]
    os.execv(gunicorn, command)  # noqa: S606
