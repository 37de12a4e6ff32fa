"""Paths as a Sankey diagram whose columns are steps, so that loops need no backward bands."""

from __future__ import annotations

import html
import itertools
from typing import TYPE_CHECKING

from wfsim.drawing.text import wrap

from .look import ENDINGS, FONT, GREY, STATE_COLOURS, faded

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

_BAR = 16
# Width of a page that is not wide, and the least that a word needs, in pixels.
_PAGE = 900.0
_NARROWEST = 96.0


def path_sankey(
    paths: Sequence[tuple[list[str], dict[str, int]]], *, title: str, order: Sequence[str] = ()
) -> go.Figure:
    """Draw paths with their numbers of cases per ending.

    Parameters
    ----------
    paths
        For each path its states, and how many cases ended in which way (keys of `ENDINGS`).
    title
        Above the picture.
    order
        The states that there are: a state has the colour of its place among them. Others are grey.
    """
    import plotly.graph_objects as go

    nodes: dict[tuple[int, str], int] = {}
    bands: dict[tuple[int, int], int] = {}
    colours = {name: STATE_COLOURS[k % len(STATE_COLOURS)] for k, name in enumerate(order)}
    endings: dict[str, int] = {}

    def node(step: int, name: str) -> int:
        return nodes.setdefault((step, name), len(nodes) + len(endings))

    def ending(name: str) -> int:
        return endings.setdefault(name, len(nodes) + len(endings))

    for states, counts in paths:
        cases = sum(counts.values())
        for step, (source, target) in enumerate(itertools.pairwise(states)):
            band = (node(step, source), node(step + 1, target))
            bands[band] = bands.get(band, 0) + cases
        for name, count in counts.items():
            if count:
                band = (node(len(states) - 1, states[-1]), ending(name))
                bands[band] = bands.get(band, 0) + count
    labels = [""] * (len(nodes) + len(endings))
    paints = [""] * len(labels)
    columns = max((len(states) for states, _ in paths), default=0) + 1
    room = max(_NARROWEST, _PAGE / max(1, columns - 1) - _BAR - 8)
    for (_, name), k in nodes.items():
        labels[k] = _label(name, room)
        paints[k] = colours.get(name, GREY)
    for name, k in endings.items():
        sign, said = ENDINGS[name][0].split(" ", 1)
        labels[k] = f"{sign} {_label(said, room - FONT)}"
        paints[k] = ENDINGS[name][1]
    figure = go.Figure(
        go.Sankey(
            arrangement="snap",
            node={"label": labels, "color": paints, "pad": 14, "thickness": _BAR},
            link={
                "source": [source for source, _ in bands],
                "target": [target for _, target in bands],
                "value": list(bands.values()),
                "color": [faded(paints[target]) for _, target in bands],
                "hovertemplate": "%{source.label} → %{target.label}: %{value:,} cases<extra></extra>",
            },
            valueformat=",d",
            valuesuffix=" cases",
        )
    )
    # Transparent, with grey text: readable on light and on dark pages.
    figure.update_layout(
        title={"text": html.escape(title)},
        paper_bgcolor="rgba(0,0,0,0)",
        font={"color": "#808080", "size": FONT},
        margin={"l": 20, "r": 20, "t": 50, "b": 20},
    )
    return figure


def _label(text: str, room: float) -> str:
    """A label broken into lines, so that the bar of the next column does not cover its end."""
    # Plotly reads a subset of HTML in labels.
    return "<br>".join(html.escape(line) for line in wrap(text, FONT, room, 4))
