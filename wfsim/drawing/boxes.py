"""Points and rectangles, in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels; `x`, `y` is the upper left corner, y grows downwards."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> Point:
        """Middle of the rectangle."""
        return (self.x + self.width / 2, self.y + self.height / 2)


def centred(at: Point, width: float, height: float) -> Box:
    """The box of a size around a point."""
    return Box(at[0] - width / 2, at[1] - height / 2, width, height)


def around(boxes: Sequence[Box], points: Sequence[Point] = ()) -> Box:
    """The smallest box that holds others, and points; an empty one at the origin if there are none."""
    left = min([box.x for box in boxes] + [x for x, _ in points], default=0.0)
    top = min([box.y for box in boxes] + [y for _, y in points], default=0.0)
    right = max([box.x + box.width for box in boxes] + [x for x, _ in points], default=0.0)
    bottom = max([box.y + box.height for box in boxes] + [y for _, y in points], default=0.0)
    return Box(left, top, right - left, bottom - top)
