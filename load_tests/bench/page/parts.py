"""What all sections of the page are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from matplotlib.axes import Axes
from voicestress_model.evaluation.drawing import new_figure, to_svg

Found = Mapping[str, Any]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f"<th>{escape(title)}</th>" for title in header)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def picture(draw: Callable[[Axes], None], name: str, description: str, width_in: float, height_in: float) -> str:
    """What ``draw`` draws on its axes, as SVG in a figure."""
    figure = new_figure(width_in, height_in)
    draw(figure.add_subplot())
    return f'<figure class="wide">{to_svg(figure, name, description)}</figure>'
