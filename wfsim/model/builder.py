"""Building a workflow in Python, step by step; the result is the same object that YAML gives."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from wfsim.errors import DefinitionError, did_you_mean, listed
from wfsim.model.annotated import declaration
from wfsim.model.elements import Activity, Event, Retries, RetryPolicy, Schedule, State, Transition, Variable
from wfsim.model.functions import Function, Python
from wfsim.model.json_schema import types_of
from wfsim.model.operations import Action, ActivityAction, CompensateAction, SendAction, SetVariableAction
from wfsim.model.transition_lists import EVERY, every_state
from wfsim.model.workflow import Workflow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import timedelta

    from pydantic import BaseModel

    from wfsim.model.duration import Duration

Time: TypeAlias = "Duration | timedelta | str | int | float"
_Retries: TypeAlias = "Retries | Mapping[str, Any] | Sequence[RetryPolicy | Mapping[str, Any]]"
OnFailure: TypeAlias = Literal["abort", "ignore"]


class Builder:
    """Collects the parts of a workflow; `build` checks them and gives the `Workflow`.

    Every method adds one part under the names that YAML uses, and returns the builder, so calls can be
    chained. `run`, `set`, `send` and `compensate` make actions for `transition`. The order of transitions is
    the order of file: of those leaving a state on one event, the first whose condition holds is taken (M2.3).

    Parameters
    ----------
    name
        Name of the workflow.
    settings
        Further keys of a workflow: `version`, `description`, `unhandled`, `pause_timers`, `correlation`, …

    Examples
    --------
    >>> w = Builder("orders", version="1.0.0", unhandled="reject")
    >>> _ = w.variable("attempts", "integer", initial=0)
    >>> _ = w.event("pay", amount="number").activity("charge", timeout="5m", retry={"max_attempts": 3})
    >>> _ = w.state("created", initial=True).state("paid", terminal=True)
    >>> _ = w.transition(
    ...     "created", "paid", on="pay", condition="event.amount > 0.0",
    ...     before=[w.set("attempts", "${context.attempts + 1}"), w.run("charge", amount="${event.amount}")],
    ... )
    >>> w.timeouts(workflow="30d").build()
    <Workflow 'orders' 1.0.0: 2 states, 1 transition>
    """

    def __init__(self, name: str, **settings: Any) -> None:
        self._name = name
        self._settings = settings
        self._types: dict[str, Any] = {}
        self._functions: dict[str, Function] = {}
        self._python: dict[str, Python] = {}
        self._variables: dict[str, Variable] = {}
        self._events: dict[str, Event] = {}
        self._activities: dict[str, Activity] = {}
        self._schedules: dict[str, Schedule] = {}
        self._states: list[State] = []
        self._transitions: list[tuple[list[Transition], tuple[str, ...]]] = []
        self._initial: str | None = None
        self._timeouts: dict[str, Any] = {}
        self._retry: RetryPolicy | None = None

    def type(
        self,
        name: str,
        fields: Mapping[str, Any] | None = None,
        /,
        *,
        schema: Mapping[str, Any] | builtins.type[BaseModel] | None = None,
        **more: Any,
    ) -> Builder:
        """Add a type of `types`: an object by its fields (`name="string"`), or what is written there in a mapping.

        Parameters
        ----------
        schema
            A JSON Schema or a pydantic model instead; the types that it names are added as well.

        Raises
        ------
        DefinitionError
            For a second type of that name, or what types cannot say.
        """
        if schema is not None and (fields or more):
            raise DefinitionError(f"the type {name!r} is given by a schema and by fields. Give one of them.")
        given = types_of(name, schema) if schema is not None else {name: {**(fields or {}), **more}}
        for each, declared in given.items():
            if each == name or self._types.get(each) != declared:
                _once(self._types, each, "type")
            self._types[each] = declared
        return self

    def variable(self, name: str, type: str = "any", **settings: Any) -> Builder:
        """Add a variable; settings are `input`, `output`, `optional`, `initial`, `values`, `minimum`, `transient`, …"""
        _once(self._variables, name, "variable")
        self._variables[name] = Variable(type=type, **settings)
        return self

    def function(
        self,
        python: Python | str,
        *,
        input: Mapping[str, Any] | None = None,
        result: Any = None,
        description: str | None = None,
    ) -> Builder:
        """Add a function in Python (M14): one whose annotations declare it, or a name with `input` and `result`.

        Raises
        ------
        DefinitionError
            For a second function of that name, or annotations that no type of the language can say.
        """
        if isinstance(python, str):
            _once(self._functions, python, "function")
            if result is None:
                raise DefinitionError(f"the function {python!r} has no result. Give its type: result='number'.")
            self._functions[python] = Function(description=description, input=input or {}, result=result)
            return self
        name = python.__name__
        _once(self._functions, name, "function")
        if input is not None or result is not None or description is not None:
            raise DefinitionError(
                f"the annotations of {name!r} declare it. Give its name instead to write input and result."
            )
        self._functions[name], self._python[name] = declaration(python), python
        return self

    def event(
        self,
        name: str,
        payload: Mapping[str, Any] | None = None,
        *,
        description: str | None = None,
        unhandled: str | None = None,
        starts: bool = False,
        time_to_live: Time = 0,
        **fields: Any,
    ) -> Builder:
        """Add an event; payload fields are keywords (`amount="number"`), or `payload` for awkward names."""
        _once(self._events, name, "event")
        self._events[name] = Event(
            description=description,
            payload={**(payload or {}), **fields},
            unhandled=unhandled,
            starts=starts,
            time_to_live=time_to_live,
        )
        return self

    def activity(self, name: str, *, retry: _Retries | None = None, **settings: Any) -> Builder:
        """Add an activity: `retry`, `timeout`, `heartbeat`, `compensate_with`, `input` and `result` (types), …"""
        _once(self._activities, name, "activity")
        self._activities[name] = Activity(retry_policy=retry, **settings)
        return self

    def schedule(self, name: str, *, input: Mapping[str, Any] | None = None, **settings: Any) -> Builder:
        """Add starts by the clock: `every` and `offset`, or `cron` and `time_zone`; `overlap`, `missed`, `input`."""
        _once(self._schedules, name, "schedule")
        self._schedules[name] = Schedule(input=input or {}, **settings)
        return self

    def state(self, name: str, *, initial: bool = False, terminal: bool = False, **settings: Any) -> Builder:
        """Add a state: `timeout`, `activity`, `outcome`, `data`, `invoke`, `for_each`, `parallel`, `metadata`.

        Raises
        ------
        DefinitionError
            For a second state of that name, or a second initial one.
        """
        if any(state.name == name for state in self._states):
            raise DefinitionError(f"the state {name!r} is there already.")
        if initial and self._initial is not None:
            raise DefinitionError(f"{name!r} cannot be the initial state: {self._initial!r} is.")
        self._states.append(State(name=name, is_terminal=terminal, **settings))
        if initial:
            self._initial = name
        return self

    def transition(
        self,
        source: str | Sequence[str],
        target: str | None = None,
        *,
        excluding: Sequence[str] = (),
        on: str | Sequence[str] | None = None,
        after: Time | None = None,
        at: str | None = None,
        condition: str | None = None,
        before: Iterable[Action] = (),
        after_commit: Iterable[Action] = (),
        description: str | None = None,
    ) -> Builder:
        """Add a transition, or one for each of several states and events, after those already there.

        Parameters
        ----------
        source, target
            States; without a target the transition is internal (M3.6). `"*"` is every state that is not terminal.
        excluding
            States that `"*"` leaves out.
        on, after, at, condition
            What sets it off: an event, a time spent in the source, a point in time, or only a condition.
        before, after_commit
            Actions before the commit (`pre_actions`) and after it (`post_actions`).
        """
        if excluding and source != EVERY:
            raise DefinitionError(f"excluding goes with the source {EVERY!r}; here the source is {source!r}.")
        actions = {"pre_actions": tuple(before), "post_actions": tuple(after_commit)}
        more = {"to": target, "after": after, "at": at, "condition": condition, "description": description, **actions}
        for state in [source] if isinstance(source, str) else source:
            events = [on] if on is None or isinstance(on, str) else on
            made = [Transition(from_=state, event=event, **more) for event in events]
            self._transitions.append((made, tuple(excluding)))
        return self

    def timeouts(
        self,
        *,
        workflow: Time | None = None,
        activity: Time | None = None,
        states: Mapping[str, Time] | None = None,
    ) -> Builder:
        """Bound the whole workflow, and give defaults for activities and states (M1.5)."""
        self._timeouts = {"workflow": workflow, "activity": activity, "states": states or {}}
        return self

    def retry(self, max_attempts: int, **settings: Any) -> Builder:
        """The retry policy of activities that have none of their own (M5.1)."""
        self._retry = RetryPolicy(max_attempts=max_attempts, **settings)
        return self

    def run(
        self,
        activity: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        result: str | None = None,
        on_failure: OnFailure = "abort",
        **more: Any,
    ) -> ActivityAction:
        """An action that runs an activity; further keywords are its parameters."""
        return ActivityAction(
            name=activity,
            action_type="activity",
            parameters={**(parameters or {}), **more},
            result_variable=result,
            on_failure=on_failure,
        )

    def set(self, variable: str, value: Any, *, on_failure: OnFailure = "abort") -> SetVariableAction:
        """An action that gives a variable a value: plain, or `"${expression}"`."""
        return SetVariableAction(
            action_type="set_variable",
            parameters={"name": variable, "value": value},
            on_failure=on_failure,
        )

    def send(self, event: str, to: Any, *, on_failure: OnFailure = "abort", **payload: Any) -> SendAction:
        """An action that sends a message; keywords are its payload (M7.2)."""
        return SendAction(action_type="send", event=event, to=to, payload=payload, on_failure=on_failure)

    def compensate(self, scope: str | None = None, *, on_failure: OnFailure = "abort") -> CompensateAction:
        """An action that undoes what the compensation log holds, of a state or region by its name or path (M9.1)."""
        return CompensateAction(action_type="compensate", scope=scope, on_failure=on_failure)

    def build(self) -> Workflow:
        """The workflow.

        Raises
        ------
        DefinitionError
            Listing every problem: no initial state, names that do not exist, types that do not fit.
        """
        if self._initial is None:
            names = [state.name for state in self._states]
            raise DefinitionError(
                f"workflow {self._name!r} has no initial state. Add one with state(…, initial=True)"
                + (f"; states so far: {listed(names)}." if names else ".")
            )
        known = {*Workflow.model_fields} - {"name", "initial_state"}
        for key in self._settings:
            if key not in known:
                raise DefinitionError(f"{key!r} is not a setting of a workflow.{did_you_mean(key, known)}")
        given: dict[str, Any] = {
            "types": self._types,
            "functions": self._functions,
            "variables": self._variables,
            "events": self._events,
            "activities": self._activities,
            "schedules": self._schedules,
            "states": tuple(self._states),
            "transitions": tuple(self._spelt_out()),
        }
        if self._timeouts:
            given["timeouts"] = self._timeouts
        if self._retry is not None:
            given["retry_policy"] = self._retry
        workflow = Workflow(name=self._name, initial_state=self._initial, **{**given, **self._settings})
        return workflow.with_functions(**self._python) if self._python else workflow

    def _spelt_out(self) -> Iterator[Transition]:
        states = [(state.name, state.is_terminal) for state in self._states]
        for made, excluded in self._transitions:
            if made[0].from_ != EVERY:
                yield from made
                continue
            try:
                named = every_state(states, excluded)
            except ValueError as error:
                raise DefinitionError(f"the transition {made[0]}: {error}") from None
            yield from (each.model_copy(update={"from_": name}) for name in named for each in made)


def _once(table: Mapping[str, object], name: str, what: str) -> None:
    if name in table:
        raise DefinitionError(f"the {what} {name!r} is there already.")
