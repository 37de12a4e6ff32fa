"""Points and rectangles, in pixels."""

from __future__ import annotations

from dataclasses import dataclass

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
