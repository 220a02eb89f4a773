"""What a smaller precision costs: how far the stress level moves on speech."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from voicestress.contract import StressContract

from voicestress_model.agreement import Logits, Pcm, onnx_logits, onnx_session

# A level is shown to one decimal, and the speech detector's choice of where a window starts moves it by more.
LARGEST_LEVEL_CHANGE = 1.0


@dataclass(frozen=True)
class LevelChange:
    """How levels, 0 to 100, of ``windows`` windows differ between two models; ``same_status`` of them agree on High.

    The differences are NaN where a model gives no numbers.
    """

    windows: int
    mean: float
    largest: float
    same_status: int

    def __str__(self) -> str:
        return (
            f"the level changes by {self.mean:.2f} points of 100 on average and {self.largest:.2f} at most, and the "
            f"status agrees on {self.same_status} of {self.windows}"
        )


def level_change(before: Path, after: Path, contract: StressContract, windows: Sequence[Pcm]) -> LevelChange:
    """How the levels of ``windows`` differ between the graphs at ``before`` and ``after``."""
    return compare_levels(graph_logits(before, windows), graph_logits(after, windows), contract)


def compare_levels(before: Logits, after: Logits, contract: StressContract) -> LevelChange:
    """How the levels differ between two models' logits ``[windows, labels]`` of the same windows."""
    levels = [contract.levels(contract.emotions(logits)) for logits in (before, after)]
    changes = np.abs(levels[1] - levels[0])
    high = [[contract.status(level) for level in each] for each in levels]
    same = sum(one == other for one, other in zip(*high, strict=True))
    return LevelChange(len(before), float(changes.mean()), float(changes.max()), same)


def graph_logits(path: Path, windows: Sequence[Pcm]) -> Logits:
    """Logits ``[windows, labels]`` of the graph at ``path``, each window alone."""
    session = onnx_session(path)
    return np.concatenate([onnx_logits(session, [window]) for window in windows])
