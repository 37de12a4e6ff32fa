"""The grammar in docs/language.md: what it makes is read, and its table has every function that there is."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.language import PAGE
from wfsim.model.expression_reader import _FUNCTIONS, _GATHERING, _TIMES, DEEPEST
from wfsim.model.expressions import ExpressionError, parse

TEXT = Path(PAGE).read_text(encoding="utf-8").partition("### Expressions")[2].partition("### Types")[0]
RULES = re.findall(
    r"^([a-z-]+) += (.*(?:\n +[^=\n]*)*)", TEXT.partition("```text\n")[2].partition("```")[0], re.MULTILINE
)
TABLE = TEXT.partition("| function |")[2].partition("\n\n")[0]


def calls(row: str) -> list[str]:
    """The calls in a row, each with its arguments; those without have the ones of the first."""
    found: list[str] = re.findall(r"`(.*?)`", row)
    return [call if "(" in call else f"{call}({found[0].partition('(')[2]}" for call in found]


CALLS = [call for row in re.findall(r"^\| (`.*?) \|", TABLE, re.MULTILINE) for call in calls(row)]
WORDS = {
    "number": ["1", "2.5", "0"],
    "text": ["a", ""],
    "variable": ["a", "b"],
    "field": ["x", "y"],
}
"""What stands for words of which the grammar says no more."""
Part: TypeAlias = "tuple[str, list[Part] | str]"
_TOKEN = re.compile(r'"[^"]*"|[a-z-]+|[\[\]{}()|]')


def read(text: str) -> Part:
    """A right-hand side: choices of sequences of words, options and repetitions."""
    tokens = _TOKEN.findall(text)

    def choices(closing: str) -> Part:
        found: list[Part] = []
        sequence: list[Part] = []
        while tokens:
            token = tokens.pop(0)
            if token == closing:
                break
            if token == "|":
                found.append(("all", sequence))
                sequence = []
            elif token in "[{(":
                kind = {"[": "option", "{": "more", "(": "all"}[token]
                sequence.append((kind, [choices({"[": "]", "{": "}", "(": ")"}[token])]))
            else:
                sequence.append(("sign", token[1:-1]) if token[0] == '"' else ("rule", token))
        return "one", [*found, ("all", sequence)]

    return choices("")


GRAMMAR = {name: read(re.split(r"  +CEL:|  +\S*$|  +\+ also|  +the same", right)[0]) for name, right in RULES}


def made(part: Part, chance: random.Random, depth: int) -> list[str]:
    """Words that a part of the grammar can stand for."""
    kind, inner = part
    if kind == "sign":
        return [str(inner)]
    if kind == "rule":
        if inner in WORDS:
            return [chance.choice(WORDS[str(inner)])]
        return called(chance, depth) if inner == "call" else made(GRAMMAR[str(inner)], chance, depth + 1)
    assert isinstance(inner, list)
    if kind == "one":
        if depth <= 40:
            return made(chance.choice(inner), chance, depth)
        # Deep down what leads to an end: the first that does not begin with a sign, which another one follows.
        return made(next((each for each in inner if each[1][0][0] != "sign"), inner[0]), chance, depth)  # type: ignore
    if kind in ("option", "more") and (depth > 25 or chance.random() < 0.7):
        return []
    return [word for each in inner for word in made(each, chance, depth)]


def called(chance: random.Random, depth: int) -> list[str]:
    """A call of one of the functions of the table, or of one in Python."""
    call = chance.choice([*CALLS, "functions.f(a, b)"])
    if call.split("(")[0] in _TIMES:
        return [call]
    name, _, arguments = call.removesuffix(")").partition("(")
    given = [" ".join(made(("rule", "expression"), chance, depth + 8)) for part in arguments.split(", ") if part != "…"]
    return [name, "(", ", ".join(given), ")"]


def test_the_grammar_is_read_from_the_page() -> None:
    assert {"expression", "comparison", "base", "name", "literal", "list", "call"} <= set(GRAMMAR)
    assert ("sign", "now") in [part for _, parts in GRAMMAR["name"][1] for part in parts]  # type: ignore[misc]


def test_the_table_has_every_function_and_no_other() -> None:
    assert {call.split("(")[0] for call in CALLS} == {*_FUNCTIONS, *_GATHERING, *_TIMES}


@pytest.mark.parametrize("number", range(300))
def test_what_the_grammar_makes_is_read(number: int) -> None:
    text = " ".join(made(("rule", "expression"), random.Random(number), 0))
    try:
        parse(text)
    except ExpressionError as error:
        # What it cannot say: an `item` where none is looked at, chains within chains, depth, length.
        told = str(error)
        allowed = ("item.<name>", "the middle of a chain", f"deeper than {DEEPEST}", "more than 2,000")
        assert any(each in told for each in allowed), (text, told)
