"""Makes the synthetic corpus: recordings and a manifest with the true parameters of every one."""

from __future__ import annotations

import csv
import dataclasses
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np
import soundfile

from voicestress_model.corpora.corpus import ARTICLE_LABELS, Corpus, read_corpus
from voicestress_model.corpora.errors import CorpusError
from voicestress_model.corpora.synthetic.draws import Prosody, Surroundings, draw_prosody, draw_surroundings
from voicestress_model.corpora.synthetic.engines import require_engines, speak
from voicestress_model.corpora.synthetic.neutral import RATE_HZ, neutral_recording
from voicestress_model.corpora.synthetic.plan import PSOLA, SIZES, Task, item_seed, plan
from voicestress_model.corpora.synthetic.room import in_a_room

__all__ = ["MANIFEST", "SIZES", "synthesize_corpus"]

MANIFEST = "manifest.csv"
_COLUMNS = (
    "path", "label", "speaker", "split", "sex", "sentence", "engine", "voice", "manipulator", "f0_shift_st", "f0_range",
    "duration", "pauses", "pause_s", "tilt_db_octave", "jitter", "tremor_hz", "tremor_st", "loudness_dbfs", "noise_db",
    "seconds",
)  # fmt: skip

_Row = dict[str, str]


def synthesize_corpus(
    out: Path, *, size: str = "demo", seed: int = 0, workers: int = 2, progress: Callable[[int], None] | None = None
) -> Corpus:
    """Make the synthetic corpus in the folder ``out``: 16 kHz 16-bit FLAC files and ``manifest.csv``, and read it.

    The same ``size`` and ``seed`` give the same bytes, however many ``workers`` (processes) there are, as long as the
    engines are the same versions. The manifest is written last: a folder without one is not finished, and is made again
    from its start. ``progress`` is called with the number of recordings made since the last call.

    Raises:
        CorpusError: there is a manifest in ``out`` already, or ``size`` is unknown.
        EngineError: an engine or a voice is not installed (with the line that installs it), or failed.
    """
    manifest = out / MANIFEST
    if manifest.exists():
        raise CorpusError(f"{manifest}: there is a corpus already. Delete the folder, or choose another.")
    tasks = plan(size, seed)
    require_engines()
    out.mkdir(parents=True, exist_ok=True)
    rows: list[_Row] = []
    for task, made in zip(tasks, _made(tasks, out, seed, workers), strict=True):
        rows += made
        if progress is not None:
            progress(task.recordings)
    unfinished = manifest.with_suffix(".unfinished")
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    unfinished.replace(manifest)
    return dataclasses.replace(read_corpus(manifest), name=f"synthetic-{size}")


def recording_count(size: str) -> int:
    """How many recordings a corpus of ``size`` has."""
    return sum(task.recordings for task in plan(size, 0))


def _made(tasks: list[Task], out: Path, seed: int, workers: int) -> Iterator[list[_Row]]:
    if workers <= 1:
        yield from (make(task, out, seed) for task in tasks)
        return
    # Spawned, not forked: a fork of a process with torch's threads in it can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent) as pool:
        futures = [pool.submit(make, task, out, seed) for task in tasks]
        try:
            for future in futures:
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _end_with_parent() -> None:
    """End this worker when its parent is killed: it would wait for more work forever."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    if parent is not None:
        threading.Thread(target=watch, daemon=True).start()


def make(task: Task, out: Path, seed: int) -> list[_Row]:
    """Make the recordings of ``task`` under ``out``, and return their rows of the manifest."""
    from voicestress_model.corpora.synthetic import psola, world

    speaker = task.speaker
    texts = [text for _, text in task.sentences]
    spoken = speak(speaker.engine, speaker.voice, texts, pace=speaker.pace / speaker.vocal_tract)
    rows = []
    for (sentence, text), speech in zip(task.sentences, spoken, strict=True):
        neutral = neutral_recording(speech, speaker.vocal_tract)
        analysis = world.analyse(neutral)
        for split, manipulator in task.renderings:
            for label in ARTICLE_LABELS:
                rng = np.random.default_rng(item_seed(seed, split, speaker.name, sentence, label))
                prosody, surroundings = draw_prosody(label, rng), draw_surroundings(rng)
                if manipulator == PSOLA:
                    samples = psola.render(neutral, prosody, speaker.base_pitch_st, rng)
                else:
                    samples = world.render(analysis, prosody, speaker.base_pitch_st, rng)
                pcm = in_a_room(samples, surroundings, rng)
                path = Path("audio", split, speaker.name, f"{sentence}_{label}.flac")
                (out / path).parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(out / path, pcm, RATE_HZ, subtype="PCM_16")
                who = {"path": path.as_posix(), "label": label, "speaker": speaker.name, "split": split}
                how = {"engine": speaker.engine, "voice": speaker.voice, "manipulator": manipulator}
                rows.append(
                    who
                    | {"sex": speaker.sex, "sentence": text}
                    | how
                    | _parameters(prosody, surroundings)
                    | {"seconds": f"{len(pcm) / RATE_HZ:.3f}"}
                )
    return rows


def _parameters(prosody: Prosody, surroundings: Surroundings) -> _Row:
    numbers = {
        "f0_shift_st": prosody.f0_shift_st,
        "f0_range": prosody.f0_range,
        "duration": prosody.duration,
        "pauses": len(prosody.pauses_s),
        "pause_s": sum(prosody.pauses_s),
        "tilt_db_octave": prosody.tilt_db_octave,
        "jitter": prosody.jitter,
        "tremor_hz": prosody.tremor_hz,
        "tremor_st": prosody.tremor_st,
        "loudness_dbfs": surroundings.loudness_dbfs,
        "noise_db": surroundings.noise_db,
    }
    return {name: f"{value:.5g}" for name, value in numbers.items()}
