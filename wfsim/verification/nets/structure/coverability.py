"""The coverability tree of Karp and Miller: which places can grow without bound, and the loop that pumps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from wfsim.errors import NotCovered
from wfsim.net.firing import FiringRule
from wfsim.verification.nets.limits import UNLIMITED, Limits
from wfsim.verification.nets.unbounded import growth_is_provable
from wfsim.verification.verdict import NetWitness

if TYPE_CHECKING:
    from wfsim.net.petri import PetriNet

Extended = tuple[float, ...]
"""Tokens of each place, where `inf` stands for as many as wanted."""
Loops = list[tuple[int, frozenset[int]]]
MAX_PUMPED = 100_000
"""Firings of the longest witness that is tried."""


@dataclass(frozen=True)
class Pump:
    """A place that grows without bound, and what makes it grow.

    Attributes
    ----------
    place
        Its name.
    loop
        Net transitions that, fired one after another, put more tokens into it.
    lowers
        Places from which the loop takes tokens, so that they have to be pumped first; each is unbounded itself. Where
        there is none, the loop can be repeated for ever.
    witness
        A firing sequence that ends with the loop, fired once.
    """

    place: str
    loop: tuple[str, ...]
    lowers: tuple[str, ...]
    witness: NetWitness


@dataclass(frozen=True)
class Coverability:
    """What the tree tells.

    Attributes
    ----------
    bounds
        Most tokens in each place, `inf` for those that grow without bound; lower limits if not `complete`.
    pumps
        For each unbounded place a way to pump it.
    n_nodes
        Nodes of the tree.
    complete, reason
        Whether the tree was finished; if not, which limit was reached. An unbounded place is one in any case.
    """

    bounds: Mapping[str, float]
    pumps: tuple[Pump, ...]
    n_nodes: int
    complete: bool
    reason: str = ""

    @property
    def unbounded(self) -> tuple[str, ...]:
        """The places that grow without bound, in the order of the net."""
        return tuple(place for place, bound in self.bounds.items() if bound == inf)


@dataclass(slots=True)
class _Node:
    marking: Extended
    parent: int
    transition: int
    loops: Loops
    """Ancestors that the marking strictly covered when it was found, and the places that grow between."""


def coverability(net: PetriNet, *, max_nodes: int = 20_000, limits: Limits = UNLIMITED) -> Coverability:
    """Which places are bounded, by how much, and what makes the others grow.

    Parameters
    ----------
    max_nodes, limits
        The tree can be huge; beyond, or when the time is over, the answer is incomplete.

    Raises
    ------
    NotCovered
        With inhibitor or reset arcs, for which covering proves nothing.

    Notes
    -----
    Karp and Miller's tree [1]_, a marking not expanded where an equal one was. Each ω is backed by a loop that is
    fired on the net itself before it is handed out.

    References
    ----------
    .. [1] Karp, Miller (1969), Journal of Computer and System Sciences 3(2), 147-195.

    Examples
    --------
    >>> from wfsim.net.petri import PetriNet
    >>> arcs = [("ready", "make"), ("make", "ready"), ("make", "store")]
    >>> found = coverability(PetriNet("mill", ["ready", "store"], ["make"], arcs, {"ready": 1}))
    >>> found.unbounded, found.pumps[0].loop
    (('store',), ('make',))
    """
    if not growth_is_provable(net):
        raise NotCovered(
            f"coverability of {net.name!r} is not decided: it has inhibitor or reset arcs, with which a marking that "
            "covers another may enable less. Ask explore(net) with a limit."
        )
    nodes = [_Node(tuple(map(float, net.initial_marking.tokens)), -1, -1, [])]
    seen = {nodes[0].marking}
    first: dict[int, int] = {}
    reason = ""
    at = 0
    while at < len(nodes) and not reason:
        if limits.late:
            reason = f"Stopped after {limits.max_seconds} s with {len(nodes):,} nodes. Raise max_seconds."
            break
        for t, rule in enumerate(net.rules):
            after = _fired(nodes[at].marking, rule)
            if after is None:
                continue
            marking, loops = _accelerated(nodes, at, after)
            for p, count in enumerate(marking):
                if count == inf and nodes[at].marking[p] != inf:
                    first.setdefault(p, len(nodes))
            if marking in seen:
                continue
            if len(nodes) >= max_nodes:
                reason = f"Stopped after {max_nodes:,} nodes. Raise max_nodes."
                break
            seen.add(marking)
            nodes.append(_Node(marking, at, t, loops))
        at += 1
    first = {p: number for p, number in first.items() if number < len(nodes)}
    highest = [max(column) for column in zip(*(node.marking for node in nodes))]
    bounds = {place: count if count == inf else int(count) for place, count in zip(net.places, highest)}
    pumps = tuple(pump for p in sorted(first) if (pump := _pump(net, nodes, first[p], p)) is not None)
    return Coverability(bounds, pumps, len(nodes), not reason, reason)


def _fired(marking: Extended, rule: FiringRule) -> Extended | None:
    if any(marking[place] < weight for place, weight in rule.needs):
        return None
    after = list(marking)
    for place, change in rule.changes:
        after[place] += change
    return tuple(after)


def _accelerated(nodes: list[_Node], parent: int, marking: Extended) -> tuple[Extended, Loops]:
    """Put ω where the marking strictly covers one on its way, until nothing changes."""
    loops: Loops = []
    again = True
    while again:
        again = False
        at = parent
        while at >= 0:
            earlier = nodes[at].marking
            if all(a >= b for a, b in zip(marking, earlier)):
                grows = frozenset(p for p, (a, b) in enumerate(zip(marking, earlier)) if a > b and a != inf)
                if grows:
                    marking = tuple(inf if p in grows else count for p, count in enumerate(marking))
                    loops.append((at, grows))
                    again = True
            at = nodes[at].parent
    return marking, loops


def _pump(net: PetriNet, nodes: list[_Node], number: int, place: int) -> Pump | None:
    """A firing sequence that shows it, with earlier loops repeated as often as later ones need."""
    ancestor = next(at for at, grows in nodes[number].loops if place in grows)
    endless = {net.places[p] for p, count in enumerate(nodes[ancestor].marking) if count == inf}
    times = 1
    while True:
        way = _way(nodes, ancestor, times)
        loop = _between(nodes, ancestor, number)
        if len(way) + len(loop) > MAX_PUMPED:
            return None
        sequence = [net.transitions[t] for t in (*way, *loop)]
        pump = _checked(net, sequence, len(way), net.places[place], endless)
        if pump is not None:
            return pump
        times *= 2


def _between(nodes: list[_Node], ancestor: int, number: int) -> list[int]:
    part = []
    while number != ancestor:
        part.append(nodes[number].transition)
        number = nodes[number].parent
    return part[::-1]


def _way(nodes: list[_Node], number: int, times: int) -> list[int]:
    """The transitions to a node, each loop on the way repeated: the earlier the more often."""
    line = []
    at = number
    while at >= 0:
        line.append(at)
        at = nodes[at].parent
    line.reverse()
    accelerated = [n for n in line if nodes[n].loops]
    way: list[int] = []
    for n in line:
        if nodes[n].transition >= 0:
            way.append(nodes[n].transition)
        if nodes[n].loops:
            repeats = times ** (len(accelerated) - accelerated.index(n))
            for ancestor, _ in nodes[n].loops:
                way += _between(nodes, ancestor, n) * repeats
            if len(way) > MAX_PUMPED:
                return way
    return way


def _checked(net: PetriNet, sequence: list[str], before: int, place: str, endless: set[str]) -> Pump | None:
    """The pump, if it can be fired, and its loop raises the place and lowers only what is endless."""
    marking = net.initial_marking
    earlier = marking
    for i, transition in enumerate(sequence):
        if i == before:
            earlier = marking
        if not net.is_enabled(marking, transition):
            return None
        marking = net.fire(marking, transition)
    lowers = tuple(p for p in net.places if marking[p] < earlier[p])
    if before == len(sequence) or marking[place] <= earlier[place] or not endless.issuperset(lowers):
        return None
    loop = tuple(sequence[before:])
    return Pump(place, loop, lowers, NetWitness.of(net, sequence, () if lowers else loop))
