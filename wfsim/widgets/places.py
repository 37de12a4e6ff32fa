"""Where in the drawing an action can be clicked, and which action comes to mind first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.semantics.chances import Worth, active_regions, choices, leaving, region_cell

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wfsim.drawing import Role
    from wfsim.semantics.instance import Instance

    from .action import Action


def places(instance: Instance, action: Action, edges: Mapping[int, str]) -> Iterator[str]:
    """Identifiers of the arrows that a possible action takes, or of the states that it happens in.

    Parameters
    ----------
    edges
        The arrow of each transition, by number, as `wfsim.model.picture.edge_ids` gives it.
    """
    if not action.enabled:
        return
    program = instance.program
    word, _, rest = action.id.partition(":")
    if word == "start":
        yield f"state:{program.workflow.initial_state}"
    elif word == "event":
        for choice in choices(instance, rest, None):
            if choice.worth is not Worth.FALSE:
                yield edges[program.transition_numbers[choice.transition]]
    elif word == "timer":
        yield from _of_timer(instance, rest, edges)
    elif word == "activity":
        found = next(one for one in instance.activities() if one.activity_id == int(rest.partition(":")[0]))
        yield _of_region(instance, found.region)
    elif word == "child":
        child = next(one for one in instance.children() if one.activation == int(rest.partition(":")[0]))
        yield f"state:{child.state}"


def likeliest(actions: Sequence[Action], passed: Mapping[str, Role]) -> Action | None:
    """What happens first if nobody says otherwise: no failure, rather a way not gone yet, and time only if it must."""
    possible = [
        one for one in actions if one.enabled and one.rank == "next" and not one.id.endswith((":fail", ":back"))
    ]
    ways = [one for one in possible if one.at] or possible
    fresh = [one for one in ways if not any(at in passed and at.startswith("transition:") for at in one.at)]
    timers = [one for one in actions if one.enabled and one.rank == "later" and one.id != "timer:workflow"]
    return next(iter([*fresh, *ways, *timers]), None)


def _of_region(instance: Instance, region: str) -> str:
    row = instance.program.region_rows[region]
    return f"state:{instance.program.name(region_cell(instance, row).state)}"


def _of_timer(instance: Instance, rest: str, edges: Mapping[int, str]) -> Iterator[str]:
    program = instance.program
    name, _, owner = rest.partition(":")
    if owner.isdigit():
        found = next((one for one in instance.activities() if one.activity_id == int(owner)), None)
        if found is not None:
            yield _of_region(instance, found.region)
        return
    event = "after" if name.startswith("after ") else "workflow_timeout" if name == "workflow" else name
    for region in active_regions(instance):
        if event != "workflow_timeout" and (program.name(region) or "") != owner:
            continue
        first = program.rows[region].first_timer
        for at in leaving(instance, region):
            row = program.rows[at]
            mine = event != "after" or name == instance.timer_name(first + row.timer)
            if row.event == program.event_rows[event] and mine:
                yield edges[program.transition_numbers[at]]
