"""What a run writes down about itself, for the model card and for whoever wants to do it again."""

from __future__ import annotations

import dataclasses
import platform
from importlib.metadata import version
from typing import Any

import torch

from voicestress_model.corpora import Corpus
from voicestress_model.detector import StressDetector
from voicestress_model.training.clips import Clips, TrainingClips
from voicestress_model.training.progress import Progress
from voicestress_model.training.settings import TrainingSettings

RECORD_NAME = "training.json"
_PACKAGES = ("voicestress", "torch", "torchaudio", "transformers", "accelerate", "numpy")


def run_record(
    settings: TrainingSettings,
    corpus: Corpus,
    clips: TrainingClips,
    detector: StressDetector,
    progress: Progress,
    *,
    temperature: float,
    dev_nll: float,
    processes: int,
) -> dict[str, Any]:
    """Everything as plain values; ``dev_nll`` is at ``temperature``, in nats a window."""
    best = progress.best
    assert best is not None
    return {
        "settings": settings.model_dump(mode="json"),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        "device": detector.device.type,
        "processes": processes,
        "threads": torch.get_num_threads(),
        "parameters": sum(parameter.numel() for parameter in detector.parameters()),
        "labels": list(corpus.labels),
        "corpus": {
            "name": corpus.name,
            "train": _summary(clips.train, corpus),
            "dev": _summary(clips.dev, corpus),
            "dropped_labels": dict(corpus.dropped),
            "rejected": [item.reason for item in clips.rejected],
        },
        "epochs": [dataclasses.asdict(epoch) for epoch in progress.history],
        "best_epoch": best.epoch,
        "dev_uar": best.dev_uar,
        "dev_nll": dev_nll,
        "temperature": temperature,
        "wall_s": progress.wall_s,
        "audio_s_per_s": progress.heard_s / progress.wall_s,
    }


def _summary(clips: Clips, corpus: Corpus) -> dict[str, Any]:
    return {
        "recordings": len({clip.recording for clip in clips.clips}),
        "windows": len(clips.clips),
        "audio_s": round(clips.seconds, 1),
        "labels": clips.count_labels(corpus.labels),
    }
