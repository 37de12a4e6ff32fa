"""Whether something can happen to an instance now, and the reason in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wfsim.errors import listed
from wfsim.model.elements import Unhandled
from wfsim.model.evaluate import evaluate
from wfsim.model.expression_tree import Name, Whole, names
from wfsim.model.expressions import parse_condition
from wfsim.model.values import EvaluationFault
from wfsim.semantics.codes import ACTIVE, BACKOFF, GROUNDED, SCHEDULED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wfsim.model.values import Value
    from wfsim.semantics.instance import Instance, Timer
    from wfsim.semantics.layout import EventRow, RegionCell, StateRow, WorkCell

HOLDS, FALSE, RAISES, DEPENDS = "holds", "false", "raises", "depends"


class Chance(NamedTuple):
    """Whether it can happen, and why, why not, or what it would do."""

    possible: bool
    reason: str


class Judged(NamedTuple):
    """What a condition is worth now, and a sentence about it."""

    worth: str
    reason: str


def region_cell(instance: Instance, region: int) -> RegionCell:
    """The instance's row of a region."""
    cell: RegionCell = instance.m[instance.program.rows[region].slot]
    return cell


def active_regions(instance: Instance) -> list[int]:
    """Regions that are in a state and have not ended, outermost first."""
    head = instance.program.head
    regions = range(head.first_region, head.first_region + head.n_regions)
    return [region for region in regions if region_cell(instance, region).phase == ACTIVE]


def leaving(instance: Instance, region: int) -> range:
    """The transitions that leave the active state of a region, in file order."""
    state: StateRow = instance.program.rows[region_cell(instance, region).state]
    return range(state.first_transition, state.end_transition)


def not_running(instance: Instance) -> str | None:
    """Why nothing at all is dispatched now (M1.4, M8.1), or `None`."""
    if instance.status == "created":
        return "the instance has not been started."
    if instance.is_closed:
        outcome = f" with outcome {instance.outcome}" if instance.outcome else ""
        ended = f"the instance has ended: {instance.status.replace('_', ' ')}{outcome} in '{instance.state}'."
        return ended + (" Retry opens it again." if instance.status in ("failed", "timed_out") else "")
    if instance.status == "paused":
        return "the instance is paused; resume it first."
    return None


def busy(instance: Instance, region: int) -> str | None:
    """Why a region takes nothing now: a transition of it is in flight (M2.2). `None` if it is idle."""
    cell = region_cell(instance, region)
    if cell.flight_phase == GROUNDED:
        return None
    program = instance.program
    work: WorkCell = instance.m[program.rows[region].flight_work]
    phase = {SCHEDULED: "not started yet", BACKOFF: "waiting for its next attempt"}.get(work.phase, "running")
    name = program.name(region)
    where = f"region '{name}' is" if name else "the workflow is"
    return (
        f"{where} busy: transition '{program.name(cell.flight)}' waits for activity "
        f"'{program.name(work.activity)}' ({phase})."
    )


def event_chance(instance: Instance, event: str) -> Chance:
    """Whether an event would be taken now, for some payload (M2.3)."""
    stopped = not_running(instance)
    if stopped is not None:
        return Chance(False, stopped)
    program = instance.program
    row: EventRow = program.rows[program.event_rows[event]]
    listening = [program.rows[at].region for at in range(row.first_listener, row.end_listener)]
    concerned = [region for region in active_regions(instance) if region in listening]
    for region in concerned:
        held = busy(instance, region)
        if held is not None:
            return Chance(False, held)
    takes, refused = _choices(instance, event, concerned)
    if takes:
        return Chance(True, "; ".join(takes) + ".")
    why = "; ".join(refused) + "." if refused else _elsewhere(instance, event)
    policy = program.events[event].unhandled or program.workflow.unhandled
    if policy is Unhandled.DEFER:
        return Chance(True, f"Would be deferred: {why}")
    return Chance(False, f"{why} It would be {'discarded' if policy is Unhandled.DISCARD else 'rejected'}.")


