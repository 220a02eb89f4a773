"""Which of a corpus's recordings can be used: the others are listed with a reason and left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from voicestress_audio import InvalidAudio, open_audio

from voicestress_model.corpora.corpus import Corpus, Utterance, check
from voicestress_model.corpora.errors import CorpusError
from voicestress_model.geometry import SHORTEST_WINDOW_S

# -60 dB of full scale: below the noise of any microphone that recorded speech.
_SILENT_PEAK = 1e-3
_LISTED = 5


@dataclass(frozen=True)
class Rejected:
    """A recording that was left out, and why, in the words ``voicestress analyze`` uses."""

    utterance: Utterance
    reason: str


def check_recordings(
    corpus: Corpus,
    *,
    shortest_s: float = SHORTEST_WINDOW_S,
    progress: Callable[[int], None] | None = None,
    on_rejected: Callable[[Rejected], None] = lambda _: None,
) -> tuple[Corpus, list[Rejected]]:
    """Decode every recording, and return the corpus of those that can be used and the list of those that can't.

    Rejected are recordings that can't be decoded, are shorter than ``shortest_s`` or silent throughout; ``on_rejected``
    is told of each as it is found. ``progress`` is called with 1 after each recording.

    Raises:
        CorpusError: without the rejected ones the corpus is empty, or breaks another promise of ``Corpus``.
    """
    rejected: list[Rejected] = []
    for utterance in corpus.utterances:
        reason = _why_not(utterance, shortest_s)
        if reason is not None:
            rejected.append(Rejected(utterance, reason))
            on_rejected(rejected[-1])
        if progress is not None:
            progress(1)
    if len(rejected) == len(corpus.utterances):
        raise CorpusError(
            f"{corpus.name}: none of its {len(rejected)} recordings can be used. The first: {rejected[0].reason}"
        )
    return without(corpus, rejected), rejected


def without(corpus: Corpus, rejected: Sequence[Rejected]) -> Corpus:
    """The corpus but for ``rejected``.

    Raises:
        CorpusError: what is left breaks a promise of ``Corpus``; with the reasons of those that are left out.
    """
    if not rejected:
        return corpus
    lost = {item.utterance.path for item in rejected}
    left = tuple(utterance for utterance in corpus.utterances if utterance.path not in lost)
    try:
        return check(dataclasses.replace(corpus, utterances=left))
    except CorpusError as error:
        reasons = listed([item.reason for item in rejected])
        raise CorpusError(f"{error} {len(rejected)} recordings can't be used:\n{reasons}") from error


def listed(reasons: Sequence[str]) -> str:
    """The first of ``reasons``, a line each, and how many more there are."""
    lines = [f"  {reason}" for reason in reasons[:_LISTED]]
    if len(reasons) > _LISTED:
        lines.append(f"  and {len(reasons) - _LISTED} more")
    return "\n".join(lines)


def silence(path: Path, peak: float) -> str | None:
    """Why a recording whose largest sample is ``peak`` (1 is full scale) can't be used, if it can't."""
    if peak >= _SILENT_PEAK:
        return None
    return f"{path}: is silent (its peak is {peak:.5f} of full scale, {_SILENT_PEAK:g} needed)."


def _why_not(utterance: Utterance, shortest_s: float) -> str | None:
    try:
        with open_audio(utterance.path) as audio:
            samples, peak = 0, 0.0
            for block in audio.blocks:
                samples += len(block)
                peak = max(peak, float(abs(block).max(initial=0.0)))
            if samples < shortest_s * audio.rate_hz:
                return f"{utterance.path}: is {samples / audio.rate_hz:.2f} s long, {shortest_s:g} s needed."
    except InvalidAudio as error:
        return str(error)
    return silence(utterance.path, peak)
