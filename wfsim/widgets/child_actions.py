"""What can happen to an open child: it closes in any way, or as it was stepped (M4.4)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from wfsim.exploration.domains import Domains
from wfsim.model.values import ValueType
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.stimulus import Stimulus

from .action import Action
from .reasons import not_running
from .values import Parameter, item_text, sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wfsim.model.values import Value
    from wfsim.model.workflow import Workflow
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.pending import OpenChild

_HOW, _RESULT = "how", "result"
FAILURES = ("failure", "failed", "cancelled", "terminated", "timed_out")
"""How a child may fail: completed with failure, or closed otherwise."""


def child_name(child: OpenChild) -> str:
    """The workflow, with the index of the item that it is for."""
    return child.workflow if child.index is None else f"{child.workflow}[{child.index}]"


def child_workflow(instance: Instance, child: OpenChild) -> Workflow | None:
    """Its definition, where the program was made with a catalogue."""
    program = instance.program
    found = (
        workflow
        for row, workflow in program.children.items()
        if program.name(row) == child.workflow and instance.texts.text(program.rows[row].version) == child.version
    )
    return next(found, None)


def child_actions(instance: Instance, stepped: Mapping[int, Instance]) -> Iterator[Action]:
    """For each open child: that it succeeds, that it fails, and that it ended as it was stepped.

    Parameters
    ----------
    stepped
        The children that were opened and stepped by hand, by activation, as far as they have come.
    """
    stands = not_running(instance)
    waits = " Its end waits until the instance is resumed." if instance.status == "paused" else ""
    for child in instance.children():
        name = child_name(child)
        ends = f"Workflow {child.workflow}{'' if child.version is None else ' ' + child.version} in {child.state}."
        reason = f"{ends}{item_text(child.index, child.item)}{waits}"
        possible = stands is None or instance.status == "paused"
        told = reason if possible else stands or ""
        at = f"child:{child.activation}"
        if child.activation in stepped:
            inner = stepped[child.activation]
            closed = f"{inner.status.replace('_', ' ')}{'' if inner.outcome is None else f' ({inner.outcome})'}"
            open_yet = f"it has not ended: it is {closed} in {inner.state!r}. Step it to its end first."
            label = f"{name} ended as stepped: {closed}" if inner.is_closed else f"{name} ended as stepped"
            yield Action(
                f"{at}:tell", label, "child", possible and inner.is_closed, told if inner.is_closed else open_yet
            )
        outputs = _outputs(child_workflow(instance, child))
        yield Action(f"{at}:succeed", f"{name} succeeds", "child", possible, told, outputs)
        how = Parameter(_HOW, ValueType.STRING, True, FAILURES[0], FAILURES, only_choices=True)
        yield Action(f"{at}:fail", f"{name} fails", "child", possible, told, (how,))


def child_stimulus(
    instance: Instance,
    activation: int,
    verb: str,
    values: Mapping[str, Value],
    time: int,
    stepped: Mapping[int, Instance],
) -> Stimulus:
    """The stimulus `child_closed` of such an action."""
    if verb == "tell":
        inner = stepped[activation]
        return Stimulus(
            "child_closed",
            max(instance.time, inner.time),
            activity_id=activation,
            status=inner.status,
            outcome=inner.outcome,
            payload=inner.output,
        )
    if verb == "fail":
        how = str(values[_HOW])
        status, outcome = ("completed", "failure") if how == "failure" else (how, None)
        return Stimulus("child_closed", time, activity_id=activation, status=status, outcome=outcome)
    child = next(one for one in instance.children() if one.activation == activation)
    known = child_workflow(instance, child) is not None
    result = {name: value for name, value in values.items() if value is not None}
    payload = result if known else result.get(_RESULT) or {}
    assert isinstance(payload, dict)
    return Stimulus(
        "child_closed", time, activity_id=activation, status="completed", outcome="success", payload=payload
    )


def _outputs(workflow: Workflow | None) -> tuple[Parameter, ...]:
    if workflow is None:
        return (Parameter(_RESULT, ValueType.OBJECT, False, None),)
    return _outputs_of(workflow)


@lru_cache(maxsize=64)
def _outputs_of(workflow: Workflow) -> tuple[Parameter, ...]:
    program = compile_workflow(workflow)
    domains = Domains(program)
    return tuple(
        Parameter(
            name, declared.kind, False, sample(name, domains.of_variable(name, declared)), declared.shape.values or ()
        )
        for name, declared in program.variables.items()
        if declared.output
    )
