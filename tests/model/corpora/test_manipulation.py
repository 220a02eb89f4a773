"""Both manipulators do to a recording what they are told to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import parselmouth
import pytest
from parselmouth.praat import call
from voicestress_model.corpora.synthetic import psola, world
from voicestress_model.corpora.synthetic.contour import FRAME_S, pitch, timeline
from voicestress_model.corpora.synthetic.draws import Prosody, Surroundings
from voicestress_model.corpora.synthetic.engines import speak
from voicestress_model.corpora.synthetic.neutral import neutral_recording
from voicestress_model.corpora.synthetic.room import in_a_room

PLAIN = Prosody(0.0, 1.0, 1.0, (), 0.0, 0.003, 6.0, 0.05)
Render = Callable[[Prosody], np.ndarray]


@pytest.fixture(scope="module")
def neutral() -> np.ndarray:
    return neutral_recording(speak("flite", "rms", ["They planted a row of trees along the road."])[0], 1.0)


@pytest.fixture(params=["world", "psola"])
def render(request: pytest.FixtureRequest, neutral: np.ndarray) -> Render:
    """One of the two manipulators, with the same random numbers every time."""
    if request.param == "psola":
        return lambda prosody: psola.render(neutral, prosody, 0.0, np.random.default_rng(0))
    analysis = world.analyse(neutral)
    return lambda prosody: world.render(analysis, prosody, 0.0, np.random.default_rng(0))


def changed(**values: object) -> Prosody:
    return dataclasses.replace(PLAIN, **values)


def semitones(samples: np.ndarray) -> np.ndarray:
    f0 = parselmouth.Sound(samples, 16_000).to_pitch(pitch_floor=60, pitch_ceiling=480).selected_array["frequency"]
    return 12 * np.log2(f0[f0 > 0])


def jitter_percent(samples: np.ndarray) -> float:
    sound = parselmouth.Sound(samples, 16_000)
    periods = call(sound, "To PointProcess (periodic, cc)", 60, 480)
    return 100 * call(periods, "Get jitter (local)", 0, 0, 0.0001, 0.02, 1.3)


def levels_db(samples: np.ndarray) -> np.ndarray:
    """The level in each third of an octave from 400 Hz to 6.4 kHz."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / 16_000)
    edges = 400 * 2 ** (np.arange(13) / 3)
    return np.array([10 * np.log10(power[(hz >= low) & (hz < high)].mean()) for low, high in pairwise(edges)])


@pytest.mark.parametrize("shift", [-4.0, 5.0])
def test_pitch_moves_by_the_shift(render, shift):
    moved = np.median(semitones(render(changed(f0_shift_st=shift)))) - np.median(semitones(render(PLAIN)))
    assert moved == pytest.approx(shift, abs=0.5)


def test_pitch_range_widens_and_narrows(render):
    narrow, plain, wide = (np.subtract(*np.percentile(semitones(render(changed(f0_range=f))), (85, 15)))
                           for f in (0.4, 1.0, 1.7))  # fmt: skip
    assert narrow < 0.7 * plain
    assert wide > 1.3 * plain


@pytest.mark.parametrize("duration", [0.7, 1.4])
def test_time_is_stretched(render, duration):
    assert len(render(changed(duration=duration))) / len(render(PLAIN)) == pytest.approx(duration, abs=0.02)


@pytest.mark.parametrize("duration", [1.0, 1.4])
def test_pauses_are_as_long_as_asked_for_and_silent(render, duration):
    plain, paused = render(changed(duration=duration)), render(changed(duration=duration, pauses_s=(0.3, 0.5)))
    assert (len(paused) - len(plain)) / 16_000 == pytest.approx(0.8, abs=0.02)
    quiet = np.abs(paused[: len(paused) // 160 * 160]).reshape(-1, 160).max(axis=1) < 2e-3
    assert quiet.sum() * 0.01 > 0.65


@pytest.mark.parametrize("tilt", [-3.0, 3.0])
def test_the_spectrum_tilts(render, tilt):
    change_db = levels_db(render(changed(tilt_db_octave=tilt))) - levels_db(render(PLAIN))
    assert np.polyfit(np.arange(12) / 3, change_db, 1)[0] == pytest.approx(tilt, abs=0.3)


def test_jitter_roughens_the_voice(render):
    smooth, rough = jitter_percent(render(PLAIN)), jitter_percent(render(changed(jitter=0.04)))
    assert smooth < 1.2
    assert rough > smooth + 1.2


def test_jitter_and_range_leave_the_modulation_between_5_and_9_hz_alone():
    """Microtremor is no cue, so no cue may leak into it."""
    rng = np.random.default_rng(0)
    frames = 600
    f0 = 120 * 2 ** (np.cumsum(rng.normal(size=frames)) / 120)  # wanders, as speech does
    tremor = changed(tremor_st=0.2, tremor_hz=7.0)

    def modulation_st(prosody: Prosody) -> float:
        line = timeline(frames, prosody, [])
        contour = 12 * np.log2(pitch(f0, line, prosody, 0.0, np.random.default_rng(1)))
        spectrum = np.abs(np.fft.rfft((contour - contour.mean()) * np.hanning(len(contour))))
        hz = np.fft.rfftfreq(len(contour), FRAME_S)
        return float(np.sqrt((spectrum[(hz >= 5) & (hz <= 9)] ** 2).sum()))

    plain = modulation_st(tremor)
    assert modulation_st(dataclasses.replace(tremor, jitter=0.04)) == pytest.approx(plain, rel=0.1)
    assert modulation_st(dataclasses.replace(tremor, f0_range=2.0)) == pytest.approx(plain, rel=0.1)
    assert modulation_st(dataclasses.replace(tremor, tremor_st=0.4)) == pytest.approx(2 * plain, rel=0.1)


def test_a_recording_is_as_loud_as_drawn_and_its_margins_hold_only_noise():
    voice = np.sin(2 * np.pi * 200 * np.arange(16_000) / 16_000)
    paused = np.concatenate([voice, np.zeros(32_000), voice])
    for samples in (voice, paused):
        pcm = in_a_room(samples, Surroundings(-20.0, -40.0, 0.1, 0.2), np.random.default_rng(0))
        assert len(pcm) == len(samples) + 4_800
        level = 20 * np.log10(np.sqrt(np.mean((pcm[1_700:17_000] / 32768.0) ** 2)))
        assert level == pytest.approx(-20, abs=0.2)
        assert 20 * np.log10(pcm[:1_500].std() / 32768) == pytest.approx(-60, abs=1)


def test_what_would_clip_is_made_softer():
    click = np.zeros(16_000)
    click[4_000:12_000] = 0.01 * np.sin(np.arange(8_000))
    click[8_000] = 1.0
    pcm = in_a_room(click, Surroundings(-10.0, -60.0, 0.05, 0.05), np.random.default_rng(0))
    assert 0.9 < np.abs(pcm).max() / 32768 < 0.99
