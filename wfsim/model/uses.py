"""Where a definition uses expressions, variables and activities, each place with its path in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from wfsim.model.definition import Definition
from wfsim.model.elements import Activity, Event, Region, State, Transition, Variable
from wfsim.model.expression_tree import (
    ListOf,
    Name,
    Template,
    TemplateList,
    names,
)
from wfsim.model.fields import sees
from wfsim.model.operations import Action, Operation, PassingAction
from wfsim.model.owned import variable_of
from wfsim.model.shapes import ANYTHING, Shape, plain
from wfsim.model.static import static_shape
from wfsim.model.values import ValueType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wfsim.model.problems import Path

RESERVED_EVENTS = ("done", "error", "timeout", "cancel_requested", "workflow_timeout")
RESERVED_PAYLOADS: dict[str, tuple[str, ...]] = {
    "done": ("result",),
    "error": ("source", "type", "message", "index"),
    "timeout": (),
    "cancel_requested": (),
    "workflow_timeout": (),
}


def is_reserved(event: str) -> bool:
    """Whether the engine raises this event itself: `done`, `error`, `error.<source>`, `timeout`, …"""
    return event in RESERVED_EVENTS or event.startswith("error.")


@dataclass(frozen=True, slots=True)
class Part:
    """A region with its path in the file and a name for people."""

    path: Path
    region: Definition | Region
    label: str

    def state_path(self, index: int) -> Path:
        return (*self.path, "states", index)

    def transition_path(self, index: int) -> Path:
        return (*self.path, "transitions", index)

    def transition_label(self, index: int) -> str:
        """`transition 3 (created → paid on pay)`, counted from 1 in file order."""
        where = f" of {self.label}" if self.path else ""
        return f"transition {index + 1}{where} ({self.region.transitions[index]})"


def parts(workflow: Definition) -> Iterator[Part]:
    """Every region, outermost and first first."""

    def walk(part: Part) -> Iterator[Part]:
        yield part
        for index, state in enumerate(part.region.states):
            for number, inner in enumerate(state.parallel.regions if state.parallel else ()):
                path = (*part.state_path(index), "parallel", "regions", number)
                yield from walk(Part(path, inner, f"region {inner.name!r} of state {state.name!r}"))

    return walk(Part((), workflow, f"workflow {workflow.name!r}"))


def scoped(workflow: Definition, scope: str) -> list[str]:
    """Paths from the root of the states and regions that a `scope` can mean (M9.1): states and regions in turn.

    By its name, or by its path; a `/` before a path says that it is one, which matters for states of the root region.
    """
    found = []
    for path, region in workflow.regions():
        elements = [(path, path[-1])] if path else []
        for steps, name in [*elements, *(((*path, state.name), state.name) for state in region.states)]:
            joined = "/".join(steps)
            if scope in (name, joined, f"/{joined}"):
                found.append(joined)
    return found


@dataclass(frozen=True, slots=True)
class Use:
    """An expression or template at its place.

    `event` names the event whose payload it may read (`None`: there is none); `item` is the name of the item
    where one exists.
    """

    path: Path
    what: str
    kind: Literal["condition", "value", "deadline", "moment", "items", "key"]
    tree: Template
    event: str | None = None
    item: str | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """A place that gives a variable a value; `value` is known for assignments only."""

    path: Path
    what: str
    variable: str
    value: Template | None = None


def uses(workflow: Definition) -> Iterator[Use]:
    """Every expression of a definition, in file order."""
    for part in parts(workflow):
        for index, state in enumerate(part.region.states):
            yield from state_uses(part, index, state)
        for index, transition in enumerate(part.region.transitions):
            yield from transition_uses(part, index, transition)
    if workflow.correlation is not None:
        yield Use(("correlation", "key"), "the correlation key", "key", workflow.correlation.key_tree)


def state_uses(part: Part, index: int, state: State) -> Iterator[Use]:
    """Expressions of a state: of what it does on entry and on leaving, its deadline, the input of its work."""
    path, what = part.state_path(index), f"state {state.name!r}"
    for place, action in state_actions(part, index, state):
        yield from operation_uses(place, what, action, None)
    if state.timeout_tree is not None:
        yield Use((*path, "timeout"), f"the timeout of {what}", "deadline", state.timeout_tree)
    if state.work is not None:
        yield from operation_uses((*path, state.work.field), what, state.work, None)


def transition_uses(part: Part, index: int, transition: Transition) -> Iterator[Use]:
    """Expressions of a transition: its delay, its condition, then its actions in order."""
    path, label, event = part.transition_path(index), part.transition_label(index), transition.event
    if transition.after_tree is not None:
        yield Use((*path, "after"), f"the delay of {label}", "deadline", transition.after_tree)
    if transition.at_tree is not None:
        yield Use((*path, "at"), f"the time of {label}", "moment", transition.at_tree)
    if transition.condition_tree is not None:
        yield Use((*path, "condition"), f"the condition of {label}", "condition", transition.condition_tree, event)
    for place, action in transition_actions(part, index, transition):
        yield from operation_uses(place, label, action, event)


def operation_uses(path: Path, whose: str, operation: Operation, event: str | None) -> Iterator[Use]:
    """Expressions of an action or a work."""
    for read in operation.reads:
        yield Use((*path, *read.path), f"{read.what} {whose}", read.kind, read.tree, event, read.item)


def writes(workflow: Definition) -> Iterator[Write]:
    """Every place that gives a variable a value, in file order; inputs and initial values aside."""
    for path, label, operation in located(workflow):
        written = operation.written
        if written is not None:
            yield Write((*path, *written.path), label, written.variable, written.tree)


def located(workflow: Definition) -> Iterator[tuple[Path, str, Operation]]:
    """Whatever states and transitions do, with its path and what does it, in file order."""
    for part in parts(workflow):
        for index, state in enumerate(part.region.states):
            for path, passing in state_actions(part, index, state):
                yield path, f"state {state.name!r}", passing
            if state.work is not None:
                yield (*part.state_path(index), state.work.field), f"state {state.name!r}", state.work
        for index, transition in enumerate(part.region.transitions):
            for path, action in transition_actions(part, index, transition):
                yield path, part.transition_label(index), action


def state_actions(part: Part, index: int, state: State) -> Iterator[tuple[Path, PassingAction]]:
    """The actions of a state with their paths: on entry, then on leaving."""
    for key, actions in (("entry_actions", state.entry_actions), ("exit_actions", state.exit_actions)):
        for number, action in enumerate(actions):
            yield (*part.state_path(index), key, number), action


def transition_actions(part: Part, index: int, transition: Transition) -> Iterator[tuple[Path, Action]]:
    """The actions of a transition with their paths, in the order they run."""
    for key, actions in (("pre_actions", transition.pre_actions), ("post_actions", transition.post_actions)):
        for number, action in enumerate(actions):
            yield (*part.transition_path(index), key, number), action


def activity_uses(workflow: Definition) -> Iterator[tuple[Path, str, str]]:
    """Path, place and name wherever an activity is named, in file order."""
    for name, activity in workflow.activities.items():
        if activity.compensate_with is not None:
            yield (
                ("activities", name, "compensate_with"),
                f"activity {name!r} is compensated by",
                activity.compensate_with.activity,
            )
    for path, label, operation in located(workflow):
        if operation.runs is not None:
            yield (*path, operation.names_activity), f"{label} runs", operation.runs
        if operation.undone_by is not None:
            yield (*path, "compensate_with"), f"what {label} runs is compensated by", operation.undone_by.activity


def settling(workflow: Definition) -> Iterator[tuple[Path, str, str]]:
    """Path, place and name wherever an activity is said to settle what another one did (M9.3); none runs there."""
    for name, activity in workflow.activities.items():
        for number, other in enumerate(activity.settled_by):
            yield ("activities", name, "settled_by", number), f"activity {name!r} is settled by", other


@dataclass(frozen=True, slots=True)
class Invoked:
    """A workflow that a state runs, with its place and the versions that will do."""

    path: Path
    state: str
    workflow: str
    version: str | None


def invoked(workflow: Definition) -> Iterator[Invoked]:
    """Each workflow that a state runs, once or for each item of a list, in file order."""
    for part in parts(workflow):
        for index, state in enumerate(part.region.states):
            if state.work is not None and state.work.invokes is not None:
                path: Path = (*part.state_path(index), state.work.field, "workflow")
                yield Invoked(path, state.name, *state.work.invokes)


def addressed(workflow: Definition) -> tuple[str, ...]:
    """Names of the other workflows that it sends messages to by key, in order of first use."""
    sent = (operation.sends for operation in workflow.operations())
    found = (message.addressed for message in sent if message is not None)
    return tuple(dict.fromkeys(name for name in found if name is not None and name != workflow.name))


def listened_events(workflow: Definition) -> tuple[str, ...]:
    """Events from outside that some transition waits for, in order of first use."""
    found = (
        transition.event
        for part in parts(workflow)
        for transition in part.region.transitions
        if transition.event is not None and not is_reserved(transition.event)
    )
    return tuple(dict.fromkeys(found))


def owned(workflow: Definition) -> dict[str, Variable]:
    """The variables that belong to states, region by region in file order (M13.1)."""
    return {
        variable_of((*steps, state.name), field): datum
        for steps, region in workflow.regions()
        for state in region.states
        for field, datum in state.data.items()
    }


def declared_variables(workflow: Definition) -> Mapping[str, Variable]:
    """All variables: those declared, in file order, or without `variables` those used; then those of states."""
    belonging = owned(workflow)
    if workflow.variables:
        return {**workflow.variables, **belonging} if belonging else workflow.variables
    used = [
        name.field
        for use in uses(workflow)
        for name in names(use.tree)
        if isinstance(name, Name) and name.scope == "context"
    ]
    used += [write.variable for write in writes(workflow)]
    known = {name: Variable(type=ValueType.ANY, optional=True) for name in dict.fromkeys(used) if "." not in name}
    return {**known, **belonging}


def data_paths(workflow: Definition) -> dict[str, Path]:
    """Where the variables that belong to states are declared."""
    return {
        sees(state)[0][field]: (*part.state_path(index), "data", field)
        for part in parts(workflow)
        for index, state in enumerate(part.region.states)
        for field in state.data
    }


def region_around(path: Path) -> Path:
    """The path of the innermost region that what stands at `path` belongs to; empty for the root."""
    ends = [k + 3 for k in range(len(path) - 2) if path[k : k + 2] == ("parallel", "regions")]
    return path[: ends[-1]] if ends else ()


def declared_events(workflow: Definition) -> Mapping[str, Event]:
    """All events from outside: those declared, in file order, then those only listened to."""
    known = dict(workflow.events)
    for name in listened_events(workflow):
        known.setdefault(name, Event())
    return known


def declared_activities(workflow: Definition) -> Mapping[str, Activity]:
    """All activities: those declared, in file order; without an `activities` section those used."""
    if workflow.activities:
        return workflow.activities
    return {name: Activity() for name in dict.fromkeys(name for _, _, name in activity_uses(workflow))}


def payload_fields(workflow: Definition, event: str) -> Mapping[str, Shape] | None:
    """Types of the fields an event brings; `None` if anything may be in it."""
    if is_reserved(event):
        fields = RESERVED_PAYLOADS["error" if event.startswith("error") else event]
        types = {"result": ValueType.ANY, "index": ValueType.INTEGER}
        return {field: plain(types.get(field, ValueType.STRING)) for field in fields}
    declared = workflow.events.get(event)
    if declared is None or not declared.payload:
        return None
    return {field: one.shape for field, one in declared.payload.items()}


def _along(workflow: Definition, path: Path) -> Iterator[Any]:
    """What a path leads through, from the workflow on."""
    at: Any = workflow
    yield at
    for step in path:
        at = at[step] if isinstance(step, int) or isinstance(at, Mapping) else getattr(at, step)
        yield at


def seen_at(workflow: Definition, path: Path) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The variables that `state.<field>` is at a path, by field: to be read, and to be written (M13.1)."""
    within = [each for each in _along(workflow, path) if isinstance(each, State | Transition | Operation)]
    return sees(within[-1]) if within else ({}, {})


