"""A training run, from its settings to a checkpoint."""

from __future__ import annotations

import contextlib
import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter
from tqdm.auto import tqdm

from voicestress_model.checkpoints import StressCheckpoint
from voicestress_model.corpora import Corpus, write_manifest
from voicestress_model.detector import ARTICLE_LABELS
from voicestress_model.training import progress as kept
from voicestress_model.training.clips import decode, write_atomically
from voicestress_model.training.corpus import split_corpus, with_shuffled_labels
from voicestress_model.training.detectors import detector_to_train
from voicestress_model.training.errors import TrainingError
from voicestress_model.training.learner import Learner, accelerator_for
from voicestress_model.training.loop import Surroundings, dev_logits, learn
from voicestress_model.training.optimiser import class_weights
from voicestress_model.training.progress import Progress
from voicestress_model.training.record import RECORD_NAME, run_record
from voicestress_model.training.settings import TrainingSettings
from voicestress_model.training.targets import detail_targets, prosody_targets
from voicestress_model.training.temperature import fit_temperature, negative_log_likelihood
from voicestress_model.training.tracks import VALUES, clip_tracks

_PROGRESS_FOLDER = "progress"


def train(
    settings: TrainingSettings, *, report: Callable[[str], object] = lambda line: None, bar: bool = False
) -> dict[str, Any]:
    """Train as ``settings`` say, write the checkpoint to ``settings.out``, and return the run's record.

    The folder gets a Hugging Face checkpoint with the best epoch's weights and their temperature
    (``stress_temperature`` in config.json), ``training.json`` with the record, ``corpus.csv`` with the recordings and
    their splits, to evaluate with, and ``tensorboard/``. A run that was
    stopped goes on from its last saved step. ``report`` is told how it goes, a line at a time.

    Raises:
        CorpusError, CheckpointError, TrainingError: before anything is computed, what is wrong with the corpus, the
            model or the settings; later, too many recordings that can't be used, or a loss that is not a number.
    """
    if (settings.out / RECORD_NAME).exists():
        raise TrainingError(f"{settings.out}: holds a finished run. Train into another folder, or delete it.")
    if settings.out.exists() and not settings.out.is_dir():
        raise TrainingError(f"{settings.out}: is a file; `out` names a folder.")
    accelerator = accelerator_for(settings.precision)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    split = split_corpus(settings.corpus, seed=settings.seed)
    corpus = with_shuffled_labels(split, seed=settings.seed) if settings.corpus.shuffle_labels else split
    _check_class_weights(corpus, settings)
    targets = detail_targets(corpus, settings.auxiliary.details)
    detector, normalize = detector_to_train(settings.model, corpus.labels, seed=settings.seed)

    folder = settings.out / _PROGRESS_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    main = accelerator.is_main_process
    recordings = len(corpus.split("train")) + len(corpus.split("dev"))
    with accelerator.main_process_first(), tqdm(total=recordings, unit="rec", disable=not (main and bar)) as decoding:
        clips = decode(corpus, folder, settings.corpus, decoding.update)
        if settings.auxiliary.prosody:
            decoding.reset()
            targets = torch.cat([targets, prosody_targets(corpus, folder, decoding.update)], dim=1)
        tracks = None
        if settings.auxiliary.tracks:
            decoding.reset(len(clips.train.clips))
            tracks = clip_tracks(clips.train, folder, decoding.update)
    say = report if main else _nobody
    for item in clips.rejected:
        say(f"skipped: {item.reason}")
    learner = Learner(
        detector,
        accelerator,
        settings.optimiser,
        normalize=normalize,
        at_once_s=settings.batches.at_once_s,
        class_weights=class_weights(clips.train.count_labels(corpus.labels), settings.optimiser),
        told=targets.shape[1],
        told_of_frames=0 if tracks is None else len(VALUES),
        told_weight=settings.auxiliary.weight,
        seed=settings.seed,
    )
    progress = Progress()
    if (begun := kept.load(folder, settings, processes=accelerator.num_processes)) is not None:
        progress, tensors = begun
        learner.restore(tensors)
    with _board(settings.out / "tensorboard", progress.step) if main else contextlib.nullcontext() as board:
        around = Surroundings(accelerator, folder, board, say, bar)
        progress = learn(learner, clips, targets, tracks, settings, around, progress)

    best = progress.best
    assert best is not None  # there is at least one epoch
    accelerator.wait_for_everyone()  # the main process may still be writing
    trained = learner.outcome
    trained.load_state_dict(kept.load_best(folder, best.epoch))
    logits = dev_logits(learner, clips.dev, accelerator)
    labels = np.array([clip.label for clip in clips.dev.clips])
    temperature = fit_temperature(logits, labels)
    record = run_record(
        settings,
        corpus,
        clips,
        trained,
        progress,
        temperature=temperature,
        dev_nll=negative_log_likelihood(logits, labels, temperature),
        processes=accelerator.num_processes,
    )
    if main:
        trained.config.stress_temperature = temperature
        StressCheckpoint(trained.cpu(), normalize, settings.out.name, "trained").save(settings.out)
        write_manifest(split, settings.out / "corpus.csv")
        write_atomically(settings.out / RECORD_NAME, json.dumps(record, indent=1).encode())
        shutil.rmtree(folder)
        _summarise(record, settings.out, say)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return record


def _summarise(record: dict[str, Any], out: Path, say: Callable[[str], object]) -> None:
    if skipped := len(record["corpus"]["rejected"]):
        say(f"{skipped} recordings were skipped")
    say(
        f"{out}: dev UAR {record['dev_uar']:.3f} after epoch {record['best_epoch']} of {len(record['epochs'])}, "
        f"temperature {record['temperature']:.2f}, {record['wall_s'] / 60:.1f} minutes"
    )
    labels = record["labels"]
    weights = "" if set(labels) == set(ARTICLE_LABELS) else f" --label-weights {','.join(f'{x}=…' for x in labels)}"
    say(f"evaluate it with: voicestress evaluate {out} {out / 'corpus.csv'} --out {out / 'evaluation'}{weights}")
    say(f"export it with: voicestress export {out} --out model_repository/stress{weights}")


def _check_class_weights(corpus: Corpus, settings: TrainingSettings) -> None:
    weights = settings.optimiser.class_weights
    if isinstance(weights, dict) and set(weights) != set(corpus.labels):
        raise TrainingError(
            f"optimiser.class_weights: weights are given for {', '.join(weights)}; "
            f"the labels are {', '.join(corpus.labels)}"
        )


@contextlib.contextmanager
def _board(folder: Path, saved_step: int) -> Iterator[SummaryWriter]:
    """What a run that was stopped drew after ``saved_step`` is drawn again, and counts no more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TensorBoard's own, of no concern to who trains
        board = SummaryWriter(str(folder), purge_step=saved_step + 1)
    try:
        yield board
    finally:
        board.close()


def _nobody(line: str) -> None:
    """Who is told what another process says already."""
