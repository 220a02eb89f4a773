"""Who speaks in the synthetic corpus, and in which splits.

A speaker is a voice of an engine with a vocal tract length, a base pitch and a speaking rate of its own. The splits
share no voice, so that an unseen voice is not a known one a little shifted. festival is the engine that training never
hears. Two of its three voices are of people that flite has voices of too: flite's slt is in "unseen_voices" only, and
its kal is not used, so that nobody heard in training or used to choose a model speaks in the unseen engine.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from voicestress_model.corpora.corpus import Sex

# espeak-ng's variants that sound like a person, each once: it has robots, whisperers and several names for one voice.
_TRAIN_MEN = (
    "Alex", "benjamin", "boris", "david", "Denis", "Diogo", "ed", "Gene", "Henrique", "Hugo", "Lee", "marcelo", "max",
    "michel", "Nguyen", "pablo", "paul", "rob", "sandro", "travis", "m1", "m3", "m4", "m7", "klatt", "klatt3",
)  # fmt: skip
_TRAIN_WOMEN = ("Alicia", "Andrea", "aunty", "belinda", "steph", "f1", "f2", "f4", "grandma")
_DEV_MEN, _DEV_WOMEN = ("victor", "m5", "quincy", "kaukovalta"), ("f3", "linda")
_UNSEEN_MEN = ("m2", "m6", "m8", "edward", "miguel", "Mario", "robert")
_UNSEEN_WOMEN = ("f5", "anika", "Annie", "shelby")
# "en-gb" would be the same as "en", and silently ignore every variant.
_ACCENTS = ("en-us", "en", "en-gb-scotland", "en-gb-x-rp", "en-029", "en-gb-x-gbclan")

# Vocal tract factors of the speakers made of one voice: above 1 is a smaller speaker.
_SMALLER_AND_LARGER = (0.95, 1.06)
_FOUR_SIZES = (0.91, 0.97, 1.03, 1.1)
_TEN_SIZES = (0.9, 0.92, 0.94, 0.96, 0.98, 1.0, 1.03, 1.05, 1.08, 1.11)

# Own rates of speaking, and standard deviations of own pitches in semitones. Training hears speakers that are further
# apart than those it is tested on: a voice that is low or high for its size must not be news.
_PACES = (0.91, 1.09)
_PITCHES_ST = 1.2
_TRAINING_PITCHES_ST = 2.0


@dataclass(frozen=True)
class Speaker:
    """A synthetic speaker.

    ``vocal_tract`` multiplies all formants, ``base_pitch_st`` shifts the voice's own pitch in semitones, ``pace``
    multiplies the voice's own rate of speaking, whatever the vocal tract does to it, where the engine can be asked to.
    """

    name: str
    engine: str
    voice: str
    sex: Sex
    vocal_tract: float
    base_pitch_st: float
    pace: float


def cast(seed: int) -> dict[str, tuple[Speaker, ...]]:
    """The speakers of "train", "dev", "unseen_voices" and "unseen_engine", women and men and engines taking turns."""
    # Many speakers of each voice: how high a voice of some size usually is can only be learned from many.
    far = _TRAINING_PITCHES_ST
    train = _taking_turns(
        [_espeak(seed, voice, "male", size, far) for size in _SMALLER_AND_LARGER for voice in _TRAIN_MEN],
        [_espeak(seed, voice, "female", size, far) for size in _FOUR_SIZES for voice in _TRAIN_WOMEN],
        [_speaker(seed, "flite", voice, "male", size, far) for size in _TEN_SIZES for voice in ("awb", "rms")],
    )
    dev = _taking_turns(
        [_espeak(seed, voice, "male") for voice in _DEV_MEN],
        [_espeak(seed, voice, "female", size) for voice in _DEV_WOMEN for size in _SMALLER_AND_LARGER],
    )
    unseen_voices = _taking_turns(
        [_espeak(seed, voice, "male") for voice in _UNSEEN_MEN],
        [_espeak(seed, voice, "female") for voice in _UNSEEN_WOMEN],
        [_speaker(seed, "flite", "slt", "female", size) for size in _SMALLER_AND_LARGER],
    )
    unseen_engine = tuple(
        _speaker(seed, "festival", voice, sex, size)
        for size in _SMALLER_AND_LARGER
        for voice, sex in (("cmu_us_slt_arctic_hts", "female"), ("kal_diphone", "male"), ("ked_diphone", "male"))
    )
    return {"train": train, "dev": dev, "unseen_voices": unseen_voices, "unseen_engine": unseen_engine}


def _espeak(
    seed: int, variant: str, sex: Sex, vocal_tract: float | None = None, spread_st: float = _PITCHES_ST
) -> Speaker:
    accent = _ACCENTS[zlib.crc32(f"{variant} {vocal_tract}".encode()) % len(_ACCENTS)]
    return _speaker(seed, "espeak-ng", f"{accent}+{variant}", sex, vocal_tract, spread_st)


def _speaker(
    seed: int, engine: str, voice: str, sex: Sex, vocal_tract: float | None = None, spread_st: float = _PITCHES_ST
) -> Speaker:
    name = f"{engine}-{voice}" + (f"-{vocal_tract:g}" if vocal_tract else "")
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    drawn = float(rng.uniform(0.94, 1.06))
    return Speaker(
        name,
        engine,
        voice,
        sex,
        vocal_tract or drawn,
        float(np.clip(rng.normal(0, spread_st), -2 * spread_st, 2 * spread_st)),
        float(rng.uniform(*_PACES)),
    )


def _taking_turns(*groups: list[Speaker]) -> tuple[Speaker, ...]:
    """All speakers, ordered so that any number of them from the start mixes the groups in proportion."""
    placed = [(number + 0.5) / len(group) for group in groups for number in range(len(group))]
    speakers = [speaker for group in groups for speaker in group]
    return tuple(speaker for _, speaker in sorted(zip(placed, speakers, strict=True), key=lambda pair: pair[0]))
