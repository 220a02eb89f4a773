"""Three Tritons behind the chart's own Envoy: even load, one killed and one drained, and no request fails."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager

import grpc
import pytest
import yaml
from tritonclient.grpc import InferenceServerClient, service_pb2, service_pb2_grpc
from voicestress import AsyncStressClient, RetryPolicy, StressClient, StressError
from voicestress_audio import read_recording
from voicestress_triton import TritonServer

from tests.deploy.chart.headless import HeadlessName
from tests.deploy.chart.rendering import TOOLS, render, run
from tests.deploy.chart.servers import Process, envoy_here, free_port, http_status, wait_until
from tests.deploy.chart.test_command_line import tls
from tests.paths import JFK_WAV, MODEL_REPOSITORY

SLEEP_S = 5  # of the chart's 45: Envoy looks names up every 2 s, where clients keep connections for half a minute
ONCE = RetryPolicy(attempts=1)  # what Envoy does not mend, the client must not either


def envoy_config(*settings, values="envoy"):
    return yaml.safe_load(render(*settings, values=values).one("ConfigMap", "-envoy")["data"]["envoy.yaml"])


def test_envoy_accepts_the_configuration_as_it_is(tmp_path):
    for values in ("envoy", "all"):
        (tmp_path / "envoy.yaml").write_text(
            render(values=values)
            .one("ConfigMap", "-envoy")["data"]["envoy.yaml"]
            .replace("/etc/voicestress", str(tmp_path))
        )
        if values == "all":
            make_secrets(tmp_path)
        run(TOOLS / "bin/envoy", "--mode", "validate", "--config-path", tmp_path / "envoy.yaml")


def make_secrets(folder):
    import trustme

    authority = trustme.CA()
    for name, host in {"tls": "stress.example", "client-tls": "client.example"}.items():
        (folder / name).mkdir()
        certificate = authority.issue_cert(host)
        certificate.private_key_pem.write_to_path(folder / name / "tls.key")
        certificate.cert_chain_pems[0].write_to_path(folder / name / "tls.crt")
        authority.cert_pem.write_to_path(folder / name / "ca.crt")


@contextmanager
def envoy(config, name, port, folder):
    """The rendered Envoy, with the rendered arguments, in front of what listens on ``port`` of a name's addresses."""
    ports = envoy_here(config, port=port, dns_port=name.port)
    path = folder / "envoy.yaml"
    path.write_text(yaml.safe_dump(config))
    container = render(values="envoy").one("Deployment", "-envoy")["spec"]["template"]["spec"]["containers"][0]
    arguments = [str(path) if each == "/etc/envoy/envoy.yaml" else each for each in container["args"]]
    assert container["command"] == ["envoy"]
    command = [str(TOOLS / "bin/envoy"), *arguments, "--concurrency", "1"]
    process = Process(command, os.environ, folder / "envoy.log")
    try:

        def is_ready():
            assert process.is_running, process.log.read_text()[-2000:]
            return http_status(f"http://127.0.0.1:{ports['metrics']}/ready") == 200

        wait_until(is_ready, 20, "ready: Envoy")
        yield process, ports
    finally:
        process.stop(seconds=2)


class Callers(threading.Thread):
    """Callers that ask again as soon as they are answered, and never twice."""

    def __init__(self, url, count=12):
        super().__init__()
        self.url, self.count, self.over = url, count, threading.Event()
        self.scored, self.failures = 0, []

    def run(self):
        asyncio.run(self._call())

    async def _call(self):
        async with AsyncStressClient(self.url, deadline_s=20.0, retries=ONCE) as client:
            recording = read_recording(JFK_WAV, **(await client.contract()).window_bounds)

            async def call():
                while not self.over.is_set():
                    try:
                        await client.score(recording)
                        self.scored += 1
                    except StressError as error:
                        self.failures.append(str(error))

            await asyncio.gather(*(call() for _ in range(self.count)))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(timeout=60)


def count(server):
    with InferenceServerClient(server.url) as triton:
        return triton.get_inference_statistics("stress").model_stats[0].inference_count


def shares(servers, seconds):
    before = [count(server) for server in servers]
    time.sleep(seconds)
    counted = [count(server) - old for server, old in zip(servers, before, strict=True)]
    return [each / max(1, sum(counted)) for each in counted]


def in_flight(admin_port, upstreams, samples=80):
    """Requests that Envoy has with each upstream, on average over some eight seconds."""
    sums = Counter()
    for _ in range(samples):
        with urllib.request.urlopen(f"http://127.0.0.1:{admin_port}/clusters", timeout=5) as answer:
            for address, active in re.findall(
                r"^triton::([\d.]+):\d+::rq_active::(\d+)$", answer.read().decode(), re.M
            ):
                sums[address] += int(active)
        time.sleep(0.1)
    return [sums[address] / samples for address in upstreams]


def is_even(counts, within):
    share = sum(counts) / len(counts)
    return share > 0 and all(abs(count - share) <= within * share for count in counts)


ADDRESSES = ("127.0.7.1", "127.0.7.2", "127.0.7.3")


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def tritons(port):
    """Three replicas as Kubernetes has them: each with its own address, and all on one port."""
    servers = [TritonServer(MODEL_REPOSITORY, models=["stress"], address=each, port=port) for each in ADDRESSES]
    try:
        for server in servers:
            server.start()
        yield servers
    finally:
        for server in servers:
            server.stop()


