"""What people type into fields, as values, and values as people read them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.errors import WfsimError, listed
from wfsim.model.values import ValueType, check_value, coerce

if TYPE_CHECKING:
    from wfsim.model.values import Value


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that an action asks for.

    Attributes
    ----------
    name, type
        As declared.
    required
        Whether it must be given.
    default
        A value that fits, chosen so that conditions tend to hold; `None` where none is needed.
    choices, only_choices
        Values to offer, and whether no other is allowed.
    """

    name: str
    type: ValueType
    required: bool = True
    default: Value = None
    choices: tuple[Value, ...] = ()
    only_choices: bool = False


_WRITE = {
    ValueType.INTEGER: "Write a whole number: 3.",
    ValueType.NUMBER: "Write a number: 2.5.",
    ValueType.BOOLEAN: "Write true or false.",
    ValueType.LIST: 'Write a list as JSON: ["a", "b"].',
    ValueType.TIMESTAMP: "Write a time: 2026-11-30T09:00:00Z.",
    ValueType.OBJECT: 'Write an object as JSON: {"a": 1}.',
}


def read_value(parameter: Parameter, given: Value) -> Value:
    """The value meant by what was given, as text or as a value.

    Text is read by the parameter's type: JSON, but for strings, which stand for themselves; for `any`, text that is
    not JSON stands for itself. Empty text where nothing is required is no value.

    Raises
    ------
    WfsimError
        If it does not fit.
    """
    kind, name = parameter.type, parameter.name
    value = given
    if isinstance(given, str) and not parameter.required and not given.strip():
        value = None
    elif isinstance(given, str) and kind not in (ValueType.STRING, ValueType.TIMESTAMP):
        try:
            value = json.loads(given)
        except (ValueError, RecursionError):
            if kind is not ValueType.ANY:
                wrong = f"{given[:60]!r} is not {'an' if kind.value[0] in 'aeio' else 'a'} {kind.value}"
                raise WfsimError(f"{name}: {wrong}. {_WRITE[kind]}") from None
    if value is None and not parameter.required:
        return None
    if value is None and kind is not ValueType.ANY:
        raise WfsimError(f"{name} ({kind.value}) is needed. {_WRITE.get(kind, 'Write a text.')}")
    problem = check_value(kind, value)
    if problem is not None:
        raise WfsimError(f"{name}: {problem}. {_WRITE.get(kind, '')}".rstrip())
    if parameter.only_choices and value not in parameter.choices:
        raise WfsimError(f"{name}: {value!r} is not one of {listed(map(repr, parameter.choices))}.")
    # What an activity returns meets no door that reads it (M6.5).
    return coerce(kind, value) if kind is ValueType.TIMESTAMP else value


def value_text(value: Value, longest: int = 200) -> str:
    """A value as JSON on one line, cut when long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def sample(name: str, candidates: list[Value]) -> Value:
    """A candidate to begin with; a text that no condition asks for says what it stands for."""
    value = next((each for each in candidates if each is not None), None)
    return f"{name.removesuffix('_id')}-1" if value == "text" else value


def item_text(index: int | None, item: Value) -> str:
    """Which item of a `for_each` something is for, as a sentence to go on with; empty if it is for none."""
    return "" if index is None else f" For item {index}: {value_text(item, 80)}."
