"""The same property at full size, where sums are longer and errors add up. Slow: `make bench` runs it."""

from __future__ import annotations

import numpy as np
import pytest
from voicestress_model import export_model, random_checkpoint, stress_contract
from voicestress_model.agreement import onnx_logits, onnx_session, reference_logits

from tests.model.conftest import noise, with_lively_weights
from tests.model.test_packed import NEIGHBOUR_TOLERANCE, REFERENCE_TOLERANCE

pytestmark = pytest.mark.slow

LONGEST = 80_000


@pytest.fixture(scope="module", params=["wav2vec2-base", "wav2vec2-large-12"])
def exported(request, tmp_path_factory):
    checkpoint = with_lively_weights(random_checkpoint(request.param))
    folder = tmp_path_factory.mktemp(request.param) / "stress"
    export_model(checkpoint, stress_contract(checkpoint, longest_window_s=LONGEST / 16_000), folder)
    return checkpoint, onnx_session(folder / "1" / "model.onnx")


def test_logits_of_real_speech_are_hugging_face_s(exported, speech):
    checkpoint, session = exported
    windows = [speech[:LONGEST], speech[60_000:68_000], speech[-33_333:]]
    assert np.abs(onnx_logits(session, windows) - reference_logits(checkpoint, windows)).max() < REFERENCE_TOLERANCE


def test_logits_do_not_depend_on_neighbours(exported, speech):
    _, session = exported
    window = speech[10_000:38_000]
    alone = onnx_logits(session, [window])[0]
    square = np.where(np.arange(LONGEST) // 40 % 2, 32767, -32768).astype(np.int16)
    neighbours = [noise(79), noise(LONGEST), np.zeros(LONGEST, np.int16), square]
    for batch, place in (([window, *neighbours], 0), ([*neighbours, window], -1)):
        assert np.abs(onnx_logits(session, batch)[place] - alone).max() < NEIGHBOUR_TOLERANCE
