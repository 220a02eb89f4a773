"""Values end where Kubernetes looks for them: where pods run, as whom, what they may reach, and who scales them."""

from __future__ import annotations

import pytest

from tests.deploy.chart.rendering import VALUES, render


def pod_of(values, name="-triton"):
    return render(values=values).one("Deployment", name)["spec"]["template"]["spec"]


def test_triton_runs_where_it_is_told_to():
    pod = pod_of("all")
    assert pod["nodeSelector"] == {"accelerator": "gpu"}
    assert pod["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert "nodeAffinity" in pod["affinity"]
    assert (pod["runtimeClassName"], pod["priorityClassName"]) == ("nvidia", "high")
    assert pod["containers"][0]["resources"]["limits"]["cpu"] == "8"


@pytest.mark.parametrize("values", VALUES)
def test_replicas_are_spread_over_nodes_each_track_by_itself(values):
    for deployment in render(values=values).of("Deployment"):
        (spread,) = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert spread["topologyKey"] == "kubernetes.io/hostname"
        assert spread["labelSelector"] == deployment["spec"]["selector"]


def test_cloud_identities_are_the_accounts_that_the_pods_have():
    account = render(values="gpu").one("ServiceAccount", pod_of("gpu")["serviceAccountName"])
    assert "eks.amazonaws.com/role-arn" in account["metadata"]["annotations"]


@pytest.mark.parametrize("values", VALUES)
def test_every_disruption_budget_covers_pods_that_are_there(values):
    rendered = render(values=values)
    pods = [each["spec"]["template"]["metadata"]["labels"].items() for each in rendered.of("Deployment")]
    budgets = rendered.of("PodDisruptionBudget")
    assert any(budget["metadata"]["name"].endswith("-triton") for budget in budgets)
    for budget in budgets:
        assert budget["spec"]["maxUnavailable"] == 1
        assert any(budget["spec"]["selector"]["matchLabels"].items() <= labels for labels in pods)


def test_an_upgrade_brings_one_before_it_takes_one_unless_gpus_are_scarce():
    def rollout(*settings):
        return render(*settings).one("Deployment", "-triton")["spec"]["strategy"]["rollingUpdate"]

    assert rollout() == {"maxSurge": 1, "maxUnavailable": 0}
    scarce = 'triton.rollout={"maxSurge":0,"maxUnavailable":1}'
    assert rollout(scarce) == {"maxSurge": 0, "maxUnavailable": 1}


def test_the_gateway_has_its_keys_its_own_scaler_and_an_ingress():
    rendered = render(values="all")
    deployment = rendered.one("Deployment", "-gateway")["spec"]
    assert "replicas" not in deployment
    scaler = rendered.one("HorizontalPodAutoscaler", "-gateway")["spec"]
    assert scaler["scaleTargetRef"]["name"] == "voicestress-gateway"
    assert scaler["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 70}
    volumes = {each["name"]: each for each in deployment["template"]["spec"]["volumes"]}
    assert volumes["keys"]["secret"]["secretName"] == "voicestress-keys"
    (mount,) = [
        each for each in deployment["template"]["spec"]["containers"][0]["volumeMounts"] if each["name"] == "keys"
    ]
    assert "subPath" not in mount, "a changed Secret would never get there"
    (rule,) = rendered.one("Ingress", "-gateway")["spec"]["rules"]
    assert rule["host"] == "stress.example"
    assert (
        rule["http"]["paths"][0]["backend"]["service"]["name"]
        == rendered.one("Service", "-gateway")["metadata"]["name"]
    )


def egress(*settings, name="-triton", values="cpu"):
    rules = render(*settings, values=values).one("NetworkPolicy", name)["spec"]["egress"]
    return {port["port"] for rule in rules for port in rule["ports"]}


@pytest.mark.parametrize(
    ("url", "ports"),
    [
        ("s3://bucket/folder", {443}),
        ("s3://https://minio.example:9000/bucket/folder", {443, 9000}),
        ("s3://minio.example:9001/bucket", {443, 9001}),
    ],
)
def test_triton_may_go_where_its_models_are_and_nowhere_else(url, ports):
    identity = {80, 988}
    s3 = f'triton.modelRepository={{"kind":"s3","s3":{{"url":"{url}"}}}}'
    assert egress(s3) == {53} | ports | identity
    assert egress() == {53}


def test_an_archive_in_a_bucket_may_be_read():
    archive = 'archive={"enabled":true,"source":"s3://calls/2026","resultsClaimName":"scores"}'
    assert egress(archive, name="-client") == {53, "grpc", 443, 80, 988}
    assert egress(name="-client") == {53, "grpc"}
    assert egress('client.url="dns:///triton.example:9443"', name="-client") == {53, "grpc", 9443}
