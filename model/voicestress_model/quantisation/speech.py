"""The speech an int8 model is calibrated on, and the other half of it, which it and an fp16 model are held to."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from voicestress.contract import StressContract
from voicestress_audio import InvalidAudio, read_recording

from voicestress_model.agreement import Pcm
from voicestress_model.corpora import read_corpus
from voicestress_model.errors import ExportError

MOST_RECORDINGS = 200
MOST_WINDOWS = 100
_MANIFESTS = {".csv", ".parquet"}
_RECORDINGS = {".wav", ".flac", ".mp3", ".ogg", ".opus", ".aif", ".aiff"}
_SEED = 0
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class CalibrationSpeech:
    """Windows of two halves of the recordings, cut as the client cuts them.

    No recording is in both; all are held out where nothing is calibrated. ``left_out`` says of each recording that
    can't be used why.
    """

    calibrating: tuple[Pcm, ...]
    held_out: tuple[Pcm, ...]
    recordings: int
    left_out: tuple[str, ...]


def read_calibration(sources: Sequence[Path], contract: StressContract) -> CalibrationSpeech:
    """Read recordings from folders, manifests and files.

    Of many recordings 200 are drawn, and of each half 100 windows kept, always the same ones. Of a manifest that says
    which recordings the model was trained on (its split "train"), those are left out where it has others.

    Raises:
        ExportError: fewer than two of the recordings can be used.
        CorpusError: a manifest can't be read.
    """
    usable, left_out, found = _usable(sources, contract)
    if len(usable) < 2:
        raise ExportError(
            f"{_too_few(sources, usable, left_out, found)}. int8 takes two at least, one to calibrate on and one to "
            "measure with, and better a hundred"
        )
    return CalibrationSpeech(_spread(usable[::2]), _spread(usable[1::2]), len(usable), left_out)


def read_measuring(sources: Sequence[Path], contract: StressContract) -> CalibrationSpeech:
    """Read recordings as ``read_calibration`` does, all of them to measure with.

    Raises:
        ExportError: none can be used.
        CorpusError: a manifest can't be read.
    """
    usable, left_out, found = _usable(sources, contract)
    if not usable:
        raise ExportError(f"{_too_few(sources, usable, left_out, found)}. One at least is needed, and better a hundred")
    return CalibrationSpeech((), _spread(usable), len(usable), left_out)


def _usable(sources: Sequence[Path], contract: StressContract) -> tuple[list[list[Pcm]], tuple[str, ...], int]:
    """The windows of each recording drawn that can be used, why the others can't be, and how many there are in all."""
    paths = sorted({path for source in sources for path in _recordings(source)})
    chosen = random.Random(_SEED).sample(paths, min(len(paths), MOST_RECORDINGS))  # noqa: S311 - nothing secret
    usable: list[list[Pcm]] = []
    left_out = []
    for path in chosen:
        try:
            usable.append(_windows(path, contract))
        except InvalidAudio as error:
            left_out.append(str(error))
    return usable, tuple(left_out), len(paths)


def _too_few(sources: Sequence[Path], usable: Sequence[object], left_out: Sequence[str], found: int) -> str:
    named = ", ".join(map(str, sources))
    why = f"; the first that can't be used: {left_out[0]}" if left_out else ""
    return f"{named}: {len(usable)} of {found} recordings can be used{why}"


def _recordings(source: Path) -> Iterator[Path]:
    if source.suffix.lower() in _MANIFESTS:
        utterances = read_corpus(source, kind="manifest").utterances
        unseen = [utterance for utterance in utterances if utterance.split != "train"]
        yield from (utterance.path for utterance in unseen or utterances)
    elif source.is_dir():
        yield from (path for path in source.rglob("*") if path.suffix.lower() in _RECORDINGS)
    elif source.exists():
        yield source
    else:
        raise ExportError(f"{source}: nothing is there to calibrate on; give a folder, a manifest or recordings")


def _windows(path: Path, contract: StressContract) -> list[Pcm]:
    recording = read_recording(
        path,
        shortest_window_samples=contract.shortest_window_samples,
        longest_window_samples=contract.longest_window_samples,
    )
    return [window.pcm for window in _some(recording.windows, MOST_WINDOWS)]


def _spread(recordings: Sequence[Sequence[Pcm]]) -> tuple[Pcm, ...]:
    """At most ``MOST_WINDOWS`` windows, as evenly from the recordings as they have them."""
    each = max(1, MOST_WINDOWS // len(recordings))
    return tuple(window.copy() for windows in recordings for window in _some(windows, each))


def _some(items: Sequence[_Item], most: int) -> list[_Item]:
    """At most ``most`` of ``items``, evenly spaced."""
    count = min(len(items), most)
    return [items[number * len(items) // count] for number in range(count)]
