"""Text to expression trees: every word and sign is checked before Python's own parser sees the text."""

from __future__ import annotations

import ast
import difflib
import keyword
import math
import re
import typing as t

from wfsim.errors import DefinitionError, ExpressionError
from wfsim.model.expression_tree import (
    NOW,
    Apply,
    Arithmetic,
    ArithmeticOperator,
    Bool,
    Call,
    Compare,
    CompareOperator,
    Expression,
    Field,
    FunctionName,
    Gather,
    GatherName,
    IfElse,
    Index,
    Item,
    ListOf,
    Literal,
    Name,
    Negate,
    Not,
    Scalar,
    Whole,
    time_of,
    walk,
)
from wfsim.model.values import LARGEST_INTEGER, SMALLEST_INTEGER

LONGEST_TEXT = 2_000
LONGEST_STRING = 10_000
DEEPEST = 64

ALLOWED = (
    "Allowed are numbers, 'strings', true, false, null, [lists], context.<variable>, event.<field>, "
    "item.<name>, state.<field>, event, state, context, value.field, value[index], + - * / // %, == != < <= > >=, in, "
    "not in, and, or, not, a if c else b, len, min, max, sum, count, any, all, lower, upper, startswith, endswith, "
    "contains, coalesce, text, functions.<name>(...)."
)


def read(text: str) -> Expression:
    """Read an expression; see `wfsim.model.expressions.parse`, which remembers the results."""
    source = check_words(text)
    try:
        tree = ast.parse(source.strip(), mode="eval")
    except SyntaxError as error:
        column = min(max(error.offset or 1, 1) + len(source) - len(source.lstrip()), len(text))
        raise refuse(text, column, "this is not a complete expression") from None
    except (RecursionError, MemoryError, ValueError):
        raise refuse(text, 1, f"it is nested deeper than {DEEPEST} levels") from None
    return Converter(text, source).convert(tree.body, 0)


def quoted(text: str, longest: int = 120) -> str:
    """The text for a message, cut off where it is long."""
    return repr(text if len(text) <= longest else text[:longest] + "…")


def refuse(text: str, column: int, what: str, *, advice: str = ALLOWED) -> ExpressionError:
    """An error that shows the text, the column (from 1), what is wrong there, and what is allowed."""
    return ExpressionError(
        f"cannot read the expression {quoted(text)}: column {column}: {what}. {advice}".rstrip(),
        text=text[:LONGEST_TEXT],
        column=column,
    )


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
_SCOPES = ("context", "event", "item", "state")
_WHOLE = ("event", "state", "context")
_PYTHON = "functions"
"""What stands before the name of a function in Python (M14)."""
_TIMES = ("duration", "timestamp")
_FUNCTIONS: dict[str, tuple[int, int, str]] = {
    "len": (1, 1, "one value"),
    "min": (1, LONGEST_TEXT, "a list, or two or more values"),
    "max": (1, LONGEST_TEXT, "a list, or two or more values"),
    "lower": (1, 1, "one text"),
    "upper": (1, 1, "one text"),
    "startswith": (2, 2, "a text and what it starts with"),
    "endswith": (2, 2, "a text and what it ends with"),
    "contains": (2, 2, "a text and what it contains"),
    "coalesce": (2, LONGEST_TEXT, "two or more values"),
    "text": (1, 1, "one value"),
}
"""How many arguments a function takes, at least and at most, and which."""
_GATHERING: dict[str, tuple[int, str]] = {
    "sum": (1, "a list, and what to add of each item"),
    "count": (2, "a list, and a condition on each item"),
    "any": (1, "a list, and a condition on each item"),
    "all": (1, "a list, and a condition on each item"),
}
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


def tokens(text: str) -> list[re.Match[str]]:
    """The words and signs of a text that is made of known ones, without spaces; stops before anything else."""
    found = []
    position = 0
    while token := _TOKEN.match(text, position):
        position = token.end()
        if token.lastgroup != "space":
            found.append(token)
    return found


def check_words(text: str) -> str:
    """Check every word and sign; return the text on one line, otherwise unchanged."""
    if len(text) > LONGEST_TEXT:
        raise refuse(text, LONGEST_TEXT, f"it has {len(text):,} characters, more than {LONGEST_TEXT:,}", advice="")
    if not text.strip():
        raise refuse(text, 1, "it is empty")
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
                raise refuse(text, position + 1, f"it is nested deeper than {DEEPEST} levels")
        elif token in _OPENING and (not open_brackets or open_brackets.pop() != _OPENING[token]):
            raise refuse(text, position + 1, f"{token!r} closes nothing")
        prefixes = prefixes + 1 if token in ("-", "+", "not") and kind != "string" else 0
        if prefixes > DEEPEST:
            raise refuse(text, position + 1, f"it is nested deeper than {DEEPEST} levels")
        source.append(token)
        before = token
        position = found.end()
    if open_brackets:
        raise refuse(text, len(text), f"{open_brackets[-1]!r} is not closed")
    return "".join(source)


