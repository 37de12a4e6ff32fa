"""What stands in the fields of a definition: names, numbers, conditions, JSON; and the class of all its elements."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    Strict,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.fields import FieldInfo

from wfsim.errors import DefinitionError, ExpressionError, did_you_mean
from wfsim.model.duration import Duration
from wfsim.model.expression_tree import Apply, Expression, Template, mapped
from wfsim.model.expression_tree import Name as NameTree
from wfsim.model.expressions import is_template, parse, parse_condition, parse_template
from wfsim.model.moments import moment
from wfsim.model.problems import definition_error, from_validation, refuse_unknown_keys
from wfsim.model.shapes import Signature
from wfsim.model.values import LARGEST_INTEGER, SMALLEST_INTEGER, EvaluationFault, ValueType, brief, coerce

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    # The public way to the same class; the type checker needs the name.
    ModelMetaclass = type(BaseModel)

_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")
_NEAR = re.compile(rf"(?P<sign>[\^~])(?P<version>{_VERSION.pattern})")
_WILD = re.compile(r"(?P<major>0|[1-9]\d*)(?:\.(?P<minor>0|[1-9]\d*))?\.x")
_COMPARISON = re.compile(rf"(?:>=|<=|==|!=|>|<)?(?:{_VERSION.pattern})")
OF_STATE = "state."
"""What stands before the field of a state where a variable may stand too."""
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")


def _name(text: str) -> str:
    if not text or len(text) > 200 or not text.isprintable() or text != text.strip():
        raise ValueError(f"{brief(text)} is not a name: 1 to 200 printable characters, no space at the ends.")
    return text


def _identifier(text: str) -> str:
    if not _IDENTIFIER.fullmatch(text):
        raise ValueError(f"{brief(text)} is not an identifier: letters, digits and _, not starting with a digit.")
    return text


def _taker(text: str) -> str:
    _identifier(text.removeprefix(OF_STATE))
    return text


def _version(value: object) -> object:
    if isinstance(value, str) and len(value) <= 200 and _VERSION.fullmatch(value):
        return value
    raise ValueError(f"{brief(value)} is not a semantic version. Write three numbers: 1.0.0.")


def range_parts(text: str) -> list[str]:
    """The comparisons of a version range, each an operator with a version; none for `latest`.

    `^1.2.3` and `1.x` keep the first number that is not 0, `~1.2.3` and `1.2.x` keep the second as well.

    Raises
    ------
    ValueError
        With advice, if it is no range.
    """
    if text.strip() == "latest":
        return []
    found: list[str] = []
    for part in (each.strip().replace(" ", "") for each in text.split(",")):
        if _COMPARISON.fullmatch(part):
            found.append(part if part[0] in "<>=!" else f"=={part}")
        elif near := _NEAR.fullmatch(part):
            found += _between(near["sign"], near["version"])
        elif wild := _WILD.fullmatch(part):
            found += _between("~" if wild["minor"] else "^", f"{wild['major']}.{wild['minor'] or 0}.0", exact=True)
        else:
            raise ValueError(
                f"{brief(text)} is not a range of versions. Write latest, one version (1.2.0), ^1.2.0, ~1.2.0, 1.x, "
                'or comparisons that must all hold (">=1.2.0, <2.0.0").'
            )
    return found


def _between(sign: str, lowest: str, exact: bool = False) -> list[str]:
    """From the lowest version to the next one that may break what was promised."""
    major, minor, patch = (int(number) for number in lowest.split("-")[0].split("+")[0].split("."))
    if sign == "~":
        above = (major, minor + 1, 0)
    elif major or exact:
        above = (major + 1, 0, 0)
    else:
        above = (0, minor + 1, 0) if minor else (0, 0, patch + 1)
    return [f">={lowest}", "<{}.{}.{}".format(*above)]


def _version_range(value: object) -> object:
    if not isinstance(value, str) or len(value) > 200:
        raise ValueError(f"{brief(value)} is not a range of versions. Write it as text, in quotes.")
    range_parts(value)
    return value


def _cron(text: str) -> str:
    from cronsim import CronSim, CronSimError

    try:
        if len(text.split()) != 5:
            raise CronSimError("five fields are needed")
        CronSim(text, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(
            f"{brief(text)} is not a cron expression ({str(error).lower()}). Write minute, hour, day of the month, "
            'month and day of the week: "30 2 * * 1-5".'
        ) from None
    return text


def _time_zone(text: str) -> str:
    known = available_timezones()
    if text not in known:
        raise ValueError(
            f"{brief(text)} is not a time zone. Write a name such as Europe/Berlin or UTC.{did_you_mean(text, known)}"
        )
    return text


def _decimal(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise ValueError(f"{brief(value)} is not a number.")
    try:
        number = Decimal(value if isinstance(value, int | str) else str(value))
    except ArithmeticError:
        raise ValueError(f"{brief(value)} is not a number.") from None
    # The size comes first: a huge number has no six decimals to round to.
    if not number.is_finite() or abs(number) > 1_000 or number != round(number, 6):
        raise ValueError(f"{brief(value)} is not a finite number up to 1000 with at most six decimals.")
    return number.normalize()


def _moment(value: object) -> object:
    if isinstance(value, str) and is_template(value):
        return _template_value(value)
    try:
        moment(str(value))
    except ValueError as error:
        raise ValueError(
            f"{brief(value)} is no point in time: {error}, or ${{an expression}} that gives one."
        ) from None
    return value


def _tolerance(value: object) -> object:
    if type(value) is int and 0 <= value <= LARGEST_INTEGER:
        return value
    if (
        isinstance(value, str)
        and (share := re.fullmatch(r"(\d{1,3}(?:\.\d{1,4})?)%", value))
        and float(share[1]) <= 100
    ):
        return value
    raise ValueError(
        f"{brief(value)} is neither how many items may fail, such as 3, nor which share of them, such as 5%."
    )


def _in_64_bits(number: int) -> int:
    if not SMALLEST_INTEGER <= number <= LARGEST_INTEGER:
        raise ValueError("an integer is beyond 64 bits.")
    return number


def _condition(text: str) -> str:
    try:
        parse_condition(text)
    except ExpressionError as error:
        raise ValueError(str(error)) from None
    return text


def _deadline(value: object) -> object:
    try:
        if isinstance(value, str) and is_template(value):
            parse_template(value)
            return value
        return Duration.of(value)
    except DefinitionError as error:
        raise ValueError(str(error)) from None


def _template_value(value: object) -> object:
    try:
        parse_template(value)
    except ExpressionError as error:
        raise ValueError(str(error)) from None
    return _json(value)


def _key(text: str) -> str:
    try:
        parse(text)
    except ExpressionError as error:
        raise ValueError(str(error)) from None
    return text


def _json(value: object) -> object:
    """A copy of a JSON value as wfsim keeps it: no minus zero, nobody else's list."""
    try:
        return coerce(ValueType.ANY, value)
    except EvaluationFault as fault:
        raise ValueError(fault.message) from None


