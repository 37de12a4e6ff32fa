"""The definition of a workflow: what people draw, write in YAML or build in Python.

These are plain, frozen pydantic objects. They say what was written and check what can be checked locally;
names that must exist elsewhere are checked by `Workflow` itself, meaning is given by `wfsim.semantics`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    Strict,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from wfsim.errors import DefinitionError, DrawingError, ExpressionError
from wfsim.model.duration import Duration
from wfsim.model.expressions import is_template, parse, parse_condition, parse_template
from wfsim.model.problems import definition_error, from_validation, refuse_unknown_keys

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    # The public way to the same class; the type checker needs the name.
    ModelMetaclass = type(BaseModel)

RESERVED_EVENTS = ("done", "error", "timeout", "cancel_requested", "workflow_timeout")
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")


def _name(text: str) -> str:
    if not text or len(text) > 200 or not text.isprintable() or text != text.strip():
        raise ValueError(f"{text[:60]!r} is not a name: 1 to 200 printable characters, no space at the ends.")
    return text


def _identifier(text: str) -> str:
    if not _IDENTIFIER.fullmatch(text):
        raise ValueError(f"{text[:60]!r} is not an identifier: letters, digits and _, not starting with a digit.")
    return text


def _version(value: object) -> object:
    if isinstance(value, str) and _VERSION.fullmatch(value):
        return value
    raise ValueError(f"{value!r} is not a semantic version. Write three numbers: 1.0.0.")


def _decimal(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise ValueError(f"{value!r} is not a number.")
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        raise ValueError(f"{value!r} is not a number.") from None
    if not number.is_finite() or number != round(number, 6) or abs(number) > 1_000:
        raise ValueError(f"{value} is not a finite number up to 1000 with at most six decimals.")
    return number.normalize()


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
    # Imported here: `evaluate` stands above the definitions.
    from wfsim.model.evaluate import EvaluationFault, coerce

    try:
        return coerce(ValueType.ANY, value)
    except EvaluationFault as fault:
        raise ValueError(fault.message) from None


def _plain_number(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


Name = Annotated[str, AfterValidator(_name)]
Identifier = Annotated[str, AfterValidator(_identifier)]
Version = Annotated[str, BeforeValidator(_version)]
Exact = Annotated[Decimal, BeforeValidator(_decimal), PlainSerializer(_plain_number)]
Condition = Annotated[str, AfterValidator(_condition)]
Flag = Annotated[bool, Strict()]
Count = Annotated[int, Strict()]
Bound = Annotated[int, Strict()] | Annotated[float, Strict()]
Scalar = Annotated[str, Strict()] | Annotated[bool, Strict()] | Annotated[int, Strict()] | Annotated[float, Strict()]
Json = Annotated[Any, AfterValidator(_json)]
TemplateValue = Annotated[Any, AfterValidator(_template_value)]
"""A JSON value in which strings `${...}` are expressions."""
Deadline = Annotated[Duration | str, BeforeValidator(_deadline), PlainSerializer(str)]
"""A duration, or `${expression}` giving seconds, evaluated when the state is entered (M6.2)."""


class ValueType(StrEnum):
    """Types of variables and payload fields; `any` is unchecked."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    LIST = "list"
    OBJECT = "object"
    ANY = "any"


class Unhandled(StrEnum):
    """What happens to an event that no transition takes (M7.1)."""

    REJECT = "reject"
    DEFER = "defer"
    DISCARD = "discard"


class Outcome(StrEnum):
    """What completing in a terminal state means (M1.4)."""

    SUCCESS = "success"
    FAILURE = "failure"


class _Readable(ModelMetaclass):
    """Calling a class reports its problems in our words; the validator's own never reach people."""

    if not TYPE_CHECKING:

        def __call__(cls, *args, **kwargs):
            try:
                return super().__call__(*args, **kwargs)
            except ValidationError as error:
                raise definition_error(from_validation(error.errors(), kwargs, named=False)) from None


