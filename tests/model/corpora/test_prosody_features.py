from __future__ import annotations

import numpy as np
import pytest
import soundfile
from voicestress_model.corpora.prosody import FEATURES, prosody_features
from voicestress_model.corpora.synthetic import world
from voicestress_model.corpora.synthetic.draws import Prosody
from voicestress_model.corpora.synthetic.engines import speak
from voicestress_model.corpora.synthetic.neutral import neutral_recording

from tests.paths import JFK_WAV


def named(pcm: np.ndarray) -> dict[str, float]:
    return dict(zip(FEATURES, prosody_features(pcm), strict=True))


def test_a_real_voice_measures_like_a_voice():
    features = named(soundfile.read(JFK_WAV, dtype="int16")[0])
    assert 80 < 2 ** (features["f0_median_st"] / 12) < 250
    assert 2 < features["syllable_rate_hz"] < 8
    assert features["longest_pause_s"] > 0.3  # he pauses between "fellow Americans" and "ask not"
    assert -15 < features["tilt_db_octave"] < -3
    assert 9 < features["duration_s"] < 11


@pytest.mark.parametrize("samples", [0, 100, 799, 16_000])
def test_silence_gives_zeros(samples):
    assert not prosody_features(np.zeros(samples, np.int16)).any()


@pytest.mark.parametrize("seed", range(3))
def test_anything_gives_finite_numbers(seed):
    rng = np.random.default_rng(seed)
    for samples in (800, 1_600, 16_000):
        for pcm in (rng.normal(scale=3000, size=samples), np.full(samples, 500), np.eye(1, samples)[0] * 9000):
            features = prosody_features(pcm.astype(np.int16))
            assert features.shape == (len(FEATURES),)
            assert np.isfinite(features).all()


def test_features_hear_what_was_done_to_the_voice():
    neutral = neutral_recording(speak("flite", "rms", ["They planted a row of trees along the road."])[0], 1.0)
    analysis = world.analyse(neutral)

    def heard(*prosody: object) -> dict[str, float]:
        samples = world.render(analysis, Prosody(*prosody, 6.0, 0.1), 0.0, np.random.default_rng(0))
        return named((samples * 20_000).astype(np.int16))

    plain = heard(0.0, 1.0, 1.0, (), 0.0, 0.004)
    anxious = heard(4.0, 1.3, 0.8, (), 2.5, 0.03)
    sad = heard(-2.0, 0.5, 1.25, (0.4,), -2.5, 0.006)
    for name in ("f0_median_st", "f0_iqr_st", "tilt_db_octave"):
        assert sad[name] < plain[name] < anxious[name], name
    assert sad["syllable_rate_hz"] < anxious["syllable_rate_hz"]
    assert anxious["jitter"] > 1.5 * plain["jitter"]
    assert sad["longest_pause_s"] > plain["longest_pause_s"] + 0.2
