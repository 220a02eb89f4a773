"""Where an engine's time goes, by ONNX Runtime's own clock."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import onnxruntime
from voicestress_model.agreement import Pcm, onnx_logits

# Not If, Loop and Scan, whose time is that of the operators in them.
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
    """Milliseconds a second of audio that ``graph`` spends on each kind of operator, most first; ``OTHERS`` is what is
    left of the time that its runs take.
    """
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
        if event["ts"] < warm_us:
            continue
        if event["name"] == "model_run":
            spent_us[OTHERS] += event["dur"]
        elif event["name"].endswith("_kernel_time") and (kind := _kind_of(event["args"]["op_name"])) is not None:
            spent_us[kind] += event["dur"]
            spent_us[OTHERS] -= event["dur"]
    audio_s = sum(len(window) for batch in batches for window in batch) / 16_000
    return {kind: us / 1000 / audio_s for kind, us in spent_us.most_common()}


def _kind_of(operator: str) -> str | None:
    return next((kind for kind, operators in _KINDS.items() if operator in operators), None)
