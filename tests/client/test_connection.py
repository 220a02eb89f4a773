"""TLS, tokens and names: what is right gets through, what is wrong is named, and soon."""

from __future__ import annotations

import contextlib
import time

import grpc
import pytest
import trustme
from tritonclient.grpc import service_pb2, service_pb2_grpc
from voicestress import ServiceError, StressClient, Tls, Unauthorized, Unavailable
from voicestress.commands.connecting import add_connection_arguments, settings_of
from voicestress.connection import channel_options

from tests.client.test_client import closed_port
from tests.paths import JFK_WAV
from tests.relay import Relay, serving

SOON_S = 2.0
DEADLINE_S = 3.0


@pytest.fixture(scope="module")
def relay(server):
    """A server in front of the session's Triton, to be dressed in TLS and asked for tokens."""
    with grpc.insecure_channel(server.url) as channel:
        yield Relay(service_pb2_grpc.GRPCInferenceServiceStub(channel))


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def files(authority, tmp_path):
    """Certificates on disk: the authority's, the client's own with its key, and one of another authority."""
    own, other = authority.issue_cert("client.example"), trustme.CA().issue_cert("client.example")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other-ca.pem")
    for name, certificate in {"own": own, "other": other}.items():
        certificate.private_key_pem.write_to_path(tmp_path / f"{name}.key")
        certificate.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
    return tmp_path


def credentials(authority, *, name="127.0.0.1", mutual=False):
    certificate = authority.issue_cert(name)
    return grpc.ssl_server_credentials(
        [(certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())],
        root_certificates=authority.cert_pem.bytes() if mutual else None,
        require_client_auth=mutual,
    )


def analyze(url, **settings):
    with StressClient(url, model="group_norm", deadline_s=DEADLINE_S, **settings) as client:
        return client.analyze(JFK_WAV)


def refused(error, url, **settings):
    start = time.monotonic()
    with pytest.raises(error) as raised:
        analyze(url, **settings)
    assert time.monotonic() - start < DEADLINE_S + SOON_S
    return str(raised.value)


def test_tls(relay, authority, files, client):
    with serving(relay, credentials=credentials(authority)) as url:
        report = analyze(url, tls=Tls(ca=files / "ca.pem"))
        assert report.stress_level == pytest.approx(client.analyze(JFK_WAV).stress_level, abs=1e-3)


def test_a_server_of_another_authority_is_refused_at_once(relay, authority, files):
    with serving(relay, credentials=credentials(authority)) as url:
        start = time.monotonic()
        assert "certificate" in refused(Unauthorized, url, tls=Tls(ca=files / "other-ca.pem"))
        assert time.monotonic() - start < SOON_S


def test_a_certificate_for_another_name_is_refused_unless_it_is_expected(relay, authority, files):
    with serving(relay, credentials=credentials(authority, name="stress.example")) as url:
        refused((Unauthorized, Unavailable), url, tls=Tls(ca=files / "ca.pem"))
        assert analyze(url, tls=Tls(ca=files / "ca.pem", server_name="stress.example"))


def test_mutual_tls(relay, authority, files):
    ca = files / "ca.pem"
    with serving(relay, credentials=credentials(authority, mutual=True)) as url:
        assert analyze(url, tls=Tls(ca, files / "own.pem", files / "own.key"))
        refused((Unauthorized, Unavailable), url, tls=Tls(ca))
        refused((Unauthorized, Unavailable), url, tls=Tls(ca, files / "other.pem", files / "other.key"))


def test_tls_on_one_side_only(relay, authority, files):
    with serving(relay, credentials=credentials(authority)) as url:
        refused((Unauthorized, Unavailable), url)
    with serving(relay) as url:
        refused(Unauthorized, url, tls=Tls(ca=files / "ca.pem"))


def test_a_token_is_sent_and_an_expired_one_is_named_at_once(relay):
    with serving(relay, token="valid") as url:
        assert analyze(url, token="valid")
        start = time.monotonic()
        assert "the token has expired" in refused(Unauthorized, url, token="old")
        refused(Unauthorized, url)
        assert time.monotonic() - start < SOON_S


def test_a_token_that_changes_is_asked_for_each_time(relay):
    tokens = iter(["valid", *["old"] * 50])
    with serving(relay, token="valid") as url:
        refused(Unauthorized, url, token=lambda: next(tokens))


def test_a_token_may_end_in_a_newline_as_files_do(relay):
    with serving(relay, token="valid") as url:
        assert analyze(url, token="valid\n")


@pytest.mark.parametrize("token", ["", "  ", "two\nlines", "süß"])
def test_what_is_no_token_is_named(relay, token):
    with serving(relay, token="valid") as url:
        assert "token" in refused(Unauthorized, url, token=token)


