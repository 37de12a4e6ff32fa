"""Which workflows have a coloured net, and the values that may come to them from outside."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

from wfsim.errors import NotCovered
from wfsim.model.elements import State, Transition
from wfsim.model.expression_tree import Name, Template, Whole, names
from wfsim.model.operations import Operation
from wfsim.model.shapes import Shape, fitted
from wfsim.model.uses import declared_events, declared_variables, uses
from wfsim.model.values import Value, ValueType
from wfsim.model.workflow import Workflow
from wfsim.net.coloured_tokens import Values
from wfsim.semantics.expression_code import can_raise

MOST_VALUES = 1_000
"""Values of one payload, input or result; each is a token."""
_HINT = "A net without values has all constructs: wf.to_snakes(wf.to_net(workflow))."


def tokens(what: str, fields: Mapping[str, Shape]) -> list[Values]:
    """A token for every combination of values.

    Raises
    ------
    NotCovered
        If they are more than `MOST_VALUES` or cannot be counted.
    """
    found = all_objects(fields)
    if found is None:
        endless = [name for name, shape in fields.items() if all_values(shape) is None]
        which = f"{endless[0]!r} ({fields[endless[0]]}) has" if endless else "its fields have together"
        raise NotCovered(
            f"to_snakes with data: {what}: {which} more than {MOST_VALUES:,} values, and each is a token of the net. "
            "Declare boolean, values, or an integer with minimum and maximum."
        )
    return [Values(each) for each in found]


def results_of(workflow: Workflow, state: State, on_done: list[Transition]) -> list[Values]:
    """What the activity of a state may give, as far as somebody looks at it."""
    work = state.activity
    assert work is not None
    activity = workflow.activities.get(work.name)
    what = f"the result of {work.name!r}"
    if activity is not None and activity.result is not None:
        return tokens(what, {"result": activity.result.shape})
    if work.result_variable is not None:
        return tokens(what, {"result": declared_variables(workflow)[work.result_variable].shape})
    if any("result" in _read(tree) for each in on_done for tree in _trees(each)):
        raise NotCovered(
            f"to_snakes with data: {what} is read and may be anything. Declare the result of the activity."
        )
    return [Values({"result": None})]


def payloads(workflow: Workflow, event: str) -> list[Values]:
    """A token for each payload that differs in what is read; what nobody reads is left out."""
    taking = [each for each in workflow.transitions if each.event == event]
    read = {name for each in taking for tree in _trees(each) for name in _read(tree)}
    payload = declared_events(workflow)[event].payload
    if unknown := sorted(read - set(payload)):
        raise NotCovered(
            f"to_snakes with data: {unknown[0]!r} of event {event!r} is read and may be anything. "
            "Declare it in the payload of the event."
        )
    return tokens(f"event {event!r}", {name: each.shape for name, each in payload.items() if name in read})


def all_values(shape: Shape) -> list[Value] | None:
    """Every value of a type; `None` if they are more than `MOST_VALUES` or cannot be counted."""
    found: list[Value] | None = None
    if shape.values is not None:
        found = list(shape.values)
    elif shape.kind is ValueType.BOOLEAN:
        found = [False, True]
    elif shape.kind is ValueType.INTEGER and shape.minimum is not None and shape.maximum is not None:
        whole = range(math.ceil(shape.minimum), math.floor(shape.maximum) + 1)
        found = list(whole) if len(whole) <= MOST_VALUES else None
    elif shape.kind is ValueType.OBJECT and shape.fields is not None:
        found = all_objects(shape.fields)
    if found is None:
        return None
    return [fitted(shape, value) for value in found] + ([None] if shape.optional else [])


def all_objects(fields: Mapping[str, Shape]) -> list[dict[str, Value]] | None:
    """Every object with these fields, likewise."""
    parts = [all_values(shape) for shape in fields.values()]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or math.prod(map(len, known)) > MOST_VALUES:
        return None
    return [dict(zip(fields, values)) for values in itertools.product(*known)]


def refuse(workflow: Workflow) -> None:
    """Name the first construct that has no coloured net.

    Raises
    ------
    NotCovered
        With what it is, where, and what to do.
    """

    def no(what: str) -> NotCovered:
        return NotCovered(f"to_snakes with data: {what}. {_HINT}")

    if workflow.given.missing:
        raise no(f"functions.{workflow.given.missing[0]} was not given (workflow.with_functions)")
    if workflow.correlation is not None:
        raise no("a correlation key has no colour")
    for use in uses(workflow):
        if use.kind in ("deadline", "moment"):
            raise no(f"{use.what} is computed; write it out, as the net has no times")
        if any(isinstance(name, Whole) and name.scope != "state" for name in names(use.tree)):
            raise no(f"{use.what} takes all of the event or the context")
        if any(isinstance(name, Name) and name.scope == "clock" for name in names(use.tree)):
            raise no(f"{use.what} reads now, and the net has no times")
        if (use.event or "").split(".")[0] == "error" and (read := sorted(_read(use.tree) - {"source"})):
            raise no(f"{use.what} reads event.{read[0]} of an error")
    for state in workflow.states:
        if state.work is not None and state.activity is None:
            raise no(f"state {state.name!r} has {state.work.field}")
        if state.activity is not None and any(can_raise(tree) for tree in state.activity.inputs.values()):
            raise no(f"an input of the activity of state {state.name!r} may not be computable")
    for event, declared in declared_events(workflow).items():
        if (declared.unhandled or workflow.unhandled) == "defer":
            raise no(f"event {event!r} is deferred")
    for k, transition in enumerate(workflow.transitions):
        what = f"transition {k + 1} ({transition})"
        if transition.event in ("cancel_requested", "workflow_timeout"):
            raise no(f"{what} is on {transition.event}")
        for action in transition.actions:
            if not _assigns(action):
                raise no(f"{what} has an action other than set_variable")
    for state in workflow.states:
        if not all(map(_assigns, state.actions)):
            raise no(f"state {state.name!r} has an action other than set_variable")


def _assigns(action: Operation) -> bool:
    return action.written is not None and action.written.tree is not None


def _trees(transition: Transition) -> list[Template]:
    """All that it reads when it is taken."""
    read = [read.tree for action in transition.actions for read in action.reads]
    return read if transition.condition_tree is None else [transition.condition_tree, *read]


def _read(tree: Template) -> set[str]:
    """The fields of the event that it reads."""
    return {name.field for name in names(tree) if isinstance(name, Name) and name.scope == "event"}
