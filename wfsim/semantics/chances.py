"""Why something can or cannot happen to an instance now: the facts, in clauses that others put into sentences.

Nothing happens here: conditions are evaluated on the values as they are. A clause begins small and has no full stop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple

from wfsim.errors import listed
from wfsim.model.duration import time_text
from wfsim.model.elements import Unhandled
from wfsim.model.evaluate import evaluate
from wfsim.model.expression_tree import NOW, Bool, Expression, Name, names
from wfsim.model.expressions import to_text
from wfsim.model.values import EvaluationFault, Value

from .codes import ACTIVE, BACKOFF, CHILD, EACH, GROUNDED, IDLE, PARALLEL, RUNNING, SCHEDULED, SUCCEEDED
from .instance import Instance
from .layout import Each, EventRow, RegionCell, StateRow, TimerCell, WorkCell

_UNTAKEN = {Unhandled.REJECT: "rejected", Unhandled.DISCARD: "discarded", Unhandled.DEFER: "deferred"}
_PHASES = {SCHEDULED: "not started yet", RUNNING: "running", BACKOFF: "waiting for its next attempt"}


class Worth(Enum):
    """What a condition is worth now; it depends while the payload it reads is not known."""

    HOLDS = "holds"
    FALSE = "false"
    RAISES = "raises"
    DEPENDS = "depends"


class Choice(NamedTuple):
    """A transition that a region looks at, and what its condition is worth now.

    `reason` says which condition, and with which values; it is empty where there is no condition. Where it depends, the
    transition is taken if `reason`.
    """

    transition: int
    worth: Worth
    reason: str

    @property
    def ends(self) -> bool:
        """Whether its region looks no further (M2.3, M2.5)."""
        return self.worth in (Worth.HOLDS, Worth.RAISES)


# --- the instance, its regions and works ----------------------------------------------------------


def stopped(instance: Instance) -> str | None:
    """Why events and timers of states are not dispatched at all, said of the instance (M1.4, M8); or `None`."""
    if instance.status == "created":
        return "has not been started"
    if instance.status == "paused":
        return "is paused"
    if instance.status == "cancelling":
        return "is being cancelled and only undoes what it has done"
    if instance.is_closed:
        outcome = f" with {instance.outcome}" if instance.outcome else ""
        return f"has ended: {instance.status.replace('_', ' ')}{outcome} in {instance.state!r}"
    return None


def can_be_retried(instance: Instance) -> bool:
    """Whether `retry` opens it again: a child's parent has been told of its end (M8.2)."""
    return instance.status in ("failed", "timed_out") and not instance.me.told


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


def leaving_on(instance: Instance, region: int, event: str) -> list[int]:
    """Those of them that are on a declared event."""
    program = instance.program
    row = program.event_rows[event]
    return [at for at in leaving(instance, region) if program.rows[at].event == row]


def busy(instance: Instance, region: int) -> str | None:
    """Which transition of a region is in flight, and what it waits for (M2.2); `None` if the region is idle."""
    cell = region_cell(instance, region)
    if cell.flight_phase == GROUNDED:
        return None
    program = instance.program
    work: WorkCell = instance.m[program.rows[region].flight_work]
    name = program.name(region)
    where = f"region {name!r}" if name else "the workflow"
    waits = f"waits for activity {program.name(work.activity)!r} ({attempt(work)})"
    return f"{where} is busy: transition '{program.name(cell.flight)}' {waits}"


def attempt(work: WorkCell) -> str:
    """Which attempt of an activity it is, and how it stands; a child has no attempts (M4.4)."""
    if work.phase == CHILD:
        return "running"
    return f"attempt {work.attempt}, {_PHASES[work.phase]}" if work.phase in _PHASES else "ending"


def ends_of_work(instance: Instance, region: int, event: str) -> str | None:
    """What has to happen in the active state of a region for it to raise `done` or `error`; `None` if nothing can."""
    program = instance.program
    at = region_cell(instance, region).state
    state: StateRow = program.rows[at]
    work: WorkCell = instance.m[program.rows[region].work]
    done = event == "done"
    if state.work == PARALLEL:
        return _ends_of_regions(instance, at, done)
    if work.phase == IDLE:
        return None
    kind = "workflow" if work.activity in program.children else "activity"
    name = f"{kind} {program.name(work.activity)!r}"
    if work.phase == EACH:
        each: Each = instance.m[work.held]
        stands = f"of {each.n} items {each.started - each.open} have ended, {each.open} are open"
        if state.collect:
            if not done:
                left = each.tolerated - each.failed + 1
                return None if left > each.n else f"once {name} fails for {left} more items ({stands})"
            return f"once {name} has ended for every item ({stands})"
        whose = "has succeeded for every item" if done else "fails for an item"
        return f"once {name} {whose} ({stands})"
    return f"once {name} {'succeeds' if done else 'fails'} ({attempt(work)})"


def _ends_of_regions(instance: Instance, at: int, done: bool) -> str:
    program = instance.program
    head, state = program.head, program.rows[at]
    inner = [
        r for r in range(head.first_region, head.first_region + head.n_regions) if program.rows[r].parent_state == at
    ]
    succeeded = sum(region_cell(instance, region).phase == SUCCEEDED for region in inner)
    if done:
        return f"once {state.join} of its {len(inner)} regions ended with success ({succeeded} so far)"
    return f"once fewer than {state.join} of its {len(inner)} regions can still end with success, or one fails (M4.2)"


