"""Expressions of activities that are carried out without code: they read what these are given (M5.7).

The language is that of all expressions; the names are other ones. `input.amount` is a field of `input`, not a variable
of an instance: nothing of the instance is there where an attempt is carried out but the input recorded with it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TypeAlias

from wfsim.errors import ExpressionError
from wfsim.model.expression_reader import Converter, check_words, refuse
from wfsim.model.expression_tree import Expression, Field, Name, Template, walk
from wfsim.model.expressions import parse_template

INPUT, RESPONSE, SECRETS = "input", "response", "secrets"
GIVEN_INPUT, GIVEN_RESPONSE = Name("given", INPUT), Name("given", RESPONSE)
Scopes: TypeAlias = tuple[str, ...]

_CONSTANTS = ("true", "false", "null")
_NO_PLACE = {
    SECRETS: "a secret stands in headers, query and body of http and in the environment of a command, nowhere else",
    RESPONSE: "there is no response yet; only the result reads it",
}


def template_of(value: object, scopes: Scopes) -> Template:
    """A value in which `${...}` reads these names only.

    Raises
    ------
    ExpressionError
        As `parse_template`; also for any other name, and for all secrets at once.
    """
    return parse_template(value, _parser(scopes))


@lru_cache(maxsize=16)
def _parser(scopes: Scopes) -> Callable[[str], Expression]:
    return partial(_parsed, scopes)


def _parsed(scopes: Scopes, text: str) -> Expression:
    source = check_words(text)
    try:
        tree = ast.parse(source.strip(), mode="eval")
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        raise refuse(text, 1, "this is not a complete expression", advice=_advice(scopes)) from None
    return _Reader(text, source, scopes).convert(tree.body, 0)


def secrets_in(tree: Template) -> tuple[str, ...]:
    """The names of the secrets that a tree reads."""
    return fields_in(tree, Name("given", SECRETS))


def fields_in(tree: Template, owner: Expression) -> tuple[str, ...]:
    """The fields of an owner that a tree reads, each once."""
    read = (node.field for node in walk(tree) if isinstance(node, Field) and node.value == owner)
    return tuple(dict.fromkeys(read))


def reads_whole(tree: Template, owner: Expression) -> bool:
    """Whether a tree reads an owner itself, and not only fields of it."""
    named = sum(node == owner for node in walk(tree))
    return named > sum(isinstance(node, Field) and node.value == owner for node in walk(tree))


def reads(tree: Template, scope: str) -> bool:
    """Whether a tree reads anything of a name."""
    return any(node == Name("given", scope) for node in walk(tree))


def _advice(scopes: Scopes) -> str:
    return f"Read here: {', '.join(f'{scope}.<name>' for scope in scopes)}."


class _Reader(Converter):
    def __init__(self, text: str, source: str, scopes: Scopes) -> None:
        super().__init__(text, source)
        self.scopes = scopes
        self.allowed = _advice(scopes)

    def more(self, node: ast.expr, depth: int) -> Expression | None:
        match node:
            case ast.Attribute(value=ast.Name(id=scope), attr=field) if scope in self.scopes:
                return Field(Name("given", scope), field)
            case ast.Name(id="secrets"):
                raise self.refuse(node, "name one: secrets.<name>")
            case ast.Name(id=scope) if scope in self.scopes:
                return Name("given", scope)
            case ast.Attribute(value=ast.Name(id=owner), attr=field) if not (owner == "item" and self.inside):
                raise self.foreign(node, owner, f"{owner}.{field}", field)
            case ast.Name(id=name) if name not in _CONSTANTS and not (name == "item" and self.inside):
                raise self.foreign(node, name, name, name)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="functions"))):
                raise self.refuse(node, "functions in Python belong to the instance; compute it in a parameter")
        return None

    def foreign(self, node: ast.expr, owner: str, read: str, field: str) -> ExpressionError:
        """A name that is not given here."""
        if owner in _NO_PLACE:
            return self.refuse(node, _NO_PLACE[owner])
        return self.refuse(
            node, f"`{read}` is not given to what carries an activity out; hand it over as a parameter: input.{field}"
        )
