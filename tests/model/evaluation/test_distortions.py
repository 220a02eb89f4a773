"""Distortions do what their names say, measured."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from voicestress_model.corpora.pcm import read_pcm
from voicestress_model.evaluation import distortions

from tests.paths import JFK_WAV


def power_db(samples: np.ndarray, rate_hz: int, low_hz: float, high_hz: float) -> float:
    spectrum = np.abs(np.fft.rfft(samples.astype(np.float64))) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / rate_hz)
    return 10 * np.log10(spectrum[(hz >= low_hz) & (hz < high_hz)].sum() + 1)


def measured_snr_db(speech: np.ndarray, noisy: np.ndarray) -> float:
    clean, mixed = speech.astype(np.float64), noisy.astype(np.float64)
    gain = (mixed @ clean) / (clean @ clean)
    return 10 * np.log10(np.mean((gain * clean) ** 2) / np.mean((mixed - gain * clean) ** 2))


@pytest.mark.parametrize("snr_db", [20, 10, 5, 0])
@pytest.mark.parametrize("loudness", [0.1, 1.0])
def test_noise_stands_at_the_ratio_it_is_asked_for(speech, snr_db, loudness):
    quiet = (speech * loudness).astype(np.int16)
    generator = np.random.default_rng(0)
    white = distortions.white_noise(len(quiet), generator)
    babble = distortions.babble(len(quiet), [speech[40_000:90_000], speech[100_000:120_000]], generator)
    for noise in (white, babble):
        assert measured_snr_db(quiet, distortions.with_noise(quiet, noise, snr_db)) == pytest.approx(snr_db, abs=0.3)


def test_what_would_pass_full_scale_is_turned_down_not_clipped(speech):
    loud = np.clip(speech.astype(np.float64) * 8, -32768, 32767).astype(np.int16)
    noisy = distortions.with_noise(loud, distortions.white_noise(len(loud), np.random.default_rng(0)), 0)
    assert np.abs(noisy.astype(int)).max() == 32767
    assert (np.abs(noisy.astype(int)) == 32767).sum() == 1


def test_white_noise_is_as_strong_at_every_frequency():
    noise = 1000 * distortions.white_noise(160_000, np.random.default_rng(0))
    bands = [power_db(noise, 16_000, low, low + 1000) for low in range(0, 8000, 1000)]
    assert np.ptp(bands) < 0.5


def test_every_talker_of_the_babble_is_as_loud(speech):
    loud, soft = speech[:40_000], (speech[60_000:80_000] / 50).astype(np.int16)
    alone = [distortions.babble(60_000, [talker], np.random.default_rng(0)) for talker in (loud, soft)]
    assert [np.mean(voice**2) for voice in alone] == pytest.approx([1, 1])


def test_the_telephone_lets_its_band_through_and_nothing_else(speech):
    coded = distortions.telephone(speech)
    with soundfile.SoundFile(io.BytesIO(coded)) as file:
        assert (file.samplerate, file.channels, file.subtype) == (8000, 1, "ULAW")
    noise = np.clip(6000 * np.random.default_rng(0).standard_normal(80_000), -32768, 32767).astype(np.int16)
    heard = read_pcm(distortions.telephone(noise))
    loss = {
        band: power_db(noise, 16_000, *band) - power_db(heard, 16_000, *band)
        for band in [(500, 3000), (0, 150), (3800, 8000)]
    }
    assert loss[500, 3000] == pytest.approx(0, abs=1)
    assert loss[0, 150] > 20
    assert loss[3800, 8000] > 20


@pytest.mark.parametrize(
    ("codec", "container", "subtype", "kbit_s"),
    [(distortions.opus, "OGG", "OPUS", 16), (distortions.mp3, "MP3", "MPEG_LAYER_III", 32)],
)
def test_a_codec_is_the_one_it_is_called_at_the_bit_rate_it_is_called(speech, codec, container, subtype, kbit_s):
    coded = codec(speech)
    with soundfile.SoundFile(io.BytesIO(coded)) as file:
        assert (file.format, file.subtype) == (container, subtype)
    assert len(coded) * 8 / 1000 / 11 == pytest.approx(kbit_s, rel=0.15)
    heard = read_pcm(coded)
    assert len(heard) == pytest.approx(len(speech), abs=4000)
    assert power_db(heard, 16_000, 300, 2500) == pytest.approx(power_db(speech, 16_000, 300, 2500), abs=1)


def test_reading_changes_nothing_in_a_recording_that_is_as_it_should_be(speech):
    assert (read_pcm(JFK_WAV) == speech).all()
