"""Types as JSON Schema, and JSON Schema (also of a pydantic model) as types (M10.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from wfsim.errors import DefinitionError
from wfsim.model.moments import written
from wfsim.model.shapes import Shape
from wfsim.model.values import ValueType, brief

_KINDS = {"array": ValueType.LIST, "string": ValueType.STRING, "integer": ValueType.INTEGER}
_KINDS |= {"number": ValueType.NUMBER, "boolean": ValueType.BOOLEAN, "object": ValueType.OBJECT}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_NOTES = frozenset(
    {"$schema", "$id", "$defs", "$comment", "title", "description", "default", "examples", "format", "deprecated"}
)
"""What says nothing about which values there are (`format` is a note, but for times)."""
_TAKEN = frozenset({"type", "enum", "const", "minimum", "maximum", "pattern", "items", "properties", "required"})
_TIME = "date-time"
_DEFINITIONS = "#/$defs/"


def to_json_schema(shape: Shape) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the values that fit a type."""
    found: dict[str, Any] = {}
    if shape.kind is not ValueType.ANY:
        name = "string" if shape.kind is ValueType.TIMESTAMP else _NAMES[shape.kind]
        found["type"] = [name, "null"] if shape.optional else name
    if shape.kind is ValueType.TIMESTAMP:
        found["format"] = _TIME
    if shape.values is not None:
        values = shape.values
        if shape.kind is ValueType.TIMESTAMP:
            values = tuple(written(each) if isinstance(each, int) else each for each in values)
        found["enum"] = [*values, *([None] if shape.optional else [])]
    found |= {key: limit for key in ("minimum", "maximum") if (limit := getattr(shape, key)) is not None}
    if shape.pattern is not None:
        found["pattern"] = f"^{shape.pattern}$"
    if shape.items is not None:
        found["items"] = to_json_schema(shape.items)
    if shape.fields is not None:
        found["properties"] = {name: to_json_schema(one) for name, one in shape.fields.items()}
        found["required"] = [name for name, one in shape.fields.items() if not one.optional]
        found["additionalProperties"] = False
    return found


def types_of(name: str, given: object) -> dict[str, Any]:
    """The types, as a definition writes them, that a JSON Schema or a pydantic model stands for.

    Raises
    ------
    DefinitionError
        For what types cannot say, with its place.
    """
    if isinstance(given, type) and issubclass(given, BaseModel):
        given = given.model_json_schema()
    if not isinstance(given, Mapping):
        raise DefinitionError(f"type {name!r}: give a JSON Schema (a mapping) or a pydantic model, not {brief(given)}.")
    inner = given.get("$defs", {})
    return {**{each: _type(schema, f"{name}.$defs.{each}") for each, schema in inner.items()}, name: _type(given, name)}


def _type(schema: Any, place: str) -> dict[str, Any]:
    if not isinstance(schema, Mapping):
        raise DefinitionError(f"{place}: {brief(schema)} is no JSON Schema that a type can be made of.")
    if "$ref" in schema:
        target = str(schema["$ref"])
        if not target.startswith(_DEFINITIONS):
            raise DefinitionError(f"{place}: {target!r} is not found. Put it under $defs of the same schema.")
        return {"type": target.removeprefix(_DEFINITIONS)}
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices is not None:
        return _one_of(choices, place)
    unknown = set(schema) - _NOTES - _TAKEN - {"additionalProperties", "exclusiveMinimum", "exclusiveMaximum"}
    if unknown:
        raise DefinitionError(
            f"{place}: {', '.join(sorted(unknown))} cannot be said of a type. Take it out, and check it in a condition."
        )
    kind, optional = _kind(schema, place)
    found: dict[str, Any] = {"type": kind.value, **({"optional": True} if optional else {})}
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values is not None:
        found["values"] = [value for value in values if value is not None]
    found |= _limits(schema, kind, place)
    if "pattern" in schema:
        pattern = str(schema["pattern"])
        if not (pattern.startswith("^") and pattern.endswith("$")):
            raise DefinitionError(f"{place}: the pattern {pattern!r} may match a part. Write ^…$ for the whole text.")
        found["pattern"] = pattern[1:-1]
    if "items" in schema:
        found["items"] = _type(schema["items"], f"{place}[]")
    if "properties" in schema:
        needed = schema.get("required", ())
        fields = {key: _type(each, f"{place}.{key}") for key, each in schema["properties"].items()}
        found["fields"] = {key: one if key in needed else {**one, "optional": True} for key, one in fields.items()}
    return found


def _one_of(choices: Any, place: str) -> dict[str, Any]:
    """Of a choice, only that between a type and null can be said."""
    others = [each for each in choices if each != {"type": "null"}]
    if len(others) != 1:
        raise DefinitionError(f"{place}: a value is of one type. Make it `any`, or give each of {len(others)} a field.")
    found = _type(others[0], place)
    return {**found, "optional": True} if len(others) < len(choices) else found


def _kind(schema: Mapping[str, Any], place: str) -> tuple[ValueType, bool]:
    named = schema.get("type")
    names = list(named) if isinstance(named, list | tuple) else [] if named is None else [named]
    others = [each for each in names if each != "null"]
    if not names and (values := schema.get("enum") or ([schema["const"]] if "const" in schema else None)):
        others = ["string"] if all(isinstance(value, str) for value in values) else []
    if len(others) > 1 or any(each not in _KINDS for each in others):
        raise DefinitionError(f"{place}: {named!r} is not one of {', '.join(_KINDS)}. A value is of one type.")
    if others == ["string"] and schema.get("format") == _TIME:
        return ValueType.TIMESTAMP, "null" in names
    return _KINDS[others[0]] if others else ValueType.ANY, "null" in names


def _limits(schema: Mapping[str, Any], kind: ValueType, place: str) -> dict[str, Any]:
    found = {key: _whole(schema[key]) for key in ("minimum", "maximum") if key in schema}
    for key, beside, step in (("exclusiveMinimum", "minimum", 1), ("exclusiveMaximum", "maximum", -1)):
        if key in schema:
            if kind is not ValueType.INTEGER:
                raise DefinitionError(f"{place}: {key} of a number cannot be said of a type. Give {beside} instead.")
            found[beside] = schema[key] + step
    return found


def _whole(limit: Any) -> Any:
    """5 for 5.0, as some versions of pydantic write a limit."""
    return int(limit) if isinstance(limit, float) and limit.is_integer() else limit
