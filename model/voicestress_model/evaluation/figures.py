"""The pictures of an evaluation report, each as an SVG element."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from voicestress.look.drawing import GRID, INK, MUTED, SERIES, new_figure, series, share_axis, to_svg

from voicestress_model.evaluation.bootstrap import Interval
from voicestress_model.evaluation.calibration import BINS, Calibration
from voicestress_model.evaluation.robustness import Condition, Robustness
from voicestress_model.evaluation.tiers import LEVEL_BIN_POINTS, Tier

_MODEL, _BASELINE, _CEILING = SERIES[0], MUTED, SERIES[3]
_MOST_SPEAKER_NAMES = 40


def overview(tiers: Sequence[Tier]) -> str:
    """UAR of the model and of what it is compared with, a row a tier."""
    figure = new_figure(9, 1.1 + 0.75 * len(tiers))
    axes = figure.add_subplot()
    seen: set[str] = set()
    for row, tier in enumerate(tiers):
        _whisker(axes, tier.uar, row - 0.22, _MODEL, "o", "model", seen)
        for comparison in tier.comparisons:
            is_ceiling = comparison.name == "ceiling"
            colour, marker = (_CEILING, "D") if is_ceiling else (_BASELINE, "s")
            label = "ceiling (true parameters)" if is_ceiling else "prosody features"
            _whisker(axes, comparison.uar, row + (0.22 if is_ceiling else 0), colour, marker, label, seen)
        label = None if row else "chance"
        axes.plot([tier.chance] * 2, [row - 0.4, row + 0.4], color=INK, linestyle=":", linewidth=1.2, label=label)
    axes.set_yticks(range(len(tiers)), [tier.name for tier in tiers])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_ylim(len(tiers) - 0.5, -0.5)
    share_axis(axes, horizontal=True)
    axes.set_xlabel("unweighted average recall")
    figure.legend(loc="outside upper left", ncols=4)
    return to_svg(figure, "overview", "Unweighted average recall by tier, with 95 % intervals")


def confusion(tier: Tier, labels: Sequence[str]) -> str:
    """The confusion matrix: counts, coloured by the share of the row."""
    counts = np.array(tier.confusion)  # [tier's labels, model's labels]
    shares = counts / counts.sum(axis=1, keepdims=True)
    figure = new_figure(4.8, 1.2 + 0.75 * len(counts))
    axes = figure.add_subplot()
    for (row, column), share in np.ndenumerate(shares):
        axes.add_patch(_cell(column, row, share))
        axes.text(column, row - 0.1, f"{share:.0%}", ha="center", va="center", fontsize=12)
        axes.text(column, row + 0.22, f"{counts[row, column]}", ha="center", va="center", fontsize=8, color=MUTED)
    axes.set_xlim(-0.5, len(labels) - 0.5)
    axes.set_ylim(len(counts) - 0.5, -0.5)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_yticks(range(len(counts)), list(tier.per_label))
    axes.tick_params(length=0, labelcolor=INK)
    axes.set_xlabel("the model says")
    axes.set_ylabel("the corpus says")
    axes.spines[:].set_visible(False)
    return to_svg(figure, f"confusion-{_slug(tier)}", f"Confusion matrix of {tier.name}")


def reliability(tier: Tier) -> str:
    """Accuracy against confidence before and after temperature scaling, and how many utterances stand behind each."""
    figure = new_figure(6, 3.9)
    grid = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=[3, 1])
    for column, (title, found) in enumerate((("before", tier.before), ("after", tier.after))):
        _reliability_column(grid[0, column], grid[1, column], title, found)
    grid[0, 0].set_ylabel("share that is right")
    grid[1, 0].set_ylabel("utterances")
    return to_svg(figure, f"reliability-{_slug(tier)}", f"Reliability diagram of {tier.name}, before and after scaling")


def _reliability_column(upper: Axes, lower: Axes, title: str, found: Calibration) -> None:
    upper.plot([0, 1], [0, 1], color=MUTED, linestyle="--", linewidth=1)
    for part in found.bins:
        if part.accuracy is None or part.confidence is None:
            continue
        upper.bar(
            part.low, part.accuracy, width=1 / BINS, align="edge", color=SERIES[0], alpha=0.35, edgecolor=SERIES[0]
        )
        upper.plot([part.confidence] * 2, [part.confidence, part.accuracy], color=SERIES[2], linewidth=2)
    share_axis(upper, horizontal=False)
    upper.set_title(f"{title}, temperature {found.temperature:.3g}\ncalibration error {found.error:.3f}")
    lower.bar([part.low for part in found.bins], [part.count for part in found.bins], width=1 / BINS, align="edge",
              color=MUTED)  # fmt: skip
    share_axis(lower, horizontal=True)
    lower.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1], ["0", "20", "40", "60", "80", "100"])
    lower.set_xlabel("confidence, %")
    lower.grid(visible=False)


def levels(tier: Tier, labels: Sequence[str]) -> str:
    """Histograms of the stress level, a panel a label, with its median and the middle half."""
    figure = new_figure(6, 0.6 + 1.05 * len(tier.levels))
    panels = figure.subplots(len(tier.levels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (label, found) in zip(panels, tier.levels.items(), strict=True):
        colour = series(labels.index(label))
        shares = np.array(found.histogram) / found.utterances
        starts = np.arange(len(shares)) * LEVEL_BIN_POINTS
        axes.bar(starts, shares, width=LEVEL_BIN_POINTS, align="edge", color=colour, alpha=0.7)
        top = shares.max() * 1.35
        axes.plot([found.quantiles["25"], found.quantiles["75"]], [top * 0.9] * 2, color=colour, linewidth=4)
        axes.plot(found.quantiles["50"], top * 0.9, "o", color=INK, markersize=5)
        axes.set_ylim(0, top)
        axes.set_yticks([])
        axes.set_ylabel(label, rotation=0, ha="right", va="center")
        axes.set_xlim(0, 100)
        axes.spines["left"].set_visible(False)
    panels[-1].set_xlabel("stress level")
    return to_svg(figure, f"levels-{_slug(tier)}", f"Distribution of the stress level by label in {tier.name}")


def speakers(tier: Tier) -> str:
    """UAR of each speaker, the worst first."""
    ranked = sorted(tier.per_speaker.uar.items(), key=lambda item: item[1])
    named = len(ranked) <= _MOST_SPEAKER_NAMES
    figure = new_figure(6, 0.9 + min(0.2 * len(ranked), 5.0) + (0.5 if len(ranked) < 5 else 0))
    axes = figure.add_subplot()
    rows = np.arange(len(ranked))
    values = [uar for _, uar in ranked]
    axes.hlines(rows, 0, values, color=GRID, linewidth=1.5)
    axes.plot(values, rows, "o", color=_MODEL, markersize=5)
    axes.axvline(tier.uar.value, color=INK, linewidth=1.2, label=f"all: {tier.uar.value:.2f}")
    axes.axvline(tier.chance, color=INK, linewidth=1.2, linestyle=":", label="chance")
    axes.set_yticks(rows if named else [], [name for name, _ in ranked] if named else [])
    axes.tick_params(axis="y", length=0, labelsize=8, labelcolor=INK)
    axes.set_ylim(-0.7, len(ranked) - 0.3)
    share_axis(axes, horizontal=True)
    axes.set_xlabel("unweighted average recall")
    figure.legend(loc="outside upper left", ncols=2)
    return to_svg(figure, f"speakers-{_slug(tier)}", f"Unweighted average recall of each speaker in {tier.name}")


def robustness(found: Robustness, chance: float) -> str:
    """UAR and the change of the level: over the signal-to-noise ratio, and by channel."""
    clean = found.conditions[0]
    figure = new_figure(9, 4.6)
    grid = figure.subplots(2, 2, sharey="row", sharex="col", width_ratios=[3, 2])
    for number, kind in enumerate(("white noise", "babble")):
        rows = [condition for condition in found.conditions if condition.kind == kind]
        at = [-condition.snr_db for condition in rows if condition.snr_db is not None]
        colour, marker = SERIES[number * 2], "os"[number]
        style = {"color": colour, "marker": marker, "markersize": 6, "linewidth": 1.8, "capsize": 0}
        shift = (number - 0.5) * 0.35  # so that one interval does not hide the other
        grid[0, 0].errorbar(np.add(at, shift), *_errors(rows), label=kind, **style)
        grid[1, 0].plot(at, [row.mean_absolute_change for row in rows], color=colour, marker=marker, linewidth=1.8)
    channels = [condition for condition in found.conditions if condition.kind == "channel"]
    places = np.arange(len(channels))
    grid[0, 1].errorbar(places, *_errors(channels), fmt="D", color=SERIES[3], markersize=7, linewidth=1.8)
    grid[1, 1].bar(places, [row.mean_absolute_change for row in channels], width=0.4, color=SERIES[3], alpha=0.7)
    for axes in grid[0]:
        axes.axhline(clean.uar.value, color=INK, linewidth=1.2, label="as recorded")
        axes.axhline(chance, color=INK, linewidth=1.2, linestyle=":", label="chance")
        share_axis(axes, horizontal=False)
    for axes in grid[1]:
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, axis="y")
    ticks = sorted({-c.snr_db for c in found.conditions if c.snr_db is not None})
    grid[1, 0].set_xticks(ticks, [f"{-tick} dB" for tick in ticks])
    grid[1, 0].set_xlabel("signal-to-noise ratio, worse to the right")
    grid[1, 1].set_xticks(places, [condition.name.replace(", ", "\n") for condition in channels])
    grid[1, 1].set_xlim(-0.6, len(channels) - 0.4)
    grid[0, 0].set_ylabel("UAR")
    grid[1, 0].set_ylabel("level moves by")
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=4)
    return to_svg(figure, "robustness", "Unweighted average recall and change of the level under noise and codecs")


def _errors(rows: Sequence[Condition]) -> tuple[list[float], np.ndarray]:
    """Values and the lengths of the whiskers ``[2, rows]`` beneath and above them."""
    values = [row.uar.value for row in rows]
    below = [max(0.0, row.uar.value - row.uar.low) for row in rows]
    above = [max(0.0, row.uar.high - row.uar.value) for row in rows]
    return values, np.array([below, above])


def _whisker(axes: Axes, found: Interval, row: float, colour: str, marker: str, label: str, seen: set[str]) -> None:
    axes.plot([found.low, found.high], [row, row], color=colour, linewidth=2.2, solid_capstyle="round")
    once = None if label in seen else label
    axes.plot(found.value, row, marker, color=colour, markersize=8, linestyle="none", label=once)
    seen.add(label)


def _cell(column: int, row: int, share: float) -> object:
    from matplotlib.patches import FancyBboxPatch

    style = "round,pad=0,rounding_size=0.06"
    return FancyBboxPatch(
        (column - 0.48, row - 0.46), 0.96, 0.92, boxstyle=style, linewidth=0, facecolor=SERIES[0],
        alpha=0.06 + 0.6 * float(share),
    )  # fmt: skip


def _slug(tier: Tier) -> str:
    return "".join(character if character.isalnum() else "-" for character in tier.name)
