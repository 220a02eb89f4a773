"""A gRPC server between a client and a Triton, which sees every request and can be told to fail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc


class Relay(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Passes requests on to a Triton, but the first ``failures`` of them fail with ``error``.

    Args:
        triton: the real one.
        failures: how many windows fail.
        error: with what status and message.
        delay_s: how long each window takes in any case, in seconds.
    """

    def __init__(
        self,
        triton: service_pb2_grpc.GRPCInferenceServiceStub,
        *,
        failures: int = 0,
        error: tuple[grpc.StatusCode, str] = (grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size"),
        delay_s: float = 0.0,
    ) -> None:
        self.windows: list[service_pb2.ModelInferRequest] = []
        self._triton, self._failures, self._error, self._delay_s = triton, failures, error, delay_s

    def ModelConfig(  # noqa: N802 - the protocol's name
        self, request: service_pb2.ModelConfigRequest, context: grpc.ServicerContext
    ) -> service_pb2.ModelConfigResponse:
        return self._triton.ModelConfig(request, timeout=60)

    def ModelInfer(  # noqa: N802 - the protocol's name
        self, request: service_pb2.ModelInferRequest, context: grpc.ServicerContext
    ) -> service_pb2.ModelInferResponse:
        self.windows.append(request)
        time.sleep(self._delay_s)
        if len(self.windows) <= self._failures:
            context.abort(*self._error)
        return self._triton.ModelInfer(request, timeout=60)


class _TokenCheck(grpc.ServerInterceptor):
    def __init__(self, token: str) -> None:
        self._wanted = ("authorization", f"Bearer {token}")

    def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        if self._wanted in details.invocation_metadata:
            return continuation(details)
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token has expired")
        )


@contextmanager
def serving(
    relay: Relay, *, credentials: grpc.ServerCredentials | None = None, token: str | None = None
) -> Iterator[str]:
    """The address of ``relay``, which serves until the block ends; with TLS and for holders of a token, if given."""
    server = grpc.server(ThreadPoolExecutor(16), interceptors=[] if token is None else [_TokenCheck(token)])
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(relay, server)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=0).wait()
