"""Where a definition uses expressions, variables and activities, each place with its path in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wfsim.model.definition import Definition
from wfsim.model.elements import (
    Action,
    Activity,
    ActivityAction,
    Event,
    ForEach,
    Region,
    SendAction,
    SetVariableAction,
    State,
    Transition,
    Variable,
)
from wfsim.model.expression_tree import Expression, Name, Template, TemplateList, TemplateLiteral, TemplateObject, names
from wfsim.model.expressions import is_template, parse, parse_template
from wfsim.model.fields import TemplateValue
from wfsim.model.values import ValueType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    kind: Literal["condition", "value", "deadline", "items", "key"]
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
        yield Use(("correlation", "key"), "the correlation key", "key", parse(workflow.correlation.key))


def state_uses(part: Part, index: int, state: State) -> Iterator[Use]:
    """Expressions evaluated when a state is entered: its deadline, the input of its work."""
    path, what = part.state_path(index), f"state {state.name!r}"
    if isinstance(state.timeout, str) and is_template(state.timeout):
        yield Use((*path, "timeout"), f"the timeout of {what}", "deadline", parse_template(state.timeout))
    if state.activity is not None:
        yield from _parameters((*path, "activity", "parameters"), what, state.activity.parameters, None)
    if state.invoke is not None:
        yield from _parameters((*path, "invoke", "input"), what, state.invoke.input, None)
    if state.for_each is not None:
        items = parse_template(state.for_each.items)
        yield Use((*path, "for_each", "items"), f"the items of {what}", "items", items)
        yield from _parameters(
            (*path, "for_each", "parameters"), what, state.for_each.parameters, None, item=state.for_each.as_
        )


def transition_uses(part: Part, index: int, transition: Transition) -> Iterator[Use]:
    """Expressions of a transition: its delay, its condition, then its actions in order."""
    path, label, event = part.transition_path(index), part.transition_label(index), transition.event
    if isinstance(transition.after, str) and is_template(transition.after):
        yield Use((*path, "after"), f"the delay of {label}", "deadline", parse_template(transition.after))
    if transition.condition is not None:
        condition = parse(transition.condition)
        yield Use((*path, "condition"), f"the condition of {label}", "condition", condition, event)
    for key, actions in (("pre_actions", transition.pre_actions), ("post_actions", transition.post_actions)):
        for number, action in enumerate(actions):
            yield from action_uses((*path, key, number), label, action, event)


def action_uses(path: Path, label: str, action: Action, event: str | None) -> Iterator[Use]:
    """Expressions of one action."""
    if isinstance(action, ActivityAction):
        yield from _parameters((*path, "parameters"), label, action.parameters, event)
    elif isinstance(action, SetVariableAction):
        value = parse_template(action.parameters.value)
        what = f"the value for {action.parameters.name!r} in {label}"
        yield Use((*path, "parameters", "value"), what, "value", value, event)
    elif isinstance(action, SendAction):
        yield Use((*path, "to"), f"the receiver in {label}", "value", parse_template(action.to), event)
        yield from _parameters((*path, "payload"), label, action.payload, event)


def _parameters(
    path: Path, what: str, parameters: Mapping[str, object], event: str | None, item: str | None = None
) -> Iterator[Use]:
    for key, value in parameters.items():
        yield Use((*path, key), f"the parameter {key!r} of {what}", "value", parse_template(value), event, item)


def writes(workflow: Definition) -> Iterator[Write]:
    """Every place that gives a variable a value, in file order; inputs and initial values aside."""
    for part in parts(workflow):
        for index, state in enumerate(part.region.states):
            for key, work in (
                ("activity", state.activity),
                ("invoke", state.invoke),
                ("for_each", state.for_each),
            ):
                if work is not None and work.result_variable is not None:
                    path = (*part.state_path(index), key, "result_variable")
                    yield Write(path, f"the result of state {state.name!r}", work.result_variable)
        for index, transition in enumerate(part.region.transitions):
            label = part.transition_label(index)
            for path, action in transition_actions(part, index, transition):
                written = action_write(path, label, action)
                if written is not None:
                    yield written


def transition_actions(part: Part, index: int, transition: Transition) -> Iterator[tuple[Path, Action]]:
    """The actions of a transition with their paths, in the order they run."""
    for key, actions in (("pre_actions", transition.pre_actions), ("post_actions", transition.post_actions)):
        for number, action in enumerate(actions):
            yield (*part.transition_path(index), key, number), action


def action_write(path: Path, label: str, action: Action) -> Write | None:
    """The variable an action writes when it succeeds."""
    if isinstance(action, SetVariableAction):
        value = parse_template(action.parameters.value)
        return Write((*path, "parameters", "name"), label, action.parameters.name, value)
    if isinstance(action, ActivityAction) and action.result_variable is not None:
        return Write((*path, "result_variable"), label, action.result_variable)
    return None


def activity_uses(workflow: Definition) -> Iterator[tuple[Path, str, str]]:
    """Path, place and name wherever an activity is named, in file order."""
    for name, activity in workflow.activities.items():
        if activity.compensate_with is not None:
            yield (
                ("activities", name, "compensate_with"),
                f"activity {name!r} is compensated",
                activity.compensate_with.activity,
            )
    for part in parts(workflow):
        for index, state in enumerate(part.region.states):
            if state.activity is not None:
                yield (*part.state_path(index), "activity"), f"state {state.name!r} runs", state.activity.name
            if state.invoke is not None and state.invoke.compensate_with is not None:
                yield (
                    (*part.state_path(index), "invoke", "compensate_with"),
                    f"workflow {state.invoke.workflow!r} in state {state.name!r} is compensated",
                    state.invoke.compensate_with.activity,
                )
            if state.for_each is not None and state.for_each.activity is not None:
                where: Path = (*part.state_path(index), "for_each", "activity")
                yield where, f"state {state.name!r} runs", state.for_each.activity
        for index, transition in enumerate(part.region.transitions):
            for path, action in transition_actions(part, index, transition):
                if isinstance(action, ActivityAction):
                    yield (*path, "name"), f"{part.transition_label(index)} runs", action.name


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
            for key, work in (("invoke", state.invoke), ("for_each", state.for_each)):
                if work is not None and work.workflow is not None:
                    path: Path = (*part.state_path(index), key, "workflow")
                    yield Invoked(path, state.name, work.workflow, work.version)


def addressed(workflow: Definition) -> tuple[str, ...]:
    """Names of the other workflows that it sends messages to by key, in order of first use."""
    found: dict[str, None] = {}
    for part in parts(workflow):
        for index, transition in enumerate(part.region.transitions):
            for _, action in transition_actions(part, index, transition):
                to = receiver(action)[0] if isinstance(action, SendAction) and is_keyed(action) else None
                if isinstance(to, TemplateLiteral) and isinstance(to.value, str) and to.value != workflow.name:
                    found[to.value] = None
    return tuple(found)


def is_keyed(action: SendAction) -> bool:
    """Whether a message goes to a workflow and a key, not to an instance."""
    return isinstance(parse_template(action.to), TemplateObject)


def item_inputs(work: ForEach) -> Mapping[str, TemplateValue]:
    """What each item's activity or workflow is given: the parameters written, else the item under its own name."""
    return work.parameters or {work.as_: f"${{item.{work.as_}}}"}


