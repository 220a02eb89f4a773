"""The master of a run: has workers send what the shape asks for, gathers what came of it, and judges it.

It tells how it goes in lines of JSON on its standard output, for the command that started it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from voicestress_load import judging, messages
from voicestress_load.arrivals import Arrivals, Trace, poisson_arrivals, read_trace
from voicestress_load.crew import Crew, LostWorker
from voicestress_load.errors import BadInput
from voicestress_load.preparing import longest_live_s
from voicestress_load.results import REQUESTS, Run, Step, write_requests, write_run
from voicestress_load.settings import Settings
from voicestress_load.shapes import Part, shaped
from voicestress_load.surroundings import processor, versions

_IDLE_REQUESTS = 9
_INTRODUCED_S, _IDLED_S = 60.0, 120.0
_AHEAD_S = 0.5  # of a message to a worker before its first request
_LATER_S = 30.0


def conduct(settings: Settings) -> int:
    """Make the run, keep it in its folder, and return the exit code: met, missed, refused or void."""
    try:
        master = _Master(settings)
    except BadInput as error:
        _say("refused", problem=str(error))
        return judging.REFUSED
    try:
        master.make()
    except BadInput as error:
        _say("refused", problem=str(error))
        return judging.REFUSED
    except LostWorker as error:
        if not master.steps:
            _say("void", problem=str(error))
            return judging.VOID
        master.void = str(error)
    finally:
        master.crew.dismiss()
    return judging.VOID if master.keep().void is not None else master.verdict()


class _Master:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._trace: Trace | None = None if settings.trace is None else read_trace(Path(settings.trace))
        self._zero_at = 0.0
        self._started_at = ""
        self._tables: list[pa.Table] = []
        self._numbers = 0
        self._model: tuple[str | None, str | None] = (None, None)
        self._slow, self._planned, self._is_given_up = 0, 0, False
        self.steps: list[Step] = []
        self._gated: set[int] = set()
        self.void: str | None = None
        bind = settings.bind or ("*" if settings.expected_workers else "127.0.0.1")
        self.crew = Crew(
            settings.workers, settings.expected_workers, bind=bind, port=settings.port, on_rows=self._on_rows
        )

    def make(self) -> None:
        """All of it, up to the last answer.

        Raises:
            BadInput: it can't be run as asked.
            LostWorker: a worker has gone; what there is of the run is no use.
        """
        settings, crew = self._settings, self.crew
        if settings.web_port is not None:
            crew.environment.create_web_ui("127.0.0.1", settings.web_port)
        crew.assemble(lambda count: _say("waiting", workers=count, port=crew.port))
        idle_ms = self._meet_service()
        shape = shaped(settings, idle_s=idle_ms / 1000.0, trace_s=None if self._trace is None else self._trace.seconds)
        self._zero_at = time.monotonic()
        self._started_at = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        _say("started", monotonic=self._zero_at, idle_ms=idle_ms)
        parts = next(shape)
        while True:
            try:
                parts = shape.send(self._stage(parts))
            except StopIteration:
                return

    def keep(self) -> Run:
        """Write what there is."""
        settings = self._settings
        is_search = settings.shape == "search" and settings.callers is None
        run = Run(
            command=settings.command,
            started_at=self._started_at,
            mode="open" if settings.callers is None else "closed",
            shape=settings.shape,
            protocol=settings.connection.protocol,
            urls=settings.connection.urls,
            model=self._model[0],
            model_version=self._model[1],
            workload=settings.workload.model_dump(),
            workload_name=settings.workload_name,
            seed=settings.seed,
            slo=settings.slo,
            steps=self.steps,
            kept_step=judging.kept_step(self.steps) if is_search else None,
            lag_bound_ms=settings.lag_bound_ms,
            void=self.void or judging.why_void(self.steps, self._gated, is_search=is_search),
            versions=versions(),
            processor=processor(),
            cores=os.cpu_count() or 1,
            workers=len(self.crew),
        )
        folder = Path(settings.out)
        write_requests(folder, pa.concat_tables(self._tables) if self._tables else REQUESTS.empty_table())
        write_run(folder, run)
        return run

    def verdict(self) -> int:
        """Whether the SLO was met where it has to be: at some rate of a search or a ramp, else at every gated step."""
        is_any_enough = self._settings.callers is None and self._settings.shape in ("search", "ramp")
        return judging.verdict(self.steps, self._gated, is_any_enough=is_any_enough)

    def _meet_service(self) -> float:
        """Find out what is served, and how long it takes for a request alone, in milliseconds."""
        settings = self._settings
        told = settings.for_workers()
        self.crew.tell(messages.SETTINGS, lambda _: told)
        introduced = self.crew.answers(within_s=_INTRODUCED_S)
        self._refuse(introduced)
        self._check_lengths(introduced[0]["shortest_samples"])
        self.crew.tell(messages.IDLE, lambda place: {"requests": 0 if place else _IDLE_REQUESTS})
        idled = self.crew.answers(within_s=_IDLED_S + 2 * settings.connection.deadline_s)
        self._refuse(idled)
        name, version = idled[0]["model"]
        self._model = (name, version)
        median_ms = float(np.median(idled[0]["latencies_ms"]))
        for name in ("p50", "p95", "p99"):
            bound_ms = getattr(settings.slo, f"{name}_ms")
            if bound_ms is not None and bound_ms < median_ms and settings.connection.protocol != "live":
                raise BadInput(
                    f"--slo {name}={bound_ms:g}ms can't be met: an idle server takes {median_ms:.1f} ms for a request "
                    f"(the median of {len(idled[0]['latencies_ms'])}, one at a time); ask for more than that, or send "
                    "shorter audio"
                )
        return median_ms

    def _refuse(self, answers: Sequence[dict[str, Any]]) -> None:
        for answer in answers:
            if answer["problem"] is not None:
                raise BadInput(answer["problem"])

    def _check_lengths(self, shortest: int | None) -> None:
        for component in self._settings.workload.component:
            if shortest is not None and component.lengths.bounds_s[0] < shortest / 16_000:
                raise BadInput(
                    f"{self._settings.workload_name}: component {component.name}: lengths from "
                    f"{component.lengths.bounds_s[0]:g} s, but {self._settings.connection.model} scores nothing below "
                    f"{shortest / 16_000:g} s; ask for longer ones"
                )

    def _stage(self, parts: Sequence[Part]) -> list[Step]:
        """Have the workers send ``parts``, one after the other without a pause, and judge each."""
        lead_s = _AHEAD_S + self._longest_live_s()
        begins_s = time.monotonic() - self._zero_at + lead_s
        first, spans, until_s = len(self.steps), [], begins_s
        for number, part in enumerate(parts, start=first):
            spans.append((number, part, until_s, until_s + part.seconds))
            until_s += part.seconds
        sent = self._open(spans) if parts[0].callers is None else self._closed(spans[0])
        rows = self._rows_of({number for number, *_ in spans})
        lost = None if rows.num_rows == sent else f"{sent} requests were sent, and {rows.num_rows} are known of"
        steps = [self._step(rows, span, lost) for span in spans]
        for step in steps:
            _say("step", step=step.model_dump(mode="json"))
        self.steps += steps
        self._gated |= {number for number, part, *_ in spans if part.gated}
        return steps

    def _open(self, spans: Sequence[tuple[int, Part, float, float]]) -> int:
        arrivals = self._arrivals(spans)
        if not len(arrivals):
            raise BadInput("not one request falls into the run; make it longer, or --rate higher")
        self._numbers += len(arrivals)
        self._slow, self._is_given_up = 0, False
        self._planned = len(arrivals) if spans[0][1].hopeful else 0
        shares = [arrivals.share(place, len(self.crew)) for place in range(len(self.crew))]
        self.crew.tell(
            messages.OPEN_LOOP,
            lambda place: {
                "arrivals": shares[place].to_message(),
                "zero_in_s": self._zero_at - time.monotonic(),
            },
        )
        sent = self._sent(spans[-1][3])
        if sent != len(arrivals) and not self._is_given_up:
            raise LostWorker(f"{len(arrivals)} requests were meant to be sent, {sent} were")
        return sent

    def _closed(self, span: tuple[int, Part, float, float]) -> int:
        number, part, from_s, until_s = span
        callers, workers = part.callers or 1, len(self.crew)
        self.crew.tell(
            messages.CLOSED_LOOP,
            lambda place: {
                "step": number,
                "first_numbers": [self._numbers + caller for caller in range(place, callers, workers)],
                "stride": callers,
                "from_s": from_s,
                "until_s": until_s,
                "zero_in_s": self._zero_at - time.monotonic(),
            },
        )
        return self._sent(until_s)

    def _sent(self, until_s: float) -> int:
        """How many requests the workers sent, once all of them have ended."""
        left_s = self._zero_at + until_s - time.monotonic()
        answers = self.crew.answers(within_s=left_s + 2 * self._settings.connection.deadline_s + _LATER_S)
        for answer in answers:
            if answer["problem"] is not None:
                raise LostWorker(answer["problem"])
        return sum(answer["sent"] for answer in answers)

    def _arrivals(self, spans: Sequence[tuple[int, Part, float, float]]) -> Arrivals:
        if self._trace is not None:
            number, _, from_s, _ = spans[0]
            return self._trace.arrivals(step=number, from_s=from_s, first_number=self._numbers)
        rates = [(number, part.rate_hz or 0.0, from_s, until_s) for number, part, from_s, until_s in spans]
        return poisson_arrivals(rates, first_number=self._numbers, seed=self._settings.seed)

    def _longest_live_s(self) -> float:
        all_live = self._settings.connection.protocol == "live"
        if self._trace is not None and all_live:
            return float(self._trace.audio_s.max())
        return longest_live_s(self._settings.workload, all_live=all_live)

    def _on_rows(self, worker: int, rows: bytes) -> None:
        table = messages.unpacked(rows, worker)
        self._tables.append(table)
        bound_ms = self._settings.slo.p99_ms
        if not self._planned or bound_ms is None or self._is_given_up:
            return
        self._slow += judging.too_slow(table, bound_ms)
        if judging.is_hopeless(self._slow, self._planned):
            self._is_given_up = True
            self.crew.stop()

    def _rows_of(self, numbers: set[int]) -> pa.Table:
        if not self._tables:
            return REQUESTS.empty_table()
        rows = pa.concat_tables(self._tables)
        return rows.filter(pc.is_in(rows["step"], pa.array(sorted(numbers), type=pa.int32())))

    def _step(self, rows: pa.Table, span: tuple[int, Part, float, float], lost: str | None) -> Step:
        number, part, from_s, until_s = span
        return judging.judged(
            rows.filter(pc.equal(rows["step"], number)),
            number,
            part,
            (from_s, until_s),
            self._settings.slo,
            lag_bound_ms=self._settings.lag_bound_ms,
            lost=lost,
            given_up=self._is_given_up,
        )


def _say(event: str, **told: Any) -> None:
    print(json.dumps({"event": event, **told}), flush=True)  # noqa: T201 - what the command reads
