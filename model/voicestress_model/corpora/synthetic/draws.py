"""What each class sounds like: prosody drawn per class, relative to the voice's own neutral.

The directions are the literature's (Scherer 2003; Kirchhuebel et al. 2011): anxious speech is higher, faster, rougher
and brighter; sad speech is lower, flatter, slower, darker and broken by pauses. In a quarter of the anxious draws the
pitch falls instead of rising, as it does in people. The ranges overlap: each cue alone says little, and all of them
together leave a few percent undecided (``ceiling.py`` measures how many).

Microtremor is no cue: modulation of the pitch at 5 to 9 Hz comes from one distribution for all classes, and so does
loudness.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import numpy as np

from voicestress_model.corpora.corpus import ARTICLE_LABELS

FLIPPED_SHARE = 0.25
TREMOR_HZ = (5.0, 9.0)
TREMOR_ST = (0.0, 0.35)
LOUDNESS_DBFS = (-33.0, -21.0)
NOISE_DB = (-50.0, -32.0)
MARGIN_S = (0.05, 0.2)

# Draws further out than this many standard deviations are drawn again: a voice at half its pitch is no overlap.
_FURTHEST = 2.2


@dataclass(frozen=True)
class Prosody:
    """How one recording differs from the voice's own neutral.

    ``f0_shift_st``: pitch level, semitones. ``f0_range``: factor on the pitch's slow movement. ``duration``: factor on
    time. ``pauses_s``: lengths of the pauses put in, in seconds of the result. ``tilt_db_octave``: change of the
    spectrum's slope, positive is brighter. ``jitter``: standard deviation of the pitch's fast perturbation, relative.
    ``tremor_hz``, ``tremor_st``: rate and amplitude of the modulation that is the same in all classes.
    """

    f0_shift_st: float
    f0_range: float
    duration: float
    pauses_s: tuple[float, ...]
    tilt_db_octave: float
    jitter: float
    tremor_hz: float
    tremor_st: float


@dataclass(frozen=True)
class Surroundings:
    """What differs between recordings but not between classes: level (dB of full scale, of the speech), background
    noise (dB relative to the speech) and the silence before and after, in seconds.
    """

    loudness_dbfs: float
    noise_db: float
    before_s: float
    after_s: float


@dataclass(frozen=True)
class _Style:
    """Means and standard deviations of a class; range, duration and jitter as natural logarithms of factors."""

    f0_shift_st: tuple[float, float]
    log_range: tuple[float, float]
    log_duration: tuple[float, float]
    tilt_db_octave: tuple[float, float]
    log_jitter: tuple[float, float]
    pause_counts: tuple[float, ...]  # probabilities of 0, 1, 2 pauses
    pause_s: tuple[float, float]  # shortest and longest


_STYLES = {
    "neutral": _Style((0.0, 1.6), (0.0, 0.33), (0.0, 0.11), (0.0, 1.6), (-5.1, 0.55), (0.6, 0.35, 0.05), (0.12, 0.4)),
    "sad": _Style((-2.2, 1.6), (-0.6, 0.36), (0.19, 0.11), (-2.5, 1.6), (-4.9, 0.55), (0.15, 0.45, 0.4), (0.2, 0.65)),
    "anxious": _Style((3.6, 1.8), (0.35, 0.36), (-0.19, 0.11), (2.5, 1.6), (-3.7, 0.6), (0.7, 0.28, 0.02), (0.08, 0.3)),
}


def draw_prosody(label: str, rng: np.random.Generator) -> Prosody:
    """Draw how a recording of class ``label`` differs from neutral."""
    style = _STYLES[label]
    shift = _normal(rng, style.f0_shift_st)
    if rng.random() < FLIPPED_SHARE and label == "anxious":
        shift = -shift
    pauses = int(rng.choice(len(style.pause_counts), p=style.pause_counts))
    return Prosody(
        shift,
        exp(_normal(rng, style.log_range)),
        exp(_normal(rng, style.log_duration)),
        tuple(float(rng.uniform(*style.pause_s)) for _ in range(pauses)),
        _normal(rng, style.tilt_db_octave),
        exp(_normal(rng, style.log_jitter)),
        float(rng.uniform(*TREMOR_HZ)),
        float(rng.uniform(*TREMOR_ST)),
    )


def draw_surroundings(rng: np.random.Generator) -> Surroundings:
    """Draw what says nothing about the class."""
    loudness, noise, before, after = (float(rng.uniform(*r)) for r in (LOUDNESS_DBFS, NOISE_DB, MARGIN_S, MARGIN_S))
    return Surroundings(loudness, noise, before, after)


def _normal(rng: np.random.Generator, mean_and_deviation: tuple[float, float]) -> float:
    mean, deviation = mean_and_deviation
    while abs(drawn := float(rng.normal())) > _FURTHEST:
        pass
    return mean + deviation * drawn


assert tuple(_STYLES) == ARTICLE_LABELS  # every label of the model has a style
