"""What all sections of the page are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.axes import Axes
from voicestress.look.drawing import new_figure, to_svg

Found = Mapping[str, Any]


def picture(draw: Callable[[Axes], None], name: str, description: str, width_in: float, height_in: float) -> str:
    """What ``draw`` draws on its axes, as SVG in a figure."""
    figure = new_figure(width_in, height_in)
    draw(figure.add_subplot())
    return f'<figure class="wide">{to_svg(figure, name, description)}</figure>'
