"""Every usual set of values renders on both Helms, and makes what Kubernetes and its extensions accept."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.deploy.chart.rendering import CHART, HELMS, NEWEST, TOOLS, VALUES, render, run

# Image volumes came with 1.31.
KUBERNETES = ("1.30.0", "1.31.0", "1.32.0", "1.33.0", "1.34.0", "1.35.0", "1.36.0", "1.37.0")
WITH_IMAGE_VOLUMES = {"all"}
EXTENSIONS = ("keda.sh", "monitoring.coreos.com", "gateway.networking.k8s.io")
WANTED = {"cpu", "gpu", "mig", "keda", "hpa", "envoy", "grpcroute", "mtls", "canary", "all"}


def test_no_version_since_1_30_is_left_out():
    from kubernetes_validate.utils import all_versions

    known = [each for each in all_versions() if int(each.split(".")[1]) >= 30]
    assert tuple(dict.fromkeys(known)) == KUBERNETES
    assert KUBERNETES[-1] == NEWEST


@pytest.mark.parametrize(("helm", "version"), [("helm3", "v3.17."), ("helm4", "v4.")])
def test_both_helms_are_those_that_people_have(helm, version):
    assert run(TOOLS / "bin" / helm, "version", "--short").startswith(version)


def test_there_are_values_for_every_usual_case():
    assert set(VALUES) == WANTED


@pytest.mark.parametrize("values", VALUES)
def test_it_renders_alike_on_both_helms(values):
    three, four = (render(values=values, helm=helm) for helm in HELMS)
    assert sorted(map(json.dumps, three.manifests)) == sorted(map(json.dumps, four.manifests))


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize("values", VALUES)
def test_lint_finds_nothing(values, helm):
    said = run(TOOLS / "bin" / helm, "lint", "--strict", CHART, "--values", VALUES[values])
    assert "0 chart(s) failed" in said
    assert "[WARNING]" not in said


@pytest.mark.parametrize("kubernetes", KUBERNETES)
@pytest.mark.parametrize("values", VALUES)
def test_kubernetes_accepts_it(values, kubernetes):
    import kubernetes_validate

    if values in WITH_IMAGE_VOLUMES and kubernetes == "1.30.0":
        pytest.skip("this version has no image volumes; that it is said, test_refusals tests")
    checked = 0
    for manifest in render(values=values, kubernetes=kubernetes).manifests:
        if not manifest["apiVersion"].startswith(EXTENSIONS):
            kubernetes_validate.validate(manifest, kubernetes, strict=True)
            checked += 1
    assert checked >= 5


def test_the_makers_of_custom_resources_accept_them():
    custom = {}
    for values in VALUES:
        for manifest in render(values=values).manifests:
            if manifest["apiVersion"].startswith(EXTENSIONS):
                custom[f"{values} {manifest['kind']} {manifest['metadata']['name']}"] = manifest
    lines = "".join(f"{json.dumps(each)}\n" for each in custom.values())
    answers = [json.loads(line) for line in run("node", TOOLS / "node/validate.mjs", stdin=lines).splitlines()]
    assert {manifest["kind"] for manifest in custom.values()} == {
        "ScaledObject",
        "PodMonitor",
        "PrometheusRule",
        "GRPCRoute",
    }
    refused = {name: answer["errors"] for name, answer in zip(custom, answers, strict=True) if answer["errors"]}
    assert not refused


def test_a_wrong_custom_resource_would_be_refused():
    scaled = render(values="keda").of("ScaledObject")[0]
    scaled["spec"]["minReplicaCount"] = "few"
    (answer,) = run("node", TOOLS / "node/validate.mjs", stdin=json.dumps(scaled) + "\n").splitlines()
    assert "minReplicaCount" in json.loads(answer)["errors"][0]


@pytest.mark.parametrize("values", VALUES)
def test_kubectl_reads_it(values):
    # Without a cluster kubectl knows the built-in kinds only, and of them that they can be read and labelled.
    kinds = [each for each in render(values=values).manifests if not each["apiVersion"].startswith(EXTENSIONS)]
    text = "---\n".join(map(yaml.safe_dump, kinds))
    command = ("label", "--local", "--dry-run=client", "--filename", "-", "--output", "name", "checked=yes")
    assert len(run(TOOLS / "bin/kubectl", *command, stdin=text).splitlines()) == len(kinds)


def test_large_numbers_stay_whole():
    # Helm reads numbers as floating point, and would write 1e+09.
    text = render("triton.runAsUser=1000650000", "triton.resources.memoryMi=2000000", values="all").text
    assert "runAsUser: 1000650000" in text
    assert "e+0" not in text
