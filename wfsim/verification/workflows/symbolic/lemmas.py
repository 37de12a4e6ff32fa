"""What always holds of the places at a location, found by taking away from guesses what is not so.

Guessed are bounds of integers and of lengths of lists, and that places keep values. Houdini [1]_: all guesses are
assumed everywhere; an arrow after which one of them may be false takes it away there; when none is taken away any more,
those that are left hold in every run, by induction on its length.

References
----------
.. [1] Flanagan, Leino (2001), Houdini, an annotation assistant for ESC/Java, FME, LNCS 2021, 500-517.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import z3

from wfsim.verification.nets.limits import Limits
from wfsim.verification.workflows.conditions.contents import as_counted, equal
from wfsim.verification.workflows.conditions.terms import Case, Term
from wfsim.verification.workflows.conditions.truths import Truth, both, either, opposite
from wfsim.verification.workflows.symbolic.admission import keeps
from wfsim.verification.workflows.symbolic.clock import PLACE
from wfsim.verification.workflows.symbolic.dues import DUE
from wfsim.verification.workflows.symbolic.solving import solved
from wfsim.verification.workflows.symbolic.system import REFUTED, Arrow, System

MOST_BOUNDS = 24
"""Constants that variables are guessed to stay above or below."""
LENGTH = " length"
"""Behind the name of a place: how long its list is."""


class Guess(Protocol):
    """Something about places."""

    def fact(self, terms: Mapping[str, Term]) -> Truth:
        """What it says of terms in these places."""
        ...


@dataclass(frozen=True)
class NotNull:
    """That a place is not null."""

    place: str

    def fact(self, terms: Mapping[str, Term]) -> Truth:
        """What it says of terms in these places."""
        return opposite(terms[self.place].null)


@dataclass(frozen=True)
class AtLeast:
    """That an integer is at least, or with `most` at most, a constant; where there is none, nothing."""

    place: str
    bound: int
    most: bool = False

    def fact(self, terms: Mapping[str, Term]) -> Truth:
        """What it says of terms in these places."""
        values = ((case.guard, case.value) for case in terms[self.place].cases if case.kind == "integer")
        low_and_high = ((guard, (value, self.bound) if self.most else (self.bound, value)) for guard, value in values)
        return both(*(either(opposite(guard), _at_most(*ends)) for guard, ends in low_and_high))


@dataclass(frozen=True)
class Below:
    """That an integer is at most another one, or `by` less; where one of them is none, nothing."""

    place: str
    other: str
    by: int = 0

    def fact(self, terms: Mapping[str, Term]) -> Truth:
        """What it says of terms in these places."""
        pairs = itertools.product(terms[self.place].cases, terms[self.other].cases)
        whole = [(a, b) for a, b in pairs if a.kind == b.kind == "integer"]
        return both(*(either(opposite(both(a.guard, b.guard)), _at_most(a.value + self.by, b.value)) for a, b in whole))


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


def _at_most(low: Any, high: Any) -> Truth:
    """Whether one integer is at most another; known if both are."""
    known = [each if isinstance(each, int) else each.as_long() for each in (low, high) if _is_known(each)]
    return known[0] <= known[1] if len(known) == 2 else low <= high


def _is_known(whole: Any) -> bool:
    return isinstance(whole, int) or bool(z3.is_int_value(whole))


def stays(place: str, term: Term, value: Term) -> list[Stays]:
    """The guess that a place holds a known value, as far as the term of the place tells; none where that is unclear."""
    contents = next((case.contents for case in term.cases if case.kind == "list"), None)
    cases = tuple(replace(case, contents=as_counted(case.contents, contents)) for case in value.cases)
    unclear = contents is not None and any(case.kind == "list" and case.contents is None for case in cases)
    return [] if unclear else [Stays(place, replace(value, cases=cases))]


def quantities(places: Mapping[str, Term]) -> dict[str, Term]:
    """The places, and beside each how long its list is."""
    found = dict(places)
    for name, term in places.items():
        lists = tuple(Case("integer", case.guard, case.value) for case in term.cases if case.kind == "list")
        found[name + LENGTH] = Term(cases=lists)
    return found


class Lemmas:
    """The guesses about a system, and those that are left; what was taken away stays away when it is gone on with.

    Parameters
    ----------
    constants
        What quantities may be bounded by.
    held
        Values that places may keep.
    """

    def __init__(self, system: System, constants: Iterable[int], held: Mapping[str, Term]) -> None:
        self.system = system
        self.places = quantities(system.space.places.terms)
        self.left = self._guesses([*constants][:MOST_BOUNDS], held)
        self._leaving: dict[int, list[int]] = {}
        for k, arrow in enumerate(system.arrows):
            self._leaving.setdefault(arrow.source, []).append(k)
        self._waiting = dict.fromkeys(k for k, arrow in enumerate(system.arrows) if arrow.target != REFUTED)
        self._solver = z3.Solver()
        self._solver.add(*system.space.symbols.known)
        self._said: dict[int, Truth] = {}

    def _guesses(self, bounds: Sequence[int], held: Mapping[str, Term]) -> dict[int, list[Guess]]:
        whole = [
            name
            for name, term in self.places.items()
            if name.startswith(("@cell", PLACE, DUE)) and term.kind("integer") is not False
        ]
        clock = self.system.space.clock
        lengths = {} if clock is None else clock.dues.lengths
        found: dict[int, list[Guess]] = {}
        for arrow in self.system.arrows:
            writes = arrow.move.writes
            if arrow.target == REFUTED or arrow.target in found:
                continue
            here = [name for name in whole if name.removesuffix(LENGTH) in writes]
            guesses: list[Guess] = [
                AtLeast(name, bound, most)
                for name in here
                for most in (False, True)
                for bound in bounds
                if bound > 0 or (bound == 0 and most) or not name.endswith(LENGTH)
            ]
            guesses += [NotNull(name) for name in writes if self.places[name].null is not False]
            guesses += [Below(one, other) for one, other in itertools.permutations(here, 2)]
            guesses += [
                Below(name, due, by) for due in here for name in here if due != name for by in lengths.get(due, ())
            ]
            for name in held.keys() & writes.keys():
                guesses += stays(name, self.places[name], held[name])
            found[arrow.target] = guesses
        return found

    def found(self, limits: Limits) -> dict[int, Truth]:
        """For each location what always holds there; nothing where the time was too short to know."""
        while self._waiting:
            if limits.late:
                return {}
            k = next(iter(self._waiting))
            arrow = self.system.arrows[k]
            before = len(self.left[arrow.target])
            if not self._try(arrow, limits):
                return {}
            del self._waiting[k]
            if len(self.left[arrow.target]) < before:
                following = self._leaving.get(arrow.target, ())
                self._waiting |= dict.fromkeys(j for j in following if self.system.arrows[j].target != REFUTED)
        return {location: both(*map(self._of_places, guesses)) for location, guesses in self.left.items()}

    @property
    def lasting(self) -> dict[int, Truth]:
        """What of it stays true while time passes: nothing that the clock would have to stay below."""
        return {
            location: both(*(self._of_places(each) for each in guesses if not _limits_clock(each)))
            for location, guesses in self.left.items()
        }

    def _of_places(self, guess: Guess) -> Truth:
        # Guesses are made once, so each keeps its number.
        if id(guess) not in self._said:
            self._said[id(guess)] = guess.fact(self.places)
        return self._said[id(guess)]

    def _try(self, arrow: Arrow, limits: Limits) -> bool:
        """Take away what may be false after an arrow, if all that is left holds before; False if time was up."""
        assumed = both(arrow.guard, *map(self._of_places, self.left.get(arrow.source, ())))
        after = quantities(arrow.move.writes)
        facts = [(guess, guess.fact(after)) for guess in self.left[arrow.target]]
        while True:
            claim = both(assumed, either(*(opposite(fact) for _, fact in facts)))
            if claim is False:
                break
            self._solver.push()
            self._solver.add(claim)
            status = solved(self._solver, limits)
            model = self._solver.model() if status == z3.sat else None
            self._solver.pop()
            if status == z3.unsat:
                break
            if status == z3.unknown and limits.late:
                return False
            left = [] if model is None else [(guess, fact) for guess, fact in facts if _true(model, fact)]
            # A model in which nothing is false is none; nothing is known then.
            facts = left if len(left) < len(facts) else []
        self.left[arrow.target] = [guess for guess, _ in facts]
        return True


def _limits_clock(guess: Guess) -> bool:
    return (isinstance(guess, Below | Stays) or (isinstance(guess, AtLeast) and guess.most)) and guess.place == PLACE


def _true(model: z3.ModelRef, fact: Truth) -> bool:
    return fact if isinstance(fact, bool) else bool(z3.is_true(model.eval(fact, model_completion=True)))