def held(instance: Instance, region: int) -> str | None:
    """Why a region takes nothing from outside now: it is busy, or shared with something that waits (M2.2)."""
    if region_cell(instance, region).blocked:
        return busy(instance, region) or "what came earlier waits for a busy region, and goes first"
    return busy(instance, region)


# --- conditions -----------------------------------------------------------------------------------


def judge(instance: Instance, transition: int, payload: Mapping[str, Value] | None) -> Choice:
    """What the condition of a transition is worth now; payload `None` means that it is not known yet."""
    taken = instance.program.transitions[transition]
    text, condition = taken.condition, taken.condition_tree
    if condition is None:
        return Choice(transition, Worth.HOLDS, "")
    if payload is None and any(name.scope == "event" for name in names(condition)):
        return Choice(transition, Worth.DEPENDS, f"its payload makes `{text}` true")
    shown = _values(instance, condition, payload)
    try:
        if _value(instance, condition, payload):
            return Choice(transition, Worth.HOLDS, f"condition `{text}` holds{shown}")
    except EvaluationFault as fault:
        return Choice(transition, Worth.RAISES, f"condition `{text}` raises {fault}{shown}")
    if isinstance(condition, Bool) and condition.operator == "and":
        part = next(part for part in condition.operands if not _value(instance, part, payload))
        shown = f", since `{to_text(part)}` does not hold{_values(instance, part, payload)}"
    return Choice(transition, Worth.FALSE, f"condition `{text}` is false{shown}")


def considered(instance: Instance, transitions: Iterable[int], payload: Mapping[str, Value] | None) -> list[Choice]:
    """M2.3 in one region: transitions in file order, up to the first that ends the choice."""
    found = []
    for transition in transitions:
        found.append(judge(instance, transition, payload))
        if found[-1].ends:
            break
    return found


def _value(instance: Instance, expression: Expression, payload: Mapping[str, Value] | None) -> Any:
    return evaluate(
        expression,
        instance.variables,
        payload,
        instance.state,
        now=instance.time,
        functions=instance.program.functions,
    )


def _values(instance: Instance, expression: Expression, payload: Mapping[str, Value] | None) -> str:
    """` (context.attempts = 3, event.n = null)`."""
    shown = []
    for name in names(expression):
        if name == NOW:
            shown.append(f"now = {time_text(instance.time)}")
        elif isinstance(name, Name):
            value = (instance.variables if name.scope == "context" else payload or {}).get(name.field)
            shown.append(f"{to_text(name)} = {'null' if value is None else repr(value)[:80]}")
    return f" ({', '.join(shown)})" if shown else ""


# --- events ---------------------------------------------------------------------------------------


def held_event(instance: Instance, event: str) -> str | None:
    """Why an event would wait (M2.2), or `None` if it would be offered at once."""
    return next(filter(None, (held(instance, region) for region in _concerned(instance, event))), None)


def choices(instance: Instance, event: str, payload: Mapping[str, Value] | None) -> list[Choice]:
    """M2.3: the transitions that an event makes the idle regions look at, innermost region first.

    A region around one that takes the event is not asked.
    """
    found: list[Choice] = []
    taken: list[int] = []
    for region in reversed(list(_concerned(instance, event))):
        if not any(region < inner < instance.program.rows[region].end_region for inner in taken):
            here = considered(instance, leaving_on(instance, region, event), payload)
            found += here
            if here and here[-1].ends:
                taken.append(region)
    return found


def elsewhere(instance: Instance, event: str) -> str:
    """That no transition on an event leaves the active states, and where it would be taken."""
    program = instance.program
    row = program.event_rows[event]
    sources = dict.fromkeys(
        program.name(program.rows[at].source) or "" for at in program.transitions if program.rows[at].event == row
    )
    here = " or ".join(repr(program.name(region_cell(instance, r).state)) for r in active_regions(instance))
    there = f"it is taken in {listed(map(repr, sources), 8)}" if sources else "no state takes it"
    return f"no transition leaves {here} on {event!r}; {there}"


def untaken(instance: Instance, event: str) -> str:
    """What becomes of an event that nobody takes (M7.1): `rejected`, `discarded` or `deferred`."""
    program = instance.program
    return _UNTAKEN[program.events[event].unhandled or program.workflow.unhandled]


def _concerned(instance: Instance, event: str) -> Iterator[int]:
    """Active regions that have a transition on the event in some state, outermost first."""
    program = instance.program
    row: EventRow = program.rows[program.event_rows[event]]
    for at in range(row.first_listener, row.end_listener):
        if region_cell(instance, program.rows[at].region).phase == ACTIVE:
            yield program.rows[at].region


# --- timers ---------------------------------------------------------------------------------------


def not_due(instance: Instance, timer: int) -> str | None:
    """Why the timer at this place of an active state does not run, or `None` if it does."""
    cell: TimerCell = instance.m[timer]
    if cell.left >= 0:
        return f"frozen by the pause with {time_text(cell.left)} left"
    return None if cell.due >= 0 else "it has fired in this state"
