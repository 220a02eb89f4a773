"""Whether what came of a step, and of a run, can be believed, and whether it is what was asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from voicestress_load.results import Slo, Step, figures_of
from voicestress_load.shapes import Part

MET, MISSED, REFUSED, VOID = 0, 1, 2, 3
_OVER_P99 = 0.01


def judged(
    rows: pa.Table,
    number: int,
    part: Part,
    span_s: tuple[float, float],
    slo: Slo,
    *,
    lag_bound_ms: float,
    lost: str | None,
    given_up: bool,
) -> Step:
    """The step that ``part`` became: ``rows`` (``REQUESTS``) are its requests, meant within ``span_s`` of the run.

    Args:
        rows, number, part, span_s: see above.
        slo: what is asked of it.
        lag_bound_ms: how late the generator may be at the 99th percentile.
        lost: why some of its requests are not known of, if so.
        given_up: whether it was ended early, as it could not meet the SLO any more.
    """
    from_s, until_s = span_s
    counted_from_s = from_s + part.settling_s
    if given_up and rows.num_rows:
        until_s = min(until_s, float(pc.max(rows["meant_s"]).as_py()) + 1e-6)
        counted_from_s = min(counted_from_s, (from_s + until_s) / 2)
    figures = figures_of(rows, counted_from_s, until_s)
    void = lost
    if void is None and not figures.requests:
        void = "not one request was meant to be sent in it; make it longer"
    if void is None and part.callers is None and figures.lag_p99_ms > lag_bound_ms:
        void = (
            f"the generator itself was late: 1 request in 100 went out {figures.lag_p99_ms:.0f} ms or more after "
            f"it was meant to, at most {lag_bound_ms:g} ms is allowed; give it more --workers, or a machine of its own"
        )
    misses = slo.misses(figures)
    if given_up and not misses:
        misses = [f"more than 1 in 100 of its requests took longer than {slo.p99_ms:g} ms"]
    return Step(
        number=number,
        offered_per_s=_offered(part, figures.offered_per_s),
        callers=part.callers,
        from_s=counted_from_s,
        until_s=until_s,
        figures=figures,
        void=void,
        misses=misses,
    )


def too_slow(rows: pa.Table, bound_ms: float) -> int:
    """How many of ``rows`` took longer than ``bound_ms``, of those scored."""
    slow = pc.greater(pc.subtract(rows["answered_s"], rows["meant_s"]), bound_ms / 1000.0)
    return int(pc.sum(pc.and_(slow, pc.equal(rows["outcome"], "scored"))).as_py() or 0)


def is_hopeless(slow: int, planned: int) -> bool:
    """Whether so many of ``planned`` requests are over the bound that the 99th percentile will be, whatever comes."""
    return slow > _OVER_P99 * planned + 1


def kept_step(steps: Sequence[Step]) -> int | None:
    """Of a search: the step of the highest rate that met the SLO."""
    met = [step for step in steps if not step.misses and step.void is None and step.offered_per_s is not None]
    return max(met, key=lambda step: step.offered_per_s or 0.0).number if met else None


def why_void(steps: Sequence[Step], gated: Collection[int], *, is_search: bool) -> str | None:
    """Why a run can't be believed, if so: a step that counts is void, or a search ended with one that might have met.

    A void step that also missed the SLO only bounds a search from above: what it kept is then the least there is.
    """
    if not is_search:
        void = [step for step in steps if step.void is not None and step.number in gated]
        return f"step {void[0].number + 1}: {void[0].void}" if void else None
    void = [step for step in steps if step.void is not None]
    kept = kept_step(steps)
    if not void or (kept is not None and (steps[-1].void is None or steps[-1].misses)):
        return None
    known = "no rate was found" if kept is None else f"more than the rate of step {kept + 1} may be met"
    return f"step {void[-1].number + 1}: {void[-1].void}; {known}"


def verdict(steps: Sequence[Step], gated: Collection[int], *, is_any_enough: bool) -> int:
    """``MET`` or ``MISSED``: where any is enough, at some step; else at every one that is ``gated``."""
    met = {step.number for step in steps if not step.misses and step.void is None}
    if is_any_enough:
        return MET if met else MISSED
    return MET if met >= set(gated) else MISSED


def _offered(part: Part, found_per_s: float) -> float | None:
    if part.callers is not None:
        return None
    return found_per_s if part.rate_hz is None else part.rate_hz
