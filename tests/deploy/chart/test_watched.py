"""A real Prometheus watches what really runs, by the chart's monitors and rules: no panel is empty, no alert fires."""

from __future__ import annotations

import math
import time

import pytest

from tests.deploy.chart.calling import Callers
from tests.deploy.chart.draw_dashboard import draw, is_of_gpus, lines_of
from tests.deploy.chart.watched import RATE_WINDOW_S, SCRAPE_S, watched

# What there is none of while nobody is turned away.
MAY_BE_EMPTY = {"gateway: {{reason}}"}


@pytest.mark.timeout(150)
def test_every_panel_and_every_rule_reads_what_is_really_there(tmp_path, cpu_image, models):
    with watched(tmp_path, cpu_image, models) as live:
        start_s = time.time()
        with Callers(live.gateway_url, 3) as callers:
            time.sleep(RATE_WINDOW_S + 2 * SCRAPE_S)
        assert callers.scored > 3
        end_s = time.time()

        for panel in live.dashboard["panels"]:
            for target in panel["targets"]:
                found = live.range(live.expression(target), start_s, end_s)
                what = f"{panel['title']}: {target['legendFormat']}"
                if is_of_gpus(panel):
                    assert not found, what
                elif target["legendFormat"] not in MAY_BE_EMPTY:
                    assert any(map(math.isfinite, (value for each in found for value in each.values))), what
        by_pod = next(each for each in live.dashboard["panels"] if each["title"] == "Pending requests")
        assert set(lines_of(live, by_pod, start_s, end_s)) == {"triton-0", "triton-1"}

        recorded = {name: live.now(name) for name in live.records}
        assert {name: len(found) for name, found in recorded.items()} == dict.fromkeys(recorded, 1)
        ((labels, windows_a_second),) = recorded["voicestress_windows_per_second"]
        assert (labels["release"], labels["namespace"]) == ("speech-voicestress", "stress")
        assert windows_a_second > 0
        assert not live.now("ALERTS"), "a healthy release alarms nobody"

        draw(live, start_s, end_s, tmp_path / "dashboard.png")
        assert (tmp_path / "dashboard.png").stat().st_size > 20_000
