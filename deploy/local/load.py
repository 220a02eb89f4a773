"""What ``make load`` does: Triton with the demo model, and a search for the highest rate that meets an SLO on it."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path

from voicestress.cli import main
from voicestress_triton import ServerStartError, TritonServer

ROOT = Path(__file__).parents[2]
OUT = Path("build/load")  # a folder in it for each run
STEP_S = 30  # some five rates of these, and what is cut short between them, are three minutes


def load(options: list[str]) -> int:
    """Search on 127.0.0.1 with more ``options`` of ``voicestress load search``; 3 when Triton does not start."""
    print("starting Triton …", file=sys.stderr)  # noqa: T201 - a command's answer
    try:
        with TritonServer(ROOT / "model_repository", models=["stress"], metrics_port=0) as server:
            out = OUT / time.strftime("%Y%m%d-%H%M%S")
            where = ["--url", server.url, "--metrics", server.metrics_url, "--out", str(out)]
            asked = ["--seconds", str(STEP_S), "--slo", "p99=500ms"]
            command = ["load", "search", "utterances", *where, *asked, *options]
            print(f"$ voicestress {shlex.join(command)}\n", file=sys.stderr)  # noqa: T201
            sys.argv = ["voicestress", *command]  # the run keeps the command it was made by
            return main()
    except ServerStartError as error:
        print(f"voicestress: {error}", file=sys.stderr)  # noqa: T201
        return 3


if __name__ == "__main__":
    sys.exit(load(sys.argv[1:]))
