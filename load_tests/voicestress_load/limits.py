"""What limits it: one sentence, from what the requests and the server's own metrics show where the SLO was missed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pyarrow as pa

from voicestress_load.requests_table import latency_ms, scored, within
from voicestress_load.results import Run, Step
from voicestress_load.server_side import ServerFigures, ServerSide

_BUSY = 0.85  # of the time: a server that computes so much has little left
_ONE_WINDOW = 1.2  # the server's requests over the callers', at most, where each is one window
_UNSEEN = "Why can't be said: the server's metrics were not read (--metrics)."


@dataclass(frozen=True)
class _Seen:
    """The step that shows the limit: its requests, and what the server says of it and of the calmest step."""

    step: Step
    requests: pa.Table
    server: ServerFigures | None
    calm_queue_ms: float
    servers: int


def what_limits(run: Run, requests: pa.Table, server: ServerSide | None) -> str:
    """One sentence that says what keeps ``run`` from more; ``requests`` is its table of ``results.REQUESTS``."""
    if run.void is not None:
        return "Nothing can be said of the server: the run is void."
    sound = [step for step in run.steps if step.void is None]
    if not sound:
        return "Nothing can be said of the server: no step can be believed."
    missed = [step for step in sound if step.misses]
    if missed:
        return _of_the_server(run, _seen(sound, missed, requests, server))
    lagged = [step for step in run.steps if step.void is not None]
    if lagged:
        first = min(lagged, key=_offered)
        return (
            f"The load generator: at {rate(first)} its requests were up to {first.figures.lag_max_ms:.0f} ms late, so "
            "the server's limit was not reached. Give it more --workers, or cores of its own."
        )
    return f"Nothing did: {rate(max(sound, key=_offered))} met the SLO, and no more was tried. The limit is above that."


def rate(step: Step) -> str:
    """The load of a step in words."""
    if step.offered_per_s is None:
        return f"{step.callers} callers"
    return f"{step.offered_per_s:.4g} requests a second"


def _of_the_server(run: Run, seen: _Seen) -> str:
    """What limits where the SLO was missed by a generator that kept its schedule."""
    figures, where = seen.step.figures, f"at {rate(seen.step)}"
    failed = (figures.failed + figures.late) / max(1, figures.requests)
    if figures.failed > figures.rejected and failed > run.slo.errors_share:
        return f"Errors: {where} {failed:.1%} of the requests failed or came too late{_commonest_error(seen.requests)}."
    rejected = figures.rejected / max(1, figures.requests)
    turned_away = f"{rejected:.1%} were turned away" if rejected > run.slo.rejected_share else ""
    found = seen.server
    if found is None or found.queue_ms is None or found.compute_ms is None:
        what = f"{turned_away}, for its queue is full" if turned_away else "; ".join(seen.step.misses)
        return f"The server, {where}: {what}. {_UNSEEN}"
    busy = (found.busy or 0.0) / seen.servers
    worked = f"it was computing {'all' if busy >= 0.995 else f'{busy:.0%}'} of the time{_machine(found)}"
    waited = f"requests waited {found.queue_ms:.0f} ms on average for {found.compute_ms:.0f} ms of computing"
    if busy >= _BUSY:
        return f"The model's compute: {where} {worked}; {waited}{f', and {turned_away}' if turned_away else ''}."
    if turned_away:
        return f"The queue's bound: {where} {turned_away} though {worked}: bursts find it full, or wait for too long."
    inside_ms = found.queue_ms + found.compute_ms
    mean_ms = latency_ms(scored(seen.requests)).mean() if figures.scored else inside_ms
    # A recording of many windows waits for all of them; how often each of those did, the server does not tell.
    of_one_window = found.requests_per_s < _ONE_WINDOW * figures.achieved_per_s
    if of_one_window and mean_ms > 2 * inside_ms:
        return (
            f"The way to the model: {where} an answer took {mean_ms:.0f} ms on average, of which the server's queue "
            f"and compute were {inside_ms:.0f} ms ({worked}); the rest is network, gRPC, a gateway or the caller."
        )
    if found.queue_ms > max(found.compute_ms, 2 * seen.calm_queue_ms):
        return f"The queue: {where} {waited}, though {worked}: bursts, the batcher's delay, or too few instances."
    return f"The time of one answer: {where} {waited}, and {worked}; the SLO asks for less than that takes."


def _seen(sound: list[Step], missed: list[Step], requests: pa.Table, server: ServerSide | None) -> _Seen:
    # The lowest rate that missed is nearest to the limit; far beyond it, everything is the queue.
    step, calmest = min(missed, key=_offered), min(sound, key=_offered)
    calm = server.between(calmest.from_s, calmest.until_s) if server and calmest.number != step.number else None
    return _Seen(
        step=step,
        requests=within(requests, step.from_s, step.until_s),
        server=server.between(step.from_s, step.until_s) if server else None,
        calm_queue_ms=(calm.queue_ms or 0.0) if calm else 0.0,
        servers=max(1, server.computing) if server else 1,
    )


def _offered(step: Step) -> float:
    # Of a short step, the audio that came by chance says less than the rate that was asked for.
    return step.figures.offered_per_s if step.offered_per_s is None else step.offered_per_s


def _machine(server: ServerFigures) -> str:
    """What the whole machine did, where that is known."""
    return "" if server.processor is None else f" with {server.processor:.0%} of its machine's processors in use"


def _commonest_error(requests: pa.Table) -> str:
    counted = Counter(name for name in requests.column("error").to_pylist() if name)
    return f", mostly {counted.most_common(1)[0][0]}" if counted else ""
