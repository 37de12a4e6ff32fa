"""What an expression is worth: the readable evaluator, and what a variable keeps (M10).

Rules, each in one place below:

- A value is null, boolean, integer (64 bits), number (finite double), string, list or object. A boolean is
  not an integer. Nothing is converted.
- Operands are evaluated left to right, then checked: null first (`Expression.null`), then types
  (`Expression.type`), then the result (`Expression.overflow`, `Expression.division`).
- `+ - *` take two integers or two numbers, `/` two numbers, `//` and `%` two integers (rounding down); `+` also puts
  two texts together.
- An integer *literal* beside a number is read as a number literal: `context.total * 2` works. That is the
  typing of a literal, not a conversion: `context.total * context.count` is `Expression.type`.
- Integers and numbers are ordered and equal by exact mathematical value; strings by code point. Booleans,
  lists and objects have no order; `==` needs two values of one kind, or null on either side.
- Inside lists and objects, equality is equality of JSON: `[1] == [1.0]` and `[1] == [true]` are false.
- `x in list`: some element for which `==` gives true; elements of another kind do not match.
- `and`, `or`, `a if c else b` evaluate only what decides; every operand evaluated must be boolean.
- `-0.0` does not exist; it becomes `0.0`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wfsim.model.elements import Variable
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
    time_of,
    walk,
)
from wfsim.model.functions import Given
from wfsim.model.parts import (
    SIGNS_PER_STEP,
    TEXT_FUNCTIONS,
    Steps,
    called,
    field_of,
    item_at,
    joined,
    refuse_null,
)
from wfsim.model.shapes import Shape, fitted
from wfsim.model.values import (
    DIVISION,
    EXACT_INTEGER,
    LARGEST_INTEGER,
    NULL,
    OVERFLOW,
    SMALLEST_INTEGER,
    TYPE,
    EvaluationFault,
    Value,
    ValueType,
    coerce,
    described,
    kind_of,
)


def evaluate(
    expression: Expression,
    context: Mapping[str, Value],
    event: Mapping[str, Value] | None,
    state: str,
    item: Mapping[str, Value] | None = None,
    now: int | None = None,
    functions: Given | None = None,
) -> Value:
    """Compute the value of an expression.

    Parameters
    ----------
    expression
        A tree made by `parse`.
    context
        Variables of the instance; a missing one is null.
    event
        Payload of the event taken, `None` for automatic transitions and timers; a missing field is null.
    state
        Name of the active state.
    item
        Inside `for_each`: the item under the name that `as` gives it.
    now
        The time of the step; `None` where there is none, so that reading it is `Expression.null`.
    functions
        Those in Python that it may call (M14).

    Raises
    ------
    EvaluationFault
        With the kind the instance sees.
    FunctionError
        If a function that it calls was not given, or does not give one answer for the same arguments.

    Notes
    -----
    Time is proportional to the size of the tree and of the values compared; functions that go through a list take
    `MOST_STEPS` steps at most, each for one part of the tree and one item.
    """
    looked_at: list[Value] = []
    steps: list[Steps] = []

    def take(n: int) -> None:
        if steps:
            steps[0].take(n)

    def gathered(function: str, over: Value, body: Expression) -> Value:
        refuse_null(f"`{function}`", over)
        if kind_of(over) != "list":
            raise EvaluationFault(TYPE, f"`{function}` takes a list, not {described(over)}.")
        size = sum(1 for _ in walk(body))
        if not steps:
            steps.append(Steps())
            try:
                return gathered(function, over, body)
            finally:
                steps.pop()
        found: Any = 0 if function in ("sum", "count") else function == "all"
        for n, each in enumerate(over):
            take(size)
            looked_at.append(each)
            try:
                value = value_of(body)
            finally:
                looked_at.pop()
            if function == "sum":
                refuse_null("`sum`", value)
                if kind_of(value) not in ("integer", "number"):
                    raise EvaluationFault(TYPE, f"`sum` adds integers or numbers, not {described(value)}.")
                found = arithmetic("+", found, value) if n else value
            elif function == "count":
                found += need_boolean(value, function)
            elif need_boolean(value, function) is not found:
                return not found
        return found

    def value_of(node: Expression) -> Value:
        match node:
            case Literal(value):
                return value
            case Name("clock"):
                return now
            case Name(scope, field):
                owner = context if scope in ("context", "given") else event if scope == "event" else item
                return None if owner is None else owner.get(field)
            case Whole(whole):
                return state if whole == "state" else _plain(context if whole == "context" else event)
            case Negate(operand):
                return negate(value_of(operand))
            case Not(operand):
                return not need_boolean(value_of(operand), "not")
            case Item():
                return looked_at[-1]
            case Index(value, index):
                return item_at(value_of(value), value_of(index))
            case Field(value, field):
                owner = value_of(value)
                take(len(owner) if isinstance(owner, list) else 0)
                return field_of(owner, field)
            case Gather(function, over, body):
                return gathered(function, value_of(over), body)
            case Arithmetic(operator, left, right):
                first, second = value_of(left), value_of(right)
                first, second = read_literals([(left, first), (right, second)])
                if isinstance(first, str):
                    take(len(first) // SIGNS_PER_STEP)
                return arithmetic(operator, first, second)
            case Compare(operator, left, right):
                first, second = value_of(left), value_of(right)
                if operator in ("in", "not in"):
                    take(len(second) if isinstance(second, list) else 0)
                return compare(operator, first, second)
            case Bool(word, operands):
                decides = word == "or"
                for operand in operands:
                    if need_boolean(value_of(operand), word) is decides:
                        return decides
                return not decides
            case IfElse(test, then, otherwise):
                return value_of(then if need_boolean(value_of(test), "if") else otherwise)
            case Call("len", (argument,)):
                return length(value_of(argument))
            case Call("duration" | "timestamp"):
                return time_of(node)
            case Call("coalesce", arguments):
                return next((found for found in map(value_of, arguments) if found is not None), None)
            case Call(function, arguments) if function in TEXT_FUNCTIONS:
                values = [value_of(argument) for argument in arguments]
                take(sum(len(value) for value in values if isinstance(value, str)) // SIGNS_PER_STEP)
                return called(function, values)
            case Call("min" | "max" as function, (argument,)):
                return of_a_list(function, value_of(argument))
            case Call(function, arguments):
                values = [value_of(argument) for argument in arguments]
                return smallest_or_largest(function, read_literals(list(zip(arguments, values))))
            case Apply(name, arguments):
                assert functions is not None, f"nobody gave what could answer functions.{name}"
                return functions.call(name, [value_of(argument) for argument in arguments])
            case ListOf(items):
                return [value_of(part) for part in items]
        raise AssertionError(f"not an expression: {node!r}")

    return value_of(expression)


def evaluate_template(
    template: Template,
    context: Mapping[str, Value],
    event: Mapping[str, Value] | None,
    state: str,
    item: Mapping[str, Value] | None = None,
    now: int | None = None,
    functions: Given | None = None,
) -> Value:
    """Compute a template: literals stand for themselves, expressions are evaluated in the order written."""
    match template:
        case TemplateLiteral(value):
            return value
        case TemplateList(items):
            return [evaluate_template(part, context, event, state, item, now, functions) for part in items]
        case TemplateObject(fields):
            return {key: evaluate_template(part, context, event, state, item, now, functions) for key, part in fields}
        case _:
            return evaluate(template, context, event, state, item, now, functions)


# Operations ----------------------------------------------------------------------------------------------


def need_boolean(value: Value, what: str) -> bool:
    """The value itself, if it is a boolean; `what` asks for it."""
    if value is None:
        raise EvaluationFault(NULL, f"`{what}` needs true or false, not null.")
    if not isinstance(value, bool):
        raise EvaluationFault(TYPE, f"`{what}` needs true or false, not {described(value)}.")
    return value


def read_literals(operands: Sequence[tuple[Expression, Value]]) -> list[Value]:
    """Values of the operands, where integer literals beside a number are read as number literals."""
    if not any(isinstance(value, float) for _, value in operands):
        return [value for _, value in operands]
    return [beside_a_number(node, value) for node, value in operands]


def beside_a_number(node: Template, value: Value) -> Value:
    """A value as it is read where a number is asked for: an integer literal, and the sum of nothing, as a number."""
    literal = isinstance(node, Literal) or (value == 0 and isinstance(node, Gather) and node.function == "sum")
    return float(value) if literal and kind_of(value) == "integer" and abs(value) <= EXACT_INTEGER else value


def arithmetic(operator: str, left: Value, right: Value) -> int | float | str:
    """`+ - * / // %` on two values."""
    refuse_null(f"`{operator}`", left, right)
    kinds = (kind_of(left), kind_of(right))
    if kinds == ("integer", "integer") and operator != "/":
        if operator in ("//", "%"):
            if right == 0:
                raise EvaluationFault(DIVISION, f"{left} {operator} 0.")
            return whole(left // right if operator == "//" else left % right)
        return whole(left + right if operator == "+" else left - right if operator == "-" else left * right)
    if kinds == ("number", "number") and operator not in ("//", "%"):
        if operator == "/":
            if right == 0.0:
                raise EvaluationFault(DIVISION, f"{left} / {right}.")
            return finite(left / right)
        return finite(left + right if operator == "+" else left - right if operator == "-" else left * right)
    if operator == "+" and kinds == ("string", "string"):
        return joined(left, right)
    wanted = {
        "+": "two integers, two numbers or two texts",
        "/": "two numbers",
        "//": "two integers",
        "%": "two integers",
    }.get(operator, "two integers or two numbers")
    raise EvaluationFault(TYPE, f"`{operator}` takes {wanted}, not {described(left)} and {described(right)}.")


def negate(value: Value) -> int | float:
    """Unary minus."""
    refuse_null("`-`", value)
    kind = kind_of(value)
    if kind == "integer":
        return whole(-value)
    if kind == "number":
        return finite(-value)
    raise EvaluationFault(TYPE, f"`-` takes an integer or a number, not {described(value)}.")


def whole(value: int) -> int:
    """The integer itself, if it has 64 bits."""
    if not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
        raise EvaluationFault(OVERFLOW, "the integer is beyond 64 bits.")
    return value


def finite(value: float) -> float:
    """The number itself, if it is finite; never minus zero."""
    if not math.isfinite(value):
        raise EvaluationFault(OVERFLOW, "the number is beyond a finite double.")
    return value + 0.0


def compare(operator: str, left: Value, right: Value) -> bool:
    """`== != < <= > >= in`, and `not in`, on two values."""
    if operator in ("==", "!="):
        return equal(left, right) is (operator == "==")
    if operator in ("in", "not in"):
        return _contains(right, left) is (operator == "in")
    refuse_null(f"`{operator}`", left, right)
    if _comparable(left, right) not in ("numeric", "string"):
        raise EvaluationFault(TYPE, f"`{operator}` does not order {described(left)} and {described(right)}.")
    return bool(_ORDER[operator](left, right))


# Python compares integers with doubles exactly, and strings by code point.
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def equal(left: Value, right: Value) -> bool:
    """`==` on two values of one kind, or null on either side."""
    if left is None or right is None:
        return left is None and right is None
    kind = _comparable(left, right)
    if kind is None:
        raise EvaluationFault(TYPE, f"`==` does not compare {described(left)} with {described(right)}.")
    return _same_json(left, right) if kind in ("list", "object") else bool(left == right)


def _comparable(left: Value, right: Value) -> str | None:
    """The kind both have, where integers and numbers are of one kind; `None` if they differ."""
    kinds = ["numeric" if kind in ("integer", "number") else kind for kind in (kind_of(left), kind_of(right))]
    return kinds[0] if kinds[0] == kinds[1] else None


def _same_json(left: Value, right: Value) -> bool:
    if kind_of(left) != kind_of(right):
        return False
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(_same_json(a, b) for a, b in zip(left, right))
    if isinstance(left, Mapping):
        return left.keys() == right.keys() and all(_same_json(left[key], right[key]) for key in left)
    return bool(left == right)


def _contains(container: Value, value: Value) -> bool:
    refuse_null("`in`", container)
    if kind_of(container) != "list":
        raise EvaluationFault(TYPE, f"`in` needs a list on its right, not {described(container)}.")
    return any(_matches(value, element) for element in container)


def _matches(value: Value, element: Value) -> bool:
    if value is None or element is None:
        return value is None and element is None
    return _comparable(value, element) is not None and equal(value, element)


def length(value: Value) -> int:
    """Characters of a string, items of a list, fields of an object."""
    refuse_null("`len`", value)
    if kind_of(value) not in ("string", "list", "object"):
        raise EvaluationFault(TYPE, f"`len` takes a string, a list or an object, not {described(value)}.")
    return len(value)


def of_a_list(function: str, values: Value) -> Value:
    """`min` or `max` of a list; null if there is nothing in it."""
    refuse_null(f"`{function}`", values)
    if kind_of(values) != "list":
        raise EvaluationFault(TYPE, f"`{function}` of one value takes a list, not {described(values)}.")
    return smallest_or_largest(function, values) if values else None


def smallest_or_largest(function: str, values: Sequence[Value]) -> Value:
    """`min` or `max` of values that are all integers, all numbers, or all strings."""
    refuse_null(f"`{function}`", *values)
    kinds = {kind_of(value) for value in values}
    if len(kinds) != 1 or not kinds <= {"integer", "number", "string"}:
        shown = " and ".join(described(value) for value in values[:4])
        raise EvaluationFault(
            TYPE, f"`{function}` takes values that are all integers, numbers or strings, not {shown}."
        )
    return min(values) if function == "min" else max(values)


def _plain(values: Mapping[str, Value] | None) -> dict[str, Value] | None:
    return None if values is None else dict(values)


# Variables -----------------------------------------------------------------------------------------------


def allowed_values(variable: Variable) -> list[Value]:
    """The listed values of a variable as it keeps them."""
    return [coerce(variable.kind, value) for value in variable.values or ()]


def fit(variable: Variable, value: Value) -> Value:
    """The value as the variable keeps it, every declared rule applied.

    Raises
    ------
    EvaluationFault
        `Expression.null` for null in a typed variable that is not optional, `Expression.type` for another
        type, `Expression.range` outside `minimum` .. `maximum` (unless `overflow: saturate`), `values`, `pattern`.
    """
    shape = variable.shape
    if value is None:
        if shape.optional:
            return None
        raise EvaluationFault(NULL, "the variable is not optional, so it cannot become null.")
    if variable.overflow == "saturate" and kind_of(value) in ("integer", "number"):
        value = _saturated(shape, coerce(shape.kind, value))
    return fitted(shape, value)


def _saturated(shape: Shape, value: int | float) -> int | float:
    low, high = shape.minimum, shape.maximum
    limit = low if low is not None and value < low else high if high is not None and value > high else value
    return float(limit) if shape.kind is ValueType.NUMBER else limit
