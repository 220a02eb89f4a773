"""Renders the chart with a real Helm, and reads what came of it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.paths import ROOT

CHART = ROOT / "deploy/helm/voicestress"
TOOLS = ROOT / ".venv/chart"
HELMS = ("helm3", "helm4")
VALUES = {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))}
RELEASE, NAMESPACE = "speech", "stress"
NAME = "speech-voicestress"
NEWEST = "1.37.0"
Manifest = dict[str, Any]


class RenderError(Exception):
    """Helm refused; the message is its own."""


@dataclass(frozen=True)
class Rendered:
    """What a release consists of."""

    text: str

    @property
    def manifests(self) -> list[Manifest]:
        return [each for each in yaml.safe_load_all(self.text) if each]

    def of(self, kind: str, name: str | None = None) -> list[Manifest]:
        """The manifests of a kind, by the end of their name if one is given."""
        found = [each for each in self.manifests if each["kind"] == kind]
        return found if name is None else [each for each in found if each["metadata"]["name"].endswith(name)]

    def one(self, kind: str, name: str) -> Manifest:
        (found,) = self.of(kind, name)
        return found

    def triton(self, track: str = "") -> Manifest:
        """The container of Triton."""
        pod = self.one("Deployment", f"-triton{track}")["spec"]["template"]["spec"]
        return pod["containers"][0]


def render(*settings: str, values: str | None = "cpu", helm: str = "helm4", kubernetes: str = NEWEST) -> Rendered:
    """The chart with a values file of its ci folder and ``--set-json`` settings, such as ``triton.replicas=1``.

    Raises:
        RenderError: Helm refused.
    """
    return _render(settings, values, helm, kubernetes)


@cache
def _render(settings: tuple[str, ...], values: str | None, helm: str, kubernetes: str) -> Rendered:
    command = [TOOLS / "bin" / helm, "template", RELEASE, CHART, "--namespace", NAMESPACE, "--kube-version", kubernetes]
    if values is not None:
        command += ["--values", VALUES[values]]
    for setting in settings:
        command += ["--set-json", setting]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RenderError(done.stderr)
    return Rendered(done.stdout)


def run(*command: str | Path, stdin: str | None = None, environment: dict[str, str] | None = None) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
