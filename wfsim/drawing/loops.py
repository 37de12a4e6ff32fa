"""Loops from a node to itself: drawn beside it, one below the other, each with its text at its bend.

Graphviz draws several loops of a node through each other's labels. It is asked for one loop only, with a label as
large as all loops together, and the loops share that space.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.drawing.boxes import Box

if TYPE_CHECKING:
    from wfsim.drawing.content import Block
    from wfsim.drawing.curve import Curve, Point
    from wfsim.drawing.graph import Shape

_REACH = 34.0
_GAP = 6.0
_OPENING = 9.0
_MIN_SLOT = 24.0


@dataclass(frozen=True)
class Loop:
    """A loop and the space of its text."""

    curve: Curve
    text: Box


def space(texts: list[Block], *, sideways: bool) -> tuple[float, float]:
    """Width and height of the space that loops with these texts need.

    Beside the node one stands below the other; in a sideways picture they stand above the node in a row.
    """
    if sideways:
        widths = [max(text.width + 2 * _GAP, _MIN_SLOT) for text in texts]
        return sum(widths), _REACH + max(text.height for text in texts)
    heights = [max(text.height + _GAP, _MIN_SLOT) for text in texts]
    return _REACH + max(text.width for text in texts), sum(heights)


def place(texts: list[Block], outline: Box, shape: Shape, middle: Point, *, sideways: bool) -> list[Loop]:
    """Draw loops between an outline and the space around `middle`, which is as large as `space` says."""
    width, height = space(texts, sideways=sideways)
    room = outline.width if sideways else outline.height
    step = (room - 8) / len(texts)
    opening = min(_OPENING, 0.3 * step)
    loops: list[Loop] = []
    edge = middle[0] - width / 2 if sideways else middle[1] - height / 2
    for number, text in enumerate(texts):
        slot = max(text.width + 2 * _GAP if sideways else text.height + _GAP, _MIN_SLOT)
        bend = edge + slot / 2
        edge += slot
        # Slots run from left to right or from top to bottom, at the node as in the space.
        base = (outline.x if sideways else outline.y) + 4 + step * (number + 0.5)
        spread = min(slot / 2, 1.6 * _OPENING)
        if sideways:
            start, end = (base - opening, _top(outline, shape, base - opening)), (
                base + opening,
                _top(outline, shape, base + opening),
            )
            far = outline.y - _REACH
            curve: Curve = (start, (bend - spread, far), (bend + spread, far), end)
            apex = 0.25 * start[1] + 0.75 * far
            box = Box(bend - text.width / 2, apex - _GAP / 2 - text.height, text.width, text.height)
        else:
            start, end = (_right(outline, shape, base - opening), base - opening), (
                _right(outline, shape, base + opening),
                base + opening,
            )
            far = outline.x + outline.width + _REACH
            curve = (start, (far, bend - spread), (far, bend + spread), end)
            apex = 0.25 * start[0] + 0.75 * far
            box = Box(apex + _GAP, bend - text.height / 2, text.width, text.height)
        loops.append(Loop(curve, box))
    return loops


def _right(outline: Box, shape: Shape, y: float) -> float:
    """Where the right border of an outline is, at a height."""
    if shape not in ("circle", "dot"):
        return outline.x + outline.width
    radius = outline.width / 2
    return outline.centre[0] + math.sqrt(max(0.0, radius**2 - (y - outline.centre[1]) ** 2))


def _top(outline: Box, shape: Shape, x: float) -> float:
    """Where the upper border of an outline is, at a distance from the left."""
    if shape not in ("circle", "dot"):
        return outline.y
    radius = outline.width / 2
    return outline.centre[1] - math.sqrt(max(0.0, radius**2 - (x - outline.centre[0]) ** 2))
