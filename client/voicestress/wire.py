"""What goes over the wire, and what its errors mean: shared by every kind of client.

One window is one request: ``PCM`` INT16 [1, samples]. One row of ``LOGITS`` FP32 [1, labels] comes back.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult
from tritonclient.utils import InferenceServerException

from voicestress.contract import INPUT_NAME, OUTPUT_NAME, StressContract
from voicestress.errors import (
    ContractError,
    DeadlineExceeded,
    Overloaded,
    ServiceError,
    StressError,
    Unauthorized,
    Unavailable,
)

Priority = Literal["live", "normal", "archive"]
# Triton's levels, where the model's config has them; a model without them takes all alike.
PRIORITIES: dict[Priority, int] = {"live": 1, "normal": 2, "archive": 3}

# What comes of a request: a result, or what the service's error means.
Answer = InferResult | StressError

_QUEUE_SHARE = 0.9

# A server that is stopping unloads its models before it closes its port.
_UNLOADED = "has no available versions"

# A connection that is lost during the handshake says otherwise, and is worth another try.
_NO_TLS = ("handshake failed", "certificate", "wrong_version_number")

_NO_SUCH_NAME = ("dns resolution failed", "errors resolving")

# Triton answers UNAVAILABLE both when it is full and when it is going away; only the words differ.
_FULL = ("exceeds maximum queue size", "request timeout expired")


def window_input(pcm: npt.NDArray[np.int16]) -> list[InferInput]:
    """The inputs of a request for one window, int16 ``pcm [samples]``."""
    tensor = InferInput(INPUT_NAME, [1, len(pcm)], "INT16")
    tensor.set_data_from_numpy(pcm.reshape(1, -1))
    return [tensor]


def queue_timeout_us(timeout_s: float) -> int:
    """How long a request that is answered within ``timeout_s`` seconds or not at all may queue, in microseconds.

    Nothing is computed for who no longer waits. A little less than the caller's own patience, so that who is late
    because the server is busy hears so from the server.
    """
    return max(1, round(_QUEUE_SHARE * timeout_s * 1e6))


def requested_output() -> list[InferRequestedOutput]:
    """The outputs of a request."""
    return [InferRequestedOutput(OUTPUT_NAME)]


def window_logits(result: InferResult, contract: StressContract) -> npt.NDArray[np.float32]:
    """The logits ``[labels]`` in an answer.

    Raises:
        ServiceError: no finite logit for each label: the server broke its own contract.
    """
    logits = result.as_numpy(OUTPUT_NAME)
    if logits is None or logits.shape != (1, len(contract.labels)) or not np.isfinite(logits).all():
        found = "nothing" if logits is None else f"shape {logits.shape}, {np.isnan(logits).sum()} NaN"
        raise ServiceError(
            f"the model answered a window with {found} where {len(contract.labels)} logits were due; "
            "the model there may have changed: make a new client, and export the model again if it persists"
        )
    return np.asarray(logits[0], dtype=np.float32)


def read_contract(config: Any, *, model: str) -> StressContract:
    """The contract in a ``ModelConfig`` message.

    Raises:
        ContractError: the model is not a stress model, or not one this client can read.
    """
    contract = StressContract.from_parameters(
        {key: value.string_value for key, value in config.parameters.items()}, model=model
    )
    inputs = [(tensor.name, tensor.allow_ragged_batch) for tensor in config.input]
    outputs = [(tensor.name, list(tensor.dims)) for tensor in config.output]
    if inputs != [(INPUT_NAME, True)] or outputs != [(OUTPUT_NAME, [len(contract.labels)])]:
        raise ContractError(
            f"{model}: takes {inputs} and gives {outputs}; a stress model takes one ragged {INPUT_NAME} "
            f"and gives {OUTPUT_NAME} [{len(contract.labels)}]. Serve one made by `voicestress export`."
        )
    return contract


def service_error(error: InferenceServerException, *, url: str, model: str, deadline_s: float) -> StressError:
    """The error of our own that a gRPC error means."""
    status, message = str(error.status() or "").removeprefix("StatusCode."), error.message() or ""
    if status == "DEADLINE_EXCEEDED":
        return DeadlineExceeded(f"{url}: no answer within {deadline_s:g} s; allow more with deadline_s")
    if status in {"UNAVAILABLE", "RESOURCE_EXHAUSTED"} and any(words in message.lower() for words in _FULL):
        return Overloaded(f"{url}: the queue of {model} is full ({message}); retry later, or add replicas")
    if status in {"UNAUTHENTICATED", "PERMISSION_DENIED"}:
        return Unauthorized(f"{url}: the service refuses this client ({message}); check its token and certificate")
    if status == "UNAVAILABLE" and any(words in message.lower() for words in _NO_TLS):
        return Unauthorized(f"{url}: no TLS connection ({message}); check ca, certificate and server_name")
    if status == "UNAVAILABLE" and any(words in message.lower() for words in _NO_SUCH_NAME):
        return Unavailable(f"{url}: the name does not resolve ({message}); check it, and the network")
    if status == "UNAVAILABLE":
        return Unavailable(f"{url}: no Triton answers there ({message}); is it running, and is this its gRPC port?")
    if _UNLOADED in message.lower():
        return Unavailable(f"{url}: {model} is being loaded or unloaded there ({message}); retry later")
    if status in {"NOT_FOUND", "UNIMPLEMENTED"} or "unknown model" in message.lower():
        return ContractError(f"{url}: no stress model {model!r} there ({message})")
    return ServiceError(f"{url}: {model} failed: {message or status}")