@pytest.fixture
def name(tritons):
    with HeadlessName(list(ADDRESSES)) as answering:
        yield answering


@pytest.mark.timeout(170)
def test_load_is_even_and_no_request_fails_when_one_is_killed_and_one_drained(tritons, name, port, tmp_path):
    with envoy(envoy_config(), name, port, tmp_path) as (_, ports):
        with Callers(f"127.0.0.1:{ports['grpc']}") as callers:
            time.sleep(2)
            # What Envoy evens out is the work that each has before it. How much of it each gets done is up to the two
            # cores that the three share here with whatever else runs: a third each, give or take.
            assert is_even(in_flight(ports["admin"], ADDRESSES), within=0.35)
            assert min(shares(tritons, 8)) > 0.2

            os.kill(tritons[0].pid, signal.SIGKILL)
            time.sleep(5)
            assert not callers.failures, Counter(callers.failures)
            assert is_even(in_flight(ports["admin"], ADDRESSES[1:]), within=0.35)

            # As Kubernetes ends a pod: its address goes first; the chart's preStop sleeps; then comes SIGTERM.
            name.addresses.remove(ADDRESSES[1])
            time.sleep(SLEEP_S)
            before = count(tritons[1])
            time.sleep(1)
            assert count(tritons[1]) == before, "nobody asks it any more"
            tritons[1].stop()
            scored = callers.scored
            time.sleep(3)
            assert callers.scored > scored
        assert not callers.failures, Counter(callers.failures)
        assert not callers.is_alive()
    assert name.questions == {"speech-voicestress-triton.stress.svc"}


def test_more_than_a_window_is_refused_and_so_is_all_that_clients_do_not_need(name, port, tmp_path):
    limit = 262_144
    config = envoy_config(f"balancing.envoy.maxRequestBytes={limit}")
    with envoy(config, name, port, tmp_path) as (_, ports):
        url = f"127.0.0.1:{ports['grpc']}"
        with StressClient(url, retries=ONCE) as client:
            assert client.analyze(JFK_WAV).windows, "a window of up to 8 s fits"
        with grpc.insecure_channel(url) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            with pytest.raises(grpc.RpcError) as refused:
                stub.ModelInfer(service_pb2.ModelInferRequest(raw_input_contents=[bytes(limit + 1)]), timeout=10)
            assert refused.value.code() is not grpc.StatusCode.OK
            assert "413" in refused.value.details() or "Payload Too Large" in refused.value.details()
            with pytest.raises(grpc.RpcError) as refused:
                stub.SystemSharedMemoryStatus(service_pb2.SystemSharedMemoryStatusRequest(), timeout=10)
            assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        metrics = f"http://127.0.0.1:{ports['metrics']}"
        assert http_status(f"{metrics}/metrics") == 200
        assert http_status(f"{metrics}/quitquitquit") == 404, "the admin interface is not reachable"


def test_the_drain_that_the_chart_orders_ends_connections_and_no_request(name, port, tmp_path):
    container = render(values="envoy").one("Deployment", "-envoy")["spec"]["template"]["spec"]["containers"][0]
    shell, option, script = container["lifecycle"]["preStop"]["exec"]["command"]
    with (
        envoy(envoy_config(), name, port, tmp_path) as (process, ports),
        Callers(f"127.0.0.1:{ports['grpc']}", 4) as callers,
    ):
        wait_until(lambda: callers.scored > 0, 20, "scored")
        here = script.replace("/9901", f"/{ports['admin']}").replace("sleep 30", "sleep 2")
        assert here != script
        run(shell, option, here)
        assert process.is_running
        assert not callers.failures


@pytest.mark.timeout(120)
def test_mutual_tls_on_both_sides_of_envoy(start, tmp_path):
    """The server's certificate serves both Services, the client's is what Envoy shows to Triton."""
    make_secrets(tmp_path)
    rendered = render('mtls.serverName="stress.example"', values="mtls")
    triton = start(rendered, {"/etc/voicestress/tls": tmp_path / "tls"})
    triton.await_ready()
    settings = ('mtls={"enabled":true,"serverSecretName":"a","clientSecretName":"b","serverName":"stress.example"}',)
    text = render(*settings, values="envoy").one("ConfigMap", "-envoy")["data"]["envoy.yaml"]
    config = yaml.safe_load(text.replace("/etc/voicestress", str(tmp_path)))
    with HeadlessName(["127.0.0.1"]) as only, envoy(config, only, triton.ports["grpc"], tmp_path) as (_, ports):
        url = f"127.0.0.1:{ports['grpc']}"
        shown = tls(tmp_path / "client-tls", server_name="stress.example")
        with StressClient(url, tls=shown, deadline_s=10.0) as client:
            assert client.analyze(JFK_WAV).windows
        unknown = tls(tmp_path / "client-tls", server_name="stress.example", certificate=None, key=None)
        with StressClient(url, tls=unknown, deadline_s=3.0) as client, pytest.raises(StressError):
            client.analyze(JFK_WAV)
