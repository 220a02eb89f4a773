import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voicestress_audio import Segment, cut_windows
from voicestress_audio.windows import LONGEST_JOINED_PAUSE_SAMPLES


@st.composite
def recordings(draw):
    """A recording, its speech, and window limits."""
    gaps_and_lengths = draw(st.lists(st.tuples(st.integers(1, 12_000), st.integers(1, 40_000)), max_size=12))
    speech, at = [], draw(st.integers(-1, 0))
    for gap, length in gaps_and_lengths:
        speech.append(Segment(at + gap, at + gap + length))
        at += gap + length
    samples = max(at, 0) + draw(st.integers(0, 9000))
    shortest = draw(st.integers(1, 12_000))
    longest = draw(st.integers(2 * shortest, 60_000))
    loudness = draw(st.sampled_from([0, 1, 30_000]))
    pcm = np.random.default_rng(draw(st.integers(0, 9))).integers(-loudness, loudness + 1, samples).astype(np.int16)
    return pcm, speech, shortest, longest


@settings(max_examples=300, deadline=None)
@given(recordings())
def test_windows_keep_every_promise(recording):
    pcm, speech, shortest, longest = recording
    windows = cut_windows(pcm, speech, shortest_samples=shortest, longest_samples=longest)
    speech_of_all = np.zeros(len(pcm), bool)
    for segment in speech:
        speech_of_all[segment.start_sample : segment.end_sample] = True
    covered = np.zeros(len(pcm), int)
    for window in windows:
        span = slice(window.start_sample, window.end_sample)
        covered[span] += 1
        assert min(shortest, len(pcm)) <= len(window.pcm) <= longest
        assert np.array_equal(window.pcm, pcm[span])
        assert np.shares_memory(window.pcm, pcm)
        assert window.speech_samples == speech_of_all[span].sum() > 0
    assert covered.max(initial=0) <= 1, "windows overlap"
    assert (covered[speech_of_all] == 1).all(), "speech is lost"
    starts = [window.start_sample for window in windows]
    assert starts == sorted(starts)


def spans(samples, speech, shortest=8000, longest=128_000, pcm=None):
    pcm = np.ones(samples, np.int16) if pcm is None else pcm
    segments = [Segment(*segment) for segment in speech]
    return [
        (w.start_sample, w.end_sample)
        for w in cut_windows(pcm, segments, shortest_samples=shortest, longest_samples=longest)
    ]


def test_speech_is_joined_over_short_pauses_only():
    pause = LONGEST_JOINED_PAUSE_SAMPLES
    assert spans(100_000, [(0, 20_000), (20_000 + pause, 50_000)]) == [(0, 50_000)]
    assert spans(100_000, [(0, 20_000), (20_001 + pause, 50_000)]) == [(0, 20_000), (20_001 + pause, 50_000)]


def test_a_short_segment_is_widened_on_both_sides():
    assert spans(100_000, [(50_000, 54_000)]) == [(48_000, 56_000)]


@pytest.mark.parametrize(("segment", "window"), [((1000, 5000), (0, 8000)), ((95_000, 99_000), (92_000, 100_000))])
def test_a_short_segment_at_the_edge_is_widened_inwards(segment, window):
    assert spans(100_000, [segment]) == [window]


def test_a_short_segment_without_room_is_joined_to_the_nearer_neighbour():
    crowded = [(0, 30_000), (36_000, 37_000), (42_500, 80_000)]
    assert spans(100_000, crowded, shortest=13_000) == [(0, 30_000), (36_000, 80_000)]


def test_a_recording_shorter_than_the_shortest_window_is_one_window():
    assert spans(5000, [(1000, 2000)]) == [(0, 5000)]


def test_long_speech_is_cut_at_its_quietest_point():
    pcm = np.random.default_rng(0).integers(-9000, 9000, 200_000).astype(np.int16)
    pcm[100_000:101_000] = 3
    ((_, cut), (start, _)) = spans(200_000, [(0, 200_000)], pcm=pcm)
    assert cut == start
    assert 100_000 <= cut < 101_000


def test_full_scale_does_not_overflow_the_energy():
    pcm = np.full(200_000, -32768, np.int16)
    pcm[90_000:91_000] = 0
    assert 90_000 <= spans(200_000, [(0, 200_000)], pcm=pcm)[0][1] < 91_000


def test_windows_know_their_seconds_and_cannot_change():
    (window,) = cut_windows(
        np.ones(64_000, np.int16), [Segment(16_000, 48_000)], shortest_samples=400, longest_samples=64_000
    )
    assert (window.start_s, window.end_s, window.speech_s) == (1.0, 3.0, 2.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        window.start_sample = 0


@pytest.mark.parametrize(("shortest", "longest"), [(0, 100), (100, 199), (-1, 5)])
def test_limits_that_cannot_be_kept_are_refused(shortest, longest):
    with pytest.raises(ValueError, match="must be at least twice the shortest"):
        spans(1000, [], shortest, longest)
