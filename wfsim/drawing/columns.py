"""A long strip is folded into columns that stand side by side, as a newspaper folds its text."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TALL = 3_000.0
"""A picture of fewer pixels along its main direction is not folded."""

_STRIP = 2.5
_WIDER = 1.6
"""What a column takes beside its share of the height, in widths: cut edges have tags."""


def count_columns(along: float, across: float) -> int:
    """How many columns make a strip of so many pixels about as high as wide; 1 if it is no strip."""
    if along < TALL or along < _STRIP * across:
        return 1
    return max(2, round(math.sqrt(along / (_WIDER * max(across, 1.0)))))


def columns(extents: Mapping[str, tuple[float, float]], edges: Sequence[tuple[str, str]], count: int) -> dict[str, int]:
    """Give each thing a column, so that all are about equally full and few edges lead from one to another.

    Parameters
    ----------
    extents
        Where each thing begins and ends along the main direction. None is divided.
    edges
        Pairs of things.
    count
        How many columns are wanted; fewer come out if things leave no place to part them.

    Notes
    -----
    Each border is put where the fewest edges cross it, within a third of a column around its even place.
    """
    begins = sorted(low for low, _ in extents.values())
    ends = sorted(high for _, high in extents.values())
    # Between these places nothing is divided: as many things have begun before as have ended.
    places = [high for high in dict.fromkeys(ends) if bisect_left(begins, high) == bisect_right(ends, high)][:-1]
    crossing = [0] * (len(places) + 1)
    slot = {name: bisect_left(places, high) for name, (_, high) in extents.items()}
    for source, target in edges:
        first, last = sorted((slot[source], slot[target]))
        crossing[first] += 1
        crossing[last] -= 1
    crossing = list(accumulate(crossing))
    whole = ends[-1] - begins[0] if ends else 0.0
    borders: list[int] = []
    for number in range(1, count):
        even = begins[0] + whole * number / count
        near = [
            i
            for i, place in enumerate(places)
            if abs(place - even) <= whole / count / 3 and (not borders or i > borders[-1])
        ]
        if near:
            borders.append(min(near, key=lambda i: (crossing[i], abs(places[i] - even))))
    return {name: bisect_left(borders, at) for name, at in slot.items()}
