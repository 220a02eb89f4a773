"""The configurations of a stress model: one text for NVIDIA's container and for the local Triton, and one for GPUs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from voicestress.contract import INPUT_NAME, OUTPUT_NAME, StressContract

from voicestress_model import geometry
from voicestress_model.onnx_graph import LENGTHS_NAME

Backend = Literal["onnxruntime", "pytorch"]

GPU_CONFIG = "configs/gpu.pbtxt"

# What a request may hold, and a batch where there is no GPU's configuration: no window is padded in such a batch.
MAX_BATCH_SIZE = geometry.VIEWS
# What a queue gives a CPU at once, where it holds so much. Measured on two cores, wav2vec2-base, windows of 1 to 8 s,
# batches of 2, 4 and 8 against the windows one by one: 1.04, 1.08, 1.03 times.
# A full queue is looked at twice a second only: batches that take less than that leave gaps between them.
CPU_BATCH_SIZE = 4
# On a CPU a longer queue is minutes of waiting that no caller's deadline survives: better to refuse.
MAX_QUEUE_SIZE = 256
LONGEST_WAIT_US = 30_000_000

# A GPU wants larger batches and works off a longer queue. Reasoned, not measured: there was no GPU to measure on.
GPU_BATCH_SIZES = (8, 16, 32)
GPU_QUEUE_SIZE = 2048
GPU_BATCHING_DELAY_US = 2_000
_WARM_UP_LENGTHS = 4

_TEMPLATE = """\
# Written by `voicestress export`. The stress_* parameters are the model's contract with its clients.
{header}name: {name}
backend: "{backend}"
max_batch_size: {max_batch_size}

{naming}# One window of 16 kHz mono speech a request. Ragged: windows of any lengths share a batch, and nobody pads.
input [
  {{
    name: "{input_name}"
    data_type: TYPE_INT16
    dims: [ -1 ]
    allow_ragged_batch: true
  }}
]
batch_input [
  {{
    kind: BATCH_ITEM_SHAPE
    target_name: "{lengths_name}"
    data_type: TYPE_INT32
    source_input: "{input_name}"
  }}
]
output [
  {{
    name: "{output_name}"
    data_type: TYPE_FP32
    dims: [ {labels} ]
  }}
]

# Live streams first (1), then ordinary requests (2), then archives (3). What waits for longer than its caller does, or
# than half a minute, is turned away, and so is everything once the queue is full.
dynamic_batching {{
{batching}  priority_levels: 3
  default_priority_level: 2
  default_queue_policy {{
    timeout_action: REJECT
    default_timeout_microseconds: {longest_wait_us}
    allow_timeout_override: true
    max_queue_size: {max_queue_size}
  }}
}}
# One batch at a time: the second instance holds the next one ready. With limits on the queue, Triton looks for a batch
# only when an instance is free and a request comes, or every half second; a lone instance would wait with it. The limit
# holds with tritonserver --rate-limit=execution_count, as `voicestress serve` starts it.
instance_group [
  {{
    kind: {kind}
    count: 2
    rate_limiter {{
      resources [ {{ name: {turn} count: 1 }} ]
    }}
  }}
]
{extras}
{parameters}
"""
_NAMING = """\
# How NVIDIA's PyTorch backend reads names (pytorch_backend, GetNamingConvention): an input, and a batch_input, is the
# argument of the model's forward() that has its name; outputs that are not numbered ("LOGITS__0") go by their order.

