"""Cubic Bézier curves: where they meet a circle, where they have a given distance from their end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from wfsim.drawing.boxes import Point

if TYPE_CHECKING:
    from wfsim.drawing.boxes import Box

Curve = tuple[Point, ...]
"""3k + 1 points: a start, then two control points and an end for each of k segments."""

_ROUNDING = 40.0

_Segment = tuple[Point, Point, Point, Point]


def segments(curve: Curve) -> list[_Segment]:
    """The cubic pieces of a curve."""
    return [(curve[i], curve[i + 1], curve[i + 2], curve[i + 3]) for i in range(0, len(curve) - 1, 3)]


def middle(curve: Curve) -> Point:
    """Point halfway along a curve, by parameter."""
    pieces = segments(curve)
    piece = pieces[len(pieces) // 2]
    return _split(piece, 0.5 if len(pieces) % 2 else 0.0)[0][3]


def along(curve: Curve, steps: int) -> list[Point]:
    """Points spread over a curve by parameter, without its ends, those nearest to the middle first."""
    pieces = segments(curve)
    points: list[Point] = []
    for number in sorted(range(1, steps), key=lambda number: (abs(2 * number - steps), number)):
        piece, rest = divmod(number * len(pieces), steps)
        points.append(_split(pieces[piece], rest / steps)[0][3])
    return points


def end_cut(curve: Curve, length: float) -> tuple[Curve, Point]:
    """Cut the last `length` pixels off, as the crow flies; return the rest and the direction to the old end.

    At least a tenth of the first segment stays. The direction is a unit vector.
    """
    tip = curve[-1]
    pieces = segments(curve)
    while len(pieces) > 1 and math.dist(pieces[-1][0], tip) <= length:
        pieces.pop()
    piece = pieces[-1]
    low, high = (0.1 if len(pieces) == 1 else 0.0), 1.0
    if math.dist(_split(piece, low)[0][3], tip) <= length:
        high = low
    # Bisection to 2⁻³⁰ of the segment: below a hundredth of a pixel.
    for _ in range(30):
        half = (low + high) / 2
        if math.dist(_split(piece, half)[0][3], tip) > length:
            low = half
        else:
            high = half
    pieces[-1] = _split(piece, high)[0]
    return _join(pieces), _direction(pieces[-1][3], tip, piece)


def reverse(curve: Curve) -> Curve:
    """The same curve run backwards."""
    return curve[::-1]


def clip_to_circle(curve: Curve, centre: Point, radius: float, *, at_start: bool) -> Curve:
    """Move an end of a curve to the circle it belongs to.

    An end inside the circle is cut back to it; one that stops short of it is drawn on in a straight line.
    """
    if at_start:
        return reverse(clip_to_circle(reverse(curve), centre, radius, at_start=False))
    tip = curve[-1]
    distance = math.dist(tip, centre)
    if distance > radius:
        if distance - radius < 0.5:
            return curve
        touch = (
            centre[0] + (tip[0] - centre[0]) * radius / distance,
            centre[1] + (tip[1] - centre[1]) * radius / distance,
        )
        return (*curve, _between(tip, touch, 1 / 3), _between(tip, touch, 2 / 3), touch)
    pieces = segments(curve)
    while len(pieces) > 1 and math.dist(pieces[-1][0], centre) <= radius:
        pieces.pop()
    if math.dist(pieces[-1][0], centre) <= radius:
        return curve
    low, high = 0.0, 1.0
    for _ in range(30):
        half = (low + high) / 2
        if math.dist(_split(pieces[-1], half)[0][3], centre) > radius:
            low = half
        else:
            high = half
    pieces[-1] = _split(pieces[-1], low)[0]
    return _join(pieces)


def crosses(curve: Curve, box: Box) -> bool:
    """Whether a curve passes through the inside of a box; finds every passage longer than a 16th segment."""
    for piece in segments(curve):
        # A segment lies within the hull of its points.
        (left, right), (top, bottom) = ((min(side), max(side)) for side in zip(*piece, strict=True))
        if right < box.x or left > box.x + box.width or bottom < box.y or top > box.y + box.height:
            continue
        for step in range(17):
            x, y = _split(piece, step / 16)[0][3]
            if box.x + 1 < x < box.x + box.width - 1 and box.y + 1 < y < box.y + box.height - 1:
                return True
    return False


def smooth(curve: Curve) -> Curve:
    """Round the corners where segments meet at an angle; the points of the segments stay where they are."""
    points = list(curve)
    for joint in range(3, len(points) - 1, 3):
        at = points[joint]
        into = _unit(at, [points[joint - 1], points[joint - 2], points[joint - 3]], -1.0)
        out = _unit(at, [points[joint + 1], points[joint + 2], points[joint + 3]], 1.0)
        # Eighteen degrees: below that nobody sees a corner.
        if into is None or out is None or into[0] * out[0] + into[1] * out[1] > 0.95:
            continue
        x, y = into[0] + out[0], into[1] + out[1]
        along = math.hypot(x, y)
        # A curve that turns right back does so across its direction.
        ux, uy = (x / along, y / along) if along > 0.05 else (-into[1], into[0])
        before = min(_ROUNDING, 0.35 * math.dist(points[joint - 3], at))
        after = min(_ROUNDING, 0.35 * math.dist(at, points[joint + 3]))
        points[joint - 1] = (at[0] - ux * before, at[1] - uy * before)
        points[joint + 1] = (at[0] + ux * after, at[1] + uy * after)
    return tuple(points)


def _unit(at: Point, others: list[Point], sign: float) -> Point | None:
    """Direction from `at` to the first of the other points that is not next to it, times `sign`."""
    # A control point next to the joint sets a tangent that nobody sees: it still looks like a corner.
    near = min(12.0, 0.12 * math.dist(at, others[-1]))
    for other in others:
        length = math.dist(at, other)
        if length > max(near, 1e-6):
            return (sign * (other[0] - at[0]) / length, sign * (other[1] - at[1]) / length)
    return None


def _split(piece: _Segment, t: float) -> tuple[_Segment, _Segment]:
    """The parts of a segment before and after parameter `t` (de Casteljau)."""
    a, b, c, d = piece
    ab, bc, cd = _between(a, b, t), _between(b, c, t), _between(c, d, t)
    abc, bcd = _between(ab, bc, t), _between(bc, cd, t)
    mid = _between(abc, bcd, t)
    return (a, ab, abc, mid), (mid, bcd, cd, d)


def _between(p: Point, q: Point, t: float) -> Point:
    return (p[0] + (q[0] - p[0]) * t, p[1] + (q[1] - p[1]) * t)


def _join(pieces: list[_Segment]) -> Curve:
    return (pieces[0][0], *(point for piece in pieces for point in piece[1:]))


def _direction(start: Point, tip: Point, piece: _Segment) -> Point:
    for origin in (start, piece[2], piece[1], piece[0]):
        length = math.dist(origin, tip)
        if length > 1e-6:
            return ((tip[0] - origin[0]) / length, (tip[1] - origin[1]) / length)
    return (0.0, 1.0)
