"""The real peers: each gives a window the logits that Hugging Face gives it. `make bench` installs them."""

from __future__ import annotations

import dataclasses
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
def folder(checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint")
    checkpoint.save(path)
    return path


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.app)
@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_window_alone_gets_the_checkpoints_logits(peer: Peer, batch_size: int, checkpoint, folder):
    if (refusal := peer.refusal()) is not None:
        pytest.skip(refusal)
    if batch_size > 1 and not peer.batches:
        pytest.skip("it does not batch")
    setting = dataclasses.replace(peer.layouts[-1], batch_size=batch_size)
    with serving(peer, setting, folder, WINDOWS[0]) as server:
        logits = np.stack([ask(peer, server.url, window) for window in WINDOWS])
        answers = busy(peer, server.url, WINDOWS, callers=8, seconds=3)
    assert np.abs(logits - reference_logits(checkpoint, WINDOWS)).max() <= TOLERANCE
    assert {answer.outcome for answer in answers} <= {"scored"}
