"""Half precision for GPUs: the large products in fp16, all that adds up or divides in fp32.

In fp16 are the weights of the convolutions but the first, of the position embedding and of the transformer's linear
layers, what those multiply and give, both products of attention, and GELU. In fp32 or better stay the layout's index
arithmetic, normalisation and its moments, the first convolution (it sees the waveform), residuals, norms, softmax and
the head: fp16 ends at 65504, and a variance passes that easily.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from voicestress_model.agreement import Logits, Pcm
from voicestress_model.packed import PackedLayer, PackedTransformer, PackedWav2Vec2
from voicestress_model.packed_front_end import PackedConvolution

_PRODUCTS = {"matmul", "__matmul__", "linear", "conv1d"}


def half_products(model: PackedWav2Vec2) -> PackedWav2Vec2:
    """A copy of ``model`` with its large products in fp16."""
    half = copy.deepcopy(model)
    for module in half.modules():
        if isinstance(module, PackedConvolution):
            parameters = [module.weight, module.bias]
        elif isinstance(module, PackedTransformer):
            parameters = _parameters(module.projection, module.position)
        elif isinstance(module, PackedLayer):
            parameters = _parameters(module.qkv, module.out, module.widen, module.narrow)
        else:
            continue
        for parameter in parameters:
            if parameter is not None:
                parameter.data = parameter.data.half()
    return half


def half_logits(model: PackedWav2Vec2, windows: Sequence[Pcm]) -> Logits:
    """Logits ``[windows, labels]`` of a model of ``half_products``, each window alone, as a GPU computes them.

    What a GPU gives of a product in fp16 was added up in fp32, and is infinite beyond 65504. ONNX Runtime on a CPU
    would not tell: it has no such products, puts fp32 ones in their place and leaves out the rounding between two.
    """
    rows = []
    with torch.inference_mode(), _AddedUpInFloat():
        for window in windows:
            lengths = torch.tensor([[len(window)]], dtype=torch.int32)
            rows.append(model(torch.from_numpy(window.copy()), lengths)[0].numpy())
    return np.stack(rows)


class _AddedUpInFloat(TorchFunctionMode):
    """Products of fp16 tensors in fp32, rounded at the end: torch's own on a CPU are sixty times slower (measured)."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") in _PRODUCTS and args[0].dtype == torch.float16:
            return func(*map(_widened, args), **{key: _widened(value) for key, value in (kwargs or {}).items()}).half()
        return func(*args, **(kwargs or {}))


def _widened(argument: Any) -> Any:
    return argument.float() if isinstance(argument, Tensor) and argument.dtype == torch.float16 else argument


def _parameters(*modules: nn.Module) -> list[Tensor]:
    return [parameter for module in modules for parameter in module.parameters()]
