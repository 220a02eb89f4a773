"""Whether a window's answer depends on who else is in its batch, at full size."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from voicestress import StressContract
from voicestress_model.agreement import Pcm, onnx_logits, onnx_session
from voicestress_model.triton_config import MAX_BATCH_SIZE

# What a CPU's model is served with, where no window is padded; and as many as only a tuned or a GPU's configuration
# puts together, where some are.
BATCH_SIZES = (MAX_BATCH_SIZE, 16)


@dataclass(frozen=True)
class Neighbours:
    """Largest difference of the logits, and of the stress level (0 to 100) as it is shown, to two decimals; over all
    batch sizes, and ``by_batch_size`` the logits' alone.
    """

    logits: float
    level: float
    by_batch_size: dict[int, float]


def measure(
    graph: Path,
    contract: StressContract,
    windows: Sequence[Pcm],
    *,
    threads: int,
    batch_sizes: Sequence[int] = BATCH_SIZES,
) -> Neighbours:
    """Score each of ``windows`` alone, then in batches of each of ``batch_sizes``, in two orders."""
    session = onnx_session(graph, threads=threads)
    alone = np.concatenate([onnx_logits(session, [window]) for window in windows])
    orders = [list(range(len(windows))), np.random.default_rng(0).permutation(len(windows)).tolist()]
    level, logits = 0.0, dict.fromkeys(batch_sizes, 0.0)
    for size, order in itertools.product(batch_sizes, orders):
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            together = onnx_logits(session, [windows[number] for number in batch])
            logits[size] = max(logits[size], float(np.abs(together - alone[batch]).max()))
            shown = [contract.levels(contract.emotions(each)).round(2) for each in (together, alone[batch])]
            level = max(level, float(np.abs(shown[0] - shown[1]).max()))
    return Neighbours(max(logits.values()), level, logits)
