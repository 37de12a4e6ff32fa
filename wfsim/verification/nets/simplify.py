"""Smaller formulas that say the same of every reachable marking, by what the marking equation rules out.

An inequality that no reachable marking satisfies is false everywhere, one whose negation is ruled out is true
everywhere [1]_; with constants in their place much of a formula falls away.

References
----------
.. [1] Bønneland, Dyhr, Jensen, Johannsen, Srba (2018), Simplification of CTL formulae for efficient model checking of
   Petri nets, LNCS 10877, 143-163.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from wfsim.verification.nets.formulas import (
    And,
    CanFire,
    Constant,
    Deadlock,
    Formula,
    Linear,
    Not,
    Operator,
    Or,
    Quantifier,
    Temporal,
    alternatives,
    plain,
)
from wfsim.verification.nets.structure.farkas import refuted

if TYPE_CHECKING:
    from wfsim.verification.nets.net_search import NetSearch

MAX_PROOFS = 200
"""Linear programmes solved for one formula."""


class Simplifier:
    """Simplifies one formula about the net of a search, within the limits of that."""

    def __init__(self, search: NetSearch) -> None:
        self.net = search.net
        self._limits = search.limits
        self._left = MAX_PROOFS
        self._known: dict[Formula, Formula] = {}

    def __call__(self, formula: Formula) -> Formula:
        match formula:
            case Linear():
                return self._atom(formula)
            case CanFire(transitions):
                return _or(self._atom(CanFire((each,))) for each in transitions)
            case Constant() | Deadlock():
                return formula
            case Not(f):
                return _not(self(f))
            case And(operands):
                return _not(_or(_not(self(each)) for each in operands))
            case Or(operands):
                return _or(map(self, operands))
            case Temporal(quantifier, operator, operands):
                return _temporal(quantifier, operator, tuple(map(self, operands)))

    def _atom(self, formula: Formula) -> Formula:
        if formula not in self._known:
            self._known[formula] = formula
            for value in (False, True):
                if self._ruled_out(formula, not value):
                    self._known[formula] = Constant(value)
                    break
        return self._known[formula]

    def _ruled_out(self, formula: Formula, value: bool) -> bool:
        """Whether it is proved that the formula has this value in no reachable marking."""
        choices = alternatives(plain(formula, self.net, negated=not value), self._left) or []
        self._left -= len(choices)
        return bool(choices) and all(refuted(self.net, choice, self._limits) is not None for choice in choices)


def _not(formula: Formula) -> Formula:
    if isinstance(formula, Constant):
        return Constant(not formula.value)
    return formula.operand if isinstance(formula, Not) else Not(formula)


def _or(formulas: Iterable[Formula]) -> Formula:
    kept: dict[Formula, None] = {}
    for each in formulas:
        if each == Constant(True):
            return each
        kept.update(dict.fromkeys(each.operands if isinstance(each, Or) else [each]))
    kept.pop(Constant(False), None)
    if not kept:
        return Constant(False)
    return next(iter(kept)) if len(kept) == 1 else Or(tuple(kept))


def _temporal(quantifier: Quantifier, operator: Operator, operands: tuple[Formula, ...]) -> Formula:
    *before, last = operands
    if operator == "U":
        if isinstance(last, Constant) or before == [Constant(False)]:
            return last
        if before == [Constant(True)]:
            return Temporal(quantifier, "F", (last,))
    elif isinstance(last, Constant):
        if operator != "X" or last.value is (quantifier == "A"):
            # There is always a path, if only one that ends at once.
            return last
        return Deadlock() if quantifier == "A" else Not(Deadlock())
    return Temporal(quantifier, operator, operands)
