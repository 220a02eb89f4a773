"""A run as one self-contained HTML page: what came out first, how it was found after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pyarrow as pa
from voicestress.look.drawing import drawn_in_page_colours
from voicestress.look.drawn_page import document, table

from voicestress_load.report import pictures, server_pictures, words
from voicestress_load.results import Run, Step
from voicestress_load.server_side import ServerSide
from voicestress_load.summary import best_step, slo_words

_SHAPES = {
    "steady": "one rate",
    "ramp": "a rising rate",
    "spike": "a spike, and what comes after it",
    "soak": "one rate for long",
    "search": "a search for the highest rate",
    "trace": "a recorded trace",
}
_PROTOCOLS = {"grpc": "over gRPC", "http": "through the HTTP gateway", "live": "as live streams"}


def render_page(run: Run, requests: pa.Table, server: ServerSide | None, found: Mapping[str, Any]) -> str:
    """The page of ``run`` with its ``requests`` (``results.REQUESTS``) and what ``summary`` found."""
    with drawn_in_page_colours():
        body = "".join(
            [
                _top(run, found),
                _steps(run, found["steps"]),
                _callers_side(run, requests, found),
                _servers_side(run, server),
                _rejections(found),
                _how(run, found),
            ]
        )
    return document(f"Load test of {run.workload_name}, {run.started_at}", body)


def figure(svg: str, title: str, caption: str) -> str:
    """A drawing with its title and how to read it (HTML)."""
    return f"<figure><h3>{escape(title)}</h3>{svg}<figcaption>{caption}</figcaption></figure>"


def _top(run: Run, found: Mapping[str, Any]) -> str:
    best = best_step(run)
    sentence = found["headline"]["sentence"]
    if run.void is not None:
        head = f'<div class="void" role="alert">{escape(sentence)} No figure below says what the server can do.</div>'
    elif best is None:
        head = f'<p class="headline"><b>0</b>{escape(sentence)}</p>'
    else:
        number = f"{best.figures.goodput_audio_s_per_s:.1f}"
        rest = sentence.removeprefix(number).strip()
        head = f'<p class="headline"><b>{number}</b> {escape(rest)}</p>'
    loop = "open loop, Poisson arrivals" if run.mode == "open" else "closed loop: each caller waits for its answer"
    if run.shape == "trace":
        loop = "open loop, arrivals as recorded"
    return (
        "<h1>How much it can take</h1>"
        f'<p class="lead">Workload {escape(run.workload_name)} {_PROTOCOLS[run.protocol]}, {_SHAPES[run.shape]}, '
        f"{loop}; {escape(run.started_at)}.</p>{head}"
        f'<div class="limits"><b>What limits it</b>{escape(found["what_limits"])}</div>'
    )


def _steps(run: Run, steps: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for step, seen in zip(run.steps, steps, strict=True):
        figures, server = step.figures, seen["server"] or {}
        refused = (figures.rejected, figures.late + figures.failed)
        verdict = "met"
        if step.void is not None:
            verdict = f'<span class="missed">void: {escape(step.void)}</span>'
        elif step.misses:
            verdict = f'<span class="missed">{escape("; ".join(step.misses))}</span>'
        if step.number == run.kept_step:
            verdict = "<strong>met, kept</strong>"
        rows.append(
            [
                str(step.number + 1),
                _load(step),
                f'<div style="min-width: 15em">{verdict}</div>',
                f"{figures.offered_audio_s_per_s:.1f}",
                f"{figures.goodput_audio_s_per_s:.1f}",
                *(_ms(value) for value in (figures.p50_ms, figures.p95_ms, figures.p99_ms)),
                f"{figures.requests}",
                *(str(count) for count in refused),
                *(_number(server.get(name), digits) for name, digits in _SERVER_COLUMNS.values()),
            ]
        )
    header = ["Step", "Load", "SLO", "Offered, audio-s/s", "Scored, audio-s/s", "p50, ms", "p95, ms", "p99, ms",
              "Requests", "Rejected", "Late or failed", *_SERVER_COLUMNS]  # fmt: skip
    return f"<h2>Step by step</h2><p>The SLO: {escape(slo_words(run))}.</p>" + table(
        header, rows, text_columns=(2,), kind="stacked"
    )


_SERVER_COLUMNS = {
    "Waiting, ms": ("queue_ms", 1),
    "Computing, ms": ("compute_ms", 1),
    "Batch": ("batch", 2),
    "Busy": ("busy", 2),
}


def _callers_side(run: Run, requests: pa.Table, found: Mapping[str, Any]) -> str:
    latency = words.LATENCY if run.mode == "open" else words.CLOSED_LATENCY
    lengths = found["lengths"]
    drawn = [
        figure(pictures.latency_by_load(run), "Latency against offered load", latency),
        figure(pictures.offered_and_achieved(run), "Offered against achieved", words.ACHIEVED),
        figure(pictures.latency_over_time(run, requests), "Latency over time", words.LATENCY_OVER_TIME),
        figure(pictures.outcomes_over_time(run, requests), "What became of the requests", words.OUTCOMES),
        figure(pictures.lag_over_time(run, requests), "The generator's lag", words.LAG),
        figure(pictures.lengths_histogram(lengths["edges_s"], lengths["requests"]), "Lengths", words.LENGTHS),
    ]
    return f'<h2>The callers\' side</h2><div class="figures">{"".join(drawn)}</div>'


def _servers_side(run: Run, server: ServerSide | None) -> str:
    head = "<h2>The server's side</h2>"
    if server is None:
        return f"{head}<p>{words.UNSEEN}</p>"
    moments = server_pictures.over_time(run, server)
    pending = words.PENDING + (f" {words.MEMORY} {server.memory_of}." if server.memory_of else "")
    drawn = [
        figure(server_pictures.queue_and_compute(run, moments), "Waiting and computing", words.QUEUE),
        figure(server_pictures.busy_over_time(run, moments), "How busy it was", words.BUSY),
        figure(server_pictures.batch_over_time(run, moments), "Batch size over time", words.BATCH),
        figure(server_pictures.batch_histogram(moments), "Batch sizes", words.BATCH_HISTOGRAM),
        figure(server_pictures.pending_and_memory(run, moments), "Waiting requests and memory", pending),
    ]
    read = ", ".join(f"<code>{escape(name)}</code>" for name in server.servers)
    return f'{head}<p>Read from {read}.</p><div class="figures">{"".join(drawn)}</div>'


def _rejections(found: Mapping[str, Any]) -> str:
    rejections, recovery = found["rejections"], found["recovery"]
    if rejections["requests"]:
        text = (
            f"{rejections['requests']:.0f} requests, {rejections['share']:.1%} of all, were rejected: half of them "
            f"within {_ms(rejections['p50_ms'])} ms, 95 % within {_ms(rejections['p95_ms'])} ms."
        )
    else:
        text = "No request was rejected."
    if recovery is not None:
        text += (
            f" After the spike, the last request that was slower than all before it ({_ms(recovery['before_ms'])} ms), "
            f"or got no score, was meant {recovery['seconds']:.1f} s after its end; "
            f"{recovery['observed_s']:.0f} s were watched."
        )
    return f"<h2>Rejections and recovery</h2><p>{text}</p>"


def _how(run: Run, found: Mapping[str, Any]) -> str:
    model = f"{run.model or 'unnamed'} version {run.model_version or 'unknown'}"
    generator = found["generator"]
    rows = [
        ["Servers", escape(", ".join(run.urls))],
        ["Model", escape(model)],
        ["Workload", f"<code>{escape(_settings(run.workload))}</code>"],
        ["Seed", str(run.seed)],
        ["Generator", escape(f"{run.workers} workers on {run.cores} cores of {run.processor}")],
        ["Its lag", f"{_ms(generator['lag_p99_ms'])} ms at p99, {_ms(generator['lag_max_ms'])} ms at most; "
                    f"{run.lag_bound_ms:g} ms are allowed"],
        ["Versions", escape(", ".join(f"{name} {number}" for name, number in run.versions.items()))],
    ]  # fmt: skip
    limits = "".join(f"<li>{escape(text)}</li>" for text in found["what_it_does_not_show"])
    return (
        "<h2>How it was measured</h2>"
        f"<pre><code>{escape(run.command)}</code></pre>{table(['', ''], rows, text_columns=(1,))}"
        "<p>Every request, with its latency, is in requests.parquet beside this page; the server's metrics are in "
        "server.parquet, and the figures of this page in report.json.</p>"
        f"<h2>What it does not show</h2><ul>{limits}</ul>"
    )


def _settings(workload: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in workload.items() if value is not None)


def _load(step: Step) -> str:
    return f"{step.callers} callers" if step.offered_per_s is None else f"{step.offered_per_s:.4g} / s"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
