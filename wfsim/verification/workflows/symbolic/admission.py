"""What a variable keeps of a symbolic value: the twin of `wfsim.model.evaluate.fit` (M10.2)."""

from __future__ import annotations

from typing import Any

import z3

from wfsim.model.elements import Variable
from wfsim.model.values import NULL, RANGE, TYPE, ValueType
from wfsim.verification.workflows.conditions.comparison import matches, order
from wfsim.verification.workflows.conditions.contents import equal as equal_contents
from wfsim.verification.workflows.conditions.symbols import kinds_of
from wfsim.verification.workflows.conditions.terms import Case, Term, alternatives, constant, raised
from wfsim.verification.workflows.conditions.truths import Truth, both, either, opposite


def fitted(variable: Variable, term: Term) -> Term:
    """The value as an assignment writes it; nothing is converted, and what does not fit is a fault."""
    allows_null = variable.optional or variable.kind is ValueType.ANY
    results = [
        Term(term.faults),
        Term({} if allows_null else raised(NULL, term.null), term.null if allows_null else False),
    ]
    for case in term.cases:
        if case.kind not in kinds_of(variable.kind):
            results.append(Term(raised(TYPE, case.guard)))
        else:
            results.append(_in_range(variable, case))
    return alternatives(*results)


def _in_range(variable: Variable, case: Case) -> Term:
    value, beyond = case.value, False
    if case.kind in ("integer", "number"):
        for limit, operator in zip(variable.shape.bounds, ("<", ">")):
            if limit is None:
                continue
            outside = order(operator, Case(case.kind, True, value), constant(limit).cases[0])
            assert outside is not None
            if variable.overflow != "saturate":
                beyond = either(beyond, outside)
            elif outside is not False:
                (kept,) = constant(float(limit) if case.kind == "number" else limit).cases
                value = kept.value if outside is True else z3.If(outside, kept.value, value)
    kept_case = Case(case.kind, True, value)
    if variable.shape.values is not None:
        listed = either(*(matches(kept_case, constant(each).cases[0], False) for each in variable.shape.values))
        beyond = either(beyond, opposite(listed))
    inside = both(case.guard, opposite(beyond))
    cases = () if inside is False else (Case(case.kind, inside, value, case.contents),)
    return Term(raised(RANGE, both(case.guard, beyond)), False, cases)


def keeps(place: Term, value: Term) -> Truth:
    """That a place holds a value: null, or of one kind and equal. The place may be of every kind that the value has."""
    facts: list[Truth] = [_same_truth(place.null, value.null)]
    given = {case.kind: case for case in value.cases}
    for case in place.cases:
        other = given.get(case.kind)
        if other is None:
            facts.append(opposite(case.guard))
            continue
        facts.append(_same_truth(case.guard, other.guard))
        equal: Truth | Any = (
            case.value == other.value if case.kind in ("list", "object") else matches(case, other, False)
        )
        facts.append(either(opposite(other.guard), both(equal, *(equal_contents(case.contents, other.contents) or ()))))
    return both(*facts)


def _same_truth(first: Truth, second: Truth) -> Truth:
    return either(both(first, second), both(opposite(first), opposite(second)))
