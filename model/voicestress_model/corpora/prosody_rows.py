"""Prosody features of many recordings, in several processes: they cost more than a small model does.

Little is imported here, because every process imports it.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits
from voicestress_audio import InvalidAudio

from voicestress_model.corpora.pcm import read_pcm
from voicestress_model.corpora.prosody import prosody_features

Row = npt.NDArray[np.float64]
_WORTH_PROCESSES = 200  # recordings; below, starting the processes takes longer than they save
_AT_ONCE = 16


def prosody_rows(paths: Sequence[Path], *, on_read: Callable[[], object] = lambda: None) -> list[Row | None]:
    """The features ``[23]`` of each recording, None where it can't be used; ``on_read`` is called after each."""
    if len(paths) < _WORTH_PROCESSES:
        return _collected(map(_row, paths), on_read)
    # Spawned, not forked: a fork of a process with torch's threads in it can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context, initializer=_on_one_core) as pool:
        return _collected(pool.map(_row, paths, chunksize=_AT_ONCE), on_read)


def _on_one_core() -> None:
    threadpool_limits(1)  # there is a process a core already


def _collected(rows: Iterable[Row | None], on_read: Callable[[], object]) -> list[Row | None]:
    found = []
    for row in rows:
        found.append(row)
        on_read()
    return found


def _row(path: Path) -> Row | None:
    try:
        return prosody_features(read_pcm(path))
    except InvalidAudio:
        return None
