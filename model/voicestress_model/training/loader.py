"""Batches of augmented clips, made ahead of the model in worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from voicestress_model.training.augment import Augmentation, augment
from voicestress_model.training.batches import Batch, Schedule
from voicestress_model.training.clips import Clips

_AHEAD = 4  # batches a worker may be ahead


@dataclass(frozen=True)
class _AugmentedClips(Dataset[tuple[Tensor, Tensor]]):
    clips: Clips
    augmentation: Augmentation
    seed: int

    def __getitem__(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Waveforms int16 ``[B, samples]`` and labels ``[B]``; a clip's draws depend on seed, step and clip alone."""
        rows = [
            augment(
                self.clips.read(clip),
                batch.samples,
                self.augmentation,
                np.random.default_rng([self.seed, batch.step, clip]),
            )
            for clip in batch.clips
        ]
        labels = torch.tensor([self.clips.clips[clip].label for clip in batch.clips])
        return torch.stack(rows), labels


@dataclass(frozen=True)
class _Share:
    """The batches from ``step`` on, each cut down to the clips that are this process's."""

    schedule: Schedule
    step: int
    process: int
    processes: int

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.schedule.from_step(self.step):
            own = batch.clips[self.process :: self.processes]
            yield batch._replace(clips=own or batch.clips[:1])

    def __len__(self) -> int:
        return self.schedule.steps - self.step


def augmented_batches(
    clips: Clips,
    schedule: Schedule,
    augmentation: Augmentation,
    *,
    seed: int,
    step: int,
    workers: int,
    process: int = 0,
    processes: int = 1,
) -> Iterator[tuple[Tensor, Tensor]]:
    """The run's batches from ``step`` on, as process number ``process`` of ``processes`` hears them.

    Yields waveforms int16 ``[B, samples]`` and labels ``[B]``.
    """
    loader: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
        _AugmentedClips(clips, augmentation, seed),
        batch_size=None,
        sampler=_Share(schedule, step, process, processes),
        num_workers=workers,
        prefetch_factor=_AHEAD if workers else None,
        # Forking a process that has threads, as torch does, may deadlock.
        multiprocessing_context="spawn" if workers else None,
    )
    return iter(loader)