"""
_RESPONSE_CACHE = """
# Repeated audio is answered from memory where the server has a cache (tritonserver --cache-config).
response_cache {
  enable: true
}
"""
_PYTORCH = """
# The executor that profiles its first runs and compiles for the shapes it saw would begin anew at other lengths.
parameters { key: "DISABLE_OPTIMIZED_EXECUTION" value { string_value: "true" } }
"""
_GPU_HEADER = """\
# For GPUs, chosen with --model-config-name=gpu. Batch sizes and delay are reasoned: no GPU was at hand to measure on.
"""
# The size of a tile is a constant of an ONNX graph; TorchScript asks where it runs.
_CPU_TILES = """\
# It serves the CPU's own file, whose front end works in tiles that fit a CPU's cache, {cpu} slots of 20 ms one after
# the other; a GPU would rather have {gpu} at once. Export with --precision fp16 for a file with those.
"""
_GPU = """
optimization {
  input_pinned_memory { enable: true }
  output_pinned_memory { enable: true }
}
"""
# Of the CUDA execution provider, which the C++ backend adds to every instance on a GPU.
_GPU_ONNXRUNTIME = """
# How cuDNN chooses a convolution: 1 is HEURISTIC. EXHAUSTIVE, the default, would search again at every new length.
parameters { key: "cudnn_conv_algo_search" value { string_value: "1" } }
"""


@dataclass(frozen=True)
class Served:
    """What is the same in both configurations of a model: its name and backend, and whether answers may be cached."""

    name: str
    backend: Backend
    response_cache: bool = False


def triton_config(served: Served, contract: StressContract) -> str:
    """The text of config.pbtxt: a GPU where there is one, the CPU elsewhere."""
    return _config(
        served,
        contract,
        max_batch_size=MAX_BATCH_SIZE,
        max_queue_size=MAX_QUEUE_SIZE,
        batching=f"  preferred_batch_size: [ {CPU_BATCH_SIZE} ]\n",
        kind="KIND_AUTO",
        extras=_PYTORCH if served.backend == "pytorch" else "",
    )


def gpu_config(served: Served, contract: StressContract, file: str) -> str:
    """The text of configs/gpu.pbtxt: on GPUs, the model file ``file``, whose precision ``contract`` states."""
    extras = _PYTORCH if served.backend == "pytorch" else _GPU_ONNXRUNTIME
    cpu_tiles = served.backend == "onnxruntime" and contract.precision == "fp32"
    tiles = _CPU_TILES.format(cpu=geometry.TILE_SLOTS, gpu=geometry.GPU_TILE_SLOTS) if cpu_tiles else ""
    sizes = ", ".join(map(str, GPU_BATCH_SIZES))
    return _config(
        served,
        contract,
        header=_GPU_HEADER + tiles,
        max_batch_size=max(GPU_BATCH_SIZES),
        max_queue_size=GPU_QUEUE_SIZE,
        batching=f"  preferred_batch_size: [ {sizes} ]\n  max_queue_delay_microseconds: {GPU_BATCHING_DELAY_US}\n",
        kind="KIND_GPU",
        extras=f'default_model_filename: "{file}"\n{_GPU}{extras}{_warm_up(contract)}',
    )


def _warm_up(contract: StressContract) -> str:
    """Warm-up from the shortest to the longest window, alone and as the largest batch there can be.

    What it can't hold in memory, a server then says before it is ready and not under load.
    """
    shortest, longest = contract.shortest_window_samples, contract.longest_window_samples
    step = (longest - shortest) / (_WARM_UP_LENGTHS - 1)
    lengths = [round(shortest + number * step) for number in range(_WARM_UP_LENGTHS)]
    samples = [(length, size) for length in lengths for size in (1, GPU_BATCH_SIZES[0])]
    return "\n" + "".join(
        f'model_warmup {{ name: "{size} of {length} samples" batch_size: {size} '
        f'inputs {{ key: "{INPUT_NAME}" value {{ data_type: TYPE_INT16 dims: [ {length} ] random_data: true }} }} }}\n'
        for length, size in [*samples, (longest, max(GPU_BATCH_SIZES))]
    )


def _config(
    served: Served,
    contract: StressContract,
    *,
    max_batch_size: int,
    max_queue_size: int,
    kind: str,
    header: str = "",
    batching: str = "",
    extras: str,
) -> str:
    parameters = "\n".join(
        f"parameters {{ key: {json.dumps(key)} value {{ string_value: {json.dumps(text)} }} }}"
        for key, text in contract.to_parameters().items()
    )
    return (
        _TEMPLATE.format(
            header=header,
            name=json.dumps(served.name),
            turn=json.dumps(f"{served.name}_turn"),  # resources are shared by all models that name them
            backend=served.backend,
            naming=_NAMING if served.backend == "pytorch" else "",
            max_batch_size=max_batch_size,
            max_queue_size=max_queue_size,
            longest_wait_us=LONGEST_WAIT_US,
            batching=batching,
            kind=kind,
            input_name=INPUT_NAME,
            output_name=OUTPUT_NAME,
            lengths_name=LENGTHS_NAME,
            labels=len(contract.labels),
            extras=extras + (_RESPONSE_CACHE if served.response_cache else ""),
            parameters=parameters,
        ).rstrip()
        + "\n"
    )
