"""Each effect does what its name says, measured on the samples that come out."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import soundfile
import torch
from voicestress_model.training import effects

from tests.paths import JFK_WAV


@pytest.fixture(scope="module")
def voice():
    """Two seconds of a real voice, float32."""
    return torch.from_numpy(soundfile.read(JFK_WAV, dtype="float32")[0][10_000:42_000])


def rng(seed=0):
    return np.random.default_rng(seed)


def tone(frequency_hz, seconds=1.0):
    return torch.from_numpy(
        0.3 * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * 16_000)) / 16_000)
    ).float()


def power_db(samples):
    return 10 * float(torch.log10(samples.double().square().mean() + 1e-12))


def peak_hz(samples):
    """The strongest frequency, to a fraction of a hertz."""
    spectrum = np.abs(np.fft.rfft(samples.numpy() * np.hanning(len(samples)), 2**18))
    return np.argmax(spectrum) * 16_000 / 2**18


def band_db(samples, low_hz, high_hz):
    spectrum = np.abs(np.fft.rfft(samples.double().numpy())) ** 2
    frequency = np.fft.rfftfreq(len(samples), 1 / 16_000)
    return 10 * np.log10(spectrum[(frequency >= low_hz) & (frequency < high_hz)].sum() + 1e-12)


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 12.5, 30.0])
@pytest.mark.parametrize("colour", ["white", "pink", "brown"])
def test_noise_stands_at_the_ratio_asked_for(voice, colour, snr_db):
    noisy = effects.add_noise(voice, colour, snr_db, rng())
    assert power_db(voice) - power_db(noisy - voice) == pytest.approx(snr_db, abs=0.05)


@pytest.mark.parametrize(("colour", "fall_db"), [("white", 0.0), ("pink", 3.01), ("brown", 6.02)])
def test_noise_falls_by_its_colour_an_octave(colour, fall_db):
    noise = effects.coloured_noise(160_000, colour, rng())
    octaves = [band_db(noise, low, 2 * low) - 10 * np.log10(low) for low in (250, 500, 1000, 2000)]
    assert np.diff(octaves) == pytest.approx([-fall_db] * 3, abs=0.3)
    assert power_db(noise) == pytest.approx(0, abs=0.01)


def test_gain_is_in_decibels_and_clips_at_full_scale(voice):
    assert power_db(effects.change_gain(voice, -6.0)) == pytest.approx(power_db(voice) - 6.0, abs=0.01)
    assert effects.change_gain(voice, 40.0).abs().max() == 1.0


@pytest.mark.parametrize("factor", [Fraction(9, 10), Fraction(21, 20), Fraction(6, 5)])
def test_speed_changes_length_and_pitch(factor):
    fast = effects.change_speed(tone(200), factor)
    assert len(fast) == int(np.ceil(16_000 / factor))
    assert peak_hz(fast) == pytest.approx(200 * float(factor), abs=0.5)


@pytest.mark.parametrize("semitones", [-3.0, -0.5, 1.0, 4.0])
def test_pitch_moves_and_length_stays(semitones):
    shifted = effects.shift_pitch(tone(200), semitones)
    assert len(shifted) == 16_000
    assert peak_hz(shifted[2000:-2000]) == pytest.approx(200 * 2 ** (semitones / 12), rel=0.005)


def test_a_room_goes_on_after_the_voice_has_stopped():
    click = torch.zeros(16_000)
    click[1000] = 1.0
    wet = effects.reverberate(click, decay_s=0.4, direct_to_reverberant_db=0.0, rng=rng())
    assert wet[:1000].abs().max() < 1e-5
    early, late = power_db(wet[1100:1900]), power_db(wet[1100 + 3200 : 1900 + 3200])
    assert early - late == pytest.approx(30, abs=2)  # 60 dB in 0.4 s
    direct, tail = wet[1000].square(), wet[1001:].square().sum()
    assert float(direct / tail) == pytest.approx(1, rel=0.01)


def test_a_room_keeps_the_voice_as_loud(voice):
    assert power_db(effects.reverberate(voice, 0.5, 3.0, rng())) == pytest.approx(power_db(voice), abs=0.01)


def test_a_telephone_passes_its_band_and_nothing_else():
    noise = 0.1 * effects.coloured_noise(160_000, "white", rng())
    through = effects.through_telephone(noise)
    assert len(through) == len(noise)
    gain_db = {
        edges: band_db(through, *edges) - band_db(noise, *edges) for edges in [(20, 150), (600, 3000), (4200, 7900)]
    }
    assert gain_db[600, 3000] == pytest.approx(0, abs=1)
    assert gain_db[20, 150] < -12
    assert gain_db[4200, 7900] < -35


@pytest.mark.parametrize(("codec", "gentle_db", "harsh_db"), [("mp3", 30, 15), ("opus", 20, 5), ("mu-law", 30, 30)])
def test_a_codec_changes_the_voice_a_little_and_not_its_place(voice, codec, gentle_db, harsh_db):
    for compression, least_db in [(0.5, gentle_db), (0.95, harsh_db)]:
        decoded = effects.through_codec(voice, codec, compression)
        assert decoded.shape == voice.shape
        assert not torch.equal(decoded, voice)
        assert power_db(voice) - power_db(decoded - voice) > least_db


DRAWING = {
    "noise": lambda voice, seed: effects.add_noise(voice, "pink", 10.0, rng(seed)),
    "reverberation": lambda voice, seed: effects.reverberate(voice, 0.3, 3.0, rng(seed)),
}


@pytest.mark.parametrize("effect", DRAWING.values(), ids=DRAWING.keys())
def test_the_same_draw_gives_the_same_samples(voice, effect):
    assert torch.equal(effect(voice, 1), effect(voice, 1))
    assert not torch.equal(effect(voice, 1), effect(voice, 2))


@pytest.mark.parametrize("samples", [400, 1601, 8000])
def test_a_silent_or_short_clip_stays_finite_and_as_long(samples):
    for clip in (torch.zeros(samples), tone(150)[:samples]):
        outcomes = [
            effects.reverberate(clip, 0.6, 0.0, rng()),
            effects.through_telephone(clip),
            effects.shift_pitch(clip, 0.5) if samples > 512 else clip,
            *(effects.through_codec(clip, codec, 0.8) for codec in ("mp3", "opus", "mu-law")),
        ]
        assert all(len(outcome) == samples for outcome in outcomes)
        assert all(torch.isfinite(outcome).all() for outcome in outcomes)
