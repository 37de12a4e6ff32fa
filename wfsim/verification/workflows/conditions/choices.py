"""Where an instance chooses: the transitions that leave one state for one reason, in file order (M2.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from wfsim.model.declared import FieldType
from wfsim.model.elements import Transition, Unhandled
from wfsim.model.evaluate import evaluate, need_boolean
from wfsim.model.expression_tree import NOW, Bool, Compare, Expression, ListOf, Literal, Name, Whole, names
from wfsim.model.functions import Given
from wfsim.model.lint.graph import RegionGraph, region_graphs
from wfsim.model.problems import Path
from wfsim.model.uses import RESERVED_PAYLOADS, declared_events
from wfsim.model.values import EvaluationFault, Value, ValueType
from wfsim.model.workflow import Workflow

SOURCE = Name("event", "source")
_Trigger: TypeAlias = tuple[str, str]
"""`event` and its name, `after` and the time, or `automatic`."""


@dataclass(frozen=True)
class Option:
    """One transition of a choice.

    `written` is its condition (None: it has none), `source` that the error comes from where it says (None: it does not
    say), `whole` both.
    """

    transition: Transition
    label: str
    path: Path
    written: Expression | None
    source: Expression | None

    @property
    def whole(self) -> Expression:
        """What must be true for the transition to be chosen."""
        parts = tuple(part for part in (self.source, self.written) if part is not None)
        return Bool("and", parts) if len(parts) > 1 else parts[0] if parts else Literal(True)

    @property
    def condition(self) -> str:
        """Its condition as the file has it."""
        return self.transition.condition or "true"


@dataclass(frozen=True)
class Choice:
    """The transitions among which an instance chooses in one state on one event, on time, or without either.

    Attributes
    ----------
    place
        In words: "in 'payment_failed' on retry_payment".
    state
        What `state` is worth in its conditions: the name of the root region's active state.
    left
        What becomes of the event when all conditions are false; None where that leaves nothing undone.
    fields
        Payload fields of the event that conditions may read; of an event without a declared payload there may be any.
    among
        What is true of the event beforehand, where it is an error that only some sources can have.
    """

    place: str
    path: Path
    state: str
    options: tuple[Option, ...]
    left: str | None
    fields: Mapping[str, FieldType]
    among: Expression | None = None

    @property
    def at_once(self) -> bool:
        """Whether one of them is chosen and the others are not: timers of one length each fire, one after another."""
        return not self.options[0].transition.timed

    def declared(self, name: str) -> FieldType | None:
        """What is known of a value from outside, by its name in a condition: a field of the event, or `now`."""
        return CLOCK if name == called(NOW) else self.fields.get(name.partition(".")[2])

    @property
    def names(self) -> tuple[Name | Whole, ...]:
        """All that its conditions read, each once."""
        return tuple(dict.fromkeys(name for option in self.options for name in names(option.whole)))


CLOCK = FieldType(type=ValueType.TIMESTAMP)


def called(name: Name) -> str:
    """A name as expressions write it: `context.n`."""
    return f"{name.scope}.{name.field}"


def outcome(tree: Expression, values: Mapping[str, Value], state: str, functions: Given) -> str:
    """What a condition comes to: `true`, `false` or the type of the error that it raises, by the readable evaluator."""
    context = {name.removeprefix("context."): value for name, value in values.items() if name.startswith("context.")}
    event = {name.removeprefix("event."): value for name, value in values.items() if name.startswith("event.")}
    try:
        found = evaluate(tree, context, event, state, now=values.get(called(NOW)), functions=functions)
        return "true" if need_boolean(found, "a condition") else "false"
    except EvaluationFault as fault:
        return fault.kind


def choices(workflow: Workflow) -> Iterator[Choice]:
    """Every choice in which there is a condition, in file order.

    Left out is what can never be set off: transitions out of a terminal state, or on what cannot come.
    """
    events = declared_events(workflow)
    for graph in region_graphs(workflow):
        inside = "/".join(_names_along(graph))
        for state, indices in graph.leaving.items():
            if graph.states[state].is_terminal:
                continue
            path = f"{inside}/{state}" if inside else state
            for trigger, chosen in _by_trigger(graph, indices).items():
                options = tuple(_option(graph, index) for index in chosen)
                if all(option.written is None for option in options):
                    continue
                kind, event = trigger
                first = options[0].transition
                where = f"on {event}" if kind == "event" else first.trigger if kind == "after" else "without an event"
                yield Choice(
                    f"in '{path}' {where}",
                    graph.part.state_path(graph.state_index[state]),
                    path.partition("/")[0],
                    options,
                    _left(workflow, graph, state, trigger),
                    _fields(events[event].payload if event in events else None, event),
                    _among(options),
                )


def _among(options: tuple[Option, ...]) -> Expression | None:
    """Where only errors of certain sources are waited for: one of these is the source."""
    events = [option.transition.event or "" for option in options]
    if not all(event.startswith("error.") for event in events):
        return None
    sources = dict.fromkeys(event.removeprefix("error.") for event in events)
    return Compare("in", SOURCE, ListOf(tuple(map(Literal, sources))))


def _names_along(graph: RegionGraph) -> list[str]:
    """State, region, state, region, … down to a region."""
    found: list[str] = []
    inner = graph
    for outer, state in graph.around:
        found = [state.name, inner.region.name, *found]
        inner = outer
    return found


def _by_trigger(graph: RegionGraph, indices: list[int]) -> dict[_Trigger, list[int]]:
    """Transitions by what sets them off; each time is a choice of its own (M6.2)."""
    found: dict[_Trigger, list[int]] = {}
    for index in indices:
        if graph.impossible(index) is None:
            found.setdefault(_trigger(graph.region.transitions[index], index), []).append(index)
    return found


def _trigger(transition: Transition, index: int) -> _Trigger:
    if transition.timed:
        # Timers of one length fire one after another at one time, and the first whose condition holds leaves the state.
        return "after", transition.trigger if transition.to is not None else f"{transition.trigger}, {index}"
    if transition.event is None:
        return "automatic", ""
    return "event", "error" if transition.event.startswith("error.") else transition.event


def _option(graph: RegionGraph, index: int) -> Option:
    transition = graph.region.transitions[index]
    event = transition.event or ""
    named = event.removeprefix("error.") if event.startswith("error.") else None
    source = None if named is None else Compare("==", SOURCE, Literal(named))
    return Option(
        transition,
        graph.part.transition_label(index),
        graph.part.transition_path(index),
        transition.condition_tree,
        source,
    )


def _fields(declared: Mapping[str, FieldType] | None, event: str) -> dict[str, FieldType]:
    if declared is not None:
        return dict(declared)
    fields = {}
    for name in RESERVED_PAYLOADS.get(event, ()):
        kind = {"result": ValueType.ANY, "index": ValueType.INTEGER}.get(name, ValueType.STRING)
        fields[name] = FieldType(type=kind, optional=name not in ("source", "type"))
    return fields


def _left(workflow: Workflow, graph: RegionGraph, state: str, trigger: _Trigger) -> str | None:
    """What becomes of a trigger that no transition takes."""
    kind, event = trigger
    if kind == "automatic":
        # Conditions that wait for something are what automatic transitions are for, if something may still come.
        alone = all(graph.region.transitions[each].trigger == "automatic" for each in graph.leaving[state])
        waits = "the instance stays in the state, and only a change of variables leads on (M2.6)"
        return waits if alone and graph.states[state].work is None else None
    if kind == "after":
        return "the timer is discarded, and the state stays (M6.2)"
    if event in _LEFT:
        return _LEFT[event]
    if event == "error":
        return f"the error goes on {'to the state around' if graph.part.path else 'and fails the instance'} (M4.2)"
    policy = declared_events(workflow)[event].unhandled or workflow.unhandled
    listening = sum(any(each.event == event for each in region.transitions) for _, region in workflow.regions())
    unless = ", unless another region takes it" if listening > 1 else ""
    return f"the event is {_UNHANDLED[policy]}{unless} (M7.1)"


_UNHANDLED = {Unhandled.REJECT: "rejected", Unhandled.DEFER: "deferred", Unhandled.DISCARD: "discarded"}
_LEFT = {
    "done": "`done` is discarded, and the state stays (M4.1)",
    "timeout": "the timeout becomes an error, Timeout.state (M6.2)",
    "cancel_requested": "the instance is cancelled without it (M8.3)",
    "workflow_timeout": "the instance closes as timed_out (M8.3)",
}
