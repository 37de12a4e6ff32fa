"""Soundness and freedom from deadlocks, asked of a reduced net and answered for the original one."""

from __future__ import annotations

import heapq
import time
from collections.abc import Container
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Unpack

from wfsim.verification.nets.dive import shortened
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.findings import (
    COMPLETES,
    PROPER,
    Finding,
    after,
    all_dead,
    dead_finding,
    dead_list,
    shown,
    stuck_with,
)
from wfsim.verification.nets.limits import SearchLimits
from wfsim.verification.nets.structure.reduction import Keep, Reduction, reduce
from wfsim.verification.nets.stubborn import StubbornSets, TooManyConflicts
from wfsim.verification.nets.stubborn_search import Found, look_for
from wfsim.verification.nets.unbounded import GrowthWatch
from wfsim.verification.nets.workflow_net import listed
from wfsim.verification.verdict import NetWitness

if TYPE_CHECKING:
    from wfsim.net.marking import Marking
    from wfsim.net.petri import PetriNet
    from wfsim.verification.nets.diagrams.space import SymbolicSpace
    from wfsim.verification.nets.state_space import StateSpace

DIRECT_WORK = 8_000
"""Firings tried on the net as it is, before it is reduced: small nets are searched whole, without detour."""


SOUNDNESS_FIRST = 20_000
"""Markings of the net reduced for soundness that are searched when deadlocks are asked for."""

PLAIN, BROAD, DEEP = (
    "explicit search",
    "explicit breadth-first search with stubborn sets",
    "explicit depth-first search with stubborn sets",
)

MAX_TRIES = 20
"""Deadlocks of a reduced net that are looked at for one that is a deadlock of the original net too."""


def told_method(reduction: Reduction, search: str, shortest: bool | None) -> str:
    """The method of a search of a net that may have been reduced; `shortest` tells about its trace, if there is one."""
    length = "" if shortest is None else "shortest" if shortest else "perhaps not shortest"
    if not reduction.rules:
        return f"{search}; trace {length}" if length else search
    trace = f"; trace mapped back to the original net and replayed there, {length}" if length else ""
    return f"structural reduction ({reduction}), then {search} of the reduced net{trace}"


def told_bound(space: StateSpace | SymbolicSpace, search: str) -> dict[str, Any]:
    """How far a search went; depth first, edges are not counted."""
    bound: dict[str, Any] = {"markings": space.n_markings}
    if search != DEEP:
        bound["edges"] = space.n_edges
    bound["complete"] = space.finished
    return bound if space.finished else {**bound, "stopped": space.reason}


@dataclass
class Searched:
    """The search of a reduced net."""

    reduction: Reduction
    space: StateSpace
    witness: NetWitness | None = None
    shortest: bool = True
    search: str = PLAIN

    @property
    def method(self) -> str:
        """Rules used, and how what was left was searched."""
        return told_method(self.reduction, self.search, None if self.witness is None else self.shortest)

    @property
    def bound(self) -> dict[str, Any]:
        """How far the search went."""
        return told_bound(self.space, self.search)

    @property
    def searched(self) -> str:
        """Which markings were searched, for a text."""
        count = f"{self.space.n_markings:,} marking{'' if self.space.n_markings == 1 else 's'}"
        which = f"{count} that stubborn sets leave" if self.search in (BROAD, DEEP) else f"{count} there are"
        return f"{which} of the net it reduces to" if self.reduction.rules else which

    @property
    def statistics(self) -> dict[str, Any]:
        """Sizes of the original net, markings expanded of the reduced one, and what the rules did."""
        told: dict[str, Any] = {
            "places": len(self.reduction.original.places),
            "transitions": len(self.reduction.original.transitions),
        }
        if self.search != DEEP:
            told["expanded"] = self.space.n_expanded
        return {**told, "reduced": self.reduction.to_dict()}


@dataclass
class Outcome(Searched):
    """What a search of a reduced net has found against soundness, in terms of the original one.

    `never_fired` are the original transitions not known to fire; `shortest` tells whether the first witness is
    known to be as short as any to such a marking.
    """

    final: Marking = field(kw_only=True)
    findings: list[Finding] = field(default_factory=list)
    never_fired: set[str] = field(default_factory=set)
    dead: list[dict[str, Any]] = field(default_factory=list)


