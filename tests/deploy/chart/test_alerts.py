"""Alerts fire for exactly the series they should, by promtool; each has a chapter of the runbook."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.deploy.chart.rendering import render, run
from tests.paths import ROOT


@pytest.fixture
def rules(tmp_path):
    spec = render(*_WATCHED, values="keda").one("PrometheusRule", "")["spec"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(spec))
    return tmp_path / "rules.yaml"


_WATCHED = ("autoscaling.minReplicas=1",)


def alerts(path):
    return [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"] if "alert" in rule]


def test_promtool_accepts_the_rules(rules):
    assert "SUCCESS" in run("promtool", "check", "rules", rules)


def test_every_alert_fires_for_what_it_should_and_nothing_else(rules):
    tests = Path(__file__).with_name("alerts.yaml")
    (rules.parent / "alerts.yaml").write_text(tests.read_text())
    assert "SUCCESS" in run("promtool", "test", "rules", rules.parent / "alerts.yaml")
    for rule in alerts(rules):
        assert rule["alert"] in tests.read_text(), f"no test of {rule['alert']}"


def test_with_no_replica_wanted_none_is_missed(tmp_path):
    rendered = yaml.safe_dump(render(values="keda").one("PrometheusRule", "")["spec"])
    assert "or vector(0)) < 0" in rendered


def test_every_alert_says_what_to_do(rules):
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in (ROOT / "deploy/README.md").read_text().splitlines()
        if line.startswith("#")
    }
    for rule in alerts(rules):
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert page == "deploy/README.md"
        assert anchor == rule["alert"].lower()
        assert anchor in headings, f"deploy/README.md has no chapter for {rule['alert']}"
        assert rule["labels"]["severity"] in ("warning", "critical")


@pytest.mark.parametrize("setting", ["queueMilliseconds=250", "rejectedPercent=5", "failedPercent=7"])
def test_thresholds_are_values(setting):
    name, value = setting.split("=")
    shown = {"queueMilliseconds": "> 0.25", "rejectedPercent": "> 0.05", "failedPercent": "> 0.07"}[name]
    assert shown in render(f"observability.rules.{name}={value}", values="keda").text