class _Model(BaseModel, metaclass=_Readable):
    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, use_enum_values=False, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: object) -> object:
        refuse_unknown_keys(cls, data, _CALLED.get(cls.__name__, cls.__name__.lower()))
        return data


_CALLED = {
    "Workflow": "a workflow",
    "State": "a state",
    "Transition": "a transition",
    "Region": "a region",
    "Activity": "an activity",
    "Event": "an event",
    "Variable": "a variable",
    "FieldType": "a payload field",
    "RetryPolicy": "a retry policy",
    "ActivityAction": "an action of type activity",
    "SetVariableAction": "an action of type set_variable",
    "SendAction": "an action of type send",
    "CompensateAction": "an action of type compensate",
    "Assignment": "the parameters of set_variable",
    "ActivityWork": "the activity of a state",
    "ForEach": "for_each",
}


class RetryPolicy(_Model):
    """How often and how fast a failed activity is tried again (M5.1, M5.2)."""

    max_attempts: Count = Field(ge=1, le=1_000_000)
    initial_interval: Duration = Duration.of("1s")
    max_interval: Duration = Duration.of("60s")
    backoff_coefficient: Annotated[Exact, Field(ge=1)] = Decimal(2)
    jitter: Annotated[Exact, Field(ge=0, le=1)] = Decimal(0)
    non_retryable_errors: tuple[Name, ...] = ()

    def is_final(self, error_type: str) -> bool:
        """M5.2: whether the type, or a dotted prefix of it, is in `non_retryable_errors`."""
        return any(error_type == listed or error_type.startswith(listed + ".") for listed in self.non_retryable_errors)


class Compensation(_Model):
    """Which activity undoes this one, and from when on there is something to undo (M9.1)."""

    activity: Name
    when: Literal["completed", "attempted"] = "completed"


def _compensation(value: object) -> object:
    return {"activity": value} if isinstance(value, str) else value


class Activity(_Model):
    """Work done by the surroundings: its clocks, retries, and the pool of workers that serves it (M5)."""

    description: str | None = None
    timeout: Duration | None = None
    schedule_to_start: Duration | None = None
    schedule_to_close: Duration | None = None
    heartbeat: Duration | None = None
    retry_policy: RetryPolicy | None = None
    compensate_with: Annotated[Compensation, BeforeValidator(_compensation)] | None = None
    pool: Name | None = None


class FieldType(_Model):
    """A typed field of a payload."""

    type: ValueType = ValueType.ANY
    optional: Flag = False


def _field_type(value: object) -> object:
    return {"type": value} if isinstance(value, str) else value


class Event(_Model):
    """An event that others send: its payload and what to do when nobody takes it (M7)."""

    description: str | None = None
    payload: Mapping[Identifier, Annotated[FieldType, BeforeValidator(_field_type)]] = Field(default_factory=dict)
    unhandled: Unhandled | None = None
    starts: Flag = False
    time_to_live: Duration = Duration(0)


class Variable(_Model):
    """A variable of the instance (M10.2)."""

    description: str | None = None
    type: ValueType = ValueType.ANY
    input: Flag = False
    output: Flag = False
    optional: Flag = False
    initial: Json = None
    values: tuple[Scalar, ...] | None = None
    minimum: Bound | None = None
    maximum: Bound | None = None
    overflow: Literal["error", "saturate"] = "error"


class ActivityAction(_Model):
    """Run an activity and wait for it (M3.1)."""

    name: Name
    action_type: Literal["activity"]
    description: str | None = None
    parameters: Mapping[Identifier, TemplateValue] = Field(default_factory=dict)
    result_variable: Identifier | None = None
    on_failure: Literal["abort", "ignore"] = "abort"


class Assignment(_Model):
    """The parameters of `set_variable`."""

    name: Identifier
    value: TemplateValue


class SetVariableAction(_Model):
    """Give a variable a value (M3.3)."""

    action_type: Literal["set_variable"]
    name: Name | None = None
    description: str | None = None
    parameters: Assignment
    on_failure: Literal["abort", "ignore"] = "abort"


