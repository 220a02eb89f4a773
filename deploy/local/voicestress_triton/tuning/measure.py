"""How fast a served model is: kept busy by many requests at once, and asked one at a time."""

from __future__ import annotations

import math
import queue
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tritonclient.grpc import InferenceServerClient, InferResult
from tritonclient.utils import InferenceServerException
from voicestress import wire
from voicestress.contract import StressContract
from voicestress.errors import ServiceError

Pcm = npt.NDArray[np.int16]
_ANSWER_S = 60.0


@dataclass(frozen=True)
class Speed:
    """Audio-seconds scored a second when busy, and the seconds one window of 5 s takes when idle."""

    audio_s_per_s: float
    latency_s: float


def mixed_windows(contract: StressContract, count: int, *, seed: int = 0) -> list[Pcm]:
    """``count`` windows of noise, of lengths drawn evenly from what the model takes, from 1 s on."""
    generator = np.random.default_rng(seed)
    longest = contract.longest_window_samples
    shortest = min(max(contract.shortest_window_samples, contract.sample_rate_hz), longest)
    lengths = generator.integers(shortest, longest + 1, size=count)
    return [generator.normal(scale=3000, size=length).astype(np.int16) for length in lengths]


def speed(url: str, model: str, contract: StressContract, *, seconds: float, callers: int) -> Speed:
    """Measure the model for about ``seconds``, two thirds of them with ``callers`` requests at once.

    Raises:
        ServiceError: it failed or did not answer.
    """
    windows = mixed_windows(contract, 64)
    five_s = np.resize(windows[0], min(5 * contract.sample_rate_hz, contract.longest_window_samples))
    with InferenceServerClient(url) as triton:
        for window in windows[:8]:  # an engine's first runs are slow
            _score(triton, model, window)
        busy = _busy_rate(triton, model, windows, seconds=seconds * 2 / 3, callers=callers)
        return Speed(busy, _idle_latency_s(triton, model, five_s, seconds=seconds / 3))


def _busy_rate(
    triton: InferenceServerClient, model: str, windows: Sequence[Pcm], *, seconds: float, callers: int
) -> float:
    """Audio-seconds answered a second between the first answer and the last before the time is over."""
    answers: queue.SimpleQueue[tuple[int, float, InferenceServerException | None]] = queue.SimpleQueue()

    def send(number: int) -> None:
        def on_answer(result: InferResult | None, error: InferenceServerException | None) -> None:
            answers.put((number, time.perf_counter(), error))

        pcm = windows[number % len(windows)]
        triton.async_infer(
            model, wire.window_input(pcm), on_answer, outputs=wire.requested_output(), client_timeout=_ANSWER_S
        )

    for number in range(callers):
        send(number)
    sent, answered, scored = callers, 0, 0
    first_s, last_s = math.inf, 0.0
    until_s = time.perf_counter() + seconds
    while answered < sent:
        number, at_s, error = answers.get(timeout=2 * _ANSWER_S)
        answered += 1
        if error is not None:
            raise ServiceError(f"{model} failed while it was measured: {error.message()}")
        if at_s < until_s:
            send(sent)
            sent += 1
            scored += len(windows[number % len(windows)]) if first_s < math.inf else 0
            first_s, last_s = min(first_s, at_s), at_s
    if last_s <= first_s:
        raise ServiceError(f"{model} answered no two requests in {seconds:g} s: measure longer")
    return scored / 16_000 / (last_s - first_s)


def _idle_latency_s(triton: InferenceServerClient, model: str, pcm: Pcm, *, seconds: float) -> float:
    until_s, taken = time.perf_counter() + seconds, list[float]()
    while not taken or time.perf_counter() < until_s:
        start = time.perf_counter()
        _score(triton, model, pcm)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def _score(triton: InferenceServerClient, model: str, pcm: Pcm) -> None:
    triton.infer(model, wire.window_input(pcm), outputs=wire.requested_output(), client_timeout=_ANSWER_S)
