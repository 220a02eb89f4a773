"""What is switched on happens as often as it says, and everything follows from the generator."""

from __future__ import annotations

import numpy as np
import pytest
from voicestress_model.training.augment import Augmentation, augment

from tests.model.training.voices import hum

EVERYTHING = {
    "speed": {"probability": 0.7},
    "pitch": {"probability": 0.7},
    "reverberation": {"probability": 0.7},
    "noise": {"probability": 0.7},
    "telephone": {"probability": 0.7},
    "codecs": {"probability": 0.7},
    "gain": {"probability": 0.7},
}
SAMPLES = 12_000


@pytest.fixture(scope="module")
def clip():
    return np.rint(32_767 * hum(130, np.random.default_rng(0), seconds=1.2)).astype(np.int16)


def heard(clip, seed=0, samples=SAMPLES, **effects):
    return augment(clip, samples, Augmentation.model_validate(effects), np.random.default_rng(seed)).pcm.numpy()


def test_without_effects_a_clip_is_cut_and_nothing_else(clip):
    cut = heard(clip)
    starts = [start for start in range(len(clip) - SAMPLES + 1) if np.array_equal(clip[start : start + SAMPLES], cut)]
    assert len(starts) == 1


def test_a_clip_is_cut_at_another_place_each_time(clip):
    assert len({heard(clip, seed).tobytes() for seed in range(10)}) > 7


def test_a_clip_as_long_as_its_batch_is_heard_whole(clip):
    assert np.array_equal(heard(clip, samples=len(clip)), clip)


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_effect_is_switched_on_by_its_name(clip, name):
    always = {name: {**EVERYTHING[name], "probability": 1.0}}
    changed = [not np.array_equal(heard(clip, seed, **always), heard(clip, seed)) for seed in range(10)]
    assert sum(changed) >= 6  # a speed of 1 is drawn now and then


@pytest.mark.parametrize("name", EVERYTHING)
def test_an_effect_happens_as_often_as_its_probability(clip, name):
    never = heard(clip, samples=len(clip))
    happened = [
        not np.array_equal(heard(clip, seed, len(clip), **{name: {"probability": 0.3}}), never) for seed in range(60)
    ]
    if name == "speed":  # it would end up too short
        assert sum(happened) < 15
    else:
        assert 8 <= sum(happened) <= 30


def test_the_same_generator_gives_the_same_samples(clip):
    for seed in range(8):
        assert np.array_equal(heard(clip, seed, **EVERYTHING), heard(clip, seed, **EVERYTHING))
    assert not np.array_equal(heard(clip, 1, **EVERYTHING), heard(clip, 2, **EVERYTHING))


@pytest.mark.parametrize("samples", [8_000, 15_000, 19_200])
def test_whatever_happens_the_length_is_the_batch_s(clip, samples):
    for seed in range(20):
        outcome = heard(clip, seed, samples, **EVERYTHING)
        assert outcome.dtype == np.int16
        assert outcome.shape == (samples,)


def test_a_clip_is_sped_up_only_as_far_as_it_fills_its_batch(clip):
    fast = {"speed": {"probability": 1.0, "factor": [1.5, 1.5]}}
    assert heard(clip, samples=len(clip), **fast).shape == clip.shape
    tail = heard(clip, samples=len(clip) - 1000, **fast)[-200:]
    assert np.abs(tail).max() > 500  # sound up to the end, no padding
