"""A Triton of known speed: one server, first come, first served, ``--service-ms`` for each window, whatever its length.

It speaks Triton's protocol and has a stress model's contract. ``--stall-at N --stall-s S``: with its N-th request it
stands still for so long. ``--plain``: its model is no stress model. It prints its port.
"""

from __future__ import annotations

import argparse
import asyncio
import struct
import sys
import time

import grpc
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc as service
from voicestress.contract import INPUT_NAME, OUTPUT_NAME, StressContract

_AWAKE_S = 0.0015  # a sleeping process wakes up to a millisecond late
_LOGITS = struct.pack("<3f", 0.0, 1.0, 2.0)


class Stub(service.GRPCInferenceServiceServicer):
    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        self.free_at = 0.0
        self.requests = 0

    async def ModelConfig(self, request, context):  # noqa: N802 - Triton's name
        if request.name != "stress":
            await context.abort(grpc.StatusCode.NOT_FOUND, f"Request for unknown model: '{request.name}' is not found")
        config = pb.ModelConfigResponse().config
        config.name = request.name
        config.input.add(name=INPUT_NAME, dims=[-1], allow_ragged_batch=True)
        config.output.add(name=OUTPUT_NAME, dims=[3])
        if not self.asked.plain:
            contract = StressContract(checkpoint="stub", weights="trained")
            for key, text in contract.to_parameters().items():
                config.parameters[key].string_value = text
        return pb.ModelConfigResponse(config=config)

    async def ModelInfer(self, request, context):  # noqa: N802 - Triton's name
        now = time.monotonic()
        self.requests += 1
        if self.asked.service_ms or self.requests == self.asked.stall_at:
            self.free_at = max(self.free_at, now) + self.asked.service_ms / 1000.0
            if self.requests == self.asked.stall_at:
                self.free_at += self.asked.stall_s
            await self.until(self.free_at)
        response = pb.ModelInferResponse(model_name="stress", model_version="7", raw_output_contents=[_LOGITS])
        response.outputs.add(name=OUTPUT_NAME, datatype="FP32", shape=[1, 3])
        return response

    async def until(self, at: float) -> None:
        while (left_s := at - time.monotonic()) > 0:
            await asyncio.sleep(left_s - _AWAKE_S if left_s > _AWAKE_S else 0)


async def serve(asked: argparse.Namespace) -> None:
    server = grpc.aio.server()
    service.add_GRPCInferenceServiceServicer_to_server(Stub(asked), server)
    sys.stdout.write(f"{server.add_insecure_port('127.0.0.1:0')}\n")
    await server.start()
    sys.stdout.flush()
    await server.wait_for_termination()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--service-ms", type=float, default=0.0)
    parser.add_argument("--stall-at", type=int, default=0)
    parser.add_argument("--stall-s", type=float, default=2.0)
    parser.add_argument("--plain", action="store_true")
    asyncio.run(serve(parser.parse_args()))
