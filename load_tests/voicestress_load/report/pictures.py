"""The drawings of what the requests met, each as SVG for a page in the colours of ``voicestress.look.drawing``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter
from voicestress.look.drawing import GRID, INK, MUTED, SERIES, new_figure, to_svg

from voicestress_load.requests_table import column, lag_ms, latency_ms, scored
from voicestress_load.results import OUTCOMES, Run, Step

Floats = npt.NDArray[np.float64]

WIDTH_IN, HEIGHT_IN = 4.8, 2.9  # of a telephone's width, so that the text keeps its size there
_MOST_BINS = 120
_FAR_APART = 20  # values that lie further apart than this factor get a logarithmic axis
_COLOURS = dict(zip(OUTCOMES, (SERIES[0], SERIES[1], SERIES[4], SERIES[2]), strict=True))
_PERCENTILES = (("p50", "^:", SERIES[3]), ("p95", "s--", SERIES[1]), ("p99", "o-", SERIES[0]))


def picture(draw: Callable[[Axes], None], name: str, description: str) -> str:
    """What ``draw`` draws on its axes."""
    figure = new_figure(WIDTH_IN, HEIGHT_IN)
    draw(figure.add_subplot())
    return to_svg(figure, name, description)


def latency_by_load(run: Run) -> str:
    """Percentiles of each step over what was offered in it, with the SLO's bounds; hollow where the SLO was missed."""
    steps = _by_load([step for step in run.steps if step.figures.p99_ms is not None])

    def draw(axes: Axes) -> None:
        for name, style, colour in _PERCENTILES:
            values = [getattr(step.figures, f"{name}_ms") for step in steps]
            axes.plot(_offered(steps), values, style, color=colour, label=name, markersize=5, markevery=_kept(steps))
            missed = [(step, value) for step, value in zip(steps, values, strict=True) if not _good(step)]
            axes.plot(
                _offered([step for step, _ in missed]), [value for _, value in missed], style[0], color=colour,
                markerfacecolor="none", markersize=5,
            )  # fmt: skip
            bound = getattr(run.slo, f"{name}_ms")
            if bound is not None:
                axes.axhline(bound, color=INK, linestyle=(0, (1, 2)), linewidth=1)
                axes.annotate(f"{name} bound", (0, bound), (2, 2), textcoords="offset points",
                              xycoords=("axes fraction", "data"), color=MUTED, fontsize=9)  # fmt: skip
        latency_axis(axes, [step.figures.p50_ms for step in steps] + [step.figures.p99_ms for step in steps])
        axes.set_xlim(left=0)
        axes.set_xlabel("offered, audio-seconds a second")
        axes.legend(fontsize=9)

    return picture(draw, "latency-by-load", "Latency percentiles against the load that was offered")


def offered_and_achieved(run: Run) -> str:
    """What was scored of what was offered, step by step."""
    steps = _by_load(run.steps)

    def draw(axes: Axes) -> None:
        most = max([*_offered(steps), 1e-9])
        axes.plot([0, most], [0, most], color=MUTED, linestyle=":", linewidth=1, label="all that was offered")
        axes.plot(_offered(steps), [step.figures.goodput_audio_s_per_s for step in steps], "o-", color=SERIES[0],
                  markersize=5, label="scored")  # fmt: skip
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("offered, audio-seconds a second")
        axes.set_ylabel("scored, audio-seconds a second")
        axes.grid(visible=True, axis="y")
        axes.legend(fontsize=9)

    return picture(draw, "achieved", "Audio-seconds scored a second against those offered")