def _choices(instance: Instance, event: str, regions: list[int]) -> tuple[list[str], list[str]]:
    """M2.3: what idle regions would do with an event, innermost first, and which conditions stand against it."""
    program = instance.program
    takes: list[str] = []
    refused: list[str] = []
    taken: list[int] = []
    for region in reversed(regions):
        if any(region < inner < program.rows[region].end_region for inner in taken):
            continue
        for at in leaving(instance, region):
            if program.rows[at].event != program.event_rows[event]:
                continue
            worth, reason = judge(instance, at)
            if worth == FALSE:
                refused.append(reason)
                continue
            if worth == DEPENDS:
                takes.append(f"Takes '{program.name(at)}' if {reason}")
                continue
            takes.append(f"Takes '{program.name(at)}'" if worth == HOLDS else f"Raises an error (M2.5): {reason}")
            taken.append(region)
            break
    return takes, refused


def judge(instance: Instance, transition: int) -> Judged:
    """What the condition of a transition is worth now, whatever payload may come."""
    text = instance.program.transitions[transition].condition
    if text is None:
        return Judged(HOLDS, "")
    condition = parse_condition(text)
    if any(name.scope == "event" for name in names(condition)):
        return Judged(DEPENDS, f"its payload makes `{text}` true")
    variables = instance.variables
    shown = _values(names(condition), variables)
    try:
        holds = evaluate(condition, variables, None, instance.state)
    except EvaluationFault as fault:
        return Judged(RAISES, f"condition `{text}` raises {fault}{shown}")
    if holds:
        return Judged(HOLDS, "")
    return Judged(FALSE, f"condition `{text}` is false{shown}")


def timer_chance(instance: Instance, timer: Timer) -> Chance:
    """Whether a running timer can fire now, and what that would do (M6.2)."""
    program = instance.program
    if timer.name != "workflow":
        stopped = not_running(instance)
        if stopped is not None:
            return Chance(False, stopped)
    if timer.activity_id is not None:
        if timer.name == "retry":
            return Chance(True, "Starts the next attempt.")
        return Chance(True, f"The attempt fails with Timeout.{timer.name}.")
    if timer.region is None:
        event, region, nothing = "workflow_timeout", program.head.root, "ends the instance as timed out (M8.3)"
    else:
        event, region = ("timeout" if timer.name == "timeout" else "after"), program.region_rows[timer.region]
        nothing = "raises Timeout.state (M6.2)" if event == "timeout" else "has no effect"
        held = busy(instance, region)
        if held is not None:
            return Chance(False, held)
    which = timer.place - program.rows[region].first_timer
    for at in leaving(instance, region):
        row = program.rows[at]
        if row.event != program.event_rows[event] or (event == "after" and row.timer != which):
            continue
        worth, reason = judge(instance, at)
        if worth in (HOLDS, DEPENDS):
            return Chance(True, f"Takes '{program.name(at)}'.")
        if worth == RAISES:
            return Chance(True, f"Raises an error (M2.5): {reason}")
        nothing += f", since {reason}"
    return Chance(True, f"No transition takes it: it {nothing}.")


def _elsewhere(instance: Instance, event: str) -> str:
    """No transition leaves the active states on this event: where would it be taken?"""
    program = instance.program
    row = program.event_rows[event]
    sources = dict.fromkeys(
        program.name(program.rows[at].source) or "" for at in program.transitions if program.rows[at].event == row
    )
    here = " or ".join(f"'{program.name(region_cell(instance, r).state)}'" for r in active_regions(instance))
    there = listed([f"'{source}'" for source in sources], 8)
    return f"no transition on this event leaves {here}" + (f"; it is taken in {there}." if there else " or any state.")


def _values(used: tuple[Name | Whole, ...], variables: Mapping[str, Value]) -> str:
    """` (context.attempts = 3)`."""
    shown = list(dict.fromkeys(_shown(used, variables)))
    return f" ({', '.join(shown)})" if shown else ""


def _shown(used: tuple[Name | Whole, ...], variables: Mapping[str, Value]) -> Iterator[str]:
    for name in used:
        if isinstance(name, Name) and name.scope == "context":
            value = variables.get(name.field)
            yield f"context.{name.field} = {'null' if value is None else repr(value)[:60]}"
