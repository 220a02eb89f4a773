"""Two runs on one self-contained page: what can be claimed first, then what it rests on."""

from __future__ import annotations

from html import escape
from math import isnan

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter
from voicestress.look.drawing import INK, SERIES, drawn_in_page_colours
from voicestress.look.drawn_page import document, table

from voicestress_load.blocks import Floats
from voicestress_load.compare import NO_DIFFERENCE, Comparison, Ratio
from voicestress_load.limits import rate
from voicestress_load.report.page import figure
from voicestress_load.report.pictures import latency_axis, picture
from voicestress_load.results import Run
from voicestress_load.summary import headline, slo_words

_MOST_POINTS = 400


def render_comparison(comparison: Comparison) -> str:
    """The page of ``comparison``."""
    a, b = comparison.a, comparison.b
    with drawn_in_page_colours():
        drawn = figure(_p99_by_load(a, b), "p99 against offered load", "Each mark is a step that can be believed.")
        if comparison.shared is not None and comparison.latencies_ms is not None:
            at = rate(comparison.shared[0])
            drawn += figure(
                _slower(*comparison.latencies_ms),
                f"Latencies at {at}",
                "The share of the scored requests that took longer, for every length of time.",
            )
    notes = "".join(f"<li>{escape(note)}</li>" for note in comparison.notes)
    runs = [[name, escape(headline(run)), f"<code>{escape(run.command)}</code>"] for name, run in (("A", a), ("B", b))]
    differs = [[escape(name), escape(of_a), escape(of_b)] for name, (of_a, of_b) in comparison.differs.items()]
    body = (
        f'<h1>B against A</h1><p class="lead">Workload {escape(a.workload_name)}, {a.shape}, {a.mode} loop; A of '
        f"{escape(a.started_at)}, B of {escape(b.started_at)}. The SLO: {escape(slo_words(a))}.</p>"
        f'<div class="limits"><b>What can be claimed</b>{escape(comparison.verdict)}</div>'
        f"<h2>Ratios</h2>{_ratios(comparison.ratios)}"
        f'<div class="figures">{drawn}</div>'
        f"<h2>What it rests on</h2><ul>{notes}</ul>"
        "<p>Intervals are by drawing stretches of time with replacement (a moving-block bootstrap, Künsch 1989, with "
        "its ends joined, Politis and Romano 1992), since requests that meet in a queue resemble each other; each "
        "stretch is longer than they do. They are wide enough that all of them together hold 95 times in 100.</p>"
        + (
            table(["What differs", "A", "B"], differs, text_columns=(1, 2))
            if differs
            else "<p>Nothing else differs.</p>"
        )
        + "<h2>The runs</h2>"
        + table(["", "Found", "Command"], runs, text_columns=(1, 2))
    )
    return document(f"Load tests of {a.workload_name}: B against A", body)


def _ratios(ratios: list[Ratio]) -> str:
    rows = []
    for ratio in ratios:
        words = {"better": "B is better", "worse": "B is worse", NO_DIFFERENCE: NO_DIFFERENCE}[ratio.verdict]
        interval = "no interval" if isnan(ratio.low) or isnan(ratio.high) else f"{ratio.low:.3f} to {ratio.high:.3f}"
        note = f"<br><small>{escape(ratio.note)}</small>" if ratio.note else ""
        rows.append(
            [escape(ratio.what), f"{ratio.a:.1f} {ratio.unit}", f"{ratio.b:.1f} {ratio.unit}",
             f"<strong>{ratio.ratio:.3f}</strong>", interval, f"{words}{note}"]
        )  # fmt: skip
    return table(["", "A", "B", "B over A", "Interval", "Verdict"], rows, text_columns=(5,))


def _p99_by_load(a: Run, b: Run) -> str:
    def draw(axes: Axes) -> None:
        for name, run, style, colour in (("A", a, "s--", SERIES[1]), ("B", b, "o-", SERIES[0])):
            points = sorted(
                (step.figures.offered_audio_s_per_s, step.figures.p99_ms)
                for step in run.steps
                if step.void is None and step.figures.p99_ms is not None
            )
            axes.plot([x for x, _ in points], [y for _, y in points], style, color=colour, label=name, markersize=5)
        if a.slo.p99_ms is not None:
            axes.axhline(a.slo.p99_ms, color=INK, linestyle=(0, (1, 2)), linewidth=1, label="bound of the SLO")
        latency_axis(axes, [step.figures.p99_ms for run in (a, b) for step in run.steps])
        axes.set_xlim(left=0)
        axes.set_xlabel("offered, audio-seconds a second")
        axes.legend(fontsize=9)

    return picture(draw, "p99", "p99 latency of both runs against the load that was offered")


def _slower(a_ms: Floats, b_ms: Floats) -> str:
    def draw(axes: Axes) -> None:
        for name, latencies_ms, style, colour in (("A", a_ms, "--", SERIES[1]), ("B", b_ms, "-", SERIES[0])):
            places = np.unique(np.linspace(0, len(latencies_ms) - 1, _MOST_POINTS).astype(int))
            places = np.union1d(places, np.arange(max(0, len(latencies_ms) - 50), len(latencies_ms)))
            axes.plot(latencies_ms[places], 1 - places / len(latencies_ms), style, color=colour, label=name)
        axes.set_yscale("log")
        axes.set_yticks([1, 0.1, 0.01, 0.001], ["all", "1 in 10", "1 in 100", "1 in 1,000"])
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(top=1.2)
        axes.set_xlim(left=0)
        axes.set_xlabel("latency, ms")
        axes.grid(visible=True, axis="y")
        axes.legend(fontsize=9)

    return picture(draw, "slower", "The share of requests that took longer than each time")
