"""What the chart runs beside Triton, with the rendered arguments: helm test, an archive in parts, a load test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.deploy.chart.rendering import CHART, render
from tests.paths import JFK_WAV


@pytest.fixture
def triton(start):
    running = start(render(values="cpu"))
    running.await_ready()
    return running


def here(arguments, triton, folders):
    """Arguments of a container, with the address and the folders that they have here."""
    found = []
    for argument in arguments:
        if argument.startswith("--url="):
            argument = f"--url={triton.url}"
        for there, local in folders.items():
            argument = argument.replace(there, str(local))
        found.append(argument)
    return found


def run(command, **environment):
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=120
    )


def test_helm_test_scores_a_real_recording(triton):
    (container,) = render(values="cpu").one("Pod", "-test")["spec"]["containers"]
    arguments = here(container["args"], triton, {"/usr/share/voicestress/jfk.wav": JFK_WAV})
    done = run([sys.executable, "-m", "voicestress", *arguments])
    assert done.returncode == 0, done.stderr
    assert "stress level  13.2" in done.stdout


def test_an_archive_is_scored_in_parts_each_recording_once(triton, tmp_path):
    import pyarrow.parquet

    archive, results = tmp_path / "archive", tmp_path / "results"
    (archive / "2026").mkdir(parents=True)
    results.mkdir()
    for number in range(5):
        shutil.copy(JFK_WAV, archive / "2026" / f"call-{number}.wav")
    settings = (
        'archive={"enabled":true,"source":"/archive/2026","sourceClaimName":"a","resultsClaimName":"r","shards":2}'
    )
    job = render(settings, values="cpu").one("Job", "-archive")["spec"]
    (container,) = job["template"]["spec"]["containers"]
    arguments = here(container["args"], triton, {"/archive/2026": archive / "2026", "/results": results})
    for index in range(job["completions"]):
        done = run([sys.executable, "-m", "voicestress", *arguments], JOB_COMPLETION_INDEX=str(index))
        assert done.returncode == 0, done.stderr
    parts = [pyarrow.parquet.read_table(path).num_rows for path in sorted(results.glob("*.parquet"))]
    assert len(parts) == 2
    assert sum(parts) == 5


def test_the_load_test_says_how_long_it_took_and_judges(triton):
    settings = 'loadTest={"enabled":true,"perSecond":2,"seconds":5}'
    (container,) = render(settings, values="cpu").one("Job", "-load-test-1")["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["python", "/load-test/load_test.py"]
    script = CHART / "files/load_test.py"
    command = [sys.executable, str(script), *here(container["args"], triton, {}), "--recording", str(JFK_WAV)]
    done = run(command)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["offered"], said["scored"], said["failed"]) == (10, 10, {})
    assert 0 < said["p50_ms"] <= said["p95_ms"] <= said["p99_ms"]

    hurried = run([*command, "--deadline-s", "0.01"])
    assert hurried.returncode != 0
