"""Types of expressions before anything runs: finds comparisons and operations that can never work (M10.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

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
    Template,
    TemplateList,
    TemplateLiteral,
    TemplateObject,
    Whole,
)
from wfsim.model.expressions import to_text
from wfsim.model.values import ValueType, kind_of

Report: TypeAlias = Callable[[str], None]
_NULL = "null"
_ORDERED = {"integer", "number", "string", "timestamp", "duration"}
_DURATION = "duration"
_TIME_ARITHMETIC = {
    ("timestamp", "+", _DURATION): "timestamp",
    (_DURATION, "+", "timestamp"): "timestamp",
    ("timestamp", "-", _DURATION): "timestamp",
    ("timestamp", "-", "timestamp"): _DURATION,
    (_DURATION, "+", _DURATION): _DURATION,
    (_DURATION, "-", _DURATION): _DURATION,
    (_DURATION, "*", "integer"): _DURATION,
    ("integer", "*", _DURATION): _DURATION,
    (_DURATION, "//", "integer"): _DURATION,
    (_DURATION, "//", _DURATION): "integer",
    (_DURATION, "%", _DURATION): _DURATION,
}
"""What may be computed with times (M6.5)."""


def static_type(
    expression: Expression,
    variable_types: Mapping[str, ValueType],
    payload_types: Mapping[str, ValueType] | None = None,
    report: Report | None = None,
) -> ValueType | None:
    """The type an expression has whenever it has a value; `None` if that is not known.

    Parameters
    ----------
    expression
        A tree made by `parse`.
    variable_types, payload_types
        Declared types; what is missing or `any` is unknown, and nothing is reported about it.
    report
        Called with one sentence for every operation that can never work.
    """
    typing = _Typing(variable_types, payload_types or {}, report or (lambda _: None))
    kind = typing.kind(expression)
    return ValueType(kind) if kind is not None and kind not in (_NULL, _DURATION) else None


def gives_duration(expression: Expression, variable_types: Mapping[str, ValueType]) -> bool:
    """Whether an expression gives a length of time, which is in microseconds (M6.5)."""
    return _Typing(variable_types, {}, lambda _: None).kind(expression) == _DURATION


def template_type(
    template: Template, variable_types: Mapping[str, ValueType], payload_types: Mapping[str, ValueType] | None = None
) -> ValueType | None:
    """Like `static_type`, for a template: a list or an object is one whatever is inside."""
    match template:
        case TemplateLiteral(value):
            kind = kind_of(value)
            return None if kind == _NULL else ValueType(kind)
        case TemplateList():
            return ValueType.LIST
        case TemplateObject():
            return ValueType.OBJECT
    return static_type(template, variable_types, payload_types)


class _Typing:
    def __init__(self, variables: Mapping[str, ValueType], payload: Mapping[str, ValueType], report: Report) -> None:
        self.variables = variables
        self.payload = payload
        self.report = report

    def kind(self, node: Expression) -> str | None:
        """`integer`, `number`, …, `null`, or `None` when unknown; reports what cannot work on the way."""
        match node:
            case Literal(value):
                return kind_of(value)
            case Name("context", field):
                return _known(self.variables.get(field))
            case Name("clock"):
                return "timestamp"
            case Name("event", field):
                return _known(self.payload.get(field))
            case Whole("state"):
                return "string"
            case Whole() | Name():
                return None
            case Negate(operand):
                kind = self.kind(operand)
                self.need(node, "`-` takes an integer or a number", [kind], {"integer", "number"})
                return kind
            case Not(operand):
                self.need(node, "`not` needs true or false", [self.kind(operand)], {"boolean"})
                return "boolean"
            case Bool(word, operands):
                kinds = [self.kind(operand) for operand in operands]
                self.need(node, f"`{word}` needs true or false", kinds, {"boolean"})
                return "boolean"
            case IfElse(test, then, otherwise):
                self.need(node, "`if` needs true or false", [self.kind(test)], {"boolean"})
                kinds = [self.kind(then), self.kind(otherwise)]
                return kinds[0] if kinds[0] == kinds[1] else None
            case Compare(operator, left, right):
                self.comparison(node, operator, self.kind(left), self.kind(right))
                return "boolean"
            case Arithmetic(operator, left, right):
                kinds = self.literals([left, right])
                if _DURATION in kinds or "timestamp" in kinds:
                    return self.times(node, operator, kinds)
                return self.arithmetic(node, operator, kinds)
            case Call("duration" | "timestamp" as kind):
                return kind
            case Call("len", (argument,)):
                wanted = {"string", "list", "object"}
                self.need(node, "`len` takes a string, a list or an object", [self.kind(argument)], wanted)
                return "integer"
            case Call(function, arguments):
                return self.extreme(node, function, self.literals(list(arguments)))
            case ListOf(items):
                for item in items:
                    self.kind(item)
                return "list"
        raise AssertionError(f"not an expression: {node!r}")

    def literals(self, operands: list[Expression]) -> list[str | None]:
        """Kinds of the operands; an integer literal beside a number or the unknown may be a number."""
        kinds = [self.kind(operand) for operand in operands]
        if all(kind == "integer" for kind in kinds):
            return kinds
        beside_number = "number" in kinds
        return [
            ("number" if beside_number else None)
            if isinstance(operand, Literal) and kind == "integer" and (beside_number or None in kinds)
            else kind
            for operand, kind in zip(operands, kinds)
        ]

    def arithmetic(self, node: Expression, operator: str, kinds: list[str | None]) -> str | None:
        allowed = {"/": {"number"}, "//": {"integer"}, "%": {"integer"}}.get(operator, {"integer", "number"})
        wanted = {"/": "two numbers", "//": "two integers", "%": "two integers"}.get(
            operator, "two integers or two numbers"
        )
        if not self.need(node, f"`{operator}` takes {wanted}", kinds, allowed):
            return None
        known = {kind for kind in kinds if kind is not None}
        if len(known) > 1:
            self.complain(node, f"`{operator}` takes {wanted}, and nothing is converted", kinds)
            return None
        return known.pop() if known else next(iter(allowed)) if len(allowed) == 1 else None

    def times(self, node: Expression, operator: str, kinds: list[str | None]) -> str | None:
        if None in kinds:
            return None
        found = _TIME_ARITHMETIC.get((kinds[0] or "", operator, kinds[1] or ""))
        if found is None:
            wanted = f'`{operator}` on times: a duration such as duration("2h") is added, or timestamps are subtracted'
            self.complain(node, wanted, kinds)
        return found

    def extreme(self, node: Expression, function: str, kinds: list[str | None]) -> str | None:
        wanted = f"`{function}` takes values that are all integers, numbers or strings"
        if not self.need(node, wanted, kinds, _ORDERED):
            return None
        known = {kind for kind in kinds if kind is not None}
        if len(known) > 1:
            self.complain(node, wanted, kinds)
            return None
        return known.pop() if known else None

    def comparison(self, node: Expression, operator: str, left: str | None, right: str | None) -> None:
        if operator in ("in", "not in"):
            self.need(node, f"`{operator}` needs a list on its right", [right], {"list"})
            return
        if operator not in ("==", "!="):
            if not self.need(
                node,
                f"`{operator}` orders numbers or strings",
                [left, right],
                _ORDERED,
            ):
                return
        elif _NULL in (left, right):
            return
        if left is not None and right is not None and _numeric(left) != _numeric(right):
            self.complain(node, f"`{operator}` compares values of one type", [left, right])

    def need(self, node: Expression, wanted: str, kinds: list[str | None], allowed: set[str]) -> bool:
        if all(kind is None or kind in allowed for kind in kinds):
            return True
        self.complain(node, wanted, kinds)
        return False

    def complain(self, node: Expression, wanted: str, kinds: list[str | None]) -> None:
        found = " and ".join(kind if kind is not None else "any" for kind in kinds)
        self.report(f"in `{to_text(node)}`: {wanted}, and here it is given {found}")


def _known(value_type: ValueType | None) -> str | None:
    return None if value_type is None or value_type is ValueType.ANY else value_type.value


def _numeric(kind: str) -> str:
    return "numeric" if kind in ("integer", "number") else kind
