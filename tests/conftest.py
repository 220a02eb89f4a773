"""One real Triton for all tests that only ask it things."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from voicestress import StressClient
from voicestress_triton import TritonServer

os.environ["HF_HUB_OFFLINE"] = "1"  # before Hugging Face's libraries are imported: no test asks the hub

from tests.model.conftest import with_lively_weights
from tests.paths import JFK_WAV, MODEL_REPOSITORY

# What can be wrong with a model that is served, each under a name of its own: lines of its config.pbtxt are changed.
NOT_A_STRESS_MODEL = "plain"
CROWDED_MODEL = "crowded"
BOASTING_MODEL = "boasting"
RANDOM_MODEL = "random"
TORCHSCRIPT_MODEL = "torchscript"
SPOILT = {
    NOT_A_STRESS_MODEL: (r"^parameters .*$", ""),
    # It waits for more windows than its queue holds.
    CROWDED_MODEL: (r"^dynamic_batching \{", "dynamic_batching {\n  max_queue_delay_microseconds: 2000000"),
    # It states a shorter window than its graph takes.
    BOASTING_MODEL: (r'(stress_shortest_window_samples".*string_value: )"\d+"', r'\1"400"'),
}


@pytest.fixture(scope="session")
def lively_checkpoints():
    """Checkpoints of both norm kinds by the name of the model they are served as, one of them as TorchScript too."""
    from voicestress_model import random_checkpoint

    names = {"group_norm": "tiny", "layer_norm": "tiny-layer-norm"}
    served = {model: with_lively_weights(random_checkpoint(architecture)) for model, architecture in names.items()}
    return {**served, TORCHSCRIPT_MODEL: served["group_norm"]}


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory, lively_checkpoints) -> Path:
    """The shipped model, one of each norm kind with lively weights, one nobody trained, and those of ``SPOILT``."""
    from voicestress_model import export_model, random_checkpoint, stress_contract

    folder = tmp_path_factory.mktemp("repository")
    shutil.copytree(MODEL_REPOSITORY / "stress", folder / "stress")
    for name, checkpoint in lively_checkpoints.items():
        made = "torchscript" if name == TORCHSCRIPT_MODEL else "onnx"
        export_model(checkpoint, stress_contract(checkpoint, longest_window_s=3.0), folder / name, format=made)
    untrained = random_checkpoint("tiny")
    export_model(untrained, stress_contract(untrained), folder / RANDOM_MODEL)
    for name, (pattern, replacement) in SPOILT.items():
        shutil.copytree(folder / "group_norm", folder / name)
        config = folder / name / "config.pbtxt"
        text = config.read_text().replace('name: "group_norm"', f'name: "{name}"')
        if name == CROWDED_MODEL:
            text = re.sub(r"max_queue_size: \d+", "max_queue_size: 1", text)
        config.write_text(re.sub(pattern, replacement, text, flags=re.MULTILINE))
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
