import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voicestress_audio import PcmResampler


def resampled(samples: np.ndarray, rate_hz: int, cuts: list[int]) -> np.ndarray:
    resampler = PcmResampler(rate_hz)
    pieces = np.split(samples.astype(np.float32), sorted(cuts))
    return np.concatenate([*map(resampler.push, pieces), resampler.finish()])


@settings(max_examples=60, deadline=None)
@given(
    rate_hz=st.sampled_from([8000, 8001, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 191_999, 192_000]),
    length=st.integers(0, 30_000),
    cuts=st.lists(st.integers(0, 30_000), max_size=20),
    seed=st.integers(0, 99),
)
def test_the_size_of_the_pieces_does_not_change_a_bit(rate_hz, length, cuts, seed):
    noise = np.random.default_rng(seed).uniform(-1.2, 1.2, length)
    pcm = resampled(noise, rate_hz, [])
    assert pcm.dtype == np.int16
    assert np.array_equal(pcm, resampled(noise, rate_hz, [min(cut, length) for cut in cuts]))
    assert abs(len(pcm) - length * 16_000 / rate_hz) <= 1


@pytest.mark.parametrize("rate_hz", [8000, 44_100, 48_000, 96_000])
def test_a_tone_keeps_its_pitch_level_and_place(rate_hz):
    def tone(rate):
        return 0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)

    pcm = resampled(tone(rate_hz), rate_hz, [])
    inner = slice(1000, 15_000)
    assert np.abs(pcm / 32768 - tone(16_000))[inner].max() < 1e-4


def test_what_16_khz_cannot_hold_is_removed():
    high = 0.5 * np.sin(2 * np.pi * 12_000 * np.arange(48_000) / 48_000)
    assert np.abs(resampled(high, 48_000, [])[1000:15_000]).max() <= 1


def test_16_bit_audio_at_16_khz_comes_out_as_it_went_in():
    every_value = np.arange(-32768, 32768)
    assert np.array_equal(resampled(every_value / 32768, 16_000, []), every_value)


def test_too_loud_is_clipped_and_the_rest_rounded():
    samples = np.array([1.0, 1.5, 7.9, -1.0, -1.5, 0.6 / 32768, -0.6 / 32768, 0.4 / 32768])
    assert resampled(samples, 16_000, []).tolist() == [32767, 32767, 32767, -32768, -32768, 1, -1, 0]
