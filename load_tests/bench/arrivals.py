"""Requests to a server at given times, whatever it does with them: who waits for answers measures a gentler world.

One window is one request. Latency counts from the moment a request was meant to be sent.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException
from voicestress import DeadlineExceeded, Overloaded, wire
from voicestress_load.arrivals import poisson_times
from voicestress_model.agreement import Pcm

__all__ = ["Answer", "Outcome", "ask", "busy_per_s", "closed_loop", "keep_busy", "open_loop", "poisson_times"]

Outcome = Literal["scored", "rejected", "late", "failed"]


@dataclass(frozen=True)
class Answer:
    """What became of one request: ``meant_s`` and ``answered_s`` since the start, and the audio in it."""

    meant_s: float
    answered_s: float
    audio_s: float
    outcome: Outcome

    @property
    def latency_s(self) -> float:
        """From when it was meant to be sent to its answer."""
        return self.answered_s - self.meant_s


async def open_loop(
    url: str, windows: Sequence[Pcm], times_s: Sequence[float], *, deadline_s: float, model: str = "stress"
) -> list[Answer]:
    """Send window after window (over and over) at ``times_s``; the answers in that order."""
    async with InferenceServerClient(url) as triton:
        start = time.perf_counter()

        async def send(number: int, at_s: float) -> Answer:
            await asyncio.sleep(max(0.0, at_s - (time.perf_counter() - start)))
            pcm = windows[number % len(windows)]
            outcome = await ask(triton, url, model, pcm, deadline_s)
            return Answer(at_s, time.perf_counter() - start, len(pcm) / 16_000, outcome)

        return await asyncio.gather(*(send(number, at_s) for number, at_s in enumerate(times_s)))


async def closed_loop(
    url: str,
    windows: Sequence[Pcm],
    *,
    callers: int,
    seconds: float,
    deadline_s: float,
    model: str = "stress",
    finish: bool = True,
) -> list[Answer]:
    """``keep_busy`` with a model of the Triton at ``url``."""
    async with InferenceServerClient(url) as triton:

        async def score(number: int) -> Outcome:
            return await ask(triton, url, model, windows[number], deadline_s)

        return await keep_busy(score, windows, callers=callers, seconds=seconds, finish=finish)


async def keep_busy(
    score: Callable[[int], Awaitable[Outcome]],
    windows: Sequence[Pcm],
    *,
    callers: int,
    seconds: float,
    finish: bool = True,
) -> list[Answer]:
    """``callers`` at once, each sending its next window when the last was answered, for ``seconds``.

    ``score`` sends the window of a number. What is unanswered at the end is waited for, or dropped without ``finish``.
    """
    start = time.perf_counter()
    answers: list[Answer] = []

    async def call(first: int) -> None:
        number = first
        while (sent_s := time.perf_counter() - start) < seconds:
            place = number % len(windows)
            outcome = await score(place)
            answers.append(Answer(sent_s, time.perf_counter() - start, len(windows[place]) / 16_000, outcome))
            number += callers

    calls = [asyncio.create_task(call(first)) for first in range(callers)]
    if not finish:
        await asyncio.wait(calls, timeout=seconds)
        for unanswered in calls:
            unanswered.cancel()
    ended = await asyncio.gather(*calls, return_exceptions=not finish)
    for problem in ended:
        if isinstance(problem, Exception):  # a CancelledError is not one
            raise problem
    return sorted(answers, key=lambda answer: answer.answered_s)


def busy_per_s(answers: Sequence[Answer], *, from_s: float, until_s: float) -> float:
    """Audio-seconds scored a second by a server that is kept busy, from about ``from_s`` to about ``until_s``.

    Counted between the last answers before each of the two: answers come a batch at a time, and a clock that stops in
    the middle of one counts its work but not its answers.

    Raises:
        ValueError: nothing was answered in between.
    """
    counted = [answer.answered_s for answer in answers if answer.answered_s < until_s]
    if not counted or counted[-1] < from_s:
        raise ValueError(f"no answer from {from_s:g} to {until_s:g} s")
    first = max((at for at in counted if at < from_s), default=counted[0])
    if first == counted[-1]:
        raise ValueError(f"a single answer up to {until_s:g} s; measure for longer")
    # From just after the first to just after the last.
    return scored_per_s(answers, from_s=math.nextafter(first, math.inf), until_s=math.nextafter(counted[-1], math.inf))


def scored_per_s(answers: Sequence[Answer], *, from_s: float = 0.0, until_s: float) -> float:
    """Audio-seconds scored a second, counting answers given between two times."""
    scored = (a.audio_s for a in answers if a.outcome == "scored" and from_s <= a.answered_s < until_s)
    return sum(scored) / (until_s - from_s)


async def ask(triton: InferenceServerClient, url: str, model: str, pcm: Pcm, deadline_s: float) -> Outcome:
    """Send one window, and say what became of it."""
    try:
        await triton.infer(
            model,
            wire.window_input(pcm),
            outputs=wire.requested_output(),
            client_timeout=deadline_s,
            timeout=wire.queue_timeout_us(deadline_s),
        )
    except InferenceServerException as error:
        meant = wire.service_error(error, url=url, model=model, deadline_s=deadline_s)
        if isinstance(meant, Overloaded):
            return "rejected"
        return "late" if isinstance(meant, DeadlineExceeded) else "failed"
    return "scored"
