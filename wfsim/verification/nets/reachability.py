"""Whether a marking of which a formula is true can be reached: structure first, then a reduced net, then search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from wfsim.errors import SearchIncomplete
from wfsim.verification.nets.diagrams.answers import Answers
from wfsim.verification.nets.dive import shortened
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.findings import NO_FAIRNESS, after
from wfsim.verification.nets.formulas import (
    And,
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
from wfsim.verification.nets.limits import DEFAULT_MEMORY
from wfsim.verification.nets.marking_tests import marking_test
from wfsim.verification.nets.net_search import SEARCH, UNITS_ASSUMED, WALK, Look, NetSearch, Scan, walk
from wfsim.verification.nets.reduced import BROAD, DEEP, PLAIN, nearest_deadlock, told_bound, told_method
from wfsim.verification.nets.state_space import StateSpace, Wake, advised
from wfsim.verification.nets.structure.farkas import Refutation, refuted
from wfsim.verification.nets.structure.reduction import Keep, Reduction, reduce
from wfsim.verification.nets.stubborn import StubbornSets, TooManyConflicts
from wfsim.verification.nets.stubborn_search import look_for
from wfsim.verification.verdict import NetWitness, Status, Verdict

if TYPE_CHECKING:
    from wfsim.net.petri import PetriNet
    from wfsim.verification.nets.diagrams.space import SymbolicSpace

EQUATION = "marking equation (linear programme, certificate checked with integers)"
Looking = TypeVar("Looking", bound=Look)
MAX_ALTERNATIVES = 24
"""Sets of inequalities that a formula may come down to, each with a linear programme of its own."""


@dataclass(frozen=True)
class Answer:
    """Whether a marking can be reached of which something is true: yes, no, or not known.

    `reason` tells why not, or what stopped the search; `witness` leads to such a marking; `interrupted` says that the
    user has ended the search.
    """

    found: bool | None
    reason: str = ""
    witness: NetWitness | None = None
    bound: Mapping[str, Any] = field(default_factory=dict)
    method: str = SEARCH
    statistics: Mapping[str, Any] = field(default_factory=dict)
    assumptions: tuple[str, ...] = (NO_FAIRNESS,)
    interrupted: bool = False


def find(search: NetSearch, formula: Formula) -> Answer:
    """Look for a reachable marking of which a formula about one marking is true.

    Notes
    -----
    First the nearest markings, then the marking equation with Farkas' lemma for each of the alternatives that the
    formula comes down to, then a search with stubborn sets of the net reduced by rules that keep what its places can
    hold together (deadlocks: by those that keep deadlocks); at the limits, decision diagrams of a 1-safe net, and
    random walks. Traces are shortest unless `method` says that they perhaps are not.
    """
    net = search.net
    wanted = plain(formula, net)
    if isinstance(wanted, Constant):
        witness = NetWitness.of(net, ()) if wanted.value else None
        return Answer(wanted.value, "No marking at all can be such.", witness, method="the formula itself")
    answer = _found(search, formula, wanted)
    if answer.found is None and not answer.interrupted:
        answer = _by_diagrams(search, wanted, answer)
    if answer.found is None:
        test = marking_test(wanted, net)
        sequence = walk(search, lambda tokens, firings: test(tokens))
        if sequence is not None:
            return replace(answer, found=True, reason="", witness=NetWitness.of(net, sequence), method=WALK)
    return answer


def _found(search: NetSearch, formula: Formula, wanted: Plain) -> Answer:
    net = search.net
    scan = Scan(net, wanted)
    near = scan.look(search.small)
    if near is not None or search.exhausted:
        return _searched(search.small, near)
    if not isinstance(formula, Deadlock):
        proof = _impossible(search, wanted)
        if proof is not None:
            return proof
        return _sought(search, wanted)
    found = nearest_deadlock(net, None, **search.limits(search.deadline()))
    return _told(found.space, found.witness, found.method, found.statistics, found.search)


def _sought(search: NetSearch, wanted: Plain) -> Answer:
    """By a search with stubborn sets of the reduced net."""
    net, deadline = search.net, search.deadline()
    for parts in (True, False):
        reduction = reduce(net, keep=Keep.REACHABILITY, places=places_of(wanted), parts=parts)
        # That a capped place holds two tokens is sought as well: without, the reduction is right.
        over = [Linear(((place, -1),), -2) for place in reduction.capped]
        try:
            stubborn = StubbornSets(reduction.net, Or((wanted, *over)))
        except TooManyConflicts:
            return _without_stubborn_sets(search, wanted)
        found = look_for(stubborn, lambda tokens: True, **search.limits(deadline))
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
    kind = DEEP if found.deep else BROAD
    method = told_method(reduction, kind, None if witness is None else shortest)
    statistics = {"reduced": reduction.to_dict()} if reduction.rules else {}
    return _told(found.space, witness, method, statistics, kind)


def _without_stubborn_sets(search: NetSearch, wanted: Plain) -> Answer:
    net = search.net
    reduced = search_reduced(search, places_of(wanted), lambda small: Scan(small, wanted))
    if reduced is None:
        return _searched(*search.first(wanted))
    reduction, space, looked = reduced
    witness = None if looked.found is None else of_reduced(net, reduction, space, looked.found, wanted)
    method = told_method(reduction, PLAIN, None if witness is None else False)
    return _told(space, witness, method, {"reduced": reduction.to_dict()})


def _by_diagrams(search: NetSearch, wanted: Plain, answer: Answer) -> Answer:
    """The answer from all reachable markings at once; or the one given, with why there is none."""
    tried = search.symbolic
    if tried.space is None:
        return replace(answer, reason=f"{answer.reason}{tried.told}")
    answers = Answers(tried.space, search.deadline())
    try:
        found = tried.space.where(wanted)
        witness = answers.trace_to(found) if found else None
    except SearchIncomplete as problem:
        return replace(answer, reason=f"{answer.reason} Decision diagrams: {problem}")
    return _told(tried.space, witness, answers.method, answers.statistics)


def _searched(space: StateSpace, number: int | None) -> Answer:
    witness = None if number is None else NetWitness.of(space.net, space.path_to(number))
    return _told(space, witness, SEARCH, {})


def _told(
    space: StateSpace | SymbolicSpace,
    witness: NetWitness | None,
    method: str,
    statistics: Mapping[str, Any],
    kind: str = PLAIN,
) -> Answer:
    bound = told_bound(space, kind)
    if witness is not None:
        return Answer(True, "", witness, bound, method, statistics)
    if space.finished:
        count = f"{space.n_markings:,} marking{'' if space.n_markings == 1 else 's'}"
        which = " that stubborn sets leave" if kind in (BROAD, DEEP) else ""
        reduced = " of the reduced net" if "reduced" in statistics else ""
        return Answer(False, f"None of {count}{which}{reduced} is such.", None, bound, method, statistics)
    return Answer(None, advised(space.reason), None, bound, method, statistics, interrupted=space.interrupted)


def _impossible(search: NetSearch, wanted: Plain) -> Answer | None:
    """A proof by the marking equation, for each alternative, that none can be reached."""
    choices = alternatives(wanted, MAX_ALTERNATIVES)
    if choices is None:
        return None
    proofs: list[Refutation] = []
    trusted = False
    for inequalities in choices:
        proof = refuted(search.net, inequalities)
        if proof is None and search.assumed:
            proof, trusted = refuted(search.net, [*inequalities, *search.assumed]), True
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
    search: NetSearch, places: Iterable[str], look: Callable[[PetriNet], Looking]
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
    kept, deadline = tuple(places), search.deadline()
    for parts in (True, False):
        reduction = reduce(search.net, keep=Keep.REACHABILITY, places=kept, parts=parts)
        if not reduction.rules:
            return None
        looking = look(reduction.net)
        space = explore(reduction.net, **search.limits(deadline), stop=looking, wake=Wake(now_and_then=True))
        looking.look(space)
        bounds = space.bounds
        if all(bounds[place] <= 1 for place in reduction.capped):
            return reduction, space, looking
    raise AssertionError("without parts there are no caps")


def of_reduced(net: PetriNet, reduction: Reduction, space: StateSpace, number: int, wanted: Plain) -> NetWitness:
    """The way in the net as given to a marking found in the reduced one, of which the formula is true."""
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


def reachable(
    net: PetriNet,
    tokens: Mapping[str, int],
    *,
    exactly: bool = False,
    max_markings: int = 1_000_000,
    max_seconds: float | None = None,
    max_memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> Verdict:
    """Whether some reachable marking holds at least so many tokens in each of the places named.

    Parameters
    ----------
    tokens
        Places and how many tokens they have to hold together; nothing is asked of places left out.
    exactly
        Ask for exactly so many, in these places.
    max_markings, max_seconds, max_memory, progress
        As in `wfsim.verification.nets.explore.explore`.

    Returns
    -------
    Verdict
        `holds` with a firing sequence as its witness; `violated` if there is none, by a complete search or by a
        certificate of the marking equation; `unknown` if a limit was reached. `find` says how it is sought.

    Raises
    ------
    UnknownNode
        If a place does not exist.

    Examples
    --------
    >>> from wfsim.net.petri import PetriNet
    >>> net = PetriNet("mail", ["draft", "sent"], ["send"], [("draft", "send"), ("send", "sent")], {"draft": 2})
    >>> reachable(net, {"sent": 2}).witness.firing_sequence
    ('send', 'send')
    """
    net.marking(tokens)
    wanted = [Linear(((place, -1),), -count) for place, count in tokens.items()]
    if exactly:
        wanted += [Linear(((place, 1),), count) for place, count in tokens.items()]
    name = f"{dict(tokens)} can be reached in {net.name!r}, {'exactly' if exactly else 'or more'}"
    search = NetSearch(
        net, max_markings=max_markings, max_seconds=max_seconds, max_memory=max_memory, progress=progress
    )
    answer = find(search, And(tuple(wanted)))
    reason = answer.reason
    if answer.witness is not None:
        told = after(answer.witness)
        reason = f"{told[0].upper()}{told[1:]} the places hold what was asked."
    status = {True: Status.HOLDS, False: Status.VIOLATED, None: Status.UNKNOWN}[answer.found]
    return Verdict(
        status,
        name,
        reason,
        answer.witness,
        answer.bound,
        answer.assumptions,
        answer.method,
        answer.statistics,
    )
