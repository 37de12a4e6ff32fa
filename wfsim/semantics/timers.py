"""Timers of states and clocks of works (M5.3, M6): each has an id that is a function of the history (M11.1)."""

from __future__ import annotations

from .codes import (
    DROP_TIMER,
    NONE,
    RETRY,
    RUNNING,
    SCHEDULE_TO_CLOSE,
    SCHEDULE_TO_START,
    SCHEDULED,
    SET_TIMER,
    START_TO_CLOSE,
)
from .kernel import Output, kernel, new_effect
from .layout import Rows


@kernel
def set_timer(m: Rows, o: Output, i: int, timer: int, due: int) -> None:
    """Start the timer at offset `timer`; its id is a function of the history (M11.1)."""
    me = m[i]
    me.timer_ids += 1
    cell = m[i + timer]
    cell.due = due
    cell.id = me.timer_ids
    cell.left = NONE
    effect = new_effect(o, SET_TIMER)
    effect.timer = timer
    effect.id = cell.id
    effect.due = due


@kernel
def drop_timer(m: Rows, o: Output, i: int, timer: int) -> None:
    """M6.2: a dropped timer does not fire."""
    cell = m[i + timer]
    if cell.due < 0:
        return
    effect = new_effect(o, DROP_TIMER)
    effect.timer = timer
    effect.id = cell.id
    cell.due = NONE
    cell.left = NONE


@kernel
def clock_of(phase: int) -> int:
    """Which clock runs while a work is in this phase (M5.3)."""
    return SCHEDULE_TO_START if phase == SCHEDULED else START_TO_CLOSE if phase == RUNNING else RETRY


@kernel
def set_clock(p: Rows, m: Rows, o: Output, i: int, w: int, due: int) -> None:
    """Start the clock of the work's phase."""
    m[i].timer_ids += 1
    work = m[i + w]
    work.due = due
    work.due_id = m[i].timer_ids
    effect = new_effect(o, SET_TIMER)
    effect.timer = p[0].first_clock + clock_of(work.phase)
    effect.id = work.due_id
    effect.due = due


@kernel
def set_deadline(p: Rows, m: Rows, o: Output, i: int, w: int, due: int) -> None:
    """Start the clock over all attempts of the work."""
    m[i].timer_ids += 1
    work = m[i + w]
    work.deadline = due
    work.deadline_id = m[i].timer_ids
    effect = new_effect(o, SET_TIMER)
    effect.timer = p[0].first_clock + SCHEDULE_TO_CLOSE
    effect.id = work.deadline_id
    effect.due = due


@kernel
def drop_clock(p: Rows, m: Rows, o: Output, i: int, w: int) -> None:
    """M6.2 for the clock of the work's phase."""
    work = m[i + w]
    if work.due >= 0:
        effect = new_effect(o, DROP_TIMER)
        effect.timer = p[0].first_clock + clock_of(work.phase)
        effect.id = work.due_id
    work.due = NONE
    work.due_id = NONE
