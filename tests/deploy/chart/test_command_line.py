"""Triton, started by the very command line that the chart renders: mutual TLS, dangerous APIs restricted."""

from __future__ import annotations

import grpc
import pytest
import trustme
from tritonclient.grpc import service_pb2, service_pb2_grpc
from voicestress import StressClient, Tls, Unauthorized, Unavailable

from tests.deploy.chart.rendering import render
from tests.deploy.chart.servers import http_status
from tests.paths import JFK_WAV

DEADLINE_S = 5.0
LEVEL = 13.2


@pytest.fixture
def secrets(tmp_path):
    """Two Secrets as cert-manager makes them, of one authority, and a client's of another."""
    authority = trustme.CA()
    made = {
        "server": (authority, "speech-voicestress-triton.stress.svc"),
        "client": (authority, "client.example"),
        "stranger": (trustme.CA(), "client.example"),
    }
    for name, (issuer, host) in made.items():
        folder = tmp_path / name
        folder.mkdir()
        certificate = issuer.issue_cert(host)
        certificate.private_key_pem.write_to_path(folder / "tls.key")
        certificate.cert_chain_pems[0].write_to_path(folder / "tls.crt")
        authority.cert_pem.write_to_path(folder / "ca.crt")
    return tmp_path


def tls(folder, **given):
    files = {"ca": folder / "ca.crt", "certificate": folder / "tls.crt", "key": folder / "tls.key"}
    return Tls(**{**files, "server_name": "speech-voicestress-triton.stress.svc", **given})


def analyze(triton, **settings):
    with StressClient(triton.url, deadline_s=DEADLINE_S, **settings) as client:
        return client.analyze(JFK_WAV)


def test_it_scores_a_recording_through_mutual_tls_and_refuses_who_has_no_certificate(start, secrets):
    triton = start(render(values="mtls"), {"/etc/voicestress/tls": secrets / "server"})
    triton.await_ready()
    report = analyze(triton, tls=tls(secrets / "client"))
    assert report.stress_level == pytest.approx(LEVEL, abs=0.1)
    assert_restricted(triton, channel_with_certificate(triton, secrets))

    refusals = {
        "no TLS": {},
        "no certificate": {"tls": tls(secrets / "client", certificate=None, key=None)},
        "another authority's certificate": {"tls": tls(secrets / "stranger")},
    }
    for settings in refusals.values():
        with pytest.raises((Unauthorized, Unavailable)):
            analyze(triton, **settings)


RESTRICTED = {
    "model control": ("RepositoryModelUnload", service_pb2.RepositoryModelUnloadRequest(model_name="stress")),
    "loading": ("RepositoryModelLoad", service_pb2.RepositoryModelLoadRequest(model_name="stress_torchscript")),
    "its index": ("RepositoryIndex", service_pb2.RepositoryIndexRequest()),
    "shared memory": (
        "SystemSharedMemoryRegister",
        service_pb2.SystemSharedMemoryRegisterRequest(name="mine", key="/other", byte_size=8),
    ),
    "tracing": ("TraceSetting", service_pb2.TraceSettingRequest()),
    "logging": ("LogSettings", service_pb2.LogSettingsRequest()),
}


def channel_with_certificate(triton, secrets):
    names = ("ca.crt", "tls.key", "tls.crt")
    credentials = grpc.ssl_channel_credentials(*((secrets / "client" / each).read_bytes() for each in names))
    named = [("grpc.ssl_target_name_override", "speech-voicestress-triton.stress.svc")]
    return grpc.secure_channel(triton.url, credentials, named)


def assert_restricted(triton, opened):
    with opened as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        for what, (method, request) in RESTRICTED.items():
            with pytest.raises(grpc.RpcError) as refused:
                getattr(stub, method)(request, timeout=DEADLINE_S)
            assert "restricted" in refused.value.details(), what
        key = [("triton-grpc-protocol-admin-key", triton.admin_key)]
        assert stub.RepositoryIndex(service_pb2.RepositoryIndexRequest(), metadata=key).models


@pytest.mark.parametrize("control", ["none", "explicit"])
def test_dangerous_apis_are_restricted_and_http_answers_health_only(start, control):
    triton = start(render(*['triton.models=["stress"]'] if control == "explicit" else []))
    triton.await_ready()
    assert f"--model-control-mode={control}" in triton.container["args"]
    assert_restricted(triton, grpc.insecure_channel(triton.url))
    assert analyze(triton).windows, "after all that, the model is still there"

    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert http_status(triton.http + triton.container[probe]["httpGet"]["path"]) == 200
    for path in (
        "/v2",
        "/v2/models/stress",
        "/v2/models/stress/config",
        "/v2/models/stats",
        "/v2/systemsharedmemory/status",
    ):
        assert http_status(triton.http + path) == 403, path


def test_connections_end_of_age_unless_it_is_turned_off():
    assert "--grpc-max-connection-age=30000" in render().triton()["args"]
    without = render('balancing.kind="envoy"', "triton.maxConnectionAgeSeconds=0").triton()["args"]
    assert not [each for each in without if each.startswith("--grpc-max-connection-age")]


def test_a_connection_ends_of_age_and_no_request_with_it(start):
    triton = start(render("triton.maxConnectionAgeSeconds=1"))
    triton.await_ready()
    with grpc.insecure_channel(triton.url) as channel:
        states = []
        channel.subscribe(states.append)
        with StressClient(triton.url) as client:
            service_pb2_grpc.GRPCInferenceServiceStub(channel).ServerLive(service_pb2.ServerLiveRequest())
            for _ in range(20):
                client.analyze(JFK_WAV)
        assert grpc.ChannelConnectivity.IDLE in states


def test_it_listens_where_the_manifest_says():
    container = render().triton()
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for name, port in ports.items():
        assert f"--{name}-port={port}" in container["args"]


def test_a_variant_that_is_not_there_is_no_reason_to_fail(start):
    triton = start(render('triton.configVariant="tuned"'))
    triton.await_ready()
    assert analyze(triton).windows
