"""Which range eight bits serve best."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voicestress_model.quantisation.calibration import Steps, steps_for
from voicestress_model.quantisation.spread import Spread


def steps_of(*parts):
    spread = Spread()
    for part in parts:
        spread.add(np.asarray(part, np.float32))
    return steps_for(spread)


def squared_error(steps, values):
    return float(((steps.rounded(values) - values) ** 2).mean())


def widest(values):
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    scale = np.float32((high - low) / 255)
    return Steps(scale, np.uint8(round(-low / float(scale))))


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    scale=st.floats(1e-3, 1e3),
    shift=st.floats(-3, 3),
    outliers=st.integers(0, 20),
    reach=st.floats(1, 200),
)
def test_no_worse_than_the_range_of_all_values(seed, scale, shift, outliers, reach):
    generator = np.random.default_rng(seed)
    values = scale * (generator.normal(size=5000) + shift)
    values[:outliers] *= reach
    values = values.astype(np.float32)
    assert squared_error(steps_of(values), values) <= 1.1 * squared_error(widest(values), values)


def test_the_ends_of_a_long_tail_are_clipped_for_the_sake_of_the_rest():
    values = np.random.default_rng(0).laplace(size=100_000).astype(np.float32)
    steps = steps_of(values)
    assert 255 * steps.scale < 0.9 * (values.max() - values.min())
    assert squared_error(steps, values) < 0.9 * squared_error(widest(values), values)


def test_the_order_and_the_size_of_the_parts_change_nothing():
    values = np.random.default_rng(0).normal(size=9000).astype(np.float32) * 10
    assert steps_of(values) == steps_of(values[5000:], values[:10], values[10:5000])


def test_zero_stays_zero():
    for values in (np.linspace(2, 3, 100), np.linspace(-3, -2, 100), np.linspace(-1, 5, 100)):
        assert steps_of(values).rounded(np.zeros(1, np.float32)) == 0.0


def test_an_activation_that_is_always_zero_has_steps_too():
    steps = steps_of(np.zeros(100))
    assert np.isfinite(steps.scale)
    assert steps.scale > 0
    assert steps.rounded(np.zeros(3, np.float32)) == pytest.approx(0)
