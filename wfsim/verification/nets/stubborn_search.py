"""A search with stubborn sets: nearest first as far as that is cheap, then deep first."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from wfsim.net.firing import Tokens
from wfsim.verification.nets.dive import dive
from wfsim.verification.nets.explore import searched
from wfsim.verification.nets.limits import Ended, Limits
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


def look_for(stubborn: StubbornSets, sought: Callable[[Tokens], bool], limits: Limits, *, every: bool = False) -> Found:
    """Search for a marking that stubborn sets are made to find, and of which `sought` is true.

    Parameters
    ----------
    limits
        The time is that for both searches together.
    every
        Go on after the first one; a dive ends with it in any case.

    Notes
    -----
    Without `every`, what the first search finds is as near as any. The second one begins when the first has taken
    `BREADTH_WORK` without finding anything; so what lies deep is found, too.
    """
    net = stubborn.net
    numbers: dict[int, None] = {}

    def stop(space: StateSpace, number: int) -> str | None:
        here = space.tokens[number]
        hit = space.is_deadlock(number) if stubborn.goal is None else stubborn.goal.reached(here)
        if not hit or not sought(here):
            return None
        numbers[number] = None
        return None if every else "It was found."

    few = limits.fewer(max(LEAST_BREADTH, BREADTH_WORK // max(1, len(net.transitions))))
    space = searched(net, few, stop=stop, wake=Wake(sought=True), stubborn=stubborn)
    if numbers or space.ended is not Ended.MARKINGS:
        return Found(space, list(numbers), deep=False)
    deep = dive(stubborn, sought, limits)
    if deep.found is not None:
        deep.space.stop("It was found.")
    return Found(deep.space, [] if deep.found is None else [deep.found], deep=True)
