"""What ``make demo`` shows: a real recording scored by a real Triton, from start to stop."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from voicestress.cli import main
from voicestress_triton import ServerStartError, TritonServer

ROOT = Path(__file__).parents[2]
RECORDING = Path("tests/data/jfk.wav")  # US president's inaugural address, 1961: public domain


def demo() -> int:
    """Start Triton on the repository's ONNX model, score the recording, stop Triton; 3 when Triton does not start."""
    print("starting Triton …", file=sys.stderr)  # noqa: T201 - a command's answer
    try:
        with TritonServer(ROOT / "model_repository", models=["stress"]) as server:
            command = ["analyze", os.path.relpath(ROOT / RECORDING), "--url", server.url]
            print(f"$ voicestress {' '.join(command)}\n", file=sys.stderr)  # noqa: T201
            return main(command)
    except ServerStartError as error:
        print(f"voicestress: {error}", file=sys.stderr)  # noqa: T201
        return 3


if __name__ == "__main__":
    sys.exit(demo())
