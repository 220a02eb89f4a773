"""Wrong values are refused by both Helms, with a message that says what to do."""

from __future__ import annotations

import pytest

from tests.deploy.chart.rendering import HELMS, RenderError, render

# settings on top of which values file, and words of the way out
REFUSED = {
    "a grace that drain does not fit in": (
        "cpu",
        ["triton.drain.terminationGracePeriodSeconds=84"],
        "Set it to at least 85",
    ),
    "a sleep shorter than connections live": ("cpu", ["triton.drain.preStopSleepSeconds=30"], "at least 38"),
    "connections that never end": ("cpu", ["triton.maxConnectionAgeSeconds=0"], "balancing.kind envoy"),
    "a GPU's variant without a GPU": ("cpu", ['triton.configVariant="gpu"'], 'triton.configVariant to ""'),
    "two MIG devices": ("mig", ["triton.gpu.count=2"], "raise triton.replicas"),
    "a rollout that can't move": ("cpu", ["triton.rollout.maxSurge=0"], "maxUnavailable to 1"),
    "one replica taken away first": ("mig", ["triton.replicas=1"], "Set triton.replicas to 2"),
    "an argument of the chart's own": ("cpu", ['triton.extraArgs=["--grpc-port=1"]'], "leave it out"),
    "a claim without a name": (
        "cpu",
        ['triton.modelRepository.kind="pvc"'],
        "set triton.modelRepository.pvc.claimName",
    ),
    "a bucket without an address": ("cpu", ['triton.modelRepository.kind="s3"'], "set triton.modelRepository.s3.url"),
    "a canary's claim without a name": (
        "canary",
        ['triton.canary.modelRepository={"kind":"pvc"}'],
        "set triton.canary.modelRepository.pvc.claimName",
    ),
    "a canary without a route": ("cpu", ["triton.canary.enabled=true"], "needs balancing.kind grpcRoute"),
    "a route without a Gateway": ("grpcroute", ["balancing.grpcRoute.parentRefs=[]"], "name the Gateway"),
    "mutual TLS behind a route": (
        "grpcroute",
        ['mtls={"enabled":true,"serverSecretName":"a","clientSecretName":"b"}'],
        "End mutual TLS at your Gateway",
    ),
    "mutual TLS without certificates": ("mtls", ['mtls.clientSecretName=""'], "in mtls.clientSecretName"),
    "zero replicas and an HPA": ("hpa", ["autoscaling.minReplicas=0"], "set it to 1"),
    "zero replicas and nobody to wake one": (
        "keda",
        ["autoscaling.keda.wakeTriggers=[]"],
        "wakeTriggers something else",
    ),
    "zero replicas and only Triton to wake one": (
        "keda",
        ['autoscaling.keda.wakeTriggers=[{"type":"prometheus","metadata":{"query":"sum(nv_inference_count)"}}]'],
        "Add one of something else",
    ),
    "zero replicas and only what is recorded of Triton to wake one": (
        "keda",
        ['autoscaling.keda.wakeTriggers=[{"type":"prometheus","metadata":{"query":"voicestress_pending_requests"}}]'],
        "Add one of something else",
    ),
    "an address without a port": ("cpu", ['client.url="dns:///triton.example"'], "client"),
    "KEDA without Prometheus": ("keda", ['autoscaling.keda.prometheusUrl=""'], "set autoscaling.keda.prometheusUrl"),
    "more replicas at least than at most": ("hpa", ["autoscaling.minReplicas=9"], "raise maxReplicas"),
    "a gateway without keys": ("cpu", ['gateway.keys.secretName=""'], "voicestress gateway-key"),
    "keys, and none": ("cpu", ["gateway.keys.none=true"], "contradict"),
    "a gateway killed while it drains": ("cpu", ["gateway.terminationGracePeriodSeconds=80"], "at least 85"),
    "a gateway's setting of the chart's own": ("cpu", ['gateway.settings={"PORT":"1"}'], "leave it out"),
    "an ingress without a host": ("cpu", ["gateway.ingress.enabled=true"], "set gateway.ingress.host"),
    "an archive that is nowhere": ("cpu", ["archive.enabled=true"], "say in archive.source"),
    "results that are nowhere": ("all", ['archive.resultsClaimName=""'], "archive.resultsClaimName"),
    "an archive that is not mounted": ("all", ['archive.sourceClaimName=""'], "archive.sourceClaimName"),
    "an unknown value": ("cpu", ["triton.replica=1"], "replica"),
    "an unknown way to share out": ("cpu", ['balancing.kind="both"'], "headless"),
    "HPA and KEDA": ("hpa", ['autoscaling.kind=["hpa","keda"]'], "autoscaling"),
    "a number in words": ("cpu", ['triton.replicas="two"'], "integer"),
    "a weight over all": ("canary", ["triton.canary.weight=101"], "100"),
}


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_and_the_way_out_is_named(case, helm):
    values, settings, way_out = REFUSED[case]
    with pytest.raises(RenderError) as refused:
        render(*settings, values=values, helm=helm)
    assert way_out in str(refused.value)


@pytest.mark.parametrize("helm", HELMS)
def test_image_volumes_are_refused_where_kubernetes_has_none(helm):
    with pytest.raises(RenderError, match=r"came with 1\.31\. Use init"):
        render(values="all", kubernetes="1.30.0", helm=helm)


@pytest.mark.parametrize("helm", HELMS)
def test_an_old_kubernetes_is_refused(helm):
    with pytest.raises(RenderError, match=r"1\.30"):
        render(values="cpu", kubernetes="1.29.0", helm=helm)
