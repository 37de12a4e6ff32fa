"""What operations make of symbolic values: the twin of `wfsim.model.evaluate` for values that are not known (M10).

Each function here does case by case what its namesake does there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import z3

from wfsim.model.values import (
    DIVISION,
    EXACT_INTEGER,
    LARGEST_INTEGER,
    LONGEST_STRING_VALUE,
    NULL,
    OVERFLOW,
    SMALLEST_INTEGER,
    TYPE,
    Value,
)
from wfsim.verification.workflows.conditions.comparison import order
from wfsim.verification.workflows.conditions.literals import NotTaken, double, text
from wfsim.verification.workflows.conditions.terms import (
    LISTS,
    Case,
    Term,
    alternatives,
    in_order,
    limited,
    merged,
    raised,
    restricted,
)
from wfsim.verification.workflows.conditions.truths import Truth, both, chosen, either, opposite

MOST_CASES = 1_000
"""Operands of `min` and `max` are of one kind each as a rule; where each may be of any, their combinations multiply."""

_ROUND = z3.RNE()


def needed_boolean(term: Term) -> Term:
    """The term where it is a boolean; else a fault, as `need_boolean` raises it."""
    other = both(opposite(term.fault), opposite(term.null), opposite(term.kind("boolean")))
    faults = merged(term.faults, raised(NULL, term.null), raised(TYPE, other))
    return Term(faults, False, tuple(case for case in term.cases if case.kind == "boolean"))


def logic(word: str, operands: Sequence[Term]) -> Term:
    """`and` or `or`: each operand is evaluated only while none has decided."""
    decides = word == "or"
    faults: dict[str, Truth] = {}
    going: Truth = True
    decided: Truth = False
    for operand in map(needed_boolean, operands):
        faults = merged(faults, restricted(operand.faults, going))
        decided = either(decided, both(going, operand.is_boolean(decides)))
        going = both(going, operand.is_boolean(not decides))
    guard = opposite(either(*faults.values()))
    return Term(faults, False, (Case("boolean", guard, decided if decides else opposite(decided)),))


def negation(term: Term) -> Term:
    """`not`."""
    fitted = needed_boolean(term)
    cases = tuple(Case("boolean", case.guard, opposite(case.value)) for case in fitted.cases)
    return Term(fitted.faults, False, cases)


def conditional(test: Term, then: Term, otherwise: Term) -> Term:
    """`then if test else otherwise`."""
    decided = needed_boolean(test)
    return alternatives(
        Term(decided.faults), limited(then, decided.is_boolean(True)), limited(otherwise, decided.is_boolean(False))
    )


def minus(term: Term) -> Term:
    """Unary minus."""
    results = [Term(term.faults), Term(raised(NULL, term.null))]
    for case in term.cases:
        if case.kind == "integer":
            results.append(_whole(case.guard, -case.value))
        elif case.kind == "number":
            results.append(Term(cases=(Case("number", case.guard, z3.fpNeg(case.value)),)))
        else:
            results.append(Term(raised(TYPE, case.guard)))
    return alternatives(*results)


def _whole(when: Truth, value: Any) -> Term:
    """An integer, if it has 64 bits."""
    fits = z3.And(value >= SMALLEST_INTEGER, value <= LARGEST_INTEGER)
    return Term(raised(OVERFLOW, both(when, opposite(fits))), False, (Case("integer", both(when, fits), value),))


def _finite(when: Truth, value: Any) -> Term:
    """A number, if it is finite. Operations on finite numbers give infinity, never what is no number."""
    fits = z3.Not(z3.fpIsInf(value))
    return Term(raised(OVERFLOW, both(when, opposite(fits))), False, (Case("number", both(when, fits), value),))


def arithmetic(operator: str, left: Term, right: Term, literals: tuple[Value, Value] = (None, None)) -> Term:
    """`+ - * / // %`; `literals` are the values of operands that are written out, else None."""
    faults, fine = in_order([left, right])
    null = both(fine, either(left.null, right.null))
    results = [Term(merged(faults, raised(NULL, null)))]
    for first, second in itertools.product(left.cases, right.cases):
        when = both(fine, first.guard, second.guard)
        if when is False:
            continue
        a, b = _beside(first, second, literals)
        if a.kind == b.kind == "integer" and operator != "/":
            results.append(_integers(operator, when, a.value, b.value))
        elif a.kind == b.kind == "number" and operator not in ("//", "%"):
            results.append(_numbers(operator, when, a.value, b.value))
        elif a.kind == b.kind == "string" and operator == "+":
            results.append(_joined_texts(when, a.value, b.value))
        else:
            results.append(Term(raised(TYPE, when)))
    return alternatives(*results)


def _beside(first: Case, second: Case, literals: tuple[Value, Value]) -> tuple[Case, Case]:
    """An integer literal beside a number is read as a number literal."""
    return _as_number(first, literals[0], second.kind), _as_number(second, literals[1], first.kind)


def _as_number(case: Case, literal: Value, other: str) -> Case:
    if other != "number" or case.kind != "integer" or literal is None or abs(literal) > EXACT_INTEGER:
        return case
    return Case("number", case.guard, double(float(literal)))


def _integers(operator: str, when: Truth, a: Any, b: Any) -> Term:
    if operator in ("//", "%"):
        zero = b == 0
        # The solver's division leaves no negative remainder; with a positive divisor that is rounding down.
        down = z3.If(b > 0, a / b, (-a) / (-b))
        result = down if operator == "//" else a - b * down
        return alternatives(Term(raised(DIVISION, both(when, zero))), _whole(both(when, opposite(zero)), result))
    return _whole(when, a + b if operator == "+" else a - b if operator == "-" else a * b)


def _numbers(operator: str, when: Truth, a: Any, b: Any) -> Term:
    if operator == "/":
        zero = z3.fpIsZero(b)
        result = _finite(both(when, opposite(zero)), z3.fpDiv(_ROUND, a, b))
        return alternatives(Term(raised(DIVISION, both(when, zero))), result)
    operation = z3.fpAdd if operator == "+" else z3.fpSub if operator == "-" else z3.fpMul
    return _finite(when, operation(_ROUND, a, b))


def _joined_texts(when: Truth, a: Any, b: Any) -> Term:
    """Two texts as one, if that is not too long."""
    fits = z3.Length(a) + z3.Length(b) <= LONGEST_STRING_VALUE
    value = z3.simplify(z3.Concat(a, b))
    return Term(raised(OVERFLOW, both(when, opposite(fits))), False, (Case("string", both(when, fits), value),))


def first_set(operands: Sequence[Term]) -> Term:
    """`coalesce`: the first that is not null, evaluated only so far."""
    found: list[Term] = []
    going: Truth = True
    for operand in operands:
        found.append(limited(Term(operand.faults, False, operand.cases), going))
        going = both(going, operand.null)
    return alternatives(*found, Term(null=going))


def on_texts(function: str, operands: Sequence[Term]) -> Term:
    """`startswith`, `endswith` and `contains`."""
    faults, fine = in_order(operands)
    null = both(fine, either(*(operand.null for operand in operands)))
    results = [Term(merged(faults, raised(NULL, null)))]
    for first, second in itertools.product(*(operand.cases for operand in operands)):
        when = both(fine, first.guard, second.guard)
        if when is False:
            continue
        if first.kind == second.kind == "string":
            tells = _ON_TEXTS[function](first.value, second.value)
            results.append(Term(cases=(Case("boolean", when, tells),)))
        else:
            results.append(Term(raised(TYPE, when)))
    return alternatives(*results)


_ON_TEXTS: dict[str, Callable[[Any, Any], Any]] = {
    "startswith": lambda text, part: z3.PrefixOf(part, text),
    "endswith": lambda text, part: z3.SuffixOf(part, text),
    "contains": lambda text, part: z3.Contains(text, part),
}


def as_text(term: Term) -> Term:
    """`text` of texts, integers and booleans; of numbers the solver has no decimal form."""
    results = [Term(merged(term.faults, raised(NULL, term.null)))]
    for case in term.cases:
        if case.kind == "number":
            raise NotTaken("the solver has no text of a number")
        if case.kind in LISTS:
            results.append(Term(raised(TYPE, case.guard)))
            continue
        value = case.value
        if case.kind == "integer":
            value = z3.If(value < 0, z3.Concat(text("-"), z3.IntToStr(-value)), z3.IntToStr(value))
        elif case.kind == "boolean":
            value = chosen(value, text("true"), text("false"))
        results.append(Term(cases=(Case("string", case.guard, value),)))
    return alternatives(*results)


def length(term: Term) -> Term:
    """`len`: signs of a text, parts of a list or an object."""
    results = [Term(merged(term.faults, raised(NULL, term.null)))]
    for case in term.cases:
        if case.kind in LISTS:
            results.append(Term(cases=(Case("integer", case.guard, case.value),)))
        elif case.kind == "string":
            results.append(Term(cases=(Case("integer", case.guard, z3.Length(case.value)),)))
        else:
            results.append(Term(raised(TYPE, case.guard)))
    return alternatives(*results)


def extreme(function: str, operands: Sequence[Term], literals: Sequence[Value]) -> Term:
    """`min` or `max` of values that are all integers, all numbers, or all texts."""
    if math.prod(len(operand.cases) for operand in operands) > MOST_CASES:
        raise NotTaken(f"the operands of `{function}` may be of too many kinds")
    faults, fine = in_order(operands)
    null = both(fine, either(*(operand.null for operand in operands)))
    results = [Term(merged(faults, raised(NULL, null)))]
    for combination in itertools.product(*(operand.cases for operand in operands)):
        when = both(fine, *(case.guard for case in combination))
        if when is False:
            continue
        other = "number" if any(case.kind == "number" for case in combination) else ""
        cases = [_as_number(case, literal, other) for case, literal in zip(combination, literals)]
        kinds = {case.kind for case in cases}
        if len(kinds) != 1 or not kinds <= {"integer", "number", "string"}:
            results.append(Term(raised(TYPE, when)))
            continue
        best = cases[0]
        for case in cases[1:]:
            better = order("<" if function == "min" else ">", case, best)
            assert better is not None
            best = Case(best.kind, True, chosen(better, case.value, best.value))
        results.append(Term(cases=(Case(best.kind, when, best.value),)))
    return alternatives(*results)