def test_a_connection_that_is_lost_in_the_handshake_is_tried_again(relay, authority, files):
    """A pod that restarts, or a proxy whose backend is away."""
    import socket
    import threading

    with socket.socket() as rude:
        rude.bind(("127.0.0.1", 0))
        rude.listen()

        def hang_up():
            with contextlib.suppress(OSError):
                while True:
                    rude.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        refused(Unavailable, f"127.0.0.1:{rude.getsockname()[1]}", tls=Tls(ca=files / "ca.pem"))
        rude.shutdown(socket.SHUT_RDWR)


class Counting(Relay):
    """A relay that knows who asked."""

    def __init__(self, stub):
        super().__init__(stub)
        self.peers = set()

    def ModelInfer(self, request, context):  # noqa: N802 - the protocol's name
        self.peers.add(context.peer())
        return super().ModelInfer(request, context)


def test_all_addresses_of_a_name_are_used_in_turn(server):
    """Of a name with several, as a resolver would give them: gRPC alone would stay with the first."""
    with grpc.insecure_channel(server.url) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        relays = [Relay(stub), Relay(stub)]
        with (
            serving(relays[0]) as first,
            serving(relays[1]) as second,
            grpc.insecure_channel(f"ipv4:{first},{second}", options=channel_options(None)) as balanced,
        ):
            balanced_stub = service_pb2_grpc.GRPCInferenceServiceStub(balanced)
            asking = service_pb2.ModelConfigRequest(name="group_norm")
            balanced_stub.ModelConfig(asking, timeout=10, wait_for_ready=True)
            time.sleep(0.5)  # until both are connected
            request = service_pb2.ModelInferRequest(model_name="group_norm")
            for _ in range(20):
                with contextlib.suppress(grpc.RpcError):
                    balanced_stub.ModelInfer(request, timeout=10)
    assert [len(relay.windows) for relay in relays] == [10, 10]


def test_a_name_that_does_not_resolve_is_named():
    assert "does not resolve" in refused(Unavailable, "no-such-host.invalid:8001")
    refused(Unavailable, "dns:///no-such-host.invalid:8001")


def test_a_name_with_a_resolver_is_one_server(server, client):
    url = f"dns:///localhost:{server.url.rpartition(':')[2]}"
    assert analyze(url).stress_level == pytest.approx(client.analyze(JFK_WAV).stress_level, abs=1e-3)


def test_several_connections_to_one_server(server):
    with grpc.insecure_channel(server.url) as channel:
        counting = Counting(service_pb2_grpc.GRPCInferenceServiceStub(channel))
        with serving(counting) as url, StressClient(url, model="group_norm", connections=3) as client:
            client.analyze(JFK_WAV)
    assert len(counting.peers) == 3


def test_a_server_that_speaks_no_grpc_is_named(http_server):
    refused((Unavailable, ServiceError), http_server)


@pytest.fixture
def http_server():
    import http.server
    import threading

    class Silent(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{web.server_port}"
        web.shutdown()


def test_files_for_tls_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(ServiceError, match=r"missing\.pem.*can't be read"):
        StressClient("localhost:8001", tls=Tls(ca=tmp_path / "missing.pem"))
    with pytest.raises(ValueError, match="go together"):
        Tls(certificate=tmp_path / "own.pem")


@pytest.mark.parametrize("url", [[], ["localhost:8001", "localhost"], "https://localhost:8001", "dns:///localhost"])
def test_addresses_that_are_none_are_refused(url):
    with pytest.raises(ServiceError, match=r"host:port|at least one"):
        StressClient(url)


def test_no_connections_are_refused():
    with pytest.raises(ValueError, match="connections"):
        StressClient(f"127.0.0.1:{closed_port()}", connections=0)


def test_the_command_line_says_it_all(tmp_path, monkeypatch):
    import argparse

    parser = argparse.ArgumentParser()
    add_connection_arguments(parser)
    monkeypatch.delenv("VOICESTRESS_TOKEN", raising=False)
    assert settings_of(parser.parse_args([])) == {
        "url": "localhost:8001",
        "model": "stress",
        "deadline_s": 30.0,
        "tls": None,
        "token": None,
    }
    (tmp_path / "token").write_text("secret\n")
    given = settings_of(
        parser.parse_args(["--url", "a:1", "--url", "b:2", "--tls-ca", "ca.pem", "--token-file", f"{tmp_path}/token"])
    )
    assert given["url"] == ["a:1", "b:2"]
    assert str(given["tls"].ca) == "ca.pem"
    assert given["token"]() == "secret"
    (tmp_path / "token").write_text("newer")
    assert given["token"]() == "newer"
    monkeypatch.setenv("VOICESTRESS_TOKEN", "of the environment")
    assert settings_of(parser.parse_args(["--tls"]))["token"] == "of the environment"
    assert settings_of(parser.parse_args(["--tls"]))["tls"] == Tls()
