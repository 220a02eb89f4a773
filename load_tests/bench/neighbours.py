"""Whether a window's answer depends on who else is in its batch, at full size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from voicestress import StressContract
from voicestress_model.agreement import Pcm, onnx_logits, onnx_session
from voicestress_model.triton_config import MAX_BATCH_SIZE


@dataclass(frozen=True)
class Neighbours:
    """Largest difference of the logits, and of the stress level (0 to 100) as it is shown, to two decimals."""

    logits: float
    level: float


def measure(graph: Path, contract: StressContract, windows: Sequence[Pcm], *, threads: int) -> Neighbours:
    """Score each of ``windows`` alone, then in the largest batches a CPU's model is served with, in two orders."""
    session = onnx_session(graph, threads=threads)
    alone = np.concatenate([onnx_logits(session, [window]) for window in windows])
    orders = [list(range(len(windows))), np.random.default_rng(0).permutation(len(windows)).tolist()]
    logits, level = 0.0, 0.0
    for order in orders:
        for start in range(0, len(order), MAX_BATCH_SIZE):
            batch = order[start : start + MAX_BATCH_SIZE]
            together = onnx_logits(session, [windows[number] for number in batch])
            logits = max(logits, float(np.abs(together - alone[batch]).max()))
            shown = [contract.levels(contract.emotions(each)).round(2) for each in (together, alone[batch])]
            level = max(level, float(np.abs(shown[0] - shown[1]).max()))
    return Neighbours(logits, level)
