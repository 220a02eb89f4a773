"""CREMA-D, the crowd-sourced emotional multimodal actors dataset (Cao et al. 2014).

Layout: ``AudioWAV/1001_DFA_ANG_XX.wav``: actor, sentence, emotion and intensity (LO, MD, HI, XX for unspecified).
The actors' sex stands in ``VideoDemographics.csv`` beside that folder; without it, sex is unknown.

========  ========  ================================================
original  label     why
========  ========  ================================================
NEU       neutral
SAD       sad
FEA       anxious   the nearest to anxiety that was acted
ANG       dropped   no label fits: high arousal, but not anxiety
DIS       dropped   no label fits
HAP       dropped   no label fits
========  ========  ================================================
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

from voicestress_model.corpora.corpus import ARTICLE_LABELS, Corpus, Sex, Utterance
from voicestress_model.corpora.errors import CorpusError

LABELS = {"NEU": "neutral", "SAD": "sad", "FEA": "anxious"}
_SENTENCES = {
    "IEO": "It's eleven o'clock",
    "TIE": "That is exactly what happened",
    "IOM": "I'm on my way to the meeting",
    "IWW": "I wonder what this is about",
    "TAI": "The airplane is almost full",
    "MTI": "Maybe tomorrow it will be cold",
    "IWL": "I would like a new alarm clock",
    "ITH": "I think I have a doctor's appointment",
    "DFA": "Don't forget a jacket",
    "ITS": "I think I've seen this before",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
_SEXES: dict[str, Sex] = {"Female": "female", "Male": "male"}
_INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high", "X": "unspecified"}
# The released 1040_ITH_SAD_X.wav has one X.
_NAME = re.compile(r"(?P<actor>1\d{3})_(?P<sentence>[A-Z]{3})_(?P<emotion>[A-Z]{3})_(?P<intensity>LO|MD|HI|X)X?\.wav")


def recognises(path: Path) -> bool:
    """Whether ``path`` has CREMA-D's layout."""
    return any(_NAME.fullmatch(recording.name) for recording in _recordings(path))


def read(path: Path) -> Corpus:
    """Read CREMA-D from the folder that holds ``AudioWAV``.

    Raises:
        CorpusError: there are no recordings, or one is not named like CREMA-D's.
    """
    sexes = _sexes(path / "VideoDemographics.csv")
    dropped: Counter[str] = Counter()
    utterances: list[Utterance] = []
    for recording in _recordings(path):
        fields = _NAME.fullmatch(recording.name)
        if fields is None:
            raise CorpusError(
                f"{recording}: not named like CREMA-D's recordings (1001_DFA_ANG_XX.wav). Move it elsewhere."
            )
        if fields["emotion"] not in LABELS:
            dropped[fields["emotion"]] += 1
            continue
        details = {
            "original_label": fields["emotion"],
            "intensity": _INTENSITIES[fields["intensity"]],
            "sentence": _SENTENCES.get(fields["sentence"], fields["sentence"]),
        }
        label, actor = LABELS[fields["emotion"]], fields["actor"]
        utterances.append(Utterance(recording, label, f"actor_{actor}", sex=sexes.get(actor), details=details))
    if not utterances and not dropped:
        raise CorpusError(f"{path}: there are no .wav files in its folder AudioWAV.")
    return Corpus("crema-d", ARTICLE_LABELS, tuple(utterances), dict(dropped))


def _recordings(path: Path) -> list[Path]:
    return sorted(recording for recording in path.glob("AudioWAV/*.wav") if not recording.name.startswith("._"))


def _sexes(demographics: Path) -> dict[str, Sex]:
    """Each actor's sex, by number."""
    if not demographics.is_file():
        return {}
    with demographics.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"ActorID", "Sex"} <= set(rows[0]):
        raise CorpusError(f"{demographics}: has no columns ActorID and Sex. Get CREMA-D's own file, or remove it.")
    return {row["ActorID"]: _SEXES[row["Sex"]] for row in rows if row["Sex"] in _SEXES}
