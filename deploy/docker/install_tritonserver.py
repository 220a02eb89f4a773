"""Writes a ``tritonserver`` command for the Triton in the nvidia-pytriton wheel.

``install_tritonserver.py FOLDER COMMAND``: FOLDER gets what has to be assembled (``voicestress_triton.runtime``);
COMMAND is a small shell script that sets its environment and takes the same arguments as NVIDIA's. So one command
line, the Helm chart's, starts either.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from voicestress_triton.runtime import prepare_runtime


def install(folder: Path, command: Path) -> None:
    """Assemble the runtime in ``folder`` and write ``command``."""
    folder.mkdir(parents=True, exist_ok=True)
    runtime = prepare_runtime(folder)
    if not runtime.from_wheel:
        raise SystemExit(f"{runtime.binary} is installed already: nothing to write")
    changed = {name: value for name, value in runtime.environment.items() if os.environ.get(name) != value}
    lines = [
        "#!/bin/sh",
        "# The audio in memory is for nobody else to read, and goes to no core file.",
        "umask 077",
        "ulimit -c 0",
        *(f"export {name}={shlex.quote(value)}" for name, value in sorted(changed.items())),
        f'exec {shlex.join([str(runtime.binary), *runtime.flags])} "$@"',
    ]
    command.parent.mkdir(parents=True, exist_ok=True)
    command.write_text("\n".join(lines) + "\n", encoding="utf-8")
    command.chmod(0o755)


if __name__ == "__main__":
    install(Path(sys.argv[1]), Path(sys.argv[2]))
