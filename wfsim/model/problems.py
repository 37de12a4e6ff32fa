"""Problems of a definition, told with file, line, value and advice in the words of the language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from wfsim.errors import DefinitionError, did_you_mean
from wfsim.model.values import brief

Path: TypeAlias = tuple[str | int, ...]
LineOf: TypeAlias = Callable[[Path], int | None]
MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at a path of the definition."""

    path: Path
    message: str


def definition_error(
    problems: Sequence[Problem], file: str | None = None, line_of: LineOf | None = None
) -> DefinitionError:
    """One error that lists the problems, at most ten in full; all are in its `problems`."""
    found: list[tuple[str | None, int | None, str]] = []
    shown: list[str] = []
    for problem in problems:
        line = line_of(problem.path) if line_of is not None else None
        found.append((file, line, problem.message))
        where = f"{file}:{line or 1}" if file is not None else path_text(problem.path)
        shown.append(f"{where}: {problem.message}" if where else problem.message)
    text = "\n".join(shown[:MOST_SHOWN])
    if len(shown) > MOST_SHOWN:
        text += f"\n… and {len(shown) - MOST_SHOWN} more."
    return DefinitionError(text, found, [code_of(problem.path) for problem in problems])


def code_of(path: Path) -> str:
    """What an error is about: the keys on its path, as `docs/keys.md` has them; `workflow` for all of it.

    >>> code_of(("transitions", 3, "pre_actions", 0, "name"))
    'transitions[].pre_actions[].name'
    >>> code_of(("variables", "price", "minimum"))
    'variables.<name>.minimum'
    >>> code_of(("timeouts", "states", "open"))
    'timeouts.states.<name>'
    """
    text, named = "", False
    for part in path:
        key = "[]" if isinstance(part, int) else ".<name>" if named else f".{part}"
        named = not named and part in NAMED
        text += key
    return text.removeprefix(".") or "workflow"


NAMED = frozenset(
    {
        "variables",
        "events",
        "activities",
        "states",
        "payload",
        "parameters",
        "input",
        "schedules",
        "policies",
        "types",
        "data",
        "query",
        "headers",
        "environment",
    }
)
"""Sections whose keys are names that people choose."""


