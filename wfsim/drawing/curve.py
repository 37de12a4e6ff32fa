"""Cubic Bézier curves: where they meet a circle, where they have a given distance from their end."""

from __future__ import annotations

import math

Point = tuple[float, float]
Curve = tuple[Point, ...]
"""3k + 1 points: a start, then two control points and an end for each of k segments."""

_Segment = tuple[Point, Point, Point, Point]


def segments(curve: Curve) -> list[_Segment]:
    """The cubic pieces of a curve."""
    return [(curve[i], curve[i + 1], curve[i + 2], curve[i + 3]) for i in range(0, len(curve) - 1, 3)]


def middle(curve: Curve) -> Point:
    """Point halfway along a curve, by parameter."""
    pieces = segments(curve)
    piece = pieces[len(pieces) // 2]
    return _split(piece, 0.5 if len(pieces) % 2 else 0.0)[0][3]


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


def smooth(curve: Curve) -> Curve:
    """Round the corners where segments meet at an angle; the points of the segments stay where they are."""
    points = list(curve)
    for joint in range(3, len(points) - 1, 3):
        before, at, after = points[joint - 1], points[joint], points[joint + 1]
        into, out = math.dist(before, at), math.dist(at, after)
        if into < 1e-6 or out < 1e-6:
            continue
        ax, ay = (at[0] - before[0]) / into, (at[1] - before[1]) / into
        bx, by = (after[0] - at[0]) / out, (after[1] - at[1]) / out
        along = math.hypot(ax + bx, ay + by)
        if ax * bx + ay * by > 0.985:
            continue
        # A curve that turns right back does so across its direction.
        ux, uy = ((ax + bx) / along, (ay + by) / along) if along > 0.05 else (-ay, ax)
        reach_in = min(into, 0.5 * math.dist(points[joint - 3], at))
        reach_out = min(out, 0.5 * math.dist(at, points[joint + 3]))
        points[joint - 1] = (at[0] - ux * reach_in, at[1] - uy * reach_in)
        points[joint + 1] = (at[0] + ux * reach_out, at[1] + uy * reach_out)
    return tuple(points)


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
