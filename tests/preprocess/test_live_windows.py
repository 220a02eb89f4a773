"""A recording that is still going on gives the windows that all of it would give, and gives them early."""

import itertools
import tracemalloc
from contextlib import suppress
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voicestress_audio import InvalidAudio, LiveRecording, NoSpeech, Segment, cut_windows, read_recording
from voicestress_audio.live_windows import LiveCutter

from tests.preprocess.test_windows import recordings

BOUNDS = {"shortest_window_samples": 8_000, "longest_window_samples": 48_000}


def heard_live(pcm, speech, cuts, *, shortest, longest, at_least=4_000):
    """What a cutter gives that hears of ``speech`` no sooner than a detector tells of it, in pieces up to ``cuts``."""
    cutter = LiveCutter(shortest_samples=shortest, longest_samples=longest)
    windows, told = [], 0
    edges = [0, *sorted({cut for cut in cuts if cut < len(pcm)}), len(pcm)]
    for low, high in itertools.pairwise(edges):
        ended = [segment for segment in speech[told:] if segment.end_sample <= high]
        told += len(ended)
        going_on = [segment for segment in speech[told:] if segment.start_sample < high]
        quiet_until = going_on[0].start_sample if going_on else high
        certain = [
            Segment(s.start_sample, high) for s in going_on if high - s.start_sample > min(at_least, s.samples - 1)
        ]
        windows += cutter.push(pcm[low:high], ended, certain[0] if certain else None, quiet_until)
    return windows + cutter.finish(speech[told:]), cutter


def described(windows):
    return [(w.start_sample, w.end_sample, w.speech_samples, w.pcm.tobytes()) for w in windows]


@settings(max_examples=500, deadline=None)
@given(recordings(), st.lists(st.integers(1, 600_000), max_size=60), st.sampled_from([1, 1_000, 4_000]))
def test_windows_are_those_of_the_whole(recording, cuts, at_least):
    pcm, speech, shortest, longest = recording
    found, _ = heard_live(pcm, speech, cuts, shortest=shortest, longest=longest, at_least=at_least)
    expected = cut_windows(pcm, speech, shortest_samples=shortest, longest_samples=longest)
    assert described(found) == described(expected)


@settings(max_examples=50, deadline=None)
@given(recordings())
def test_windows_are_those_of_the_whole_sample_by_sample(recording):
    pcm, speech, shortest, longest = recording
    found, _ = heard_live(pcm, speech, range(0, len(pcm), 37), shortest=shortest, longest=longest, at_least=1)
    expected = cut_windows(pcm, speech, shortest_samples=shortest, longest_samples=longest)
    assert described(found) == described(expected)


@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(0, 40_000), min_size=1, max_size=30), detection=st.booleans(), part=st.booleans())
def test_a_voice_in_chunks_of_any_size_gives_the_windows_of_the_recording(voice_48k, sizes, detection, part):
    samples = voice_48k[: 300_000 if part else None]
    expected = read_recording((samples, 48_000), speech_detection=detection, **BOUNDS)
    with LiveRecording(48_000, speech_detection=detection, **BOUNDS) as live:
        windows = [window for chunk in np.split(samples, np.cumsum(sizes)) for window in live.push(chunk)]
        windows += live.finish()
        assert described(windows) == described(expected.windows)
        assert live.duration_s == expected.duration_s
        assert sum(window.speech_samples for window in windows) / 16_000 == expected.speech_s


def test_a_window_comes_soon_after_its_speech(voice):
    with LiveRecording(16_000, **BOUNDS) as live:
        ages = [
            at / 16_000 + 0.1 - window.end_s
            for at in range(0, len(voice), 1_600)
            for window in live.push(voice[at : at + 1_600])
        ]
    assert len(ages) >= 3
    assert max(ages) < 0.9


def test_speech_without_a_pause_is_cut_before_it_ends(voice):
    with LiveRecording(16_000, speech_detection=False, **BOUNDS) as live:
        pushed = [live.push(voice[at : at + 1_600]) for at in range(0, len(voice), 1_600)]
    ends = [window.end_sample for windows in pushed for window in windows]
    assert len(ends) >= 3
    assert ends == sorted(ends)


def test_bytes_may_end_anywhere(voice):
    pcm = np.rint(voice * 32768).astype(np.int16)
    stereo = np.stack([pcm, pcm], axis=1).tobytes()
    expected = read_recording((pcm, 16_000), **BOUNDS)
    with LiveRecording(16_000, channels=2, **BOUNDS) as live:
        windows = [window for at in range(0, len(stereo), 4_001) for window in live.push(stereo[at : at + 4_001])]
        windows += live.finish()
    assert described(windows) == described(expected.windows)


