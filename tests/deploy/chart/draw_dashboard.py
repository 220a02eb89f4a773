"""Draws the Grafana dashboard of a release under load: ``python -m tests.deploy.chart.draw_dashboard FILE.png``.

No Grafana is needed: each panel's own expressions are evaluated by a real Prometheus that watched a real release
(watched.py) for four minutes, and matplotlib draws what it answers where Grafana would.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

from tests.deploy.chart.calling import Callers, burst
from tests.deploy.chart.servers import baked_models, install_cpu_image
from tests.deploy.chart.watched import SCRAPE_S, Series, Watched, watched

# Callers and seconds of each part, and windows of the bursts in it.
LOAD = [(1, 40, 0), (4, 60, 0), (12, 60, 0), (4, 40, 1000), (1, 40, 0)]
BURST_EVERY_S = 8.0
COLUMNS, ROW_HEIGHT = 24, 8  # Grafana's grid, and the height that all panels have in it
UNITS = {"s": "s", "ms": "ms", "reqps": "req/s", "percentunit": "%", "watt": "W", "none": ""}
INK, GRID = "#24292e", "#e4e7ea"
COLOURS = ["#3274d9", "#e0752d", "#56a64b", "#a352cc", "#c4162a", "#8f8f8f", "#1f9e9e"]


def put_under_load(live: Watched) -> tuple[float, float]:
    """Load ``live`` as LOAD says; returns the Unix times of beginning and end."""
    start_s = time.time()
    with Callers(live.gateway_url, 0) as callers:
        for count, seconds, windows in LOAD:
            callers.count = count
            end_s = time.time() + seconds
            while (left_s := end_s - time.time()) > 0:
                if windows:
                    burst(live.grpc_url, windows)
                time.sleep(max(0.0, min(left_s, BURST_EVERY_S)))
    return start_s, time.time()


def lines_of(live: Watched, panel: dict[str, Any], start_s: float, end_s: float) -> dict[str, Series]:
    """What a panel shows, by legend; lines without a number are left out, as Grafana leaves gaps."""
    return {
        _legend(target["legendFormat"], series.labels): series
        for target in panel["targets"]
        for series in live.range(live.expression(target), start_s, end_s)
        if not all(map(math.isnan, series.values))
    }


def _legend(form: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda word: labels.get(word[1], ""), form)


def is_of_gpus(panel: dict[str, Any]) -> bool:
    """Whether a panel is of what no machine without a GPU exports."""
    return all("nv_gpu_" in target["expr"] for target in panel["targets"])


def draw_panel(axes: Any, panel: dict[str, Any], lines: dict[str, Series], start_s: float, end_s: float) -> None:
    """Draw ``lines`` into ``axes``; the minutes from ``start_s`` to ``end_s`` run along it."""
    unit = UNITS[panel["fieldConfig"]["defaults"]["unit"]]
    scale = 100.0 if unit == "%" else 1.0
    axes.set_title(panel["title"] + (f", {unit}" if unit else ""), loc="left", fontsize=9, color=INK, weight="bold")
    if not lines or panel["type"] == "stat":
        axes.axis("off")
        shown = [f"{legend}  {series.values[-1]:g}" for legend, series in lines.items()] or ["no GPU here"]
        size = 20 if lines else 11
        axes.text(0.5, 0.5, "\n".join(shown), ha="center", va="center", fontsize=size, color=INK if lines else "grey")
        return
    for colour, (legend, series) in zip(COLOURS * 2, sorted(lines.items()), strict=False):
        minutes = [(at - start_s) / 60 for at in series.times_s]
        axes.plot(minutes, [value * scale for value in series.values], color=colour, linewidth=1.3, label=legend)
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, (end_s - start_s) / 60)
    axes.tick_params(labelsize=7, colors=INK, length=0)
    axes.grid(color=GRID, linewidth=0.7)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.legend(fontsize=7, frameon=False, loc="upper left", ncols=3, handlelength=1.0, columnspacing=1.0)


def draw(live: Watched, start_s: float, end_s: float, path: Path) -> None:
    """Draw the whole dashboard to ``path``.

    Raises:
        ValueError: a panel that is not of GPUs has nothing to show.
    """
    dashboard = live.dashboard
    rows = 1 + max(panel["gridPos"]["y"] for panel in dashboard["panels"]) // ROW_HEIGHT
    figure = pyplot.figure(figsize=(15, 1.2 + 2.0 * rows), facecolor="white")
    grid = figure.add_gridspec(rows, COLUMNS, hspace=0.42, wspace=2.2, left=0.03, right=0.99, top=0.935, bottom=0.06)
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        lines = lines_of(live, panel, start_s, end_s)
        if not lines and not is_of_gpus(panel):
            raise ValueError(f"{panel['title']}: Prometheus has nothing to show")
        axes = figure.add_subplot(grid[place["y"] // ROW_HEIGHT, place["x"] : place["x"] + place["w"]])
        draw_panel(axes, panel, lines, start_s, end_s)
    figure.text(0.03, 0.975, dashboard["title"], fontsize=15, color=INK, weight="bold", va="center")
    figure.text(
        0.99,
        0.975,
        f"two Tritons on two shared cores, Envoy, gateway; Prometheus looks every {SCRAPE_S} s; along: minutes",
        fontsize=8,
        color="grey",
        ha="right",
        va="center",
    )
    figure.text(0.03, 0.018, f"Recorded by the chart's rules at the end: {recorded(live)}", fontsize=8, color=INK)
    figure.savefig(path, dpi=100)


def recorded(live: Watched) -> str:
    """What the chart's rules say now, in words."""
    found = ((name.removeprefix("voicestress_"), value) for name in live.records for _, value in live.now(name))
    values = [f"{name} {value:.3g}" for name, value in found]
    alerts = sorted({labels["alertname"] for labels, _ in live.now('ALERTS{alertstate="firing"}')})
    return "   ".join([*values, f"alerts: {', '.join(alerts) or 'none'}"])


def main() -> int:
    """Start, load, draw and stop; about five minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, help="the picture to write")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "models").mkdir()
        with watched(folder, install_cpu_image(folder / "image"), baked_models(folder / "models")) as live:
            draw(live, *put_under_load(live), arguments.path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
