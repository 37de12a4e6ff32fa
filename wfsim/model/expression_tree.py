"""Expressions and templates as trees of frozen dataclasses."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace

from wfsim.model.duration import Duration
from wfsim.model.moments import moment
from wfsim.model.shapes import Signature

Scalar: t.TypeAlias = "bool | int | float | str | None"
ArithmeticOperator: t.TypeAlias = t.Literal["+", "-", "*", "/", "//", "%"]
CompareOperator: t.TypeAlias = t.Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in"]
FunctionName: t.TypeAlias = t.Literal[
    "len",
    "min",
    "max",
    "lower",
    "upper",
    "startswith",
    "endswith",
    "contains",
    "coalesce",
    "text",
    "duration",
    "timestamp",
]
GatherName: t.TypeAlias = t.Literal["sum", "count", "any", "all"]


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A constant; unlike in Python, `1`, `1.0` and `true` are three different literals."""

    value: Scalar

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and type(self.value) is type(other.value) and self.value == other.value

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))


@dataclass(frozen=True, slots=True)
class Name:
    """`context.<variable>`, `event.<payload field>`, `item.<name given by for_each>`, or `now`, of the clock.

    `state.<field>` is read so where nobody knows yet which state is meant; then it is the variable
    `<state>.<field>` (M13.1). What is carried out without code reads what it is given: `input`, `response`, `secrets`
    (M5.7).
    """

    scope: t.Literal["context", "event", "item", "clock", "state", "given"]
    field: str


NOW = Name("clock", "now")
"""The time of the step (M6.6)."""


@dataclass(frozen=True, slots=True)
class Whole:
    """The whole payload, the name of the active state, or all variables as one object."""

    scope: t.Literal["event", "state", "context"]


@dataclass(frozen=True, slots=True)
class Negate:
    """Unary minus; the minus of a number literal belongs to the literal instead."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class Not:
    """Logical negation."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """A binary arithmetic operation; `//` and `%` round towards minus infinity."""

    operator: ArithmeticOperator
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Compare:
    """One comparison; a chain `a < b < c` is read as `a < b and b < c`."""

    operator: CompareOperator
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Bool:
    """`and` or `or` over two or more operands, evaluated left to right until decided."""

    operator: t.Literal["and", "or"]
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class IfElse:
    """`then if test else otherwise`; only the chosen branch is evaluated."""

    test: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class Index:
    """One item of a list; a negative index counts from the end (M10.5)."""

    value: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object; of a list of objects, the list of that field of each (M10.5)."""

    value: Expression
    field: str


@dataclass(frozen=True, slots=True)
class Item:
    """The item that the innermost `Gather` around looks at."""


@dataclass(frozen=True, slots=True)
class Gather:
    """`sum`, `count`, `any` or `all` of what `body` comes to for each item of a list (M10.7)."""

    function: GatherName
    over: Expression
    body: Expression


@dataclass(frozen=True, slots=True)
class Call:
    """A function of one or more values, of the language. Of times that are written out, `duration("2h")` and
    `timestamp("2026-11-30T09:00:00Z")`, the one argument is a literal."""

    function: FunctionName
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Apply:
    """`functions.<name>(…)`: a function in Python that the definition declares (M14).

    `declared` is its declaration, where the tree stands in a definition that has one.
    """

    function: str
    arguments: tuple[Expression, ...]
    declared: Signature | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list written out."""

    items: tuple[Expression, ...]


Expression: t.TypeAlias = (
    "Literal | Name | Whole | Item | Index | Field | Negate | Not | Arithmetic | Compare | Bool | IfElse "
    "| Call | Apply | Gather | ListOf"
)


@dataclass(frozen=True, slots=True, eq=False)
class TemplateLiteral:
    """A scalar of a template that stands for itself."""

    value: Scalar

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TemplateLiteral) and type(self.value) is type(other.value) and self.value == other.value
        )

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))


@dataclass(frozen=True, slots=True)
class TemplateList:
    """A list whose items are templates."""

    items: tuple[Template, ...]


@dataclass(frozen=True, slots=True)
class TemplateObject:
    """An object whose values are templates, in the order written."""

    fields: tuple[tuple[str, Template], ...]


Template: t.TypeAlias = "TemplateLiteral | TemplateList | TemplateObject | Expression"


def time_of(call: Call) -> int:
    """Microseconds of a `duration`, microseconds since 1970 of a `timestamp`.

    Raises
    ------
    ValueError, DefinitionError
        If the text is none.
    """
    (text,) = call.arguments
    assert isinstance(text, Literal)
    assert isinstance(text.value, str)
    return int(Duration.of(text.value)) if call.function == "duration" else moment(text.value)


def names(tree: Template) -> tuple[Name | Whole, ...]:
    """The names a tree reads, each once, in the order of evaluation."""
    return tuple(dict.fromkeys(node for node in walk(tree) if isinstance(node, Name | Whole)))


def called(tree: Template) -> tuple[Apply, ...]:
    """The calls of functions in Python in a tree, in the order of evaluation."""
    return tuple(node for node in walk(tree) if isinstance(node, Apply))


def is_constant(tree: Template) -> bool:
    """Whether its value follows from its text alone: it reads nothing and asks no function in Python."""
    return not any(isinstance(node, Name | Whole | Apply) for node in walk(tree))


def walk(tree: Template) -> Iterator[Template]:
    """The node and all below it, in the order of evaluation."""
    yield tree
    for child in children(tree):
        yield from walk(child)


def children(tree: Template) -> tuple[Template, ...]:
    """The direct parts of a node, in the order they are evaluated."""
    match tree:
        case Negate(operand) | Not(operand):
            return (operand,)
        case Arithmetic(_, left, right) | Compare(_, left, right):
            return (left, right)
        case Index(value, index):
            return (value, index)
        case Field(value, _):
            return (value,)
        case Gather(_, over, body):
            return (over, body)
        case Bool(_, operands):
            return operands
        case IfElse(test, then, otherwise):
            return (test, then, otherwise)
        case Call(_, arguments) | Apply(_, arguments):
            return arguments
        case ListOf(items):
            return items
        case TemplateList(parts):
            return parts
        case TemplateObject(fields):
            return tuple(value for _, value in fields)
        case _:
            return ()


def expression_parts(tree: Template) -> Iterator[Expression]:
    """The outermost expressions inside a template, in order."""
    if isinstance(tree, TemplateLiteral):
        return
    if isinstance(tree, TemplateList):
        for item in tree.items:
            yield from expression_parts(item)
    elif isinstance(tree, TemplateObject):
        for _, value in tree.fields:
            yield from expression_parts(value)
    else:
        yield tree


def mapped(tree: Template, change: Callable[[Expression], Expression]) -> Template:
    """The tree with each expression in it changed, those inside first."""

    def inside(value: t.Any) -> t.Any:
        if isinstance(value, tuple):
            return tuple(inside(each) for each in value)
        is_node = is_dataclass(value) and not isinstance(value, Signature)
        return mapped(t.cast("Template", value), change) if is_node else value

    inner = {each.name: inside(getattr(tree, each.name)) for each in fields(tree)}
    changed: t.Any = (
        tree if all(getattr(tree, name) is value for name, value in inner.items()) else replace(tree, **inner)
    )
    return changed if isinstance(tree, TemplateLiteral | TemplateList | TemplateObject) else change(changed)