def _check_token(text: str, position: int, kind: str, token: str, before: str) -> None:
    after = text[position + len(token) : position + len(token) + 1]
    if kind == "number" and (after.isalnum() or (after != "" and after in "_.")):
        raise refuse(text, position + 1, "numbers are written in decimal: 10, 2.5, 1e6")
    if kind == "name":
        if after in ("'", '"') and after:
            raise refuse(text, position + 1, f"strings have no prefix ({token}); put a space between word and string")
        if before == ".":
            if keyword.iskeyword(token):
                raise refuse(text, position + 1, f"{token!r} is a reserved word and cannot be the name of a field")
            if token.startswith("__"):
                raise refuse(text, position + 1, f"{token!r} is not a field of data")
        elif keyword.iskeyword(token) and token not in _WORDS:
            raise refuse(text, position + 1, f"{token!r} is not part of the language")
    if kind == "string":
        if before and before[-1] in "'\"":
            raise refuse(text, position + 1, "two strings stand side by side")
        for escape in re.finditer(r"\\.", re.sub(_ESCAPE, lambda m: "_" * len(m.group()), token)):
            raise refuse(
                text,
                position + 1 + escape.start(),
                f"{escape.group()!r} is not an escape",
                advice="Write \\\\ for one \\.",
            )


def _unknown_sign(text: str, position: int) -> ExpressionError:
    for length in (2, 1):
        sign = text[position : position + length]
        if sign in _SIGN_ADVICE:
            return refuse(text, position + 1, f"{sign!r}: {_SIGN_ADVICE[sign]}")
    if not sign.isascii():
        return refuse(text, position + 1, f"{sign!r}: outside strings only ASCII letters, digits and signs are used")
    return refuse(text, position + 1, f"{sign!r} is not part of the language")


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
    ast.Tuple: "there are no tuples; write a [list]",
    ast.Starred: "nothing is unpacked with *",
    ast.Call: f"only {', '.join([*_FUNCTIONS, *_GATHERING, *_TIMES])} and functions.<name> are called",
    ast.Slice: "a list is not cut; an index names one item",
    ast.Pow: "there is no power",
}


# What other languages call the constants.
_ELSEWHERE = {"none": "null", "nil": "null", "undefined": "null", "yes": "true", "no": "false"}


def _near(node: ast.AST) -> str:
    """The function that a call means perhaps."""
    called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    if called == NOW.field:
        return "; write now, without brackets"
    near = difflib.get_close_matches(called, [*_FUNCTIONS, *_GATHERING, *_TIMES], n=1, cutoff=0.6)
    return f"; did you mean {near[0]}(...)" if near else ""


