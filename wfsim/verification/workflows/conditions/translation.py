"""Expressions as terms of the solver: one of the readers of the expression tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from wfsim.model.expression_tree import (
    Apply,
    Arithmetic,
    Bool,
    Call,
    Compare,
    Expression,
    Field,
    Gather,
    IfElse,
    Index,
    Item,
    ListOf,
    Literal,
    Name,
    Negate,
    Not,
    Whole,
    called,
    time_of,
)
from wfsim.model.expressions import to_text
from wfsim.model.shapes import Shape
from wfsim.model.static import static_shape
from wfsim.model.values import DIVISION, FIELD, FUNCTION, INDEX, NULL, OVERFLOW, RANGE, TYPE, Value
from wfsim.verification.workflows.conditions.comparison import compare, contained, contained_somewhere
from wfsim.verification.workflows.conditions.functions import apply
from wfsim.verification.workflows.conditions.gathering import (
    UNKNOWN,
    contained_in,
    extreme_of,
    gathered,
    item_at,
    total,
)
from wfsim.verification.workflows.conditions.literals import NotTaken
from wfsim.verification.workflows.conditions.operations import (
    arithmetic,
    as_text,
    conditional,
    extreme,
    first_set,
    length,
    logic,
    minus,
    negation,
    on_texts,
)
from wfsim.verification.workflows.conditions.symbols import Symbols
from wfsim.verification.workflows.conditions.terms import (
    LISTS,
    Term,
    alternatives,
    constant,
    in_order,
    limited,
    of_length,
    raised,
)
from wfsim.verification.workflows.conditions.truths import Truth, either, opposite

_MAY_RAISE = (TYPE, NULL, OVERFLOW, DIVISION, INDEX, FIELD)
_CALLED_MAY_RAISE = (*_MAY_RAISE, RANGE, FUNCTION)


class Translation:
    """Translates expressions over the same names.

    What the solver has no terms for (say, what is in a list) may have any value, and may raise: a superset of what it
    may do. So what is impossible in the translation is impossible; what is possible has to be tried.

    Attributes
    ----------
    shapes
        Types of the variables that are read, where their fields are values of their own.
    part_shape
        What is known of the type of a part that the solver has no terms for.
    item
        What `item` stands for, within a function that goes through a list.
    left_open
        Those parts, each with the reason. Their unknowns have `mark` before their names.
    applied
        The calls of functions in Python, which may give any value, but equal ones for equal arguments (M14.6).
    """

    def __init__(
        self,
        symbols: Symbols,
        names: Callable[[Name | Whole], Term],
        shapes: Mapping[str, Shape] | None = None,
        *,
        part_shape: Callable[[Expression], Shape | None] = lambda _: None,
        mark: str = "",
        item: Term | None = None,
    ) -> None:
        self.symbols = symbols
        self.names = names
        self.shapes = shapes
        self.part_shape = part_shape
        self.mark = mark
        self.item = item
        self.left_open: dict[Expression, str] = {}
        self.applied: dict[Apply, None] = {}
        self._known: dict[Expression, Term] = {}

    def of(self, node: Expression) -> Term:
        """The term of an expression; equal expressions have one term."""
        if node not in self._known:
            try:
                self._known[node] = self._of(node)
            except NotTaken as reason:
                self._known[node] = self.opened(node, str(reason))
        return self._known[node]

    def opened(self, node: Expression, why: str) -> Term:
        """A value of which at most the type is known; that it is none may be."""
        self.left_open[node] = why
        part = f"{self.mark}part {len(self.left_open)}"
        kinds = _CALLED_MAY_RAISE if called(node) else _MAY_RAISE
        raises = self.symbols.one_of(f"{part} raises", len(kinds))
        shape = self.part_shape(node)
        value = self.symbols.part(part) if shape is None else self.symbols.of_shape(part, shape, null=shape.optional)
        faults = dict(zip(kinds, raises, strict=True))
        return alternatives(Term(faults), limited(value, opposite(either(*raises))))

    def _field(self, node: Field) -> Term:
        """A field of a declared object is a value of its own; any other may be anything."""
        shape = None if self.shapes is None else static_shape(node, self.shapes)
        if shape is None or not _is_path(node):
            raise NotTaken(UNKNOWN)
        owner = self.of(node.value)
        if any(case.kind != "object" for case in owner.cases):
            raise NotTaken(UNKNOWN)
        value = self.symbols.of_shape(f"field {to_text(node)}", shape, null=shape.optional)
        there = opposite(either(owner.fault, owner.null))
        faults = {**owner.faults}
        null = either(faults.pop(NULL, False), owner.null)
        return alternatives(Term({**faults, **raised(NULL, null)}), limited(value, there))

    def _contents(self, node: Expression, unknown: bool) -> Truth:
        """A truth that is not known, about what is in lists or objects, where anything depends on it."""
        if not unknown:
            return False
        self.left_open[node] = UNKNOWN
        return self.symbols.flag(f"{self.mark}contents {len(self.left_open)}")

    def _contained(self, node: Expression, wanted: bool, value: Term, container: Term) -> Term:
        try:
            return contained_in(wanted, value, container)
        except NotTaken:
            return contained_somewhere(wanted, value, container, self._contents(node, True))

    def _of_item(self, body: Expression, item: Term) -> Term:
        """What a part that looks at an item comes to for this one."""
        inner = Translation(self.symbols, self.names, self.shapes, part_shape=self.part_shape, item=item)
        found = inner.of(body)
        for why in inner.left_open.values():
            raise NotTaken(why)
        return found

    def _refuse_sum_of_nothing(self, operands: Sequence[Expression]) -> None:
        """A sum that is zero is read as a number beside one (M10.7)."""
        sums = any(isinstance(each, Gather) and each.function == "sum" for each in operands)
        if sums and any(case.kind == "number" for each in operands for case in self.of(each).cases):
            raise NotTaken("the solver does not read the sum of nothing as a number")

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
                self._refuse_sum_of_nothing((left, right))
                return arithmetic(operator, self.of(left), self.of(right), (_literal(left), _literal(right)))
            case Compare("in" | "not in" as operator, left, ListOf(items)):
                sought, parts = self.of(left), [self.of(item) for item in items]
                deep = any(_both_lists(sought, part) for part in parts)
                return contained(operator == "in", sought, parts, self._contents(node, deep))
            case Compare("in" | "not in" as operator, left, right):
                return self._contained(node, operator == "in", self.of(left), self.of(right))
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
            case Field():
                return self._field(node)
            case Item() if self.item is not None:
                return self.item
            case Index(value, Literal(int(index))) if not isinstance(index, bool):
                return item_at(self.of(value), index)
            case Gather("sum", over, Item()):
                return total(self.of(over))
            case Gather("count" | "any" | "all" as function, over, body):
                return gathered(function, self.of(over), body, lambda item: self._of_item(body, item))
            case Call("min" | "max" as function, (argument,)):
                return extreme_of(function, self.of(argument))
            case Index() | Item() | Gather():
                raise NotTaken(UNKNOWN)
            case Call("lower" | "upper"):
                raise NotTaken("the solver knows no small and capital letters")
            case Apply(name, arguments, declared):
                terms = [self.of(each) for each in arguments]
                if declared is None:
                    raise NotTaken("nothing is declared of it")
                given = [_literal(each) for each in arguments]
                term = apply(self.symbols, name, declared, terms, given)
                self.applied[node] = None
                return term
            case Call("len", (argument,)):
                return length(self.of(argument))
            case Call("text", (argument,)):
                return as_text(self.of(argument))
            case Call("coalesce", arguments):
                return first_set([self.of(each) for each in arguments])
            case Call("startswith" | "endswith" | "contains" as function, arguments):
                return on_texts(function, [self.of(each) for each in arguments])
            case Call(function, arguments):
                self._refuse_sum_of_nothing(arguments)
                return extreme(function, [self.of(each) for each in arguments], [_literal(each) for each in arguments])
            case ListOf(items) if all(isinstance(each, Literal) for each in items):
                return constant([each.value for each in items if isinstance(each, Literal)])
            case ListOf(items):
                faults, fine = in_order([self.of(item) for item in items])
                return alternatives(Term(faults), limited(of_length("list", len(items)), fine))
        raise AssertionError(f"not an expression: {node!r}")


def _is_path(node: Expression) -> bool:
    """Whether it is a field of a variable, or of a field of one."""
    while isinstance(node, Field):
        node = node.value
    return isinstance(node, Name) and node.scope == "context"


def _both_lists(first: Term, second: Term) -> bool:
    """Whether both may be lists, or both objects."""
    kinds = [{case.kind for case in term.cases if case.kind in LISTS} for term in (first, second)]
    return not kinds[0].isdisjoint(kinds[1])


def _literal(node: Expression) -> Value:
    """An integer that is written out, which may be read as a number; else None."""
    return node.value if isinstance(node, Literal) and type(node.value) is int else None
