"""The real peers: each gives a window the logits that Hugging Face gives it. `make bench` installs them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from voicestress_model import random_checkpoint
from voicestress_model.agreement import reference_logits

from load_tests.bench.peers import TOLERANCE, serving
from load_tests.bench.workload import mixed_speech
from load_tests.peers.caller import ask, busy
from load_tests.peers.catalogue import PEERS, Peer
from tests.model.conftest import with_lively_weights

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
WINDOWS = mixed_speech(6, seed=3)


@pytest.fixture(scope="module")
def checkpoint():
    return with_lively_weights(random_checkpoint("tiny"))


@pytest.fixture(scope="module")
def reference(checkpoint) -> np.ndarray:
    return reference_logits(checkpoint, WINDOWS)


@pytest.fixture(scope="module")
def folder(checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint")
    checkpoint.save(path)
    return path


CASES = [(peer, size) for peer in PEERS for size in ((1, 4) if peer.batches else (1,))]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0].app}-{case[1]}")
def served(request: pytest.FixtureRequest, folder: Path) -> Iterator[tuple[Peer, int, str]]:
    """A peer with its largest batch, and where it listens."""
    peer, batch_size = request.param
    if (refusal := peer.refusal()) is not None:
        pytest.skip(refusal)
    setting = dataclasses.replace(peer.layouts[-1], batch_size=batch_size)
    with serving(peer, setting, folder, WINDOWS[0]) as server:
        yield peer, batch_size, server.url


def test_a_window_alone_gets_the_checkpoints_logits(served, reference):
    peer, _, url = served
    logits = np.stack([ask(peer, url, window) for window in WINDOWS])
    assert np.abs(logits - reference).max() <= TOLERANCE


def test_many_callers_are_all_answered(served):
    peer, _, url = served
    answers = busy(peer, url, WINDOWS, callers=8, seconds=5)
    assert {answer.outcome for answer in answers} == {"scored"}


def test_it_batches_when_told_to_which_moves_the_logits_of_padded_windows(served, reference):
    peer, batch_size, url = served
    with ThreadPoolExecutor(len(WINDOWS)) as callers:
        together = [np.stack(list(callers.map(lambda window: ask(peer, url, window), WINDOWS))) for _ in range(5)]
    moved = np.abs(np.stack(together) - reference).max()
    assert (moved > TOLERANCE) == (batch_size > 1)