class SendAction(_Model):
    """Send a message to an instance (M7.2)."""

    action_type: Literal["send"]
    name: Name | None = None
    description: str | None = None
    event: Name
    to: TemplateValue
    payload: Mapping[Identifier, TemplateValue] = Field(default_factory=dict)
    on_failure: Literal["abort", "ignore"] = "abort"


class CompensateAction(_Model):
    """Undo what the compensation log holds (M9.1)."""

    action_type: Literal["compensate"]
    name: Name | None = None
    description: str | None = None
    scope: Name | None = None
    on_failure: Literal["abort", "ignore"] = "abort"


Action = Annotated[
    ActivityAction | SetVariableAction | SendAction | CompensateAction, Field(discriminator="action_type")
]


class ActivityWork(_Model):
    """The activity that a state runs while it is active (M4.1)."""

    name: Name
    parameters: Mapping[Identifier, TemplateValue] = Field(default_factory=dict)
    result_variable: Identifier | None = None


class Invoke(_Model):
    """The child workflow that a state runs (M4.4)."""

    workflow: Name
    version: str | None = None
    input: Mapping[Identifier, TemplateValue] = Field(default_factory=dict)
    result_variable: Identifier | None = None
    parent_close: Literal["cancel", "terminate", "abandon"] = "cancel"


class ForEach(_Model):
    """One activity or child workflow for each item of a list (M4.5)."""

    items: TemplateValue
    as_: Identifier = Field(alias="as")
    activity: Name | None = None
    workflow: Name | None = None
    parameters: Mapping[Identifier, TemplateValue] = Field(default_factory=dict)
    max_parallel: Count | None = Field(default=None, ge=1)
    result_variable: Identifier | None = None
    on_failure: Literal["fail_fast", "collect"] = "fail_fast"


class Parallel(_Model):
    """Regions that run side by side inside a state (M4.3)."""

    join: Literal["all", "any"] | Annotated[int, Strict(), Field(ge=1)] = "all"
    regions: tuple[Region, ...] = Field(min_length=1)


