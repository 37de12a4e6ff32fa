"""What declarations say of values from outside beyond the types of the variables that take these up.

What an activity is declared to give may be less than its variable holds. Where the solver can be told, it is; where it
cannot, more is followed than can happen, so that a way to the end that it finds may be none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wfsim.model.expression_tree import Name, Template, walk
from wfsim.model.shapes import Shape
from wfsim.model.uses import declared_variables, uses, writes
from wfsim.model.values import ValueType
from wfsim.model.workflow import Workflow
from wfsim.verification.workflows.symbolic.through import Through


def returned(workflow: Workflow, through: Mapping[str, Through]) -> dict[str, list[Shape | None]]:
    """For each variable that takes up results the types that these are declared of; None where nothing is."""
    loops = {id(each.instead): each.work for each in through.values()}
    found: dict[str, list[Shape | None]] = {}
    for operation in workflow.operations():
        if operation.runs is None or operation.written is None:
            continue
        activity = workflow.activities.get(operation.runs)
        shape = None if activity is None or activity.result is None else activity.result.shape
        work = loops.get(id(operation))
        if work is not None and work.on_failure == "collect":
            shape = Shape(ValueType.LIST, items=Shape(ValueType.OBJECT))
        elif work is not None and shape is not None:
            shape = Shape(ValueType.LIST, items=shape)
        found.setdefault(operation.written.variable, []).append(shape)
    return found


def read_of_a_pattern(workflow: Workflow) -> str:
    """What is read although its pattern is left to the door; empty if nothing is."""
    variables = declared_variables(workflow)
    fields = [each for event in workflow.events.values() for each in event.payload.items()]
    patterns = {("context", name) for name, each in variables.items() if each.shape.pattern is not None}
    patterns |= {("event", name) for name, each in fields if each.shape.pattern is not None}
    for what, tree in _evaluated(workflow):
        for node in walk(tree):
            if isinstance(node, Name) and (node.scope, node.field) in patterns:
                return f"{what} reads {node.scope}.{node.field}, and the solver knows no patterns"
    return ""


def _evaluated(workflow: Workflow) -> Iterator[tuple[str, Template]]:
    yield from ((use.what, use.tree) for use in uses(workflow) if use.kind != "value")
    yield from ((write.what, write.value) for write in writes(workflow) if write.value is not None)
