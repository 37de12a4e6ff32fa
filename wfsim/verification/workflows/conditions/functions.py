"""Functions in Python as the solver sees them: of each nothing is known but its declaration (M14.6).

A function is an uninterpreted one [1]_: equal arguments have equal answers, and that is all. So what is impossible is
so for every function of these types.

References
----------
.. [1] Nelson, Oppen (1980), Fast Decision Procedures Based on Congruence Closure, JACM 27(2), 356-364.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import z3

from wfsim.model.functions import Given
from wfsim.model.shapes import Shape, Signature
from wfsim.model.values import (
    EXACT_INTEGER,
    FUNCTION,
    NULL,
    RANGE,
    TYPE,
    EvaluationFault,
    Value,
    ValueType,
    kind_of,
)
from wfsim.verification.workflows.conditions.comparison import matches, order
from wfsim.verification.workflows.conditions.literals import DOUBLE, NotTaken, double
from wfsim.verification.workflows.conditions.operations import MOST_CASES
from wfsim.verification.workflows.conditions.symbols import Application, Symbols, kinds_of, plain_value
from wfsim.verification.workflows.conditions.terms import (
    LISTS,
    Case,
    Term,
    alternatives,
    constant,
    in_order,
    limited,
    raised,
)
from wfsim.verification.workflows.conditions.truths import Truth, both, either, opposite


def apply(
    symbols: Symbols, function: str, declared: Signature, arguments: Sequence[Term], literals: Sequence[Value]
) -> Term:
    """The term of a call; `literals` are the integers among the arguments that are written out, else None.

    Raises
    ------
    NotTaken
        If an argument may be a list or an object, of which the solver knows the length alone, or is of a pattern.
    """
    faults, fine = in_order(arguments)
    found = [Term(faults)]
    choices: list[list[Case]] = []
    for term, shape, literal in zip(arguments, declared.inputs.values(), literals, strict=True):
        # Arguments are fitted one after another (M14.2): what fits of this one goes on to the next.
        null = shape.optional or shape.kind is ValueType.ANY
        misfits, cases = raised(NULL, False if null else term.null), [Case("null", term.null, None)] if null else []
        for case in term.cases:
            wrong, fitting = _fitted(shape, case, literal)
            misfits = {kind: either(misfits.get(kind, False), wrong.get(kind, False)) for kind in {*misfits, *wrong}}
            cases += [fitting] if fitting is not None else []
        found.append(limited(Term(misfits), fine))
        fine = both(fine, opposite(either(*misfits.values())))
        choices.append([case for case in cases if case.guard is not False])
    if math.prod(map(len, choices)) > MOST_CASES:
        raise NotTaken("its arguments may be of too many kinds")
    for chosen in itertools.product(*choices):
        when = both(fine, *(case.guard for case in chosen))
        if when is not False:
            made = _applied(symbols, function, declared.result, chosen)
            found.append(limited(Term({FUNCTION: made.raises}), when))
            found.append(limited(made.value, both(when, opposite(made.raises))))
    return alternatives(*found)


@dataclass(frozen=True)
class Answered:
    """What a function that was given says of known arguments, as a fact, and facts that these are the arguments."""

    told: Any
    asked: tuple[Any, ...]


def answered(each: Application, given: Given, terms: Sequence[Any], model: z3.ModelRef) -> Answered | None:
    """What a function that was given says of the arguments that a call has in a model, in which they are these terms.

    None where they are no arguments of it: then it is not called there.
    """
    known = [model.eval(term, model_completion=True) for term in terms]
    asked = tuple(term == value for term, value in zip(terms, known, strict=True))
    left = iter(zip((case.kind for case in each.arguments if case.kind != "null"), known, strict=True))
    values = [None if case.kind == "null" else plain_value(*next(left)) for case in each.arguments]
    try:
        answer: Value = given.call(each.function, values)
    except EvaluationFault as fault:
        return Answered(_asked_of(each.raises, known), asked) if fault.kind == FUNCTION else None
    kind = "null" if answer is None else kind_of(answer)
    facts = [z3.Not(_asked_of(each.raises, known))]
    if each.value.null is not False:
        facts.append(_asked_of(each.value.null, known) == z3.BoolVal(answer is None))
    for case in each.value.cases:
        if case.kind == kind:
            facts.append(_asked_of(_expression(case.guard), known))
            if kind not in LISTS:
                (said,) = constant(answer).cases
                facts.append(_asked_of(case.value, known) == _expression(said.value))
    return Answered(z3.And(*facts), asked)


def _asked_of(part: Any, known: Sequence[Any]) -> Any:
    """The same part of an answer for known arguments."""
    if z3.is_app(part) and part.decl().kind() == z3.Z3_OP_UNINTERPRETED and part.num_args() == len(known):
        return part.decl()(*known) if known else part
    return part.decl()(*(_asked_of(each, known) for each in part.children())) if z3.is_app(part) else part


def _fitted(shape: Shape, case: Case, literal: Value) -> tuple[dict[str, Truth], Case | None]:
    """What keeps a value of one kind from being an argument, and the value where it is one."""
    if case.kind in LISTS:
        raise NotTaken("what is in lists and objects is not known to the solver")
    whole = shape.kind is ValueType.NUMBER and case.kind == "integer"
    if not whole and case.kind not in kinds_of(shape.kind):
        if shape.kind is ValueType.TIMESTAMP and case.kind == "string":
            raise NotTaken("the solver reads no times")
        return raised(TYPE, case.guard), None
    if shape.pattern is not None:
        raise NotTaken("the solver knows no patterns")
    inexact = both(case.guard, _beyond(case, -EXACT_INTEGER, EXACT_INTEGER)) if whole else False
    beyond = _beyond(case, *shape.bounds) if case.kind in ("integer", "number") else False
    if shape.values is not None:
        listed = (matches(case, constant(each).cases[0], False) for each in shape.values)
        beyond = either(beyond, opposite(either(*listed)))
    guard = both(case.guard, opposite(inexact))
    faults = raised(TYPE, inexact) | raised(RANGE, both(guard, beyond))
    if whole and literal is not None and abs(literal) <= EXACT_INTEGER:
        case = Case("number", case.guard, double(float(literal)))
    inside = both(guard, opposite(beyond))
    return faults, None if inside is False else Case(case.kind, inside, case.value)


def _beyond(case: Case, low: Value, high: Value) -> Truth:
    alone, outside = Case(case.kind, True, case.value), list[Truth]()
    for limit, operator in ((low, "<"), (high, ">")):
        if limit is not None:
            found = order(operator, alone, constant(limit).cases[0])
            assert found is not None
            outside.append(found)
    return either(*outside)


def _applied(symbols: Symbols, function: str, result: Shape, chosen: tuple[Case, ...]) -> Application:
    """One application; of the same function to the same arguments there is one."""
    given = [_expression(case.value) for case in chosen if case.kind != "null"]
    name = f"functions.{function}({', '.join(case.kind for case in chosen)})"
    # What is kept keeps its numbers.
    key = (name, *(each.get_id() for each in given))
    if key in symbols.applications:
        return symbols.applications[key]

    def part(what: str, sort: Any) -> Any:
        called = f"{name} {what}"
        return z3.Function(called, *(each.sort() for each in given), sort)(*given) if given else z3.Const(called, sort)

    kinds = kinds_of(result.kind)
    null: Truth = part("is null", z3.BoolSort()) if result.optional or result.kind is ValueType.ANY else False
    kind = part("kind", z3.IntSort()) if len(kinds) > 1 else None
    cases = []
    for k, each in enumerate(kinds):
        guard = both(opposite(null), True if kind is None else kind == k)
        cases.append(Case(each, guard, part(f"as {each}", _sort(each))))
    if kind is not None:
        symbols.known.append(z3.And(kind >= 0, kind < len(kinds)))
    value = Term({}, null, tuple(cases))
    symbols.admit(value, result)
    made = Application(function, chosen, tuple(given), part("raises", z3.BoolSort()), value)
    symbols.applications[key] = made
    return made


def _expression(value: Any) -> Any:
    return z3.BoolVal(value) if isinstance(value, bool) else value


def _sort(kind: str) -> Any:
    if kind == "boolean":
        return z3.BoolSort()
    if kind == "number":
        return DOUBLE
    return z3.StringSort() if kind == "string" else z3.IntSort()
