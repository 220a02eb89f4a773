"""A small corpus: pieces of one real voice, played at other speeds, with made-up speakers and labels."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from voicestress_model.corpora.synthetic.ceiling import PARAMETERS
from voicestress_model.evaluation import command

LABELS = ("neutral", "sad", "anxious")
SPEEDS = {"neutral": 1.0, "sad": 0.85, "anxious": 1.2}
SPEAKERS = {"train": 12, "dev": 2, "unseen_voices": 6}  # boosted trees make no leaf of fewer than 20 utterances
CLIPS_EACH = 6


def evaluate_command(*argv: object) -> int:
    """``voicestress evaluate`` with ``argv``."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(argument) for argument in argv]))


def write_manifest(path: Path, rows: list[dict[str, object]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory, speech: np.ndarray) -> list[dict[str, object]]:
    """The rows of a manifest whose recordings exist; paths are absolute."""
    folder = tmp_path_factory.mktemp("clips")
    generator = np.random.default_rng(3)
    found: list[dict[str, object]] = []
    for split, speakers in SPEAKERS.items():
        for speaker in range(speakers):
            for clip in range(CLIPS_EACH):
                label = LABELS[clip % 3]
                seconds = 5.0 if clip == 0 else generator.uniform(0.7, 1.6)
                start = int(generator.integers(0, len(speech) - 1.3 * seconds * 16_000))
                piece = speech[start : start + int(seconds * 16_000)].astype(np.float64) / 32768
                piece = soxr.resample(piece, 16_000, 16_000 / SPEEDS[label])
                path = folder / f"{split}-{speaker}-{clip}.wav"
                soundfile.write(path, piece, 16_000)
                drawn = {name: f"{LABELS.index(label) + generator.normal():.3f}" for name in PARAMETERS}
                drawn |= dict.fromkeys(("f0_range", "duration", "jitter"), f"{SPEEDS[label]:.2f}")
                sex = "female" if speaker % 2 else "male"
                found.append(
                    {"path": path, "label": label, "speaker": f"{split}-{speaker}", "split": split, "sex": sex} | drawn
                )
    return found


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]) -> Path:
    return write_manifest(tmp_path_factory.mktemp("corpus") / "pieces.csv", rows)


@pytest.fixture(scope="session")
def checkpoint_folder(tmp_path_factory: pytest.TempPathFactory, lively_checkpoints) -> Path:
    """What the server of these tests serves as ``group_norm``."""
    folder = tmp_path_factory.mktemp("checkpoint") / "lively"
    lively_checkpoints["group_norm"].save(folder)
    return folder