@pytest.mark.parametrize("detection", [True, False])
def test_memory_is_the_same_after_an_hour(voice, detection):
    """Of everything Python and NumPy take; the detector's own is fixed."""
    minute = np.tile(np.concatenate([voice, np.zeros(16_000, np.float32)]), 5)
    held = []
    with LiveRecording(16_000, speech_detection=detection, **BOUNDS) as live:
        live.push(minute)
        tracemalloc.start()
        try:
            for _ in range(12 if detection else 60):
                for at in range(0, len(minute), 8_000):
                    live.push(minute[at : at + 8_000])
                held.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
    assert max(held[1:]) < held[0] + 200_000
    assert max(held) < 1_000_000


def test_silence_is_no_speech_and_is_not_held():
    with LiveRecording(16_000, **BOUNDS) as live:
        for _ in range(100):
            assert live.push(np.zeros(16_000, np.int16)) == []
        assert len(live._cutter._held) < 4 * 16_000
        with pytest.raises(NoSpeech, match=r"0\.0 s of speech, 0\.5 s needed"):
            live.finish()


def test_digital_silence_alone_is_no_speech_without_detection():
    with LiveRecording(16_000, speech_detection=False, **BOUNDS) as live:
        live.push(np.zeros(100_000, np.int16))
        with pytest.raises(NoSpeech, match="digital silence"):
            live.finish()


def test_a_stream_without_samples_is_refused():
    with LiveRecording(16_000, **BOUNDS) as live, pytest.raises(InvalidAudio, match="no samples"):
        live.finish()


def test_a_stream_that_ends_inside_a_sample_is_refused():
    with LiveRecording(16_000, channels=2, **BOUNDS) as live:
        live.push(bytes(401))
        with pytest.raises(InvalidAudio, match="last 1 bytes"):
            live.finish()


@pytest.mark.parametrize(
    ("chunk", "message"),
    [
        (np.array([0.0, np.nan]), r"the sample at 1\.000 s is not a number"),
        (np.zeros((4, 3)), "3 channels"),
        (np.zeros(4, np.uint8), "uint8"),
        (np.full(4, 20_000.0), "full scale is 1"),
    ],
)
def test_a_chunk_that_cannot_be_used_is_refused_and_the_stream_goes_on(voice, chunk, message):
    with LiveRecording(16_000, **BOUNDS) as live:
        live.push(voice[:15_999])
        with pytest.raises(InvalidAudio, match=message):
            live.push(chunk)
        live.push(voice[15_999:])
        assert live.finish()
        assert live.duration_s == len(voice) / 16_000


@pytest.mark.parametrize(("rate_hz", "channels"), [(4_000, 1), (400_000, 1), (16_000, 3), (16_000, 0)])
def test_a_rate_or_channels_of_no_voice_are_refused_at_once(rate_hz, channels):
    with pytest.raises(InvalidAudio):
        LiveRecording(rate_hz, channels=channels, **BOUNDS)


@pytest.mark.parametrize("chunk", ["text", [0, 1], None])
def test_what_is_no_chunk_is_a_type_error(chunk):
    with LiveRecording(16_000, **BOUNDS) as live, pytest.raises(TypeError, match="numpy array"):
        live.push(chunk)


@st.composite
def chunks(draw):
    """Whatever a caller may push: arrays of any type, shape and values, and bytes."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=4_000))
    dtype = draw(
        st.sampled_from(["int16", "int32", "float32", "float64", "uint8", "int64", "float16", "complex64", "bool"])
    )
    shape = draw(st.sampled_from([(0,), (1,), (700,), (700, 1), (700, 2), (700, 3), (7, 0), (2, 2, 2), ()]))
    scale = draw(st.sampled_from([0.0, 1e-3, 1.0, 3e4, np.inf, np.nan]))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.random.default_rng(draw(st.integers(0, 99))).uniform(-1, 1, shape) * scale).astype(dtype)


@settings(max_examples=300, deadline=None)
@given(st.lists(chunks(), max_size=12), st.sampled_from([1, 2]), st.booleans())
def test_whatever_is_pushed_is_taken_or_named(pushed, channels, detection):
    with LiveRecording(16_000, channels=channels, speech_detection=detection, **BOUNDS) as live:
        for act in [*(partial(live.push, chunk) for chunk in pushed), live.finish]:
            with suppress(InvalidAudio):
                act()
