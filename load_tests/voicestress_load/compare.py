"""Two runs against each other: what can be claimed of their difference, and what can't."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, log
from pathlib import Path
from typing import Literal

import numpy as np
from voicestress.errors import StressError

from voicestress_load.blocks import FEWEST_STRETCHES, Draws, Floats, Stretch, draw, interval
from voicestress_load.limits import rate
from voicestress_load.requests_table import column, latency_ms, within
from voicestress_load.results import Run, Step, read_requests, read_run
from voicestress_load.summary import best_step

SEED = 8
CONFIDENCE = 0.95  # of all intervals of a comparison together
NO_DIFFERENCE = "no difference can be claimed"
_INTERVALS = 3  # of a comparison: each is so much wider that they hold together
_SAME_RATE = 0.02  # rates that differ by less are the same load
_MUST_AGREE = ("workload", "slo", "mode", "shape")
_MAY_DIFFER = ("urls", "protocol", "model", "model_version", "versions", "processor", "cores", "workers", "seed")


class IncomparableRuns(StressError):
    """Two runs that no honest comparison can be made of. The message says why, and what would help."""


@dataclass(frozen=True)
class Ratio:
    """How often ``b`` has what ``a`` has, with its interval; ``low`` and ``high`` are NaN where none can be given."""

    what: str
    unit: str
    a: float
    b: float
    low: float
    high: float
    more_is: Literal["better", "worse"]
    note: str = ""

    @property
    def ratio(self) -> float:
        """B over A."""
        return self.b / self.a if self.a else float("nan")

    @property
    def verdict(self) -> str:
        """``better`` or ``worse`` for B, or that no difference can be claimed."""
        if not self.low > 1 and not self.high < 1:
            return NO_DIFFERENCE
        more = self.low > 1
        return self.more_is if more else ("worse" if self.more_is == "better" else "better")


@dataclass(frozen=True, eq=False)
class Comparison:
    """Run ``b`` against run ``a``: the ratios, what else differs between them, and what keeps one from saying more.

    ``shared`` is the step of each at the highest load that both ran, if there is one; ``latencies_ms`` those of
    its scored requests, in order.
    """

    a: Run
    b: Run
    ratios: list[Ratio]
    differs: dict[str, tuple[str, str]]
    notes: list[str]
    shared: tuple[Step, Step] | None
    latencies_ms: tuple[Floats, Floats] | None

    @property
    def verdict(self) -> str:
        """What can be claimed, in one or two sentences."""
        claimed = [ratio for ratio in self.ratios if ratio.verdict != NO_DIFFERENCE]
        if not self.ratios:
            return "Nothing can be compared."
        if not claimed:
            return "No difference can be claimed: every interval holds 1, or is missing."
        sentences = []
        for kind in ("worse", "better"):
            of_kind = [_claim(ratio) for ratio in claimed if ratio.verdict == kind]
            if of_kind:
                sentences.append(f"B is {kind}: {'; '.join(of_kind)}.")
        return " ".join(sentences)


def compare(folder_a: Path, folder_b: Path, *, anyway: bool = False) -> Comparison:
    """Run B, kept in ``folder_b``, against run A; ``anyway`` compares what was asked differently, too.

    Raises:
        IncomparableRuns: one is void, or they differ in workload, SLO, mode or shape.
        UnreadableRun: a folder holds no run.
    """
    a, b = read_run(folder_a), read_run(folder_b)
    for folder, run in ((folder_a, a), (folder_b, b)):
        if run.void is not None:
            raise IncomparableRuns(f"{folder}: that run is void ({run.void}). Make it again.")
    other = [name for name in _MUST_AGREE if getattr(a, name) != getattr(b, name)]
    if other and not anyway:
        raise IncomparableRuns(
            f"{folder_a} and {folder_b} differ in {', '.join(other)}: they were not asked the same. Run both with the "
            "same, or compare them --anyway."
        )
    notes = [f"They differ in {', '.join(other)}, and are compared because that was asked for."] if other else []
    shared = _shared(a, b)
    stretches = [
        {step.number: _stretch(step, folder) for step in run.steps if step in _needed(run, shared)}
        for folder, run in ((folder_a, a), (folder_b, b))
    ]
    made = _Made(a, b, stretches[0], stretches[1], shared)
    return Comparison(
        a=a,
        b=b,
        ratios=made.ratios(),
        differs=dict(_differences(a, b, other)),
        notes=notes + list(made.notes()),
        shared=shared,
        latencies_ms=made.latencies_ms(),
    )


@dataclass(frozen=True, eq=False)
class _Made:
    """What the ratios are made of: requests of the steps that are needed, by the steps' numbers."""

    a: Run
    b: Run
    stretches_a: dict[int, Stretch]
    stretches_b: dict[int, Stretch]
    shared: tuple[Step, Step] | None

    def ratios(self) -> list[Ratio]:
        """All ratios, with intervals that hold together."""
        kept = best_step(self.a), best_step(self.b)
        search = self.a.shape == self.b.shape == "search" and None not in kept
        confidence = 1 - (1 - CONFIDENCE) / _INTERVALS
        found = [self._capacity(confidence)] if search else []
        if self.shared is None:
            return found
        step_a, step_b = self.shared
        at = f"at {rate(step_a)}"
        stretches = self.stretches_a[step_a.number], self.stretches_b[step_b.number]
        drawn = _draw_both(stretches)
        if not search:
            goodput = step_a.figures.goodput_audio_s_per_s, step_b.figures.goodput_audio_s_per_s
            pair = (drawn[0].goodput_audio_s_per_s, drawn[1].goodput_audio_s_per_s)
            found.append(_ratio(f"goodput {at}", "audio-s/s", goodput, pair, stretches, confidence, "better"))
        for name in ("p50", "p99"):
            values = getattr(step_a.figures, f"{name}_ms"), getattr(step_b.figures, f"{name}_ms")
            if None not in values:
                pair = (drawn[0].latency_ms[name], drawn[1].latency_ms[name])
                found.append(_ratio(f"{name} latency {at}", "ms", values, pair, stretches, confidence, "worse"))
        return found

    def _capacity(self, confidence: float) -> Ratio:
        """The highest rates within the SLO: each is somewhere from what was kept up to the next rate that missed."""
        kept: list[Floats] = []
        below: list[Floats] = []
        values, stretches = [], []
        for number, (run, of_run) in enumerate(((self.a, self.stretches_a), (self.b, self.stretches_b))):
            step = best_step(run)
            assert step is not None  # a search without one has no capacity
            stretches.append(of_run[step.number])
            kept.append(draw(of_run[step.number], (), seed=SEED + number).goodput_audio_s_per_s)
            below.append(np.maximum(kept[-1], _next_missed(run, step)))
            values.append(step.figures.goodput_audio_s_per_s)
        note = "from the rate that was kept to the next that missed, with each run's own spread"
        low, high = interval(kept[1] / below[0], confidence)[0], interval(below[1] / kept[0], confidence)[1]
        if not all(np.isfinite(each).all() for each in below):
            note, low, high = "a search ended without a rate that missed: its capacity is above what it kept", *_NONE
        if _too_short(stretches):
            note, low, high = _too_short(stretches), *_NONE
        return Ratio("highest rate within the SLO", "audio-s/s", values[0], values[1], low, high, "better", note)

    def notes(self) -> Iterator[str]:
        """What could not be compared."""
        for name, run in (("A", self.a), ("B", self.b)):
            if run.shape == "search" and best_step(run) is None:
                yield f"{name} met the SLO at no rate: there is no capacity to compare."
        if self.shared is None:
            yield "No load was run in both, so latencies can't be compared."
        yield (
            "An interval knows what varied within these two runs, not what changes from one start or one day to "
            "another. Before a release, let the two versions take turns a few times."
        )

    def latencies_ms(self) -> tuple[Floats, Floats] | None:
        """Of the shared steps' scored requests, in order of length."""
        if self.shared is None:
            return None
        pair = self.stretches_a[self.shared[0].number].latency_ms, self.stretches_b[self.shared[1].number].latency_ms
        found_a, found_b = (np.sort(each[~np.isnan(each)]) for each in pair)
        return (found_a, found_b) if len(found_a) and len(found_b) else None


