"""Types as a definition writes them: of variables, payload fields, inputs and results, or under `types` (M10.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import AfterValidator, BeforeValidator

from wfsim.errors import did_you_mean, listed
from wfsim.model import pattern as patterns
from wfsim.model.fields import Bound, Element, Flag, Identifier, Scalar
from wfsim.model.json_schema import to_json_schema
from wfsim.model.problems import Path
from wfsim.model.shapes import Shape, misfit
from wfsim.model.values import DEEPEST_VALUE, ValueType, brief, check_value, kept

MOST_FIELDS = 1_000
"""Of a type, with those of the types inside it."""


# What other languages call the types of values.
_ELSEWHERE = {
    "str": "string",
    "text": "string",
    "int": "integer",
    "float": "number",
    "double": "number",
    "decimal": "number",
    "bool": "boolean",
    "array": "list",
    "dict": "object",
    "map": "object",
    "mapping": "object",
    "json": "any",
}


def _type_name(value: object) -> object:
    return ValueType(value) if isinstance(value, str) and value in set(ValueType) else value


def declared_by(value: object) -> object:
    """The short spellings: the name of a type alone, and an object by its fields alone, each with its type."""
    if isinstance(value, str):
        return {"type": value}
    if not isinstance(value, Mapping) or not value or "type" in value:
        return value
    if "fields" not in value and all(isinstance(part, str | Mapping | FieldType) for part in value.values()):
        return {"type": ValueType.OBJECT, "fields": value}
    if "fields" in value:
        return {"type": ValueType.OBJECT, **value}
    return value


def _pattern(text: str) -> str:
    patterns.places(text)
    return text


TypeName = Annotated[ValueType | Identifier, BeforeValidator(_type_name)]


class FieldType(Element):
    """A type where it is used: one of the language or of `types`, and what more is asked of its values."""

    type: TypeName = ValueType.ANY
    optional: Flag = False
    values: tuple[Scalar, ...] | None = None
    minimum: Bound | None = None
    maximum: Bound | None = None
    pattern: Annotated[str, AfterValidator(_pattern)] | None = None
    items: Typed | None = None
    fields: Mapping[Identifier, Typed] | None = None

    @cached_property
    def shape(self) -> Shape:
        """What its values are made of; a definition with `types` puts in what these names mean."""
        return shape_of(self, {})

    @property
    def kind(self) -> ValueType:
        """The kind of its values."""
        return self.shape.kind

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema (2020-12) of its values; types that it names are written out."""
        return to_json_schema(self.shape)

    def inside(self) -> Iterator[tuple[Path, FieldType]]:
        """The types of its items and fields, with their paths, all the way down."""
        inner: list[tuple[Path, FieldType]] = [] if self.items is None else [(("items",), self.items)]
        inner += [(("fields", name), one) for name, one in (self.fields or {}).items()]
        for path, one in inner:
            yield path, one
            yield from ((path + deeper, each) for deeper, each in one.inside())


Typed: TypeAlias = Annotated[
    FieldType,
    BeforeValidator(declared_by, json_schema_input_type=TypeName | FieldType | Mapping[Identifier, Any]),
]
Types: TypeAlias = Mapping[str, FieldType]
FieldType.model_rebuild()
F = TypeVar("F", bound=FieldType)


def shape_of(declared: FieldType, types: Types) -> Shape:
    """What values of a declared type are made of; a name that means nothing, or itself, may be anything."""
    return _shape(declared, types, {})


def _shape(declared: FieldType, types: Types, known: dict[str, Shape], depth: int = 0) -> Shape:
    """The same, where `known` holds the named types met so far: each is made once, however often it is used."""
    if depth > DEEPEST_VALUE:
        # No value is that deep; the check refuses such a type.
        return Shape()
    base = Shape(declared.type) if isinstance(declared.type, ValueType) else _named(declared.type, types, known, depth)
    fields = None
    if declared.fields is not None:
        fields = {name: _shape(one, types, known, depth + 1) for name, one in declared.fields.items()}
    return Shape(
        kind=base.kind,
        name=base.name,
        optional=declared.optional or base.kind is ValueType.ANY,
        values=base.values if declared.values is None else _kept(base.kind, declared.values),
        minimum=base.minimum if declared.minimum is None else declared.minimum,
        maximum=base.maximum if declared.maximum is None else declared.maximum,
        pattern=base.pattern if declared.pattern is None else declared.pattern,
        items=base.items if declared.items is None else _shape(declared.items, types, known, depth + 1),
        fields=base.fields if fields is None else fields,
    )


