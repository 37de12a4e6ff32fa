"""Symbolic values compared: equal, in order, and contained in others, as `wfsim.model.evaluate` compares known ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import z3

from wfsim.model.values import NULL, TYPE
from wfsim.verification.workflows.conditions.literals import double, number_of
from wfsim.verification.workflows.conditions.terms import LISTS, Case, Term, in_order, merged, raised
from wfsim.verification.workflows.conditions.truths import Truth, both, either, opposite


def same(first: Case, second: Case, contents: Truth) -> Truth | None:
    """Whether two values are equal; None where they are of kinds that are not compared.

    Of two lists, or objects, it is known only that they are not if one has more parts, and that they are if neither has
    any; else `contents` tells.
    """
    if first.kind == second.kind and first.kind in LISTS:
        return both(_plain("==", first.value, second.value), either(_plain("==", first.value, z3.IntVal(0)), contents))
    if first.kind == second.kind == "boolean":
        return either(
            both(first.value, second.value),
            both(opposite(first.value), opposite(second.value)),
        )
    return order("==", first, second)


def matches(first: Case, second: Case, contents: Truth) -> Truth:
    """Whether they are equal, where values of kinds that are not compared do not match."""
    found = same(first, second, contents)
    return False if found is None else found


def order(operator: str, first: Case, second: Case) -> Truth | None:
    """`== < <= > >=` of integers and numbers, exactly, or of texts; None for anything else."""
    kinds = (first.kind, second.kind)
    if kinds == ("number", "number"):
        return _ORDER_OF_NUMBERS[operator](first.value, second.value)
    if kinds in (("integer", "integer"), ("string", "string")):
        return _plain(operator, first.value, second.value)
    if kinds == ("integer", "number"):
        return _mixed(operator, first.value, second.value)
    if kinds == ("number", "integer"):
        return _mixed(_TURNED[operator], second.value, first.value)
    return None


_ORDER_OF_NUMBERS = {"==": z3.fpEQ, "<": z3.fpLT, "<=": z3.fpLEQ, ">": z3.fpGT, ">=": z3.fpGEQ}
_TURNED = {"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _plain(operator: str, a: Any, b: Any) -> Truth:
    if operator == "==":
        found = a == b
    elif operator in ("<", "<="):
        found = a < b if operator == "<" else a <= b
    else:
        found = b < a if operator == ">" else b <= a
    found = z3.simplify(found)
    return True if z3.is_true(found) else False if z3.is_false(found) else found


def _mixed(operator: str, whole: Any, real: Any) -> Truth:
    """An integer and a number; where one of them is known, in the terms of the other alone."""
    if z3.is_fp_value(real):
        return _plain(operator, whole, _exactly(real))
    if z3.is_int_value(whole):
        return _beside_integer(operator, whole.as_long(), real)
    return _plain(operator, z3.ToReal(whole), z3.fpToReal(real))


def _exactly(real: Any) -> Any:
    """A known number as a rational number."""
    exact = Fraction(number_of(real))
    return z3.Q(exact.numerator, exact.denominator) if exact.denominator != 1 else z3.IntVal(exact.numerator)


def _beside_integer(operator: str, whole: int, real: Any) -> Truth:
    """`whole op real` for an integer that is known: the doubles next to it decide."""
    near = float(whole)
    if near == whole:
        return _ORDER_OF_NUMBERS[operator](double(near), real)
    if operator == "==":
        return False
    above = near if near > whole else math.nextafter(near, math.inf)
    return z3.fpGEQ(real, double(above)) if operator in ("<", "<=") else z3.fpLT(real, double(above))


def compare(operator: str, left: Term, right: Term, contents: Truth) -> Term:
    """`== != < <= > >=`; `contents` stands for what two lists, or two objects, have in them being the same."""
    faults, fine = in_order([left, right])
    if operator in ("==", "!="):
        return _equality(operator == "==", faults, fine, left, right, contents)
    null = both(fine, either(left.null, right.null))
    wrong: list[Truth] = []
    holds: list[Truth] = []
    for first, second in itertools.product(left.cases, right.cases):
        when = both(fine, first.guard, second.guard)
        found = order(operator, first, second)
        (wrong if found is None else holds).append(when if found is None else both(when, found))
    all_faults = merged(faults, raised(NULL, null), raised(TYPE, either(*wrong)))
    guard = opposite(either(*all_faults.values()))
    return Term(all_faults, False, (Case("boolean", guard, either(*holds)),))


def _equality(wanted: bool, faults: dict[str, Truth], fine: Truth, left: Term, right: Term, contents: Truth) -> Term:
    holds = [both(fine, left.null, right.null)]
    wrong: list[Truth] = []
    for first, second in itertools.product(left.cases, right.cases):
        when = both(fine, first.guard, second.guard)
        found = same(first, second, contents)
        (wrong if found is None else holds).append(when if found is None else both(when, found))
    all_faults = merged(faults, raised(TYPE, either(*wrong)))
    guard = opposite(either(*all_faults.values()))
    equal = either(*holds)
    return Term(all_faults, False, (Case("boolean", guard, equal if wanted else opposite(equal)),))


def contained(wanted: bool, value: Term, items: Sequence[Term], contents: Truth) -> Term:
    """`in` and `not in` for a list written out: some element equals the value; other kinds do not match."""
    faults, fine = in_order([value, *items])
    holds: list[Truth] = []
    for item in items:
        holds.append(both(value.null, item.null))
        for first, second in itertools.product(value.cases, item.cases):
            holds.append(both(first.guard, second.guard, matches(first, second, contents)))
    found = either(*holds)
    return Term(faults, False, (Case("boolean", fine, found if wanted else opposite(found)),))


def contained_somewhere(wanted: bool, value: Term, container: Term, contents: Truth) -> Term:
    """`in` and `not in` for any other list: `contents` stands for the value being in it, if there is anything in it."""
    faults, fine = in_order([value, container])
    wrong = both(fine, opposite(container.null), opposite(container.kind("list")))
    all_faults = merged(faults, raised(NULL, both(fine, container.null)), raised(TYPE, wrong))
    guard = opposite(either(*all_faults.values()))
    found = either(
        *(both(case.guard, case.value > 0, contents) for case in container.cases if case.kind == "list"),
    )
    return Term(all_faults, False, (Case("boolean", guard, found if wanted else opposite(found)),))
