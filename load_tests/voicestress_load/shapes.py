"""Shapes of load over time: which rates are offered, for how long, and what follows from how that went.

A shape is a generator: it yields parts that follow one another without a pause, and is sent the steps they became.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from voicestress_load.errors import BadInput
from voicestress_load.results import Step
from voicestress_load.settings import Settings

# What is found within so much of the rate above it is found.
PRECISION = 1.05
_DEEPEST = 2**10
_RAMP_PARTS, _RAMP_GROWTH, _MOST_RAMP_PARTS = 8, 1.25, 40
_SOAK_PARTS = 10
_SATURATED = 0.9
_SETTLING, _LONGEST_SETTLING_S = 0.1, 5.0


@dataclass(frozen=True)
class Part:
    """A load that stays the same for a while: ``rate_hz`` of an open loop, or ``callers`` of a closed one, or a trace.

    The first ``settling_s`` of it are offered but not counted. ``gated`` says whether it has to meet the SLO, and
    ``hopeful`` whether it may end early, once it can't meet it any more.
    """

    seconds: float
    rate_hz: float | None = None
    callers: int | None = None
    settling_s: float = 0.0
    gated: bool = True
    hopeful: bool = False


Shaped = Generator[list[Part], Sequence[Step], None]


def shaped(settings: Settings, *, idle_s: float, trace_s: float | None) -> Shaped:
    """The shape that ``settings`` ask for.

    Args:
        settings: of the run.
        idle_s: how long a request takes that an idle server gets alone, in seconds: where no rate is given, a first
            rate follows from it.
        trace_s: how long the trace lasts, where one is replayed.
    """
    rate_hz, seconds = settings.rate_hz, settings.seconds
    if settings.callers is not None:
        return _once([_part(seconds, callers=settings.callers)])
    if settings.shape == "trace" and trace_s is not None:
        return _once([Part(trace_s)])
    if settings.shape == "search":
        return search(rate_hz or 0.5 / idle_s, seconds, settings.fewest)
    if settings.shape == "ramp":
        return _once(_ramp_to(rate_hz, seconds)) if rate_hz else _ramp_from(0.25 / idle_s, seconds)
    if rate_hz is None:
        raise BadInput(f"--shape {settings.shape} wants --rate: requests a second; voicestress load search finds one")
    if settings.shape == "spike":
        return _once(_spike(rate_hz, settings.spike, seconds))
    if settings.shape == "soak":
        return _once([_part(seconds / _SOAK_PARTS, rate_hz) for _ in range(_SOAK_PARTS)])
    return _once([_part(max(seconds, settings.fewest / rate_hz), rate_hz)])


def search(first_rate_hz: float, seconds: float, fewest: int) -> Shaped:
    """Find the highest rate that meets the SLO: doubling, then halving what is between.

    Each step is the server scenario of MLPerf Inference (Reddi et al. 2020, MLPerf Inference Benchmark, section IV): a
    Poisson process of one rate whose 99th percentile has to be under a bound, for a least duration and a least number
    of queries. MLPerf asks for 270,336 queries and a minute of them; here both are the caller's, ``seconds`` and
    ``fewest``, counted after a tenth for settling. A step that can't be believed is made once more.
    """
    low: float | None = None
    high: float | None = None
    rate_hz = first_rate_hz
    while True:
        part = _part(max(seconds, fewest / rate_hz), rate_hz, hopeful=True)
        step = (yield [part])[-1]
        if step.void:
            step = (yield [part])[-1]
        if step.misses:
            high = rate_hz  # void or not: nothing above is claimed
        elif step.void:
            return
        else:
            low = rate_hz
        if high is None:
            rate_hz *= 2
        elif low is None:
            rate_hz /= 2
            if rate_hz < first_rate_hz / _DEEPEST:
                return
        elif high / low <= PRECISION:
            return
        else:
            rate_hz = math.sqrt(low * high)


def _once(parts: list[Part]) -> Shaped:
    yield parts


def _ramp_to(highest_hz: float, seconds: float) -> list[Part]:
    return [_part(seconds, highest_hz * number / _RAMP_PARTS, gated=False) for number in range(1, _RAMP_PARTS + 1)]


def _ramp_from(rate_hz: float, seconds: float) -> Shaped:
    """Faster and faster, until the server has twice in a row not kept up."""
    behind = 0
    for _ in range(_MOST_RAMP_PARTS):
        step = (yield [_part(seconds, rate_hz, gated=False)])[-1]
        figures = step.figures
        behind = behind + 1 if figures.achieved_per_s < _SATURATED * figures.offered_per_s else 0
        if behind == 2 or step.void:
            return
        rate_hz *= _RAMP_GROWTH


def _spike(rate_hz: float, times: float, seconds: float) -> list[Part]:
    """Calm, a spike, as long again to recover, and calm: the spike may miss the SLO, what is around it may not."""
    calm, spike = Part(seconds, rate_hz), Part(seconds, times * rate_hz, gated=False)
    return [calm, spike, Part(seconds, rate_hz, gated=False), calm]


def _part(
    seconds: float,
    rate_hz: float | None = None,
    *,
    callers: int | None = None,
    gated: bool = True,
    hopeful: bool = False,
) -> Part:
    """A part whose beginning is not counted; it is as much longer."""
    settling_s = min(_SETTLING * seconds, _LONGEST_SETTLING_S)
    return Part(seconds + settling_s, rate_hz, callers, settling_s, gated, hopeful)
