"""The elements of a definition: states, transitions, activities, events, variables; `operations` has what they do.

These are plain, frozen pydantic objects. They say what was written and check what can be checked locally.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias, cast

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Strict, Tag, model_validator

from wfsim.model.connectors import Connector, DeclaredCommand, Http
from wfsim.model.declared import FieldType, Typed, TypeName, declared_by
from wfsim.model.duration import Duration
from wfsim.model.expression_tree import Expression, Template, TemplateLiteral
from wfsim.model.expressions import is_template, parse, parse_condition, parse_template
from wfsim.model.fields import (
    Condition,
    Count,
    Cron,
    Deadline,
    Element,
    Exact,
    Flag,
    Identifier,
    Json,
    Key,
    Moment,
    Name,
    TimeZone,
)
from wfsim.model.moments import moment
from wfsim.model.operations import (
    Action,
    ActivityWork,
    CompensateWith,
    Failure,
    ForEach,
    Invoke,
    Operation,
    PassingAction,
)


class Unhandled(StrEnum):
    """What happens to an event that no transition takes (M7.1)."""

    REJECT = "reject"
    DEFER = "defer"
    DISCARD = "discard"


class Outcome(StrEnum):
    """What completing in a terminal state means (M1.4)."""

    SUCCESS = "success"
    FAILURE = "failure"


LONGEST_WAIT = Duration.of("60s")
"""Between two attempts, where a policy does not say, unless the first wait is longer (M5.1)."""


class RetryPolicy(Element):
    """How often and how fast a failed activity is tried again (M5.1, M5.2).

    With `errors` it is for these types only, and for those that begin with one of them and a dot.
    """

    errors: tuple[Name, ...] = ()
    max_attempts: Count = Field(ge=1, le=1_000_000)
    initial_interval: Duration = Duration.of("1s")
    # A first wait that was refused is not given, and older versions of pydantic ask all the same.
    max_interval: Duration = Field(default_factory=lambda given: max(LONGEST_WAIT, given.get("initial_interval", 0)))
    backoff_coefficient: Annotated[Exact, Field(ge=1)] = Decimal(2)
    jitter: Annotated[Exact, Field(ge=0, le=1)] = Decimal(0)
    non_retryable_errors: tuple[Name, ...] = ()

    def is_for(self, error_type: str) -> bool:
        """M5.2: whether the type, or a dotted prefix of it, is in `errors`; without these it is for all."""
        return not self.errors or _among(error_type, self.errors)

    def is_final(self, error_type: str) -> bool:
        """M5.2: whether the type, or a dotted prefix of it, is in `non_retryable_errors`."""
        return _among(error_type, self.non_retryable_errors)


def _among(error_type: str, listed: tuple[str, ...]) -> bool:
    return any(error_type == each or error_type.startswith(each + ".") for each in listed)


def _one_or_several(value: object) -> str:
    return "several" if isinstance(value, list | tuple) else "one"


Retries: TypeAlias = Annotated[
    Annotated[RetryPolicy, Tag("one")] | Annotated[tuple[RetryPolicy, ...], Field(min_length=1), Tag("several")],
    Discriminator(_one_or_several),
]
"""One policy, or several of which the first that is for an error decides on it."""


class Activity(Element):
    """Work done by the surroundings: its clocks, retries, and the pool of workers that serves it (M5)."""

    description: str | None = None
    version: Count | None = Field(default=None, ge=1)
    timeout: Duration | None = None
    schedule_to_start: Duration | None = None
    schedule_to_close: Duration | None = None
    heartbeat: Duration | None = None
    retry_policy: Retries | None = None
    compensate_with: CompensateWith | None = None
    settled_by: tuple[Name, ...] = ()
    pool: Name | None = None
    input: Mapping[Identifier, Typed] | None = None
    result: Typed | None = None
    http: Http | None = None
    command: DeclaredCommand | None = None

    @property
    def connector(self) -> Connector | None:
        """What carries it out, if the definition says so (M5.7)."""
        return self.http if self.http is not None else self.command

    @model_validator(mode="after")
    def _one_connector(self) -> Self:
        if self.http is not None and self.command is not None:
            raise ValueError("an activity has http or command, one of the two.")
        return self


class Event(Element):
    """An event that others send: its payload and what to do when nobody takes it (M7)."""

    description: str | None = None
    payload: Mapping[Identifier, Typed] = Field(default_factory=dict)
    unhandled: Unhandled | None = None
    starts: Flag = False
    time_to_live: Duration = Duration(0)


class Variable(FieldType):
    """A variable of the instance (M10.2, M10.4)."""

    _in_order: ClassVar[tuple[str, ...]] = (
        "description",
        "type",
        "items",
        "fields",
        "input",
        "output",
        "searchable",
        "optional",
        "initial",
        "values",
        "minimum",
        "maximum",
        "pattern",
        "overflow",
        "transient",
    )

    description: str | None = None
    input: Flag = False
    output: Flag = False
    searchable: Flag = False
    initial: Json = None
    overflow: Literal["error", "saturate"] = "error"
    transient: Flag = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        lasting = [key for key in ("input", "output", "searchable") if getattr(self, key)]
        if self.transient and lasting:
            raise ValueError(f"a transient variable lives for one step (M13.4), so it cannot be {lasting[0]}.")
        return self


OF_VARIABLES = ("input", "output", "searchable", "transient")
"""Keys that are for the whole instance, not for what belongs to a state."""


def _without_the_keys_of_variables(schema: dict[str, Any]) -> None:
    for key in OF_VARIABLES:
        del schema["properties"][key]


class Datum(Variable):
    """What a state knows while it is active: a field of its data (M13.1)."""

    model_config = ConfigDict(json_schema_extra=_without_the_keys_of_variables)
    _in_order: ClassVar[tuple[str, ...]] = tuple(key for key in Variable._in_order if key not in OF_VARIABLES)

    @property
    def needed(self) -> bool:
        """Whether it must be set when its state is entered (M13.2)."""
        return self.initial is None and not self.shape.optional

    @model_validator(mode="after")
    def _of_a_state(self) -> Self:
        other = [key for key in OF_VARIABLES if getattr(self, key)]
        if other:
            raise ValueError(f"what belongs to a state has no {other[0]}. Make it a variable of the workflow.")
        return self


DeclaredDatum = Annotated[
    Datum, BeforeValidator(declared_by, json_schema_input_type=TypeName | Datum | Mapping[Identifier, Any])
]


class Parallel(Operation):
    """Regions that run side by side inside a state (M4.3)."""

    field: ClassVar[str] = "parallel"

    join: Literal["all", "any"] | Annotated[int, Strict(), Field(ge=1)] = "all"
    regions: tuple[Region, ...] = Field(min_length=1)

    @property
    def told(self) -> str:
        return "regions"

    @property
    def waits(self) -> bool:
        return True

    @property
    def fails_of(self) -> frozenset[Failure]:
        return frozenset({Failure.WORK})


def _activity_work(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class State(Element):
    """A state: where an instance is, how long it may stay, what it does meanwhile (M1.1)."""

    name: Name
    description: str | None = None
    is_terminal: Flag = False
    outcome: Outcome | None = None
    data: Mapping[Identifier, DeclaredDatum] = Field(default_factory=dict)
    timeout: Deadline | None = None
    activity: (
        Annotated[ActivityWork, BeforeValidator(_activity_work, json_schema_input_type=Name | ActivityWork)] | None
    ) = None
    invoke: Invoke | None = None
    for_each: ForEach | None = None
    parallel: Parallel | None = None
    entry_actions: tuple[PassingAction, ...] = ()
    exit_actions: tuple[PassingAction, ...] = ()
    metadata: Mapping[str, Json] = Field(default_factory=dict)

    @property
    def _works(self) -> tuple[Work | None, ...]:
        return self.activity, self.invoke, self.for_each, self.parallel

    @property
    def work(self) -> Work | None:
        """What it does while it is active."""
        return next((work for work in self._works if work is not None), None)

    @property
    def actions(self) -> tuple[PassingAction, ...]:
        """Those on entry, then those on leaving."""
        return (*self.entry_actions, *self.exit_actions)

    @cached_property
    def timeout_tree(self) -> Template | None:
        """The expression that gives its timeout; `None` where that is none or fixed."""
        return self._deadline(self.timeout)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        works = [work.field for work in self._works if work is not None]
        if len(works) > 1:
            raise ValueError(f"state {self.name!r} has {' and '.join(works)}; a state does one of them (M1.1).")
        if self.is_terminal and (works or self.timeout is not None):
            raise ValueError(
                f"state {self.name!r} is terminal, so it can have no {(works or ['timeout'])[0]}: "
                "nothing happens there."
            )
        if self.is_terminal and self.exit_actions:
            raise ValueError(
                f"state {self.name!r} is terminal, so nothing leaves it and no exit action runs (M3.7). "
                "Move them to entry_actions."
            )
        if self.outcome is not None and not self.is_terminal:
            raise ValueError(f"state {self.name!r} has an outcome but is not terminal. Add is_terminal: true.")
        return self


class Transition(Element):
    """A way from one state to another (M3).

    Without `to` it is internal (M3.6); without `event`, `after` and `at` it is automatic (M2.6).
    """

    from_: Name = Field(alias="from")
    to: Name | None = None
    event: Name | None = None
    after: Deadline | None = None
    at: Moment | None = None
    condition: Condition | None = None
    description: str | None = None
    pre_actions: tuple[Action, ...] = ()
    post_actions: tuple[Action, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if sum(each is not None for each in (self.event, self.after, self.at)) > 1:
            raise ValueError("a transition has an event or a time (after, at), not both.")
        if self.event is None and not self.timed and self.condition is None:
            raise ValueError("a transition needs an event, a time (after, at) or a condition.")
        return self

    @property
    def actions(self) -> tuple[Action, ...]:
        """Those before the commit, then those after it."""
        return (*self.pre_actions, *self.post_actions)

    @cached_property
    def condition_tree(self) -> Expression | None:
        """What must be true for it to be taken."""
        return None if self.condition is None else cast("Expression", self._located(parse_condition(self.condition)))

    @property
    def timed(self) -> bool:
        """Whether time sets it off: so long after its state was entered, or at a point in time."""
        return self.after is not None or self.at is not None

    @cached_property
    def at_tree(self) -> Template | None:
        """What gives the time at which it is due."""
        if self.at is None:
            return None
        return self._located(parse_template(self.at)) if is_template(self.at) else TemplateLiteral(moment(self.at))

    @property
    def time_trees(self) -> tuple[Template | None, Template | None]:
        """The expressions that are evaluated when its state is entered."""
        return self.after_tree, self.at_tree

    @cached_property
    def after_tree(self) -> Template | None:
        """The expression that gives its delay; `None` where that is none or fixed."""
        return self._deadline(self.after)

    @property
    def trigger(self) -> str:
        """What sets it off, as people read it: `on pay`, `after 2h`, `at ${context.appointment}`, `automatic`."""
        if self.event is not None:
            return f"on {self.event}"
        if self.at is not None:
            return f"at {self.at}"
        return f"after {self.after}" if self.after is not None else "automatic"

    def __str__(self) -> str:
        return f"{self.from_} → {self.to if self.to is not None else '(none)'} {self.trigger}"


class Region(Element):
    """States of which exactly one is active (M1.1)."""

    name: Name
    initial_state: Name
    states: tuple[State, ...] = Field(min_length=1)
    transitions: tuple[Transition, ...] = ()

    def state(self, name: str) -> State:
        """The state of that name in this region."""
        return next(state for state in self.states if state.name == name)


Parallel.model_rebuild()
Work: TypeAlias = ActivityWork | Invoke | ForEach | Parallel


class Timeouts(Element):
    """Workflow timeout, and defaults for activities and states (M1.5)."""

    workflow: Duration | None = None
    activity: Duration | None = None
    states: Mapping[Name, Duration] = Field(default_factory=dict)


class Schedule(Element):
    """Starts of a workflow by the clock: `every` so often, or by a `cron` expression of five fields.

    `overlap` says what happens at a time when the instance started last is still open: `skip` it, `queue` it until
    that has closed, or `allow` both. `missed` says what becomes of times at which nothing ran: `skip` them, start
    once for the `last`, or for `all`.
    """

    every: Duration | None = None
    offset: Duration = Duration(0)
    cron: Cron | None = None
    time_zone: TimeZone = "UTC"
    overlap: Literal["skip", "queue", "allow"] = "skip"
    missed: Literal["skip", "last", "all"] = "skip"
    input: Mapping[Identifier, Json] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.every is None) == (self.cron is None):
            raise ValueError('a schedule has every (every: 15m) or cron (cron: "0 2 * * *"), one of the two.')
        if self.every is not None and self.every == 0:
            raise ValueError("every: 0s would start without end. Give a positive duration.")
        if self.every is not None and self.time_zone != "UTC":
            raise ValueError("every so often is the same in every time zone. Use cron, or leave time_zone out.")
        if self.cron is not None and self.offset:
            raise ValueError("cron says at which times; an offset belongs to every.")
        return self


class Correlation(Element):
    """The expression that identifies an open instance to senders of messages (M7.2)."""

    key: Key

    @cached_property
    def key_tree(self) -> Expression:
        """What is computed at the start."""
        return cast("Expression", self._located(parse(self.key)))
