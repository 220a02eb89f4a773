"""The report's pictures as files of their own, for model cards and slides."""

from __future__ import annotations

from pathlib import Path

from voicestress.look.drawing import drawn_in_page_colours
from voicestress.look.drawn_page import style

from voicestress_model.evaluation import figures
from voicestress_model.evaluation.evaluation import Evaluation

_VARIABLES_END = "* {"  # in the page's CSS, the colours come first


def write_pictures(evaluation: Evaluation, folder: Path) -> None:
    """Write the pictures of ``evaluation`` to ``folder`` as SVG files that read in light and in dark."""
    labels = evaluation.contract.labels
    with drawn_in_page_colours():
        drawn = {"overview": figures.overview(evaluation.tiers)}
        if evaluation.robustness:
            drawn["robustness"] = figures.robustness(evaluation.robustness, evaluation.tiers[0].chance)
        for tier in evaluation.tiers:
            drawn[f"{tier.name}-confusion"] = figures.confusion(tier, labels)
            drawn[f"{tier.name}-levels"] = figures.levels(tier, labels)
            drawn[f"{tier.name}-reliability"] = figures.reliability(tier)
    folder.mkdir(parents=True, exist_ok=True)
    for name, svg in drawn.items():
        (folder / f"{name}.svg").write_text(_standalone(svg), encoding="utf-8")


def _standalone(svg: str) -> str:
    """A picture of the page with the page's colours in it."""
    css = style()
    colours = css[: css.index(_VARIABLES_END)]
    rules = f"<style>{colours}svg {{ background: var(--paper); font-family: sans-serif; }}</style>"
    start = svg.index(">") + 1
    return svg[:start].replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1) + rules + svg[start:] + "\n"
