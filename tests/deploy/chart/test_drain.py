"""A replica is ended as Kubernetes ends it by the chart's orders, under load, and no request fails."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import ExitStack

import grpc
import numpy as np
import pytest
import soundfile
from tritonclient.grpc import service_pb2, service_pb2_grpc

from tests.deploy.chart.headless import HeadlessName
from tests.deploy.chart.rendering import NAME, NAMESPACE, render
from tests.deploy.chart.servers import free_port
from tests.paths import JFK_WAV

CALLERS = 6
# The wheel's Triton, 2.51, was seen to abort once all was answered and unloaded, while it tears itself down.
ENDS = (0, -signal.SIGABRT)
ADDRESSES = ("127.0.8.1", "127.0.8.2")
# The chart's times, each shorter, and in the proportions that it insists on.
SETTINGS = (
    "triton.maxConnectionAgeSeconds=2",
    'triton.drain={"preStopSleepSeconds":8,"exitTimeoutSeconds":10,"terminationGracePeriodSeconds":28}',
)


@pytest.fixture(scope="module")
def request_of_a_window():
    pcm = soundfile.read(JFK_WAV, dtype="int16")[0][:64_000]
    wanted = service_pb2.ModelInferRequest(model_name="stress", raw_input_contents=[pcm.tobytes()])
    wanted.inputs.add(name="PCM", datatype="INT16", shape=[1, pcm.size])
    return wanted


def drain_of(rendered):
    pod = rendered.one("Deployment", "-triton")["spec"]["template"]["spec"]
    sleep_s = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    return sleep_s, pod["terminationGracePeriodSeconds"]


class Callers:
    """Plain gRPC, as any language has it: a name, round_robin, no second try.

    But for what no server has seen, which gRPC sends again by itself: a request that meets the end of its connection.
    """

    def __init__(self, target, request, options):
        self.answered, self.failures = 0, []
        self._over = threading.Event()
        self._channel = grpc.insecure_channel(target, options)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._threads = [threading.Thread(target=self._call, args=(request,)) for _ in range(CALLERS)]

    def _call(self, request):
        while not self._over.is_set():
            try:
                answer = self._stub.ModelInfer(request, timeout=20)
                assert np.isfinite(np.frombuffer(answer.raw_output_contents[0], np.float32)).all()
                self.answered += 1
            except grpc.RpcError as error:
                self.failures.append((time.monotonic(), error.code(), error.details()))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join(30)
        self._channel.close()


@pytest.mark.timeout(120)
def test_no_request_fails_while_a_replica_is_drained(start, request_of_a_window):
    rendered = render(*SETTINGS)
    sleep_s, grace_s = drain_of(rendered)
    port = free_port()
    with ExitStack() as running:
        replicas = [start(rendered, address=each, grpc_port=port) for each in ADDRESSES]
        for replica in replicas:
            replica.await_ready()
        name = running.enter_context(HeadlessName(list(ADDRESSES)))
        target = f"dns://127.0.0.1:{name.port}/{NAME}-triton.{NAMESPACE}.svc:{port}"
        options = [
            ("grpc.lb_policy_name", "round_robin"),
            ("grpc.dns_min_time_between_resolutions_ms", 1_000),
        ]
        callers = running.enter_context(Callers(target, request_of_a_window, options))
        time.sleep(3)
        assert callers.answered > 0

        leaving = replicas[0]
        deleted_s = time.monotonic()
        name.addresses.remove(leaving.address)  # its endpoint goes as soon as the pod is to be ended
        time.sleep(sleep_s)  # preStop
        assert not callers.failures, callers.failures
        leaving.send(signal.SIGTERM)
        assert leaving.wait(grace_s - sleep_s) in ENDS
        assert time.monotonic() - deleted_s < grace_s, "Kubernetes would have killed it"

        before = callers.answered
        time.sleep(2)
        assert callers.answered > before
    assert not callers.failures, callers.failures


@pytest.mark.timeout(90)
def test_what_is_in_flight_at_sigterm_is_answered(start, request_of_a_window):
    triton = start(render(*SETTINGS))
    triton.await_ready()
    with grpc.insecure_channel(triton.url) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        stub.ModelInfer(request_of_a_window, timeout=20)
        calls = [stub.ModelInfer.future(request_of_a_window, timeout=30) for _ in range(60)]
        # All of them have reached it once it says how many it has.
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            counts = [
                line for line in triton.metrics.splitlines() if line.startswith("nv_inference_pending_request_count{")
            ]
            if counts and sum(float(line.rpartition(" ")[2]) for line in counts) > 0:
                break
        time.sleep(0.2)
        triton.send(signal.SIGTERM)
        answers = [call.result() for call in calls]
    assert len(answers) == 60
    assert triton.wait(25) in ENDS