def _plain_number(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 200})]
Identifier = Annotated[
    str, AfterValidator(_identifier), WithJsonSchema({"type": "string", "pattern": f"^{_IDENTIFIER.pattern}$"})
]
Taker = Annotated[
    str,
    AfterValidator(_taker),
    WithJsonSchema({"type": "string", "pattern": rf"^(state\.)?{_IDENTIFIER.pattern}$"}),
]
"""What takes a value: a variable, or `state.<field>` of the state that is meant there (M13.1)."""
Version = Annotated[
    str, BeforeValidator(_version), WithJsonSchema({"type": "string", "pattern": f"^{_VERSION.pattern}$"})
]
VersionRange = Annotated[str, BeforeValidator(_version_range)]
Cron = Annotated[str, AfterValidator(_cron)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Exact = Annotated[Decimal, BeforeValidator(_decimal, json_schema_input_type=float), PlainSerializer(_plain_number)]
Condition = Annotated[str, AfterValidator(_condition)]
Flag = Annotated[bool, Strict()]
Count = Annotated[int, Strict(), AfterValidator(_in_64_bits)]
Bound = Count | Annotated[float, Strict()]
Scalar = Annotated[str, Strict()] | Annotated[bool, Strict()] | Count | Annotated[float, Strict()]
Json = Annotated[Any, AfterValidator(_json)]
Key = Annotated[str, AfterValidator(_key)]
TemplateValue = Annotated[Any, AfterValidator(_template_value)]
"""A JSON value in which strings `${...}` are expressions."""
Moment = Annotated[str, BeforeValidator(_moment)]
"""A point in time as ISO 8601 text, or `${expression}` giving one, evaluated when the state is entered (M6.5)."""
Tolerance = Annotated[int | str, BeforeValidator(_tolerance)]
"""How many may fail: a number, or a share such as `5%`."""
_Template = Annotated[str, WithJsonSchema({"type": "string", "pattern": r"^\$\{[\s\S]*\}$"})]
Deadline = Annotated[
    Duration | str, BeforeValidator(_deadline, json_schema_input_type=Duration | _Template), PlainSerializer(str)
]
"""A duration, or `${expression}` giving seconds, evaluated when the state is entered (M6.2)."""


def _known(node: Expression, read: Mapping[str, str], functions: Mapping[str, Signature]) -> Expression:
    match node:
        case NameTree("state", field) if field in read:
            return NameTree("context", read[field])
        case Apply(name, arguments) if name in functions:
            return Apply(name, arguments, functions[name])
    return node


class _Readable(ModelMetaclass):
    """Calling a class reports its problems in our words; the validator's own never reach people."""

    if not TYPE_CHECKING:

        def __call__(cls, *args, **kwargs):
            try:
                return super().__call__(*args, **kwargs)
            except ValidationError as error:
                raise definition_error(from_validation(error.errors(), kwargs, named=False)) from None


class Element(BaseModel, metaclass=_Readable):
    """A part of a definition: frozen, with its own keys and no others."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, use_enum_values=False, allow_inf_nan=False
    )

    _in_order: ClassVar[tuple[str, ...]] = ()
    """Names of the fields in the order in which people write them, where that is another one than here."""
    _derived: ClassVar[tuple[str, ...]] = ()

    def _located(self, tree: Template) -> Template:
        """A tree that stands in it, with the variables of states that it reads and the functions that it calls."""
        (read, _), functions = sees(self), calls(self)
        return mapped(tree, lambda node: _known(node, read, functions)) if read or functions else tree

    def _deadline(self, value: Duration | str | None) -> Template | None:
        """The expression that gives a length of time; `None` where that is none or fixed."""
        return self._located(parse_template(value)) if isinstance(value, str) and is_template(value) else None

    def _taker(self, name: str) -> str:
        """The variable that takes a value which something in it gives."""
        _, written = sees(self)
        return written.get(name.removeprefix(OF_STATE), name) if name.startswith(OF_STATE) else name

    @classmethod
    def __pydantic_init_subclass__(cls, **keywords: Any) -> None:
        """Note what is derived from fields: the trees of expressions."""
        cls._derived = tuple(name for name in dir(cls) if isinstance(getattr(cls, name, None), cached_property))

    def model_post_init(self, context: Any) -> None:
        """Derive it now, so that nobody reads a text again."""
        for name in self._derived:
            getattr(self, name)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other fields, which are not checked; what is derived from them is derived anew."""
        copied = super().model_copy(update=update, deep=deep)
        for name in self._derived:
            copied.__dict__.pop(name, None)
        return copied

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: object) -> object:
        refuse_unknown_keys(cls, data, _CALLED.get(cls.__name__, cls.__name__.lower()))
        return data


