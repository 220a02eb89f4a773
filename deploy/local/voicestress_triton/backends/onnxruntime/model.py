"""A Python-based Triton backend that stands in for the C++ ONNX Runtime backend, on the CPU.

Serves any model with ``backend: "onnxruntime"``, under the C++ backend's contract as far as ``signature.py`` says.
Of its settings it follows ``optimization { graph { level } }`` and the parameters ``intra_op_thread_count`` and
``inter_op_thread_count``; the others tune speed or a GPU and are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from voicestress_triton.python_backend import answer, integer_parameter, model_config, model_file
from voicestress_triton.signature import TensorSpec, plan_batches

# ONNX Runtime has no common base for what a run raises.
_RUN_FAILURES = (
    ort_errors.EPFail,
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
    MemoryError,
)
_OPTIMIZATION = {
    -1: ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    0: ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    1: ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    2: ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
_DTYPES = {"float": "float32", "double": "float64"}


class TritonPythonModel:
    """One instance of a model; the name and the methods are what Triton calls."""

    def initialize(self, arguments: Mapping[str, str]) -> None:
        """Load the graph. What is raised here, Triton reports as the reason why the model is not available."""
        config = model_config(arguments)
        session = ort.InferenceSession(
            model_file(arguments, config, "model.onnx"), _session_options(config), providers=["CPUExecutionProvider"]
        )
        self._plan = plan_batches(config, _specs(session.get_inputs()), _specs(session.get_outputs()))
        self._session = session

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer the requests of one batch."""
        return answer(self._plan, requests, lambda feeds: self._session.run(self._plan.outputs, feeds), _RUN_FAILURES)


def _session_options(config: Mapping[str, Any]) -> Any:
    options = ort.SessionOptions()
    level = int(config.get("optimization", {}).get("graph", {}).get("level", 0))
    # As in the C++ backend, a level it does not know means the default.
    options.graph_optimization_level = _OPTIMIZATION.get(level, _OPTIMIZATION[0])
    # 0 leaves the choice to ONNX Runtime, here and there.
    options.intra_op_num_threads = max(0, integer_parameter(config, "intra_op_thread_count"))
    options.inter_op_num_threads = max(0, integer_parameter(config, "inter_op_thread_count"))
    # Threads that spin on after a run would take the cores from another instance, whose turn it is then.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _specs(arguments: Sequence[Any]) -> dict[str, TensorSpec]:
    """The signature of ONNX Runtime's ``NodeArg`` objects; their type reads ``tensor(int16)``."""
    specs = {}
    for argument in arguments:
        name = argument.type.removeprefix("tensor(").removesuffix(")")
        dims = tuple(dim if isinstance(dim, int) else -1 for dim in argument.shape)
        specs[argument.name] = TensorSpec(np.dtype(_DTYPES.get(name, name)), dims)
    return specs
