"""Defects between instances: messages nobody receives, keys that are null, workflows that invoke themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.model.expression_tree import Template, TemplateLiteral, TemplateObject
from wfsim.model.lint.graph import reach
from wfsim.model.lint.variables import null_reads
from wfsim.model.operations import SendAction
from wfsim.model.static import static_type
from wfsim.model.uses import (
    declared_variables,
    invoked,
    listened_events,
    parts,
    payload_fields,
    transition_actions,
    variable_shapes,
)
from wfsim.model.values import ValueType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wfsim.model.elements import Transition
    from wfsim.model.lint.report import Report
    from wfsim.model.workflow import Workflow


def talking(workflow: Workflow, catalogue: Iterable[Workflow], report: Report) -> None:
    """`message-unreceived`, `key-may-be-null`, `workflow-recursion`."""
    known: dict[str, list[Workflow]] = {}
    for other in catalogue:
        if other.name != workflow.name:
            known.setdefault(other.name, []).append(other)
    known[workflow.name] = [workflow]
    _messages(workflow, known, report)
    _key(workflow, report)
    _recursion(workflow, known, report)


def _messages(workflow: Workflow, known: dict[str, list[Workflow]], report: Report) -> None:
    for part in parts(workflow):
        for index, transition in enumerate(part.region.transitions):
            for path, action in transition_actions(part, index, transition):
                message = action.sends
                if message is None:
                    continue
                who, receivers, starting = _receivers(message.to_tree, workflow, known)
                mismatch = _foreign_key(workflow, transition, message, receivers)
                if mismatch is not None:
                    report(
                        "key-mismatch",
                        (*path, "to"),
                        part.transition_label(index),
                        f"it sends {message.event!r} to {who} with a key that is {mismatch}: no instance ever has that "
                        "key (M7.2).",
                        "Send the value that the receiver's correlation key is made of, in the same type.",
                    )
                if receivers and not any(_takes(one, message.event, starting=starting) for one in receivers):
                    report(
                        "message-unreceived",
                        (*path, "event"),
                        part.transition_label(index),
                        f"it sends {message.event!r} to {who}, where no transition takes it: it is refused every time.",
                        "Add the transition that takes it, or correct the name.",
                    )


def _foreign_key(workflow: Workflow, transition: Transition, message: SendAction, to: list[Workflow]) -> str | None:
    """Of which type a message's key is and should be, in words, where no version of the receiver can have it."""
    if message.key is None:
        return None
    payload = None if transition.event is None else payload_fields(workflow, transition.event)
    sent = static_type(message.key, variable_shapes(workflow), payload)
    wanted = [
        static_type(other.correlation.key_tree, variable_shapes(other)) for other in to if other.correlation is not None
    ]
    if sent is None or not wanted or any(kind is None or _kin(kind, sent) for kind in wanted):
        return None
    return f"of type {sent}, not {wanted[0]}"


def _kin(one: ValueType, other: ValueType) -> bool:
    """Whether values of two types can be equal (M7.2: 5 and 5.0 are)."""
    numeric = (ValueType.INTEGER, ValueType.NUMBER)
    return one is other or ValueType.ANY in (one, other) or (one in numeric and other in numeric)


def _receivers(to: Template, workflow: Workflow, known: dict[str, list[Workflow]]) -> tuple[str, list[Workflow], bool]:
    """Who gets a message, as far as known, in words and as workflows; and whether it may start an instance."""
    match to:
        case TemplateLiteral("self"):
            return "its own instance", [workflow], False
        case TemplateLiteral("parent"):
            parents = [
                other
                for group in known.values()
                for other in group
                if any(use.workflow == workflow.name for use in invoked(other))
            ]
            return "its parent", parents, False
        case TemplateObject(fields):
            name = dict(fields).get("workflow")
            if isinstance(name, TemplateLiteral) and isinstance(name.value, str):
                return f"workflow {name.value!r}", known.get(name.value, []), True
    return "", [], False


def _takes(workflow: Workflow, event: str, *, starting: bool) -> bool:
    declared = workflow.events.get(event)
    return event in listened_events(workflow) or (starting and declared is not None and declared.starts)


def _key(workflow: Workflow, report: Report) -> None:
    if workflow.correlation is None:
        return
    variables = declared_variables(workflow)
    sure = {
        name
        for name, variable in variables.items()
        if variable.initial is not None
        or (variable.input and not variable.optional and variable.kind is not ValueType.ANY)
    }
    for name in dict.fromkeys(null_reads(workflow.correlation.key_tree)):
        if name not in sure:
            report(
                "key-may-be-null",
                ("correlation", "key"),
                "correlation.key",
                f"it is computed once, at the start, and variable {name!r} may be null then: such an instance "
                "cannot be started, or cannot be found by its key (M7.2).",
                f"Make {name!r} an input with a type that is not optional, or give it an initial value.",
            )


def _recursion(workflow: Workflow, known: dict[str, list[Workflow]], report: Report) -> None:
    def run_by(name: str) -> list[str]:
        return [use.workflow for one in known.get(name, []) for use in invoked(one)]

    for each in invoked(workflow):
        found = reach([each.workflow], run_by)
        if workflow.name not in found:
            continue
        chain: list[str] = []
        node: str | None = workflow.name
        while node is not None:
            chain.append(node)
            node = found[node]
        report(
            "workflow-recursion",
            each.path,
            f"workflow {workflow.name!r}",
            f"it invokes itself ({' → '.join([workflow.name, *reversed(chain)])}): each child may start another, and "
            "no net shows that.",
            "Bound the depth by a condition on an input that each child gets smaller, or use a circle of states.",
        )
