"""What `helm install` prints: the next three commands, with this release's own names."""

from __future__ import annotations

import re

import pytest

from tests.deploy.chart.rendering import CHART, NAME, NAMESPACE, RELEASE, TOOLS, VALUES, render, run


def notes(values):
    # Helm 4 prints them without a cluster; Helm 3 would ask one for its version.
    options = ("--namespace", NAMESPACE, "--values", VALUES[values], "--dry-run=client")
    said = run(TOOLS / "bin/helm4", "install", RELEASE, CHART, *options)
    return said.partition("NOTES:")[2]


@pytest.mark.parametrize("values", ["cpu", "gpu", "mig"])
def test_the_next_three_commands_are_told(values):
    said = notes(values)
    assert re.findall(r"^  (\d)\. ", said, re.MULTILINE) == ["1", "2", "3"]
    names = {each["metadata"]["name"] for each in render(values=values).manifests}
    for kind, named in re.findall(r"\b(deployment|service)/(\S+)", said):
        assert named in names, f"{kind}/{named}"
    assert f"helm -n {NAMESPACE} test {RELEASE} --logs" in said
    if values == "gpu":
        assert "https://stress.example/v1/analyses" in said
    if values == "mig":
        assert f"--url dns:///{NAME}-triton.{NAMESPACE}.svc:8001" in said
