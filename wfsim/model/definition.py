"""What a definition consists of, as written; `Workflow` is one whose names have been checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from wfsim.model.declared import F, Typed, Types, resolved
from wfsim.model.elements import (
    Activity,
    Correlation,
    Event,
    Region,
    Retries,
    Schedule,
    State,
    Timeouts,
    Transition,
    Unhandled,
    Variable,
)
from wfsim.model.fields import Count, Element, Identifier, Name, Version, seeing
from wfsim.model.functions import Function
from wfsim.model.operations import Operation
from wfsim.model.owned import located
from wfsim.model.placing import Pins


class Definition(Element):
    """Everything that `Workflow` holds; checks and pictures read it."""

    name: Name
    version: Version = "1.0.0"
    description: str | None = None
    initial_state: Name
    types: Mapping[Identifier, Typed] = Field(default_factory=dict)
    functions: Mapping[Identifier, Function] = Field(default_factory=dict)
    variables: Mapping[Identifier, Variable] = Field(default_factory=dict)
    events: Mapping[Name, Event] = Field(default_factory=dict)
    activities: Mapping[Name, Activity] = Field(default_factory=dict)
    states: tuple[State, ...] = Field(min_length=1)
    transitions: tuple[Transition, ...] = ()
    timeouts: Timeouts = Timeouts()
    retry_policy: Retries | None = None
    unhandled: Unhandled = Unhandled.REJECT
    correlation: Correlation | None = None
    schedules: Mapping[Name, Schedule] = Field(default_factory=dict)
    pause_timers: Literal["run", "freeze"] = "run"
    max_automatic: Count = Field(default=100, ge=1, le=100_000)
    max_deferred: Count = Field(default=1_000, ge=0, le=1_000_000)

    @model_validator(mode="after")
    def _know_names(self) -> Self:
        """Let every declaration know what the names of types in it mean, every state its data, and what is called."""
        if self.types:
            given = self.__dict__
            given["types"] = _resolved(self.types, self.types)
            given["variables"] = _resolved(self.variables, self.types)
            given["events"] = {name: _event(event, self.types) for name, event in self.events.items()}
            given["activities"] = {name: _activity(each, self.types) for name, each in self.activities.items()}
            given["functions"] = {name: each.knowing(self.types) for name, each in self.functions.items()}
        functions = {name: each.signature for name, each in self.functions.items()}
        knowing = located(self, lambda datum: resolved(datum, self.types) if self.types else datum, functions)
        if self.correlation is not None:
            knowing["correlation"] = seeing(self.correlation, {}, {}, functions)
        self.__dict__.update(knowing)
        return self

    def placed(self) -> Pins:
        """Where a person has put states in the drawing; what was built in Python says nothing of it."""
        return {}

    def state(self, name: str) -> State:
        """The root state of that name."""
        return next(state for state in self.states if state.name == name)

    def regions(self) -> Iterator[tuple[tuple[str, ...], Self | Region]]:
        """Every region with its path (state, region, state, region, …), outermost and first first."""

        def walk(path: tuple[str, ...], region: Self | Region) -> Iterator[tuple[tuple[str, ...], Self | Region]]:
            yield path, region
            for state in region.states:
                for inner in state.parallel.regions if state.parallel else ():
                    yield from walk((*path, state.name, inner.name), inner)

        return walk((), self)

    def operations(self) -> Iterator[Operation]:
        """Whatever its states and transitions do, region by region in file order."""
        for _, region in self.regions():
            for state in region.states:
                yield from state.actions
                if state.work is not None:
                    yield state.work
            for transition in region.transitions:
                yield from transition.actions


def _resolved(declared: Mapping[str, F], types: Types) -> dict[str, F]:
    return {name: resolved(one, types) for name, one in declared.items()}


def _event(event: Event, types: Types) -> Event:
    return event.model_copy(update={"payload": _resolved(event.payload, types)}) if event.payload else event


def _activity(activity: Activity, types: Types) -> Activity:
    known: dict[str, object] = {}
    if activity.input is not None:
        known["input"] = _resolved(activity.input, types)
    if activity.result is not None:
        known["result"] = resolved(activity.result, types)
    return activity.model_copy(update=known) if known else activity
