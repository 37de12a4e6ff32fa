"""Values that are not known, as their declarations admit them, and the values that the solver finds for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import z3

from wfsim.model.declared import FieldType
from wfsim.model.elements import Variable
from wfsim.model.shapes import Shape
from wfsim.model.values import (
    LARGEST_INTEGER,
    LARGEST_VALUE,
    SMALLEST_INTEGER,
    Value,
    ValueType,
)
from wfsim.verification.workflows.conditions.comparison import matches, order
from wfsim.verification.workflows.conditions.contents import Counted, can_be_added, counted
from wfsim.verification.workflows.conditions.literals import number_of, text_of
from wfsim.verification.workflows.conditions.looking import NOWHERE, Looks, classes, contained
from wfsim.verification.workflows.conditions.terms import Case, Term, constant, finite_double, fresh_double
from wfsim.verification.workflows.conditions.truths import Truth, both, either, opposite

ANYTHING = ("boolean", "integer", "number", "string", "list", "object")


@dataclass(frozen=True)
class Application:
    """A call with arguments of certain kinds: what it comes to, and when it is made.

    Attributes
    ----------
    arguments
        One case for each, `null` among the kinds.
    given
        Their values, but for those that are null.
    raises
        Whether the function fails (`Expression.function`).
    value
        What it gives otherwise.
    """

    function: str
    arguments: tuple[Case, ...]
    given: tuple[Any, ...]
    raises: Any
    value: Term


class Symbols:
    """Unknown values by name.

    Attributes
    ----------
    terms
        The term of each.
    known
        What is true of them: types, limits, listed values.
    atoms
        The unknowns of the solver that they are made of.
    applications
        Calls of functions in Python, by function and arguments.

    Parameters
    ----------
    asked
        What is asked of lists: so far it is known what is in those of declared items.
    """

    def __init__(self, asked: Looks = NOWHERE) -> None:
        self.asked = asked
        self.terms: dict[str, Term] = {}
        self.known: list[Truth] = []
        self.atoms: list[Any] = []
        self.applications: dict[tuple[Any, ...], Application] = {}

    def of_variable(self, name: str, variable: Variable, *, null: bool) -> Term:
        """A variable's value as it is kept (`wfsim.model.evaluate.fit`), or null where that is possible."""
        return self.of_shape(name, variable.shape, null=null)

    def of_field(self, name: str, declared: FieldType | None) -> Term:
        """A payload field; without a declaration it may be anything, or missing."""
        if declared is None:
            return self._of(name, ANYTHING, True)
        return self.of_shape(name, declared.shape, null=declared.optional)

    def of_shape(self, name: str, shape: Shape, *, null: bool) -> Term:
        """A value of a declared type, or null where that is possible; its pattern is left to the door."""
        if name in self.terms:
            return self.terms[name]
        term = self._of(name, kinds_of(shape.kind), null, shape.items)
        self.known += _limits(term, shape)
        return term

    def admit(self, term: Term, shape: Shape) -> None:
        """Say of a value that it is what such a type admits, as it is kept."""
        for case in term.cases:
            self.known += _of_kind(case.kind, case.value)
        self.known += _limits(term, shape)

    def part(self, name: str) -> Term:
        """The value of a part of an expression of which nothing is known."""
        return self._of(name, ANYTHING, True)

    def flag(self, name: str) -> Truth:
        """A truth that is not known."""
        return self._atom(z3.Bool(name))

    def one_of(self, name: str, n: int) -> list[Truth]:
        """So many truths, of which one holds at most."""
        which = self._atom(z3.Int(name))
        return [which == k for k in range(n)]

    def _of(self, name: str, kinds: tuple[str, ...], null: bool, items: Shape | None = None) -> Term:
        if name in self.terms:
            return self.terms[name]
        cases: list[Case] = []
        missing: Truth = False
        if len(kinds) == 1:
            missing = self._atom(z3.Bool(f"{name} is null")) if null else False
            guards: list[Truth] = [opposite(missing)]
        else:
            tag = self._atom(z3.Int(f"kind of {name}"))
            guards = [tag == k for k in range(len(kinds))]
            missing = tag == len(kinds) if null else False
            self.known.append(z3.And(tag >= 0, tag <= (len(kinds) if null else len(kinds) - 1)))
        for kind, guard in zip(kinds, guards):
            value = self._value(f"{name} as {kind}", kind)
            contents = self._contents(f"{name} as {kind}", value, items) if kind == "list" else None
            cases.append(Case(kind, guard, value, contents))
        self.terms[name] = Term({}, missing, tuple(cases))
        return self.terms[name]

    def _atom(self, atom: Any) -> Any:
        self.atoms.append(atom)
        return atom

    def _value(self, name: str, kind: str) -> Any:
        if kind == "boolean":
            return self._atom(z3.Bool(name))
        value = fresh_double(name) if kind == "number" else z3.String(name) if kind == "string" else z3.Int(name)
        self._atom(value)
        self.known += _of_kind(kind, value)
        return value

    def _contents(self, name: str, length: Any, items: Shape | None) -> Counted | None:
        """What is in a list of so many items of a type, as far as that is asked."""
        found = classes(items, self.asked)
        if found is None:
            return None
        kind, told_apart = found
        asked = self.asked
        total = asked.sums and can_be_added(told_apart)
        contents = counted(name, kind, told_apart, asked.first, asked.last, total=total, atom=self._atom)
        self.known += contents.facts(length)
        return contents

    def values(self, model: z3.ModelRef) -> dict[str, Value]:
        """The values in a model, by name; parts of expressions are left out, and their names have a space."""
        return {name: value_of(term, model) for name, term in self.terms.items() if "." in name and " " not in name}


