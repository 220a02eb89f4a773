"""Batches of augmented clips, made ahead of the model in worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from voicestress_model.training.augment import Augmentation, augment
from voicestress_model.training.batches import Batch, Schedule
from voicestress_model.training.clips import Clips
from voicestress_model.training.tracks import Tracks

_AHEAD = 4  # batches a worker may be ahead


class Heard(NamedTuple):
    """A batch as the model hears it."""

    pcm: Tensor  # [B, samples] int16
    labels: Tensor  # [B]
    targets: Tensor  # [B, targets] what else there is to tell of each
    tracks: Tensor  # [B, frames, values] and of its frames; not a number where there is nothing to tell


@dataclass(frozen=True)
class _AugmentedClips(Dataset[Heard]):
    clips: Clips
    targets: Tensor
    tracks: Tracks | None
    augmentation: Augmentation
    seed: int

    def __getitem__(self, batch: Batch) -> Heard:
        """A clip's draws depend on the seed, the step and the clip alone."""
        pieces = [
            augment(
                self.clips.read(clip),
                batch.samples,
                self.augmentation,
                np.random.default_rng([self.seed, batch.step, clip]),
            )
            for clip in batch.clips
        ]
        clips = [self.clips.clips[number] for number in batch.clips]
        labels = torch.tensor([clip.label for clip in clips])
        tracks = torch.empty(len(clips), 0, 0)
        if self.tracks is not None:
            told = [
                self.tracks.told(
                    clip, batch.samples, first_sample=piece.first_sample, speed=piece.speed, semitones=piece.semitones
                )
                for clip, piece in zip(batch.clips, pieces, strict=True)
            ]
            tracks = torch.from_numpy(np.stack(told))
        targets = self.targets[[clip.recording for clip in clips]]
        return Heard(torch.stack([piece.pcm for piece in pieces]), labels, targets, tracks)


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
    targets: Tensor,
    tracks: Tracks | None,
    schedule: Schedule,
    augmentation: Augmentation,
    *,
    seed: int,
    step: int,
    workers: int,
    process: int = 0,
    processes: int = 1,
) -> Iterator[Heard]:
    """The run's batches from ``step`` on, as process number ``process`` of ``processes`` hears them.

    ``targets [recordings, targets]`` are what else there is to tell of each recording, ``tracks`` of each frame.
    """
    loader: DataLoader[Heard] = DataLoader(
        _AugmentedClips(clips, targets, tracks, augmentation, seed),
        batch_size=None,
        sampler=_Share(schedule, step, process, processes),
        num_workers=workers,
        prefetch_factor=_AHEAD if workers else None,
        # Forking a process that has threads, as torch does, may deadlock.
        multiprocessing_context="spawn" if workers else None,
    )
    return iter(loader)
