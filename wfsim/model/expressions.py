"""The expression language: a small, safe subset of Python for conditions, parameters and assignments.

`parse` turns text into a tree of frozen dataclasses; `evaluate`, the compiler of the simulator and the
translation to a solver read the same tree. Nothing in a text can run code, hang, or use much memory: length,
nesting and numbers are bounded before Python's own parser sees it, and every word and sign is checked
against a list of allowed ones.
"""

from __future__ import annotations

import ast
import difflib
import keyword
import math
import re
import typing as t
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from wfsim.errors import ExpressionError

LONGEST_TEXT = 2_000
LONGEST_STRING = 10_000
DEEPEST = 64
DEEPEST_TEMPLATE = 32
LARGEST_INTEGER = 2**63 - 1
SMALLEST_INTEGER = -(2**63)

Scalar: t.TypeAlias = "bool | int | float | str | None"
ArithmeticOperator: t.TypeAlias = t.Literal["+", "-", "*", "/", "//", "%"]
CompareOperator: t.TypeAlias = t.Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in"]
FunctionName: t.TypeAlias = t.Literal["len", "min", "max"]

ALLOWED = (
    "Allowed are numbers, 'strings', true, false, null, [lists], context.<variable>, event.<field>, "
    "item.<name>, event, state, context, + - * / // %, == != < <= > >=, in, not in, and, or, not, "
    "a if c else b, len, min, max."
)


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A constant; unlike in Python, `1`, `1.0` and `true` are three different literals."""

    value: Scalar

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Literal) and type(self.value) is type(other.value) and self.value == other.value
        )

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))


@dataclass(frozen=True, slots=True)
class Name:
    """`context.<variable>`, `event.<payload field>`, or `item.<name given by for_each>`."""

    scope: t.Literal["context", "event", "item"]
    field: str


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
class Call:
    """`len`, `min` or `max`; there are no other functions."""

    function: FunctionName
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list written out."""

    items: tuple[Expression, ...]


Expression: t.TypeAlias = (
    "Literal | Name | Whole | Negate | Not | Arithmetic | Compare | Bool | IfElse | Call | ListOf"
)


@dataclass(frozen=True, slots=True, eq=False)
class TemplateLiteral:
    """A scalar of a template that stands for itself."""

    value: Scalar

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TemplateLiteral)
            and type(self.value) is type(other.value)
            and self.value == other.value
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
    source = _check_words(text)
    try:
        tree = ast.parse(source.strip(), mode="eval")
    except SyntaxError as error:
        column = min(max(error.offset or 1, 1) + len(source) - len(source.lstrip()), len(text))
        raise _refuse(text, column, "this is not a complete expression") from None
    except (RecursionError, MemoryError, ValueError):
        raise _refuse(text, 1, f"it is nested deeper than {DEEPEST} levels") from None
    return _Converter(text, source).convert(tree.body, 0)


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
    never = isinstance(expression, Negate | Arithmetic | ListOf) or (
        isinstance(expression, Call) and expression.function == "len"
    )
    if (
        never
        or (isinstance(expression, Literal) and not isinstance(expression.value, bool))
        or (isinstance(expression, Whole))
    ):
        raise _refuse(
            text,
            1,
            "a condition must be true or false, and this is never either",
            advice="Compare it: … > 0.",
        )
    return expression


def is_template(text: str) -> bool:
    """Whether a string is one `${expression}`."""
    return text.startswith("${") and text.endswith("}")


def parse_template(value: object) -> Template:
    """Read a JSON value in which every string `${...}` is an expression.

    Raises
    ------
    ExpressionError
        For `${` inside a longer string, values that are not JSON, non-finite numbers, integers beyond
        64 bits, nesting beyond 32.
    """
    return _template(value, 0)


@lru_cache(maxsize=8_192)
def _text_template(text: str) -> Template:
    if is_template(text):
        if "${" in text[2:]:
            raise _joined(text)
        return parse(text[2:-1])
    if "${" in text:
        raise _joined(text)
    return TemplateLiteral(text)


def _joined(text: str) -> ExpressionError:
    return ExpressionError(
        f"{_shown(text)} has ${{ inside a longer text, which is not supported: texts are not put together. "
        "Make the whole value one ${expression}, or pass the parts as parameters of their own.",
        text=text,
        column=text.find("${", 1) + 1 or 1,
    )


