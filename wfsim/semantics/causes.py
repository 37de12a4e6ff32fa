"""The cause: the first record of a step, with what its stimulus carries (M11.1)."""

from __future__ import annotations

from .codes import (
    ACTIVITY_FAILED,
    ACTIVITY_STARTED,
    ACTIVITY_SUCCEEDED,
    CHILD_CLOSED,
    EVENT,
    KEY_VALUE,
    MESSAGE_RETURNED,
    NONE,
    NULL,
    R_ACTIVITY_FAILED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_CHILD_CLOSED,
    R_CONTROL_RECEIVED,
    R_EVENT_RECEIVED,
    R_MESSAGE_RETURNED,
    R_STARTED,
    R_TIMER_FIRED,
    START,
    T_RESULT,
    TIMER,
)
from .kernel import Output, kernel
from .layout import Cells, Queued, Rows
from .rows import (
    RESULT,
    emit,
    note,
    note_payload,
)
from .work import work_of, work_with_clock


@kernel
def region_of_timer(p: Rows, timer: int) -> int:
    """The region whose state timer lies at this offset; -1 for activity clocks and the workflow timer."""
    if timer >= p[0].first_clock or timer <= p[0].first_timer:
        return NONE
    for r in range(p[0].first_region, p[0].first_region + p[0].n_regions):
        if p[r].first_timer <= timer < p[r].first_timer + p[r].n_timers:
            return r
    return NONE


@kernel
def record_cause(p: Rows, m: Rows, v: Cells, o: Output, i: int, inbox: Queued) -> None:
    """M11.1: the cause, with what it carries; every consequence names it."""
    me = m[i]
    head = p[0]
    kind = R_CONTROL_RECEIVED
    if inbox.kind == START:
        kind = R_STARTED
    elif inbox.kind == EVENT:
        kind = R_EVENT_RECEIVED
    elif inbox.kind == TIMER:
        kind = R_TIMER_FIRED
    elif inbox.kind == ACTIVITY_STARTED:
        kind = R_ACTIVITY_STARTED
    elif inbox.kind == ACTIVITY_SUCCEEDED:
        kind = R_ACTIVITY_SUCCEEDED
    elif inbox.kind == ACTIVITY_FAILED:
        kind = R_ACTIVITY_FAILED
    elif inbox.kind == CHILD_CLOSED:
        kind = R_CHILD_CLOSED
    elif inbox.kind == MESSAGE_RETURNED:
        kind = R_MESSAGE_RETURNED
    me.cause = me.seq + 1
    inbox.cause = me.cause
    row = emit(m, o, i, kind)
    row.region = head.root
    row.event = inbox.event
    row.event_id = inbox.event_id
    row.attempt = inbox.attempt
    row.error_type = inbox.error_type
    row.reason = inbox.reason
    row.command = inbox.command
    row.source = inbox.sender
    row.timer = inbox.timer
    payload = me.cells + head.inbox_cells
    if inbox.kind == ACTIVITY_FAILED and inbox.retry_after >= 0:
        row.delay = inbox.retry_after
        row.due = me.time + inbox.retry_after
    if inbox.kind == START:
        row.key = me.key
        for k in range(head.n_variables):
            if p[head.first_variable + k].input and v[me.cells + k].tag != NULL:
                note(o, row.seq, p[head.first_variable + k].name, v[me.cells + k])
        if head.key_cell >= 0:
            note(o, row.seq, KEY_VALUE, v[me.cells + head.key_cell])
    elif inbox.kind == MESSAGE_RETURNED:
        row.message = inbox.serial
    elif inbox.kind == EVENT:
        note_payload(p, v, o, row.seq, inbox.event, payload)
    elif inbox.kind == CHILD_CLOSED:
        row.activation = inbox.serial
        row.command = NONE
        row.attempt = 0
        row.error_type = NONE
        row.status = inbox.command
        row.outcome = inbox.policy
        w = work_of(p, m, i, inbox.serial, 1)
        if w >= 0:
            row.region = m[i + w].region
            row.state = m[i + p[row.region].slot].state
        if v[payload + RESULT].tag != NULL:
            note(o, row.seq, T_RESULT, v[payload + RESULT])
    elif inbox.kind == TIMER and inbox.timer < head.first_clock:
        row.due = m[i + inbox.timer].due
        row.timer_id = inbox.serial
        r = region_of_timer(p, inbox.timer)
        if r >= 0:
            row.region = r
            row.state = m[i + p[r].slot].state
    else:
        row.activity_id = inbox.serial
        w = work_of(p, m, i, inbox.serial, 0)
        if inbox.kind == TIMER:
            row.timer_id = inbox.serial
            w = work_with_clock(p, m, i, inbox.serial)
            row.activity_id = NONE
            if w >= 0:
                row.activity_id = m[i + w].serial
                row.attempt = m[i + w].attempt
                row.due = m[i + w].deadline if m[i + w].deadline_id == inbox.serial else m[i + w].due
        if w >= 0:
            row.activity = m[i + w].activity
            row.region = m[i + w].region
            row.state = m[i + p[row.region].slot].state
        if inbox.kind == ACTIVITY_SUCCEEDED:
            note(o, row.seq, T_RESULT, v[payload + RESULT])