E = TypeVar("E", bound=Element)


def seeing(
    element: E,
    read: Mapping[str, str],
    written: Mapping[str, str],
    functions: Mapping[str, Signature],
    **update: Any,
) -> E:
    """The same element, where `state.<field>` is a certain variable (M13.1): one to be read, one to be written.

    `functions` are those that its expressions may call (M14.1); further keywords are fields that change with it.
    """
    if not update and (read, written) == sees(element) and functions == calls(element):
        return element
    placed = element.model_copy(update=update)
    placed.__dict__["_sees"] = read, written
    placed.__dict__["_calls"] = functions
    return placed


def sees(element: Element) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The variables that `state.<field>` is in an element, by field: to be read, and to be written."""
    found: tuple[Mapping[str, str], Mapping[str, str]] = element.__dict__.get("_sees", ({}, {}))
    return found


def calls(element: Element) -> Mapping[str, Signature]:
    """The functions that expressions in an element may call, with what they take and give."""
    found: Mapping[str, Signature] = element.__dict__.get("_calls", {})
    return found


def written_fields(element: type[Element]) -> dict[str, FieldInfo]:
    """The fields of an element in the order in which they are written."""
    known = element.model_fields
    return {name: known[name] for name in element._in_order} if element._in_order else known


_CALLED = {
    "Workflow": "a workflow",
    "State": "a state",
    "Transition": "a transition",
    "Region": "a region",
    "Activity": "an activity",
    "Event": "an event",
    "Variable": "a variable",
    "Datum": "the data of a state",
    "FieldType": "a payload field",
    "Function": "a function",
    "RetryPolicy": "a retry policy",
    "Http": "http",
    "Command": "a command",
    "ActivityAction": "an action of type activity",
    "SetVariableAction": "an action of type set_variable",
    "SendAction": "an action of type send",
    "CompensateAction": "an action of type compensate",
    "Assignment": "the parameters of set_variable",
    "ActivityWork": "the activity of a state",
    "ForEach": "for_each",
}
