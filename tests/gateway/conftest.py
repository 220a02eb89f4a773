"""Gateways as processes of their own, as users run them, in front of the tests' Triton."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import soundfile

from tests.paths import JFK_WAV

START_S = 30.0


class RunningGateway:
    """``voicestress gateway`` as a child; its log is kept."""

    def __init__(self, folder: Path, *options: str, environment: dict[str, str] | None = None) -> None:
        self.log_path = folder / f"gateway-{time.monotonic_ns()}.log"
        command = [sys.executable, "-m", "voicestress", "gateway", "--port", "0", *options]
        surroundings = {**os.environ, **(environment or {})}
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=surroundings, start_new_session=True
        )
        self.log_path.touch()
        threading.Thread(target=self._keep_log, daemon=True).start()
        self.address = self._wait_for("listening")["address"]
        self.url = f"http://{self.address}"

    def log(self) -> list[dict]:
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]

    def wait_until_ready(self) -> None:
        end_s = time.monotonic() + START_S
        while httpx.get(f"{self.url}/readyz").status_code != 200:
            assert time.monotonic() < end_s, self.log()
            time.sleep(0.05)

    def metric(self, name: str) -> float:
        lines = httpx.get(f"{self.url}/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"voicestress_gateway_{name}"))

    def stop(self, with_signal: int = signal.SIGTERM, timeout_s: float = 40.0) -> int:
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        try:
            return self.process.wait(timeout_s)
        finally:
            self.process.kill()

    def _keep_log(self) -> None:
        """By a pipe: a gateway that may write no files has a log all the same."""
        with self.log_path.open("wb") as log, self.process.stderr as lines:
            for line in lines:
                log.write(line)
                log.flush()

    def _wait_for(self, event: str) -> dict:
        end_s = time.monotonic() + START_S
        while time.monotonic() < end_s and self.process.poll() is None:
            for line in self.log_path.read_text().splitlines():
                if line.startswith("{") and (logged := json.loads(line))["event"] == event:
                    return logged
            time.sleep(0.05)
        self.process.kill()
        raise AssertionError(f"no {event!r} in {self.log_path.read_text()!r}")


@contextmanager
def running(
    folder: Path, triton_url: str | None, *options: str, ready: bool = True, environment: dict[str, str] | None = None
) -> Iterator[RunningGateway]:
    at = () if triton_url is None else ("--url", triton_url)
    gateway = RunningGateway(folder, *at, *options, environment=environment)
    try:
        if ready:
            gateway.wait_until_ready()
        yield gateway
    finally:
        gateway.process.send_signal(signal.SIGTERM) if gateway.process.poll() is None else None
        try:
            gateway.process.wait(3)
        except subprocess.TimeoutExpired:
            gateway.process.kill()
            gateway.process.wait()


@pytest.fixture(scope="session")
def logs_folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("gateway")


@pytest.fixture(scope="session")
def gateway(server, logs_folder) -> Iterator[RunningGateway]:
    """One with default settings and the demo model."""
    with running(logs_folder, server.url) as started:
        yield started


@pytest.fixture(scope="session")
def small_gateway(server, logs_folder) -> Iterator[RunningGateway]:
    """One that allows little: 1 MiB, 20 s of audio, 1 s of silence on the line."""
    limits = ["--body-mb", "1", "--longest-audio-s", "20", "--idle-s", "1", "--upload-s", "3"]
    streams = ["--streams-at-once", "2", "--stream-idle-s", "1", "--stream-longest-s", "15"]
    with running(logs_folder, server.url, *limits, *streams) as started:
        yield started


@pytest.fixture(scope="session")
def jfk() -> bytes:
    return JFK_WAV.read_bytes()


def wav(samples, rate_hz: int = 16_000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="WAV", subtype="PCM_16")
    return file.getvalue()


def problem(response: httpx.Response, status: int, slug: str) -> dict:
    """The problem details in ``response``, which is of this kind."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    details = response.json()
    assert details["type"] == f"urn:voicestress:problem:{slug}"
    assert details["status"] == status
    assert details["title"]
    assert details["detail"]
    assert details["request_id"] == response.headers["x-request-id"]
    return details
