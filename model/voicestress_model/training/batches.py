"""Which clips are heard together: a pure function of the seed and the epoch, so that any point can be found again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from voicestress_model.geometry import SAMPLE_RATE_HZ
from voicestress_model.training.settings import BatchSettings

# Clips are sorted by their length times a factor drawn from here before they are batched. Sorting wastes little audio
# on the shortest clip of a batch; the jitter keeps batches mixed, since length may go with the label.
_LENGTH_JITTER = (0.85, 1.18)


class Batch(NamedTuple):
    """``clips`` by number, each to be cut to ``samples``; ``step`` counts the batches from the start of training."""

    step: int
    clips: tuple[int, ...]
    samples: int


def epoch_batches(lengths: Sequence[int], settings: BatchSettings, *, seed: int, epoch: int) -> list[Batch]:
    """Every clip once, in batches of about ``settings.audio_s`` seconds; ``lengths`` are in samples.

    Steps are counted from 0 within the epoch.
    """
    rng = np.random.default_rng([seed, epoch])
    sizes = np.asarray(lengths)
    order = np.argsort(sizes * rng.uniform(*_LENGTH_JITTER, size=len(sizes)), kind="stable")
    budget = settings.audio_s * SAMPLE_RATE_HZ
    batches: list[tuple[tuple[int, ...], int]] = []
    taken = 0
    while taken < len(order):
        crop = round(rng.uniform(*settings.crop_s) * SAMPLE_RATE_HZ)
        running = np.minimum(np.minimum.accumulate(sizes[order[taken:]]), crop)  # the batch's crop with so many clips
        fits = running * np.arange(1, len(running) + 1) <= budget
        count = max(1, len(fits) if fits.all() else int(np.argmin(fits)))
        batches.append((tuple(int(clip) for clip in order[taken : taken + count]), int(running[count - 1])))
        taken += count
    return [Batch(step, *batches[place]) for step, place in enumerate(rng.permutation(len(batches)))]


class Schedule:
    """All batches of a run.

    Epochs have different numbers of batches, as crops are drawn. They are all planned at the start: the learning rate
    has to know the end.
    """

    def __init__(self, lengths: Sequence[int], settings: BatchSettings, *, seed: int, epochs: int) -> None:
        self._plan = lambda epoch: epoch_batches(lengths, settings, seed=seed, epoch=epoch)
        counts = [len(self._plan(epoch)) for epoch in range(epochs)]
        self.ends = np.cumsum(counts).tolist()  # [epochs] the first step after each epoch
        self.steps: int = self.ends[-1]

    def from_step(self, step: int) -> Iterator[Batch]:
        """The batches from ``step`` on to the end of training."""
        for epoch, end in enumerate(self.ends):
            start = self.ends[epoch - 1] if epoch else 0
            if end > step:
                for batch in self._plan(epoch):
                    if start + batch.step >= step:
                        yield batch._replace(step=start + batch.step)
