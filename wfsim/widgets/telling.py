"""What steps tell: where an instance has been, what it has changed and sent, which children it has started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .actions import activity_name
from .child_actions import child_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from wfsim.drawing import Role
    from wfsim.model.values import Value
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.records import Record

    from .ways import Step


def lit(steps: Sequence[Step], instance: Instance, edges: Mapping[int, str]) -> dict[str, Role]:
    """What to light in the drawing of an instance after these steps; see `Stepping.lit`."""
    roles: dict[str, Role] = {}
    for step in steps:
        for record in step.records:
            if record.kind == "state_entered" and record.state is not None:
                roles[f"state:{record.state}"] = "visited"
            elif record.kind == "transition":
                roles[edges[record.payload["transition"]]] = "visited"
                roles[f"state:{record.state}"] = "visited"
    for record in steps[-1].records if steps else ():
        if record.kind in ("transition", "transition_started"):
            roles[edges[record.payload["transition"]]] = "active"
    for number in _in_flight(instance):
        roles[edges[number]] = "active"
    here: Role = "problem" if instance.status in ("failed", "timed_out") else "active"
    for state in instance.configuration.values():
        roles[f"state:{state}"] = here
    return roles


def where_told(steps: Iterable[Step], edges: Mapping[int, str]) -> dict[str, Role]:
    """Where steps show what is wrong: the transitions they take; without any, the states they end in."""
    taken: dict[str, Role] = {}
    states: dict[str, Role] = {}
    for step in steps:
        taken |= {edges[each.payload["transition"]]: "problem" for each in step.records if each.kind == "transition"}
        states = {f"state:{state}": "problem" for state in step.instance.configuration.values()}
    return taken or states


def sent(steps: Iterable[Step]) -> dict[int, Record]:
    """Messages to others, by number, that have not come back."""
    found: dict[int, Record] = {}
    for step in steps:
        for record in step.records:
            if record.kind == "message_sent" and record.payload["to"] != "self":
                found[record.payload["message_id"]] = record
            elif record.kind == "message_returned":
                found.pop(record.payload["message_id"], None)
    return found


def started_by(steps: Iterable[Step], activation: int) -> Record | None:
    """The record that says how a child was started; none if that lies before the first step."""
    found = (
        record
        for step in steps
        for record in step.records
        if record.kind == "child_started" and record.payload["activation"] == activation
    )
    return next(found, None)


def items(instance: Instance) -> Iterator[tuple[int, str]]:
    """The open activities and children that are for an item, by what their stimuli name, with their indices."""
    for activity in instance.activities():
        if activity.index is not None:
            yield activity.activity_id, activity_name(activity)
    for child in instance.children():
        if child.index is not None:
            yield child.activation, child_name(child)


@dataclass(frozen=True, slots=True)
class VariableValue:
    """A variable now and before the last step."""

    name: str
    type: str
    value: Value
    before: Value
    changed: bool


def values(before: Instance, now: Instance) -> list[VariableValue]:
    """All variables of an instance, in file order."""
    old, new = before.variables, now.variables
    return [
        VariableValue(name, declared.kind.value, new[name], old[name], not _same(new[name], old[name]))
        for name, declared in now.program.variables.items()
    ]


def _same(left: Value, right: Value) -> bool:
    return type(left) is type(right) and bool(left == right)


def _in_flight(instance: Instance) -> list[int]:
    program = instance.program
    cells = [instance.m[program.rows[program.region_rows[region]].slot] for region in instance.in_flight]
    return [program.transition_numbers[cell.flight] for cell in cells]