def _template(value: object, depth: int) -> Template:
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
        return _text_template(str(value))
    if isinstance(value, list | tuple):
        return TemplateList(tuple(_template(item, depth + 1) for item in value))
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ExpressionError(f"the key {key!r} of an object is not text. Put it in quotes.")
        return TemplateObject(tuple((str(key), _template(item, depth + 1)) for key, item in value.items()))
    raise ExpressionError(
        f"a value of type {type(value).__name__} is not JSON: "
        "use null, true, false, numbers, text, lists, objects."
    )


def names(tree: Template) -> tuple[Name | Whole, ...]:
    """The names a tree reads, each once, in the order of evaluation."""
    return tuple(dict.fromkeys(node for node in walk(tree) if isinstance(node, Name | Whole)))


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
        case Bool(_, operands):
            return operands
        case IfElse(test, then, otherwise):
            return (test, then, otherwise)
        case Call(_, arguments):
            return arguments
        case ListOf(items):
            return items
        case TemplateList(parts):
            return parts
        case TemplateObject(fields):
            return tuple(value for _, value in fields)
        case _:
            return ()


# Reading -------------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<string>'(?:[^'\\\r\n]|\\.)*'|"(?:[^"\\\r\n]|\\.)*")
      | (?P<sign>//|==|!=|<=|>=|[-+*/%<>()\[\],.])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:[\\'\"nrt]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})")
_OPENING = {")": "(", "]": "["}
_WORDS = frozenset({"and", "or", "not", "in", "if", "else", "True", "False", "None"})
_CONSTANTS: dict[str, bool | None] = {"null": None, "true": True, "false": False}
_SCOPES = ("context", "event", "item")
_WHOLE = ("event", "state", "context")
_FUNCTIONS = ("len", "min", "max")
_SIGN_ADVICE = {
    "**": "there is no power",
    "<<": "there are no bit operations",
    ">>": "there are no bit operations",
    ":=": "nothing is assigned inside an expression",
    "&&": "write `and`",
    "||": "write `or`",
    "=": "write `==` to compare",
    "!": "write `not`",
    "?": "write `a if condition else b`",
    "{": "objects are not written inside expressions",
    "$": "${...} is not nested inside an expression",
    "#": "there are no comments inside an expression",
    "'": "the string is not closed",
    '"': "the string is not closed",
}


def _shown(text: str, longest: int = 120) -> str:
    return repr(text if len(text) <= longest else text[:longest] + "…")


def _refuse(text: str, column: int, what: str, *, advice: str = ALLOWED) -> ExpressionError:
    return ExpressionError(
        f"cannot read the expression {_shown(text)}: column {column}: {what}. {advice}".rstrip(),
        text=text[:LONGEST_TEXT],
        column=column,
    )


def _check_words(text: str) -> str:
    """Check every word and sign; return the text on one line, otherwise unchanged."""
    if len(text) > LONGEST_TEXT:
        raise _refuse(
            text, LONGEST_TEXT, f"it has {len(text):,} characters, more than {LONGEST_TEXT:,}", advice=""
        )
    if not text.strip():
        raise _refuse(text, 1, "it is empty")
    source: list[str] = []
    open_brackets: list[str] = []
    position = prefixes = 0
    before = ""
    while position < len(text):
        found = None if text.startswith(("**", "<<", ">>"), position) else _TOKEN.match(text, position)
        if found is None:
            raise _unknown_sign(text, position)
        kind, token = found.lastgroup, found.group()
        if kind == "space":
            source.append(" " * len(token))
            position = found.end()
            continue
        _check_token(text, position, t.cast(str, kind), token, before)
        if token in "([" and kind == "sign":
            open_brackets.append(token)
            if len(open_brackets) > DEEPEST:
                raise _refuse(text, position + 1, f"it is nested deeper than {DEEPEST} levels")
        elif token in _OPENING and (not open_brackets or open_brackets.pop() != _OPENING[token]):
            raise _refuse(text, position + 1, f"{token!r} closes nothing")
        prefixes = prefixes + 1 if token in ("-", "+", "not") and kind != "string" else 0
        if prefixes > DEEPEST:
            raise _refuse(text, position + 1, f"it is nested deeper than {DEEPEST} levels")
        source.append(token)
        before = token
        position = found.end()
    if open_brackets:
        raise _refuse(text, len(text), f"{open_brackets[-1]!r} is not closed")
    return "".join(source)


def _check_token(text: str, position: int, kind: str, token: str, before: str) -> None:
    after = text[position + len(token) : position + len(token) + 1]
    if kind == "number" and (after.isalnum() or (after != "" and after in "_.")):
        raise _refuse(text, position + 1, "numbers are written in decimal: 10, 2.5, 1e6")
    if kind == "name":
        if after in ("'", '"') and after:
            raise _refuse(
                text, position + 1, f"strings have no prefix ({token}); put a space between word and string"
            )
        if before == ".":
            if keyword.iskeyword(token):
                raise _refuse(
                    text, position + 1, f"{token!r} is a reserved word and cannot be the name of a field"
                )
            if token.startswith("__"):
                raise _refuse(text, position + 1, f"{token!r} is not a field of data")
        elif keyword.iskeyword(token) and token not in _WORDS:
            raise _refuse(text, position + 1, f"{token!r} is not part of the language")
    if kind == "string":
        if before and before[-1] in "'\"":
            raise _refuse(text, position + 1, "two strings stand side by side")
        for escape in re.finditer(r"\\.", re.sub(_ESCAPE, lambda m: "_" * len(m.group()), token)):
            raise _refuse(
                text,
                position + 1 + escape.start(),
                f"{escape.group()!r} is not an escape",
                advice="Write \\\\ for one \\.",
            )


def _unknown_sign(text: str, position: int) -> ExpressionError:
    for length in (2, 1):
        sign = text[position : position + length]
        if sign in _SIGN_ADVICE:
            return _refuse(text, position + 1, f"{sign!r}: {_SIGN_ADVICE[sign]}")
    if not sign.isascii():
        return _refuse(
            text, position + 1, f"{sign!r}: outside strings only ASCII letters, digits and signs are used"
        )
    return _refuse(text, position + 1, f"{sign!r} is not part of the language")


_ARITHMETIC: dict[type[ast.operator], ArithmeticOperator] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
}
_COMPARE: dict[type[ast.cmpop], CompareOperator] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_WHAT: dict[type[ast.AST], str] = {
    ast.Subscript: "parts of a value are not reached by [...]",
    ast.Tuple: "there are no tuples; write a [list]",
    ast.Starred: "nothing is unpacked with *",
    ast.Call: "only len(...), min(...) and max(...) are called",
    ast.Pow: "there is no power",
}


