"""What scores the recordings: a checkpoint here, or a model on a running server.

A checkpoint runs padding-free in PyTorch, not through ONNX Runtime: nothing has to be exported first, a GPU is used
where there is one, and the export is held to the same logits anyway (``export_model`` refuses a difference above 1e-4).
To evaluate what an export became, int8 say, serve it and evaluate the server.

Both cut windows with the same ``read_recording`` call, without speech detection: a corpus is cut speech already.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from voicestress import InvalidAudio, StressClient, StressContract, StressReport
from voicestress.report import stress_report
from voicestress_audio import Recording, Source, read_recording

from voicestress_model.checkpoints import StressCheckpoint
from voicestress_model.packed import PackedWav2Vec2

Scored = StressReport | InvalidAudio
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
# Makes a recording when it is asked to, maybe in another thread.
Supply = Callable[[], Source]

# As many as the exported model takes at once: larger batches fall out of a CPU's cache and only get slower.
_BATCH_WINDOWS = 8
# Enough for the server to fill its batches while this side decodes.
_CALLERS = 8


@dataclass(frozen=True)
class Scorer:
    """A model that scores recordings.

    ``score`` yields, in the order of the recordings it takes, a report of each, or why it can't be used.
    ``runtime`` says what computes.
    """

    contract: StressContract
    runtime: str
    score: Callable[[Iterable[Supply]], Iterator[Scored]]


def checkpoint_scorer(checkpoint: StressCheckpoint, contract: StressContract) -> Scorer:
    """A scorer that runs ``checkpoint`` in this process, a few windows at a time."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = PackedWav2Vec2(
        checkpoint.detector,
        normalize=checkpoint.normalize,
        shortest_samples=contract.shortest_window_samples,
        longest_samples=contract.longest_window_samples,
    ).to(device)

    def read(supply: Supply) -> Recording | InvalidAudio:
        try:
            return read_recording(
                supply(),
                shortest_window_samples=contract.shortest_window_samples,
                longest_window_samples=contract.longest_window_samples,
                speech_detection=False,
            )
        except InvalidAudio as error:
            return error

    def score_some(supplies: list[Supply]) -> list[Scored]:
        recordings = [read(supply) for supply in supplies]
        windows = [window.pcm for found in recordings if isinstance(found, Recording) for window in found.windows]
        batches = [windows[at : at + _BATCH_WINDOWS] for at in range(0, len(windows), _BATCH_WINDOWS)]
        rows = iter([row for batch in batches for row in _logits(model, batch, device)])
        return [
            found
            if isinstance(found, InvalidAudio)
            else stress_report(
                found,
                np.stack([next(rows) for _ in found.windows]),
                contract,
                name=contract.checkpoint,
                version="checkpoint",
            )
            for found in recordings
        ]

    def score(supplies: Iterable[Supply]) -> Iterator[Scored]:
        with _one_thread_a_batch() as pool:
            for scored in _in_order(pool, score_some, _groups(supplies, _BATCH_WINDOWS), ahead=4):
                yield from scored

    return Scorer(contract, f"PyTorch {torch.__version__}, padding-free, {device.type}", score)


def _logits(model: PackedWav2Vec2, windows: list[np.ndarray], device: torch.device) -> np.ndarray:
    """Logits ``[windows, labels]`` of windows of int16 ``[samples]``."""
    lengths = torch.tensor([[len(window)] for window in windows], dtype=torch.int32, device=device)
    pcm = torch.from_numpy(np.concatenate(windows)).to(device)
    with torch.inference_mode():
        return np.asarray(model(pcm, lengths).cpu().numpy())


def server_scorer(client: StressClient) -> Scorer:
    """A scorer that asks a running server, several recordings at once.

    Raises:
        ServiceError, ContractError: nothing answers there, or no stress model.
    """

    def analyze(supply: Supply) -> Scored:
        try:
            return client.analyze(supply(), speech_detection=False)
        except InvalidAudio as error:
            return error

    def score(supplies: Iterable[Supply]) -> Iterator[Scored]:
        with ThreadPoolExecutor(_CALLERS) as pool:
            yield from _in_order(pool, analyze, supplies, ahead=2 * _CALLERS)

    return Scorer(client.contract(), "Triton", score)


@contextmanager
def _one_thread_a_batch() -> Iterator[ThreadPoolExecutor]:
    """A thread a core, each of which runs whole batches on its own.

    The usual other way, all cores on one batch, waits at the end of every product for the slowest: where others use the
    machine too, that took ten times the processor time for a small model.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)


def _groups(supplies: Iterable[Supply], size: int) -> Iterator[list[Supply]]:
    supplies = iter(supplies)
    while group := list(islice(supplies, size)):
        yield group


def _in_order(
    pool: ThreadPoolExecutor, function: Callable[[_Item], _Result], items: Iterable[_Item], *, ahead: int
) -> Iterator[_Result]:
    """The results of ``function`` in order, at most ``ahead`` of them waiting: a corpus does not fit into memory."""
    waiting: deque[Future[_Result]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
