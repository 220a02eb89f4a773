"""Writes the chart's Grafana dashboard, files/dashboard.json, from the list of panels below.

The words in <…> are filled in when the chart is rendered: the jobs of this release's Triton, gateway and Envoy.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DASHBOARD = Path(__file__).parent / "voicestress" / "files" / "dashboard.json"
_TRITON, _GATEWAY = 'job="<triton>"', 'job="<gateway>"'
_ENVOY = 'job="<envoy>",envoy_cluster_name="triton"'
_WINDOW = "$__rate_interval"
# A second of 16-bit speech at 16 kHz, which is what crosses the wire.
_BYTES_A_SECOND = 32_000


@dataclass
class Panel:
    """A graph: its title, unit, what it means, and its expressions by legend."""

    title: str
    unit: str
    meaning: str
    expressions: dict[str, str] = field(default_factory=dict)
    kind: str = "timeseries"
    width: int = 8


def _rate(metric: str, selector: str, by: str = "") -> str:
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (rate({metric}{{{selector}}}[{_WINDOW}]))"


def _per_request(duration: str) -> str:
    """Milliseconds of a request: all requests' time over all requests, so that an idle model does not count."""
    return f"{_rate(duration, _TRITON)} / 1000 / {_rate('nv_inference_request_success', _TRITON)}"


def _quantile(share: float) -> str:
    buckets = _rate(
        "voicestress_gateway_request_seconds_bucket", f'{_GATEWAY},route=~"/v1/analyses|/analyze-stress"', "le"
    )
    return f"histogram_quantile({share}, {buckets})"


PANELS = [
    Panel(
        "Throughput in audio-seconds",
        "s",
        "Seconds scored a second: of recordings, silence included, by the gateway's count; of speech by what Envoy "
        "passed on, and, as an estimate that needs neither, by windows of $window_s s each.",
        {
            "recordings: gateway": _rate("voicestress_gateway_audio_seconds_total", _GATEWAY),
            "speech: Envoy": f"{_rate('envoy_cluster_upstream_cx_tx_bytes_total', _ENVOY)} / {_BYTES_A_SECOND}",
            "speech: windows (estimate)": f"{_rate('nv_inference_count', _TRITON)} * $window_s",
        },
        width=16,
    ),
    Panel(
        "Replicas that answer",
        "none",
        "By Prometheus' own scrapes.",
        {"Triton": f"sum(up{{{_TRITON}}})", "gateway": f"sum(up{{{_GATEWAY}}})"},
        kind="stat",
    ),
    Panel("Windows a second", "reqps", "By model.", {"{{model}}": _rate("nv_inference_count", _TRITON, "model")}),
    Panel(
        "Time in the queue",
        "ms",
        "Mean over all requests, of all models at once.",
        {"queue": _per_request("nv_inference_queue_duration_us")},
    ),
    Panel(
        "Time at work",
        "ms",
        "Mean of a request; its batch is worked on as a whole.",
        {
            "model": _per_request("nv_inference_compute_infer_duration_us"),
            "input": _per_request("nv_inference_compute_input_duration_us"),
            "output": _per_request("nv_inference_compute_output_duration_us"),
        },
    ),
    Panel(
        "Batch size",
        "none",
        "Windows an execution. One when there is little to do, the preferred size under load.",
        {
            "{{model}}": f"{_rate('nv_inference_count', _TRITON, 'model')}"
            f" / {_rate('nv_inference_exec_count', _TRITON, 'model')}"
        },
    ),
    Panel(
        "Pending requests",
        "none",
        "In the queue of each replica; what autoscaling follows first.",
        {"{{pod}}": f"sum by (pod) (nv_inference_pending_request_count{{{_TRITON}}})"},
    ),
    Panel(
        "Turned away and failed",
        "reqps",
        "REJECTED waited too long in the queue; whom a full queue turns away, only the gateway counts. "
        "CANCELED is the caller's doing.",
        {
            "Triton: {{reason}}": _rate("nv_inference_request_failure", _TRITON, "reason"),
            "gateway: {{reason}}": _rate("voicestress_gateway_rejections_total", _GATEWAY, "reason"),
        },
    ),
    Panel(
        "GPU at work",
        "percentunit",
        "By NVIDIA's count: the share of time in which anything ran.",
        {"{{pod}}": f"nv_gpu_utilization{{{_TRITON}}}"},
    ),
    Panel(
        "GPU memory",
        "percentunit",
        "In use, of what it has.",
        {"{{pod}}": f"nv_gpu_memory_used_bytes{{{_TRITON}}} / nv_gpu_memory_total_bytes{{{_TRITON}}}"},
    ),
    Panel(
        "GPU power",
        "watt",
        "A GPU that is busy but draws little waits for memory or for the CPU.",
        {"{{pod}}": f"nv_gpu_power_usage{{{_TRITON}}}"},
    ),
    Panel(
        "Gateway: requests",
        "reqps",
        "By status.",
        {"{{status}}": _rate("voicestress_gateway_requests_total", _GATEWAY, "status")},
    ),
    Panel(
        "Gateway: time of an analysis",
        "s",
        "From a request's head to the end of its answer, the upload included.",
        {"half": _quantile(0.5), "95 %": _quantile(0.95), "99 %": _quantile(0.99)},
    ),
    Panel(
        "Gateway: in flight",
        "none",
        "Requests that are worked on, and live streams.",
        {
            "requests": f"sum(voicestress_gateway_in_flight{{{_GATEWAY}}})",
            "streams": f"sum(voicestress_gateway_streams{{{_GATEWAY}}})",
        },
    ),
    Panel(
        "Envoy: tries again",
        "reqps",
        "Requests that another replica was asked, and those that were given up.",
        {
            "tried again": _rate("envoy_cluster_upstream_rq_retry", _ENVOY),
            "over the budget": _rate("envoy_cluster_upstream_rq_retry_overflow", _ENVOY),
        },
    ),
    Panel(
        "Envoy: healthy replicas",
        "none",
        "As each Envoy sees them.",
        {"{{pod}}": f"envoy_cluster_membership_healthy{{{_ENVOY}}}"},
    ),
    Panel(
        "CPU at work",
        "percentunit",
        "Of each Triton's node.",
        {"{{pod}}": f"nv_cpu_utilization{{{_TRITON}}}"},
    ),
]


def _drawn(number: int, panel: Panel, x: int, y: int) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${source}"}
    return {
        "id": number,
        "title": panel.title,
        "description": panel.meaning,
        "type": panel.kind,
        "datasource": source,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": 8},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": source, "expr": expression, "legendFormat": legend}
            for index, (legend, expression) in enumerate(panel.expressions.items())
        ],
    }


def dashboard_text() -> str:
    """The whole of dashboard.json."""
    drawn, x, y = [], 0, 0
    for number, panel in enumerate(PANELS, start=1):
        if x + panel.width > 24:
            x, y = 0, y + 8
        drawn.append(_drawn(number, panel, x, y))
        x += panel.width
    whole = {
        "title": "voicestress <release>",
        "uid": None,
        "tags": ["voicestress"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [
                {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
                {
                    "name": "window_s",
                    "type": "textbox",
                    "label": "seconds a window",
                    "query": "3",
                    "current": {"text": "3", "value": "3"},
                },
            ]
        },
        "panels": drawn,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    DASHBOARD.write_text(dashboard_text(), encoding="utf-8")
    sys.exit(0)
