"""What values of a declared type are made of: whether a value is one, and whether one type's can be another's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from wfsim.model.moments import LATEST
from wfsim.model.pattern import LONGEST_MATCHED, matches, meet
from wfsim.model.values import (
    NULL,
    RANGE,
    TYPE,
    EvaluationFault,
    Value,
    ValueType,
    brief,
    check_value,
    coerce,
    described,
    kept,
)


@dataclass(frozen=True, slots=True)
class Shape:
    """A type with all that its declaration says (M10.4).

    Attributes
    ----------
    name
        The type of `types` that it was declared by.
    optional
        Whether null may stand for a value.
    items, fields
        What a list holds, and which fields an object has; `None` where anything may be in it.
    """

    kind: ValueType = ValueType.ANY
    name: str | None = None
    optional: bool = False
    values: tuple[Any, ...] | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    pattern: str | None = None
    items: Shape | None = None
    fields: Mapping[str, Shape] | None = None
    deep: bool = field(init=False, repr=False, compare=False)
    """Whether more than the kind, the range and the listed values of a value is declared."""
    limited: bool = field(init=False, repr=False, compare=False)
    """Whether more than the kind of a value is declared."""

    def __post_init__(self) -> None:
        deep = self.pattern is not None or self.items is not None or self.fields is not None
        ranged = self.minimum is not None or self.maximum is not None
        # Asked of each value that comes in.
        object.__setattr__(self, "deep", deep)
        object.__setattr__(self, "limited", deep or ranged or self.values is not None)

    @property
    def bounds(self) -> tuple[int | float | None, int | float | None]:
        """The least and the greatest value that it has; times lie between 1970 and 9999 (M6.5)."""
        return (0, LATEST) if self.kind is ValueType.TIMESTAMP else (self.minimum, self.maximum)

    def __str__(self) -> str:
        if self.name is not None:
            return self.name
        return f"list of {self.items}" if self.items is not None else self.kind.value


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function in Python takes, in the order of its arguments, and gives (M14.1)."""

    inputs: Mapping[str, Shape]
    result: Shape


ANYTHING = Shape(optional=True)


def plain(kind: ValueType) -> Shape:
    """A value of a kind of which nothing else is known."""
    return Shape(kind, optional=True)


def bare(shape: Shape) -> Shape:
    """The type without ranges, listed values and patterns: kinds, items and fields."""
    return Shape(
        shape.kind,
        shape.name,
        shape.optional,
        items=None if shape.items is None else bare(shape.items),
        fields=None if shape.fields is None else {name: bare(one) for name, one in shape.fields.items()},
    )


def fitted(shape: Shape, value: Value) -> Value:
    """The value as a name of that type keeps it (M10.4).

    Raises
    ------
    EvaluationFault
        `Expression.null`, `Expression.type` or `Expression.range`, with the place inside the value.
    """
    if value is None:
        if shape.optional or shape.kind is ValueType.ANY:
            return None
        raise EvaluationFault(NULL, "the value is not optional, so it cannot be null.")
    return _limited(shape, coerce(shape.kind, value), "")


def admitted(shape: Shape, value: Value) -> Value:
    """What `fitted` makes of a value to which `misfit` does not object, without looking at it again where it can."""
    return fitted(shape, value) if shape.deep else kept(shape.kind, value)


def misfit(shape: Shape, value: Value) -> str | None:
    """Why a value is none of that type; `None` if it is. A value of which only the kind is declared is not copied."""
    if value is None:
        return None if shape.optional or shape.kind is ValueType.ANY else "it is not optional, so it cannot be null"
    reason = check_value(shape.kind, value)
    if reason is not None or not shape.limited or (isinstance(value, (list, tuple, Mapping)) and not shape.deep):
        return reason
    try:
        _limited(shape, kept(shape.kind, value), "")
    except EvaluationFault as fault:
        return fault.message.rstrip(".")
    return None


def _limited(shape: Shape, value: Value, place: str) -> Value:
    """A value of the right kind, each further rule applied to it and its parts."""
    if not shape.limited:
        return value
    at = f"{place}: " if place else ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if shape.minimum is not None and value < shape.minimum:
            raise EvaluationFault(RANGE, f"{at}{value} is below {shape.minimum}.")
        if shape.maximum is not None and value > shape.maximum:
            raise EvaluationFault(RANGE, f"{at}{value} is above {shape.maximum}.")
    if shape.values is not None and not any(same_scalar(value, allowed) for allowed in shape.values):
        raise EvaluationFault(RANGE, f"{at}{described(value)} is not one of {', '.join(map(repr, shape.values))}.")
    if shape.pattern is not None and isinstance(value, str) and not matches(shape.pattern, value):
        limit = f", or longer than {LONGEST_MATCHED:,}" if len(value) > LONGEST_MATCHED else ""
        raise EvaluationFault(RANGE, f"{at}{described(value)} is not of the pattern {shape.pattern}{limit}.")
    if shape.items is not None and isinstance(value, list):
        return [_part(shape.items, each, f"{place}[{n}]") for n, each in enumerate(value)]
    if shape.fields is not None and isinstance(value, Mapping):
        for name in value:
            if name not in shape.fields:
                known = ", ".join(shape.fields) or "none"
                raise EvaluationFault(TYPE, f"{at}there is no field {brief(name)}. Fields: {known}.")
        # A missing field that is optional is kept as null, so that reading it is no error.
        return {name: _part(part, value.get(name), f"{place}.{name}") for name, part in shape.fields.items()}
    return value


