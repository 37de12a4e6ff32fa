"""Loops from a node to itself: drawn beside it, one below the other, each with its text at its bend.

Graphviz draws several loops of a node through each other's labels. It is asked for one loop only, with a
label as large as all loops together, and the loops share that space.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.drawing.boxes import Box
from wfsim.drawing.content import BESIDE, LOOP_REACH, loop_slot, loop_space

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wfsim.drawing.boxes import Point
    from wfsim.drawing.content import Block
    from wfsim.drawing.curve import Curve
    from wfsim.drawing.graph import Shape

_OPENING = 9.0


@dataclass(frozen=True)
class Loop:
    """A loop and the space of its text."""

    curve: Curve
    text: Box


def place(texts: Sequence[Block], outline: Box, shape: Shape, middle: Point, *, sideways: bool) -> list[Loop]:
    """Draw loops between an outline and the space around `middle`, which is as large as `loop_space` says."""
    width, height = loop_space(texts, sideways=sideways)
    step = ((outline.width if sideways else outline.height) - 8) / len(texts)
    opening = min(_OPENING, 0.3 * step)
    loops: list[Loop] = []
    # Slots run from left to right or from top to bottom, at the node as in the space beside it.
    edge = middle[0] - width / 2 if sideways else middle[1] - height / 2
    for number, text in enumerate(texts):
        slot = loop_slot(text, sideways=sideways)
        bend = edge + slot / 2
        edge += slot
        base = (outline.x if sideways else outline.y) + 4 + step * (number + 0.5)
        spread = min(slot / 2, 1.6 * _OPENING)
        ends = (base - opening, base + opening)
        if sideways:
            start, end = ((x, _top(outline, shape, x)) for x in ends)
            far = outline.y - LOOP_REACH
            # A cubic curve reaches three quarters of the way to its control points.
            apex = 0.25 * start[1] + 0.75 * far
            curve: Curve = (start, (bend - spread, far), (bend + spread, far), end)
            box = Box(bend - text.width / 2, apex - BESIDE / 2 - text.height, text.width, text.height)
        else:
            start, end = ((_right(outline, shape, y), y) for y in ends)
            far = outline.x + outline.width + LOOP_REACH
            apex = 0.25 * start[0] + 0.75 * far
            curve = (start, (far, bend - spread), (far, bend + spread), end)
            box = Box(apex + BESIDE, bend - text.height / 2, text.width, text.height)
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
