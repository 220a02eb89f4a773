"""Where an engine's time goes, by ONNX Runtime's own clock."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import onnxruntime
from voicestress_model.agreement import Pcm, onnx_logits

# Their time is that of the operators in them.
_CONTAINERS = {"If", "Loop", "Scan"}
_KINDS = {
    "matrix products": {"MatMul", "Gemm", "FusedMatMul", "FusedGemm", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"},
    "convolution of the position embedding": {"Conv", "FusedConv"},
    "GELU": {"Gelu", "BiasGelu", "FastGelu", "QuickGelu"},
    "norms and softmax": {"LayerNormalization", "SkipLayerNormalization", "Softmax", "BiasSoftmax"},
    "quantising": {"QuantizeLinear", "DequantizeLinear", "Cast"},
    "sums and scales": {"Add", "Mul", "Sub", "Pow", "ReduceSum"},
    "moving rows": {
        "Gather", "GatherND", "GatherElements", "Concat", "Split", "Slice", "Transpose", "Expand", "Where", "Reshape",
    },
}  # fmt: skip
OTHERS = "everything else"


def time_by_kind(graph: Path, batches: Sequence[Sequence[Pcm]], *, threads: int) -> dict[str, float]:
    """Milliseconds a second of audio that ``graph`` spends on each kind of operator, most first."""
    with tempfile.TemporaryDirectory(prefix="voicestress-profile-") as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "profile"))
        session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        for batch in (batches[0], *batches):  # the first fills the caches, and does not count
            onnx_logits(session, batch)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    warm_us = sorted(event["ts"] for event in events if event["name"] == "model_run")[1]
    spent_us: Counter[str] = Counter()
    for event in events:
        if event["name"].endswith("_kernel_time") and event["ts"] >= warm_us:
            operator = event["args"]["op_name"]
            if operator not in _CONTAINERS:
                spent_us[_kind_of(operator)] += event["dur"]
    audio_s = sum(len(window) for batch in batches for window in batch) / 16_000
    return {kind: us / 1000 / audio_s for kind, us in spent_us.most_common()}


def _kind_of(operator: str) -> str:
    return next((kind for kind, operators in _KINDS.items() if operator in operators), OTHERS)
