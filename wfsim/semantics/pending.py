"""What is pending in an instance, with names: activities, children and timers."""

from __future__ import annotations

from dataclasses import dataclass

from wfsim.errors import WfsimError
from wfsim.model.values import Value

from .codes import BACKOFF, CHILD, ITEMS, LIST, RUNNING, SCHEDULE_TO_CLOSE, SCHEDULED
from .layout import ChildRow, Each, Rows, TimerCell, WorkCell
from .program import Program
from .texts import Texts
from .timers import clock_of

CLOCKS = ("start_to_close", "schedule_to_start", "schedule_to_close", "retry")


@dataclass(frozen=True, slots=True)
class Timer:
    """A running timer of an instance."""

    place: int
    id: int
    due: int
    name: str
    region: str | None
    activity_id: int | None = None


@dataclass(frozen=True, slots=True)
class OpenActivity:
    """An activity that has been scheduled and has not ended."""

    activity: str
    activity_id: int
    attempt: int
    phase: str
    region: str
    compensates: int | None = None
    """`activity_id` of the log entry that it undoes (M9.1)."""
    index: int | None = None
    """Which item of a `for_each` it is for (M4.5), and that item."""
    item: Value = None


@dataclass(frozen=True, slots=True)
class OpenChild:
    """A child that was started and whose end is awaited (M4.4); `index` and `item` as of an activity."""

    activation: int
    workflow: str
    version: str | None
    state: str
    region: str
    index: int | None = None
    item: Value = None


def open_activities(program: Program, m: Rows, texts: Texts) -> list[OpenActivity]:
    """Activities that have not ended, in order of their places."""
    phases = {SCHEDULED: "scheduled", RUNNING: "running", BACKOFF: "backoff"}
    return [
        OpenActivity(
            activity=program.name(work.activity) or "",
            activity_id=work.serial,
            attempt=work.attempt,
            phase=phases[work.phase],
            region=program.name(work.region) or "",
            compensates=None if work.undoes < 0 else m[work.undoes].serial,
            index=None if work.index < 0 else work.index,
            item=_item(m, texts, work),
        )
        for work in works_of(program, m)
        if work.phase in phases
    ]


def open_children(program: Program, m: Rows, texts: Texts) -> list[OpenChild]:
    """Children that have not ended and are awaited, in order of their places."""
    found = []
    for work in works_of(program, m):
        if work.phase == CHILD:
            child: ChildRow = program.rows[work.activity]
            found.append(
                OpenChild(
                    activation=work.serial,
                    workflow=program.name(work.activity) or "",
                    version=texts.text(child.version),
                    state=program.name(m[program.rows[work.region].slot].state) or "",
                    region=program.name(work.region) or "",
                    index=None if work.index < 0 else work.index,
                    item=_item(m, texts, work),
                )
            )
    return found


def _item(m: Rows, texts: Texts, work: WorkCell) -> Value:
    """The item of a `for_each` that a work is for."""
    if work.index < 0 or work.each < 0:
        return None
    each: Each = m[work.each]
    items = texts.decode(LIST, each.items, 0.0)
    return items[work.index] if isinstance(items, list) else None


def running_timers(program: Program, m: Rows) -> list[Timer]:
    """Running timers, soonest first."""
    head = program.head
    found = []
    for place in range(head.first_timer, head.first_clock):
        cell: TimerCell = m[place]
        if cell.due >= 0 and cell.left < 0:
            name, region = timer_place(program, place)
            found.append(Timer(place, cell.id, cell.due, name, region))
    for work in works_of(program, m):
        region = program.name(work.region)
        for clock, due, number in (
            (clock_of(work.phase), work.due, work.due_id),
            (SCHEDULE_TO_CLOSE, work.deadline, work.deadline_id),
        ):
            if due >= 0:
                found.append(Timer(head.first_clock + clock, number, due, CLOCKS[clock], region, work.serial))
    return sorted(found, key=lambda timer: (timer.due, timer.id))


def timer_place(program: Program, place: int) -> tuple[str, str | None]:
    """Name of the timer at a place, and the region it belongs to."""
    head = program.head
    if place == head.first_timer:
        return "workflow", None
    if place >= head.first_clock:
        return CLOCKS[place - head.first_clock], None
    for number in range(head.first_region, head.first_region + head.n_regions):
        row = program.rows[number]
        if row.first_timer <= place < row.first_timer + row.n_timers:
            which = place - row.first_timer
            return "timeout" if which == 0 else f"after {which}", program.name(number)
    raise WfsimError(f"there is no timer at place {place}.")


def timer_told(program: Program, place: int, state: int) -> str:
    """What people call the timer at a place while a state (a row) is active: `timeout`, `after 2h`, `at …`.

    Of a state that has no such timer, or of none (-1), the name in records.
    """
    name, region = timer_place(program, place)
    if state < 0 or region is None or name == "timeout":
        return name
    which = place - program.rows[program.region_rows[region]].first_timer
    rows = range(program.rows[state].first_transition, program.rows[state].end_transition)
    own = (program.transitions[row].trigger for row in rows if program.rows[row].timer == which)
    return next(own, name)


def works_of(program: Program, m: Rows) -> list[WorkCell]:
    """Activities and children: two places of each region, its state's and its flight's, open or not; then items."""
    head = program.head
    works: list[WorkCell] = m[head.first_work : head.first_work + head.n_works]
    items = []
    k = m[ITEMS].first
    while k >= 0:
        items.append(m[k])
        k = m[k].next
    return works + items[::-1]
