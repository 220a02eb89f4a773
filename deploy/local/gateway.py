"""What ``make gateway`` does: Triton with the demo model and the gateway in front of it, until Ctrl-C."""

from __future__ import annotations

import sys
from pathlib import Path

from voicestress.cli import main
from voicestress_triton import ServerStartError, TritonServer

ROOT = Path(__file__).parents[2]


def gateway(options: list[str]) -> int:
    """Serve on 127.0.0.1 with these ``options`` of ``voicestress gateway``; 3 when Triton does not start."""
    print("starting Triton …", file=sys.stderr)  # noqa: T201 - a command's answer
    try:
        with TritonServer(ROOT / "model_repository", models=["stress"]) as server:
            return main(["gateway", "--url", server.url, *options])
    except ServerStartError as error:
        print(f"voicestress: {error}", file=sys.stderr)  # noqa: T201
        return 3


if __name__ == "__main__":
    sys.exit(gateway(sys.argv[1:]))
