"""What is asked of a list of which the number of items of each class is known: the twin of `wfsim.model.parts`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import z3

from wfsim.model.expression_tree import Apply, Call, Expression, Field, Gather, Index, Template, walk
from wfsim.model.parts import MOST_STEPS, TEXT_FUNCTIONS
from wfsim.model.values import INDEX, LARGEST_VALUE, NULL, TYPE, Value, kind_of
from wfsim.verification.workflows.conditions.comparison import matches
from wfsim.verification.workflows.conditions.contents import Class, Counted
from wfsim.verification.workflows.conditions.literals import NotTaken
from wfsim.verification.workflows.conditions.operations import needed_boolean
from wfsim.verification.workflows.conditions.terms import Case, Term, alternatives, constant, in_order, limited, raised
from wfsim.verification.workflows.conditions.truths import Truth, both, either, opposite

UNKNOWN = "what is in lists and objects is not known to the solver"
MOST_KNOWN = 100
"""Items of a list that is written out."""
DECIDING = 200_000
"""What the solver may count for the question whether a condition comes out alike for all items of a class."""


@dataclass(frozen=True)
class Group:
    """Items of a list that are alike: how many, one of them as a term, and what is known of it."""

    n: Any
    item: Term
    known: tuple[Any, ...] = ()

    @property
    def there(self) -> Truth:
        """Whether there are any."""
        return True if z3.is_int_value(self.n) else self.n > 0


def groups(case: Case) -> list[Group]:
    """The items of a list; `NotTaken` if nothing is known of them."""
    contents = case.contents
    if contents is None:
        raise NotTaken(UNKNOWN)
    if isinstance(contents, Counted):
        return [_group(contents.kind, each, n) for each, n in zip(contents.classes, contents.counts, strict=True)]
    if len(contents.values) > MOST_KNOWN:
        raise NotTaken("it has too many items")
    return [Group(z3.IntVal(1), constant(each)) for each in contents.values]


def _group(kind: str, each: Class, n: Any) -> Group:
    if each.single:
        return Group(n, constant(each.low))
    item = z3.Const(f"item of {kind}", z3.IntSort() if kind == "integer" else z3.StringSort())
    return Group(n, Term(cases=(Case(kind, True, item),)), (each.has(item),))


def of_list(owner: Term, found: Callable[[Case], Term]) -> Term:
    """What is found of a list; what is none raises."""
    results = [Term(owner.faults), Term(raised(NULL, owner.null))]
    for case in owner.cases:
        if case.guard is not False:
            results.append(limited(found(case), case.guard) if case.kind == "list" else Term(raised(TYPE, case.guard)))
    return alternatives(*results)


def item_at(owner: Term, index: int) -> Term:
    """`list[index]`, for an index that is written out."""

    def found(case: Case) -> Term:
        inside = _plain(case.value > index if index >= 0 else case.value >= -index)
        outside = Term(raised(INDEX, opposite(inside)))
        return outside if inside is False else alternatives(outside, limited(_pinned(case, index), inside))

    return of_list(owner, found)


def _pinned(case: Case, index: int) -> Term:
    contents = case.contents
    if contents is None:
        raise NotTaken(UNKNOWN)
    if not isinstance(contents, Counted):
        return constant(contents.values[index])
    from_end = contents.last if index < 0 else contents.first
    k = -index - 1 if index < 0 else index
    if k >= len(from_end):
        raise NotTaken("items so far from both ends are not known to the solver")
    return Term(cases=(Case(contents.kind, True, from_end[k]),))


def contained_in(wanted: bool, value: Term, container: Term) -> Term:
    """`in` and `not in` for a list of which is known what is in it."""
    faults, fine = in_order([value, container])

    def found(case: Case) -> Term:
        ways = [both(group.there, _is_one(value, group)) for group in groups(case)]
        truth = either(*ways)
        return Term(cases=(Case("boolean", True, truth if wanted else opposite(truth)),))

    return alternatives(Term(faults), of_list(limited(Term({}, container.null, container.cases), fine), found))


def _is_one(value: Term, group: Group) -> Truth:
    """Whether a value is that of the items of a group."""
    item = group.item
    ways = [both(value.null, item.null)]
    for first in value.cases:
        for second in item.cases:
            if first.kind == second.kind and first.kind in ("list", "object"):
                raise NotTaken(UNKNOWN)
            ways.append(both(first.guard, second.guard, matches(first, second, False)))
    truth = either(*ways)
    if not group.known or isinstance(truth, bool):
        return truth
    return _alike({"true": truth, "false": opposite(truth)}, group.known) == "true"


def gathered(function: str, owner: Term, body: Expression, of_item: Callable[[Term], Term]) -> Term:
    """`count`, `any` and `all`; `of_item` translates the body for an item."""
    size = sum(1 for _ in walk(body))
    if size > MOST_STEPS // LARGEST_VALUE or any(map(_takes_steps, walk(body))):
        raise NotTaken(UNKNOWN)

    def found(case: Case) -> Term:
        counts: list[Any] = []
        truths: list[tuple[Truth, Truth]] = []
        faults: dict[str, Truth] = {}
        for group in groups(case):
            truth, wrong = _outcomes(needed_boolean(of_item(group.item)), group)
            truths.append((group.there, truth))
            counts.append(group.n if truth is True else 0 if truth is False else z3.If(truth, group.n, 0))
            for kind, when in wrong.items():
                faults[kind] = either(faults.get(kind, False), both(group.there, when))
        faults = {kind: when for kind, when in faults.items() if when is not False}
        if len(faults) > 1 or (faults and function != "count"):
            raise NotTaken("what is raised depends on the order of the items")
        fine = opposite(either(*faults.values()))
        if function == "count":
            return Term(faults, False, (Case("integer", fine, z3.Sum(z3.IntVal(0), *counts)),))
        found = either(*(both(there, truth if function == "any" else opposite(truth)) for there, truth in truths))
        return Term(cases=(Case("boolean", fine, found if function == "any" else opposite(found)),))

    return of_list(owner, found)


def _takes_steps(node: Template) -> bool:
    """Whether it may take more than one step, or looks further into an item (M10.7)."""
    return isinstance(node, Apply | Field | Gather | Index) or (
        isinstance(node, Call) and node.function in TEXT_FUNCTIONS
    )


def _outcomes(term: Term, group: Group) -> tuple[Truth, Mapping[str, Truth]]:
    """When a condition is true of the items of a group, and when it raises what."""
    if not group.known:
        return _plain(term.is_boolean(True)), {kind: _plain(when) for kind, when in term.faults.items()}
    decided = _alike({"true": term.is_boolean(True), "false": term.is_boolean(False), **term.faults}, group.known)
    return decided == "true", {decided: True} if decided in term.faults else {}


def _plain(truth: Truth) -> Truth:
    """A truth that is known, as such."""
    if isinstance(truth, bool):
        return truth
    found = z3.simplify(truth)
    return bool(z3.is_true(found)) if z3.is_true(found) or z3.is_false(found) else found


def _alike(outcomes: Mapping[str, Truth], known: tuple[Any, ...]) -> str:
    """The one outcome that there is for all items of a class; `NotTaken` if there are more."""
    possible = []
    for outcome, when in outcomes.items():
        if isinstance(when, bool):
            possible += [outcome] if when else []
            continue
        solver = z3.Solver()
        solver.set("rlimit", DECIDING)
        solver.add(*known, when)
        if solver.check() != z3.unsat:
            possible.append(outcome)
    if len(possible) != 1:
        raise NotTaken("it depends on more of the items than is counted")
    return possible[0]


def total(owner: Term) -> Term:
    """`sum` of a list."""

    def found(case: Case) -> Term:
        contents = case.contents
        if contents is None:
            raise NotTaken(UNKNOWN)
        value = contents.sum if isinstance(contents, Counted) else _added(contents.values)
        if value is None:
            raise NotTaken("what its items add up to is not known to the solver")
        return Term(cases=(Case("integer", True, value),))

    return of_list(owner, found)


def _added(values: tuple[Value, ...]) -> Any:
    """The sum of small integers."""
    small = [each for each in values if isinstance(each, int) and kind_of(each) == "integer" and abs(each) < 2**40]
    return z3.IntVal(sum(small)) if len(small) == len(values) else None


def extreme_of(function: str, owner: Term) -> Term:
    """`min` or `max` of a list; null of an empty one."""

    def found(case: Case) -> Term:
        here = groups(case)
        cases = [each for group in here for each in group.item.cases]
        if any(each.kind != "integer" for each in cases) or len(cases) < len(here) or any(g.known for g in here):
            raise NotTaken(UNKNOWN)
        ordered = sorted(here, key=lambda group: group.item.cases[0].value.as_long(), reverse=function == "max")
        results = []
        none_before: Truth = True
        for group in ordered:
            results.append(limited(group.item, both(none_before, group.there)))
            none_before = both(none_before, opposite(group.there))
        return alternatives(*results, Term(null=none_before))

    return of_list(owner, found)
