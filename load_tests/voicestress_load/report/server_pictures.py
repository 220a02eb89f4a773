"""The drawings of what the server's own metrics say."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from voicestress.look.drawing import MUTED, SERIES

from voicestress_load.report.pictures import picture, time_axis, time_edges
from voicestress_load.results import Run
from voicestress_load.server_side import ServerFigures, ServerSide

OverTime = list[tuple[float, ServerFigures]]


def over_time(run: Run, server: ServerSide) -> OverTime:
    """The server's figures for each time of the drawings, with the time's middle."""
    edges = time_edges(run)
    return server.over_time(0.0, float(edges[-1]), most=len(edges) - 1)


def queue_and_compute(run: Run, moments: OverTime) -> str:
    """Mean waiting and computing of a request, one on the other."""
    there = [(at, seen) for at, seen in moments if seen.queue_ms is not None and seen.compute_ms is not None]

    def draw(axes: Axes) -> None:
        parts = [[seen.compute_ms or 0.0 for _, seen in there], [seen.queue_ms or 0.0 for _, seen in there]]
        if there:
            axes.stackplot([at for at, _ in there], parts, labels=["computing", "waiting"],
                           colors=[SERIES[3], SERIES[1]], linewidth=0)  # fmt: skip
        axes.set_ylim(bottom=0)
        axes.set_ylabel("ms, mean of a request")
        time_axis(axes, run)
        axes.legend(fontsize=9, loc="upper left")

    return picture(draw, "queue-compute", "Waiting and computing in the server over the time of the run")


def batch_over_time(run: Run, moments: OverTime) -> str:
    """Windows an execution."""

    def draw(axes: Axes) -> None:
        there = [(at, seen.batch) for at, seen in moments if seen.batch is not None]
        axes.plot([at for at, _ in there], [batch for _, batch in there], color=SERIES[0], linewidth=1.3)
        axes.set_ylim(bottom=0)
        axes.set_ylabel("windows a batch, mean")
        time_axis(axes, run)

    return picture(draw, "batch", "Batch size over the time of the run")


def batch_histogram(moments: OverTime) -> str:
    """Executions by the mean batch of the time they were in."""
    there = [(seen.batch, seen.requests_per_s / seen.batch) for _, seen in moments if seen.batch]

    def draw(axes: Axes) -> None:
        batches, weights = [batch for batch, _ in there], [weight for _, weight in there]
        shares, edges = np.histogram(batches, bins=np.arange(0.75, max(batches, default=1.0) + 0.5, 0.5),
                                     weights=weights)  # fmt: skip
        axes.bar(edges[:-1], 100 * shares / max(shares.sum(), 1e-9), width=np.diff(edges), align="edge",
                 color=SERIES[0], linewidth=0)  # fmt: skip
        axes.set_xlabel("windows a batch, mean of the time")
        axes.set_ylabel("% of the executions")
        axes.set_xlim(left=0.5)

    return picture(draw, "batch-histogram", "Histogram of batch sizes")


def busy_over_time(run: Run, moments: OverTime) -> str:
    """How much of the time the model computed, and how busy the machine was."""

    def draw(axes: Axes) -> None:
        busy = [(at, seen.busy) for at, seen in moments if seen.busy is not None]
        axes.plot([at for at, _ in busy], [value for _, value in busy], color=SERIES[0], label="executions at once")
        used = [(at, seen.processor) for at, seen in moments if seen.processor is not None]
        if used:
            axes.plot([at for at, _ in used], [value for _, value in used], color=MUTED, linestyle="--",
                      label="processors in use, share")  # fmt: skip
        axes.set_ylim(bottom=0)
        time_axis(axes, run)
        axes.legend(fontsize=9, loc="lower right")

    return picture(draw, "busy", "How busy the model and the machine were over the time of the run")


def pending_and_memory(run: Run, moments: OverTime) -> str:
    """Requests that waited when it was read, and memory on an axis of its own."""

    def draw(axes: Axes) -> None:
        pending = [(at, seen.pending) for at, seen in moments if seen.pending is not None]
        axes.plot([at for at, _ in pending], [value for _, value in pending], color=SERIES[1], label="waiting")
        axes.set_ylim(bottom=0)
        axes.set_ylabel("requests waiting")
        time_axis(axes, run)
        used = [(at, seen.memory_mb) for at, seen in moments if seen.memory_mb is not None]
        if used:
            right = axes.twinx()
            right.plot([at for at, _ in used], [value for _, value in used], color=MUTED, linestyle="--")
            right.set_ylim(bottom=0)
            right.set_ylabel("MB (dashed)")

    return picture(draw, "pending", "Requests waiting and memory over the time of the run")
