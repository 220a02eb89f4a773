"""One small corpus and one finished run, for all tests that only look at them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from voicestress_model.training import TrainingSettings, train

from tests.model.training.voices import settings_of, write_corpus

# Long enough to learn the hums, and to be killed in.
LONG = {
    "epochs": 12,
    "save_every_steps": 3,
    "optimiser": {"averaging": 0.8, "frozen_steps": 2},
    "auxiliary": {"prosody": True},
}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of a corpus of hums, split."""
    return write_corpus(tmp_path_factory.mktemp("hums"))


@pytest.fixture(scope="session")
def finished(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was never disturbed."""
    out = tmp_path_factory.mktemp("runs") / "undisturbed"
    with own_threads():
        train(TrainingSettings.model_validate(settings_of(corpus, out, **LONG)))
    return out


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    with own_threads():
        yield


@contextmanager
def own_threads() -> Iterator[None]:
    """One thread, as so small models are fastest with; training sets it for the whole process, so set it back."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
