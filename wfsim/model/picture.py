"""A workflow as a picture: states, the transitions between them, regions as frames.

Identifiers, so that others can light what they mean:

- `state:<path>` a state, as a node, or as a group where it has regions; the path is that of the program and of
  records: `payment_pending`, or `fulfil/pick/packed` inside a region;
- `region:<path>` the frame of a region;
- `transition:<number>` an edge; the number is that of records (`payload["transition"]`): the place in file order,
  regions outermost first. Transitions with equal ends and equal looks share the edge of the first; `edge_ids` says
  which edge shows a transition;
- `initial:<path of region>` the dot before an initial state, and `initial edge:<path of region>` its edge.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from wfsim.drawing import Edge, Group, Node, Picture
from wfsim.model.elements import Outcome
from wfsim.model.expression_tree import TemplateLiteral, TemplateObject
from wfsim.model.operations import ActivityAction, CompensateAction, SendAction, SetVariableAction
from wfsim.model.schedule import told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wfsim.drawing import Direction, Head, LineStyle, Role
    from wfsim.model.definition import Definition
    from wfsim.model.elements import State, Transition
    from wfsim.model.expression_tree import Template
    from wfsim.model.operations import Action

_TIMERS = ("timeout", "workflow_timeout")


class _Looks(NamedTuple):
    """What tells edges apart; transitions that agree in it, and in their ends, share an edge."""

    source: str
    target: str
    role: Role
    style: LineStyle
    head: Head


def picture(workflow: Definition, *, direction: Direction = "TB") -> Picture:
    """Draw a workflow.

    Parameters
    ----------
    direction
        Main direction of the transitions, as in `Picture`. In `TB`, in which editors draw, states stand where a person
        has put them (`workflow.placed()`).

    Returns
    -------
    Picture
        States are rounded boxes with their work and timeout, a dot stands before an initial one, terminal ones
        have a double border and show their outcome. Transitions read `event`, `[condition]`, `/ actions`; timers,
        errors and automatic ones differ in dash and colour. A transition without `to` is a dashed loop with an open
        head. The module says how things are named.

    Raises
    ------
    DrawingError
        If the file that says where states stand cannot be read.
    """
    drawn = _drawn(workflow, direction)
    return drawn.pinned(workflow.placed()) if direction == "TB" else drawn


def _drawn(workflow: Definition, direction: Direction) -> Picture:
    nodes: list[Node] = []
    groups: list[Group] = []
    edges: list[Edge] = []
    for path, region in workflow.regions():
        frame = None if not path else f"region:{_joined(path)}"
        if frame is not None:
            groups.append(Group(frame, path[-1], parent=f"state:{_joined(path[:-1])}"))
        first = f"state:{_joined(path, region.initial_state)}"
        nodes.append(Node(f"initial:{_joined(path)}", "initial", shape="dot", role="initial", group=frame))
        starts = () if path else tuple(told(schedule) for schedule in workflow.schedules.values())
        edges.append(Edge(f"initial edge:{_joined(path)}", nodes[-1].id, first, "".join(starts[:1]), starts[1:]))
        for state in region.states:
            name = f"state:{_joined(path, state.name)}"
            timeout = workflow.timeouts.states.get(state.name) if not path else None
            lines = _lines(state, None if timeout is None else str(timeout))
            if state.parallel is not None:
                groups.append(Group(name, ", ".join([state.name, *lines]), parent=frame))
            else:
                initial = state.name == region.initial_state
                nodes.append(_node(name, state, lines, frame, initial=initial))
    edges.extend(_edges(workflow))
    # Groups outermost first, since each names the one around it.
    return Picture(f"{workflow.name} {workflow.version}", nodes, edges, groups, direction)


def shared_picture(workflow: Definition) -> Picture:
    """The picture of a workflow: equal ones are laid out once, however often they are shown."""
    return _free(workflow).pinned(workflow.placed())


@lru_cache(maxsize=32)
def _free(workflow: Definition) -> Picture:
    return _drawn(workflow, "TB")


def edge_ids(workflow: Definition) -> dict[int, str]:
    """For each transition number the identifier of the edge that shows it."""
    return {number: f"transition:{numbers[0]}" for numbers in _shared(workflow).values() for number in numbers}


def _numbered(workflow: Definition) -> Iterator[tuple[int, tuple[str, ...], Transition]]:
    """Transitions with their number and the path of their region, numbered as in records."""
    number = 1
    for path, region in workflow.regions():
        for transition in region.transitions:
            yield number, path, transition
            number += 1


def _shared(workflow: Definition) -> dict[_Looks, list[int]]:
    shared: dict[_Looks, list[int]] = {}
    for number, path, transition in _numbered(workflow):
        shared.setdefault(_looks(path, transition), []).append(number)
    return shared


def _looks(path: tuple[str, ...], transition: Transition) -> _Looks:
    internal = transition.to is None
    return _Looks(
        f"state:{_joined(path, transition.from_)}",
        f"state:{_joined(path, transition.to if transition.to is not None else transition.from_)}",
        _role(transition),
        "dashed" if internal else "solid",
        "open" if internal else "arrow",
    )


def _edges(workflow: Definition) -> Iterator[Edge]:
    transitions = {number: transition for number, _, transition in _numbered(workflow)}
    for looks, numbers in _shared(workflow).items():
        label, *lines = told_transition(transitions[numbers[0]])
        for number in numbers[1:]:
            trigger, *rest = told_transition(transitions[number])
            lines += [f"or {trigger}", *rest]
        yield Edge(
            f"transition:{numbers[0]}",
            looks.source,
            looks.target,
            label,
            tuple(lines),
            style=looks.style,
            head=looks.head,
            role=looks.role,
        )


def _node(name: str, state: State, lines: tuple[str, ...], group: str | None, *, initial: bool) -> Node:
    if state.is_terminal:
        role: Role = "terminal_failure" if state.outcome is Outcome.FAILURE else "terminal_success"
        return Node(name, state.name, shape="double", role=role, lines=lines, group=group)
    return Node(name, state.name, role="initial" if initial else "state", lines=lines, group=group)


def _lines(state: State, timeout: str | None) -> tuple[str, ...]:
    """What a state does and how long it may last."""
    lines = []
    if state.entry_actions:
        lines.append("entry / " + ", ".join(map(_action, state.entry_actions)))
    if state.activity is not None:
        lines.append(f"do {state.activity.name}")
    if state.invoke is not None:
        lines.append(f"do workflow {state.invoke.workflow} {state.invoke.version or ''}".rstrip())
    if state.for_each is not None:
        work = state.for_each.activity or f"workflow {state.for_each.workflow}"
        lines.append(f"for each {state.for_each.as_}: {work}")
        if state.for_each.max_parallel is not None:
            lines.append(f"at most {state.for_each.max_parallel} at once")
        if state.for_each.on_failure == "collect":
            most = state.for_each.tolerated_failures
            lines.append("failures collected" if most is None else f"failures collected, at most {most}")
    if state.parallel is not None:
        lines.append(f"join {state.parallel.join}")
    limit = timeout if state.timeout is None else str(state.timeout)
    if limit is not None:
        lines.append(f"timeout {limit}")
    if state.exit_actions:
        lines.append("exit / " + ", ".join(map(_action, state.exit_actions)))
    return tuple(lines)


def _role(transition: Transition) -> Role:
    event = transition.event
    if transition.timed or event in _TIMERS:
        return "timer"
    if event is None:
        return "automatic"
    return "error" if event == "error" or event.startswith("error.") else "event"


def told_transition(transition: Transition) -> list[str]:
    """`event`, `[condition]`, `/ actions`; the first line always stands for the transition."""
    lines = []
    if transition.timed:
        lines.append(transition.trigger)
    elif transition.event is not None:
        lines.append(transition.event)
    if transition.condition is not None:
        lines.append(f"[{transition.condition}]")
    if transition.pre_actions or transition.post_actions:
        lines.append("/ " + ", ".join(map(_action, transition.actions)))
    return lines


def _action(action: Action) -> str:
    match action:
        case ActivityAction():
            return action.name
        case SetVariableAction():
            return f"set {action.parameters.name}"
        case SendAction():
            return f"send {action.event}{_receiver(action.to_tree)}"
        case CompensateAction():
            return "compensate" if action.scope is None else f"compensate {action.scope}"


def _receiver(to: Template) -> str:
    """Who gets a message, as far as the definition says."""
    match to:
        case TemplateLiteral(str(name)):
            return f" to {name}"
        case TemplateObject(fields):
            workflow = dict(fields).get("workflow")
            return f" to {workflow.value}" if isinstance(workflow, TemplateLiteral) else ""
    return ""


def _joined(path: tuple[str, ...], *further: str) -> str:
    return "/".join((*path, *further))
