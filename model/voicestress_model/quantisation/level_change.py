"""What quantising costs: how far the stress level moves on speech that the steps were not chosen on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from voicestress.contract import StressContract

from voicestress_model.agreement import Pcm, onnx_logits, onnx_session


@dataclass(frozen=True)
class LevelChange:
    """How levels, 0 to 100, of ``windows`` windows differ between two graphs; ``same_status`` of them agree on High."""

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
    levels = [_levels(path, contract, windows) for path in (before, after)]
    changes = np.abs(levels[1] - levels[0])
    high = [[contract.status(level) for level in each] for each in levels]
    same = sum(one == other for one, other in zip(*high, strict=True))
    return LevelChange(len(windows), float(changes.mean()), float(changes.max()), same)


def _levels(path: Path, contract: StressContract, windows: Sequence[Pcm]) -> npt.NDArray[np.float64]:
    session = onnx_session(path)
    logits = np.concatenate([onnx_logits(session, [window]) for window in windows])
    return contract.levels(contract.emotions(logits))
