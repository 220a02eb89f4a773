"""What ``make demo`` says when it can't go on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LOCAL = Path(__file__).parents[2] / "deploy" / "local"


def add_program(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_a_demo_without_a_triton_that_starts_is_one_line_and_exit_code_3(tmp_path: Path):
    add_program(tmp_path, "tritonserver", "echo 'error: out of order'; exit 1")
    environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    demo = subprocess.run(
        [sys.executable, LOCAL / "demo.py"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    starting, why = demo.stderr.splitlines()
    assert (demo.returncode, demo.stdout, starting) == (3, "", "starting Triton …")
    assert why.startswith("voicestress: ")


def test_a_system_with_too_new_a_python_is_told_how_to_get_another(tmp_path: Path):
    add_program(tmp_path, "python3", '[ "$1" = --version ] && echo Python 3.13.5')
    add_program(tmp_path, "apt-get", "exit 0")
    add_program(tmp_path, "id", "echo 0")
    set_up = subprocess.run(
        ["/bin/sh", LOCAL / "environment.sh", tmp_path / "env", "local"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert set_up.returncode == 1
    assert "Python 3.13.5 is what this system has. Install one beside it" in set_up.stderr
    assert "PYTHON=$(uv python find 3.12) make demo" in set_up.stderr
    assert not (tmp_path / "env").exists()
