"""Workloads: what the shipped ones send, and that audio is as they say."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from voicestress_load.audio import Voices, encoded
from voicestress_load.errors import BadInput
from voicestress_load.workload import SHIPPED, Lognormal, read_workload

ALL = sorted(path.stem for path in SHIPPED.glob("*.toml"))


def drawn(workload, count=4000):
    generator = np.random.default_rng(1)
    return [workload.drawn(generator) for _ in range(count)]


def test_what_the_issue_asks_for_is_shipped():
    assert {"utterances", "calls", "mix", "half_second"} <= set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_a_shipped_workload_draws_within_its_bounds(name):
    found, workload = read_workload(name)
    assert found == name
    for component, audio_s in drawn(workload):
        shortest_s, longest_s = component.lengths.bounds_s
        assert shortest_s <= audio_s <= longest_s


def test_utterances_are_half_a_second_to_8_s():
    lengths = [audio_s for _, audio_s in drawn(read_workload("utterances")[1])]
    assert min(lengths) == pytest.approx(0.5, abs=0.2)
    assert max(lengths) == pytest.approx(8.0, abs=0.5)
    assert np.median(lengths) == pytest.approx(2.5, rel=0.1)


def test_components_come_as_often_as_their_weights_say():
    kinds = [component.name for component, _ in drawn(read_workload("mix")[1], 20_000)]
    shares = [kinds.count(kind) / len(kinds) for kind in ("utterance", "message", "call")]
    assert shares == pytest.approx([0.8, 0.15, 0.05], abs=0.01)


def test_lognormal_lengths_are_lognormal_between_their_bounds():
    lengths = Lognormal(distribution="lognormal", median_s=2.0, sigma=0.5, shortest_s=0.1, longest_s=100.0)
    generator = np.random.default_rng(0)
    logarithms = np.log([lengths.draw(generator) for _ in range(20_000)])
    assert logarithms.mean() == pytest.approx(np.log(2.0), abs=0.02)
    assert logarithms.std() == pytest.approx(0.5, abs=0.02)


def test_shortest_above_longest_is_said(tmp_path):
    file = tmp_path / "w.toml"
    file.write_text(
        '[[component]]\nname = "a"\nlengths = { distribution = "uniform", shortest_s = 5.0, longest_s = 1.0 }\n'
    )
    with pytest.raises(BadInput, match=r"w.toml: component\[1\].lengths: 5 s is above 1 s"):
        read_workload(str(file))


def test_own_recordings_are_found_beside_the_workload(tmp_path):
    rate_hz = 8000
    tone = (8000 * np.sin(np.arange(3 * rate_hz) / 5)).astype(np.int16)
    soundfile.write(tmp_path / "tone.wav", tone, rate_hz)
    text = '[[component]]\nname = "a"\nlengths = { distribution = "fixed", seconds = 1.0 }\n'
    (tmp_path / "w.toml").write_text('recordings = ["tone.wav"]\n' + text)
    _, workload = read_workload(str(tmp_path / "w.toml"))
    pcm = Voices(workload.recordings, 16_000).cut(1.0, np.random.default_rng(0), number=1)
    assert len(pcm) == 16_000
    spectrum = np.abs(np.fft.rfft(pcm))
    assert spectrum.argmax() == pytest.approx(rate_hz / 5 / (2 * np.pi), abs=2), "at its own pitch"
    (tmp_path / "w.toml").write_text('recordings = ["voice.wav"]\n' + text)
    with pytest.raises(BadInput, match=r"recordings: 'voice.wav': no such file"):
        read_workload(str(tmp_path / "w.toml"))


@pytest.fixture(scope="module")
def voices() -> Voices:
    return Voices([], 16_000)


@pytest.mark.parametrize("seconds", [0.5, 3.21, 11.0, 95.0])
def test_a_cut_is_as_long_as_asked_and_is_speech(voices, seconds):
    for number in range(20):
        pcm = voices.cut(seconds, np.random.default_rng(number), number=number)
        assert len(pcm) == round(seconds * 16_000)
        assert pcm.dtype == np.int16
        assert np.abs(pcm.astype(float)).max() > 300, "nobody speaks"


def test_no_two_requests_are_the_same_bytes(voices):
    """Not even by the same seed, which cuts the same audio: the number is in it."""
    same_cut = {voices.cut(0.5, np.random.default_rng(0), number=number).tobytes() for number in range(2000)}
    assert len(same_cut) == 2000
    encoded_cuts = {
        encoded(voices.cut(0.5, np.random.default_rng((0, number)), number=number), 16_000, "ogg")
        for number in range(100)
    }
    assert len(encoded_cuts) == 100


def test_the_same_number_is_the_same_audio(voices):
    again = Voices([], 16_000)
    for number in (0, 7):
        one, other = (each.cut(20.0, np.random.default_rng(5), number=number) for each in (voices, again))
        assert np.array_equal(one, other)


def test_the_number_changes_nothing_that_is_heard(voices):
    one, other = (voices.cut(1.0, np.random.default_rng(5), number=number) for number in (0, 2**40 - 1))
    assert np.abs(one.astype(int) - other.astype(int)).max() == 1


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "opus", "mp3", "aiff"])
def test_every_format_is_read_back_at_its_length(voices, kind):
    pcm = voices.cut(3.0, np.random.default_rng(1), number=1)
    samples, rate_hz = soundfile.read(io.BytesIO(encoded(pcm, 16_000, kind)))
    assert rate_hz in (16_000, 48_000)
    assert len(samples) / rate_hz == pytest.approx(3.0, abs=0.15)


def test_raw_pcm_is_the_samples(voices):
    pcm = voices.cut(1.0, np.random.default_rng(1), number=1)
    assert encoded(pcm, 16_000, "pcm") == pcm.tobytes()
