"""Expressions as operations of the stack machine, and which of them can raise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wfsim.model.expression_tree import (
    Arithmetic,
    Bool,
    Call,
    Compare,
    Expression,
    Gather,
    IfElse,
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
)
from wfsim.model.values import ValueType

from .codes import (
    NONE,
    OP_ADD,
    OP_AND,
    OP_ASK,
    OP_BOOLEAN,
    OP_CONSTANT,
    OP_DIVIDE,
    OP_EQUAL,
    OP_FIELD,
    OP_FLOOR,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_IF,
    OP_JUMP,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_MAXIMUM,
    OP_MINIMUM,
    OP_MODULO,
    OP_MULTIPLY,
    OP_NEGATE,
    OP_NOT,
    OP_NOW,
    OP_OR,
    OP_SUBTRACT,
    OP_UNEQUAL,
    OP_VARIABLE,
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


class ExpressionCode:
    """The operations of one expression; `compile` returns how deep the stack gets."""

    def __init__(
        self,
        texts: Texts,
        host: list[HostExpression],
        variables: Mapping[str, int],
        fields: Mapping[str, int],
        role: str,
        target: str | None = None,
        *,
        kind_of: Callable[[Expression], ValueType | None],
    ) -> None:
        self.texts = texts
        self.host = host
        self.variables = variables
        self.fields = fields
        self.role = role
        self.target = target
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
        raises = condition_can_raise(template) if self.role == "condition" else can_raise(template)  # type: ignore[arg-type]
        asked = HostExpression(template, dict(self.fields), dict(variables), whole, self.role, raises, self.target)
        self.host.append(asked)
        self.ops.append(OpRow(OP_ASK, len(self.host) - 1))
        return 1

    def compile(self, node: Template) -> int:
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
                depth = self.compile(operand)
                self.ops.append(OpRow(OP_NOT if isinstance(node, Not) else OP_NEGATE))
                return depth
            case Compare(operator, left, right) if operator in _COMPARE:
                return self._binary(_COMPARE[operator], left, right, literal=False)
            case Arithmetic(operator, left, right) if not self._needs_tables(operator, left, right):
                return self._binary(_ARITHMETIC[operator], left, right, literal=True)
            case Call("duration" | "timestamp"):
                return self.constant(time_of(node))
            case Call(function, (left, right)) if function in ("min", "max"):
                return self._binary(OP_MINIMUM if function == "min" else OP_MAXIMUM, left, right, literal=True)
            case Bool(word, operands):
                return self._bool(OP_AND if word == "and" else OP_OR, operands)
            case IfElse(test, then, otherwise):
                return self._if(test, then, otherwise)
            case _:
                return self.ask(node)

    def _needs_tables(self, operator: str, left: Expression, right: Expression) -> bool:
        """Whether it may put texts together, which makes a new one, or reads the sum of nothing as a number (M10.7)."""
        if isinstance(left, Gather) or isinstance(right, Gather):
            return True
        return operator == "+" and all(self.kind_of(side) in (None, ValueType.STRING) for side in (left, right))

    def _binary(self, op: int, left: Expression, right: Expression, *, literal: bool) -> int:
        depth = max(self.compile(left), 1 + self.compile(right))
        which = NONE
        if literal and (_is_integer(left) or _is_integer(right)):
            which = 1 if _is_integer(left) else 2
        self.ops.append(OpRow(op, which))
        return depth

    def _bool(self, op: int, operands: tuple[Expression, ...]) -> int:
        depth = self.compile(operands[0])
        jumps = []
        for operand in operands[1:]:
            jumps.append(OpRow(op))
            self.ops.append(jumps[-1])
            depth = max(depth, self.compile(operand))
        self.ops.append(OpRow(OP_BOOLEAN))
        for jump in jumps:
            jump.a = len(self.ops)
        return depth

    def _if(self, test: Expression, then: Expression, otherwise: Expression) -> int:
        depth = self.compile(test)
        branch, skip = OpRow(OP_IF), OpRow(OP_JUMP)
        self.ops.append(branch)
        depth = max(depth, self.compile(then))
        self.ops.append(skip)
        branch.a = len(self.ops)
        depth = max(depth, self.compile(otherwise))
        skip.a = len(self.ops)
        return depth


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


def _is_integer(expression: Expression) -> bool:
    """Whether it is an integer literal, which beside a number is read as one."""
    return isinstance(expression, Literal) and type(expression.value) is int


def _is_logic(expression: Expression) -> bool:
    return isinstance(expression, (Compare, Not, Bool)) or (
        isinstance(expression, Literal) and isinstance(expression.value, bool)
    )


def condition_can_raise(condition: Expression) -> bool:
    """Like `can_raise`, for a condition: it must also be a boolean."""
    return not _is_logic(condition) or can_raise(condition)