def transition_at(workflow: Definition, path: Path) -> tuple[Definition | Region, Transition] | None:
    """The transition that a path lies in, with its region."""
    region: Definition | Region = workflow
    for each in _along(workflow, path):
        if isinstance(each, Region):
            region = each
        elif isinstance(each, Transition):
            return region, each
    return None


def fields_at(workflow: Definition, path: Path, event: str) -> Mapping[str, Shape] | None:
    """Like `payload_fields`, for what stands at `path`: of `done` also what the activity of its state gives."""
    found = transition_at(workflow, path)
    if found is None:
        return payload_fields(workflow, event)
    region, transition = found
    return fields_in(workflow, next((state for state in region.states if state.name == transition.from_), None), event)


def fields_in(workflow: Definition, state: State | None, event: str) -> Mapping[str, Shape] | None:
    """The same for what is taken in a state."""
    fields, work = payload_fields(workflow, event), None if state is None else state.work
    if event != "done" or fields is None or work is None:
        return fields
    result = work.gives(declared_result(workflow, work))
    return fields if result is None else {**fields, "result": result}


def declared_result(workflow: Definition, operation: Operation) -> Shape | None:
    """What the activity that is run is declared to give."""
    activity = None if operation.runs is None else workflow.activities.get(operation.runs)
    return None if activity is None or activity.result is None else activity.result.shape


def items_of(operation: Operation, variables: Mapping[str, Shape]) -> dict[str, Shape]:
    """What is declared of the item of a `for_each`, by the name that its parameters read it by."""
    trees = [read.tree for read in operation.reads if read.kind == "items"]
    # Of a list that is written out nothing is declared.
    lists = [static_shape(tree, variables) for tree in trees if not isinstance(tree, TemplateList | ListOf)]
    item = next((each.items for each in lists if each is not None and each.items is not None), ANYTHING)
    read = [name for tree in operation.inputs.values() for name in names(tree) if isinstance(name, Name)]
    return {name.field: item for name in read if name.scope == "item"}


def items_at(workflow: Definition, path: Path) -> dict[str, Shape]:
    """The same for the `for_each` that a path lies in."""
    for each in _along(workflow, path):
        if isinstance(each, Operation) and each.repeats:
            return items_of(each, variable_shapes(workflow))
    return {}


def variable_shapes(workflow: Definition) -> Mapping[str, Shape]:
    """Types of all variables."""
    return {name: variable.shape for name, variable in declared_variables(workflow).items()}
