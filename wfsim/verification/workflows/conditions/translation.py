"""Expressions as terms of the solver: one of the readers of the expression tree."""

from __future__ import annotations

from collections.abc import Callable

from wfsim.model.expression_tree import (
    Arithmetic,
    Bool,
    Call,
    Compare,
    Expression,
    IfElse,
    ListOf,
    Literal,
    Name,
    Negate,
    Not,
    Whole,
    time_of,
)
from wfsim.model.values import TYPE, Value
from wfsim.verification.workflows.conditions.symbols import Symbols
from wfsim.verification.workflows.conditions.terms import (
    LISTS,
    NotTaken,
    Term,
    Truth,
    alternatives,
    arithmetic,
    compare,
    conditional,
    constant,
    contained,
    contained_somewhere,
    extreme,
    in_order,
    length,
    limited,
    logic,
    minus,
    negation,
    opposite,
    raised,
)


class Translation:
    """Translates expressions over the same names.

    What the solver has no terms for (say, what is in a list) may have any value, and may raise: a superset of what it
    may do. So what is impossible in the translation is impossible; what is possible has to be tried.

    Attributes
    ----------
    left_open
        Those parts, each with the reason.
    """

    def __init__(self, symbols: Symbols, names: Callable[[Name | Whole], Term]) -> None:
        self.symbols = symbols
        self.names = names
        self.left_open: dict[Expression, str] = {}
        self._known: dict[Expression, Term] = {}

    def of(self, node: Expression) -> Term:
        """The term of an expression; equal expressions have one term."""
        if node not in self._known:
            try:
                self._known[node] = self._of(node)
            except NotTaken as reason:
                self._known[node] = self._open(node, str(reason))
        return self._known[node]

    def _open(self, node: Expression, why: str) -> Term:
        """A value of which nothing is known; that it is none may be."""
        self.left_open[node] = why
        n = len(self.left_open)
        raises = self.symbols.flag(f"part {n} raises")
        value = self.symbols.part(f"part {n}")
        return alternatives(Term(raised(TYPE, raises)), limited(value, opposite(raises)))

    def _contents(self, node: Expression, unknown: bool) -> Truth:
        """A truth that is not known, about what is in lists or objects, where anything depends on it."""
        if not unknown:
            return False
        self.left_open[node] = "what is in lists and objects is not known to the solver"
        return self.symbols.flag(f"contents {len(self.left_open)}")

    def _of(self, node: Expression) -> Term:
        match node:
            case Literal(value):
                return constant(value)
            case Name() | Whole():
                return self.names(node)
            case Negate(operand):
                return minus(self.of(operand))
            case Not(operand):
                return negation(self.of(operand))
            case Arithmetic(operator, left, right):
                return arithmetic(operator, self.of(left), self.of(right), (_literal(left), _literal(right)))
            case Compare("in" | "not in" as operator, left, ListOf(items)):
                sought, parts = self.of(left), [self.of(item) for item in items]
                deep = any(_both_lists(sought, part) for part in parts)
                return contained(operator == "in", sought, parts, self._contents(node, deep))
            case Compare("in" | "not in" as operator, left, right):
                return contained_somewhere(operator == "in", self.of(left), self.of(right), self._contents(node, True))
            case Compare(operator, left, right):
                first, second = self.of(left), self.of(right)
                deep = operator in ("==", "!=") and _both_lists(first, second)
                return compare(operator, first, second, self._contents(node, deep))
            case Bool(word, operands):
                return logic(word, [self.of(operand) for operand in operands])
            case IfElse(test, then, otherwise):
                return conditional(self.of(test), self.of(then), self.of(otherwise))
            case Call("duration" | "timestamp"):
                return constant(time_of(node))
            case Call("len", (argument,)):
                return length(self.of(argument))
            case Call(function, arguments):
                return extreme(function, [self.of(each) for each in arguments], [_literal(each) for each in arguments])
            case ListOf(items):
                faults, fine = in_order([self.of(item) for item in items])
                return alternatives(Term(faults), limited(constant([None] * len(items)), fine))
        raise AssertionError(f"not an expression: {node!r}")


def _both_lists(first: Term, second: Term) -> bool:
    """Whether both may be lists, or both objects."""
    kinds = [{case.kind for case in term.cases if case.kind in LISTS} for term in (first, second)]
    return not kinds[0].isdisjoint(kinds[1])


def _literal(node: Expression) -> Value:
    """An integer that is written out, which may be read as a number; else None."""
    return node.value if isinstance(node, Literal) and type(node.value) is int else None
