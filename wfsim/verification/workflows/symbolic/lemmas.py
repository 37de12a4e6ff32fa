"""Bounds of variables that hold whenever a location is reached, found by taking away from guesses what is not so.

Houdini [1]_: all guesses are assumed everywhere; an arrow after which one of them may be false takes it away there;
when none is taken away any more, those that are left hold in every run, by induction on its length.

References
----------
.. [1] Flanagan, Leino (2001), Houdini, an annotation assistant for ESC/Java, FME, LNCS 2021, 500-517.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import z3

from wfsim.verification.nets.limits import Limits
from wfsim.verification.workflows.conditions.comparison import order
from wfsim.verification.workflows.conditions.contents import as_counted, equal
from wfsim.verification.workflows.conditions.terms import Case, Term, constant
from wfsim.verification.workflows.conditions.truths import Truth, both, either, opposite
from wfsim.verification.workflows.symbolic.admission import keeps
from wfsim.verification.workflows.symbolic.solving import solved
from wfsim.verification.workflows.symbolic.system import REFUTED, System

MOST_BOUNDS = 24
"""Constants that variables are guessed to stay above or below."""


@dataclass(frozen=True)
class Guess:
    """That a place is not null; at most or at least a constant; or at most another place. Of quantities only."""

    place: str
    operator: str = ""
    bound: int | str = 0

    def fact(self, terms: Mapping[str, Term]) -> Truth:
        """What it says of terms; a place that is null has no bound."""
        term = terms[self.place]
        if not self.operator:
            return opposite(term.null)
        other = terms[self.bound] if isinstance(self.bound, str) else constant(self.bound)
        pairs = [(a, b) for a in term.cases for b in other.cases if a.kind == b.kind == "integer"]
        facts = (either(opposite(both(a.guard, b.guard)), _order(self.operator, a, b)) for a, b in pairs)
        return both(*facts)


@dataclass(frozen=True)
class Stays:
    """That a place holds a value that was there at first."""

    place: str
    value: Term

    def fact(self, terms: Mapping[str, Term]) -> Truth:
        """What it says of terms; nothing is the same of which that is not known."""
        term = terms[self.place]
        counted = [case.contents for case in self.value.cases if case.contents is not None]
        lists = [case.contents for case in term.cases if case.kind == "list"]
        if any(equal(one, other) is None for one in lists for other in counted):
            return False
        return keeps(term, self.value)


def stays(place: str, term: Term, value: Term) -> list[Stays]:
    """The guess that a place holds a known value, as far as the term of the place tells; none where that is unclear."""
    contents = next((case.contents for case in term.cases if case.kind == "list"), None)
    cases = tuple(replace(case, contents=as_counted(case.contents, contents)) for case in value.cases)
    unclear = contents is not None and any(case.kind == "list" and case.contents is None for case in cases)
    return [] if unclear else [Stays(place, replace(value, cases=cases))]


LENGTH = " length"
"""Behind the name of a place: how long its list is."""


def quantities(places: Mapping[str, Term]) -> dict[str, Term]:
    """The places, and beside those that may be lists how long these are."""
    found = dict(places)
    for name, term in places.items():
        lists = tuple(Case("integer", case.guard, case.value) for case in term.cases if case.kind == "list")
        found[name + LENGTH] = Term(cases=lists)
    return found


def _order(operator: str, first: Case, second: Case) -> Truth:
    found = order(operator, first, second)
    assert found is not None
    return found


def lemmas(system: System, constants: Iterable[int], held: Mapping[str, Term], limits: Limits) -> dict[int, Truth]:
    """For each location what always holds there of its places; nothing where the time was too short.

    `held` are values that places may keep.
    """
    places = quantities(system.space.places.terms)
    bounds = list(constants)[:MOST_BOUNDS]
    whole = [name for name, term in places.items() if name.startswith("@cell") and term.kind("integer") is not False]
    left: dict[int, list[Guess | Stays]] = {}
    for arrow in system.arrows:
        if arrow.target == REFUTED or arrow.target in left:
            continue
        here = [name for name in whole if name.removesuffix(LENGTH) in arrow.move.writes]
        guesses: list[Guess | Stays]
        guesses = [Guess(name, operator, bound) for name in here for operator in (">=", "<=") for bound in bounds]
        guesses += [Guess(name) for name in here if places[name].null is not False]
        guesses += [Guess(one, "<=", other) for one, other in itertools.permutations(here, 2)]
        for name in held.keys() & arrow.move.writes.keys():
            guesses += stays(name, places[name], held[name])
        left[arrow.target] = guesses
    leaving: dict[int, list[int]] = {}
    for k, arrow in enumerate(system.arrows):
        leaving.setdefault(arrow.source, []).append(k)
    waiting = dict.fromkeys(k for k, arrow in enumerate(system.arrows) if arrow.target != REFUTED)
    solver = z3.Solver()
    solver.add(*system.space.symbols.known)
    while waiting:
        if limits.late:
            return {}
        k = next(iter(waiting))
        del waiting[k]
        arrow = system.arrows[k]
        before = len(left[arrow.target])
        assumed = both(arrow.guard, *(guess.fact(places) for guess in left.get(arrow.source, ())))
        left[arrow.target] = _kept(solver, assumed, left[arrow.target], quantities(arrow.move.writes), limits)
        if len(left[arrow.target]) < before:
            waiting |= dict.fromkeys(j for j in leaving.get(arrow.target, ()) if system.arrows[j].target != REFUTED)
    return {location: both(*(guess.fact(places) for guess in guesses)) for location, guesses in left.items()}


def _kept(
    solver: z3.Solver, assumed: Truth, guesses: list[Guess | Stays], after: Mapping[str, Term], limits: Limits
) -> list[Guess | Stays]:
    """The guesses that hold after an arrow, if the assumed holds before."""
    while True:
        facts = [(guess, guess.fact(after)) for guess in guesses]
        broken = either(*(opposite(fact) for _, fact in facts))
        claim = both(assumed, broken)
        if claim is False:
            return guesses
        solver.push()
        solver.add(claim)
        status = solved(solver, limits)
        model = solver.model() if status == z3.sat else None
        solver.pop()
        if status == z3.unsat:
            return guesses
        if model is None:
            return []
        left = [guess for guess, fact in facts if fact is True or (fact is not False and _true(model, fact))]
        if len(left) == len(guesses):
            # The solver's model is not one after all; nothing is known then.
            return []
        guesses = left


def _true(model: z3.ModelRef, fact: z3.BoolRef) -> bool:
    return bool(z3.is_true(model.eval(fact, model_completion=True)))