def latency_over_time(run: Run, requests: pa.Table) -> str:
    """Percentiles by when requests were meant to be sent; the lines are between steps."""
    answered = scored(requests)
    at_s, latencies_ms = column(answered, "meant_s"), latency_ms(answered)
    edges = time_edges(run)

    def draw(axes: Axes) -> None:
        for share, colour in ((50, SERIES[3]), (99, SERIES[0])):
            middles, values = _of_bins(at_s, latencies_ms, edges, share)
            axes.plot(middles, values, color=colour, linewidth=1.3, label=f"p{share}")
        latency_axis(axes, list(latencies_ms[:: max(1, len(latencies_ms) // 1000)]))
        time_axis(axes, run)
        axes.legend(fontsize=9)

    return picture(draw, "latency-over-time", "Latency over the time of the run")


def outcomes_over_time(run: Run, requests: pa.Table) -> str:
    """Requests a second by when they were meant to be sent and what became of them."""
    edges = time_edges(run)
    at_s = column(requests, "meant_s")
    outcome = np.array(requests.column("outcome").to_pylist(), dtype=object)
    there = [name for name in OUTCOMES if (outcome == name).any()]
    rates = [np.histogram(at_s[outcome == name], edges)[0] / np.diff(edges) for name in there]

    def draw(axes: Axes) -> None:
        if there:
            axes.stackplot((edges[:-1] + edges[1:]) / 2, rates, labels=there,
                           colors=[_COLOURS[name] for name in there], linewidth=0)  # fmt: skip
        axes.set_ylim(bottom=0)
        axes.set_ylabel("requests a second")
        time_axis(axes, run)
        axes.legend(fontsize=9, loc="upper left")

    return picture(draw, "outcomes", "What became of the requests, over the time of the run")


def lengths_histogram(edges_s: Sequence[float], counts: Sequence[float]) -> str:
    """How many requests had so much audio."""

    def draw(axes: Axes) -> None:
        axes.bar(edges_s[:-1], counts, width=np.diff(edges_s), align="edge", color=SERIES[0], edgecolor=GRID)
        axes.set_xlabel("seconds of audio in a request")
        axes.set_ylabel("requests")

    return picture(draw, "lengths", "Histogram of the requests' seconds of audio")


def lag_over_time(run: Run, requests: pa.Table) -> str:
    """How late the generator itself was."""
    edges, at_s, late_ms = time_edges(run), column(requests, "meant_s"), lag_ms(requests)

    def draw(axes: Axes) -> None:
        for share, colour, label in ((99, SERIES[0], "p99"), (100, MUTED, "latest")):
            middles, values = _of_bins(at_s, late_ms, edges, share)
            axes.plot(middles, values, color=colour, linewidth=1.3, label=label)
        if len(late_ms) and late_ms.max() > run.lag_bound_ms / 4:
            axes.axhline(run.lag_bound_ms, color=INK, linestyle=(0, (1, 2)), linewidth=1, label="bound")
        axes.set_ylim(bottom=0)
        axes.set_ylabel("ms after it was meant")
        time_axis(axes, run)
        axes.legend(fontsize=9)

    return picture(draw, "lag", "How late the generator sent its requests")


def time_edges(run: Run) -> Floats:
    """Bounds of equal times of a second or more that the whole run is cut into, in seconds."""
    until_s = max((step.until_s for step in run.steps), default=1.0)
    return np.linspace(0.0, until_s, max(1, min(_MOST_BINS, int(until_s))) + 1)


def time_axis(axes: Axes, run: Run) -> None:
    """Seconds from the run's start, with a line where a step begins."""
    for step in run.steps[1:]:
        axes.axvline(step.from_s, color=GRID, linewidth=0.8, zorder=0)
    axes.set_xlim(0, max((step.until_s for step in run.steps), default=1.0))
    axes.set_xlabel("seconds from the start")
    axes.grid(visible=True, axis="y")


def latency_axis(axes: Axes, values: Sequence[float | None]) -> None:
    """An axis of milliseconds for ``values``: logarithmic where they lie far apart."""
    there = [value for value in values if value]
    if there and max(there) > _FAR_APART * min(there):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    else:
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("latency, ms")
    axes.grid(visible=True, axis="y")


def _of_bins(at_s: Floats, values: Floats, edges: Floats, share: float) -> tuple[list[float], list[float]]:
    """The percentile ``share`` of ``values`` in each bin that has some, and the bins' middles."""
    place = np.digitize(at_s, edges) - 1
    order = np.argsort(place, kind="stable")
    numbers, starts = np.unique(place[order], return_index=True)
    parts = np.split(values[order], starts[1:])
    inside = [(n, part) for n, part in zip(numbers, parts, strict=True) if 0 <= n < len(edges) - 1 and len(part)]
    middles = [float(edges[n] + edges[n + 1]) / 2 for n, _ in inside]
    return middles, [float(np.percentile(part, share)) for _, part in inside]


def _by_load(steps: Sequence[Step]) -> list[Step]:
    return sorted(steps, key=lambda step: step.figures.offered_audio_s_per_s)


def _offered(steps: Sequence[Step]) -> list[float]:
    return [step.figures.offered_audio_s_per_s for step in steps]


def _good(step: Step) -> bool:
    return step.void is None and not step.misses


def _kept(steps: Sequence[Step]) -> list[bool]:
    """Which of the steps met the SLO, and get a filled mark."""
    return [_good(step) for step in steps]
