"""Types as a definition writes them: of variables, payload fields, inputs and results, or under `types` (M10.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import AfterValidator, BeforeValidator

from wfsim.errors import did_you_mean, listed
from wfsim.model import pattern as patterns
from wfsim.model.fields import Bound, Element, Flag, Identifier, Scalar
from wfsim.model.json_schema import to_json_schema
from wfsim.model.problems import Path
from wfsim.model.shapes import Shape, misfit
from wfsim.model.values import ValueType, brief

DEEPEST_TYPE = 16
"""Types inside types."""


def _type_name(value: object) -> object:
    return ValueType(value) if isinstance(value, str) and value in set(ValueType) else value


def _field_type(value: object) -> object:
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


Typed: TypeAlias = Annotated[FieldType, BeforeValidator(_field_type)]
Types: TypeAlias = Mapping[str, FieldType]
FieldType.model_rebuild()
F = TypeVar("F", bound=FieldType)


def shape_of(declared: FieldType, types: Types, around: tuple[str, ...] = ()) -> Shape:
    """What values of a declared type are made of; a name that means nothing, or itself, may be anything."""
    base = Shape(declared.type) if isinstance(declared.type, ValueType) else _named(declared.type, types, around)
    fields = None
    if declared.fields is not None:
        fields = {name: shape_of(one, types, around) for name, one in declared.fields.items()}
    return Shape(
        kind=base.kind,
        name=base.name,
        optional=declared.optional or base.kind is ValueType.ANY,
        values=base.values if declared.values is None else declared.values,
        minimum=base.minimum if declared.minimum is None else declared.minimum,
        maximum=base.maximum if declared.maximum is None else declared.maximum,
        pattern=base.pattern if declared.pattern is None else declared.pattern,
        items=base.items if declared.items is None else shape_of(declared.items, types, around),
        fields=base.fields if fields is None else fields,
    )


def _named(name: str, types: Types, around: tuple[str, ...]) -> Shape:
    if name not in types or name in around or len(around) == DEEPEST_TYPE:
        return Shape(name=name)
    found = shape_of(types[name], types, (*around, name))
    return Shape(
        found.kind,
        name,
        found.optional,
        found.values,
        found.minimum,
        found.maximum,
        found.pattern,
        found.items,
        found.fields,
    )


def resolved(declared: F, types: Types) -> F:
    """The same declaration, knowing what the names of types in it mean."""
    known = declared.model_copy()
    known.__dict__["shape"] = shape_of(declared, types)
    return known


# Checks --------------------------------------------------------------------------------------------------

Report: TypeAlias = Callable[[Path, str], None]


def check_types(types: Types, report: Report) -> None:
    """Names that are types of the language, and types that are made of themselves."""
    for name, declared in types.items():
        path: Path = ("types", name)
        if name in set(ValueType):
            report(path, f"the type {name!r} is one of the language. Call yours otherwise.")
        if declared.optional:
            report(
                (*path, "optional"), f"type {name!r}: whether a value may be missing is said where the type is used."
            )
        circle = _circle(name, types)
        if circle is not None:
            report(
                path,
                f"type {name!r} is made of itself ({' → '.join(circle)}): its values would have no end. "
                "Keep the inner one as `any`, or in a list of its own beside.",
            )
        check_declared(path, f"type {name!r}", declared, types, report)


def _circle(name: str, types: Types) -> list[str] | None:
    """The way from a type back to itself, or further down than `DEEPEST_TYPE`."""

    def way(to: str, passed: list[str]) -> list[str] | None:
        if to in passed or len(passed) > DEEPEST_TYPE:
            return [*passed, to] if to == name or len(passed) > DEEPEST_TYPE else None
        declared = types.get(to)
        for used in [] if declared is None else _used(declared):
            found = way(used, [*passed, to])
            if found is not None:
                return found
        return None

    return way(name, [])


def _used(declared: FieldType) -> list[str]:
    found = [one.type for one in (declared, *(one for _, one in declared.inside()))]
    return [one for one in dict.fromkeys(found) if not isinstance(one, ValueType)]


def check_declared(path: Path, what: str, declared: FieldType, types: Types, report: Report) -> bool:
    """Names of types that there are, and limits, listed values and patterns that go with each other: whether so."""
    sound = True
    for inner, one in [((), declared), *declared.inside()]:
        where = f"{what}, {'.'.join(map(str, inner))}" if inner else what
        sound &= _check_one((*path, *inner), where, one, types, report)
    return sound


def _check_one(path: Path, what: str, declared: FieldType, types: Types, report: Report) -> bool:
    if not isinstance(declared.type, ValueType) and declared.type not in types:
        known = [*types, *map(str, ValueType)]
        report(
            (*path, "type"),
            f"{what} is of type {brief(declared.type)}, which is not a type. "
            f"Types: {listed(known)}.{did_you_mean(declared.type, known)}",
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
