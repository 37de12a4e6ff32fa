"""The cause: the first record of a step, with what its stimulus carries (M11.1)."""

from __future__ import annotations

from .codes import (
    ACTIVITY_FAILED,
    ACTIVITY_STARTED,
    ACTIVITY_SUCCEEDED,
    CHILD_CLOSED,
    CONTROL,
    EVENT,
    KEY_VALUE,
    NONE,
    NULL,
    R_STARTED,
    START,
    T_RESULT,
    TIMER,
)
from .kernel import Output, emit, kernel, note
from .layout import Cells, Queued, RecordRow, Rows
from .rows import RESULT, note_payload
from .work import work_of, work_with_clock


@kernel
def region_of_timer(p: Rows, timer: int) -> int:
    """The region whose state timer lies at this offset; -1 for activity clocks and the workflow timer."""
    head = p[0]
    if timer >= head.first_clock or timer <= head.first_timer:
        return NONE
    r: int = head.first_region
    # Timers lie in the order of their regions.
    while timer >= p[r].first_timer + p[r].n_timers:
        r += 1
    return r


@kernel
def tell_region(p: Rows, m: Rows, i: int, row: RecordRow, r: int) -> None:
    """The record is of region `r` and its active state."""
    row.region = r
    row.state = m[i + p[r].slot].state


@kernel
def tell_start(p: Rows, m: Rows, v: Cells, o: Output, i: int, row: RecordRow) -> None:
    """Of a start: the inputs, and the key."""
    me = m[i]
    head = p[0]
    row.key = me.key
    for k in range(head.n_variables):
        if p[head.first_variable + k].input and v[me.cells + k].tag != NULL:
            note(o, row.seq, p[head.first_variable + k].name, v[me.cells + k])
    if head.key_cell >= 0:
        note(o, row.seq, KEY_VALUE, v[me.cells + head.key_cell])


@kernel
def tell_timer(p: Rows, m: Rows, i: int, row: RecordRow, inbox: Queued) -> None:
    """Of a timer: when it was due, and of which state or attempt it is."""
    row.timer = inbox.timer
    row.timer_id = inbox.serial
    if inbox.timer < p[0].first_clock:
        row.due = m[i + inbox.timer].due
        r = region_of_timer(p, inbox.timer)
        if r >= 0:
            tell_region(p, m, i, row, r)
        return
    w = work_with_clock(p, m, i, inbox.serial)
    if w >= 0:
        work = m[i + w]
        row.activity = work.activity
        row.activity_id = work.serial
        row.attempt = work.attempt
        row.due = work.deadline if work.deadline_id == inbox.serial else work.due
        tell_region(p, m, i, row, work.region)


@kernel
def tell_child(p: Rows, m: Rows, v: Cells, o: Output, i: int, row: RecordRow, inbox: Queued) -> int:
    """Of a child: how it has closed, and with which result. Returns the offset of its work, or -1."""
    row.activation = inbox.serial
    row.status = inbox.command
    row.outcome = inbox.policy
    w = work_of(p, m, i, inbox.serial, 1)
    if w >= 0:
        tell_region(p, m, i, row, m[i + w].region)
    result = m[i].cells + p[0].inbox_cells + RESULT
    if v[result].tag != NULL:
        note(o, row.seq, T_RESULT, v[result])
    return w


@kernel
def tell_attempt(p: Rows, m: Rows, v: Cells, o: Output, i: int, row: RecordRow, inbox: Queued) -> int:
    """Of an attempt: which it is, what has failed, or its result. Returns the offset of its work, or -1."""
    row.activity_id = inbox.serial
    row.attempt = inbox.attempt
    w = work_of(p, m, i, inbox.serial, 0)
    if w >= 0:
        work = m[i + w]
        row.activity = work.activity
        row.region = work.region
        row.state = m[i + p[work.region].slot].state
    if inbox.kind == ACTIVITY_STARTED:
        row.source = inbox.sender
    elif inbox.kind == ACTIVITY_SUCCEEDED:
        note(o, row.seq, T_RESULT, v[m[i].cells + p[0].inbox_cells + RESULT])
    else:
        row.error_type = inbox.error_type
        row.reason = inbox.reason
        if inbox.retry_after >= 0:
            row.delay = inbox.retry_after
            row.due = m[i].time + inbox.retry_after
    return w


@kernel
def record_cause(p: Rows, m: Rows, v: Cells, o: Output, i: int, inbox: Queued) -> int:
    """M11.1: the cause, with what it carries; every consequence names it.

    Returns the offset of the work that it is a report of, or -1.
    """
    me = m[i]
    kind = inbox.kind
    me.cause = me.seq + 1
    inbox.cause = me.cause
    # Causes are numbered in the order of stimuli.
    row = emit(m, o, i, R_STARTED + kind)
    row.region = p[0].root
    if ACTIVITY_STARTED <= kind <= ACTIVITY_FAILED:
        return tell_attempt(p, m, v, o, i, row, inbox)
    if kind == EVENT:
        row.event = inbox.event
        row.event_id = inbox.event_id
        row.source = inbox.sender
        note_payload(p, v, o, row.seq, inbox.event, me.cells + p[0].inbox_cells)
    elif kind == TIMER:
        tell_timer(p, m, i, row, inbox)
    elif kind == START:
        row.source = inbox.sender
        tell_start(p, m, v, o, i, row)
    elif kind == CHILD_CLOSED:
        row.source = inbox.sender
        return tell_child(p, m, v, o, i, row, inbox)
    elif kind == CONTROL:
        row.command = inbox.command
        row.event_id = inbox.event_id
        row.reason = inbox.reason
    else:
        row.message = inbox.serial
        row.reason = inbox.reason
    return NONE
