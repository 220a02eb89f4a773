"""Epoch after epoch, from wherever the run stands."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm.auto import tqdm

from voicestress_model.geometry import SAMPLE_RATE_HZ
from voicestress_model.training import progress as kept
from voicestress_model.training.batches import Schedule
from voicestress_model.training.clips import Clips, TrainingClips
from voicestress_model.training.learner import Learner, Step
from voicestress_model.training.loader import augmented_batches
from voicestress_model.training.optimiser import rate_factor
from voicestress_model.training.progress import Epoch, Progress
from voicestress_model.training.scoring import (
    unweighted_average_recall,
    unweighted_average_recall_error,
    window_logits,
)
from voicestress_model.training.settings import TrainingSettings
from voicestress_model.training.temperature import negative_log_likelihood
from voicestress_model.training.tracks import Tracks

_BOARD_EVERY_STEPS = 10


@dataclass(frozen=True)
class Surroundings:
    """Where a run computes, keeps itself and says how it goes."""

    accelerator: Accelerator
    folder: Path
    board: SummaryWriter | None
    report: Callable[[str], object]
    bar: bool


def learn(
    learner: Learner,
    clips: TrainingClips,
    targets: Tensor,
    tracks: Tracks | None,
    settings: TrainingSettings,
    around: Surroundings,
    progress: Progress,
) -> Progress:
    """Train ``learner`` from ``progress`` to the end, and keep it in ``around.folder`` on the way.

    ``targets [recordings, targets]`` are what there is to tell beside the labels, ``tracks`` what of each frame.
    The end is the last epoch, or when patience is over. The best epoch's weights are kept in the
    folder, ``learner`` has the last one's.

    Raises:
        TrainingError: the loss is not a number.
    """
    lengths = [clip.samples for clip in clips.train.clips]
    schedule = Schedule(lengths, settings.batches, seed=settings.seed, epochs=settings.epochs)
    processes = around.accelerator.num_processes
    if progress.step:
        around.report(f"going on from step {progress.step} of {schedule.steps}")
    if progress.step == schedule.steps or progress.is_patience_over(settings.patience):
        return progress
    main = around.accelerator.is_main_process
    batches = augmented_batches(
        clips.train,
        targets,
        tracks,
        schedule,
        settings.augment,
        seed=settings.seed,
        step=progress.step,
        workers=settings.batches.workers,
        process=around.accelerator.process_index,
        processes=processes,
    )
    bar = tqdm(total=schedule.steps, initial=progress.step, unit="step", disable=not (main and around.bar))
    resumed = time.monotonic() - progress.wall_s
    with bar:
        for heard in batches:
            factor = rate_factor(progress.step, schedule.steps, settings.optimiser.warmup_share)
            step = learner.learn(heard, step=progress.step, rate_factor=factor)
            heard_s = heard.pcm.numel() / SAMPLE_RATE_HZ * around.accelerator.num_processes
            progress = progress.after(step.loss, heard_s, wall_s=time.monotonic() - resumed)
            bar.update()
            bar.set_postfix(loss=f"{step.loss:.3f}", refresh=False)
            if around.board and progress.step % _BOARD_EVERY_STEPS == 0:
                _draw(around.board, progress.step, step, factor * settings.optimiser.peak_lr)
            epoch_is_over = progress.step in schedule.ends
            if epoch_is_over:
                rate = factor * settings.optimiser.peak_lr
                progress = _end_epoch(learner, clips.dev, progress, rate, around)
                progress = dataclasses.replace(progress, wall_s=time.monotonic() - resumed)
            if main and (epoch_is_over or progress.step % settings.save_every_steps == 0):
                kept.save(around.folder, progress, settings, learner.state(), processes=processes)
            if epoch_is_over and progress.is_patience_over(settings.patience):
                around.report(f"no better epoch in {settings.patience}: stopping")
                break
    return progress


def dev_logits(learner: Learner, clips: Clips, accelerator: Accelerator) -> np.ndarray:
    """Logits ``[clips, labels]``, each process scoring its share."""
    numbers = range(accelerator.process_index, len(clips.clips), accelerator.num_processes)
    own = window_logits(learner.outcome, clips, numbers, normalize=learner.normalize, device=accelerator.device)
    parts = gather_object([(list(numbers), own)])
    logits = np.empty((len(clips.clips), own.shape[1]), np.float32)
    for places, rows in parts:
        logits[places] = rows
    return logits


def _end_epoch(learner: Learner, dev: Clips, progress: Progress, rate: float, around: Surroundings) -> Progress:
    """Score the split "dev", write the epoch down, and keep its weights if it is the best so far."""
    logits = dev_logits(learner, dev, around.accelerator)
    labels = np.array([clip.label for clip in dev.clips])
    recordings = np.array([clip.recording for clip in dev.clips])
    epoch = Epoch(
        epoch=len(progress.history) + 1,
        step=progress.step,
        learning_rate=rate,
        train_loss=progress.loss_sum / progress.loss_count,
        dev_uar=unweighted_average_recall(logits, labels, recordings),
        dev_uar_error=unweighted_average_recall_error(logits, labels, recordings),
        dev_nll=negative_log_likelihood(logits, labels),
        wall_s=progress.wall_s,
    )
    progress = dataclasses.replace(progress, loss_sum=0.0, loss_count=0, history=(*progress.history, epoch))
    if around.board:
        around.board.add_scalar("dev/uar", epoch.dev_uar, epoch.step)
        around.board.add_scalar("dev/nll", epoch.dev_nll, epoch.step)
    if around.accelerator.is_main_process and progress.best == epoch:
        kept.save_best(around.folder, epoch.epoch, learner.outcome.state_dict())
    around.report(
        f"epoch {epoch.epoch}: loss {epoch.train_loss:.3f}, dev UAR {epoch.dev_uar:.3f}, dev NLL {epoch.dev_nll:.3f}, "
        f"{progress.heard_s / progress.wall_s:.0f} audio-seconds a second"
        f"{', the best so far' if progress.best == epoch else ''}"
    )
    return progress


def _draw(board: SummaryWriter, number: int, step: Step, rate: float) -> None:
    board.add_scalar("train/loss", step.loss, number)
    board.add_scalar("train/gradient_norm", step.gradient_norm, number)
    board.add_scalar("train/learning_rate", rate, number)