def _limits(term: Term, shape: Shape) -> list[Truth]:
    """Limits and listed values of a type."""
    found: list[Truth] = []
    for case in term.cases:
        for limit, operator in zip(shape.bounds, (">=", "<=")):
            if limit is not None and case.kind in ("integer", "number"):
                fits = order(operator, case, constant(limit).cases[0])
                assert fits is not None
                found.append(either(opposite(case.guard), fits))
    if shape.values is not None:
        allowed = [constant(value).cases[0] for value in shape.values]
        fits_one = [both(case.guard, matches(case, each, False)) for case in term.cases for each in allowed]
        found.append(either(term.null, *fits_one))
    return found


def admitted(term: Term, shape: Shape) -> tuple[list[Truth], bool]:
    """What is true of a value that another type admits as well, and whether that is all that this type says."""
    kinds = kinds_of(shape.kind)
    found = _limits(term, shape)
    if not (shape.optional or shape.kind is ValueType.ANY):
        found.append(opposite(term.null))
    found += [opposite(case.guard) for case in term.cases if case.kind not in kinds]
    told = shape.pattern is None
    for case in term.cases:
        contents = case.contents
        if isinstance(contents, Counted) and shape.items is not None:
            same = contents.kind in kinds_of(shape.items.kind)
            within = [contained(each, shape.items) if same else None for each in contents.classes]
            counts = zip(contents.counts, within, strict=True)
            found += [either(opposite(case.guard), count == 0) for count, inside in counts if inside is False]
            told &= None not in within
    return found, told


def value_of(term: Term, model: z3.ModelRef) -> Value:
    """The value of a term in a model; of a list, where its items are not known, so many nulls; of an object as well."""

    def holds(part: Truth) -> bool:
        return part if isinstance(part, bool) else z3.is_true(model.eval(part, model_completion=True))

    if holds(term.null):
        return None
    case = next(case for case in term.cases if holds(case.guard))
    if isinstance(case.value, bool):
        return case.value
    if case.contents is not None:
        return case.contents.listed(partial(_known, model))
    return plain_value(case.kind, model.eval(case.value, model_completion=True))


def _known(model: z3.ModelRef, kind: str, part: Any) -> Value:
    return plain_value(kind, model.eval(part, model_completion=True))


def plain_value(kind: str, found: Any) -> Value:
    """The value of a known term of a kind; of a list, so many nulls; of an object, so many fields with null."""
    if kind == "boolean":
        return z3.is_true(found)
    if kind == "number":
        return number_of(found)
    if kind == "string":
        return text_of(found)
    n: int = found.as_long()
    if kind == "integer":
        return n
    return [None] * n if kind == "list" else {f"field {k + 1}": None for k in range(n)}


def _of_kind(kind: str, value: Any) -> list[Truth]:
    """What is true of every value of a kind."""
    if kind == "number":
        return list(finite_double(value))
    if kind in ("boolean", "string"):
        # That a text has a longest length is left to the door: with it the solver takes a hundred times longer.
        return []
    low, high = (SMALLEST_INTEGER, LARGEST_INTEGER) if kind == "integer" else (0, LARGEST_VALUE - 1)
    return [z3.And(value >= low, value <= high)]


def kinds_of(kind: ValueType) -> tuple[str, ...]:
    """The kinds of the values of a type as they are inside, where times are integers (M6.5)."""
    if kind is ValueType.TIMESTAMP:
        return ("integer",)
    return ANYTHING if kind is ValueType.ANY else (kind.value,)
