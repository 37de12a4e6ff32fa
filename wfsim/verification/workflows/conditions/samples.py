"""Plain values to try first: those around the constants that conditions compare with."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from typing import Any

from wfsim.exploration.cells import distinct, fitting, numbers, texts
from wfsim.exploration.shaped import examples
from wfsim.model.declared import FieldType
from wfsim.model.elements import Variable
from wfsim.model.shapes import Shape, plain
from wfsim.model.values import Value, ValueType

WIDEST = 64
"""Of integers within so narrow limits all values are tried."""


def of_variable(variable: Variable, constants: Sequence[Value]) -> tuple[list[Value], bool]:
    """Values of a variable, the plainest first, and whether these are all that it can have."""
    null = [None] if can_be_null(variable) else []
    if variable.shape.values is not None:
        return [*fitting(variable.shape.values, variable), *null], True
    span = _span(variable)
    if span is not None:
        return [*sorted(span, key=_plainness), *null], True
    if variable.shape.deep:
        return distinct([*fitting(examples(variable.shape, constants), variable), *null]), False
    limits = [limit for limit in (variable.shape.minimum, variable.shape.maximum) if limit is not None]
    found = fitting(_of_type(variable.kind, [*constants, *limits]), variable)
    return distinct([*found, *null]), variable.kind is ValueType.BOOLEAN


def of_field(declared: FieldType | None, constants: Sequence[Value]) -> tuple[list[Value], bool]:
    """Values of a payload field, the plainest first, and whether these are all that it can have."""
    null = [None] if declared is None or declared.optional else []
    if declared is None or declared.shape == plain(declared.kind) or declared.shape == Shape(declared.kind):
        kind = ValueType.ANY if declared is None else declared.kind
        return distinct([*_of_type(kind, constants), *null]), kind is ValueType.BOOLEAN
    return distinct([*examples(declared.shape, constants), *null]), declared.shape.values is not None


def can_be_null(variable: Variable) -> bool:
    """Whether an instance may ever have null in a variable: also as long as nothing has written it."""
    if variable.optional or variable.kind is ValueType.ANY:
        return True
    return variable.initial is None and not variable.input


def combinations(given: Sequence[Sequence[Value]], most: int) -> Iterator[tuple[Value, ...]]:
    """One value of each list, in the order of how far behind they stand there together; at most so many."""
    if any(not values for values in given):
        return
    first = (0,) * len(given)
    waiting, seen = [(0, first)], {first}
    while waiting and most:
        total, places = heapq.heappop(waiting)
        yield tuple(values[place] for values, place in zip(given, places))
        most -= 1
        for k, place in enumerate(places):
            after = (*places[:k], place + 1, *places[k + 1 :])
            if place + 1 < len(given[k]) and after not in seen:
                seen.add(after)
                heapq.heappush(waiting, (total + 1, after))


def _of_type(kind: ValueType, constants: Sequence[Value]) -> list[Value]:
    whole = sorted(numbers([*constants, 0, 1], ValueType.INTEGER), key=_plainness)
    real = sorted(numbers([*constants, 0, 1], ValueType.NUMBER), key=_plainness)
    text = sorted(texts(constants, False), key=len)
    by_type: dict[ValueType, list[Any]] = {
        ValueType.BOOLEAN: [False, True],
        ValueType.INTEGER: whole,
        ValueType.TIMESTAMP: [each for each in whole if each >= 0],
        ValueType.NUMBER: real,
        ValueType.STRING: [*text, ""],
        ValueType.LIST: [[], *([each] for each in [*constants, None]), list(constants)],
        ValueType.OBJECT: [{}],
    }
    if kind is not ValueType.ANY:
        return by_type[kind]
    wanted = [ValueType.BOOLEAN, ValueType.INTEGER, ValueType.STRING, ValueType.NUMBER]
    if any(isinstance(each, float) for each in constants):
        wanted = wanted[::-1]
    return [value for each in wanted for value in by_type[each]]


def _plainness(number: float) -> tuple[bool, float, bool]:
    """Whole numbers before others, small ones before large ones, positive ones before negative ones."""
    return number != math.floor(number), abs(number), number < 0


def _span(variable: Variable) -> range | None:
    if variable.kind is not ValueType.INTEGER or variable.shape.minimum is None or variable.shape.maximum is None:
        return None
    low, high = math.ceil(variable.shape.minimum), math.floor(variable.shape.maximum)
    return range(low, high + 1) if high - low < WIDEST else None
