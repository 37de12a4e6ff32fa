"""A search with stubborn sets: nearest first as far as that is cheap, then deep first."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple, Unpack

from wfsim.net.firing import Tokens
from wfsim.verification.nets.dive import dive
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.limits import SearchLimits
from wfsim.verification.nets.state_space import StateSpace, Wake
from wfsim.verification.nets.stubborn import StubbornSets

BREADTH_WORK = 5_000_000
"""Tries of a net transition in the search that goes nearest first: some tenths of a second."""

LEAST_BREADTH = 1_000
"""Markings for which it goes on in any case."""


class Found(NamedTuple):
    """What a search with stubborn sets has found.

    Attributes
    ----------
    space
        What was searched; `finished` if that was all there is to be searched.
    numbers
        The markings sought, in the order they were met.
    deep
        Whether they were met on a dive, so that they need not be nearest, and no edges are known.
    """

    space: StateSpace
    numbers: list[int]
    deep: bool


def look_for(
    stubborn: StubbornSets,
    sought: Callable[[Tokens], bool],
    *,
    every: bool = False,
    **limits: Unpack[SearchLimits],
) -> Found:
    """Search for a marking that stubborn sets are made to find, and of which `sought` is true.

    Parameters
    ----------
    every
        Go on after the first one; a dive ends with it in any case.
    limits
        `max_markings`, `max_seconds`, `max_memory` and `progress` as in `wf.explore`: the time for
        both searches together, the others for each of the two.

    Notes
    -----
    Without `every`, what the first search finds is as near as any. The second one begins when the first has taken
    `BREADTH_WORK` without finding anything; so what lies deep is found, too.
    """
    net, most, seconds = stubborn.net, limits["max_markings"], limits["max_seconds"]
    deadline = None if seconds is None else time.monotonic() + seconds
    numbers: dict[int, None] = {}

    def stop(space: StateSpace, number: int) -> str | None:
        here = space.tokens[number]
        hit = space.is_deadlock(number) if stubborn.goal is None else stubborn.goal.reached(here)
        if not hit or not sought(here):
            return None
        numbers[number] = None
        return None if every else "It was found."

    broad = min(most, max(LEAST_BREADTH, BREADTH_WORK // max(1, len(net.transitions))))
    nearest: SearchLimits = {**limits, "max_markings": broad}
    space = explore(net, **nearest, stop=stop, wake=Wake(sought=True), stubborn=stubborn)
    if numbers or space.finished or space.n_markings < broad:
        return Found(space, list(numbers), deep=False)
    rest: SearchLimits = {**limits, "max_seconds": None if deadline is None else max(0.0, deadline - time.monotonic())}
    deep = dive(stubborn, sought, **rest)
    if deep.found is not None:
        deep.space.reason = "It was found."
    return Found(deep.space, [] if deep.found is None else [deep.found], deep=True)
