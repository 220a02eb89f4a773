"""What every Python-based backend of ours does with Triton's objects; an engine only brings a session's ``run``.

Importable in a model instance's process only, where Triton provides ``triton_python_backend_utils``.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

from voicestress_triton.ragged import Array, BatchPlan, RowCountError, assemble, refusal, split

Run = Callable[[dict[str, Array]], Sequence[Array]]


def model_config(arguments: Mapping[str, str]) -> dict[str, Any]:
    """The model's configuration, from the arguments of ``initialize``."""
    config: dict[str, Any] = json.loads(arguments["model_config"])
    return config


def model_file(arguments: Mapping[str, str], config: Mapping[str, Any], default: str) -> Path:
    """The file to load, as the C++ backends find it: ``<model>/<version>/<default_model_filename>``.

    Raises:
        FileNotFoundError: there is none.
    """
    version = Path(arguments["model_repository"]) / arguments["model_version"]
    path = version / (config.get("default_model_filename") or default)
    if path.is_dir():
        path = path / default
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such model file")
    return path


def integer_parameter(config: Mapping[str, Any], name: str) -> int:
    """The model parameter ``name`` as a number, 0 where it is not given.

    Raises:
        ValueError: it is not a whole number.
    """
    text = config.get("parameters", {}).get(name, {}).get("string_value", "0")
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"parameter '{name}': {text!r} is not a whole number") from None


def boolean_parameter(config: Mapping[str, Any], name: str) -> bool:
    """The model parameter ``name`` as true or false, False where it is not given, read as the C++ backends read it.

    Raises:
        ValueError: it is none of true, false, 1 and 0.
    """
    text = config.get("parameters", {}).get(name, {}).get("string_value", "false")
    known = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in known:
        raise ValueError(f"parameter '{name}': {text!r} is neither true nor false")
    return known[text.lower()]


def answer(plan: BatchPlan, requests: Sequence[Any], run: Run, failures: tuple[type[Exception], ...]) -> list[Any]:
    """Triton's responses to a batch of its requests, in their order, from one run of the graph.

    A request that can't be part of a batch gets an error of its own, and the others run without it.

    Args:
        plan: the model's plan.
        requests: the ``InferenceRequest`` objects given to ``execute``.
        run: the graph: inputs by name to outputs in the order of ``plan.outputs``.
        failures: what ``run`` raises. Its message becomes the answer to every request of the batch; of anything else
            that is raised callers learn the type only, and the server's log the rest. The server stays up.
    """
    if not plan.batching and len(requests) > 1:
        return [response for request in requests for response in answer(plan, [request], run, failures)]
    told: tuple[type[Exception], ...] = (*failures, RowCountError)
    try:
        return _answer(plan, requests, run)
    except told as error:
        message = str(error)
    except Exception as error:  # noqa: BLE001 - Triton would send callers the traceback, with this server's paths
        pb_utils.Logger.log_error(traceback.format_exc())
        message = f"the model failed with {type(error).__name__}; the server's log says more"
    return [pb_utils.InferenceResponse(error=pb_utils.TritonError(message)) for _ in requests]


def _answer(plan: BatchPlan, requests: Sequence[Any], run: Run) -> list[Any]:
    # Views of Triton's shared memory, valid until the responses are returned.
    arrays = [{tensor.name(): tensor.as_numpy() for tensor in request.inputs()} for request in requests]
    refusals = [refusal(plan, request) for request in arrays]
    batch = [request for request, why in zip(arrays, refusals, strict=True) if why is None]
    answers = iter(split(plan, batch, run(assemble(plan, batch))) if batch else [])
    return [_response(plan, next(answers)) if why is None else _invalid(why) for why in refusals]


def _response(plan: BatchPlan, outputs: Sequence[Array]) -> Any:
    return pb_utils.InferenceResponse([pb_utils.Tensor(*pair) for pair in zip(plan.outputs, outputs, strict=True)])


def _invalid(why: str) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(why, pb_utils.TritonError.INVALID_ARG))