_NONE = (float("nan"), float("nan"))


def _shared(a: Run, b: Run) -> tuple[Step, Step] | None:
    """The steps of the highest load that both ran and kept the SLO at, else of the highest that both ran."""
    pairs = [(x, y) for x in a.steps for y in b.steps if x.void is None and y.void is None and _same_load(x, y)]
    good = [pair for pair in pairs if not pair[0].misses and not pair[1].misses]
    return max(good or pairs, key=lambda pair: pair[0].figures.offered_audio_s_per_s, default=None)


def _same_load(a: Step, b: Step) -> bool:
    if a.offered_per_s is None or b.offered_per_s is None:
        return a.callers == b.callers
    return abs(log(a.offered_per_s / b.offered_per_s)) < _SAME_RATE


def _needed(run: Run, shared: tuple[Step, Step] | None) -> list[Step]:
    return [step for step in (best_step(run), *(shared or ())) if step is not None]


def _stretch(step: Step, folder: Path) -> Stretch:
    requests = within(read_requests(folder), step.from_s, step.until_s).sort_by("meant_s")
    outcome = np.array(requests.column("outcome").to_pylist())
    return Stretch(
        seconds=step.until_s - step.from_s,
        meant_s=column(requests, "meant_s") - step.from_s,
        latency_ms=np.where(outcome == "scored", latency_ms(requests), np.nan),
        audio_s=column(requests, "audio_s"),
    )


