"""JSON values: their types, their limits, and the door where they enter (M10)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeAlias

from wfsim.model.moments import LATEST, moment

NULL = "Expression.null"
TYPE = "Expression.type"
OVERFLOW = "Expression.overflow"
DIVISION = "Expression.division"
RANGE = "Expression.range"
INDEX = "Expression.index"
FIELD = "Expression.field"
FUNCTION = "Expression.function"

LARGEST_INTEGER = 2**63 - 1
SMALLEST_INTEGER = -(2**63)
EXACT_INTEGER = 2**53
LONGEST_STRING_VALUE = 1_000_000
DEEPEST_VALUE = 32
LARGEST_VALUE = 100_000

Value: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, list or dict."""


class ValueType(StrEnum):
    """Types of variables and payload fields; `any` is unchecked."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    LIST = "list"
    OBJECT = "object"
    TIMESTAMP = "timestamp"
    ANY = "any"


class EvaluationFault(Exception):
    """A value that cannot be computed: an error of the running instance, not of the definition (M10.1).

    `kind` is the error type that transitions on `error` see; `message` says which operation and values.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


def kind_of(value: Value) -> str:
    """`null`, `boolean`, `integer`, `number`, `string`, `list` or `object`."""
    kind = _KINDS.get(type(value))
    return _kind_by_class(value) if kind is None else kind


_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "list",
    tuple: "list",
    dict: "object",
}
_SCALARS = frozenset((type(None), bool, int, float, str))


def _kind_by_class(value: Value) -> str:
    """The kind of a value whose type is derived from one that JSON has."""
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list | tuple):
        return "list"
    if isinstance(value, Mapping):
        return "object"
    raise EvaluationFault(TYPE, f"a value of type {type(value).__name__} is not JSON.")


def described(value: Value) -> str:
    """A value with its kind, for messages: `an integer (3)`, `a list of 2`."""
    kind = kind_of(value)
    if kind in ("list", "object"):
        return f"{'a list' if kind == 'list' else 'an object'} of {len(value)}"
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    article = "an" if kind[0] in "aeio" else "a"
    return f"{article} {kind} ({text if len(text) <= 40 else text[:40] + '…'})"


def brief(value: object, longest: int = 60) -> str:
    """A value for an error text, cut where it is long.

    An integer beyond 64 bits is named, not written out: Python refuses to write very long ones.
    """
    if isinstance(value, int) and value.bit_length() > 64:
        return "an integer beyond 64 bits"
    if isinstance(value, Mapping):
        return f"an object of {len(value)}"
    if isinstance(value, list | tuple | set | frozenset):
        return f"a list of {len(value)}"
    text = repr(value[: longest + 1] if isinstance(value, str) else value)
    return text if len(text) <= longest + 2 else text[:longest] + "…" + (text[0] if isinstance(value, str) else "")


def check_value(value_type: ValueType, value: Value) -> str | None:
    """Why a JSON value from outside does not fit a declared type; `None` if it fits.

    An integer fits `number` if a double holds it exactly; ISO 8601 text or an integer fits `timestamp`. Null
    fits `any` only: whether a value may be missing is a matter of `optional`, not of its type.
    """
    reason = _check_json(value)
    if reason is not None or value_type is ValueType.ANY:
        return reason
    kind = kind_of(value)
    if kind == value_type:
        return None
    if value_type is ValueType.TIMESTAMP and kind in ("integer", "string"):
        return _check_timestamp(value)
    if kind == "integer" and value_type is ValueType.NUMBER:
        if abs(value) <= EXACT_INTEGER:
            return None
        return f"{value} is beyond ±2^53, so no number holds it exactly"
    return f"{described(value)} is not {'an' if value_type.value[0] in 'aeio' else 'a'} {value_type.value}"


def coerce(value_type: ValueType, value: Value) -> Value:
    """The value as it is kept inside: an integer for `number` becomes a number, `-0.0` becomes `0.0`, a `timestamp`
    microseconds since 1970.

    Lists and objects are copied. Payloads, inputs and results pass here; nothing else converts.

    Raises
    ------
    EvaluationFault
        `Expression.type`, if `check_value` objects; `Expression.range` for an integer that is no time (M6.5).
    """
    reason = check_value(value_type, value)
    if reason is not None:
        beyond = value_type is ValueType.TIMESTAMP and kind_of(value) == "integer"
        raise EvaluationFault(RANGE if beyond else TYPE, f"{reason}.")
    return kept(value_type, value)


def kept(value_type: ValueType, value: Value) -> Value:
    """What `coerce` makes of a value to which `check_value` does not object."""
    if value_type is ValueType.NUMBER:
        return float(value) + 0.0
    if value_type is ValueType.TIMESTAMP and isinstance(value, str):
        return moment(value)
    return _copied(value)


def _check_timestamp(value: Value) -> str | None:
    if isinstance(value, int):
        return None if 0 <= value <= LATEST else f"{value} microseconds are no time from 1970 to 9999"
    try:
        moment(value)
    except ValueError as error:
        return f"{brief(value)} is not a timestamp: {error}"
    return None


def _check_json(value: Value) -> str | None:
    """Why a value is not JSON within the limits; no recursion, so nothing can exhaust the stack."""
    if type(value) in _SCALARS:
        return _check_scalar(value)
    waiting: list[tuple[Value, int]] = [(value, 0)]
    seen = 0
    while waiting:
        part, depth = waiting.pop()
        seen += 1
        if seen > LARGEST_VALUE:
            return f"the value has more than {LARGEST_VALUE:,} parts"
        if depth > DEEPEST_VALUE:
            return f"the value is nested deeper than {DEEPEST_VALUE} levels"
        if isinstance(part, (list, tuple)):
            waiting.extend((item, depth + 1) for item in part)
        elif isinstance(part, dict) or (type(part) not in _SCALARS and isinstance(part, Mapping)):
            for key, item in part.items():
                if not isinstance(key, str):
                    return f"the key {brief(key)} of an object is not a string"
                if not _is_text(key):
                    return f"the key {brief(key)} of an object holds half a character (a surrogate)"
                waiting.append((item, depth + 1))
        else:
            reason = _check_scalar(part)
            if reason is not None:
                return reason
    return None


def _check_scalar(value: Value) -> str | None:
    """The same of a value without parts."""
    if isinstance(value, str):
        if len(value) > LONGEST_STRING_VALUE:
            return f"a string has {len(value):,} characters, more than {LONGEST_STRING_VALUE:,}"
        return None if _is_text(value) else "a string holds half a character (a surrogate)"
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return None if SMALLEST_INTEGER <= value <= LARGEST_INTEGER else "an integer is beyond 64 bits"
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{value} is not a finite number"
    return f"a value of type {type(value).__name__} is not JSON"


def _is_text(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in text)


def _copied(value: Value) -> Value:
    if isinstance(value, float):
        return value + 0.0
    if type(value) in _SCALARS:
        return value
    if isinstance(value, (list, tuple)):
        return [_copied(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    return value
