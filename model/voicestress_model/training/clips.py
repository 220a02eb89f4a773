"""The corpus as the training loop hears it: windows of 16 kHz PCM in one file on disk.

Recordings are decoded once and cut into windows by the same call as the client's. The samples go to a file and are
read from there clip by clip: the system's page cache keeps them in memory as far as there is room, worker processes
share it, and a run that goes on after a kill finds them ready.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from voicestress_audio import InvalidAudio, read_recording

from voicestress_model.corpora import Corpus, Rejected, Utterance
from voicestress_model.corpora.recordings import listed, silence, without
from voicestress_model.geometry import SAMPLE_RATE_HZ
from voicestress_model.training.errors import TrainingError
from voicestress_model.training.settings import CorpusSettings

Pcm = npt.NDArray[np.int16]


@dataclasses.dataclass(frozen=True)
class Clip:
    """One window: where it lies in the file, which recording it is from, and the number of its label."""

    first_sample: int
    samples: int
    recording: int
    label: int


@dataclasses.dataclass(frozen=True)
class Clips:
    """The windows of one split, in the file ``path`` of int16 samples."""

    path: Path
    clips: tuple[Clip, ...]

    @property
    def seconds(self) -> float:
        """Audio in all of them."""
        return sum(clip.samples for clip in self.clips) / SAMPLE_RATE_HZ

    def count_labels(self, labels: Sequence[str]) -> dict[str, int]:
        """How many clips have each of ``labels``, in that order."""
        counts = Counter(clip.label for clip in self.clips)
        return {label: counts[number] for number, label in enumerate(labels)}

    def read(self, number: int) -> Pcm:
        """The samples of one clip, int16 ``[n]``."""
        clip = self.clips[number]
        return np.fromfile(self.path, np.int16, clip.samples, offset=2 * clip.first_sample)


@dataclasses.dataclass(frozen=True)
class TrainingClips:
    """What ``decode`` made of a corpus."""

    train: Clips
    dev: Clips
    rejected: tuple[Rejected, ...]


def decode(corpus: Corpus, folder: Path, settings: CorpusSettings, progress: Callable[[], object]) -> TrainingClips:
    """Decode the splits "train" and "dev" of ``corpus`` into ``folder``, or find them there.

    ``progress`` is called after each recording. Unreadable, silent and too short recordings are left out.

    Raises:
        TrainingError: more of them than ``settings.max_rejected_share``, or the folder holds another corpus.
        CorpusError: those left have no recording of some label.
    """
    utterances = corpus.split("train") + corpus.split("dev")
    index_path, fingerprint = folder / "clips.json", _fingerprint(utterances, settings)
    if index_path.exists():
        index = json.loads(index_path.read_text(encoding="utf-8"))
        if index["fingerprint"] != fingerprint:
            raise TrainingError(
                f"{corpus.name}: it, or how it is cut, has changed since {folder.parent} was begun. "
                "Train into another folder, or delete it."
            )
    else:
        index = {"fingerprint": fingerprint, **_decode(utterances, folder, settings, progress)}
        _check_rejected(corpus.name, utterances, index["rejected"], settings.max_rejected_share)
        write_atomically(index_path, json.dumps(index).encode())
    rejected = tuple(Rejected(utterances[number], reason) for number, reason in index["rejected"])
    without(corpus, rejected)
    clips: dict[str | None, list[Clip]] = {"train": [], "dev": []}
    for recording, first_sample, samples in index["clips"]:
        utterance = utterances[recording]
        clip = Clip(first_sample, samples, recording, corpus.labels.index(utterance.label))
        clips[utterance.split].append(clip)
    pcm = folder / "clips.pcm"
    return TrainingClips(Clips(pcm, tuple(clips["train"])), Clips(pcm, tuple(clips["dev"])), rejected)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, whenever the process or the machine stops."""
    scratch = path.with_name(f".{path.name}.tmp")
    with scratch.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def _decode(
    utterances: Sequence[Utterance], folder: Path, settings: CorpusSettings, progress: Callable[[], object]
) -> dict[str, list[tuple[int, ...] | tuple[int, str]]]:
    clips: list[tuple[int, ...] | tuple[int, str]] = []
    rejected: list[tuple[int, ...] | tuple[int, str]] = []
    written = 0
    with (folder / "clips.pcm").open("wb") as file:
        for number, utterance in enumerate(utterances):
            windows = _windows(utterance.path, settings)
            if isinstance(windows, str):
                rejected.append((number, windows))
                windows = []
            for window in windows:
                file.write(window.tobytes())
                clips.append((number, written, len(window)))
                written += len(window)
            progress()
    return {"clips": clips, "rejected": rejected}


def _windows(path: Path, settings: CorpusSettings) -> list[Pcm] | str:
    """The windows of a recording, or why it can't be used."""
    try:
        recording = read_recording(
            path,
            shortest_window_samples=round(settings.shortest_window_s * SAMPLE_RATE_HZ),
            longest_window_samples=round(settings.longest_window_s * SAMPLE_RATE_HZ),
            speech_detection=settings.speech_detection,
        )
    except InvalidAudio as error:
        return str(error)
    windows = [window.pcm for window in recording.windows]
    peak = max(int(np.abs(window.astype(np.int32)).max()) for window in windows) / 32768
    return silence(path, peak) or windows


def _check_rejected(
    name: str, utterances: Sequence[Utterance], rejected: Sequence[tuple[int, str]], most: float
) -> None:
    share = len(rejected) / len(utterances)
    if share > most:
        raise TrainingError(
            f"{name}: {len(rejected)} of {len(utterances)} recordings can't be used ({share:.1%}), "
            f"corpus.max_rejected_share allows {most:.1%}; `voicestress corpus check` lists them all:\n"
            + listed([reason for _, reason in rejected])
        )


def _fingerprint(utterances: Sequence[Utterance], settings: CorpusSettings) -> str:
    """Of what the clips follow from: the recordings, and how they are cut."""
    rows = [[str(u.path), u.label, u.speaker, u.split] for u in utterances]
    cut = [settings.shortest_window_s, settings.longest_window_s, settings.speech_detection]
    return hashlib.sha256(json.dumps([rows, cut]).encode()).hexdigest()
