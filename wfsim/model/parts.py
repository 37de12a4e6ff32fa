"""Parts of values, and texts made of values: index, field, and the functions on texts (M10.5, M10.6, M10.8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wfsim.model.values import (
    FIELD,
    INDEX,
    LONGEST_STRING_VALUE,
    NULL,
    OVERFLOW,
    TYPE,
    EvaluationFault,
    Value,
    described,
    kind_of,
)

MOST_STEPS = 1_000_000
"""Of one function that goes through a list, with all that it does for each item."""
SIGNS_PER_STEP = 100
"""So many characters of a text count as one step."""


class Steps:
    """What a function that goes through a list may still do (M10.7)."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MOST_STEPS

    def take(self, n: int) -> None:
        """Use so many; `Expression.overflow` if there are not so many left."""
        self.left -= n
        if self.left < 0:
            raise EvaluationFault(OVERFLOW, f"a function on a list takes more than {MOST_STEPS:,} steps.")


def refuse_null(what: str, *values: Value) -> None:
    """Raise `Expression.null` if any of the values is null; `what` does not accept it."""
    if any(value is None for value in values):
        raise EvaluationFault(NULL, f"{what} does not accept null.")


def item_at(value: Value, index: Value) -> Value:
    """`value[index]`: an item of a list, from its end if the index is negative."""
    refuse_null("`[…]`", value, index)
    if kind_of(value) != "list" or kind_of(index) != "integer":
        raise EvaluationFault(
            TYPE, f"`[…]` takes a list and an integer, not {described(value)} and {described(index)}."
        )
    if not -len(value) <= index < len(value):
        raise EvaluationFault(INDEX, f"there is no item {index} in {described(value)}.")
    return value[index]


def field_of(value: Value, field: str) -> Value:
    """`value.field`: a field of an object, or the list of that field of every object in a list."""
    refuse_null(f"`.{field}`", value)
    if isinstance(value, list | tuple):
        return [_field(each, field) for each in value]
    return _field(value, field)


def _field(value: Value, field: str) -> Value:
    refuse_null(f"`.{field}`", value)
    if not isinstance(value, Mapping):
        raise EvaluationFault(TYPE, f"`.{field}` takes an object, or a list of such, not {described(value)}.")
    if field not in value:
        raise EvaluationFault(FIELD, f"there is no field {field!r} in {described(value)}.")
    return value[field]


def joined(left: str, right: str) -> str:
    """One text behind the other."""
    if len(left) + len(right) > LONGEST_STRING_VALUE:
        raise EvaluationFault(OVERFLOW, f"the text has more than {LONGEST_STRING_VALUE:,} characters.")
    return left + right


def as_text(value: Value) -> str:
    """`text`: a text as it is, integers and numbers in the shortest decimal form, `true` and `false`."""
    refuse_null("`text`", value)
    kind = kind_of(value)
    if kind in ("list", "object"):
        raise EvaluationFault(TYPE, f"`text` takes a text, a number or a boolean, not {described(value)}.")
    return str(value).lower() if kind == "boolean" else str(value)


def called(function: str, values: Sequence[Value]) -> Value:
    """A function on texts (M10.8)."""
    if function == "text":
        return as_text(values[0])
    refuse_null(f"`{function}`", *values)
    if any(kind_of(value) != "string" for value in values):
        raise EvaluationFault(TYPE, f"`{function}` takes texts, not {' and '.join(map(described, values))}.")
    return _ON_TEXTS[function](*values)


# Only ASCII letters have another case here: it is the same on every machine, and no text gets longer.
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_UPPER = {lower: upper for upper, lower in _LOWER.items()}
_ON_TEXTS: dict[str, Callable[..., Any]] = {
    "lower": lambda text: text.translate(_LOWER),
    "upper": lambda text: text.translate(_UPPER),
    "startswith": lambda text, part: text.startswith(part),
    "endswith": lambda text, part: text.endswith(part),
    "contains": lambda text, part: part in text,
}
TEXT_FUNCTIONS = ("text", *_ON_TEXTS)
