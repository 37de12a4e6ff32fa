"""Claims about one marking of a net, in the language of conditions with words of their own.

=====================  ==========================================================
`tokens("p")`          how many tokens place p holds
`can_fire("t")`        whether net transition t is enabled
`deadlock`             whether nothing is enabled
=====================  ==========================================================

Numbers are whole; tokens are added, subtracted, multiplied by numbers and compared.
"""

from __future__ import annotations

import ast

from wfsim.errors import ExpressionError
from wfsim.model.expression_reader import Converter, check_words, refuse
from wfsim.model.expression_tree import (
    Arithmetic,
    Bool,
    Compare,
    CompareOperator,
    Expression,
    ListOf,
    Literal,
    Name,
    Negate,
)
from wfsim.model.expression_tree import Not as Negation
from wfsim.verification.nets.formulas import And, CanFire, Constant, Deadlock, Formula, Not, Or, linear

_ALLOWED = (
    "Allowed are tokens('<place>'), can_fire('<transition>'), deadlock, whole numbers, true, false, + - *, "
    "== != < <= > >=, in [numbers], and, or, not."
)

Sum = tuple[dict[str, int], int]
"""Weights of places, and a number that is added."""


def parse_net_claim(text: str) -> Formula:
    """Read a claim about one marking.

    Raises
    ------
    ExpressionError
        With the text, the column (from 1), what is not allowed there and what is.

    Examples
    --------
    >>> str(parse_net_claim('tokens("p") >= 2 and not can_fire("t")'))
    "(tokens('p') >= 2) and not can_fire('t')"
    """
    if not isinstance(text, str):
        raise ExpressionError(f"a claim is text such as `tokens('p') >= 2`, not {text!r}.")
    source = check_words(text)
    try:
        tree = ast.parse(source.strip(), mode="eval")
    except SyntaxError as error:
        column = min(max(error.offset or 1, 1) + len(source) - len(source.lstrip()), len(text))
        raise refuse(text, column, "this is not a complete claim", advice=_ALLOWED) from None
    except (RecursionError, MemoryError, ValueError):
        raise refuse(text, 1, "it is nested too deeply", advice="Split it.") from None
    reader = _Reader(text, source)
    return _Meaning(text, reader).claim(reader.convert(tree.body, 0))


class _Reader(Converter):
    """Collects what a claim asks of the net, and puts `item.<k>` where it stands."""

    allowed = _ALLOWED

    def __init__(self, text: str, source: str) -> None:
        super().__init__(text, source)
        self.asked: list[str | Formula] = []
        """The name of a place whose tokens are meant, or something that is true or false."""

    def more(self, node: ast.expr, depth: int) -> Expression | None:
        match node:
            case ast.Call(func=ast.Name(id="tokens" | "can_fire" as word), args=arguments):
                one = "place" if word == "tokens" else "transition"
                if len(arguments) == 1 and isinstance(arguments[0], ast.Constant):
                    name = arguments[0].value
                    if isinstance(name, str):
                        return self.atom(name if word == "tokens" else CanFire((name,)))
                raise self.refuse(node, f"{word} takes one {one} by its name: {word}('{one[0]}')")
            case ast.Name(id="deadlock"):
                return self.atom(Deadlock())
            case ast.Name(id="tokens" | "can_fire" as word):
                raise self.refuse(node, f"{word} takes a name: {word}('…')")
            case ast.Name(id="true" | "false"):
                return None
            case ast.Name(id=name):
                raise self.refuse(node, f"{name!r} is no word for nets; did you mean tokens({name!r})")
            case ast.Call():
                raise self.refuse(node, "only tokens('…') and can_fire('…') are asked")
            case ast.Attribute():
                raise self.refuse(node, "a claim about a net asks for its tokens and transitions")
        return None

    def atom(self, asked: str | Formula) -> Expression:
        self.asked.append(asked)
        return Name("item", str(len(self.asked) - 1))


class _Meaning:
    """From the tree of a claim to a formula."""

    def __init__(self, text: str, reader: _Reader) -> None:
        self.text = text
        self.reader = reader

    def refuse(self, what: str) -> ExpressionError:
        return refuse(self.text, 1, what, advice=_ALLOWED)

    def claim(self, node: Expression) -> Formula:
        match node:
            case Literal(bool() as value):
                return Constant(value)
            case Name("item", number):
                asked = self.reader.asked[int(number)]
                if isinstance(asked, str):
                    raise self.refuse(f"tokens({asked!r}) is a number. Compare it: tokens({asked!r}) > 0")
                return asked
            case Negation(operand):
                return Not(self.claim(operand))
            case Bool(word, operands):
                return (And if word == "and" else Or)(tuple(map(self.claim, operands)))
            case Compare("in" | "not in" as word, left, ListOf(items)):
                found = Or(tuple(self.compared("==", left, item) for item in items))
                return found if word == "in" else Not(found)
            case Compare(operator, left, right):
                return self.compared(operator, left, right)
        raise self.refuse("a claim must be true or false, and a part of it is neither")

    def compared(self, operator: CompareOperator, left: Expression, right: Expression) -> Formula:
        weights, number = self.sum(left)
        others, other = self.sum(right)
        difference = [*weights.items(), *((place, -weight) for place, weight in others.items())]
        bound = other - number
        at_most, at_least = linear(difference, bound), linear(((p, -w) for p, w in difference), -bound)
        match operator:
            case "<=":
                return at_most
            case ">=":
                return at_least
            case "<":
                return linear(difference, bound - 1)
            case ">":
                return linear(((p, -w) for p, w in difference), -bound - 1)
            case "==":
                return And((at_most, at_least))
            case "!=":
                return Not(And((at_most, at_least)))
        raise self.refuse(f"{operator!r} looks for a number in a list of numbers")

    def sum(self, node: Expression) -> Sum:
        match node:
            case Literal(int() as value) if not isinstance(value, bool):
                return {}, value
            case Name("item", number) if isinstance(place := self.reader.asked[int(number)], str):
                return {place: 1}, 0
            case Negate(operand):
                return _scaled(self.sum(operand), -1)
            case Arithmetic("+" | "-" as sign, left, right):
                return _added(self.sum(left), _scaled(self.sum(right), 1 if sign == "+" else -1))
            case Arithmetic("*", left, right):
                one, two = self.sum(left), self.sum(right)
                for factor, other in ((one, two), (two, one)):
                    if not factor[0]:
                        return _scaled(other, factor[1])
                raise self.refuse("tokens are multiplied by numbers only, not by tokens")
        raise self.refuse("what is compared must be tokens and whole numbers, added, subtracted or multiplied")


def _scaled(given: Sum, factor: int) -> Sum:
    return {place: weight * factor for place, weight in given[0].items()}, given[1] * factor


def _added(one: Sum, two: Sum) -> Sum:
    weights = dict(one[0])
    for place, weight in two[0].items():
        weights[place] = weights.get(place, 0) + weight
    return weights, one[1] + two[1]