class Converter:
    """Turns Python's tree into ours; every node not on the list is refused where it stands.

    A language with more words overrides `more`, and `allowed` to name them.
    """

    allowed = ALLOWED

    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.bytes = source.lstrip().encode()
        self.source = source
        self.inside = 0
        """How many functions that go through a list are around: inside one, `item` is what it looks at."""

    def column(self, node: ast.AST) -> int:
        # Python counts bytes; before the first string both counts agree, after it they may not.
        offset = len(self.bytes[: getattr(node, "col_offset", 0)].decode(errors="ignore"))
        return offset + 1 + len(self.source) - len(self.source.lstrip())

    def refuse(self, node: ast.AST, what: str) -> ExpressionError:
        return refuse(self.text, self.column(node), what, advice=self.allowed)

    def more(self, node: ast.expr, depth: int) -> Expression | None:
        """What a node means that only this language has; `None` for all others."""
        return None

    def convert(self, node: ast.expr, depth: int) -> Expression:
        if depth > DEEPEST:
            raise self.refuse(node, f"it is nested deeper than {DEEPEST} levels")
        below = depth + 1
        if (found := self.more(node, below)) is not None:
            return found
        match node:
            case ast.Constant(value=value):
                return Literal(self.constant(node, value))
            case ast.Name(id=name):
                return self.name(node, name)
            case ast.Attribute(value=ast.Name(id="item"), attr=field) if self.inside:
                return Field(Item(), field)
            case ast.Attribute(value=ast.Name(id=scope), attr=field) if scope in _SCOPES:
                return Name(t.cast("t.Literal['context', 'event', 'item', 'state']", scope), field)
            case ast.Attribute(value=ast.Name(id=owner)):
                raise self.attribute(node, owner)
            case ast.Attribute(value=value, attr=field):
                return Field(self.convert(value, below), field)
            case ast.Subscript(value=value, slice=index):
                return Index(self.convert(value, below), self.convert(index, below))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self.convert(operand, below))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.minus(node, operand, below)
            case ast.UnaryOp(op=ast.UAdd()):
                raise self.refuse(node, "leave the plus sign out")
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _ARITHMETIC:
                return Arithmetic(_ARITHMETIC[type(sign)], self.convert(left, below), self.convert(right, below))
            case ast.Compare(left=first, ops=signs, comparators=others):
                return self.comparison(node, [first, *others], signs, below)
            case ast.BoolOp(op=ast.And(), values=values):
                return Bool("and", tuple(self.convert(value, below) for value in values))
            case ast.BoolOp(op=ast.Or(), values=values):
                return Bool("or", tuple(self.convert(value, below) for value in values))
            case ast.IfExp(test=test, body=then, orelse=otherwise):
                return IfElse(self.convert(test, below), self.convert(then, below), self.convert(otherwise, below))
            case ast.List(elts=items):
                return ListOf(tuple(self.convert(item, below) for item in items))
            case ast.Call(func=ast.Name(id=function), args=arguments) if function in _FUNCTIONS or function in _TIMES:
                return self.call(node, t.cast(FunctionName, function), arguments, below)
            case ast.Call(func=ast.Name(id=function), args=arguments) if function in _GATHERING:
                return self.gather(node, t.cast(GatherName, function), arguments, below)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="functions"), attr=function), args=arguments):
                return Apply(function, tuple(self.convert(argument, below) for argument in arguments))
            case _:
                raise self.refuse(node, _WHAT.get(type(node), "this is not part of the language") + _near(node))

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
            if "${" in value:
                told = "nothing is put into a string inside an expression; join texts: 'No ' + text(context.n)"
                raise self.refuse(node, told)
            return value
        raise self.refuse(node, "this is not part of the language")

    def name(self, node: ast.expr, name: str) -> Expression:
        if name in _CONSTANTS:
            return Literal(_CONSTANTS[name])
        if name == NOW.field:
            return NOW
        if name in _WHOLE:
            return Whole(t.cast("t.Literal['event', 'state', 'context']", name))
        if name in (*_FUNCTIONS, *_GATHERING, *_TIMES):
            raise self.refuse(node, f"{name} is a function: {name}(...)")
        if name == _PYTHON:
            raise self.refuse(node, "functions is no value; call one: functions.<name>(...)")
        if name == "item" and self.inside:
            return Item()
        if name == "item":
            raise self.refuse(node, "an item is named as for_each names it: item.<name>")
        close = difflib.get_close_matches(name, [*_WHOLE, *_CONSTANTS, "item"], n=1, cutoff=0.75)
        guess = _ELSEWHERE.get(name.lower()) or (close[0] if close else f"context.{name}")
        raise self.refuse(node, f"the name {name!r} stands alone; did you mean `{guess}` or the string '{name}'")

    def attribute(self, node: ast.Attribute, owner: str) -> ExpressionError:
        if owner == _PYTHON:
            return self.refuse(node, f"functions.{node.attr} is a function: functions.{node.attr}(...)")
        close = difflib.get_close_matches(owner, _SCOPES, n=1, cutoff=0.5)
        guess = f"; did you mean `{close[0]}.{node.attr}`" if close else f"; did you mean `context.{owner}`"
        return self.refuse(node, f"{owner!r} has no fields here{guess}")

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

    def comparison(self, node: ast.expr, terms: list[ast.expr], signs: list[ast.cmpop], depth: int) -> Expression:
        for sign in signs:
            if type(sign) not in _COMPARE:
                raise self.refuse(node, "compare with ==, not with `is`")
        operators = [_COMPARE[type(sign)] for sign in signs]
        operands = [self.convert(term, depth) for term in terms]
        for middle, term in zip(operands[1:-1], terms[1:-1]):
            # The middle appears twice in the tree; chains inside chains would grow it exponentially.
            if any(isinstance(part, Compare | Bool) for part in walk(middle)):
                raise self.refuse(term, "the middle of a chain of comparisons is a comparison; write it with `and`")
        pairs = tuple(Compare(operator, operands[i], operands[i + 1]) for i, operator in enumerate(operators))
        return pairs[0] if len(pairs) == 1 else Bool("and", pairs)

    def call(self, node: ast.expr, function: FunctionName, arguments: list[ast.expr], depth: int) -> Expression:
        if function in _TIMES:
            return self.time(node, function, arguments)
        least, most, wanted = _FUNCTIONS[function]
        if not least <= len(arguments) <= most:
            raise self.refuse(node, f"{function} takes {wanted}, not {len(arguments)}")
        return Call(function, tuple(self.convert(argument, depth) for argument in arguments))

    def time(self, node: ast.expr, function: FunctionName, arguments: list[ast.expr]) -> Expression:
        example = "2h" if function == "duration" else "2026-11-30T09:00:00Z"
        match arguments:
            case [ast.Constant(value=str(text))]:
                call = Call(function, (Literal(text),))
                try:
                    time_of(call)
                except (ValueError, DefinitionError) as error:
                    raise self.refuse(node, f"{function}({text[:40]!r}): {error}") from None
                return call
        raise self.refuse(node, f'{function} takes one text, written out: {function}("{example}")')

    def gather(self, node: ast.expr, function: GatherName, arguments: list[ast.expr], depth: int) -> Expression:
        least, wanted = _GATHERING[function]
        if not least <= len(arguments) <= 2:
            raise self.refuse(node, f"{function} takes {wanted}, not {len(arguments)}")
        over = self.convert(arguments[0], depth)
        self.inside += 1
        body = self.convert(arguments[1], depth) if len(arguments) == 2 else Item()
        self.inside -= 1
        return Gather(function, over, body)
