"""Small checkpoints with the true architectures, whose logits are large enough for 1e-5 to mean something; a corpus."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from voicestress import StressContract
from voicestress_model.architectures import random_checkpoint
from voicestress_model.checkpoints import StressCheckpoint
from voicestress_model.corpora import Corpus, command, read_corpus
from voicestress_model.export import FORMATS, HALF_FILE, stress_contract
from voicestress_model.half_export import HalfExport, export_half

from tests.paths import JFK_WAV

RNG_SEED = 20_260


def with_lively_weights(checkpoint: StressCheckpoint) -> StressCheckpoint:
    """Fresh weights make nearly constant logits, trained ones don't: draw norms and biases, and scale the head."""
    generator = torch.Generator().manual_seed(RNG_SEED)
    with torch.no_grad():
        for name, parameter in checkpoint.detector.named_parameters():
            if name.startswith("head."):
                parameter.mul_(4.0)
            elif parameter.ndim == 1:
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return dataclasses.replace(checkpoint, weights="trained")


@pytest.fixture(scope="session", params=["tiny", "tiny-layer-norm"])
def checkpoint(request: pytest.FixtureRequest) -> StressCheckpoint:
    return with_lively_weights(random_checkpoint(request.param))


@pytest.fixture(scope="session")
def group_norm_checkpoint() -> StressCheckpoint:
    return with_lively_weights(random_checkpoint("tiny"))


class BothPrecisions(NamedTuple):
    """The folder of a model in fp32 and in fp16, its contract in fp32, and what its export measured on a real voice."""

    folder: Path
    contract: StressContract
    measured: HalfExport

    @property
    def fp32(self) -> Path:
        return self.folder / "1" / "model.onnx"

    @property
    def fp16(self) -> Path:
        return self.folder / "1" / HALF_FILE


@pytest.fixture(scope="session")
def both_precisions(checkpoint: StressCheckpoint, tmp_path_factory: pytest.TempPathFactory) -> BothPrecisions:
    """``checkpoint`` for windows of 400 to 48,000 samples: exporting takes seconds, so all who look at it share it."""
    folder = tmp_path_factory.mktemp("both") / "stress"
    contract = stress_contract(checkpoint, shortest_window_s=0.025, longest_window_s=3.0)
    return BothPrecisions(folder, contract, export_half(checkpoint, contract, folder, recordings=[JFK_WAV]))


@contextlib.contextmanager
def exporter_gives(graph: Path) -> Iterator[None]:
    """The exporter gives a copy of ``graph``, for tests of what is done with what it gives."""
    stub = dataclasses.replace(FORMATS["onnx"], write=lambda _, path: shutil.copyfile(graph, path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FORMATS, "onnx", stub)
        yield


def noise(samples: int, *, seed: int = 0, peak: float = 3000.0) -> np.ndarray:
    return np.clip(np.random.default_rng(seed).normal(scale=peak / 3, size=samples), -32768, 32767).astype(np.int16)


def run_corpus(*words: object) -> int:
    """``voicestress corpus`` with ``words``."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture(scope="session")
def small_corpus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic corpus in its small size, seed 0, made by the command with two processes; ``said.txt`` holds what
    the command printed.
    """
    folder = tmp_path_factory.mktemp("synthetic") / "small"
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert run_corpus("synthesize", "--out", folder, "--size", "small", "--workers", 2) == 0
    (folder / "said.txt").write_text(said.getvalue())
    return folder


@pytest.fixture(scope="session")
def small_corpus(small_corpus_folder: Path) -> Corpus:
    return read_corpus(small_corpus_folder / "manifest.csv")
