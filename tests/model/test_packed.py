"""The property to defend: a window's logits do not depend on its neighbours."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import Wav2Vec2Config
from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2PreTrainedModel
from voicestress_model.agreement import onnx_logits, onnx_session, reference_logits
from voicestress_model.geometry import VIEWS, frame_count
from voicestress_model.layout import lay_out, padded_views
from voicestress_model.packed import PackedWav2Vec2

from tests.model.conftest import noise
from tests.paths import JFK_WAV

SHORTEST, LONGEST = 400, 48_000
REFERENCE_TOLERANCE = 1e-4
NEIGHBOUR_TOLERANCE = 1e-5

LENGTHS = st.integers(SHORTEST, LONGEST)
EDGE_LENGTHS = st.sampled_from([400, 401, 639, 640, 641, 719, 720, 721, 8000, LONGEST])

NEIGHBOURS = {
    "none": [],
    "79 samples": [noise(79)],
    "no samples": [noise(0)],
    "the longest": [noise(LONGEST, seed=1)],
    "longer than allowed": [noise(LONGEST + 1, seed=2)],
    "silence": [np.zeros(LONGEST, np.int16)],
    "full-scale square wave": [np.where(np.arange(LONGEST) // 40 % 2, 32767, -32768).astype(np.int16)],
    "direct current": [np.full(20_000, 32767, np.int16)],
    "all of them": [noise(79), noise(0), noise(LONGEST, seed=1), noise(LONGEST + 1), np.zeros(9000, np.int16)],
}


@pytest.fixture(scope="module")
def packed(checkpoint):
    return PackedWav2Vec2(
        checkpoint.detector, normalize=checkpoint.normalize, shortest_samples=SHORTEST, longest_samples=LONGEST
    )


@pytest.fixture(scope="module")
def session(both_precisions):
    contract = both_precisions.contract
    assert (contract.shortest_window_samples, contract.longest_window_samples) == (SHORTEST, LONGEST)
    return onnx_session(both_precisions.fp32)


@pytest.fixture(scope="module", params=["torch", "onnxruntime"])
def score(request, packed, session):
    """Logits of a batch of windows, through torch or through ONNX Runtime."""

    def through_torch(windows):
        lengths = torch.tensor([[len(window)] for window in windows], dtype=torch.int32)
        with torch.inference_mode():
            return packed(torch.from_numpy(np.concatenate(windows)), lengths).numpy()

    return through_torch if request.param == "torch" else lambda windows: onnx_logits(session, windows)


@pytest.fixture(scope="module")
def speech():
    return soundfile.read(JFK_WAV, dtype="int16")[0]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(LENGTHS | EDGE_LENGTHS, min_size=1, max_size=4), seed=st.integers(0, 2**31))
def test_logits_are_hugging_face_s_for_any_lengths(checkpoint, score, lengths, seed):
    windows = [noise(length, seed=seed + number) for number, length in enumerate(lengths)]
    assert np.abs(score(windows) - reference_logits(checkpoint, windows)).max() < REFERENCE_TOLERANCE


def test_logits_of_real_speech_are_hugging_face_s(checkpoint, score, speech):
    windows = [speech[:LONGEST], speech[60_000:68_000], speech[-33_333:]]
    assert np.abs(score(windows) - reference_logits(checkpoint, windows)).max() < REFERENCE_TOLERANCE


@pytest.mark.parametrize("neighbours", NEIGHBOURS.values(), ids=NEIGHBOURS.keys())
@pytest.mark.parametrize("place", ["first", "last"])
def test_logits_do_not_depend_on_neighbours(score, speech, neighbours, place):
    window = speech[10_000:38_000]
    alone = score([window])[0]
    batch = [window, *neighbours] if place == "first" else [*neighbours, window]
    together = score(batch)[0 if place == "first" else -1]
    assert np.abs(together - alone).max() < NEIGHBOUR_TOLERANCE


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(0, LONGEST + 2000) | EDGE_LENGTHS, max_size=5),
    place=st.integers(0, 5),
    own=LENGTHS | EDGE_LENGTHS,
    seed=st.integers(0, 2**31),
)
def test_logits_do_not_depend_on_any_neighbours(score, lengths, place, own, seed):
    window = noise(own, seed=seed)
    others = [noise(length, seed=seed + 1 + number, peak=30_000) for number, length in enumerate(lengths)]
    batch = [*others[:place], window, *others[place:]]
    together = score(batch)[min(place, len(others))]
    assert np.abs(together - score([window])[0]).max() < NEIGHBOUR_TOLERANCE


def test_up_to_as_many_windows_as_views_come_out_the_same_to_the_last_bit(session, speech):
    lengths = [641, 9000, LONGEST, 9000]
    windows = [speech[at : at + length] for at, length in zip(range(0, 40_000, 10_000), lengths, strict=True)]
    assert len(windows) == VIEWS
    alone = np.concatenate([onnx_logits(session, [window]) for window in windows])
    assert (onnx_logits(session, windows) == alone).all()
    assert (onnx_logits(session, windows[::-1]) == alone[::-1]).all()


def test_more_windows_than_views_share_a_view_with_their_like():
    lengths = torch.tensor([400, 48_000, 8000, 47_000, 0, 640, 9000, 20_000, 400, 30_000])
    views = padded_views(lay_out(lengths, SHORTEST, LONGEST)).views
    frames = [view.mask.sum(dim=1).tolist() for view in views]
    assert frames == [[149, 146, 93], [62, 27, 24], [1, 1, 1], [0, 0, 0]]
    assert [view.mask.shape[1] for view in views] == [149, 62, 1, 1]


@pytest.mark.parametrize("samples", [0, 1, 79, SHORTEST - 1, LONGEST + 1, 10 * LONGEST])
def test_a_window_out_of_bounds_gets_nan_and_only_that_window(score, samples):
    logits = score([noise(8000), noise(samples), noise(9000)])
    assert np.isnan(logits[1]).all()
    assert np.isfinite(logits[[0, 2]]).all()


def test_a_batch_of_nothing_but_rejected_windows_is_answered(score):
    assert np.isnan(score([noise(0)])).all()
    assert np.isnan(score([noise(0), noise(79), noise(LONGEST + 1)])).all()


def test_a_rejected_window_costs_one_slot_however_long_it_is():
    hour = 3600 * 16_000
    layout = lay_out(torch.tensor([8000, hour, 0]), SHORTEST, LONGEST)
    assert layout.window.tolist() == [0] * 25 + [1] + [2]
    assert [view.mask.shape[1] for view in padded_views(layout).views] == [frame_count(8000), *[1] * (VIEWS - 1)]


def test_an_offset_in_the_waveform_changes_nothing_after_normalisation(score, speech):
    window = speech[10_000:30_000] // 4
    assert np.abs(score([window + np.int16(20_000)]) - score([window])).max() < REFERENCE_TOLERANCE


@pytest.mark.parametrize("samples", [*range(380, 1100, 7), 400, 719, 720, 128_000])
def test_frame_count_is_hugging_face_s(samples):
    class Lengths(Wav2Vec2PreTrainedModel):
        pass

    lengths = Lengths(Wav2Vec2Config())._get_feat_extract_output_lengths(torch.tensor(samples))
    assert frame_count(samples) == max(0, int(lengths))
