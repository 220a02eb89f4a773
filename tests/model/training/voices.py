"""A corpus small enough to train on in seconds: hums of one second whose pitch gives the label away."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml
from voicestress_model.training import TrainingSettings, train

RATE_HZ = 16_000
PITCH_HZ = {"neutral": 120.0, "sad": 90.0, "anxious": 190.0}
SPEAKERS = {"train": ("ann", "ben", "cat"), "dev": ("dan", "eve")}

# About 20,000 parameters, with everything in it that a real one has.
SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": 16,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 4,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
}
HEAD = {"kind": "attentive_statistics", "bottleneck": 16, "attention": 8, "dropout": 0.1}


def hum(pitch_hz: float, rng: np.random.Generator, *, seconds: float = 1.0) -> np.ndarray:
    """A buzz with harmonics and a slow swell, float32 ``[n]``."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * pitch_hz * time_s + rng.uniform(0, 2 * np.pi)
    voice = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 10))
    swell = 1 + 0.3 * np.sin(2 * np.pi * 2 * time_s)
    return (0.1 * voice * swell + rng.normal(scale=0.002, size=len(time_s))).astype(np.float32)


def write_corpus(folder: Path, *, each: int = 4, split: bool = True) -> Path:
    """A manifest of ``each`` hums a speaker and label, and its recordings."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, speakers in SPEAKERS.items():
        for speaker in speakers:
            for label, pitch_hz in PITCH_HZ.items():
                for number in range(each):
                    file = f"{speaker}-{label}-{number}.wav"
                    voice = hum(pitch_hz * rng.uniform(0.95, 1.05), rng, seconds=rng.uniform(0.9, 1.3))
                    soundfile.write(folder / file, voice, RATE_HZ)
                    rows.append({"path": file, "label": label, "speaker": speaker} | ({"split": name} if split else {}))
    return write_manifest(folder / "manifest.csv", rows)


def write_manifest(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_manifest(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def settings_of(manifest: Path, out: Path, **changes: Any) -> dict[str, Any]:
    """Settings for the smallest run, in the form they have in YAML."""
    settings: dict[str, Any] = {
        "corpus": {"path": str(manifest)},
        "out": str(out),
        "model": {
            "architecture": "tiny",
            "shape": SHAPE,
            "head": HEAD,
            "weighted_layer_sum": True,
            "dropout": 0.05,
        },
        "epochs": 2,
        "threads": 1,  # so small a model is faster on one, and its last digits depend on the number
        "optimiser": {"peak_lr": 1e-2},
        "batches": {"audio_s": 4.0, "crop_s": [0.7, 1.2], "workers": 0},
        "augment": {"noise": {"probability": 0.5}, "gain": {"probability": 0.5}},
    }
    return _merged(settings, changes)


def write_settings(path: Path, settings: Mapping[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(dict(settings)))
    return path


def _merged(settings: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(settings)
    for name, value in changes.items():
        joined = isinstance(value, dict) and name in merged and "kind" not in value
        merged[name] = _merged(merged[name], value) if joined else value
    return merged


def run(manifest, out, **changes):
    """Train on ``manifest`` into ``out`` with the small settings; the run's record."""
    return train(TrainingSettings.model_validate(settings_of(manifest, out, **changes)))