def _activity_work(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class State(_Model):
    """A state: where an instance is, how long it may stay, what it does meanwhile (M1.1)."""

    name: Name
    description: str | None = None
    is_terminal: Flag = False
    outcome: Outcome | None = None
    timeout: Deadline | None = None
    activity: Annotated[ActivityWork, BeforeValidator(_activity_work)] | None = None
    invoke: Invoke | None = None
    for_each: ForEach | None = None
    parallel: Parallel | None = None
    metadata: Mapping[str, Json] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        works = [key for key in ("activity", "invoke", "for_each", "parallel") if getattr(self, key) is not None]
        if len(works) > 1:
            raise ValueError(f"state {self.name!r} has {' and '.join(works)}; a state does one of them (M1.1).")
        if self.is_terminal and (works or self.timeout is not None):
            raise ValueError(
                f"state {self.name!r} is terminal, so it can have no {(works or ['timeout'])[0]}: "
                "nothing happens there."
            )
        if self.outcome is not None and not self.is_terminal:
            raise ValueError(f"state {self.name!r} has an outcome but is not terminal. Add is_terminal: true.")
        return self


class Transition(_Model):
    """A way from one state to another (M3).

    Without `to` it is internal (M3.6); without `event` and `after` it is automatic (M2.6).
    """

    from_: Name = Field(alias="from")
    to: Name | None = None
    event: Name | None = None
    after: Deadline | None = None
    condition: Condition | None = None
    description: str | None = None
    pre_actions: tuple[Action, ...] = ()
    post_actions: tuple[Action, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.event is not None and self.after is not None:
            raise ValueError("a transition has an event or a time (after), not both.")
        if self.event is None and self.after is None and self.condition is None:
            raise ValueError("a transition needs an event, a time (after) or a condition.")
        return self

    @property
    def trigger(self) -> str:
        """What sets it off, as people read it: `on pay`, `after 2h`, `automatic`."""
        if self.event is not None:
            return f"on {self.event}"
        return f"after {self.after}" if self.after is not None else "automatic"

    def __str__(self) -> str:
        return f"{self.from_} → {self.to if self.to is not None else '(none)'} {self.trigger}"


class Region(_Model):
    """States of which exactly one is active (M1.1)."""

    name: Name
    initial_state: Name
    states: tuple[State, ...] = Field(min_length=1)
    transitions: tuple[Transition, ...] = ()

    def state(self, name: str) -> State:
        """The state of that name in this region."""
        return next(state for state in self.states if state.name == name)


Parallel.model_rebuild()


class Timeouts(_Model):
    """Workflow timeout, and defaults for activities and states (M1.5)."""

    workflow: Duration | None = None
    activity: Duration | None = None
    states: Mapping[Name, Duration] = Field(default_factory=dict)


class Correlation(_Model):
    """The expression that identifies an open instance to senders of messages (M7.2)."""

    key: Annotated[str, AfterValidator(_key)]


class Workflow(_Model):
    """A whole definition; also the root region (M1.1).

    Loading checks that every name used exists. `wfsim.lint` finds what is well formed yet wrong.
    """

    name: Name
    version: Version = "1.0.0"
    description: str | None = None
    initial_state: Name
    variables: Mapping[Identifier, Variable] = Field(default_factory=dict)
    events: Mapping[Name, Event] = Field(default_factory=dict)
    activities: Mapping[Name, Activity] = Field(default_factory=dict)
    states: tuple[State, ...] = Field(min_length=1)
    transitions: tuple[Transition, ...] = ()
    timeouts: Timeouts = Timeouts()
    retry_policy: RetryPolicy | None = None
    unhandled: Unhandled = Unhandled.REJECT
    correlation: Correlation | None = None
    pause_timers: Literal["run", "freeze"] = "run"
    max_automatic: Count = Field(default=100, ge=1, le=100_000)
    max_deferred: Count = Field(default=1_000, ge=0, le=1_000_000)

    _source: Any = PrivateAttr(default=None)

    def __eq__(self, other: object) -> bool:
        """Equal when the same was written; where it was loaded from does not matter."""
        return isinstance(other, Workflow) and self.__dict__ == other.__dict__

    def __repr__(self) -> str:
        def counted(number: int, what: str) -> str:
            return f"{number} {what}{'' if number == 1 else 's'}"

        return (
            f"<Workflow {self.name!r} {self.version}: {counted(len(self.states), 'state')}, "
            f"{counted(len(self.transitions), 'transition')}>"
        )

    __str__ = __repr__

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook shows: one line of text, and the picture unless it would be too large to be read."""
        # Imported here: the picture reads the definitions of this module.
        from wfsim.model.picture import picture

        try:
            return {"text/plain": repr(self), "image/svg+xml": picture(self).to_svg()}
        except DrawingError as error:
            return {"text/plain": f"{self!r}\n{error}"}

    def __hash__(self) -> int:
        return hash((self.name, self.version))

    @model_validator(mode="after")
    def _names_exist(self, info: ValidationInfo) -> Self:
        # Imported here: the checks read the definitions of this module.
        from wfsim.model.check import check

        if not (info.context or {}).get("unchecked"):
            problems = check(self)
            if problems:
                raise definition_error(problems)
        return self

    def state(self, name: str) -> State:
        """The root state of that name."""
        return next(state for state in self.states if state.name == name)

    def regions(self) -> Iterator[tuple[tuple[str, ...], Workflow | Region]]:
        """Every region with its path (state, region, state, region, …), outermost and first first."""

        def walk(
            path: tuple[str, ...], region: Workflow | Region
        ) -> Iterator[tuple[tuple[str, ...], Workflow | Region]]:
            yield path, region
            for state in region.states:
                for inner in state.parallel.regions if state.parallel else ():
                    yield from walk((*path, state.name, inner.name), inner)

        return walk((), self)
