"""Which effects a training clip goes through, drawn anew each time it is heard.

An effect that is not named in the configuration is off. The order is that of the world: the voice, the room, the
noise in it, the line, the recorder.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, NamedTuple

import numpy as np
import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from torch import Tensor

from voicestress_model.training import effects
from voicestress_model.training.effects import Codec, Colour

_FULL_SCALE = 32768.0
_SPEED_STEPS = 100  # speeds are whole percents: the resampler's filter bank grows with the square of the fraction


def _ordered(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError(f"the first value must not be above the second: {list(span)}")
    return span


Span = Annotated[tuple[float, float], AfterValidator(_ordered)]
Probability = Annotated[float, Field(ge=0, le=1)]


class _Effect(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    probability: Probability


class Speed(_Effect):
    """Faster or slower, pitch and all, by a factor drawn from ``factor`` in steps of 0.01.

    It moves pace and pitch, which are cues: keep it small, or off.
    """

    factor: Annotated[Span, Field(description="0.5 to 2")] = (0.95, 1.05)


class Pitch(_Effect):
    """Higher or lower by up to ``semitones`` either way, formants and all, as a smaller or larger speaker would sound.

    Pitch is a cue, but relative to the voice: the voice moves with it here. It still blurs what is absolute: keep it
    small, or off, where speakers are many.
    """

    semitones: Annotated[float, Field(gt=0, le=12)] = 0.5


class Reverberation(_Effect):
    """A room: reverberation time and direct-to-reverberant ratio are drawn."""

    decay_s: Annotated[Span, Field(description="time to fall by 60 dB")] = (0.1, 0.6)
    direct_to_reverberant_db: Span = (0.0, 12.0)


class Noise(_Effect):
    """Noise of one of ``colours``, at a drawn ratio to the voice's mean power."""

    snr_db: Span = (5.0, 30.0)
    colours: Annotated[tuple[Colour, ...], Field(min_length=1)] = ("white", "pink", "brown")


class Telephone(_Effect):
    """A narrow-band telephone line."""


class Codecs(_Effect):
    """One of ``codecs``, encoded and decoded, at a drawn strength from 0 (least) to 0.95."""

    codecs: Annotated[tuple[Codec, ...], Field(min_length=1)] = ("mp3", "opus", "mu-law")
    compression: Span = (0.5, 0.95)


class Gain(_Effect):
    """Louder or softer, clipped at full scale."""

    gain_db: Span = (-12.0, 6.0)


class Augmentation(BaseModel):
    """The effects that are on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    speed: Speed | None = None
    pitch: Pitch | None = None
    reverberation: Reverberation | None = None
    noise: Noise | None = None
    telephone: Telephone | None = None
    codecs: Codecs | None = None
    gain: Gain | None = None


class Piece(NamedTuple):
    """A piece of a clip after the effects, and where in the clip it is heard."""

    pcm: Tensor  # [samples] int16
    first_sample: int
    speed: float  # through the clip, pitch and all
    semitones: float  # it was made higher by besides


def augment(clip: np.ndarray, samples: int, settings: Augmentation, rng: np.random.Generator) -> Piece:
    """A piece of ``samples`` samples of ``clip`` (int16 ``[n]``, n >= ``samples``) after the effects.

    Where it starts and everything else comes from ``rng``. A clip that would end up shorter than ``samples`` is sped
    up only as far as it fills them.
    """
    factor = _speed(settings.speed, len(clip) / samples, rng)
    heard = int(np.ceil(samples * factor))
    start = int(rng.integers(len(clip) - heard + 1))
    voice = torch.from_numpy(clip[start : start + heard] / np.float32(_FULL_SCALE))
    if factor != 1:
        voice = effects.change_speed(voice, factor)[:samples]
    semitones = 0.0
    if (pitch := settings.pitch) and _happens(pitch, rng):
        semitones = rng.uniform(-pitch.semitones, pitch.semitones)
        voice = effects.shift_pitch(voice, semitones)
    if (room := settings.reverberation) and _happens(room, rng):
        voice = effects.reverberate(voice, rng.uniform(*room.decay_s), rng.uniform(*room.direct_to_reverberant_db), rng)
    if (noise := settings.noise) and _happens(noise, rng):
        colour = noise.colours[rng.integers(len(noise.colours))]
        voice = effects.add_noise(voice, colour, rng.uniform(*noise.snr_db), rng)
    if settings.telephone and _happens(settings.telephone, rng):
        voice = effects.through_telephone(voice)
    if (codecs := settings.codecs) and _happens(codecs, rng):
        codec = codecs.codecs[rng.integers(len(codecs.codecs))]
        voice = effects.through_codec(voice, codec, rng.uniform(*codecs.compression))
    if (gain := settings.gain) and _happens(gain, rng):
        voice = effects.change_gain(voice, rng.uniform(*gain.gain_db))
    pcm = (voice * _FULL_SCALE).round().clamp(-_FULL_SCALE, _FULL_SCALE - 1).to(torch.int16)
    return Piece(pcm, start, float(factor), semitones)


def _happens(effect: _Effect, rng: np.random.Generator) -> bool:
    return bool(rng.random() < effect.probability)


def _speed(settings: Speed | None, longest: float, rng: np.random.Generator) -> Fraction:
    """A factor in hundredths, at most ``longest`` (1 or more)."""
    if settings is None or not _happens(settings, rng):
        return Fraction(1)
    slowest, fastest = (round(factor * _SPEED_STEPS) for factor in settings.factor)
    drawn = int(rng.integers(slowest, fastest + 1))
    return Fraction(min(drawn, int(longest * _SPEED_STEPS)), _SPEED_STEPS)
