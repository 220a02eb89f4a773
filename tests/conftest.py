"""One real Triton for all tests that only ask it things."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from voicestress import StressClient
from voicestress_triton import TritonServer

from tests.model.conftest import with_lively_weights
from tests.paths import JFK_WAV, MODEL_REPOSITORY

# Its config is a model's that nobody exported as a stress model.
NOT_A_STRESS_MODEL = "plain"


@pytest.fixture(scope="session")
def lively_checkpoints():
    """Checkpoints of both norm kinds by the name of the model they are served as."""
    from voicestress_model import random_checkpoint

    names = {"group_norm": "tiny", "layer_norm": "tiny-layer-norm"}
    return {model: with_lively_weights(random_checkpoint(architecture)) for model, architecture in names.items()}


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory, lively_checkpoints) -> Path:
    """The shipped model, one of each norm kind with lively weights, and one that is no stress model."""
    from voicestress_model import export_model, stress_contract

    folder = tmp_path_factory.mktemp("repository")
    shutil.copytree(MODEL_REPOSITORY / "stress", folder / "stress")
    for name, checkpoint in lively_checkpoints.items():
        export_model(checkpoint, stress_contract(checkpoint, longest_window_s=3.0), folder / name)
    shutil.copytree(folder / "stress", folder / NOT_A_STRESS_MODEL)
    config = folder / NOT_A_STRESS_MODEL / "config.pbtxt"
    lines = config.read_text().replace('name: "stress"', f'name: "{NOT_A_STRESS_MODEL}"').splitlines()
    config.write_text("\n".join(line for line in lines if not line.startswith("parameters")))
    return folder


@pytest.fixture(scope="session")
def server(repository: Path) -> Iterator[TritonServer]:
    with TritonServer(repository) as running:
        yield running


@pytest.fixture(scope="session")
def client(server: TritonServer) -> Iterator[StressClient]:
    """A client of the lively model, which warns of nothing."""
    with StressClient(server.url, model="group_norm") as connected:
        yield connected


@pytest.fixture(scope="session")
def speech():
    """Eleven seconds of a real voice, int16 at 16 kHz."""
    return soundfile.read(JFK_WAV, dtype="int16")[0]
