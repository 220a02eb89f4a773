"""IEMOCAP, the interactive emotional dyadic motion capture database (Busso et al. 2008).

Layout: ``Session1/dialog/EmoEvaluation/Ses01F_impro01.txt`` lists the turns of a dialogue with their labels,
``Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M003.wav`` holds one turn. The speaker is the *turn's* last
letter: Ses01F_impro01_M003 is spoken by the man of session 1 (the letter in the dialogue's name says who wore the
motion capture markers).

===============================  ========  =======================================================
original                         label     why
===============================  ========  =======================================================
neu                              neutral
sad                              sad
fea                              anxious   the nearest to anxiety; only about 40 turns in all of it
ang, dis, exc, fru, hap, oth,    dropped   no label fits
sur
xxx                              dropped   the raters did not agree
===============================  ========  =======================================================
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from voicestress_model.corpora.corpus import ARTICLE_LABELS, Corpus, Utterance, listed
from voicestress_model.corpora.errors import CorpusError

LABELS = {"neu": "neutral", "sad": "sad", "fea": "anxious"}
_TURN = re.compile(r"\[(?P<start>[\d.]+) - (?P<end>[\d.]+)\]\t(?P<turn>(?P<dialogue>Ses0\d[FM]_\w+)_(?P<sex>[FM])\w+)\t"
                   r"(?P<label>\w{3})\t\[(?P<dimensions>[^\]]+)\]")  # fmt: skip
_TRANSCRIPT = re.compile(r"(?P<turn>Ses0\d[FM]_\w+) \[[\d.]+-[\d.]+\]:\s*(?P<sentence>.+)")
_DIMENSIONS = ("valence", "activation", "dominance")


def recognises(path: Path) -> bool:
    """Whether ``path`` has IEMOCAP's layout."""
    return any(path.glob("Session[1-5]/dialog/EmoEvaluation"))


def read(path: Path) -> Corpus:
    """Read IEMOCAP from the folder that holds ``Session1`` to ``Session5``, or some of them.

    Raises:
        CorpusError: there is no list of turns, or recordings that are listed are not there.
    """
    dropped: Counter[str] = Counter()
    utterances: list[Utterance] = []
    for evaluation in sorted(path.glob("Session[1-5]/dialog/EmoEvaluation/Ses*.txt")):
        session = evaluation.parents[2]
        sentences = _sentences(session / "dialog" / "transcriptions" / evaluation.name)
        for turn in _TURN.finditer(evaluation.read_text(encoding="utf-8", errors="replace")):
            if turn["label"] not in LABELS:
                dropped[turn["label"]] += 1
                continue
            recording = session / "sentences" / "wav" / turn["dialogue"] / f"{turn['turn']}.wav"
            utterances.append(_utterance(recording, turn, session.name, sentences.get(turn["turn"], "")))
    if not utterances and not dropped:
        raise CorpusError(f"{path}: there are no turns listed in SessionN/dialog/EmoEvaluation/*.txt.")
    if missing := [str(u.path) for u in utterances if not u.path.is_file()]:
        raise CorpusError(
            f"{path}: {len(missing)} of {len(utterances)} recordings are not there: {listed(missing)}. "
            "Unpack the sentences/wav folders of every session."
        )
    return Corpus("iemocap", ARTICLE_LABELS, tuple(utterances), dict(dropped))


def _utterance(recording: Path, turn: re.Match[str], session: str, sentence: str) -> Utterance:
    details = {
        "original_label": turn["label"],
        "session": session,
        "scenario": "improvised" if "_impro" in turn["dialogue"] else "scripted",
        "sentence": sentence,
        **dict(zip(_DIMENSIONS, turn["dimensions"].split(", "), strict=True)),
    }
    return Utterance(
        recording,
        LABELS[turn["label"]],
        turn["dialogue"][:5] + turn["sex"],
        sex="female" if turn["sex"] == "F" else "male",
        details={name: value for name, value in details.items() if value},
    )


def _sentences(transcript: Path) -> dict[str, str]:
    """What is said, by turn; empty where the transcripts were not unpacked."""
    if not transcript.is_file():
        return {}
    found = _TRANSCRIPT.finditer(transcript.read_text(encoding="utf-8", errors="replace"))
    return {turn["turn"]: turn["sentence"].strip() for turn in found}
