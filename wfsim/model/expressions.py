"""The expression language: a small, safe subset of Python for conditions, parameters and assignments.

`parse` turns text into a tree of frozen dataclasses; `evaluate`, the compiler of the simulator and the
translation to a solver read the same tree. Nothing in a text can run code, hang, or use much memory: length,
nesting and numbers are bounded before Python's own parser sees it, and every word and sign is checked
against a list of allowed ones.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache, reduce

from wfsim.errors import ExpressionError
from wfsim.model.expression_reader import quoted, read, refuse
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
    Scalar,
    Template,
    TemplateList,
    TemplateLiteral,
    TemplateObject,
    Whole,
)
from wfsim.model.values import LARGEST_INTEGER, SMALLEST_INTEGER, brief

DEEPEST_TEMPLATE = 32
MOST_PARTS = 30
"""Expressions in one text."""


@lru_cache(maxsize=8_192)
def parse(text: str) -> Expression:
    """Read an expression.

    Parameters
    ----------
    text
        At most 2,000 characters and 64 levels of nesting.

    Raises
    ------
    ExpressionError
        With the text, the column (from 1), what is not allowed there and what is.

    Examples
    --------
    >>> parse("context.attempts < 3")
    Compare(operator='<', left=Name(scope='context', field='attempts'), right=Literal(value=3))
    """
    if not isinstance(text, str):
        raise ExpressionError(f"an expression is text, not {type(text).__name__}.")
    return read(text)


@lru_cache(maxsize=8_192)
def parse_condition(text: str) -> Expression:
    """Read a condition: an expression that can be true or false; it is written without `${...}`.

    Raises
    ------
    ExpressionError
        As `parse`; also when the outermost operation never gives a boolean.
    """
    if isinstance(text, str) and is_template(text.strip()):
        raise ExpressionError(
            f"a condition is written without ${{...}}: {text.strip()[2:-1].strip()[:200]}",
            text=text,
            column=1,
        )
    expression = parse(text)
    if never_true(expression):
        raise refuse(
            text,
            1,
            "a condition must be true or false, and this is never either",
            advice="Compare it: … > 0.",
        )
    return expression


def never_true(expression: Expression) -> bool:
    """Whether it is plain from its outermost operation that it is neither true nor false."""
    match expression:
        case Negate() | Arithmetic() | ListOf() | Whole():
            return True
        case Call(function) if function in ("len", "lower", "upper", "text"):
            return True
        case Gather(gathering):
            return gathering in ("sum", "count")
        case Literal(value):
            return not isinstance(value, bool)
    return False


_EXPRESSION = re.compile(r"""\$\{((?:[^'"}]|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")*)\}""", re.DOTALL)
"""One `${expression}`: a brace inside a string of the expression does not close it."""


def is_template(text: str) -> bool:
    """Whether a string is one `${expression}`, and nothing else."""
    return _EXPRESSION.fullmatch(text) is not None


def has_expression(text: str) -> bool:
    """Whether a string is an `${expression}` or has some among its words."""
    return "${" in text


def text_parts(tree: Expression) -> tuple[str | Expression, ...]:
    """The words of a text and the expressions among them, in order; the tree alone if it is no such text."""
    match tree:
        case Literal(str() as words):
            return (words,)
        case Call("text", (part,)):
            return (part,)
        case Arithmetic("+", left, Literal(str()) | Call("text") as right):
            return (*text_parts(left), *text_parts(right))
    return (tree,)


def joined_text(tree: Expression) -> str:
    """The text with expressions among its words that a tree was read from, or one that differs inside these."""
    match tree:
        case Arithmetic("+", left, right):
            return joined_text(left) + joined_text(right)
        case Literal(str() as words):
            return words
        case Call("text", (part,)):
            return f"${{{to_text(part)}}}"
    raise AssertionError(f"not of a text: {tree!r}")


def parse_template(value: object, parse: Callable[[str], Expression] = parse) -> Template:
    """Read a JSON value in which `${...}` is an expression: a whole string, or some among its words (M10.6).

    `parse` reads these, where their names are other ones.

    Raises
    ------
    ExpressionError
        For a `${` that is not closed, values that are not JSON, non-finite numbers, integers beyond
        64 bits, nesting beyond 32.
    """
    return _template(value, 0, parse)


@lru_cache(maxsize=8_192)
def _text_template(text: str, parse: Callable[[str], Expression]) -> Template:
    if is_template(text):
        return parse(text[2:-1])
    if not has_expression(text):
        return TemplateLiteral(text)
    if text.count("${") > MOST_PARTS:
        raise ExpressionError(f"{quoted(text)} has more than {MOST_PARTS} expressions among its words.", text=text)
    parts: list[Expression] = []
    end = 0
    for found in _EXPRESSION.finditer(text):
        parts += [Literal(text[end : found.start()])] if found.start() > end else []
        parts.append(Call("text", (parse(found[1]),)))
        end = found.end()
    parts += [Literal(text[end:])] if end < len(text) else []
    for part in parts:
        if isinstance(part, Literal) and "${" in str(part.value):
            raise ExpressionError(
                f"{quoted(text)} has a ${{ that no }} closes. Close it, or write ${{'$'}}{{ for the signs themselves.",
                text=text,
                column=text.find(str(part.value)) + str(part.value).find("${") + 1,
            )
    return reduce(lambda left, right: Arithmetic("+", left, right), parts)


def _template(value: object, depth: int, parse: Callable[[str], Expression]) -> Template:
    if depth > DEEPEST_TEMPLATE:
        raise ExpressionError(f"a value is nested deeper than {DEEPEST_TEMPLATE} levels.")
    if value is None or isinstance(value, bool):
        return TemplateLiteral(value)
    if isinstance(value, int):
        if not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
            raise ExpressionError("an integer is beyond 64 bits.")
        return TemplateLiteral(int(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ExpressionError(f"the number {value} is not finite.")
        return TemplateLiteral(float(value) + 0.0)
    if isinstance(value, str):
        return _text_template(str(value), parse)
    if isinstance(value, list | tuple):
        return TemplateList(tuple(_template(item, depth + 1, parse) for item in value))
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ExpressionError(f"the key {brief(key)} of an object is not text. Put it in quotes.")
        return TemplateObject(tuple((str(key), _template(item, depth + 1, parse)) for key, item in value.items()))
    raise ExpressionError(
        f"a value of type {type(value).__name__} is not JSON: use null, true, false, numbers, text, lists, objects."
    )


# Printing ------------------------------------------------------------------------------------------------

_TIGHTNESS = {
    "or": 1,
    "and": 2,
    "not": 3,
    "compare": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "//": 6,
    "%": 6,
    "unary": 7,
}
_ATOM = 8


def to_text(expression: Expression) -> str:
    """The canonical text of a tree: `parse(to_text(e)) == e`, unless the text is too long for `parse`."""
    return _print(expression)[0]


def _print(expression: Expression) -> tuple[str, int]:
    match expression:
        case Literal(value):
            return _print_scalar(value), 7 if isinstance(value, int | float) and value < 0 else _ATOM
        case Name("clock" | "given", field):
            return field, _ATOM
        case Name("context", field) if "." in field:
            # No variable that people name has a dot: it belongs to a state (M13.1).
            return f"state.{field.rpartition('.')[2]}", _ATOM
        case Name(scope, field):
            return f"{scope}.{field}", _ATOM
        case Whole(whole):
            return whole, _ATOM
        case Negate(Literal(value)) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return f"-({_print_scalar(value)})", 7
        case Negate(operand):
            return "-" + _inside(operand, 7), 7
        case Not(operand):
            return "not " + _inside(operand, 3), 3
        case Arithmetic(sign, left, right):
            tight = _TIGHTNESS[sign]
            return f"{_inside(left, tight)} {sign} {_inside(right, tight + 1)}", tight
        case Compare(comparison, left, right):
            return f"{_inside(left, 5)} {comparison} {_inside(right, 5)}", 4
        case Bool(word, operands):
            tight = _TIGHTNESS[word]
            return f" {word} ".join(_inside(operand, tight + 1) for operand in operands), tight
        case IfElse(test, then, otherwise):
            return f"{_inside(then, 1)} if {_inside(test, 1)} else {_inside(otherwise, 0)}", 0
        case Call(function, arguments):
            return f"{function}({', '.join(_print(argument)[0] for argument in arguments)})", _ATOM
        case Apply(function, arguments):
            return f"functions.{function}({', '.join(_print(argument)[0] for argument in arguments)})", _ATOM
        case Gather(gathering, over, body):
            each = "" if body == Item() and gathering != "count" else f", {_print(body)[0]}"
            return f"{gathering}({_print(over)[0]}{each})", _ATOM
        case Index(value, index):
            return f"{_inside(value, _ATOM)}[{_print(index)[0]}]", _ATOM
        case Field(value, field):
            return f"{_inside(value, _ATOM)}.{field}", _ATOM
        case Item():
            return "item", _ATOM
        case ListOf(items):
            return f"[{', '.join(_print(item)[0] for item in items)}]", _ATOM


def _inside(expression: Expression, tight: int) -> str:
    text, own = _print(expression)
    return text if own >= tight else f"({text})"


_SHORT_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _print_scalar(value: Scalar) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + "".join(_print_sign(sign) for sign in value) + "'"
    return repr(value)


def _print_sign(sign: str) -> str:
    if sign in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[sign]
    if sign.isprintable():
        return sign
    code = ord(sign)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65_536 else f"\\U{code:08x}"
