"""The clauses of soundness, asked of a search that lists the markings of a net or of a reduced one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wfsim.verification.nets.explore import searched
from wfsim.verification.nets.findings import (
    PROPER,
    Finding,
    all_dead,
    dead_finding,
    dead_list,
    growth_finding,
    left_over_finding,
    livelock_finding,
    stuck_finding,
)
from wfsim.verification.nets.limits import Ended
from wfsim.verification.nets.reduced import Searched, nearest_by_length
from wfsim.verification.nets.structure.reduction import Keep, Reduction, reduce, unreduced
from wfsim.verification.nets.unbounded import GrowthWatch
from wfsim.verification.verdict import NetWitness

if TYPE_CHECKING:
    from wfsim.net.marking import Marking
    from wfsim.net.petri import PetriNet
    from wfsim.verification.nets.limits import Limits
    from wfsim.verification.nets.state_space import StateSpace

MAX_TRIES = 20
"""Deadlocks of a reduced net that are looked at for one that is a deadlock of the original net too."""


@dataclass
class Outcome(Searched):
    """What a search has found against soundness, in terms of the original net.

    `never_fired` are the original transitions not known to fire, `dead` those known not to.
    """

    final: Marking = field(kw_only=True)
    findings: list[Finding] = field(default_factory=list)
    never_fired: set[str] = field(default_factory=set)
    dead: list[dict[str, Any]] = field(default_factory=list)

    @property
    def settled(self) -> bool:
        """Whether soundness is decided, or the user has ended the search."""
        if self.reduction.rules and self.findings:
            return True
        # More clauses may fail beyond where the net as it is was searched, and nearer deadlocks be found.
        return self.space.ended in (Ended.FINISHED, Ended.STOPPED, Ended.INTERRUPTED)


def plain_soundness(net: PetriNet, final: Marking, limits: Limits) -> Outcome:
    """Soundness by a search of the net as it is."""
    watch = GrowthWatch(net, limits)
    space = searched(net, limits, stop=watch, wake=watch.wake)
    outcome = _outcome(unreduced(net, final), final, space, watch)
    assert outcome is not None, "nothing is left open where every transition stands for itself"
    return outcome


def reduced_soundness(net: PetriNet, final: Marking, limits: Limits) -> Outcome | None:
    """Soundness by way of a reduced net; None if no rule applied, or the reduced net does not tell enough."""
    for parts in (True, False):
        reduction = reduce(net, final, Keep.SOUNDNESS, parts=parts, limits=limits)
        if not reduction.rules:
            return None
        watch = GrowthWatch(reduction.net, limits)
        space = searched(reduction.net, limits, stop=watch)
        bounds = space.bounds
        if all(bounds[place] <= 1 for place in reduction.capped):
            return _outcome(reduction, final, space, watch)
    raise AssertionError("without parts there are no caps")


def _outcome(reduction: Reduction, final: Marking, space: StateSpace, watch: GrowthWatch) -> Outcome | None:
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
            outcome.dead = dead_list(net, certain, None if reduction.rules else space.bounds)
            outcome.findings.append(dead_finding(outcome.dead))
    if watch.found is not None:
        # With a cap this proves nothing: the place could exceed it later on.
        if reduction.capped:
            return None
        pump = watch.witness(space)
        sequence, repeated = reduction.lift(pump.firing_sequence), reduction.lift(pump.repeatable)
        clause, reason, witness = growth_finding(NetWitness.of(net, sequence, repeated))
        reason += (
            ". A sound net is bounded: if it could complete from the smaller marking, then from the larger one too, "
            "with tokens left over."
        )
        outcome.findings.append(Finding(clause, reason, witness))
        outcome.shortest = False
    if outcome.findings:
        outcome.witness = outcome.findings[0].witness
        if outcome.findings[0].clause == PROPER:
            outcome.shortest = False
    return outcome


def _completion(outcome: Outcome, final: Marking) -> Finding | None:
    """The nearest marking that leads nowhere, in firings of the original net; else the nearest of a livelock."""
    space, reduction, end = outcome.space, outcome.reduction, outcome.final
    goal = space.number_of(final)
    stuck = set(space.deadlock_numbers()) - {goal}
    targets = stuck
    if not stuck:
        if not space.complete:
            return None
        able = space.able_to_reach([] if goal is None else [goal])
        if able.find(0) < 0:
            return None
        targets = {number for number, reaches in enumerate(able) if not reaches}
    witness = NetWitness.of(reduction.original, reduction.lift(nearest_by_length(reduction, space, targets)))
    if stuck and reduction.original.enabled(witness.marking):
        witness = _true_deadlock(reduction, space, stuck) or witness
    if not reduction.original.enabled(witness.marking):
        outcome.shortest = space.complete
        return stuck_finding(witness, end)
    if not space.complete:
        return None
    outcome.shortest = False
    return livelock_finding(witness, end, None if reduction.rules else _fired_after(space, min(targets)))


def _fired_after(space: StateSpace, number: int) -> list[str]:
    reached, todo, fired = {number}, [number], set()
    while todo:
        for transition, target in space.edges_from(todo.pop()):
            fired.add(transition)
            if target not in reached:
                reached.add(target)
                todo.append(target)
    return [space.net.transitions[transition] for transition in sorted(fired)]


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
    nearest = space.first_covering(final.tokens)
    if nearest is None:
        return None
    targets = {nearest}
    if reduction.rules:
        targets = {n for n in range(space.n_markings) if space.marking(n).strictly_covers(final)}
    net, goal = reduction.original, outcome.final
    path = reduction.lift(nearest_by_length(reduction, space, targets))
    passed = net.fire_sequence(path)
    first = next(i for i, marking in enumerate(passed) if marking.strictly_covers(goal))
    return left_over_finding(NetWitness.of(net, path[:first]), goal)