def _part(shape: Shape, value: Value, place: str) -> Value:
    if value is None:
        if shape.optional or shape.kind is ValueType.ANY:
            return None
        raise EvaluationFault(TYPE, f"{place} is missing.")
    reason = check_value(shape.kind, value)
    if reason is not None:
        raise EvaluationFault(TYPE, f"{place}: {reason}.")
    return _limited(shape, kept(shape.kind, value), place)


def same_scalar(value: Value, allowed: Value) -> bool:
    """Whether they are equal, where 1 and 1.0 are and 1 and true are not."""
    return bool(value == allowed) and isinstance(value, bool) is isinstance(allowed, bool)


# Types against types -------------------------------------------------------------------------------------


def never_fits(target: Shape, source: Shape, place: str = "") -> str | None:
    """Why no value of `source` is ever one of `target`; `None` if some may be."""
    at = f"{place}: " if place else ""
    if ValueType.ANY in (target.kind, source.kind):
        return None
    is_written_time = target.kind is ValueType.TIMESTAMP and source.values is not None
    kinds = (target.kind, source.kind)
    if target.kind is not source.kind and kinds != (ValueType.NUMBER, ValueType.INTEGER) and not is_written_time:
        return f"{at}{_a(source)} is not {_a(target)}"
    if source.values is not None:
        alone = replace(source, values=None, optional=False)
        fitting = [each for each in source.values if misfit(target, each) is None and misfit(alone, each) is None]
        if not fitting:
            return f"{at}none of {', '.join(map(repr, source.values))} is {_a(target)}"
    elif target.values is not None and not any(misfit(source, each) is None for each in target.values):
        return f"{at}none of {', '.join(map(repr, target.values))} is {_a(source)}"
    for low, high in ((target.minimum, source.maximum), (source.minimum, target.maximum)):
        if low is not None and high is not None and low > high:
            return f"{at}no value is at least {low} and at most {high}"
    if target.pattern is not None and source.pattern is not None and meet(target.pattern, source.pattern) is None:
        return f"{at}no text is of the pattern {target.pattern} and of {source.pattern}"
    return _never_fields(target, source, place)


def _never_fields(target: Shape, source: Shape, place: str) -> str | None:
    if target.fields is None or source.fields is None:
        # Of two lists only the empty one fits for sure, which says nothing about whether they are meant alike.
        items = (target.items, source.items)
        return never_fits(items[0], items[1], f"{place}[…]") if items[0] and items[1] else None
    at = f"{place}: " if place else ""
    needed = [name for name, one in target.fields.items() if not one.optional and name not in source.fields]
    if needed:
        return f"{at}{_a(source)} has no field {', '.join(map(repr, needed))}, which {_a(target)} needs"
    more = [name for name, one in source.fields.items() if not one.optional and name not in target.fields]
    if more:
        return f"{at}{_a(source)} has the field {', '.join(map(repr, more))}, which {_a(target)} has not"
    for name, one in target.fields.items():
        if name in source.fields and not (one.optional and source.fields[name].optional):
            reason = never_fits(one, source.fields[name], f"{place}.{name}")
            if reason is not None:
                return reason
    return None


def always_fits(target: Shape, source: Shape) -> bool:
    """Whether every value of `source` is one of `target`, as it is: nothing is converted on the way (M10.1)."""
    if source.optional and not target.optional:
        return False
    if target == ANYTHING:
        return True
    if target.kind is not source.kind:
        return False
    if source.values is not None and not source.deep:
        return all(misfit(target, each) is None for each in source.values)
    if target.values is not None:
        return False
    low = target.minimum is None or (source.minimum is not None and source.minimum >= target.minimum)
    high = target.maximum is None or (source.maximum is not None and source.maximum <= target.maximum)
    if not low or not high or target.pattern not in (None, source.pattern):
        return False
    if target.items is not None and (source.items is None or not always_fits(target.items, source.items)):
        return False
    if target.fields is None:
        return True
    given = source.fields or {}
    known = all(always_fits(one, given[name]) if name in given else one.optional for name, one in target.fields.items())
    return source.fields is not None and known and given.keys() <= target.fields.keys()


def otherwise_named(target: Shape, source: Shape) -> bool:
    """Whether both are texts or numbers of types with names, and the names differ: a value that fits by accident."""
    scalars = (ValueType.STRING, ValueType.INTEGER, ValueType.NUMBER)
    named = target.name is not None and source.name is not None and target.name != source.name
    return named and target.kind in scalars and source.kind in scalars


def _a(shape: Shape) -> str:
    if shape.name is None and shape.values is not None:
        return f"one of {', '.join(map(repr, shape.values))}"
    text = str(shape)
    return f"{'an' if text[0] in 'aeio' else 'a'} {text}"


def common(first: Shape | None, second: Shape | None) -> Shape | None:
    """What is known of a value that is of one of two types."""
    if first is None or second is None or first.kind is not second.kind:
        return None
    optional = first.optional or second.optional
    return (
        replace(first, optional=optional)
        if first == replace(second, optional=first.optional)
        else Shape(first.kind, optional=optional)
    )


def parts(shape: Shape) -> Iterator[Shape]:
    """The type and those of all that is in its values."""
    yield shape
    for inner in [*([shape.items] if shape.items else []), *(shape.fields or {}).values()]:
        yield from parts(inner)
