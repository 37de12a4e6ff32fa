"""Types of expressions before anything runs: finds comparisons and operations that can never work (M10.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from wfsim.errors import did_you_mean, listed
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
)
from wfsim.model.expressions import to_text
from wfsim.model.parts import TEXT_FUNCTIONS
from wfsim.model.shapes import Shape, Signature, common, never_fits, plain
from wfsim.model.values import ValueType, kind_of

Report: TypeAlias = Callable[[str], None]
Shapes: TypeAlias = Mapping[str, Shape]
_NULL = "null"
_ORDERED = {"integer", "number", "string", "timestamp", "duration"}
_DURATION = "duration"
_LENGTH = Shape(ValueType.INTEGER, name="a length of time")
"""Of an expression that gives a length of time (M6.5); no type that people declare has such a name."""
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


def static_shape(
    template: Template,
    variables: Shapes,
    payload: Shapes | None = None,
    report: Report | None = None,
    *,
    items: Shapes | None = None,
) -> Shape | None:
    """What is known of the value that a template has whenever it has one; `None` if nothing is.

    Parameters
    ----------
    template
        A tree made by `parse` or `parse_template`.
    variables, payload, items
        Declared types, `items` of what a `for_each` goes through by its name there; what is missing or `any` is
        unknown, and nothing is reported about it.
    report
        Called with one sentence for every operation that can never work.
    """
    return _value(_Typing(variables, payload or {}, items or {}, report or (lambda _: None)).shape(template))


def static_type(
    template: Template, variables: Shapes, payload: Shapes | None = None, report: Report | None = None
) -> ValueType | None:
    """The kind of that value; a list or an object is one whatever is inside."""
    shape = static_shape(template, variables, payload, report)
    return None if shape is None else shape.kind


def gives_duration(expression: Expression, variables: Shapes) -> bool:
    """Whether an expression gives a length of time, which is in microseconds (M6.5)."""
    return _Typing(variables, {}, {}, lambda _: None).kind(expression) == _DURATION


class _Typing:
    def __init__(self, variables: Shapes, payload: Shapes, items: Shapes, report: Report) -> None:
        self.items = items
        self.variables = variables
        self.payload = payload
        self.report = report
        self.looked_at: list[Shape | None] = []

    def shape(self, node: Template) -> Shape | None:
        """What is known of its value; reports what cannot work on the way."""
        match node:
            case Name("context" | "given", name):
                return _known(self.variables.get(name))
            case Name("event", name):
                return _known(self.payload.get(name))
            case Name("item", name):
                return _known(self.items.get(name))
            case Item():
                return _known(self.looked_at[-1])
            case Index(value, index):
                return self.index(node, value, index)
            case Field(value, field):
                return self.field(node, self.shape(value), field)
            case Apply(_, arguments, declared):
                return self.applied(node, declared, arguments)
            case IfElse(test, then, otherwise):
                self.need(node, "`if` needs true or false", [self.kind(test)], {"boolean"})
                return _common(self.shape(then), self.shape(otherwise))
            case Call("coalesce", arguments):
                return self.coalesce(arguments)
            case Call("min" | "max" as function, (argument,)):
                return self.extreme_of_list(node, function, self.shape(argument))
            case TemplateLiteral(value) | Literal(value):
                return None if value is None else Shape(ValueType(kind_of(value)), values=(value,))
            case TemplateList(items):
                return Shape(ValueType.LIST, items=self.all_of(items))
            case ListOf(items):
                return Shape(ValueType.LIST, items=self.all_of(items))
            case TemplateObject(fields):
                return Shape(
                    ValueType.OBJECT,
                    fields={name: _value(self.shape(part)) or plain(ValueType.ANY) for name, part in fields},
                )
        kind = self.computed(node)
        if kind == _DURATION:
            return _LENGTH
        return None if kind is None else Shape(ValueType(kind))

    def all_of(self, items: tuple[Template, ...]) -> Shape | None:
        """What is known of each of several values."""
        shapes = [_value(self.shape(item)) for item in items]
        found = shapes[0] if shapes else None
        for each in shapes[1:]:
            found = common(found, each)
        return found

    def kind(self, node: Expression) -> str | None:
        """`integer`, `number`, …, `null`, `duration`, or `None` when unknown."""
        if isinstance(node, Literal):
            return kind_of(node.value)
        shape = self.shape(node)
        if shape is None:
            return None
        return _DURATION if _is_length(shape) else shape.kind.value

    def computed(self, node: Template) -> str | None:
        """The kind of what an operation comes to."""
        match node:
            case Name("clock"):
                return "timestamp"
            case Whole("state"):
                return "string"
            case Whole() | Name():
                return None
            case Negate(operand):
                kind = self.kind(operand)
                self.need(node, "`-` takes an integer or a number", [kind], {"integer", "number"})
                return kind if kind != _NULL else None
            case Not(operand):
                self.need(node, "`not` needs true or false", [self.kind(operand)], {"boolean"})
                return "boolean"
            case Bool(word, operands):
                kinds = [self.kind(operand) for operand in operands]
                self.need(node, f"`{word}` needs true or false", kinds, {"boolean"})
                return "boolean"
            case Compare("in" | "not in" as operator, left, right):
                self.membership(node, operator, left, right)
                return "boolean"
            case Compare(operator, left, right):
                self.comparison(node, operator, self.kind(left), self.kind(right))
                return "boolean"
            case Arithmetic(operator, left, right):
                kinds = self.literals([left, right])
                if _DURATION in kinds or "timestamp" in kinds:
                    return self.times(node, operator, kinds)
                return self.arithmetic(node, operator, kinds)
            case Gather(function, over, body):
                return self.gather(node, function, over, body)
            case Call("duration" | "timestamp" as kind):
                return kind
            case Call("len", (argument,)):
                wanted = {"string", "list", "object"}
                self.need(node, "`len` takes a string, a list or an object", [self.kind(argument)], wanted)
                return "integer"
            case Call("text", (argument,)):
                wanted = {"string", "integer", "number", "boolean"}
                self.need(node, "`text` takes a text, a number or a boolean", [self.kind(argument)], wanted)
                return "string"
            case Call(function, arguments) if function in TEXT_FUNCTIONS:
                self.need(node, f"`{function}` takes texts", [self.kind(each) for each in arguments], {"string"})
                return "string" if function in ("lower", "upper") else "boolean"
            case Call(function, arguments):
                return self.extreme(node, function, self.literals(list(arguments)))
        raise AssertionError(f"not an expression: {node!r}")

    def index(self, node: Expression, value: Expression, index: Expression) -> Shape | None:
        owner = self.shape(value)
        self.need(node, "`[…]` takes an item of a list", [_kind(owner)], {"list"})
        self.need(node, "an index is an integer (a field is named with a dot)", [self.kind(index)], {"integer"})
        return _known(owner.items) if owner is not None else None

    def field(self, node: Expression, owner: Shape | None, field: str) -> Shape | None:
        if owner is None:
            return None
        if owner.kind is ValueType.LIST:
            return Shape(ValueType.LIST, items=self.field(node, _known(owner.items), field))
        if not self.need(node, f"`.{field}` is of an object, or of a list of such", [_kind(owner)], {"object"}):
            return None
        if owner.fields is None:
            return None
        if field not in owner.fields:
            near = did_you_mean(field, owner.fields).strip().removesuffix("?")
            meant = f" ({near[0].lower()}{near[1:]}?)" if near else ""
            self.report(f"in `{to_text(node)}`: there is no field {field!r}{meant}; fields are {listed(owner.fields)}")
            return None
        return _known(owner.fields[field])

    def coalesce(self, arguments: tuple[Expression, ...]) -> Shape | None:
        found: Shape | None = None
        for n, argument in enumerate(arguments):
            if isinstance(argument, Literal) and argument.value is None:
                continue
            shape = self.shape(argument)
            found = shape if n == 0 or found is None else _common(found, shape)
            if found is None:
                return None
        return found

    def applied(self, node: Expression, declared: Signature | None, arguments: tuple[Expression, ...]) -> Shape | None:
        """What a function in Python gives; an argument that never fits is no answer (M14.2)."""
        shapes = [(argument, _value(self.shape(argument))) for argument in arguments]
        if declared is None:
            return None
        for (name, target), (argument, shape) in zip(declared.inputs.items(), shapes):
            null = isinstance(argument, Literal) and argument.value is None
            if null and not target.optional:
                self.report(f"in `{to_text(node)}`: the argument {name!r} is not optional, and here it is given null")
            elif shape is not None and (reason := never_fits(target, shape)) is not None:
                self.report(f"in `{to_text(node)}`: the argument {name!r} never fits: {reason}")
        return _known(declared.result)

    def gather(self, node: Expression, function: str, over: Expression, body: Expression) -> str | None:
        owner = self.shape(over)
        self.need(node, f"`{function}` goes through a list", [_kind(owner)], {"list"})
        self.looked_at.append(owner.items if owner is not None else None)
        kind = self.kind(body)
        self.looked_at.pop()
        if function == "sum":
            # The sum of nothing is an integer, whatever the list was to hold.
            self.need(node, "`sum` adds integers or numbers", [kind], {"integer", "number"})
            return "integer" if kind == "integer" else None
        self.need(node, f"`{function}` asks what is true or false", [kind], {"boolean"})
        return "integer" if function == "count" else "boolean"

    def extreme_of_list(self, node: Expression, function: str, over: Shape | None) -> Shape | None:
        self.need(node, f"`{function}` of one value takes a list", [_kind(over)], {"list"})
        inside = _known(over.items) if over is not None else None
        wanted = {"integer", "number", "string"}
        self.need(node, f"`{function}` takes integers, numbers or strings", [_kind(inside)], wanted)
        return None if inside is None else Shape(inside.kind, optional=True)

    def literals(self, operands: list[Expression]) -> list[str | None]:
        """Kinds of the operands; an integer literal beside a number or the unknown may be a number."""
        kinds = [self.kind(operand) for operand in operands]
        if all(kind == "integer" for kind in kinds):
            return kinds
        beside_number = "number" in kinds
        return [
            ("number" if beside_number else None)
            if _may_be_number(operand) and kind == "integer" and (beside_number or None in kinds)
            else kind
            for operand, kind in zip(operands, kinds)
        ]

    def arithmetic(self, node: Expression, operator: str, kinds: list[str | None]) -> str | None:
        allowed = {"/": {"number"}, "//": {"integer"}, "%": {"integer"}, "+": {"integer", "number", "string"}}.get(
            operator, {"integer", "number"}
        )
        wanted = {
            "+": "two integers, two numbers or two texts",
            "/": "two numbers",
            "//": "two integers",
            "%": "two integers",
        }.get(operator, "two integers or two numbers")
        if not self.need(node, f"`{operator}` takes {wanted}", kinds, allowed):
            return None
        known = {kind for kind in kinds if kind is not None}
        if len(known) > 1:
            advice = "; put `text(…)` around what is no text" if "string" in known else ""
            self.complain(node, f"`{operator}` takes {wanted}, and nothing is converted{advice}", kinds)
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
        self.of_one_type(node, operator, left, right)

    def membership(self, node: Expression, operator: str, value: Expression, container: Expression) -> None:
        left, right = self.kind(value), self.shape(container)
        part = "; part of a text: contains(text, part)" if _kind(right) == "string" else ""
        if not self.need(node, f"`{operator}` needs a list on its right{part}", [_kind(right)], {"list"}):
            return
        inside = _known(right.items) if right is not None else None
        if inside is None or left == _NULL:
            return
        advice = ""
        if inside.kind is ValueType.OBJECT:
            alike = [
                name
                for name, each in (inside.fields or {}).items()
                if left and _numeric(each.kind.value) == _numeric(left)
            ]
            by_field = f"{to_text(value)} {operator} {to_text(container)}.{alike[0] if alike else '<field>'}"
            advice = f"; by a field of the items: {by_field}"
        self.of_one_type(node, operator, left, inside.kind.value, advice)

    def of_one_type(
        self, node: Expression, operator: str, left: str | None, right: str | None, advice: str = ""
    ) -> None:
        if left is not None and right is not None and _numeric(left) != _numeric(right):
            self.complain(node, f"`{operator}` compares values of one type{advice}", [left, right])

    def need(self, node: Expression, wanted: str, kinds: list[str | None], allowed: set[str]) -> bool:
        if all(kind is None or kind in allowed for kind in kinds):
            return True
        self.complain(node, wanted, kinds)
        return False

    def complain(self, node: Expression, wanted: str, kinds: list[str | None]) -> None:
        found = " and ".join(kind if kind is not None else "any" for kind in kinds)
        self.report(f"in `{to_text(node)}`: {wanted}, and here it is given {found}")


def _is_length(shape: Shape | None) -> bool:
    return shape is not None and shape.name == _LENGTH.name


def _value(shape: Shape | None) -> Shape | None:
    """What is known of a value: of a length of time nothing, as none has that as its type."""
    return None if _is_length(shape) else shape


def _common(first: Shape | None, second: Shape | None) -> Shape | None:
    return common(first, second) if _is_length(first) == _is_length(second) else None


def _known(shape: Shape | None) -> Shape | None:
    return None if shape is None or shape.kind is ValueType.ANY else shape


def _kind(shape: Shape | None) -> str | None:
    return None if shape is None else shape.kind.value


def _may_be_number(operand: Expression) -> bool:
    """Whether an integer that it comes to may be read as a number: a literal, or the sum of nothing."""
    return isinstance(operand, Literal) or (isinstance(operand, Gather) and operand.function == "sum")


def _numeric(kind: str) -> str:
    return "numeric" if kind in ("integer", "number") else kind
