"""Values of declared types: enough different ones that conditions on their parts tell apart (M10.4)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

from wfsim.exploration.cells import PLAIN, distinct, numbers, texts
from wfsim.model.pattern import matches, meet
from wfsim.model.shapes import Shape, fitted, misfit
from wfsim.model.values import Value, ValueType

MOST_INSIDE = 4
"""Values of a field, inside an object."""
MOST_ITEMS = 11
"""Values of an item, inside a list."""
MOST_EXAMPLES = 24
"""Lists or objects; of all else there is a value for each cell into which constants cut it."""


def examples(shape: Shape, constants: Iterable[Value] = ()) -> list[Value]:
    """Different values of a type, the plainest first and never null; none if none is found.

    Parameters
    ----------
    constants
        What conditions compare with, anywhere in the value.
    """
    found = [value for value in _candidates(shape, list(constants)) if misfit(shape, value) is None]
    many = found[:MOST_EXAMPLES] if shape.kind in (ValueType.LIST, ValueType.OBJECT) else found
    return distinct(fitted(shape, value) for value in many)


def _candidates(shape: Shape, constants: Sequence[Value]) -> list[Any]:
    if shape.values is not None:
        return list(shape.values)
    kind = shape.kind
    if kind is ValueType.BOOLEAN:
        return [True, False]
    if kind in (ValueType.INTEGER, ValueType.NUMBER):
        limits = [limit for limit in (shape.minimum, shape.maximum) if limit is not None]
        return [PLAIN[kind], *numbers([*constants, *limits], kind)]
    if kind is ValueType.STRING:
        return _texts(shape, constants)
    if kind is ValueType.LIST:
        inner = (
            [["text"]] if shape.items is None else [[each] for each in examples(shape.items, constants)[:MOST_ITEMS]]
        )
        pairs = [[*inner[0], *each] for each in inner] if inner else []
        return [[], *inner, *pairs]
    if kind is ValueType.OBJECT:
        return _objects(shape, constants)
    return [PLAIN[kind]]


def _texts(shape: Shape, constants: Sequence[Value]) -> list[Any]:
    if shape.pattern is None:
        return sorted(texts(constants, False), key=lambda text: text in constants)
    named = [text for text in constants if isinstance(text, str) and matches(shape.pattern, text)]
    shortest = meet(shape.pattern, shape.pattern)
    return [*([] if shortest is None else [shortest]), *named]


def _objects(shape: Shape, constants: Sequence[Value]) -> list[Any]:
    """A plain one, those that differ from it in one field, then in two, and so on as far as there is room."""
    if shape.fields is None:
        return [{}]
    choices = {name: [*_few(one, constants), *([None] if one.optional else [])] for name, one in shape.fields.items()}
    if any(not values for values in choices.values()):
        return []
    plain = {name: values[0] for name, values in choices.items()}
    found = (
        {**plain, **dict(zip(which, values))}
        for n in range(len(choices) + 1)
        for which in itertools.combinations(choices, n)
        for values in itertools.product(*(choices[name][1:] for name in which))
    )
    return list(itertools.islice(found, MOST_EXAMPLES))


def _few(shape: Shape, constants: Sequence[Value]) -> list[Any]:
    found = examples(shape, constants)
    if len(found) <= MOST_INSIDE:
        return found
    # The ends and some between: numbers come in order.
    return [found[math.floor(k * (len(found) - 1) / (MOST_INSIDE - 1))] for k in range(MOST_INSIDE)]
