"""Siphons and traps, and what they tell about deadlocks and liveness.

A siphon is a set of places such that whatever puts a token into it also takes one out: once empty, it stays empty.
A trap is the converse: once marked, it stays marked. Both are defined for nets with normal arcs of weight 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.errors import NotCovered
from wfsim.net.arcs import ArcKind
from wfsim.verification.nets.explore import searched
from wfsim.verification.nets.findings import after, sentence
from wfsim.verification.nets.limits import UNLIMITED, Limits
from wfsim.verification.nets.state_space import StateSpace
from wfsim.verification.nets.structure.classes import Sets, classify, neighbours
from wfsim.verification.nets.workflow_net import listed
from wfsim.verification.verdict import NetWitness, Status, Verdict

if TYPE_CHECKING:
    from wfsim.net.petri import PetriNet

EMPTYING = Limits(max_markings=10_000)
METHOD = "siphons and traps (Commoner's theorem)"


@dataclass(frozen=True)
class PlaceSets:
    """Minimal siphons or traps, each as places in the order of the net.

    `complete` tells whether these are all; if not, `reason` says why, and they need not be minimal.
    """

    sets: tuple[tuple[str, ...], ...]
    complete: bool = True
    reason: str = ""


def minimal_siphons(net: PetriNet, *, max_nodes: int = 50_000, limits: Limits = UNLIMITED) -> PlaceSets:
    """All minimal non-empty siphons, by branching on the place that a siphon lacks.

    Parameters
    ----------
    max_nodes, limits
        Nodes of the search, and its time; there can be exponentially many siphons.

    Raises
    ------
    NotCovered
        Where an arc is not normal or has a weight above 1.

    Examples
    --------
    >>> from wfsim.net.petri import PetriNet
    >>> arcs = [("p", "t"), ("t", "q"), ("q", "u"), ("u", "p")]
    >>> minimal_siphons(PetriNet("ring", ["p", "q"], ["t", "u"], arcs, {"p": 1})).sets
    (('p', 'q'),)
    """
    _check_ordinary(net)
    before, _, place_in, _ = neighbours(net)
    return _minimal_sets(net, place_in, before, max_nodes, limits)


def minimal_traps(net: PetriNet, *, max_nodes: int = 50_000) -> PlaceSets:
    """All minimal non-empty traps: the siphons of the net with its arcs turned around. See `minimal_siphons`."""
    _check_ordinary(net)
    _, fed, _, place_out = neighbours(net)
    return _minimal_sets(net, place_out, fed, max_nodes, UNLIMITED)


def largest_trap(net: PetriNet, places: tuple[str, ...]) -> tuple[str, ...]:
    """The largest trap within some places, perhaps empty; O(places x arcs)."""
    _check_ordinary(net)
    _, fed, _, place_out = neighbours(net)
    inside = set(places)
    changed = True
    while changed:
        leaks = {p for p in inside if any(fed[t].isdisjoint(inside) for t in place_out[p])}
        changed = bool(leaks)
        inside -= leaks
    return tuple(place for place in net.places if place in inside)


def liveness(net: PetriNet, *, max_nodes: int = 50_000, limits: Limits = EMPTYING) -> Verdict:
    """Whether from every reachable marking every transition can fire again some day, by Commoner's theorem [1]_.

    An extended free-choice net is live if and only if every minimal siphon holds a trap that is marked at the
    start. For other ordinary nets this condition only excludes deadlocks: then the verdict is `unknown`, and the
    reason says so.

    Parameters
    ----------
    max_nodes
        As in `minimal_siphons`.
    limits
        Of everything; the markings and the memory, of a search for a marking in which the siphon without a marked
        trap is empty, as a witness.

    References
    ----------
    .. [1] Desel, Esparza (1995), Free Choice Petri Nets, Cambridge University Press, chapter 4.
    """
    name = f"liveness of {net.name!r}"
    shape = classify(net)
    if not shape.ordinary:
        reason = "The theorem is about nets with normal arcs of weight 1 only. Ask the reachability graph instead."
        return Verdict(Status.UNKNOWN, name, reason, method=METHOD)
    found = minimal_siphons(net, max_nodes=max_nodes, limits=limits)
    *_, place_out = neighbours(net)
    bare = []
    for siphon in found.sets:
        limits.check("traps were looked for in siphons")
        trap = largest_trap(net, siphon)
        # A place without arcs is a siphon, but keeps nothing from firing.
        if place_out[siphon[0]] and not any(net.initial_marking[place] for place in trap):
            bare.append(siphon)
    bound = {"siphons": len(found.sets), "complete": found.complete}
    if not shape.extended_free_choice:
        reason = "The net is not free choice, so siphons and traps do not decide liveness."
        if found.complete and not bare and net.transitions:
            reason += " But each siphon holds a marked trap, so no reachable marking is a deadlock."
        return Verdict(Status.UNKNOWN, name, reason, bound=bound, method=METHOD)
    if bare:
        witness = _emptied(net, bare[0], limits)
        reason = f"The siphon {listed(bare[0])} holds no trap that is marked at the start."
        if witness is not None:
            reason += f" {sentence(after(witness))} it is empty, and will stay so."
        return Verdict(Status.VIOLATED, name, reason, witness, bound, method=METHOD)
    if not found.complete:
        return Verdict(Status.UNKNOWN, name, found.reason, bound=bound, method=METHOD)
    reason = f"Each of {len(found.sets)} minimal siphons holds a trap that is marked at the start."
    return Verdict(Status.HOLDS, name, reason, bound=bound, method=METHOD)


def _emptied(net: PetriNet, siphon: tuple[str, ...], limits: Limits) -> NetWitness | None:
    positions = [net.place_index(place) for place in siphon]
    found: list[int] = []

    def stop(space: StateSpace, number: int) -> str | None:
        if any(space.tokens[number][p] for p in positions):
            return None
        found.append(number)
        return "The siphon is empty."

    space = searched(net, limits, stop=stop)
    return NetWitness.of(net, space.path_to(found[0])) if found else None


def _check_ordinary(net: PetriNet) -> None:
    if any(arc.kind is not ArcKind.NORMAL or arc.weight != 1 for arc in net.arcs):
        raise NotCovered(
            f"siphons and traps of {net.name!r} are not looked for: it has arcs of weight above 1, or read, inhibitor "
            "or reset arcs."
        )


def _minimal_sets(net: PetriNet, feeds: Sets, wants: Sets, max_nodes: int, limits: Limits) -> PlaceSets:
    """Sets of places such that every transition of `feeds` of one of them has one of its `wants` among them."""
    position = {place: i for i, place in enumerate(net.places)}
    found: list[frozenset[str]] = []
    nodes = 0
    # Sets that hold a place before `seed` were found with that one.
    for seed, first in enumerate(net.places):
        todo = [(frozenset([first]), frozenset(net.places[:seed]))]
        while todo:
            inside, outside = todo.pop()
            nodes += 1
            if nodes > max_nodes or limits.late:
                reason = f"More than {max_nodes:,} nodes searched. Raise max_nodes."
                if nodes <= max_nodes:
                    reason = f"Stopped after {limits.max_seconds} s with {nodes:,} nodes searched. Raise max_seconds."
                return PlaceSets(_ordered(found, position), complete=False, reason=reason)
            if any(other <= inside for other in found):
                continue
            lacking = next(
                (
                    t
                    for p in sorted(inside, key=position.__getitem__)
                    for t in sorted(feeds[p])
                    if wants[t].isdisjoint(inside)
                ),
                None,
            )
            if lacking is None:
                found = [other for other in found if not inside <= other]
                found.append(inside)
                continue
            # One of them is the first that the set holds; then those before it are outside.
            choices = sorted(wants[lacking] - outside, key=position.__getitem__)
            for i in reversed(range(len(choices))):
                todo.append((inside | {choices[i]}, outside.union(choices[:i])))
    return PlaceSets(_ordered(found, position))


def _ordered(found: list[frozenset[str]], position: dict[str, int]) -> tuple[tuple[str, ...], ...]:
    sets = [tuple(sorted(each, key=position.__getitem__)) for each in found]
    return tuple(sorted(sets, key=lambda each: [position[place] for place in each]))
