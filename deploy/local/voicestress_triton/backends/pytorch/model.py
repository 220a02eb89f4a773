"""A Python-based Triton backend that stands in for the C++ PyTorch backend, on the CPU.

Serves any TorchScript model with ``backend: "pytorch"``, under the C++ backend's contract as far as ``signature.py``
says. Of its settings it follows ``DISABLE_OPTIMIZED_EXECUTION``, ``INTRA_OP_THREAD_COUNT`` and
``INTER_OP_THREAD_COUNT``; the others tune a GPU or the JIT and are ignored.

TorchScript says nothing of types and shapes. As in C++ the arguments of ``forward`` are checked at load, and the type
of an output when it is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.jit import optimized_execution  # type: ignore[attr-defined]
from voicestress_triton.python_backend import answer, boolean_parameter, integer_parameter, model_config, model_file
from voicestress_triton.ragged import Array
from voicestress_triton.signature import UnservableModelError, check_torchscript, plan_batches, stated_specs


class TritonPythonModel:
    """One instance of a model; the name and the methods are what Triton calls."""

    def initialize(self, arguments: Mapping[str, str]) -> None:
        """Load the model. What is raised here, Triton reports as the reason why the model is not available."""
        config = model_config(arguments)
        if threads := max(0, integer_parameter(config, "INTRA_OP_THREAD_COUNT")):
            torch.set_num_threads(threads)
        if threads := max(0, integer_parameter(config, "INTER_OP_THREAD_COUNT")):
            torch.set_num_interop_threads(threads)
        self._optimized = not boolean_parameter(config, "DISABLE_OPTIMIZED_EXECUTION")
        path = model_file(arguments, config, "model.pt")
        try:
            self._model: Any = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            raise UnservableModelError(f"{path.name} is not TorchScript: {str(error).splitlines()[0]}") from None
        self._arguments = _arguments(self._model)
        check_torchscript(config)
        inputs, self._outputs = stated_specs(config, self._arguments)
        self._plan = plan_batches(config, inputs, self._outputs)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer the requests of one batch."""
        return answer(self._plan, requests, self._run, (RuntimeError, MemoryError))

    def _run(self, feeds: Mapping[str, Array]) -> list[Array]:
        # Triton's memory may be read-only, which torch can't express: such an input is copied.
        tensors = [torch.from_numpy(np.require(feeds[name], requirements="W")) for name in self._arguments]
        with torch.inference_mode(), optimized_execution(self._optimized):
            results = self._model(*tensors)
        arrays = [result.numpy() for result in (results if isinstance(results, tuple) else (results,))]
        if len(arrays) < len(self._outputs):
            raise RuntimeError(f"the configuration has {len(self._outputs)} outputs, the model gives {len(arrays)}")
        for array, (name, spec) in zip(arrays, self._outputs.items(), strict=False):
            if array.dtype != spec.dtype:
                raise RuntimeError(f"output '{name}': the configuration says {spec.dtype}, the model {array.dtype}")
        return arrays[: len(self._outputs)]


def _arguments(model: Any) -> list[str]:
    """The names of the arguments of ``forward``, all of them tensors."""
    _, *arguments = model.forward.schema.arguments
    for argument in arguments:
        if str(argument.type) != "Tensor":
            raise UnservableModelError(f"argument '{argument.name}' of the model is a {argument.type}, not a Tensor")
    return [argument.name for argument in arguments]
