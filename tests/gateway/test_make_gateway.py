"""What ``make gateway`` does, and what the README shows of it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import httpx
import psutil
import pytest

from tests.paths import ROOT

README = (ROOT / "README.md").read_text()


def test_make_gateway_starts_triton_and_the_gateway_and_prints_its_address():
    """And the README's curl line has the answer that stands beside it."""
    assert re.search(
        r"^gateway:.*\n\t@.*python deploy/local/gateway.py$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    command = [sys.executable, "deploy/local/gateway.py", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as started:
        try:
            printed = started.stdout.readline()
            (address,) = re.findall(r"http://127\.0\.0\.1:\d+/", printed)
            assert "Vocal stress" in httpx.get(address).text
            shown = re.search(r"^    (curl -F .*)\n.*?^```\n(.*?)\n```", README, re.MULTILINE | re.DOTALL)
            curl = shown[1].replace("http://127.0.0.1:8080/", address)
            answer = json.loads(subprocess.run(curl.split(), cwd=ROOT, capture_output=True, check=True).stdout)
            expected = json.loads(shown[2])
            assert answer == {**expected, "stress_level": pytest.approx(expected["stress_level"], abs=0.1)}
        finally:
            of_it = psutil.Process(started.pid).children(recursive=True)
            started.send_signal(signal.SIGTERM)
        assert started.wait(30) == 0
        _, left = psutil.wait_procs(of_it, timeout=5)
        assert [child for child in left if child.status() != psutil.STATUS_ZOMBIE] == []


def test_the_readme_has_a_picture_of_the_page():
    pictures = re.findall(r"!\[[^\]]*page[^\]]*\]\((docs/gateway/[^)]*)\)", README)
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)
