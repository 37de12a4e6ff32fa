"""Symbolic values: all that an expression may be worth, as guarded cases over terms of a solver (M10).

Integers are mathematical integers with the bounds of 64 bits checked, numbers are IEEE doubles in the solver's theory
of floating point [1]_ (so a claim about rounding is exact), texts are sequences of code points. Of objects only
the number of parts is known, of lists also what `contents` counts.

References
----------
.. [1] Brain, Tinelli, Rümmer, Wahl (2015), An automatable formal semantics for IEEE-754 floating-point arithmetic,
   ARITH 22.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import z3

from wfsim.model.values import Value, kind_of
from wfsim.verification.workflows.conditions.contents import Contents, Known, joined
from wfsim.verification.workflows.conditions.literals import DOUBLE, double, number_of, text, text_of
from wfsim.verification.workflows.conditions.truths import Truth, both, chosen, either, opposite

LISTS = ("list", "object")


@dataclass(frozen=True, slots=True)
class Case:
    """One kind that a value may have, when it has it, and the value then (of lists and objects: how many parts).

    `contents` says what is in a list, where that is known or counted.
    """

    kind: str
    guard: Truth
    value: Any
    contents: Contents | None = None


@dataclass(frozen=True, slots=True)
class Term:
    """A value: it is raised as a fault, or null, or one of the cases; exactly one of these is true.

    `faults` says for each type of error when it is raised; they exclude each other and all else.
    """

    faults: Mapping[str, Truth] = field(default_factory=dict)
    null: Truth = False
    cases: tuple[Case, ...] = ()

    @property
    def fault(self) -> Truth:
        """Whether any fault is raised."""
        return either(*self.faults.values())

    def kind(self, name: str) -> Truth:
        """Whether it is a value of this kind."""
        return either(*(case.guard for case in self.cases if case.kind == name))

    def is_boolean(self, wanted: bool) -> Truth:
        """Whether it is true, or false."""
        return either(
            *(
                both(case.guard, case.value if wanted else opposite(case.value))
                for case in self.cases
                if case.kind == "boolean"
            )
        )


def is_counted(term: Term) -> bool:
    """Whether it is known what is in the lists that it may be."""
    return any(case.contents is not None for case in term.cases)


def constant(value: Value) -> Term:
    """The term of a known value; `NotTaken` for a text with signs that the solver does not have."""
    kind = kind_of(value)
    if kind == "null":
        return Term(null=True)
    if kind == "boolean":
        return Term(cases=(Case(kind, True, value),))
    if kind in LISTS:
        contents = Known(tuple(value)) if kind == "list" else None
        return Term(cases=(Case(kind, True, z3.IntVal(len(value)), contents),))
    given = z3.IntVal(value) if kind == "integer" else double(value) if kind == "number" else text(value)
    return Term(cases=(Case(kind, True, given),))


def of_length(kind: str, n: int) -> Term:
    """A list or an object of so many parts, of which nothing else is known."""
    return Term(cases=(Case(kind, True, z3.IntVal(n)),))


def raised(kind: str, when: Truth = True) -> dict[str, Truth]:
    """A fault, unless it is known not to be raised."""
    return {} if when is False else {kind: when}


def merged(*all_faults: Mapping[str, Truth]) -> dict[str, Truth]:
    """Faults of several: one is raised where any of them raises it."""
    found: dict[str, Truth] = {}
    for faults in all_faults:
        for kind, when in faults.items():
            when_any = either(found.get(kind, False), when)
            if when_any is not False:
                found[kind] = when_any
    return found


def restricted(faults: Mapping[str, Truth], when: Truth) -> dict[str, Truth]:
    """Faults, where `when` is true."""
    return {kind: both(given, when) for kind, given in faults.items()}


def in_order(operands: Sequence[Term]) -> tuple[dict[str, Truth], Truth]:
    """Faults of operands evaluated one after another, and when none of them raises one."""
    faults: dict[str, Truth] = {}
    fine: Truth = True
    for operand in operands:
        faults = merged(faults, restricted(operand.faults, fine))
        fine = both(fine, opposite(operand.fault))
    return faults, fine


def limited(term: Term, when: Truth) -> Term:
    """The term where `when` is true: elsewhere nothing of it is."""
    cases = tuple(replace(case, guard=both(case.guard, when)) for case in term.cases)
    return Term(restricted(term.faults, when), both(term.null, when), tuple(c for c in cases if c.guard is not False))


def alternatives(*terms: Term) -> Term:
    """One term of several, whose conditions exclude each other; cases of one kind become one."""
    faults = merged(*(term.faults for term in terms))
    by_kind: dict[str, Case] = {}
    for case in itertools.chain.from_iterable(term.cases for term in terms):
        before = by_kind.get(case.kind)
        if before is None:
            by_kind[case.kind] = case
        else:
            value = chosen(before.guard, before.value, case.value)
            if case.kind == "boolean":
                value = either(both(before.guard, before.value), both(opposite(before.guard), case.value))
            contents = joined(before.guard, before.contents, case.contents)
            by_kind[case.kind] = Case(case.kind, either(before.guard, case.guard), value, contents)
    return Term(faults, either(*(term.null for term in terms)), tuple(by_kind.values()))


def known_value(term: Term) -> tuple[Value] | None:
    """The value of a term that can have no other, as a tuple of one; None if it is not known, or a list or object."""
    if term.faults:
        return None
    if term.null is True and not term.cases:
        return (None,)
    if term.null is not False or len(term.cases) != 1 or term.cases[0].guard is not True:
        return None
    case = term.cases[0]
    if case.kind == "boolean":
        return (case.value,) if isinstance(case.value, bool) else None
    if case.kind == "integer" and z3.is_int_value(case.value):
        return (case.value.as_long(),)
    if case.kind == "number" and z3.is_fp_value(case.value):
        return (number_of(case.value),)
    return (text_of(case.value),) if case.kind == "string" and z3.is_string_value(case.value) else None


def fresh_double(name: str) -> Any:
    """An unknown number, of which `finite_double` is true."""
    return z3.FP(name, DOUBLE)


def finite_double(value: Any) -> tuple[Truth, ...]:
    """That it is finite, and not minus zero."""
    return (
        z3.Not(z3.fpIsNaN(value)),
        z3.Not(z3.fpIsInf(value)),
        z3.Not(z3.And(z3.fpIsZero(value), z3.fpIsNegative(value))),
    )
