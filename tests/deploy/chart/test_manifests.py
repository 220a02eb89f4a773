"""What a release is made of: enough memory, time to drain, no more rights than needed, and one who scales."""

from __future__ import annotations

import pytest

from tests.deploy.chart.rendering import VALUES, render

EVERY = pytest.mark.parametrize("values", VALUES)


def pods(rendered):
    """The pod specs of everything that runs, by kind and name."""
    for each in rendered.manifests:
        if each["kind"] in ("Deployment", "Job"):
            yield f"{each['kind']} {each['metadata']['name']}", each["spec"]["template"]["spec"]
        elif each["kind"] == "Pod":
            yield f"Pod {each['metadata']['name']}", each["spec"]


@EVERY
def test_every_container_is_confined(values):
    for name, pod in pods(render(values=values)):
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True, name
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"], name


@EVERY
def test_service_accounts_have_no_token(values):
    for account in render(values=values).of("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


def test_shared_memory_counts_into_the_limit():
    rendered = render("triton.resources.memoryMi=1000", "triton.resources.sharedMemoryMi=24")
    assert rendered.triton()["resources"]["limits"]["memory"] == "1024Mi"
    volumes = rendered.one("Deployment", "-triton")["spec"]["template"]["spec"]["volumes"]
    assert {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "24Mi"}} in volumes


@pytest.mark.parametrize(
    ("values", "gpus"), [("cpu", {}), ("gpu", {"nvidia.com/gpu": 1}), ("mig", {"nvidia.com/mig-1g.10gb": 1})]
)
def test_gpus(values, gpus):
    resources = render(values=values).triton()["resources"]
    for part in ("requests", "limits"):
        assert {name: count for name, count in resources[part].items() if "/" in name} == gpus
    assert ("--allow-gpu-metrics=false" in render(values=values).triton()["args"]) is not gpus


