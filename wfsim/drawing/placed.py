"""Where everything stands: what a layout consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wfsim.drawing.boxes import Box
    from wfsim.drawing.content import Block
    from wfsim.drawing.curve import Curve
    from wfsim.drawing.cuts import CutGraph


@dataclass(frozen=True)
class PlacedText:
    """Lines of text and the box they fill."""

    box: Box
    block: Block


@dataclass(frozen=True)
class PlacedNode:
    """`box` is the space of the node, `outline` the shape edges end at, inside it."""

    box: Box
    outline: Box
    text: PlacedText


@dataclass(frozen=True)
class PlacedEdge:
    """`curve` runs from border to border, without room for an arrowhead."""

    curve: Curve
    text: PlacedText | None


@dataclass(frozen=True)
class PlacedGroup:
    """Frame of a group, and its label inside at the upper left."""

    box: Box
    text: PlacedText | None


@dataclass(frozen=True)
class Layout:
    """Positions in pixels, in the order of the nodes, edges and groups of what is drawn of the picture.

    `x`, `y` is the upper left corner of the page: (0, 0) unless somebody has put a node elsewhere.
    """

    drawn: CutGraph
    width: float
    height: float
    title: PlacedText
    nodes: tuple[PlacedNode, ...]
    edges: tuple[PlacedEdge, ...]
    groups: tuple[PlacedGroup, ...]
    x: float = 0.0
    y: float = 0.0