def receiver(action: SendAction) -> tuple[Template, Template | None]:
    """Who gets a message: a template for `self`, `parent` or an instance, or for a workflow with that of the key."""
    to = parse_template(action.to)
    if isinstance(to, TemplateObject):
        fields = dict(to.fields)
        return fields.get("workflow", TemplateLiteral(None)), fields.get("key", TemplateLiteral(None))
    return to, None


def listened_events(workflow: Definition) -> tuple[str, ...]:
    """Events from outside that some transition waits for, in order of first use."""
    found = (
        transition.event
        for part in parts(workflow)
        for transition in part.region.transitions
        if transition.event is not None and not is_reserved(transition.event)
    )
    return tuple(dict.fromkeys(found))


def declared_variables(workflow: Definition) -> Mapping[str, Variable]:
    """All variables: those declared, in file order; without `variables` those used, of type `any`."""
    if workflow.variables:
        return workflow.variables
    used = [
        name.field
        for use in uses(workflow)
        for name in names(use.tree)
        if isinstance(name, Name) and name.scope == "context"
    ]
    used += [write.variable for write in writes(workflow)]
    return {name: Variable(type=ValueType.ANY, optional=True) for name in dict.fromkeys(used)}


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


def payload_fields(workflow: Definition, event: str) -> Mapping[str, ValueType] | None:
    """Types of the fields an event brings; `None` if anything may be in it."""
    if is_reserved(event):
        fields = RESERVED_PAYLOADS["error" if event.startswith("error") else event]
        types = {"result": ValueType.ANY, "index": ValueType.INTEGER}
        return {field: types.get(field, ValueType.STRING) for field in fields}
    declared = workflow.events.get(event)
    if declared is None or not declared.payload:
        return None
    return {field: kind.type for field, kind in declared.payload.items()}


def expression_parts(tree: Template) -> Iterator[Expression]:
    """The outermost expressions inside a template, in order."""
    if isinstance(tree, TemplateLiteral):
        return
    if isinstance(tree, TemplateList):
        for item in tree.items:
            yield from expression_parts(item)
    elif isinstance(tree, TemplateObject):
        for _, value in tree.fields:
            yield from expression_parts(value)
    else:
        yield tree