class _Converter:
    """Turns Python's tree into ours; every node not on the list is refused where it stands."""

    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.bytes = source.lstrip().encode()
        self.source = source

    def column(self, node: ast.AST) -> int:
        # Python counts bytes; before the first string both counts agree, after it they may not.
        offset = len(self.bytes[: getattr(node, "col_offset", 0)].decode(errors="ignore"))
        return offset + 1 + len(self.source) - len(self.source.lstrip())

    def refuse(self, node: ast.AST, what: str) -> ExpressionError:
        return _refuse(self.text, self.column(node), what)

    def convert(self, node: ast.expr, depth: int) -> Expression:
        if depth > DEEPEST:
            raise self.refuse(node, f"it is nested deeper than {DEEPEST} levels")
        below = depth + 1
        match node:
            case ast.Constant(value=value):
                return Literal(self.constant(node, value))
            case ast.Name(id=name):
                return self.name(node, name)
            case ast.Attribute(value=ast.Name(id=scope), attr=field) if scope in _SCOPES:
                return Name(t.cast("t.Literal['context', 'event', 'item']", scope), field)
            case ast.Attribute():
                raise self.attribute(node)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self.convert(operand, below))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.minus(node, operand, below)
            case ast.UnaryOp(op=ast.UAdd()):
                raise self.refuse(node, "leave the plus sign out")
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _ARITHMETIC:
                return Arithmetic(
                    _ARITHMETIC[type(sign)], self.convert(left, below), self.convert(right, below)
                )
            case ast.Compare(left=first, ops=signs, comparators=others):
                return self.comparison(node, [first, *others], signs, below)
            case ast.BoolOp(op=ast.And(), values=values):
                return Bool("and", tuple(self.convert(value, below) for value in values))
            case ast.BoolOp(op=ast.Or(), values=values):
                return Bool("or", tuple(self.convert(value, below) for value in values))
            case ast.IfExp(test=test, body=then, orelse=otherwise):
                return IfElse(
                    self.convert(test, below), self.convert(then, below), self.convert(otherwise, below)
                )
            case ast.List(elts=items):
                return ListOf(tuple(self.convert(item, below) for item in items))
            case ast.Call(func=ast.Name(id=function), args=arguments) if function in _FUNCTIONS:
                return self.call(node, t.cast(FunctionName, function), arguments, below)
            case _:
                raise self.refuse(node, _WHAT.get(type(node), "this is not part of the language"))

    def constant(self, node: ast.expr, value: object) -> Scalar:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            if value > LARGEST_INTEGER:
                raise self.refuse(node, "the integer is beyond 64 bits")
            return value
        if isinstance(value, float):
            if not math.isfinite(value):
                raise self.refuse(node, "the number is beyond a finite double")
            return value
        if isinstance(value, str):
            if len(value) > LONGEST_STRING:
                raise self.refuse(node, f"the string is longer than {LONGEST_STRING:,} characters")
            if any("\ud800" <= sign <= "\udfff" for sign in value):
                raise self.refuse(node, "the string holds half a character (a surrogate)")
            return value
        raise self.refuse(node, "this is not part of the language")

    def name(self, node: ast.expr, name: str) -> Expression:
        if name in _CONSTANTS:
            return Literal(_CONSTANTS[name])
        if name in _WHOLE:
            return Whole(t.cast("t.Literal['event', 'state', 'context']", name))
        if name in _FUNCTIONS:
            raise self.refuse(node, f"{name} is a function: {name}(...)")
        if name == "item":
            raise self.refuse(node, "an item is named as for_each names it: item.<name>")
        close = difflib.get_close_matches(name, [*_WHOLE, *_CONSTANTS, "item"], n=1, cutoff=0.75)
        guess = close[0] if close else f"context.{name}"
        raise self.refuse(
            node, f"the name {name!r} stands alone; did you mean `{guess}` or the string '{name}'"
        )

    def attribute(self, node: ast.Attribute) -> ExpressionError:
        if isinstance(node.value, ast.Name):
            owner = node.value.id
            if owner == "state":
                return self.refuse(node, "`state` is the name of the active state and has no fields")
            close = difflib.get_close_matches(owner, _SCOPES, n=1, cutoff=0.5)
            guess = (
                f"; did you mean `{close[0]}.{node.attr}`" if close else f"; did you mean `context.{owner}`"
            )
            return self.refuse(node, f"{owner!r} has no fields here{guess}")
        return self.refuse(
            node, f"fields of a value (.{node.attr}) are not reached; put it into a variable of its own"
        )

    def minus(self, node: ast.expr, operand: ast.expr, depth: int) -> Expression:
        if isinstance(operand, ast.Constant) and type(operand.value) in (int, float):
            between = self.bytes[node.col_offset + 1 : operand.col_offset]
            if not between.strip():
                value = t.cast("int | float", operand.value)
                if isinstance(value, int) and -value == SMALLEST_INTEGER:
                    return Literal(SMALLEST_INTEGER)
                number = t.cast("int | float", self.constant(operand, value))
                return Literal(-number if number else number)
        return Negate(self.convert(operand, depth))

    def comparison(
        self, node: ast.expr, terms: list[ast.expr], signs: list[ast.cmpop], depth: int
    ) -> Expression:
        for sign in signs:
            if type(sign) not in _COMPARE:
                raise self.refuse(node, "compare with ==, not with `is`")
        operators = [_COMPARE[type(sign)] for sign in signs]
        operands = [self.convert(term, depth) for term in terms]
        for middle, term in zip(operands[1:-1], terms[1:-1]):
            # The middle appears twice in the tree; chains inside chains would grow it exponentially.
            if any(isinstance(part, Compare | Bool) for part in walk(middle)):
                raise self.refuse(
                    term, "the middle of a chain of comparisons is a comparison; write it with `and`"
                )
        pairs = tuple(Compare(operator, operands[i], operands[i + 1]) for i, operator in enumerate(operators))
        return pairs[0] if len(pairs) == 1 else Bool("and", pairs)

    def call(
        self, node: ast.expr, function: FunctionName, arguments: list[ast.expr], depth: int
    ) -> Expression:
        if function == "len" and len(arguments) != 1:
            raise self.refuse(node, f"len takes one value, not {len(arguments)}")
        if function != "len" and len(arguments) < 2:
            raise self.refuse(node, f"{function} takes two or more values, not {len(arguments)}")
        return Call(function, tuple(self.convert(argument, depth) for argument in arguments))


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
        case Name(scope, field):
            return f"{scope}.{field}", _ATOM
        case Whole(whole):
            return whole, _ATOM
        case Negate(Literal(value)) if (
            isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
        ):
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
