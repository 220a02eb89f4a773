"""schemathesis makes requests of what the OpenAPI document says, and of what it does not: none ends with an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def fuzzed(gateway, folder: Path, examples: int) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("schemathesis")
    options = ["--checks", CHECKS, "--max-examples", str(examples), "--seed", "1", "--no-color"]
    return subprocess.run(
        [command, "run", f"{gateway.url}/openapi.json", *options],
        capture_output=True,
        text=True,
        cwd=folder,
    )


def test_a_few_requests_of_every_kind_end_well(gateway, tmp_path):
    ended = fuzzed(gateway, tmp_path, 10)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.slow
def test_many_requests_of_every_kind_end_well(gateway, tmp_path):
    ended = fuzzed(gateway, tmp_path, 300)
    assert ended.returncode == 0, ended.stdout
    assert not [line for line in gateway.log() if line["level"] == "error"]