def path_text(path: Path) -> str:
    """`transitions[3].to`: how Python users read a path."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def shown(value: object) -> str:
    """A value of a file for an error text, with its kind."""
    if value is None:
        return "null (nothing)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        text = brief(value)
        return text if text.startswith("an ") else f"the number {text}"
    if isinstance(value, str):
        return f"the text {brief(value)}"
    if isinstance(value, Mapping):
        return "a mapping" + (f" with the keys {', '.join(_key(key) for key in list(value)[:5])}" if value else "")
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return f"a value of type {type(value).__name__}"


def _key(key: object) -> str:
    return key if isinstance(key, str) and len(key) <= 60 else brief(key)


_EXPECTED = {
    "string_type": "a text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping (key: value)",
    "mapping_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
}


def from_validation(errors: Sequence[Mapping[str, Any]], data: object, *, named: bool = True) -> list[Problem]:
    """Translate the error list of the validator; branches of one union become one problem.

    Parameters
    ----------
    errors
        As `ValidationError.errors()` gives them.
    data
        What was validated, to find the path that each error means and the value there.
    named
        Begin each message with the key it is about.
    """
    expected: dict[Path, list[str]] = {}
    choices: dict[Path, list[str]] = {}
    told: dict[Path, list[str]] = {}
    for error in errors:
        kind = error["type"]
        path, value = _locate(data, error["loc"])
        if kind == "missing":
            key = str(error["loc"][-1])
            _add(told, (*path, key), f"the key {key!r} is missing.")
        elif kind in _EXPECTED:
            _add(expected, path, _EXPECTED[kind])
        elif kind in ("literal_error", "enum"):
            for choice in re.findall(r"'([^']*)'", error["ctx"]["expected"]):
                _add(choices, path, choice)
        elif kind == "too_short" and value:
            # The validator counts only the entries that are right; the wrong ones are told already.
            continue
        else:
            unknown = error["ctx"]["key"] if kind == "unknown_key" else None
            place = (*path, unknown) if isinstance(unknown, str) else path
            _add(told, place, _sentence(error, value))
    problems: list[Problem] = []
    for path in dict.fromkeys([*told, *choices, *expected]):
        name = _named(path) if named else ""
        if path in expected or path in choices:
            _, value = _locate(data, path)
            wanted = " or ".join(dict.fromkeys([*choices.get(path, []), *expected.get(path, [])]))
            advice = _quote(wanted, value)
            if isinstance(value, str):
                advice += did_you_mean(value, choices.get(path, []))
            problems.append(Problem(path, f"{name}expected {wanted}, found {shown(value)}.{advice}"))
        problems += [
            Problem(path, message if _tells(message, path) else f"{name}{message}")
            for message in dict.fromkeys(told.get(path, []))
        ]
    return problems


def _add(table: dict[Path, list[str]], path: Path, message: str) -> None:
    table.setdefault(path, []).append(message)


def _locate(data: object, loc: Sequence[str | int]) -> tuple[Path, object]:
    """The path in the data; parts of `loc` that name branches of a union are not in it."""
    path: list[str | int] = []
    for part in loc:
        inside = isinstance(data, Mapping) and part in data
        if not inside and not (isinstance(data, list | tuple) and isinstance(part, int) and part < len(data)):
            continue
        data = data[part]  # type: ignore[index]
        path.append(part)
    return tuple(path), data


def _named(path: Path) -> str:
    """The last key of the path, unless it is only a position."""
    key = path[-1] if path and isinstance(path[-1], str) else None
    return f"{key}: " if key is not None else ""


def _tells(message: str, path: Path) -> bool:
    return bool(path) and brief(path[-1]) in message


def _quote(wanted: str, value: object) -> str:
    if wanted == "a text" and isinstance(value, bool | int | float):
        return " Put it in quotes if it is meant as text."
    if wanted == "true or false" and isinstance(value, str):
        return " Write true or false, without quotes."
    return ""


def _sentence(error: Mapping[str, Any], value: object) -> str:
    context: Mapping[str, Any] = error.get("ctx") or {}
    match error["type"]:
        case "value_error":
            return str(context["error"])
        case "unknown_key":
            return str(error["msg"])
        case "union_tag_invalid":
            allowed = str(context["expected_tags"]).replace("'", "")
            near = did_you_mean(context["tag"], allowed.split(", "))
            return f"action_type is {shown(context['tag'])}. Allowed: {allowed}.{near}"
        case "union_tag_not_found":
            return "the key 'action_type' is missing: activity, set_variable, send or compensate."
        case "greater_than_equal":
            return f"expected {context['ge']} or more, found {shown(value)}."
        case "greater_than":
            return f"expected more than {context['gt']:g}, found {shown(value)}."
        case "less_than_equal":
            return f"expected {context['le']} or less, found {shown(value)}."
        case "too_short":
            return f"expected at least {context['min_length']} entry, found none."
        case "finite_number":
            return f"expected a finite number, found {shown(value)}."
        case "int_parsing_size" | "int_too_large":
            return "the number is too large."
        case _:
            return f"{shown(value)} does not fit here."


def refuse_unknown_keys(model: type[BaseModel], data: object, what: str) -> None:
    """Let a model's validator refuse a key it does not know, with the keys it knows.

    Raises
    ------
    PydanticCustomError
        Of type `unknown_key`, which `from_validation` tells.
    """
    if not isinstance(data, Mapping):
        return
    keys = [field.alias or name for name, field in model.model_fields.items()]
    for key in data:
        if key not in keys and key not in model.model_fields:
            near = did_you_mean(_key(key), keys)
            text = f"{brief(key)} is not a key of {what}. Allowed: {', '.join(keys)}.{near}"
            raise PydanticCustomError("unknown_key", "{text}", {"key": key, "text": text})
