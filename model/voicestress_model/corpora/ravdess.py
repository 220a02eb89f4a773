"""RAVDESS, the Ryerson audio-visual database of emotional speech and song (Livingstone & Russo 2018).

Layout: ``Actor_01/03-01-06-01-02-01-01.wav``, or one folder above. The name's seven numbers are modality, channel,
emotion, intensity, statement, repetition and actor; actors with odd numbers are men, with even numbers women.

===========  ========  ==================================================================================
original     label     why
===========  ========  ==================================================================================
neutral      neutral
calm         neutral   recorded as a second baseline, because listeners hear plain neutral as slightly bad
sad          sad
fearful      anxious   the nearest to anxiety that was acted
happy        dropped   no label fits
angry        dropped   no label fits: high arousal, but not anxiety
disgust      dropped   no label fits
surprised    dropped   no label fits
===========  ========  ==================================================================================

Songs are dropped and counted as "song". Some copies of the dataset hold every file twice, in two folders: the second is
counted as "duplicate".
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from voicestress_model.corpora.corpus import ARTICLE_LABELS, Corpus, Utterance
from voicestress_model.corpora.errors import CorpusError

LABELS = {"neutral": "neutral", "calm": "neutral", "sad": "sad", "fearful": "anxious"}
_EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
_SENTENCES = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
_INTENSITIES = {"01": "normal", "02": "strong"}
_NAME = re.compile(r"(?P<modality>0[13])-(?P<channel>0[12])-(?P<emotion>0[1-8])-(?P<intensity>0[12])-"
                   r"(?P<statement>0[12])-(?P<repetition>0[12])-(?P<actor>[0-2]\d)\.wav")  # fmt: skip


def recognises(path: Path) -> bool:
    """Whether ``path`` has RAVDESS's layout."""
    return any(_NAME.fullmatch(recording.name) for recording in _recordings(path))


def read(path: Path) -> Corpus:
    """Read RAVDESS from the folder that holds its ``Actor_NN`` folders, or from the one above.

    Raises:
        CorpusError: there are no recordings, or one is not named like RAVDESS's.
    """
    dropped: Counter[str] = Counter()
    seen: set[str] = set()
    utterances: list[Utterance] = []
    for recording in _recordings(path):
        fields = _NAME.fullmatch(recording.name)
        if fields is None:
            raise CorpusError(
                f"{recording}: not named like RAVDESS's recordings (03-01-06-01-02-01-12.wav). Move it elsewhere."
            )
        emotion = _EMOTIONS[int(fields["emotion"]) - 1]
        if recording.name in seen:
            dropped["duplicate"] += 1
            continue
        seen.add(recording.name)
        if fields["channel"] == "02":
            dropped["song"] += 1
        elif emotion not in LABELS:
            dropped[emotion] += 1
        else:
            utterances.append(
                Utterance(
                    recording,
                    LABELS[emotion],
                    f"actor_{fields['actor']}",
                    sex="male" if int(fields["actor"]) % 2 else "female",
                    details={
                        "original_label": emotion,
                        "intensity": _INTENSITIES[fields["intensity"]],
                        "sentence": _SENTENCES[fields["statement"]],
                        "repetition": fields["repetition"],
                    },
                )
            )
    if not utterances and not dropped:
        raise CorpusError(f"{path}: there are no Actor_NN folders with .wav files in it or one level below.")
    return Corpus("ravdess", ARTICLE_LABELS, tuple(utterances), dict(dropped))


def _recordings(path: Path) -> list[Path]:
    found = [*path.glob("Actor_[0-2][0-9]/*.wav"), *path.glob("*/Actor_[0-2][0-9]/*.wav")]
    return sorted(recording for recording in found if not recording.name.startswith("._"))
