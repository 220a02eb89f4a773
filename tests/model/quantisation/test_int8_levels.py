"""The property to defend, in int8: a window's level does not depend on its neighbours, and is fp32's, nearly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from voicestress_model.agreement import onnx_logits, onnx_session

from tests.model.conftest import noise
from tests.model.test_packed import LONGEST, NEIGHBOURS

SHORTEST = 8000
SAME_TO_TWO_DECIMALS = 0.005


@pytest.fixture(scope="module")
def levels(graphs):
    """Levels of a batch of windows, in int8."""
    session = onnx_session(graphs.int8)
    return lambda windows: graphs.contract.levels(graphs.contract.emotions(onnx_logits(session, windows)))


@pytest.mark.parametrize("neighbours", NEIGHBOURS.values(), ids=NEIGHBOURS.keys())
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_level_does_not_depend_on_neighbours(levels, speech, neighbours, place):
    window = speech[10_000:38_000]
    alone = levels([window])[0]
    batch = [window, *neighbours] if place == "first" else [*neighbours, window]
    together = levels(batch)[0 if place == "first" else -1]
    assert abs(together - alone) < SAME_TO_TWO_DECIMALS


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(0, LONGEST + 2000), max_size=5),
    peaks=st.lists(st.sampled_from([1.0, 300.0, 30_000.0]), min_size=6, max_size=6),
    place=st.integers(0, 5),
    own=st.integers(SHORTEST, LONGEST),
    seed=st.integers(0, 2**31),
)
def test_a_level_does_not_depend_on_any_neighbours(levels, lengths, peaks, place, own, seed):
    window = noise(own, seed=seed, peak=peaks[5])
    others = [noise(n, seed=seed + 1 + i, peak=peak) for i, (n, peak) in enumerate(zip(lengths, peaks, strict=False))]
    batch = [*others[:place], window, *others[place:]]
    together = levels(batch)[min(place, len(others))]
    assert abs(together - levels([window])[0]) < SAME_TO_TWO_DECIMALS


@pytest.mark.parametrize("samples", [0, 79, SHORTEST - 1, LONGEST + 1])
def test_a_window_out_of_bounds_gets_nan_and_only_that_window(levels, samples):
    found = levels([noise(8000), noise(samples), noise(9000)])
    assert np.isnan(found[1])
    assert np.isfinite(found[[0, 2]]).all()


def test_levels_are_those_of_fp32_nearly(graphs, levels, speech):
    windows = [speech[:30_000], speech[60_000:68_000], speech[-33_333:]]
    fp32 = graphs.contract.levels(graphs.contract.emotions(onnx_logits(onnx_session(graphs.fp32), windows)))
    assert np.abs(levels(windows) - fp32).max() < 1.0
    assert np.abs(levels(windows) - fp32).max() > 0, "it would be fp32 itself"
