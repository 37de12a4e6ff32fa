"""Whether a marking of which a formula is true can be reached, or a deadlock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from wfsim.verification.nets.answer import BROAD, DEEP, Answer
from wfsim.verification.nets.clauses import reduced_soundness
from wfsim.verification.nets.dive import shortened
from wfsim.verification.nets.explore import searched
from wfsim.verification.nets.findings import COMPLETES, NO_FAIRNESS
from wfsim.verification.nets.formulas import (
    Constant,
    Deadlock,
    Formula,
    Linear,
    Or,
    Plain,
    alternatives,
    places_of,
    plain,
)
from wfsim.verification.nets.limits import Limits, OutOfTime
from wfsim.verification.nets.looks import Look, Scan
from wfsim.verification.nets.marking_tests import marking_test
from wfsim.verification.nets.net_search import NOW_AND_THEN, UNITS_ASSUMED, WALK, NetSearch, Settled
from wfsim.verification.nets.reduced import Searched, nearest_deadlock
from wfsim.verification.nets.sources import pumped_to
from wfsim.verification.nets.structure.farkas import Refutation, refuted
from wfsim.verification.nets.structure.reduction import Keep, Reduction, reduce, unreduced
from wfsim.verification.nets.stubborn import StubbornSets, TooManyConflicts
from wfsim.verification.nets.stubborn_search import look_for
from wfsim.verification.verdict import NetWitness

if TYPE_CHECKING:
    from wfsim.net.marking import Marking
    from wfsim.net.petri import PetriNet
    from wfsim.verification.nets.state_space import StateSpace

EQUATION = "marking equation (linear programme, certificate checked with integers)"
Looking = TypeVar("Looking", bound=Look)
MAX_ALTERNATIVES = 24
"""Sets of inequalities that a formula may come down to, each with a linear programme of its own."""

SOUNDNESS_FIRST = 20_000
"""Markings of the net reduced for soundness that are searched when deadlocks are asked for."""


def find(search: NetSearch, formula: Formula) -> Answer:
    """Look for a reachable marking of which a formula about one marking is true.

    Notes
    -----
    First the nearest markings, then what net transitions that need nothing can bring about, then the marking equation
    with Farkas' lemma for each of the alternatives that the formula comes down to, then a search with stubborn sets of
    the net reduced by rules that keep what its places can hold together (deadlocks: by those that keep deadlocks), in
    turn with decision diagrams of a 1-safe net; at the limits, random walks. Traces are shortest unless `method` says
    that they perhaps are not.
    """
    net = search.net
    if isinstance(formula, Deadlock):
        return find_deadlock(search, None)
    wanted = plain(formula, net)
    if isinstance(wanted, Constant):
        witness = NetWitness.of(net, ()) if wanted.value else None
        return Answer(wanted.value, "No marking at all can be such.", witness, method="the formula itself")
    near = Scan(net, wanted).look(search.small)
    if near is not None or search.exhausted:
        return _seen(search.small, near)
    proof = pumped_to(net, wanted) or _impossible(search, wanted)
    if proof is not None:
        return proof
    answer = _settled(
        search.settle(
            lambda limits: _sought(search, wanted, limits),
            lambda answer: answer.settled,
            lambda answers: Answer.of_diagrams(answers, answers.space.where(wanted)),
        )
    )
    if not answer.settled:
        test = marking_test(wanted, net)
        sequence = search.walk(lambda tokens, firings: test(tokens))
        if sequence is not None:
            return answer.after_walk(NetWitness.of(net, sequence), WALK)
    return answer


def find_deadlock(search: NetSearch, final: Marking | None) -> Answer:
    """Look for a reachable marking other than the final one that enables nothing."""
    net, end = search.net, None if final is None else final.tokens
    near = next((n for n in search.small.deadlock_numbers() if search.small.tokens[n] != end), None)
    if near is not None or search.exhausted:
        return _seen(search.small, near)

    answer = _settled(
        search.settle(
            lambda limits: reduced_deadlock(net, final, limits).answer(),
            lambda answer: answer.settled,
            lambda answers: Answer.of_diagrams(answers, answers.stuck(final)),
        )
    )
    if not answer.settled:
        sequence = search.walk(lambda tokens, firings: not firings and tokens != end)
        if sequence is not None:
            return answer.after_walk(NetWitness.of(net, sequence), WALK)
    return answer


def reduced_deadlock(net: PetriNet, final: Marking | None, limits: Limits) -> Searched:
    """A search for deadlocks of a reduced net, with a nearest one in the original net where it is found in time.

    Where a final marking is known, the reduction that keeps soundness is tried first, as it goes further: a net that
    can always complete has no deadlock before, and a deadlock that keeps it from completing is one.
    """
    sound = None if final is None else reduced_soundness(net, final, limits.fewer(SOUNDNESS_FIRST))
    if sound is not None and sound.space.complete:
        if not any(finding.clause == COMPLETES for finding in sound.findings):
            return Searched(sound.reduction, sound.space)
        if sound.witness is not None and not net.enabled(sound.witness.marking):
            return Searched(sound.reduction, sound.space, sound.witness, sound.shortest)
    return nearest_deadlock(net, final, limits)


def _settled(both: Settled[Answer, Answer]) -> Answer:
    found = both.found
    interrupted = found.interrupted or both.interrupted
    return both.answered or replace(found, reason=f"{found.reason}{both.told}", interrupted=interrupted)


def _seen(space: StateSpace, number: int | None) -> Answer:
    """What is known of the net as it is."""
    witness = None if number is None else NetWitness.of(space.net, space.path_to(number))
    return Searched(unreduced(space.net, None), space, witness).answer()


def _sought(search: NetSearch, wanted: Plain, limits: Limits) -> Answer:
    """By a search with stubborn sets of the reduced net."""
    net = search.net
    for parts in (True, False):
        reduction = reduce(net, keep=Keep.REACHABILITY, places=places_of(wanted), parts=parts, limits=limits)
        # That a capped place holds two tokens is sought as well: without, the reduction is right.
        over = [Linear(((place, -1),), -2) for place in reduction.capped]
        try:
            stubborn = StubbornSets(reduction.net, Or((wanted, *over)), limits)
        except (TooManyConflicts, OutOfTime):
            return _without_stubborn_sets(search, wanted, limits)
        found = look_for(stubborn, lambda tokens: True, limits)
        bounds = found.space.bounds
        if all(bounds[place] <= 1 for place in reduction.capped):
            break
    witness = None
    if found.numbers:
        path = found.space.path_to(found.numbers[0])
        if found.deep:
            path = shortened(reduction.net, path)
        witness = NetWitness.of(net, _cut(net, reduction.lift(path), wanted))
    shortest = not reduction.rules and not found.deep
    return Searched(reduction, found.space, witness, shortest, DEEP if found.deep else BROAD).answer()


def _without_stubborn_sets(search: NetSearch, wanted: Plain, limits: Limits) -> Answer:
    reduced = search_reduced(search, places_of(wanted), lambda small: Scan(small, wanted), limits)
    if reduced is None:
        scan = Scan(search.net, wanted)
        space = search.whole(scan, limits=limits)
        return _seen(space, scan.look(space))
    reduction, space, looked = reduced
    witness = None if looked.found is None else of_reduced(reduction, space, looked.found, wanted)
    return Searched(reduction, space, witness, shortest=False).answer()


def _impossible(search: NetSearch, wanted: Plain) -> Answer | None:
    """A proof by the marking equation, for each alternative, that none can be reached."""
    choices = alternatives(wanted, MAX_ALTERNATIVES)
    if choices is None:
        return None
    proofs: list[Refutation] = []
    trusted = False
    for inequalities in choices:
        proof = refuted(search.net, inequalities, search.limits)
        if proof is None and search.assumed:
            proof, trusted = refuted(search.net, [*inequalities, *search.assumed], search.limits), True
        if proof is None:
            return None
        proofs.append(proof)
    told = str(proofs[0]) if len(proofs) == 1 else f"each of {len(proofs)} alternatives is ruled out: {proofs[0]}; …"
    certificates = [dict(proof.weights) for proof in proofs]
    return Answer(
        False,
        f"Out of reach: {told}.",
        method=EQUATION,
        statistics={"certificate": certificates[0]} if len(proofs) == 1 else {"certificates": certificates},
        assumptions=(NO_FAIRNESS, UNITS_ASSUMED) if trusted else (NO_FAIRNESS,),
    )


def search_reduced(
    search: NetSearch, places: Iterable[str], look: Callable[[PetriNet], Looking], limits: Limits
) -> tuple[Reduction, StateSpace, Looking] | None:
    """Search the net reduced by rules that keep what these places can hold together; None if no rule applied.

    Parameters
    ----------
    look
        What to look for, made for the reduced net.

    Returns
    -------
    Reduction, StateSpace, Look
        How the net was reduced, what was searched, and what was looked for.
    """
    kept = tuple(places)
    for parts in (True, False):
        reduction = reduce(search.net, keep=Keep.REACHABILITY, places=kept, parts=parts, limits=limits)
        if not reduction.rules:
            return None
        looking = look(reduction.net)
        space = searched(reduction.net, limits, stop=looking, wake=NOW_AND_THEN)
        looking.look(space)
        bounds = space.bounds
        if all(bounds[place] <= 1 for place in reduction.capped):
            return reduction, space, looking
    raise AssertionError("without parts there are no caps")


def of_reduced(reduction: Reduction, space: StateSpace, number: int, wanted: Plain) -> NetWitness:
    """The way in the net as given to a marking found in the reduced one, of which the formula is true."""
    net = reduction.original
    return NetWitness.of(net, _cut(net, reduction.lift(space.path_to(number)), wanted))


def _cut(net: PetriNet, sequence: tuple[str, ...], wanted: Plain) -> tuple[str, ...]:
    """The sequence up to the first marking of which the formula is true."""
    test = marking_test(wanted, net)
    if test(net.initial_marking.tokens):
        return ()
    for i, (_, here) in enumerate(net.walk(sequence), start=1):
        if test(here):
            return sequence[:i]
    raise AssertionError("the trace of the reduced net does not lead where it should")
