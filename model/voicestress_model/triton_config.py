"""config.pbtxt of a stress model: one file for NVIDIA's container and for the local Triton."""

from __future__ import annotations

import json

from voicestress.contract import INPUT_NAME, OUTPUT_NAME, StressContract

from voicestress_model.onnx_graph import LENGTHS_NAME

# Eight windows of mixed lengths fill two cores' caches and more; larger CPU batches only get slower.
MAX_BATCH_SIZE = 8
# On a CPU a longer queue is minutes of waiting that no caller's deadline survives: better to refuse.
MAX_QUEUE_SIZE = 256
LONGEST_WAIT_US = 30_000_000

_TEMPLATE = """\
# Written by `voicestress export`. The stress_* parameters are the model's contract with its clients.
name: {name}
backend: "onnxruntime"
max_batch_size: {max_batch_size}

# One window of 16 kHz mono speech a request. Ragged: windows of any lengths share a batch, and nobody pads.
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
  priority_levels: 3
  default_priority_level: 2
  default_queue_policy {{
    timeout_action: REJECT
    default_timeout_microseconds: {longest_wait_us}
    allow_timeout_override: true
    max_queue_size: {max_queue_size}
  }}
}}
instance_group [
  {{
    kind: KIND_AUTO
    count: 1
  }}
]

{parameters}
"""


def triton_config(name: str, contract: StressContract) -> str:
    """The text of config.pbtxt for a model called ``name``."""
    parameters = "\n".join(
        f"parameters {{ key: {json.dumps(key)} value {{ string_value: {json.dumps(text)} }} }}"
        for key, text in contract.to_parameters().items()
    )
    return (
        _TEMPLATE.format(
            name=json.dumps(name),
            max_batch_size=MAX_BATCH_SIZE,
            max_queue_size=MAX_QUEUE_SIZE,
            longest_wait_us=LONGEST_WAIT_US,
            input_name=INPUT_NAME,
            output_name=OUTPUT_NAME,
            lengths_name=LENGTHS_NAME,
            labels=len(contract.labels),
            parameters=parameters,
        ).rstrip()
        + "\n"
    )
