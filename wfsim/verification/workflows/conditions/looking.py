"""What conditions look at in lists, and the classes of items that they tell apart."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from wfsim.model.expression_tree import (
    Call,
    Compare,
    Gather,
    Index,
    Item,
    ListOf,
    Literal,
    Name,
    Template,
    Whole,
    walk,
)
from wfsim.model.shapes import Shape, misfit
from wfsim.model.values import LARGEST_INTEGER, SMALLEST_INTEGER, Value, ValueType
from wfsim.verification.workflows.conditions.contents import Class
from wfsim.verification.workflows.conditions.literals import HIGHEST_SIGN

MOST_CLASSES = 8
"""Of items; where conditions tell more apart, what is in a list may be anything."""
MOST_PINNED = 4
"""Items from either end that an index may name."""


@dataclass(frozen=True)
class Looks:
    """What expressions ask of lists.

    Attributes
    ----------
    constants
        What items are compared with.
    each
        Whether they are compared with what is not written out, so that every value counts.
    first, last
        So many items from either end are named by an index.
    sums
        Whether items are added.
    any
        Whether anything is asked but how long a list is.
    """

    constants: tuple[Value, ...] = ()
    each: bool = False
    first: int = 0
    last: int = 0
    sums: bool = False
    any: bool = False


NOWHERE = Looks()


def looks(trees: Iterable[Template], shapes: Iterable[Shape] = ()) -> Looks:
    """What these expressions look at, where values of these types come in as well."""
    constants: dict[str, Value] = {}
    for each in (part for shape in shapes for part in (shape, shape.items) if part is not None):
        constants |= {repr(end): end for end in (*each.bounds, *(each.values or ())) if end is not None}
    first = last = 0
    compared_with_each = sums = asked = False
    for node in (node for tree in trees for node in walk(tree)):
        compared: list[Template] = []
        match node:
            case Index(_, Literal(int(k))) if not isinstance(k, bool) and -MOST_PINNED <= k < MOST_PINNED:
                first, last = max(first, k + 1), max(last, -k)
            case Gather(function, _, body):
                sums |= function == "sum" and body == Item()
                compared = [body]
            case Compare("in" | "not in", left, right) if not isinstance(right, ListOf):
                compared = [left]
            case Call("min" | "max", (_,)):
                compared_with_each = True
            case _:
                continue
        asked = True
        for inner in (part for tree in compared for part in walk(tree)):
            if isinstance(inner, Literal):
                constants[repr(inner.value)] = inner.value
            compared_with_each |= isinstance(inner, Name | Whole)
    return Looks(tuple(constants.values()), compared_with_each, first, last, sums, asked)


def classes(shape: Shape | None, asked: Looks) -> tuple[str, tuple[Class, ...]] | None:
    """The kind of the items of a type and the classes that are told apart; None where these are not counted."""
    if shape is None or shape.optional or shape.pattern is not None or not asked.any:
        return None
    if shape.kind is ValueType.BOOLEAN:
        found = [Class(False, False), Class(True, True)]
    elif shape.kind is ValueType.STRING:
        found = _of_texts(shape, asked)
    elif shape.kind is ValueType.INTEGER:
        found = _of_integers(shape, asked)
    else:
        return None
    return (shape.kind.value, tuple(found)) if 0 < len(found) <= MOST_CLASSES else None


def _of_texts(shape: Shape, asked: Looks) -> list[Class]:
    if shape.values is not None:
        return [Class(value, value) for value in shape.values] if all(map(_written, shape.values)) else []
    named = tuple(each for each in asked.constants if isinstance(each, str)) or ("",)
    return [*(Class(each, each) for each in named), Class(None, None, named)] if all(map(_written, named)) else []


def _written(text: str) -> bool:
    """Whether the solver has all signs of a text."""
    return all(ord(sign) < HIGHEST_SIGN for sign in text)


def _of_integers(shape: Shape, asked: Looks) -> list[Class]:
    if shape.values is not None:
        return [Class(value, value) for value in sorted(shape.values) if misfit(shape, value) is None]
    low, high = (SMALLEST_INTEGER, LARGEST_INTEGER)
    if shape.minimum is not None:
        low = max(low, math.ceil(shape.minimum))
    if shape.maximum is not None:
        high = min(high, math.floor(shape.maximum))
    if asked.each and high - low < MOST_CLASSES:
        return [Class(value, value) for value in range(low, high + 1)]
    found, at = [], low
    for value in sorted(each for each in asked.constants if type(each) is int and low <= each <= high):
        found += [Class(at, value - 1)] if at < value else []
        found.append(Class(value, value))
        at = value + 1
    return [*found, Class(at, high)] if at <= high else found


def contained(each: Class, shape: Shape) -> bool | None:
    """Whether a class has values of a type only (True), or none of them (False); None if it has both, or perhaps."""
    if each.single:
        return misfit(shape, each.low) is None
    if shape == Shape(shape.kind, optional=shape.optional) or shape.kind is ValueType.ANY:
        return True
    if shape.values is not None or each.others:
        return None
    low: Any = each.low
    high: Any = each.high
    ends = (misfit(shape, low) is None, misfit(shape, high) is None)
    if all(ends):
        return True
    beyond = (shape.maximum is not None and low > shape.maximum) or (shape.minimum is not None and high < shape.minimum)
    return False if beyond else None
