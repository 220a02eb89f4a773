"""What a run found, as a JSON of its own: the headline, what limits it, and every figure the page draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from voicestress_load.limits import rate, what_limits
from voicestress_load.requests_table import column, lag_ms, latency_ms, scored, within
from voicestress_load.results import Run, Step, figures_of
from voicestress_load.server_side import ServerSide

FORMAT = 1
NOT_SHOWN = (
    "It is one run on one machine at one time: run it again before you trust a difference of a few per cent, and let "
    "two versions take turns.",
    "The audio is made from the recordings that are shipped, in the workload's lengths and formats. What costs "
    "differently by content (speech detection, decoding) is as those are.",
    "Poisson arrivals are what many callers who know nothing of each other make. Callers that start together, at the "
    "full hour or after an outage, come in bursts that are worse.",
    "A generator on the machine of the server takes processor time from it, and has no network to cross.",
    "Latency ends at the generator's network library; what an application does with the answer is its own.",
)


def summary(run: Run, requests: pa.Table, server: ServerSide | None) -> dict[str, Any]:
    """The figures of ``run`` as they go into report.json; ``requests`` is its table of ``results.REQUESTS``."""
    best = best_step(run)
    return {
        "format": FORMAT,
        "void": run.void,
        "headline": {
            "sentence": headline(run),
            "audio_s_per_s": best.figures.goodput_audio_s_per_s if best else None,
            "requests_per_s": best.figures.achieved_per_s if best else None,
            "step": best.number if best else None,
        },
        "what_limits": what_limits(run, requests, server),
        "slo": run.slo.model_dump(),
        "steps": [_step(step, server) for step in run.steps],
        "whole": figures_of(requests, 0.0, _end_s(run)).model_dump(),
        "rejections": _rejections(requests),
        "recovery": recovery(run, requests),
        "lengths": lengths(requests),
        "generator": {
            "lag_bound_ms": run.lag_bound_ms,
            "lag_p99_ms": _quantile(lag_ms(requests), 99),
            "lag_max_ms": _quantile(lag_ms(requests), 100),
            "workers": run.workers,
        },
        "servers": server.servers if server else [],
        "run": run.model_dump(exclude={"steps", "slo", "void"}),
        "what_it_does_not_show": list(NOT_SHOWN),
    }


def best_step(run: Run) -> Step | None:
    """The step of the headline: the one a search kept, else that of the highest goodput within the SLO."""
    if run.void is not None:
        return None
    if run.shape == "search":
        return next((step for step in run.steps if step.number == run.kept_step), None)
    met = [step for step in run.steps if step.void is None and not step.misses]
    return max(met, key=lambda step: step.figures.goodput_audio_s_per_s, default=None)


def headline(run: Run) -> str:
    """What came out, in one sentence."""
    if run.void is not None:
        return f"This run is void: {run.void.rstrip('.')}."
    best, asked = best_step(run), slo_words(run)
    if best is None:
        least = min(run.steps, key=lambda step: step.figures.offered_audio_s_per_s, default=None)
        why = f" At {rate(least)}: {'; '.join(least.misses) or least.void}." if least else ""
        return f"Nothing that was tried met the SLO ({asked}).{why}"
    found = best.figures
    reached = f"{found.goodput_audio_s_per_s:.1f} audio-seconds a second ({found.achieved_per_s:.1f} requests)"
    if run.mode == "closed":
        return (
            f"{reached} with {best.callers} callers that wait for their answers, within the SLO ({asked}). A closed "
            "loop: callers slow down with the server, so this is no capacity for traffic that does not wait."
        )
    if run.shape == "search":
        return f"{reached} is the highest rate found within the SLO ({asked})."
    missed = sum(bool(step.misses) for step in run.steps)
    more = f" {missed} of {len(run.steps)} steps missed it." if missed else ""
    return f"{reached}, the most that was tried within the SLO ({asked}).{more}"


def slo_words(run: Run) -> str:
    """The SLO in words."""
    slo = run.slo
    bounds = [(name, getattr(slo, f"{name}_ms")) for name in ("p50", "p95", "p99")]
    words = [f"{name} at most {bound:g} ms" for name, bound in bounds if bound is not None]
    words += [f"{slo.errors_share:.2g} of requests failed or late" if slo.errors_share else "no errors"]
    words += [f"at most {100 * slo.rejected_share:.3g} % rejected"]
    if slo.goodput_audio_s_per_s is not None:
        words.append(f"at least {slo.goodput_audio_s_per_s:g} audio-seconds a second")
    return ", ".join(words)


def recovery(run: Run, requests: pa.Table) -> dict[str, float] | None:
    """How a spike went by: ``seconds`` from its end to the last request that was worse off than all before it.

    Worse off is slower to answer, or not scored. ``before_ms`` is the slowest before the spike. None without one.
    """
    if run.shape != "spike" or len(run.steps) < 3:
        return None
    spike = max(run.steps, key=lambda step: step.figures.offered_audio_s_per_s)
    before, after = within(requests, 0.0, spike.from_s), within(requests, spike.until_s, np.inf)
    calm_ms = latency_ms(scored(before))
    if not len(calm_ms) or not after.num_rows:
        return None
    slow = latency_ms(after) > calm_ms.max()
    unscored = np.array(after.column("outcome").to_pylist()) != "scored"
    worse_s = column(after, "meant_s")[slow | unscored]
    return {
        "seconds": float(worse_s.max(initial=spike.until_s) - spike.until_s),
        "before_ms": float(calm_ms.max()),
        "observed_s": float(column(after, "meant_s").max() - spike.until_s),
    }


def lengths(requests: pa.Table, bins: int = 24) -> dict[str, list[float]]:
    """The histogram of the requests' seconds of audio: ``edges_s`` and the ``requests`` between them."""
    audio_s = column(requests, "audio_s")
    most_s = float(audio_s.max(initial=0.0)) or 1.0
    counts, edges_s = np.histogram(audio_s, bins=bins, range=(0.0, most_s))
    return {"edges_s": [float(edge) for edge in edges_s], "requests": [float(count) for count in counts]}


def _step(step: Step, server: ServerSide | None) -> Mapping[str, Any]:
    seen = server.between(step.from_s, step.until_s) if server else None
    return {**step.model_dump(), "server": asdict(seen) if seen else None}


def _rejections(requests: pa.Table) -> dict[str, float | None]:
    outcome = np.array(requests.column("outcome").to_pylist(), dtype=object)
    took_ms = latency_ms(requests)[outcome == "rejected"]
    return {
        "requests": float(len(took_ms)),
        "share": len(took_ms) / max(1, len(outcome)),
        "p50_ms": _quantile(took_ms, 50),
        "p95_ms": _quantile(took_ms, 95),
    }


def _quantile(values: np.ndarray[Any, np.dtype[np.float64]], share: float) -> float | None:
    return float(np.percentile(values, share)) if len(values) else None


def _end_s(run: Run) -> float:
    return max((step.until_s for step in run.steps), default=0.0)
