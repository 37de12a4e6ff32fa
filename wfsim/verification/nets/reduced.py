"""Searches of nets that may have been reduced, told in terms of the original one."""

from __future__ import annotations

import heapq
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfsim.verification.nets.answer import BROAD, DEEP, SEARCH, Answer
from wfsim.verification.nets.dive import shortened
from wfsim.verification.nets.explore import searched
from wfsim.verification.nets.limits import Limits, OutOfTime
from wfsim.verification.nets.structure.reduction import Keep, Reduction, reduce
from wfsim.verification.nets.stubborn import StubbornSets, TooManyConflicts
from wfsim.verification.nets.stubborn_search import Found, look_for
from wfsim.verification.verdict import NetWitness

if TYPE_CHECKING:
    from wfsim.net.marking import Marking
    from wfsim.net.petri import PetriNet
    from wfsim.verification.nets.state_space import StateSpace

DIRECT_WORK = 8_000
"""Firings tried on the net as it is, before it is reduced: small nets are searched whole, without detour."""


def told_method(reduction: Reduction, search: str, shortest: bool | None) -> str:
    """The method of a search of a net that may have been reduced; `shortest` tells about its trace, if there is one."""
    length = "" if shortest is None else "shortest" if shortest else "perhaps not shortest"
    if not reduction.rules:
        return f"{search}; trace {length}" if length and search != SEARCH else search
    trace = f"; trace mapped back to the original net and replayed there, {length}" if length else ""
    return f"structural reduction ({reduction}), then {search} of the reduced net{trace}"


@dataclass
class Searched:
    """The search of a net that may have been reduced.

    Attributes
    ----------
    witness
        In the original net; `shortest` tells whether it is known to be as short as any.
    search
        How the reduced net was searched.
    """

    reduction: Reduction
    space: StateSpace
    witness: NetWitness | None = None
    shortest: bool = True
    search: str = SEARCH

    @property
    def method(self) -> str:
        """Rules used, and how what was left was searched."""
        return told_method(self.reduction, self.search, None if self.witness is None else self.shortest)

    @property
    def statistics(self) -> dict[str, Any]:
        """Sizes of the original net, markings expanded of the reduced one, and what the rules did."""
        net, space = self.reduction.original, self.space
        numbers: dict[str, Any] = {"places": len(net.places), "transitions": len(net.transitions)}
        if self.search != DEEP:
            numbers |= {"expanded": space.n_expanded, "deadlocks": len(space.deadlock_numbers())}
        return {**numbers, "reduced": self.reduction.to_dict()} if self.reduction.rules else numbers

    def answer(self) -> Answer:
        """Whether what was sought is there."""
        which = " that stubborn sets leave" if self.search in (BROAD, DEEP) else ""
        which += " of the net it reduces to" if self.reduction.rules else ""
        return Answer.of_search(self.space, self.witness, self.method, self.statistics, which)


def direct_markings(net: PetriNet) -> int:
    """How many markings to search of the net as it is before reducing it."""
    return max(32, DIRECT_WORK // max(1, len(net.transitions)))


def nearest_by_length(reduction: Reduction, space: StateSpace, targets: Collection[int]) -> tuple[str, ...]:
    """The way in the reduced net to one of `targets` that takes the fewest firings of the original net [1]_.

    Only known edges are followed; a target found but not yet expanded is reached too.

    References
    ----------
    .. [1] Dijkstra (1959), Numerische Mathematik 1, 269-271.
    """
    if not reduction.rules:
        return space.path_to(min(targets))
    names = reduction.net.transitions
    lengths = [reduction.lengths[name] for name in names]
    distance = {0: 0}
    came: dict[int, tuple[int, int]] = {}
    queue = [(0, 0)]
    done: set[int] = set()
    while queue:
        so_far, here = heapq.heappop(queue)
        if here in done:
            continue
        done.add(here)
        if here in targets:
            path = []
            while here:
                here, transition = came[here]
                path.append(names[transition])
            return tuple(reversed(path))
        if here >= space.n_expanded:
            continue
        for transition, there in space.edges_from(here):
            length = so_far + lengths[transition]
            if length < distance.get(there, length + 1):
                distance[there] = length
                came[there] = (here, transition)
                heapq.heappush(queue, (length, there))
    # A marking found by an expansion that did not finish has no known edge to it.
    number = next(n for n in range(space.n_markings) if n in targets)
    return space.path_to(number)


def nearest_deadlock(net: PetriNet, final: Marking | None, limits: Limits) -> Searched:
    """A search with stubborn sets of the net reduced by rules that keep all deadlocks and how near they are."""
    reduction = reduce(net, final, Keep.DEADLOCK, limits=limits)
    end = None if reduction.final is None else reduction.final.tokens
    # Where each firing stands for one, the first deadlock that is met is a nearest one.
    first = all(length == 1 for length in reduction.lengths.values())
    try:
        stubborn = StubbornSets(reduction.net, limits=limits)
    except (TooManyConflicts, OutOfTime):
        space = searched(reduction.net, limits)
        found = Found(space, [n for n in space.deadlock_numbers() if space.tokens[n] != end], deep=False)
        kind = SEARCH
    else:
        found = look_for(stubborn, lambda tokens: tokens != end, limits, every=not first)
        kind = DEEP if found.deep else BROAD
    space, dead = found.space, set(found.numbers)
    if not dead:
        return Searched(reduction, space, search=kind)
    if found.deep:
        path = reduction.lift(shortened(reduction.net, space.path_to(found.numbers[0])))
    else:
        path = reduction.lift(nearest_by_length(reduction, space, dead))
    witness = NetWitness.of(net, path)
    assert not net.enabled(witness.marking)
    shortest = not found.deep and (space.finished or (first and kind == BROAD))
    return Searched(reduction, space, witness, shortest=shortest, search=kind)