def _kept(kind: ValueType, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Listed values as they are inside, where times are numbers; the check refuses those that are none."""
    if kind is not ValueType.TIMESTAMP:
        return values
    return tuple(kept(kind, each) if check_value(kind, each) is None else each for each in values)


def _named(name: str, types: Types, known: dict[str, Shape], depth: int) -> Shape:
    if name not in known:
        # Should it be met inside itself, there it may be anything; the check refuses it.
        known[name] = Shape(name=name)
        if name in types:
            known[name] = replace(_shape(types[name], types, known, depth + 1), name=name)
    return known[name]


def resolved(declared: F, types: Types) -> F:
    """The same declaration, knowing what the names of types in it mean."""
    with_names = declared.model_copy()
    with_names.__dict__["shape"] = shape_of(declared, types)
    return with_names


# Checks --------------------------------------------------------------------------------------------------

Report: TypeAlias = Callable[[Path, str], None]


def check_types(types: Types, report: Report) -> None:
    """Names that are types of the language, types that are made of themselves, and types without measure."""
    measured: dict[str, int] = {}
    for name, declared in types.items():
        path: Path = ("types", name)
        if name in set(ValueType):
            report(path, f"the type {name!r} is one of the language. Call yours otherwise.")
        if declared.optional:
            report((*path, "optional"), f"type {name!r}: whether it may be missing is said where it is used.")
        circle = _measure(name, types, measured, [])
        if circle is not None:
            report(
                path,
                f"type {name!r} is made of itself ({' → '.join(circle)}): its values would have no end. "
                "Keep the inner one as `any`, or in a list of its own beside.",
            )
        elif measured[name] > MOST_FIELDS:
            report(
                path,
                f"type {name!r} is too large: with the types inside it, it has more than {MOST_FIELDS:,} fields or is "
                f"nested deeper than {DEEPEST_VALUE} levels. Keep some of it as `object`.",
            )
        check_declared(path, f"type {name!r}", declared, types, report)


def _measure(name: str, types: Types, measured: dict[str, int], around: list[str]) -> list[str] | None:
    """Count the fields of a type in all, each type once; the way back to it if it is made of itself."""
    if name in around:
        return [*around[around.index(name) :], name]
    if name in measured or name not in types:
        return None
    if len(around) > DEEPEST_VALUE:
        measured[name] = MOST_FIELDS + 1
        return None
    declared = types[name]
    inner = [declared, *(one for _, one in declared.inside())]
    used = [one.type for one in inner if not isinstance(one.type, ValueType)]
    circle = None
    for each in dict.fromkeys(used):
        found = _measure(each, types, measured, [*around, name])
        circle = circle or found
    measured[name] = len(inner) + sum(measured.get(each, 0) for each in used)
    return circle


def check_declared(path: Path, what: str, declared: FieldType, types: Types, report: Report) -> bool:
    """Names of types that there are, and limits, listed values and patterns that go with each other: whether so."""
    sound = True
    everything: list[tuple[Path, FieldType]] = [((), declared), *declared.inside()]
    if max(len(inner) for inner, _ in everything) > 2 * DEEPEST_VALUE:
        report(path, f"{what} is nested deeper than {DEEPEST_VALUE} levels. Keep some of it as `object`.")
        return False
    for inner, one in everything:
        where = f"{what}, {'.'.join(map(str, inner))}" if inner else what
        sound &= _check_one((*path, *inner), where, one, types, report)
    return sound


def _check_one(path: Path, what: str, declared: FieldType, types: Types, report: Report) -> bool:
    if not isinstance(declared.type, ValueType) and declared.type not in types:
        known = [*types, *map(str, ValueType)]
        report(
            (*path, "type"),
            f"{what} is of type {brief(declared.type)}, which is not a type. "
            f"Types: {listed(known)}.{did_you_mean(_ELSEWHERE.get(declared.type.lower(), declared.type), known)}",
        )
        return False
    shape = shape_of(declared, types)
    sound = _limits(path, what, declared, shape, report)
    for key, kind in (("items", ValueType.LIST), ("fields", ValueType.OBJECT), ("pattern", ValueType.STRING)):
        if getattr(declared, key) is not None and shape.kind is not kind:
            report((*path, key), f"{what} is of type {shape}, so it has no {key}: only {kind.value} has.")
            sound = False
    return sound and (declared.values is None or _values(path, what, declared, shape, report))


def _limits(path: Path, what: str, declared: FieldType, shape: Shape, report: Report) -> bool:
    sound = True
    for key in ("minimum", "maximum"):
        limit = getattr(declared, key)
        if limit is None:
            continue
        if shape.kind not in (ValueType.INTEGER, ValueType.NUMBER):
            report(
                (*path, key),
                f"{what} is of type {shape}, so it has no {key}: only integer and number have one.",
            )
            sound = False
        elif shape.kind is ValueType.INTEGER and isinstance(limit, float):
            report((*path, key), f"{what} is an integer; its {key} {limit} must be one too.")
            sound = False
    low, high = shape.minimum, shape.maximum
    if low is not None and high is not None and low > high:
        report((*path, "minimum"), f"{what}: the minimum {low} is above the maximum {high}.")
        sound = False
    return sound


def _values(path: Path, what: str, declared: FieldType, shape: Shape, report: Report) -> bool:
    if not declared.values:
        report((*path, "values"), f"{what} allows no value at all. Leave `values` out.")
        return False
    plain = Shape(shape.kind, None, False, None, shape.minimum, shape.maximum, shape.pattern)
    for value in declared.values or ():
        reason = misfit(plain, value)
        if reason is not None:
            report((*path, "values"), f"{what} cannot have the value {brief(value)}: {reason}.")
            return False
    return True