@pytest.mark.parametrize(
    ("kind", "settings", "path"),
    [
        ("baked", "{}", "/models"),
        ("pvc", '{"pvc":{"claimName":"models"}}', "/models"),
        ("s3", '{"s3":{"url":"s3://bucket/folder"}}', "s3://bucket/folder"),
        ("gcs", '{"gcs":{"url":"gs://bucket/folder"}}', "gs://bucket/folder"),
        ("oci", '{"oci":{"reference":"registry.example/models:3"}}', "/models"),
        ("init", '{"init":{"image":"registry.example/models:3"}}', "/models"),
    ],
)
def test_where_models_come_from(kind, settings, path):
    rendered = render(f"triton.modelRepository={settings}", f'triton.modelRepository.kind="{kind}"')
    container = rendered.triton()
    pod = rendered.one("Deployment", "-triton")["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert f"--model-repository={path}" in container["args"]
    assert ("models" in mounts) is (kind in ("pvc", "oci", "init"))
    if "models" in mounts:
        assert mounts["models"]["readOnly"] is True
        assert "models" in [volume["name"] for volume in pod["volumes"]]
    assert bool(pod.get("initContainers")) is (kind == "init")


def test_probes_ask_for_readiness_at_once_and_for_life_slowly():
    container = render().triton()
    assert container["startupProbe"]["httpGet"]["path"] == "/v2/health/ready"
    assert container["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"
    assert container["livenessProbe"]["periodSeconds"] > container["readinessProbe"]["periodSeconds"]
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] == 600


@EVERY
def test_grace_covers_sleep_and_exit(values):
    for deployment in render(values=values).of("Deployment", "-triton"):
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        (exit_s,) = (
            int(each.partition("=")[2]) for each in container["args"] if each.startswith("--exit-timeout-secs=")
        )
        assert (
            pod["terminationGracePeriodSeconds"] >= container["lifecycle"]["preStop"]["sleep"]["seconds"] + exit_s + 10
        )


@pytest.mark.parametrize(
    ("values", "scaler"), [("cpu", None), ("hpa", "HorizontalPodAutoscaler"), ("keda", "ScaledObject")]
)
def test_one_scales_and_nobody_else(values, scaler):
    rendered = render(values=values)
    scalers = [
        each["kind"] for kind in ("HorizontalPodAutoscaler", "ScaledObject") for each in rendered.of(kind, "-triton")
    ]
    assert scalers == ([scaler] if scaler else [])
    assert ("replicas" in rendered.one("Deployment", "-triton")["spec"]) is (scaler is None)


def test_both_scalers_go_slowly():
    hpa = render(values="hpa").one("HorizontalPodAutoscaler", "-triton")["spec"]
    keda = render(values="keda").of("ScaledObject")[0]["spec"]
    behaviour = hpa["behavior"]
    assert behaviour == keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behaviour["scaleDown"]["stabilizationWindowSeconds"] == 600
    assert behaviour["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 180}]
    assert {trigger.get("metricType") for trigger in keda["triggers"]} <= {"AverageValue", None}, "KEDA's fallback"


def test_only_grpc_is_reachable():
    for values in VALUES:
        for service in render(values=values).of("Service"):
            assert [port["name"] for port in service["spec"]["ports"]] in (["grpc"], ["http"])
            if service["metadata"]["labels"]["app.kubernetes.io/component"] == "triton":
                assert [port["port"] for port in service["spec"]["ports"]] == [8001]
                assert service["spec"]["clusterIP"] == "None"


@EVERY
def test_network_policies_open_grpc_to_clients_and_metrics_to_monitoring(values):
    policy = render(values=values).one("NetworkPolicy", "-triton")["spec"]
    ports = [port["port"] for rule in policy["ingress"] for port in rule["ports"]]
    assert set(ports) == {"grpc", "metrics"}
    (monitoring,) = [rule for rule in policy["ingress"] if rule["ports"][0]["port"] == "metrics"]
    assert monitoring["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    if values in ("envoy", "all"):
        (grpc,) = [rule for rule in policy["ingress"] if rule["ports"][0]["port"] == "grpc"]
        assert grpc["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "envoy"


@EVERY
def test_whoever_calls_triton_is_let_through(values):
    for each in render(values=values).manifests:
        labels = each["spec"].get("template", {}).get("metadata", {}).get("labels") if "spec" in each else None
        component = each["metadata"]["labels"]["app.kubernetes.io/component"]
        if labels and component in ("gateway", "archive", "load-test"):
            assert labels["voicestress/client"] == "true"


def test_a_canary_gets_its_share_and_its_own_model():
    rendered = render(values="canary")
    (rule,) = rendered.of("GRPCRoute")[0]["spec"]["rules"]
    assert {ref["name"].rpartition("-")[2]: ref["weight"] for ref in rule["backendRefs"]} == {"triton": 95, "canary": 5}
    assert "--model-repository=s3://models/voicestress/1" in rendered.triton()["args"]
    assert "--model-repository=s3://models/voicestress/2" in rendered.triton("-canary")["args"]
    stable, canary = (rendered.one("Deployment", name)["spec"]["selector"] for name in ("-triton", "-triton-canary"))
    assert stable != canary


def test_the_archive_is_scored_in_parts():
    job = render(values="all").one("Job", "-archive")["spec"]
    assert (job["completionMode"], job["completions"], job["parallelism"]) == ("Indexed", 8, 4)
    (container,) = job["template"]["spec"]["containers"]
    assert container["args"][:4] == ["bulk", "/archive/2026", "--out=/results/archive.parquet", "--shard=8"]


def test_every_command_line_is_one_the_command_understands():
    """Arguments of gateway, jobs and helm test, parsed by the very parsers that will read them."""
    import argparse
    from importlib.metadata import entry_points

    commands = {each.name: each.load() for each in entry_points(group="voicestress.commands")}
    seen = set()
    for values in VALUES:
        for _, pod in pods(render(values=values)):
            for container in pod["containers"]:
                if "voicestress-gateway" not in container["image"] or "command" in container:
                    continue
                name, *arguments = container["args"]
                parser = argparse.ArgumentParser(exit_on_error=False)
                commands[name].add_arguments(parser)
                parser.parse_args(arguments)
                seen.add(name)
    assert seen == {"gateway", "analyze", "bulk", "load"}


@EVERY
def test_the_gateway_understands_its_settings(values):
    from argparse import Namespace

    from voicestress_gateway.settings import read_settings

    for deployment in render(values=values).of("Deployment", "-gateway"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        environment = {each["name"]: each["value"] for each in container["env"]}
        settings = read_settings(Namespace(), environment)
        assert settings.port == 8080
        assert settings.drain_s + 10 <= deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        known = {f"VOICESTRESS_GATEWAY_{name.upper()}" for name in vars(settings)}
        assert set(environment) <= known
