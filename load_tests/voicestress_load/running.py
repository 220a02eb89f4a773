"""Starting a run, telling how it goes, and ending with its report.

The load is made by processes of their own (``node.py``): gevent changes what it is imported into.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from voicestress_load.judging import MISSED, REFUSED, VOID
from voicestress_load.limits import what_limits
from voicestress_load.report import write_report
from voicestress_load.results import Step, read_requests, read_run, read_server, write_server
from voicestress_load.scraping import ServerMetrics
from voicestress_load.server_side import ServerSide
from voicestress_load.settings import Settings
from voicestress_load.summary import headline

_ENDING_S = 15.0


def make_run(settings: Settings, metrics_urls: Sequence[str], *, metrics_required: bool) -> int:
    """Make the run, write its report, print the headline, and return the exit code: 0 met, 1 missed, 2 refused, 3 void.

    Raises:
        Unavailable: metrics that were asked for can't be read.
    """
    with ServerMetrics(metrics_urls, required=metrics_required) as metrics:
        told: dict[str, Any] = {}
        with _master(settings) as master:
            for event in _events(master):
                _TELL.get(event["event"], _tell_nothing)(event)
                told[event["event"]] = event
            code = master.wait()
    if "refused" in told or code == REFUSED:
        return REFUSED
    if "void" in told or code not in (0, MISSED, VOID):
        if "void" not in told:
            sys.stderr.write(f"voicestress load: the generator ended with {code}; what it wrote is above\n")
        return VOID
    folder = Path(settings.out)
    if metrics.servers:
        write_server(folder, metrics.table(told["started"]["monotonic"]))
    _tell_end(folder, write_report(folder))
    return code


@contextmanager
def _master(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """The master as a child. It ends when the pipe to it does, and so do its workers: nothing is left behind."""
    master = subprocess.Popen(
        [sys.executable, "-m", "voicestress_load.node", "master"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C is for this process alone
    )
    assert master.stdin is not None
    try:
        master.stdin.write(settings.model_dump_json().encode() + b"\n")
        master.stdin.flush()
        yield master
    finally:
        master.stdin.close()
        try:
            master.wait(_ENDING_S)
        except subprocess.TimeoutExpired:
            master.kill()
            master.wait()


def _events(master: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    assert master.stdout is not None
    for line in master.stdout:
        if line.startswith(b"{"):
            yield json.loads(line)


def _tell_nothing(event: dict[str, Any]) -> None:
    """Nothing is printed."""


def _tell_waiting(event: dict[str, Any]) -> None:
    _line(f"waiting for {event['workers']} workers on port {event['port']}")


def _tell_started(event: dict[str, Any]) -> None:
    _line(f"an idle server takes {event['idle_ms']:.1f} ms for a request")


def _tell_step(event: dict[str, Any]) -> None:
    step = Step.model_validate(event["step"])
    figures = step.figures
    load = f"{step.callers} callers" if step.offered_per_s is None else f"{step.offered_per_s:.1f} requests/s"
    p99 = "nothing scored" if figures.p99_ms is None else f"p99 {figures.p99_ms:.0f} ms"
    judged = f"void: {step.void}" if step.void else "; ".join(step.misses) or "met"
    _line(
        f"step {step.number + 1}: {load} for {step.until_s - step.from_s:.0f} s: {p99}, "
        f"{figures.goodput_audio_s_per_s:.1f} audio-seconds/s: {judged}"
    )


def _tell_problem(event: dict[str, Any]) -> None:
    sys.stderr.write(f"voicestress load: {event['problem']}\n")


def _tell_end(folder: Path, page: Path) -> None:
    run, requests, server = read_run(folder), read_requests(folder), read_server(folder)
    side = ServerSide(server, run.model) if server is not None and server.num_rows else None
    _line("")
    _line(headline(run))
    if run.void is None:
        _line(what_limits(run, requests, side))
    _line(f"report: {page}")


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


_TELL: dict[str, Callable[[dict[str, Any]], None]] = {
    "waiting": _tell_waiting,
    "started": _tell_started,
    "step": _tell_step,
    "refused": _tell_problem,
    "void": _tell_problem,
}
