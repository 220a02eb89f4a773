"""From windows of speech to what the bytes of each activation mean, and what they lose on average."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voicestress_model.agreement import Pcm
from voicestress_model.quantisation.observation import Values, activations
from voicestress_model.quantisation.spread import LEVELS, Spread

# Static steps that take more than this of a row's size on average are not worth their speed.
LARGEST_LOSS = 0.05
_TINY = 1e-9


@dataclass(frozen=True)
class Steps:
    """How an activation becomes bytes: ``byte = clip(round(value / scale) + zero, 0, 255)``."""

    scale: np.float32
    zero: np.uint8

    def rounded(self, values: Values) -> Values:
        """The values that the bytes of ``values`` stand for."""
        bytes_ = np.rint(values / self.scale) + np.float32(self.zero)
        return np.asarray((np.clip(bytes_, 0, LEVELS) - np.float32(self.zero)) * self.scale, dtype=np.float32)


@dataclass(frozen=True)
class Calibrated:
    """An activation's steps, or None where every row needs its own, and its columns' means over the windows."""

    steps: Steps | None
    exact: npt.NDArray[np.float64]  # [columns]
    rounded: npt.NDArray[np.float64]  # [columns] after rounding to the steps
    loss: float  # what rounding takes of a row's size, on average


def calibrate(path: Path, windows: Sequence[Pcm]) -> dict[str, Calibrated]:
    """Calibrate what the products of the graph at ``path`` multiply on ``windows``, by the name of each origin.

    It runs the graph twice: the first run finds the steps, the second what is lost by rounding to them.
    """
    spreads: dict[str, Spread] = {}
    for values in activations(path, windows):
        for name, array in values.items():
            spreads.setdefault(name, Spread()).add(array)
    losses = {name: _Losses(steps_for(spread)) for name, spread in spreads.items()}
    for values in activations(path, windows):
        for name, array in values.items():
            losses[name].add(array)
    return {name: loss.calibrated() for name, loss in losses.items()}


def steps_for(spread: Spread) -> Steps:
    """The steps that serve ``spread`` with the least squared error."""
    low, high = spread.best_range()
    scale = np.float32(max((high - low) / LEVELS, _TINY))
    return Steps(scale, np.uint8(round(-low / float(scale))))


class _Losses:
    """What is lost by rounding an activation to ``steps``, added up over many rows."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.rows = 0
        self.sums: npt.NDArray[np.float64] | float = 0.0  # [2, columns] exact and rounded
        self.lost = 0.0

    def add(self, values: Values) -> None:
        rows = values.reshape(-1, values.shape[-1])
        rounded = self.steps.rounded(rows)
        sizes = np.linalg.norm(rows, axis=1)
        self.lost += float((np.linalg.norm(rounded - rows, axis=1) / np.maximum(sizes, _TINY)).sum())
        self.sums = self.sums + np.stack([part.sum(axis=0, dtype=np.float64) for part in (rows, rounded)])
        self.rows += len(rows)

    def calibrated(self) -> Calibrated:
        exact, rounded = np.asarray(self.sums) / self.rows
        loss = self.lost / self.rows
        if loss > LARGEST_LOSS:
            return Calibrated(None, exact, exact, loss)
        return Calibrated(self.steps, exact, rounded, loss)
