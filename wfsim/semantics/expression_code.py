"""Expressions as operations of the stack machine, and which of them can raise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

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
    Template,
    TemplateList,
    TemplateLiteral,
    TemplateObject,
    Whole,
    names,
    time_of,
    walk,
)
from wfsim.model.values import ValueType

from .codes import (
    ALL_OF,
    ANY_OF,
    COUNT,
    LITERAL_LEFT,
    LITERAL_RIGHT,
    NONE,
    OP_ADD,
    OP_AND,
    OP_ASK,
    OP_BOOLEAN,
    OP_CALL,
    OP_COALESCE,
    OP_CONSTANT,
    OP_DIVIDE,
    OP_ENDS,
    OP_EQUAL,
    OP_FIELD,
    OP_FLOOR,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_HOLDS,
    OP_IF,
    OP_IN,
    OP_INDEX,
    OP_ITEM,
    OP_JOIN,
    OP_JUMP,
    OP_LEAST,
    OP_LENGTH,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_LIST,
    OP_LOOP,
    OP_LOWER,
    OP_MAXIMUM,
    OP_MINIMUM,
    OP_MODULO,
    OP_MOST,
    OP_MULTIPLY,
    OP_NEGATE,
    OP_NEXT,
    OP_NOT,
    OP_NOT_IN,
    OP_NOW,
    OP_OBJECT,
    OP_OR,
    OP_PART,
    OP_PARTS,
    OP_PIECE,
    OP_STARTS,
    OP_STATE,
    OP_SUBTRACT,
    OP_TEXT,
    OP_UNEQUAL,
    OP_UPPER,
    OP_VARIABLE,
    OP_ZERO,
    SUM,
    SUM_LEFT,
    SUM_RIGHT,
)
from .layout import Cell, OpRow
from .program import HostExpression
from .texts import Texts

_ARITHMETIC = {
    "+": OP_ADD,
    "-": OP_SUBTRACT,
    "*": OP_MULTIPLY,
    "/": OP_DIVIDE,
    "//": OP_FLOOR,
    "%": OP_MODULO,
}


_COMPARE = {
    "==": OP_EQUAL,
    "!=": OP_UNEQUAL,
    "<": OP_LESS,
    "<=": OP_LESS_EQUAL,
    ">": OP_GREATER,
    ">=": OP_GREATER_EQUAL,
}


_ON_PARTS = {
    "len": OP_LENGTH,
    "text": OP_TEXT,
    "lower": OP_LOWER,
    "upper": OP_UPPER,
    "startswith": OP_STARTS,
    "endswith": OP_ENDS,
    "contains": OP_HOLDS,
}
_GATHER = {"sum": SUM, "count": COUNT, "any": ANY_OF, "all": ALL_OF}
JUMPS = frozenset({OP_AND, OP_OR, OP_IF, OP_JUMP, OP_COALESCE, OP_LOOP, OP_NEXT})
"""Operations whose `a` is an operation."""


class Place(NamedTuple):
    """Where an expression stands.

    `fields` are what it may read of a payload or item, `target` is the variable that the value is written to, and
    `is_number` says whether that is one. `reads_parts` is false where what texts and lists hold is not known.
    """

    fields: Mapping[str, int]
    role: str = "value"
    target: str | None = None
    is_number: bool = False
    reads_parts: bool = True


class ExpressionCode:
    """The operations of one expression; `compile` returns how deep the stack gets."""

    def __init__(
        self,
        texts: Texts,
        host: list[HostExpression],
        variables: Mapping[str, int],
        place: Place,
        *,
        kind_of: Callable[[Expression], ValueType | None],
        functions: Sequence[str] = (),
    ) -> None:
        self.functions = functions
        self.texts = texts
        self.host = host
        self.variables = variables
        self.fields = place.fields
        self.place = place
        self.kind_of = kind_of
        self.ops: list[OpRow] = []

    def constant(self, value: Any) -> int:
        cell = Cell()
        self.texts.encode(value, cell)
        self.ops.append(OpRow(OP_CONSTANT, NONE, cell.tag, cell.whole, cell.real))
        return 1

    def ask(self, template: Template) -> int:
        """Leave a part to the surroundings."""
        read = names(template)
        whole = Whole("event") in read
        variables = self.variables
        if Whole("context") not in read:
            named = [name.field for name in read if isinstance(name, Name) and name.scope == "context"]
            variables = {name: self.variables[name] for name in named}
        role, target = self.place.role, self.place.target
        raises = condition_can_raise(template) if role == "condition" else can_raise(template)  # type: ignore[arg-type]
        asked = HostExpression(template, dict(self.fields), dict(variables), whole, role, raises, target)
        self.host.append(asked)
        self.ops.append(OpRow(OP_ASK, len(self.host) - 1))
        return 1

    def compile(self, node: Template) -> int:
        """The operations of a whole expression; the sum of nothing is a number where one is asked for (M10.7)."""
        if isinstance(node, IfElse):
            return self._if(node, self.compile)
        depth = self.part(node)
        if self.place.is_number and isinstance(node, Gather) and node.function == "sum":
            self.ops.append(OpRow(OP_ZERO))
        return depth

    def part(self, node: Template) -> int:
        match node:
            case Literal(value) | TemplateLiteral(value):
                return self.constant(value)
            case Name("context", name):
                self.ops.append(OpRow(OP_VARIABLE, self.variables[name]))
                return 1
            case Name("clock"):
                self.ops.append(OpRow(OP_NOW))
                return 1
            case Name("event" | "item", name) if name in self.fields:
                self.ops.append(OpRow(OP_FIELD, self.fields[name]))
                return 1
            case Not(operand) | Negate(operand):
                depth = self.part(operand)
                self.ops.append(OpRow(OP_NOT if isinstance(node, Not) else OP_NEGATE))
                return depth
            case Compare(operator, left, right) if operator in _COMPARE:
                return self._binary(_COMPARE[operator], left, right)
            case Arithmetic(operator, left, right) if not self._needs_parts(operator, left, right):
                return self._binary(_ARITHMETIC[operator], left, right, which=_literals(left, right))
            case Call("duration" | "timestamp"):
                return self.constant(time_of(node))
            case Call(function, (left, right)) if function in ("min", "max"):
                op = OP_MINIMUM if function == "min" else OP_MAXIMUM
                return self._binary(op, left, right, which=_literals(left, right))
            case Bool(word, operands):
                return self._bool(OP_AND if word == "and" else OP_OR, operands)
            case IfElse():
                return self._if(node, self.part)
        return self._on_parts(node) if self.place.reads_parts else self.ask(node)

    # --- texts, lists and objects ----------------------------------------------------------------

    def _needs_parts(self, operator: str, left: Expression, right: Expression) -> bool:
        """Whether it puts texts together, or may; or what it reads of a list cannot be known."""
        if not self.place.reads_parts and (isinstance(left, Gather) or isinstance(right, Gather)):
            return True
        kinds = [self._known_kind(side) for side in (left, right)]
        if self.place.reads_parts:
            return operator == "+" and kinds == [ValueType.STRING, ValueType.STRING]
        return operator == "+" and all(kind in (None, ValueType.STRING) for kind in kinds)

    def _known_kind(self, expression: Expression) -> ValueType | None:
        """The kind of a value; of what an item is part of nothing is known here."""
        return None if any(isinstance(part, Item) for part in walk(expression)) else self.kind_of(expression)

    def _on_parts(self, node: Template) -> int:
        match node:
            case Item():
                self.ops.append(OpRow(OP_ITEM))
                return 1
            case Whole("state"):
                self.ops.append(OpRow(OP_STATE, whole=self.texts.handle("")))
                return 1
            case Index(value, index):
                return self._binary(OP_INDEX, value, index)
            case Field(value, field):
                return self._unary(OP_PART, value, self.texts.handle(field))
            case Compare(operator, left, right):
                depth = max(4, self.part(left), 1 + self._list(right))
                self.ops.append(OpRow(OP_IN if operator == "in" else OP_NOT_IN))
                return depth
            case Arithmetic("+", _, _):
                return self._join(_pieces(node, self._known_kind))
            case Call("coalesce", arguments):
                return self._coalesce(arguments)
            case Call("min" | "max" as function, (argument,)):
                depth = max(4, self._list(argument))
                self.ops.append(OpRow(OP_LEAST if function == "min" else OP_MOST))
                return depth
            case Call(function, (argument,)) if function in _ON_PARTS:
                return self._unary(_ON_PARTS[function], argument)
            case Call(function, (left, right)) if function in _ON_PARTS:
                return self._binary(_ON_PARTS[function], left, right)
            case Apply(function, arguments):
                depth = max((k + self.part(each) for k, each in enumerate(arguments)), default=1)
                self.ops.append(OpRow(OP_CALL, len(arguments), whole=self.functions.index(function)))
                return depth
            case Gather() if all(_is_compiled(part, self.fields) for part in walk(node.body)):
                return self._gather(node)
            case ListOf(items) | TemplateList(items):
                return self._new(OP_LIST, items)
            case TemplateObject(fields):
                return self._new(OP_OBJECT, [part for _, part in fields], [name for name, _ in fields])
        return self.ask(node)

    def _unary(self, op: int, operand: Template, number: int = NONE) -> int:
        depth = self.part(operand)
        self.ops.append(OpRow(op, number))
        return depth

    def _list(self, node: Expression) -> int:
        """A list to go through, in two cells: it, and which field of each item is meant, if not all of it."""
        if isinstance(node, Field):
            return max(3, self._unary(OP_PARTS, node.value, self.texts.handle(node.field)))
        depth = self.part(node)
        return max(depth, 1 + self.constant(NONE))

    def _join(self, pieces: Sequence[Expression]) -> int:
        """Texts put together at once, but looked at one by one, as if each `+` were done."""
        depth = self.part(pieces[0])
        for n, piece in enumerate(pieces[1:], 2):
            depth = max(depth, n - 1 + self.part(piece))
            self.ops.append(OpRow(OP_PIECE, n))
        self.ops.append(OpRow(OP_JOIN, len(pieces)))
        return depth

    def _new(self, op: int, parts: Sequence[Template], fields: Sequence[str] = ()) -> int:
        """A list, or an object with these fields; what is written out is there already."""
        if all(isinstance(part, Literal | TemplateLiteral) for part in parts):
            values = [part.value for part in parts if isinstance(part, Literal | TemplateLiteral)]
            return self.constant(values if op == OP_LIST else dict(zip(fields, values)))
        depth = max(k + self.part(part) for k, part in enumerate(parts))
        self.ops.append(OpRow(op, len(parts), whole=self.texts.handle(list(fields)) if op == OP_OBJECT else 0))
        return depth

    def _coalesce(self, arguments: tuple[Expression, ...]) -> int:
        depth = self.part(arguments[0])
        jumps = []
        for argument in arguments[1:]:
            jumps.append(OpRow(OP_COALESCE))
            self.ops.append(jumps[-1])
            depth = max(depth, self.part(argument))
        for jump in jumps:
            jump.a = len(self.ops)
        return depth

    def _gather(self, node: Gather) -> int:
        function, size = _GATHER[node.function], sum(1 for _ in walk(node.body))
        depth = self._list(node.over)
        begin = OpRow(OP_LOOP, whole=function, size=size)
        self.ops.append(begin)
        first = len(self.ops)
        depth = max(depth, 5 + self.part(node.body))
        self.ops.append(OpRow(OP_NEXT, first, whole=function, size=size))
        begin.a = len(self.ops)
        return depth

    # --- numbers, and what decides ---------------------------------------------------------------

    def _binary(self, op: int, left: Expression, right: Expression, *, which: int = NONE) -> int:
        depth = max(self.part(left), 1 + self.part(right))
        self.ops.append(OpRow(op, which))
        return depth

    def _bool(self, op: int, operands: tuple[Expression, ...]) -> int:
        depth = self.part(operands[0])
        jumps = []
        for operand in operands[1:]:
            jumps.append(OpRow(op))
            self.ops.append(jumps[-1])
            depth = max(depth, self.part(operand))
        self.ops.append(OpRow(OP_BOOLEAN))
        for jump in jumps:
            jump.a = len(self.ops)
        return depth

    def _if(self, node: IfElse, branch: Callable[[Expression], int]) -> int:
        depth = self.part(node.test)
        test, skip = OpRow(OP_IF), OpRow(OP_JUMP)
        self.ops.append(test)
        depth = max(depth, branch(node.then))
        self.ops.append(skip)
        test.a = len(self.ops)
        depth = max(depth, branch(node.otherwise))
        skip.a = len(self.ops)
        return depth


def _is_compiled(node: Template, fields: Mapping[str, int]) -> bool:
    """Whether no part of it that is a node itself is left to the surroundings, which know no item that is looked at."""
    match node:
        case Whole(scope):
            return scope == "state"
        case Name("event" | "item", name):
            return name in fields
        case Call("min" | "max", arguments):
            return len(arguments) <= 2
        case _:
            return True


def _pieces(node: Expression, kind_of: Callable[[Expression], ValueType | None]) -> list[Expression]:
    """The texts that `+` puts together one behind another."""
    match node:
        case Arithmetic("+", left, right) if kind_of(left) is kind_of(right) is ValueType.STRING:
            return [*_pieces(left, kind_of), right]
    return [node]


def _literals(left: Expression, right: Expression) -> int:
    """Which operands are read as numbers beside one."""
    found = 0
    for side, literal, total in ((left, LITERAL_LEFT, SUM_LEFT), (right, LITERAL_RIGHT, SUM_RIGHT)):
        if isinstance(side, Literal) and type(side.value) is int:
            found |= literal
        if isinstance(side, Gather) and side.function == "sum":
            found |= total
    return found


def can_raise(template: Template) -> bool:
    """Whether evaluating may raise for some values; `False` only for what is plainly safe (M10.1).

    Safe are literals, plain names, objects and lists of such, comparisons with `null`, and logic over those.
    Assignments of safe values may still not fit their variable; that is asked separately.
    """
    match template:
        case Compare("==" | "!=", left, right):
            sides = (left, right)
            null = any(isinstance(side, Literal) and side.value is None for side in sides)
            return not null or any(can_raise(side) for side in sides)
        case Not(operand):
            return not _is_logic(operand) or can_raise(operand)
        case Bool(_, operands):
            return any(not _is_logic(operand) or can_raise(operand) for operand in operands)
        case Call("coalesce", arguments):
            return any(can_raise(argument) for argument in arguments)
        case Literal() | TemplateLiteral() | Name() | Whole() | Call("duration" | "timestamp"):
            return False
        case ListOf(items) | TemplateList(items):
            return any(can_raise(item) for item in items)
        case TemplateObject(fields):
            return any(can_raise(value) for _, value in fields)
        case _:
            return True


def _is_logic(expression: Expression) -> bool:
    return isinstance(expression, (Compare, Not, Bool)) or (
        isinstance(expression, Literal) and isinstance(expression.value, bool)
    )


def condition_can_raise(condition: Expression) -> bool:
    """Like `can_raise`, for a condition: it must also be a boolean."""
    return not _is_logic(condition) or can_raise(condition)