def direct_markings(net: PetriNet) -> int:
    """How many markings to search of the net as it is before reducing it."""
    return max(32, DIRECT_WORK // max(1, len(net.transitions)))


def reduced_soundness(net: PetriNet, final: Marking, **limits: Unpack[SearchLimits]) -> Outcome | None:
    """Soundness by way of a reduced net; None if no rule applied, or the reduced net does not tell enough."""
    seconds = limits["max_seconds"]
    deadline = None if seconds is None else time.monotonic() + seconds
    for parts in (True, False):
        reduction = reduce(net, final, Keep.SOUNDNESS, parts=parts)
        if not reduction.rules:
            return None
        watch = GrowthWatch(reduction.net)
        limits["max_seconds"] = None if deadline is None else max(0.0, deadline - time.monotonic())
        space = explore(reduction.net, **limits, stop=watch)
        bounds = space.bounds
        if all(bounds[place] <= 1 for place in reduction.capped):
            return _soundness_outcome(reduction, final, space, watch)
    raise AssertionError("without parts there are no caps")


def _soundness_outcome(reduction: Reduction, final: Marking, space: StateSpace, watch: GrowthWatch) -> Outcome | None:
    net = reduction.original
    fired = set(reduction.net.transitions).difference(space.never_fired)
    never = set(net.transitions).difference(reduction.alive(fired))
    outcome = Outcome(reduction, space, final=final, never_fired=never)
    assert reduction.final is not None
    for finding in (_completion(outcome, reduction.final), _proper(outcome, reduction.final)):
        if finding is not None:
            outcome.findings.append(finding)
    if space.complete:
        certain = all_dead(net, never - reduction.undecided)
        if len(certain) != len(all_dead(net, never)):
            return None
        if certain:
            outcome.dead = dead_list(net, certain, None)
            outcome.findings.append(dead_finding(outcome.dead))
    if watch.found is not None:
        # With a cap this proves nothing: the place could exceed it later on.
        if reduction.capped:
            return None
        outcome.findings.append(_growth(outcome, watch))
    if outcome.findings and outcome.findings[0].clause == PROPER:
        outcome.shortest = False
    if outcome.findings:
        outcome.witness = outcome.findings[0].witness
    return outcome


def _completion(outcome: Outcome, final: Marking) -> Finding | None:
    """The nearest marking that leads nowhere, in firings of the original net; else the nearest of a livelock."""
    space, reduction, end = outcome.space, outcome.reduction, outcome.final
    goal = space.number_of(final)
    stuck = {number for number in range(space.n_expanded) if space.is_deadlock(number) and number != goal}
    targets: Container[int] = stuck
    if not stuck:
        if not space.complete:
            return None
        able = space.able_to_reach([] if goal is None else [goal])
        targets = {number for number, reaches in enumerate(able) if not reaches}
        if not targets:
            return None
    path = nearest_by_length(reduction, space, targets)
    witness = NetWitness.of(reduction.original, reduction.lift(path))
    if stuck and reduction.original.enabled(witness.marking):
        witness = _true_deadlock(reduction, space, stuck) or witness
    if not reduction.original.enabled(witness.marking):
        outcome.shortest = space.complete
        reason = f"{after(witness)} {stuck_with(reduction.original, witness.marking, end)}."
        return Finding(COMPLETES, reason, witness)
    if not space.complete:
        return None
    outcome.shortest = False
    loop = listed(reduction.original.enabled(witness.marking))
    return Finding(
        COMPLETES,
        f"{after(witness)}, with {shown(witness.marking)}, the net goes on for ever (livelock) and can never reach "
        f"{shown(end)}; it goes on with {loop}.",
        witness,
    )


def _true_deadlock(reduction: Reduction, space: StateSpace, stuck: set[int]) -> NetWitness | None:
    """The nearest deadlock where not even idle loops go on; only few are tried, as each is a search."""
    left = set(stuck)
    for _ in range(MAX_TRIES):
        if not left:
            return None
        path = nearest_by_length(reduction, space, left)
        witness = NetWitness.of(reduction.original, reduction.lift(path))
        if not reduction.original.enabled(witness.marking):
            return witness
        number = space.number_of(reduction.net.fire_sequence(path)[-1])
        assert number is not None
        left.discard(number)
    return None


def _proper(outcome: Outcome, final: Marking) -> Finding | None:
    """A marking that holds the final one and more; the first such on the way in the original net."""
    space, reduction = outcome.space, outcome.reduction
    targets = {n for n in range(space.n_markings) if space.marking(n).strictly_covers(final)}
    if not targets:
        return None
    net, goal = reduction.original, outcome.final
    path = reduction.lift(nearest_by_length(reduction, space, targets))
    passed = net.fire_sequence(path)
    first = next(i for i, marking in enumerate(passed) if marking.strictly_covers(goal))
    witness = NetWitness.of(net, path[:first])
    left = [p for p in net.places if witness.marking[p] > goal[p]]
    return Finding(
        PROPER, f"{after(witness)} the net has completed, but tokens are left over in {listed(left)}.", witness
    )


def _growth(outcome: Outcome, watch: GrowthWatch) -> Finding:
    reduction = outcome.reduction
    found = watch.witness(outcome.space)
    repeated = reduction.lift(found.repeatable)
    sequence = reduction.lift(found.firing_sequence)
    witness = NetWitness.of(reduction.original, sequence, repeated)
    before = reduction.original.fire_sequence(sequence[: len(sequence) - len(repeated)])[-1]
    assert witness.marking.strictly_covers(before)
    outcome.shortest = False
    growing = [p for p in reduction.original.places if witness.marking[p] > before[p]]
    return Finding(
        "boundedness",
        f"repeating {listed(repeated)} puts ever more tokens into {listed(growing)}. A sound net is bounded: if it "
        "could complete from the smaller marking, then from the larger one too, with tokens left over.",
        witness,
    )


def nearest_by_length(reduction: Reduction, space: StateSpace, targets: Container[int]) -> tuple[str, ...]:
    """The way in the reduced net to one of `targets` that takes the fewest firings of the original net [1]_.

    Only known edges are followed; a target found but not yet expanded is reached too.

    References
    ----------
    .. [1] Dijkstra (1959), Numerische Mathematik 1, 269-271.
    """
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


def reduced_deadlock(net: PetriNet, final: Marking | None, **limits: Unpack[SearchLimits]) -> Searched:
    """A search for deadlocks of a reduced net, with a nearest one in the original net where it is found in time.

    Where a final marking is known, the reduction that keeps soundness is tried first, as it goes further: a net that
    can always complete has no deadlock before, and a deadlock that keeps it from completing is one.
    """
    seconds = limits["max_seconds"]
    deadline = None if seconds is None else time.monotonic() + seconds
    if final is not None:
        few: SearchLimits = {**limits, "max_markings": min(limits["max_markings"], SOUNDNESS_FIRST)}
        sound = reduced_soundness(net, final, **few)
        if sound is not None and sound.space.complete:
            stuck = sound.witness
            if not any(finding.clause == COMPLETES for finding in sound.findings):
                return Searched(sound.reduction, sound.space)
            if stuck is not None and not net.enabled(stuck.marking):
                return Searched(sound.reduction, sound.space, stuck, sound.shortest)
        limits["max_seconds"] = None if deadline is None else max(0.0, deadline - time.monotonic())
    return nearest_deadlock(net, final, **limits)


def nearest_deadlock(net: PetriNet, final: Marking | None, **limits: Unpack[SearchLimits]) -> Searched:
    """A search with stubborn sets of the net reduced by rules that keep all deadlocks and how near they are."""
    reduction = reduce(net, final, Keep.DEADLOCK)
    end = None if reduction.final is None else reduction.final.tokens
    # Where each firing stands for one, the first deadlock that is met is a nearest one.
    first = all(length == 1 for length in reduction.lengths.values())
    try:
        stubborn = StubbornSets(reduction.net)
    except TooManyConflicts:
        space = explore(reduction.net, **limits)
        found = Found(space, [n for n in space.deadlock_numbers() if space.tokens[n] != end], deep=False)
        kind = PLAIN
    else:
        found = look_for(stubborn, lambda tokens: tokens != end, every=not first, **limits)
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
