"""What the chart runs beside Triton, with the rendered arguments: helm test, an archive in parts, a load test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.deploy.chart.rendering import render
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


def load_test(triton, results, *settings):
    """Run the Job's very command against ``triton``, with its metrics in place of those of the cluster's name."""
    job = render(*settings, values="cpu").one("Job", "-load-test-1")["spec"]
    (container,) = job["template"]["spec"]["containers"]
    arguments = here(container["args"], triton, {"/results": results})
    metrics = [each for each in arguments if each.startswith("--metrics=")]
    assert metrics == ["--metrics=http://speech-voicestress-triton.stress.svc:8002/metrics"]
    arguments[arguments.index(metrics[0])] = f"--metrics=http://{triton.address}:{triton.ports['metrics']}/metrics"
    return job, run([sys.executable, "-m", "voicestress", *arguments])


def test_the_load_test_keeps_a_report_and_judges(triton, tmp_path):
    met = 'loadTest={"enabled":true,"perSecond":5,"seconds":5,"slo":["p99=5s"],"resultsClaimName":"reports"}'
    job, done = load_test(triton, tmp_path, met)
    assert done.returncode == 0, done.stderr
    assert "audio-seconds a second" in done.stdout
    kept = tmp_path / "speech-voicestress-load-test-1"
    report = json.loads((kept / "report.json").read_text())
    assert report["headline"]["audio_s_per_s"] > 1
    assert report["steps"][0]["server"]["compute_ms"] > 0
    assert "What limits it" in (kept / "report.html").read_text()
    assert {"name": "results", "persistentVolumeClaim": {"claimName": "reports"}} in job["template"]["spec"]["volumes"]


def test_a_load_test_whose_slo_is_out_of_reach_fails_and_says_why(triton, tmp_path):
    _, done = load_test(triton, tmp_path, 'loadTest={"enabled":true,"perSecond":5,"seconds":5,"slo":["p99=1ms"]}')
    assert done.returncode != 0
    assert "p99=1ms can't be met" in done.stderr


def test_a_load_test_alone_of_the_clients_may_read_metrics():
    rendered = render('loadTest={"enabled":true}', values="cpu")
    reads, told = (rendered.one("NetworkPolicy", name)["spec"] for name in ("-load-test-reads", "-load-test-is-told"))
    pods = rendered.one("Job", "-load-test-1")["spec"]["template"]["metadata"]["labels"]
    triton = rendered.one("Deployment", "-triton")["spec"]["template"]["metadata"]["labels"]
    assert reads["podSelector"]["matchLabels"].items() <= pods.items()
    assert told["podSelector"]["matchLabels"].items() <= triton.items()
    assert not told["podSelector"]["matchLabels"].items() <= pods.items()
    assert told["ingress"][0]["from"] == [{"podSelector": reads["podSelector"]}]
    for rule in (reads["egress"][0], told["ingress"][0]):
        assert rule["ports"] == [{"protocol": "TCP", "port": "metrics"}]
    for off in ('loadTest={"enabled":true,"readMetrics":false}', 'loadTest={"enabled":false}'):
        assert not render(off, values="cpu").of("NetworkPolicy", "-reads")
