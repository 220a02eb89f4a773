"""The parts of the package that need no server."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import voicestress_triton
from voicestress_triton.ragged import BatchPlan, ItemShape, assemble, refusal, split

PLAN = BatchPlan(
    batching=True,
    inputs=("PCM",),
    ranks=(2,),
    ragged=frozenset({"PCM"}),
    item_shapes=(ItemShape("LENGTHS", "PCM", np.dtype(np.int32)),),
    outputs=("LOGITS",),
)


def test_every_public_name_is_there():
    assert all(getattr(voicestress_triton, name).__name__ == name for name in voicestress_triton.__all__)


def test_a_model_instance_does_not_load_the_client_library():
    script = (
        "import sys, voicestress_triton.ragged, voicestress_triton.signature; sys.exit('voicestress' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_rows_are_laid_end_to_end_with_one_length_each():
    two_rows = np.arange(6, dtype=np.int16).reshape(2, 3)
    feeds = assemble(PLAN, [{"PCM": two_rows}, {"PCM": np.zeros((1, 0), np.int16)}, {"PCM": two_rows[:1, :2]}])
    np.testing.assert_array_equal(feeds["PCM"], [0, 1, 2, 3, 4, 5, 0, 1])
    np.testing.assert_array_equal(feeds["LENGTHS"], [[3], [3], [0], [2]])
    assert feeds["LENGTHS"].dtype == np.int32


@pytest.mark.parametrize(("shape", "right"), [((1, 0), True), ((3, 5), True), ((0,), False), ((0, 5), False)])
def test_only_a_request_with_rows_may_join_a_batch(shape: tuple[int, ...], right: bool):
    assert (refusal(PLAN, {"PCM": np.zeros(shape, np.int16)}) is None) == right


def test_audio_of_a_lone_request_and_answers_are_not_copied():
    request = {"PCM": np.zeros((2, 3), np.int16)}
    assert np.shares_memory(assemble(PLAN, [request])["PCM"], request["PCM"])
    logits = np.zeros((4, 3), np.float32)
    answers = split(PLAN, [request, request], [logits])
    assert [answer.shape for [answer] in answers] == [(2, 3), (2, 3)]
    assert all(np.shares_memory(answer, logits) for [answer] in answers)