def _draw_both(stretches: Sequence[Stretch]) -> list[Draws]:
    return [draw(stretch, (50, 99), seed=SEED + number) for number, stretch in enumerate(stretches)]


def _ratio(
    what: str, unit: str, values: tuple[float, float], drawn: tuple[Floats, Floats], stretches: Sequence[Stretch],
    confidence: float, more_is: Literal["better", "worse"],
) -> Ratio:  # fmt: skip
    note = _too_short(stretches)
    low, high = _NONE if note else interval(drawn[1] / drawn[0], confidence)
    return Ratio(what, unit, values[0], values[1], low, high, more_is, note)


def _too_short(stretches: Sequence[Stretch]) -> str:
    """Why there is no interval; empty if there is one."""
    fewest = min(stretches, key=lambda stretch: stretch.stretches)
    if fewest.stretches >= FEWEST_STRETCHES:
        return ""
    return (
        f"too short: latencies resemble each other for {fewest.related_s:.1f} s, and {fewest.seconds:.0f} s hold only "
        f"{fewest.stretches:.1f} stretches that don't"
    )


def _next_missed(run: Run, kept: Step) -> float:
    """What the lowest rate above the one that was kept offered and missed the SLO with; infinity without one."""
    offered = kept.figures.offered_audio_s_per_s
    above = [step.figures.offered_audio_s_per_s for step in run.steps if step.misses and step.void is None]
    return min((each for each in above if each > offered), default=float("inf"))


def _differences(a: Run, b: Run, other: Sequence[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    for name in (*other, *_MAY_DIFFER):
        of_a, of_b = getattr(a, name), getattr(b, name)
        if of_a == of_b:
            continue
        if isinstance(of_a, dict) and isinstance(of_b, dict):
            keys = [key for key in {**of_a, **of_b} if of_a.get(key) != of_b.get(key)]
            yield name, (_pairs({key: of_a.get(key) for key in keys}), _pairs({key: of_b.get(key) for key in keys}))
        else:
            yield name.replace("_", " "), (str(of_a), str(of_b))


def _pairs(of: dict[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in of.items())


def _claim(ratio: Ratio) -> str:
    if not isfinite(ratio.ratio):
        return ratio.what
    return f"{ratio.what} is {ratio.ratio:.2f} times A's ({ratio.low:.2f} to {ratio.high:.2f})"
