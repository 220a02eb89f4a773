"""A release on this machine, watched by a real Prometheus: the chart's own monitors, rules and dashboard.

Two Tritons behind Envoy and the gateway in front of them, each scraped as its rendered PodMonitor says, with the labels
that the Prometheus operator gives their series.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.chart.headless import HeadlessName
from tests.deploy.chart.rendering import NAMESPACE, Manifest, Rendered, render
from tests.deploy.chart.servers import ChartTriton, Process, free_port, http_status, wait_until
from tests.deploy.chart.test_envoy import envoy, envoy_config

SCRAPE_S = 5  # as often as the chart's values allow
RATE_WINDOW_S = 4 * SCRAPE_S  # what Grafana puts for $__rate_interval
ADDRESSES = ("127.0.9.1", "127.0.9.2")
SETTINGS = (
    'balancing.kind="envoy"',
    'observability={"podMonitor":{"enabled":true,"intervalSeconds":5},"rules":{"enabled":true},'
    '"dashboard":{"enabled":true}}',
)


@dataclass(frozen=True)
class Series:
    """One line of a graph: Unix times in seconds, and a value (it may be NaN) at each."""

    labels: dict[str, str]
    times_s: list[float]
    values: list[float]


@dataclass(frozen=True)
class Watched:
    """What runs, and where.

    Attributes:
        rendered: the release.
        gateway_url: such as http://127.0.0.1:8080.
        grpc_url: of Envoy, such as 127.0.0.1:8001.
        prometheus_url: of its HTTP API.
    """

    rendered: Rendered
    gateway_url: str
    grpc_url: str
    prometheus_url: str

    @property
    def dashboard(self) -> dict[str, Any]:
        """As Grafana's sidecar is given it."""
        shown: dict[str, Any] = json.loads(self.rendered.one("ConfigMap", "-dashboard")["data"]["voicestress.json"])
        return shown

    @property
    def records(self) -> list[str]:
        """Names of the series that the chart's rules record."""
        (rules,) = self.rendered.of("PrometheusRule")
        return [rule["record"] for group in rules["spec"]["groups"] for rule in group["rules"] if "record" in rule]

    def expression(self, target: dict[str, Any]) -> str:
        """Of a panel's target, with Grafana's words filled in as Grafana would."""
        expression = str(target["expr"]).replace("$__rate_interval", f"{RATE_WINDOW_S}s")
        for variable in self.dashboard["templating"]["list"]:
            if variable["type"] == "textbox":
                expression = expression.replace(f"${variable['name']}", variable["current"]["value"])
        return expression

    def range(self, expression: str, start_s: float, end_s: float) -> list[Series]:
        """Evaluate ``expression`` from one Unix time to another, at each scrape."""
        asked = {"query": expression, "start": start_s, "end": end_s, "step": SCRAPE_S}
        found = self._ask("query_range", asked)
        return [
            Series(each["metric"], [float(at) for at, _ in each["values"]], [float(of) for _, of in each["values"]])
            for each in found
        ]

    def now(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The labels and values of ``expression``."""
        return [(each["metric"], float(each["value"][1])) for each in self._ask("query", {"query": expression})]

    def _ask(self, how: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
        url = f"{self.prometheus_url}/api/v1/{how}?{urllib.parse.urlencode(asked)}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


def _scrapes(rendered: Rendered, pods: dict[str, dict[str, str]]) -> list[Manifest]:
    """What the Prometheus operator makes of the PodMonitors, for ``pods``: part to pod to address."""
    jobs = []
    for monitor in rendered.of("PodMonitor"):
        part = monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"]
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        jobs.append(
            {
                "job_name": f"{monitor['metadata']['namespace']}/{monitor['metadata']['name']}",
                "metrics_path": endpoint["path"],
                "scrape_interval": endpoint["interval"],
                "scrape_timeout": endpoint["scrapeTimeout"],
                "static_configs": [
                    {"targets": [address], "labels": {"namespace": NAMESPACE, "pod": pod}}
                    for pod, address in pods[part].items()
                ],
            }
        )
    return jobs


@contextmanager
def watched(folder: Path, cpu_image: Path, models: Path) -> Iterator[Watched]:
    """Start all of it, with its files in ``folder``, and stop it afterwards.

    Args:
        folder: for logs and Prometheus' series.
        cpu_image: where the ``tritonserver`` of the CPU image is.
        models: the model repository.
    """
    rendered = render(*SETTINGS, values="cpu")
    grpc_port = free_port()
    with ExitStack() as running:
        tritons = []
        for number, address in enumerate(ADDRESSES):
            log = folder / f"triton-{number}.log"
            where = {"address": address, "grpc_port": grpc_port}
            tritons.append(ChartTriton(rendered.triton(), cpu_image, log, {"/models": models}, **where))
            running.callback(tritons[-1].stop)
        for triton in tritons:
            triton.await_ready()
        name = running.enter_context(HeadlessName(list(ADDRESSES)))
        _, envoy_ports = running.enter_context(envoy(envoy_config(), name, grpc_port, folder))
        grpc_url = f"127.0.0.1:{envoy_ports['grpc']}"

        gateway = f"127.0.0.1:{free_port()}"
        command = [sys.executable, "-m", "voicestress", "gateway", "--port", gateway.rpartition(":")[2]]
        running.callback(Process([*command, "--url", grpc_url], os.environ, folder / "gateway.log").stop)
        wait_until(lambda: http_status(f"http://{gateway}/readyz") == 200, 30, "ready: the gateway")

        pods = {
            "triton": {f"triton-{at}": f"{each.address}:{each.ports['metrics']}" for at, each in enumerate(tritons)},
            "envoy": {"envoy-0": f"127.0.0.1:{envoy_ports['metrics']}"},
            "gateway": {"gateway-0": gateway},
        }
        prometheus = running.enter_context(_prometheus(rendered, pods, folder))
        yield Watched(rendered, f"http://{gateway}", grpc_url, prometheus)


@contextmanager
def _prometheus(rendered: Rendered, pods: dict[str, dict[str, str]], folder: Path) -> Iterator[str]:
    (rules,) = rendered.of("PrometheusRule")
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules["spec"]))
    config = {
        "global": {"evaluation_interval": f"{SCRAPE_S}s"},
        "rule_files": [str(folder / "rules.yaml")],
        "scrape_configs": _scrapes(rendered, pods),
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    process = Process(command, os.environ, folder / "prometheus.log")
    try:
        wait_until(lambda: http_status(f"http://{address}/-/ready") == 200, 20, f"ready: {process.log}")
        yield f"http://{address}"
    finally:
        process.stop()
