"""The knobs of a definition: how long states, activities and instances may take, and how often is tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.model.duration import Duration
from wfsim.model.expressions import is_template
from wfsim.model.naming import element_paths
from wfsim.model.retrying import listed_policies

from .draft import Draft
from .knobs import Place, count_knob, time_knob
from .units import Count, Times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wfsim.model.elements import Retries, RetryPolicy
    from wfsim.model.problems import Path
    from wfsim.model.workflow import Workflow

    from .knobs import Changes, Group, Knob
    from .units import Unit

_ATTEMPTS = Count("attempt", "attempts")
_MOST_ATTEMPTS = 1_000_000
_CLOCKS = {
    "timeout": "may take",
    "schedule_to_start": "may wait for a worker",
    "schedule_to_close": "may take with all attempts",
}


def workflow_knobs(workflow: Workflow) -> Iterator[Knob]:
    """Every fixed limit that the definition says, states first."""
    paths = element_paths(workflow)
    draft = Draft(workflow)
    for element, path in paths.items():
        if element.startswith("state:"):
            yield from _of_state(workflow, draft, element.removeprefix("state:"), path)
    for name, activity in workflow.activities.items():
        for clock, told in _CLOCKS.items():
            if limit := getattr(activity, clock):
                place = _place(f"activities.{name}.{clock}", "times", f"{name} {told}")
                yield time_knob(place, int(limit), _at(("activities", name, clock), Times()))
        yield from _attempts(("activities", name), f"{name}: tried at most", activity.retry_policy)
    if workflow.timeouts.activity:
        place = _place("timeouts.activity", "times", "any other activity may take")
        yield time_knob(place, int(workflow.timeouts.activity), _at(("timeouts", "activity"), Times()))
    if workflow.timeouts.workflow:
        place = _place("timeouts.workflow", "times", "the whole workflow may take")
        yield time_knob(place, int(workflow.timeouts.workflow), _at(("timeouts", "workflow"), Times()))
    yield from _attempts((), "any other activity: tried at most", workflow.retry_policy)


def changed_workflow(workflow: Workflow, changes: Mapping[Path, object]) -> Workflow:
    """The workflow with other values at some paths, as the knobs give them.

    Raises
    ------
    DefinitionError
        If a value cannot be there.
    """
    draft = Draft(workflow)
    for (*way, last), value in changes.items():
        draft.at(tuple(way))[last] = value
    return draft.result()


def _of_state(workflow: Workflow, draft: Draft, name: str, path: Path) -> Iterator[Knob]:
    label = f"{name} may last"
    limit = draft.at(path).get("timeout")
    default = workflow.timeouts.states.get(name) if len(path) == 2 else None
    if limit is not None and not is_template(limit):
        if length := Duration.of(limit):
            place = _place(f"states.{name}.timeout", "times", label)
            yield time_knob(place, length, _at((*path, "timeout"), Times()))
    elif limit is None and default:
        place = _place(f"timeouts.states.{name}", "times", label)
        yield time_knob(place, int(default), _at(("timeouts", "states", name), Times()))


def _attempts(path: Path, label: str, retries: Retries | None) -> Iterator[Knob]:
    for number, policy in enumerate(listed_policies(retries)):
        several: Path = (number,) if isinstance(retries, tuple) else ()
        way = (*path, "retry_policy", *several, "max_attempts")
        place = _place(".".join(map(str, way)), "failures", f"{label}{_for(policy)}")
        yield count_knob(place, _ATTEMPTS, policy.max_attempts, _MOST_ATTEMPTS, _at(way, _ATTEMPTS))


def _for(policy: RetryPolicy) -> str:
    return f" after {', '.join(policy.errors)}" if policy.errors else ""


def _place(where: str, group: Group, label: str) -> Place:
    return Place("workflow", where, group, label)


def _at(path: Path, unit: Unit) -> Callable[[float], Changes]:
    return lambda value: {path: unit.written(value)}
