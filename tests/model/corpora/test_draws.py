"""What the classes of the synthetic corpus are drawn from."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from voicestress_model.corpora import Corpus, Utterance
from voicestress_model.corpora.synthetic.ceiling import PARAMETERS, fit_ceiling
from voicestress_model.corpora.synthetic.draws import Prosody, draw_prosody

LABELS = ("neutral", "sad", "anxious")


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[Prosody]]:
    rng = np.random.default_rng(0)
    return {label: [draw_prosody(label, rng) for _ in range(1500)] for label in LABELS}


def medians(drawn: dict[str, list[Prosody]], name: str) -> dict[str, float]:
    return {label: float(np.median([getattr(p, name) for p in prosodies])) for label, prosodies in drawn.items()}


@pytest.mark.parametrize("name", ["f0_shift_st", "f0_range", "tilt_db_octave"])
def test_sad_is_lower_flatter_and_darker_and_anxious_the_opposite(drawn, name):
    median = medians(drawn, name)
    assert median["sad"] < median["neutral"] < median["anxious"]


def test_sad_is_slower_and_pauses_more_and_anxious_is_faster_and_rougher(drawn):
    duration, jitter = medians(drawn, "duration"), medians(drawn, "jitter")
    assert duration["anxious"] < duration["neutral"] < duration["sad"]
    assert jitter["anxious"] > 2 * jitter["neutral"]
    paused = {label: np.mean([sum(p.pauses_s) for p in prosodies]) for label, prosodies in drawn.items()}
    assert paused["anxious"] < paused["neutral"] < paused["sad"]


def test_the_pitch_falls_in_a_quarter_of_the_anxious(drawn):
    falling = np.mean([p.f0_shift_st < 0 for p in drawn["anxious"]])
    assert falling == pytest.approx(0.25, abs=0.04)


@pytest.mark.parametrize("name", ["tremor_hz", "tremor_st"])
def test_tremor_is_the_same_in_all_classes(drawn, name):
    for share in (10, 50, 90):
        values = [np.percentile([getattr(p, name) for p in drawn[label]], share) for label in LABELS]
        spread = np.ptp([getattr(p, name) for p in drawn["neutral"]])
        assert np.ptp(values) < 0.08 * spread


def test_every_cue_overlaps_between_the_classes(drawn):
    for name in ("f0_shift_st", "f0_range", "duration", "tilt_db_octave", "jitter"):
        highest_low = max(min(getattr(p, name) for p in drawn[label]) for label in LABELS)
        lowest_high = min(max(getattr(p, name) for p in drawn[label]) for label in LABELS)
        assert highest_low < lowest_high


def test_even_the_true_parameters_leave_some_undecided(drawn):
    """The ceiling: no listener can be asked to do better than a classifier that knows how it was made."""

    def utterance(label: str, number: int, prosody: Prosody) -> Utterance:
        values = dataclasses.asdict(prosody) | {"pauses": len(prosody.pauses_s), "pause_s": sum(prosody.pauses_s)}
        split = "train" if number % 2 else "unseen_voices"
        details = {name: str(values[name]) for name in PARAMETERS}
        return Utterance(Path(f"{label}{number}.wav"), label, split, split, details=details)

    utterances = tuple(utterance(label, n, p) for label in LABELS for n, p in enumerate(drawn[label]))
    corpus = Corpus("drawn", LABELS, utterances)
    tested = corpus.split("unseen_voices")
    answers = fit_ceiling(corpus.split("train"), LABELS, seed=0)(tested)
    assert 0.92 < np.mean([LABELS[answer] == u.label for answer, u in zip(answers, tested, strict=True)]) < 0.98
