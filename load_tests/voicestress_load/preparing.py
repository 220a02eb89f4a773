"""Requests made ready before the time they are meant to be sent: making audio costs the generator time, too."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from voicestress_load.arrivals import Arrivals
from voicestress_load.asking import Ending, Model, Request
from voicestress_load.audio import Pcm, Voices
from voicestress_load.workload import Component, Workload

# Below so much audio a request is ready in well under a millisecond; encoders take longer than samples as they are.
_QUICK_S = 10.0
_QUICK_FORMATS = ("wav", "aiff", "pcm")


class Asker(Protocol):
    """A Locust user, as far as requests go."""

    rate_hz: int
    model: Model | None  # once a request was scored

    def introduce(self) -> int | None:
        """Find out what is served there: the shortest window that is scored, in samples, where that is known."""

    def payload(self, pcm: Pcm, component: Component) -> tuple[Any, int]:
        """What is sent of ``pcm``, and its bytes."""

    def send(self, request: Request) -> Ending:
        """Send a request and wait for what comes of it."""

    def close(self) -> None:
        """Close the connections."""


class Preparing:
    """Makes requests for ``user``: number n of a seed is the same audio, whichever worker makes it.

    Args:
        workload: what is sent.
        user: who sends it.
        seed: of the run.
        all_live: whether every request is a live stream, whatever the workload says.
    """

    def __init__(self, workload: Workload, user: Asker, voices: Voices, *, seed: int, all_live: bool = False) -> None:
        self._workload, self._user, self._seed, self._all_live = workload, user, seed, all_live
        self._voices = voices
        self._repeated: dict[tuple[str, float], tuple[Any, int]] = {}

    def drawn(self, number: int) -> tuple[Component, float]:
        """The component and the seconds of request ``number``."""
        return self._as_asked(*self._workload.drawn(self._generator(number)))

    def of_trace(self, kind: str, audio_s: float) -> tuple[Component, float]:
        """The component and the seconds of a request that was recorded."""
        return self._as_asked(self._workload.named(kind), audio_s)

    def longest_live_s(self, arrivals: Arrivals) -> float:
        """How long a live stream among ``arrivals`` may be, in seconds; 0 if none is live."""
        if not (self._all_live or any(each.live for each in self._workload.component)):
            return 0.0
        if arrivals.audio_s is not None:
            return float(arrivals.audio_s.max(initial=0.0))
        return longest_live_s(self._workload, all_live=self._all_live)

    def is_quick(self, component: Component, audio_s: float) -> bool:
        """Whether it is made so fast that the requests in between don't notice."""
        return audio_s <= _QUICK_S and (component.live or component.format in _QUICK_FORMATS)

    def request(self, number: int, step: int, component: Component, audio_s: float) -> Request:
        """Request ``number``, of ``component`` and ``audio_s`` seconds."""
        if self._workload.repeat:
            key = (component.name, audio_s)
            if key not in self._repeated:
                self._repeated[key] = self._user.payload(self._voices.repeated(audio_s), component)
            payload, size_bytes = self._repeated[key]
        else:
            # Beside those that drew the length: a trace has its own.
            generator = np.random.default_rng((self._seed, number, 1))
            payload, size_bytes = self._user.payload(self._voices.cut(audio_s, generator, number=number), component)
        return Request(
            number=number,
            step=step,
            kind=component.name,
            priority=component.priority,
            format=component.format,
            live=component.live,
            audio_s=audio_s,
            payload=payload,
            size_bytes=size_bytes,
        )

    def _generator(self, number: int) -> np.random.Generator:
        return np.random.default_rng((self._seed, number, 0))

    def _as_asked(self, component: Component, audio_s: float) -> tuple[Component, float]:
        if self._all_live and not component.live:
            component = component.model_copy(update={"live": True})
        return component, audio_s


def longest_live_s(workload: Workload, *, all_live: bool) -> float:
    """How long a live stream of ``workload`` may be, in seconds; 0 if none is live."""
    return max((each.lengths.bounds_s[1] for each in workload.component if each.live or all_live), default=0.0)
