"""Every expression of the dashboard and the rules is PromQL, and every metric in them is really exported."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
import urllib.request

import pytest
import yaml

from tests.deploy.chart.calling import burst
from tests.deploy.chart.headless import HeadlessName
from tests.deploy.chart.rendering import render
from tests.deploy.chart.servers import Process, free_port, http_status, wait_until
from tests.deploy.chart.test_envoy import envoy, envoy_config
from tests.paths import JFK_WAV, ROOT

# Exported where there is a GPU, and so not here: names from Triton's documentation (docs/user_guide/metrics.md).
OF_GPUS = {"nv_gpu_utilization", "nv_gpu_memory_used_bytes", "nv_gpu_memory_total_bytes", "nv_gpu_power_usage"}
OF_PROMETHEUS = {"up"}


def dashboard():
    return json.loads(render(values="all").one("ConfigMap", "-dashboard")["data"]["voicestress.json"])


def rules():
    groups = render(values="all").one("PrometheusRule", "")["spec"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions():
    shown = {
        f"{panel['title']}: {target['legendFormat']}": target["expr"]
        for panel in dashboard()["panels"]
        for target in panel["targets"]
    }
    followed = {f"rule {rule.get('alert', rule.get('record'))}": rule["expr"] for rule in rules()}
    triggers = render(values="all").of("ScaledObject")[0]["spec"]["triggers"]
    scaled = {f"KEDA {each['name']}": each["metadata"]["query"] for each in triggers}
    return {**shown, **followed, **scaled}


def with_grafanas_words(expression):
    return expression.replace("$__rate_interval", "5m").replace("$window_s", "3")


def metrics_in(expression):
    """The metrics that an expression reads, by a parser of PromQL."""
    import promql_parser

    def names(node):
        if isinstance(node, promql_parser.VectorSelector):
            yield node.name
        for part in ("lhs", "rhs", "expr", "param", "vector_selector"):
            if hasattr(node, part):
                yield from names(getattr(node, part))
        for argument in getattr(node, "args", []):
            yield from names(argument)

    return set(names(promql_parser.parse(with_grafanas_words(expression))))


def exported(text):
    """The names of the series in Prometheus' text format."""
    return {re.match(r"[\w:]+", line)[0] for line in text.splitlines() if line and not line.startswith("#")}


def read(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def test_every_expression_is_promql():
    found = expressions()
    assert len(found) > 40
    for what, expression in found.items():
        assert metrics_in(expression), what


def test_what_is_not_promql_would_be_found():
    with pytest.raises(ValueError, match=r"."):
        metrics_in("sum(rate(nv_inference_count[5m])")


@pytest.mark.timeout(150)
def test_every_metric_is_really_exported(start, tmp_path):
    """Triton, Envoy and the gateway, one behind the other, asked for an analysis and then for their metrics."""
    triton = start(render(values="cpu"))
    triton.await_ready()
    with HeadlessName(["127.0.0.1"]) as name, envoy(envoy_config(), name, triton.ports["grpc"], tmp_path) as (_, ports):
        port = free_port()
        command = [
            sys.executable,
            "-m",
            "voicestress",
            "gateway",
            "--port",
            str(port),
            "--url",
            f"127.0.0.1:{ports['grpc']}",
        ]
        gateway = Process(command, os.environ, tmp_path / "gateway.log")
        try:
            here = f"http://127.0.0.1:{port}"
            wait_until(lambda: http_status(f"{here}/readyz") == 200, 30, f"ready: {gateway.log}")
            wanted = {"Content-Type": "audio/wav"}
            urllib.request.urlopen(
                urllib.request.Request(f"{here}/v1/analyses", JFK_WAV.read_bytes(), wanted), timeout=60
            )
            assert http_status(f"{here}/nowhere") == 404
            unreadable = urllib.request.Request(f"{here}/v1/analyses", b"nothing", wanted)
            with pytest.raises(urllib.error.HTTPError):
                urllib.request.urlopen(unreadable, timeout=60)
            known = exported(triton.metrics) | exported(read(f"{here}/metrics"))
            known |= exported(read(f"http://127.0.0.1:{ports['metrics']}/metrics"))
        finally:
            gateway.stop()
    known |= OF_GPUS | OF_PROMETHEUS | {rule["record"] for rule in rules() if "record" in rule}
    for what, expression in expressions().items():
        assert metrics_in(expression) <= known, f"{what}: {metrics_in(expression) - known} is exported by nobody"


def test_reasons_of_failures_are_tritons_own(start):
    triton = start(render(values="cpu"))
    triton.await_ready()
    reasons = set(re.findall(r'nv_inference_request_failure\{.*reason="(\w+)"', triton.metrics))
    assert {"REJECTED", "CANCELED", "BACKEND", "OTHER"} <= reasons


def test_whom_a_full_queue_turns_away_triton_does_not_count(start):
    """As the rules, the dashboard and the runbook say. If it does one day, they can say more."""
    triton = start(render(values="cpu"))
    triton.await_ready()
    assert burst(triton.url, 800) > 100
    failures = re.findall(r"^nv_inference_request_failure\{.*\} (\d+)$", triton.metrics, re.MULTILINE)
    assert set(failures) == {"0"}


def test_the_dashboard_is_the_one_that_is_written():
    spec = importlib.util.spec_from_file_location("dashboard", ROOT / "deploy/helm/dashboard.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["dashboard"] = module
    spec.loader.exec_module(module)
    assert module.DASHBOARD.read_text() == module.dashboard_text(), "run `python deploy/helm/dashboard.py`"


def test_grafana_finds_it_and_its_panels_fill_the_page():
    config = render(values="all").one("ConfigMap", "-dashboard")
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        assert panel["description"]
        assert "<" not in json.dumps(panel["targets"]), "a word that nothing filled in"


def test_pod_monitors_scrape_the_ports_that_are_there():
    rendered = render(values="all")
    for monitor in rendered.of("PodMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        pods = [each["spec"]["template"] for each in rendered.of("Deployment")]
        (pod,) = [each for each in pods if wanted <= each["metadata"]["labels"].items()]
        ports = {port["name"] for container in pod["spec"]["containers"] for port in container["ports"]}
        assert {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]} <= ports
        assert f"{monitor['metadata']['namespace']}/{monitor['metadata']['name']}" in json.dumps(rules())


def test_the_adapters_rules_are_for_the_metrics_the_hpa_asks():
    adapter = yaml.safe_load((ROOT / "deploy/helm/prometheus-adapter-values.yaml").read_text())
    metrics = render(values="hpa").one("HorizontalPodAutoscaler", "-triton")["spec"]["metrics"]
    asked = {
        kind: metric["metric"]["name"] for each in metrics for kind, metric in each.items() if isinstance(metric, dict)
    }
    assert asked["pods"] in json.dumps(adapter["rules"]["custom"])
    assert asked["external"] in json.dumps(adapter["rules"]["external"])
