"""Batches follow from the seed and the epoch alone, hear every clip once, and never need padding."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from voicestress_model.training.batches import Schedule, epoch_batches
from voicestress_model.training.settings import BatchSettings

SETTINGS = BatchSettings(audio_s=20, crop_s=(1.5, 4.0))
LENGTHS = np.random.default_rng(3).integers(8_000, 80_000, size=300).tolist()


@given(lengths=st.lists(st.integers(8_000, 128_000), min_size=1, max_size=60), seed=st.integers(0, 99))
def test_every_clip_is_heard_once_an_epoch(lengths, seed):
    batches = epoch_batches(lengths, SETTINGS, seed=seed, epoch=0)
    assert sorted(clip for batch in batches for clip in batch.clips) == list(range(len(lengths)))
    assert [batch.step for batch in batches] == list(range(len(batches)))


@given(lengths=st.lists(st.integers(8_000, 128_000), min_size=1, max_size=60), seed=st.integers(0, 99))
def test_no_clip_is_shorter_than_its_batch(lengths, seed):
    for batch in epoch_batches(lengths, SETTINGS, seed=seed, epoch=0):
        assert batch.samples <= min(lengths[clip] for clip in batch.clips)
        assert batch.samples <= 4.0 * 16_000


def test_batches_hold_about_the_audio_asked_for():
    heard = [len(batch.clips) * batch.samples / 16_000 for batch in epoch_batches(LENGTHS, SETTINGS, seed=0, epoch=0)]
    assert max(heard) <= 20
    assert np.median(heard) > 15


def test_little_audio_is_lost_to_cutting():
    longest = BatchSettings(audio_s=20, crop_s=(8.0, 8.0))
    heard = sum(len(batch.clips) * batch.samples for batch in epoch_batches(LENGTHS, longest, seed=0, epoch=0))
    assert heard > 0.6 * sum(LENGTHS)


def test_batches_mix_lengths_so_that_a_length_is_no_label():
    spread = [
        np.ptp([LENGTHS[clip] for clip in batch.clips]) for batch in epoch_batches(LENGTHS, SETTINGS, seed=0, epoch=0)
    ]
    assert np.median(spread) > 8_000


def test_the_same_seed_and_epoch_give_the_same_batches():
    first, again = (epoch_batches(LENGTHS, SETTINGS, seed=1, epoch=2) for _ in range(2))
    assert first == again
    assert first != epoch_batches(LENGTHS, SETTINGS, seed=1, epoch=3)
    assert first != epoch_batches(LENGTHS, SETTINGS, seed=2, epoch=2)


@pytest.mark.parametrize("step", [0, 1, 17, 40])
def test_a_schedule_goes_on_from_any_step_as_if_it_had_never_stopped(step):
    schedule = Schedule(LENGTHS, SETTINGS, seed=0, epochs=3)
    whole = list(schedule.from_step(0))
    assert list(schedule.from_step(step)) == whole[step:]
    assert [batch.step for batch in whole] == list(range(schedule.steps))


def test_a_schedule_knows_where_its_epochs_end():
    schedule = Schedule(LENGTHS, SETTINGS, seed=0, epochs=3)
    whole = list(schedule.from_step(0))
    assert schedule.ends[-1] == schedule.steps
    for start, end in pairwise([0, *schedule.ends]):
        assert sorted(clip for batch in whole[start:end] for clip in batch.clips) == list(range(len(LENGTHS)))
