"""Load for the dashboard: people who send recordings to the gateway, and bursts that no queue holds."""

from __future__ import annotations

import math
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from types import TracebackType

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from tests.paths import JFK_WAV

MOST = 12
STREAMS = 200  # of one connection; Envoy allows 256
WINDOW_BYTES = 32_000  # a second of 16-bit audio at 16 kHz


class Callers:
    """``count`` people who send one recording after another to the gateway; it may be changed. In a ``with`` block."""

    def __init__(self, gateway_url: str, count: int) -> None:
        self.count = count
        self.scored = 0
        self._over = threading.Event()
        self._asked = urllib.request.Request(
            f"{gateway_url}/v1/analyses", JFK_WAV.read_bytes(), {"Content-Type": "audio/wav"}
        )
        self._threads = [threading.Thread(target=self._call, args=(number,)) for number in range(MOST)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def _call(self, number: int) -> None:
        while not self._over.is_set():
            if number >= self.count:
                time.sleep(0.2)
                continue
            try:
                with urllib.request.urlopen(self._asked, timeout=60):
                    self.scored += 1
            except urllib.error.HTTPError:  # turned away: the dashboard counts them
                time.sleep(0.5)


def burst(grpc_url: str, windows: int) -> int:
    """Ask for ``windows`` windows of a second at once, and return how many were turned away."""
    wanted = service_pb2.ModelInferRequest(model_name="stress", raw_input_contents=[bytes(WINDOW_BYTES)])
    wanted.inputs.add(name="PCM", datatype="INT16", shape=[1, WINDOW_BYTES // 2])
    with ExitStack() as opened:
        stubs = []
        for _ in range(math.ceil(windows / STREAMS)):
            channel = grpc.insecure_channel(grpc_url, [("grpc.use_local_subchannel_pool", 1)])
            stubs.append(service_pb2_grpc.GRPCInferenceServiceStub(opened.enter_context(channel)))
        calls = [stubs[number // STREAMS].ModelInfer.future(wanted, timeout=60) for number in range(windows)]
        return sum(call.exception() is not None for call in calls)
