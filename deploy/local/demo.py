"""What ``make demo`` shows: a real recording scored by a real Triton, from start to stop."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from voicestress.cli import main
from voicestress_triton import TritonServer

ROOT = Path(__file__).parents[2]
RECORDING = Path("tests/data/jfk.wav")  # US president's inaugural address, 1961: public domain


def demo() -> int:
    """Start Triton on the repository's models, score the recording, stop Triton."""
    print("starting Triton …", file=sys.stderr)  # noqa: T201 - a command's answer
    with TritonServer(ROOT / "model_repository") as server:
        command = ["analyze", os.path.relpath(ROOT / RECORDING), "--url", server.url]
        print(f"$ voicestress {' '.join(command)}\n", file=sys.stderr)  # noqa: T201
        return main(command)


if __name__ == "__main__":
    sys.exit(demo())
