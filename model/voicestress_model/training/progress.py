"""What a run needs to go on as if nothing had happened.

Every random draw of a run is a function of its seed and the step, so no generator's state has to be kept: the weights,
the optimiser and the number of steps done are all there is. ``state.pt`` is replaced whole; the best weights lie in a
file of their own that it names, so the two always fit.
"""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import torch

from voicestress_model.training.clips import write_atomically
from voicestress_model.training.errors import TrainingError
from voicestress_model.training.settings import TrainingSettings

_STATE = "state.pt"
# What may be another when a run goes on, because the result is the same.
_FREE = {"save_every_steps": True, "out": True, "batches": {"workers"}}


@dataclasses.dataclass(frozen=True)
class Epoch:
    """One line of a run's history; ``dev_uar_error`` is the UAR's standard error, ``wall_s`` is ``Progress``'s."""

    epoch: int
    step: int
    learning_rate: float
    train_loss: float
    dev_uar: float
    dev_nll: float
    wall_s: float
    dev_uar_error: float = 0.0


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a run is.

    ``wall_s`` counts from its start, without the time it lay dead; ``heard_s`` is the audio trained on in it.
    ``loss_sum`` is over the ``loss_count`` steps of the epoch that is going on.
    """

    step: int = 0
    wall_s: float = 0.0
    heard_s: float = 0.0
    loss_sum: float = 0.0
    loss_count: int = 0
    history: tuple[Epoch, ...] = ()

    @property
    def best(self) -> Epoch | None:
        """The epoch to keep; None before the first.

        A few hundred recordings say little about a UAR: of epochs within a standard error of the highest, the one with
        the lowest loss is kept (after Breiman et al. 1984, Classification and Regression Trees, section 3.4.3). It is
        decided epoch by epoch, since the weights of the others are gone.
        """
        best = highest = None
        for epoch in self.history:
            if highest is None or epoch.dev_uar > highest.dev_uar:
                highest = epoch
            enough = highest.dev_uar - highest.dev_uar_error
            fell_behind = best is None or best.dev_uar < enough
            if fell_behind or (epoch.dev_uar >= enough and epoch.dev_nll < best.dev_nll):
                best = epoch
        return best

    def after(self, loss: float, heard_s: float, *, wall_s: float) -> Progress:
        """One step further, on ``heard_s`` seconds of audio, at ``wall_s`` since the start."""
        return dataclasses.replace(
            self,
            step=self.step + 1,
            wall_s=wall_s,
            heard_s=self.heard_s + heard_s,
            loss_sum=self.loss_sum + loss,
            loss_count=self.loss_count + 1,
        )

    def is_patience_over(self, patience: int | None) -> bool:
        """Whether the last ``patience`` epochs brought neither a higher UAR nor a better one to keep."""
        if patience is None or self.best is None:
            return False
        highest = max(self.history, key=lambda epoch: epoch.dev_uar)  # the first of equals
        return self.history[-1].epoch - max(self.best.epoch, highest.epoch) >= patience


def save_best(folder: Path, epoch: int, weights: dict[str, torch.Tensor]) -> None:
    """Keep the weights of ``epoch``; they count once ``save`` has named it the best."""
    write_atomically(_best_path(folder, epoch), _bytes(weights))


def load_best(folder: Path, epoch: int) -> dict[str, torch.Tensor]:
    """The weights ``save_best`` kept."""
    weights: dict[str, torch.Tensor] = torch.load(_best_path(folder, epoch), map_location="cpu", weights_only=True)
    return weights


def save(
    folder: Path, progress: Progress, settings: TrainingSettings, tensors: dict[str, Any], *, processes: int
) -> None:
    """Keep the run as it is now: ``tensors`` are the state dictionaries of everything that learns."""
    state = {"settings": _comparable(settings, processes), "progress": dataclasses.asdict(progress), "tensors": tensors}
    write_atomically(folder / _STATE, _bytes(state))
    kept = _best_path(folder, progress.best.epoch) if progress.best else None
    for path in folder.glob("best-*.pt"):
        if path != kept:
            path.unlink()


def load(folder: Path, settings: TrainingSettings, *, processes: int) -> tuple[Progress, dict[str, Any]] | None:
    """What ``save`` kept in ``folder``, or None where there is nothing.

    Raises:
        TrainingError: it was kept by a run with other settings.
    """
    if not (folder / _STATE).exists():
        return None
    state = torch.load(folder / _STATE, map_location="cpu", weights_only=True)
    changed = _differences(state["settings"], _comparable(settings, processes))
    if changed:
        raise TrainingError(
            f"{folder.parent}: holds a run with other settings ({', '.join(changed)}). "
            "Go on with those, train into another folder, or delete this one."
        )
    kept = state["progress"]
    history = tuple(Epoch(**epoch) for epoch in kept.pop("history"))
    return Progress(**kept, history=history), state["tensors"]


def _best_path(folder: Path, epoch: int) -> Path:
    return folder / f"best-{epoch}.pt"


def _bytes(state: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def _comparable(settings: TrainingSettings, processes: int) -> dict[str, Any]:
    """What decides on the result: each process draws its own dropout, so their number does too."""
    return {**settings.model_dump(mode="json", exclude=_FREE), "processes": processes}


def _differences(one: Any, other: Any, name: str = "") -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            difference
            for key in sorted({*one, *other})
            for difference in _differences(one.get(key), other.get(key), f"{name}.{key}".lstrip("."))
        ]
    return [] if one == other else [name]
