"""Work: activities with their attempts and inputs, children, and the log of what can be undone (M4.4, M5, M9.1)."""

from __future__ import annotations

from .codes import (
    BACKOFF,
    CANCEL_ATTEMPT,
    CHILD,
    CLOSE_ABANDON,
    CLOSE_TERMINATE,
    DROP_TIMER,
    FAULT,
    IDLE,
    ITEMS,
    LATE,
    LOG,
    MANY,
    NONE,
    NULL,
    R_ACTIVITY_CANCELLED,
    R_ACTIVITY_SCHEDULED,
    R_CHILD_STARTED,
    R_CHILD_STOP_REQUESTED,
    R_RETRY_SCHEDULED,
    SCHEDULE_TO_CLOSE,
    SCHEDULED,
    START_ATTEMPT,
    START_CHILD,
    STOP_CHILD,
    T_CANCEL,
    T_RESULT,
    T_TERMINATE,
    WHEN_ATTEMPTED,
)
from .draws import RETRY_JITTER, draw
from .kernel import Output, apart, clear_cells, emit, fresh_held, kernel, new_effect, note
from .layout import Cells, Queued, Rows
from .rows import append, free_row, payload_of, take_row, unlink
from .stack import look_up
from .timers import drop_clock, set_clock, set_deadline
from .values import copy_cell, set_null


@kernel
def hold_inputs(p: Rows, m: Rows, v: Cells, o: Output, i: int, a: int, private: int, payload: int) -> int:
    """Evaluate the inputs of what action or state `a` runs: the row that holds them, -1 for none, -2 - (error type).

    All attempts have the same inputs, and so has the compensator, whatever becomes of the variables.
    """
    activity = p[a].activity
    first = p[a].first_input
    end = p[a].end_input
    if first == end and p[activity].undo < 0:
        return NONE
    k = take_row(p, m, v, o, i)
    held = fresh_held(m, i + k)
    held.activity = activity
    held.first_input = first
    held.end_input = end
    held.holds = MANY if k == p[0].first_queued else 1
    cells = payload_of(p, m, i, k)
    to = cells
    for at in range(first, end):
        found = v[look_up(p, m, v, o, i, p[at].code, private, payload)]
        if found.tag == FAULT:
            free_row(m, i, k)
            return -2 - found.whole
        to += 1
        cell = v[to]
        cell.tag = found.tag
        cell.whole = found.whole
        cell.real = found.real
    set_null(v[cells])
    clear_cells(v, to + 1, cells + p[0].n_fields)
    return k


@kernel
def drop_held(m: Rows, i: int, k: int) -> None:
    """Let go of held inputs; the last holder frees the row."""
    m[i + k].holds -= 1
    if m[i + k].holds == 0:
        free_row(m, i, k)


@kernel
def log_entry(m: Rows, i: int, k: int) -> None:
    """M9.1: the held activity enters the log, once."""
    held = m[i + k]
    if held.logged == 0:
        held.logged = 1
        held.holds += 1
        append(m, i, LOG, k)


@kernel
def note_inputs(p: Rows, m: Rows, v: Cells, o: Output, i: int, w: int, seq: int) -> None:
    """Tie the work's inputs to a record; a compensator also gets the result of what it undoes, if there is one."""
    work = m[i + w]
    if work.held < 0:
        return
    held = m[i + work.held]
    cells = payload_of(p, m, i, work.held)
    named = 0
    cell = cells
    for at in range(held.first_input, held.end_input):
        name = p[at].name
        cell += 1
        note(o, seq, name, v[cell])
        if name == T_RESULT:
            named = 1
    if work.undoes >= 0 and not named and v[cells].tag != NULL:
        note(o, seq, T_RESULT, v[cells])


@kernel
def start_attempt(p: Rows, m: Rows, v: Cells, o: Output, i: int, w: int) -> None:
    """Schedule the work's current attempt (M5.1): its record, its clock, and the order to the executor."""
    me = m[i]
    work = m[i + w]
    work.phase = SCHEDULED
    row = emit(m, o, i, R_ACTIVITY_SCHEDULED)
    row.region = work.region
    row.state = m[i + p[row.region].slot].state
    row.activity = work.activity
    row.activity_id = work.serial
    row.attempt = work.attempt
    row.index = work.index
    row.reason = p[work.activity].version
    effect = new_effect(o, START_ATTEMPT)
    effect.activity = work.activity
    effect.activity_id = work.serial
    effect.attempt = work.attempt
    effect.seq = row.seq
    if work.undoes >= 0:
        row.undoes = m[i + work.undoes].serial
        effect.undoes = row.undoes
    note_inputs(p, m, v, o, i, w, row.seq)
    activity = p[work.activity]
    if activity.schedule_to_start >= 0:
        set_clock(p, m, o, i, w, me.time + activity.schedule_to_start)


@kernel
def hold_for(p: Rows, m: Rows, i: int, r: int, k: int, serial: int) -> None:
    """Inputs are held for the work with this number, of region `r`'s active state."""
    held = m[i + k]
    held.serial = serial
    held.region = r
    held.state = m[i + p[r].slot].state


@kernel
def open_work(m: Rows, i: int, r: int, w: int, runs: int, held: int) -> None:
    """The work at offset `w` begins, for what is at row `runs`; none of its clocks runs, and none of its attempts."""
    work = m[i + w]
    work.activity = runs
    work.attempt = 0
    work.region = r
    work.due = NONE
    work.due_id = NONE
    work.deadline = NONE
    work.deadline_id = NONE
    work.held = held
    work.unsure = 0


@kernel
def open_activity(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, w: int, activity: int, held: int) -> None:
    """Schedule the first attempt of an activity of region `r` in the work at offset `w` (M5.1, M5.3).

    What a compensator undoes stands in its work already.
    """
    me = m[i]
    me.serials += 1
    open_work(m, i, r, w, activity, held)
    work = m[i + w]
    work.serial = me.serials
    work.attempt = 1
    if held >= 0 and work.undoes < 0:
        hold_for(p, m, i, r, held, work.serial)
    start_attempt(p, m, v, o, i, w)
    if p[activity].schedule_to_close >= 0:
        set_deadline(p, m, o, i, w, me.time + p[activity].schedule_to_close)


@kernel
def next_work(p: Rows, m: Rows, i: int, w: int) -> int:
    """Offset of the work behind `w`, from -1 the first: two of each region, open or not, then items, the newest first.

    Behind the last one -1.
    """
    head = p[0]
    if w < 0:
        first: int = head.first_work
        return first
    if w < head.first_work + head.n_works - 1:
        return w + 1
    behind: int = m[i + ITEMS].first if w < head.first_work + head.n_works else m[i + w].next
    return behind


@kernel
def work_of(p: Rows, m: Rows, i: int, number: int, is_child: int) -> int:
    """Offset of the open activity with this serial, or of the child that this activation has started; or -1."""
    head = p[0]
    for w in range(head.first_work, head.first_work + head.n_works):
        work = m[i + w]
        if work.serial == number and (work.phase == CHILD if is_child else SCHEDULED <= work.phase <= BACKOFF):
            return w
    item: int = m[i + ITEMS].first
    while item >= 0:
        work = m[i + item]
        if work.serial == number and (work.phase == CHILD if is_child else SCHEDULED <= work.phase <= BACKOFF):
            return item
        item = work.next
    return NONE


@kernel
def work_with_clock(p: Rows, m: Rows, i: int, number: int) -> int:
    """Offset of the open work whose running clock has this id, or -1."""
    if number < 0:
        return NONE
    head = p[0]
    for w in range(head.first_work, head.first_work + head.n_works):
        work = m[i + w]
        if (work.due_id == number or work.deadline_id == number) and work.phase != IDLE:
            return w
    item: int = m[i + ITEMS].first
    while item >= 0:
        work = m[i + item]
        if (work.due_id == number or work.deadline_id == number) and work.phase != IDLE:
            return item
        item = work.next
    return NONE


@kernel
def late_entry(p: Rows, m: Rows, v: Cells, i: int, row: Queued, result: int) -> int:
    """M5.4: a late success whose effect has to be undone one day: 1 if it enters the log.

    Of a compensator it ends the entry it undid.
    """
    k = m[i + LATE].first
    while k >= 0:
        if m[i + k].serial == row.serial:
            unlink(m, i, LATE, k)
            copy_cell(v[result], v[payload_of(p, m, i, k)])
            log_entry(m, i, k)
            drop_held(m, i, k)
            return 1
        k = m[i + k].next
    w = work_of(p, m, i, row.serial, 0)
    if w >= 0 and m[i + w].undoes < 0 and m[i + w].held >= 0 and p[m[i + w].activity].undo >= 0:
        k = m[i + w].held
        if m[i + k].logged == 0:
            copy_cell(v[result], v[payload_of(p, m, i, k)])
            log_entry(m, i, k)
            return 1
    k = m[i + LOG].first
    while k >= 0:
        if m[i + k].undo_serial == row.serial and not m[i + k].undoing:
            unlink(m, i, LOG, k)
            drop_held(m, i, k)
            return 0
        k = m[i + k].next
    return 0


@kernel
def close_work(p: Rows, m: Rows, o: Output, i: int, w: int, sure: int) -> None:
    """The work is over: no clock of it runs on, and its inputs are let go.

    `sure` is 1 if none of its attempts can have had an effect unseen; else a compensator waits for a late success.
    """
    drop_clock(p, m, o, i, w)
    work = m[i + w]
    if work.deadline >= 0:
        effect = new_effect(o, DROP_TIMER)
        effect.timer = p[0].first_clock + SCHEDULE_TO_CLOSE
        effect.id = work.deadline_id
    work.deadline = NONE
    work.deadline_id = NONE
    work.phase = IDLE
    k = work.held
    work.held = NONE
    if work.undoes >= 0:
        m[i + work.undoes].undoing = 0
        work.undoes = NONE
    elif k >= 0 and p[work.activity].undo >= 0 and m[i + k].logged == 0 and not sure:
        append(m, i, LATE, k)
        return
    if k >= 0:
        drop_held(m, i, k)


@kernel
def open_child(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, w: int, child: int, held: int) -> None:
    """M4.4: start a child of region `r`'s active state; the number of an activation names it, and is its work's."""
    cell = m[i + p[r].slot]
    open_work(m, i, r, w, child, held)
    work = m[i + w]
    work.phase = CHILD
    row = emit(m, o, i, R_CHILD_STARTED)
    row.region = r
    row.state = cell.state
    row.activation = work.serial
    row.index = work.index
    row.source = p[child].name
    row.reason = p[child].version
    if p[child].undo >= 0:
        # M9.1: its entry in the log is numbered like those of activities, so that no two have one number.
        me = m[i]
        me.serials += 1
        row.activity_id = me.serials
        hold_for(p, m, i, r, held, me.serials)
        if p[child].undo_when == WHEN_ATTEMPTED:
            log_entry(m, i, held)
    note_inputs(p, m, v, o, i, w, row.seq)
    effect = new_effect(o, START_CHILD)
    effect.activity = child
    effect.activity_id = work.serial
    effect.seq = row.seq


@kernel
def stop_child(p: Rows, m: Rows, o: Output, i: int, w: int) -> None:
    """M4.4: the activation ends, so its child is asked to, unless it is abandoned; nobody waits for it."""
    work = m[i + w]
    state = p[m[i + p[work.region].slot].state]
    if state.parent_close != CLOSE_ABANDON:
        policy = T_TERMINATE if state.parent_close == CLOSE_TERMINATE else T_CANCEL
        row = emit(m, o, i, R_CHILD_STOP_REQUESTED)
        row.region = work.region
        row.state = m[i + p[work.region].slot].state
        row.activation = work.serial
        row.reason = policy
        effect = new_effect(o, STOP_CHILD)
        effect.activity = work.activity
        effect.activity_id = work.serial
        effect.reason = policy
    close_work(p, m, o, i, w, 1)


@kernel
def cancel_one(p: Rows, m: Rows, o: Output, i: int, w: int, reason: int) -> None:
    """M5.4: ask the executor to stop and wait for nothing; of a child, M4.4."""
    work = m[i + w]
    if work.phase == IDLE:
        return
    if work.phase == CHILD:
        stop_child(p, m, o, i, w)
        return
    r = work.region
    row = emit(m, o, i, R_ACTIVITY_CANCELLED)
    row.region = r
    row.state = m[i + p[r].slot].state
    row.activity = work.activity
    row.activity_id = work.serial
    row.attempt = work.attempt
    row.reason = reason
    if work.phase != BACKOFF:
        effect = new_effect(o, CANCEL_ATTEMPT)
        effect.activity = work.activity
        effect.activity_id = work.serial
        effect.attempt = work.attempt
    close_work(p, m, o, i, w, 1 if work.phase == BACKOFF and not work.unsure else 0)


@kernel
def next_delay(delay: int, coefficient: int, longest: int) -> int:
    """M5.1: min(max_interval, floor(delay x coefficient)), exactly, without leaving 64 bits."""
    million = 1_000_000
    grown = (delay // million) * coefficient + (delay % million) * coefficient // million
    return grown if grown < longest else longest


@kernel
def delay_after(p: Rows, policy: int, attempt: int) -> int:
    """M5.1: how long the policy at row `policy` waits after attempt number `attempt`, from 1, without jitter."""
    delay: int = p[policy].initial_interval
    for _ in range(attempt - 1):
        grown = next_delay(delay, p[policy].coefficient, p[policy].max_interval)
        if grown == delay:
            # It grows no more, however many attempts there are.
            break
        delay = grown
    return delay


@apart
def retry_work(p: Rows, m: Rows, o: Output, i: int, w: int, which: int, retry_after: int) -> int:
    """M5.2 after a failed attempt: 1 if another one is scheduled, 0 if the activity has failed.

    `which` policy of the activity decides, beyond the last none; `retry_after` is the wait that the error asks for.
    """
    me = m[i]
    work = m[i + w]
    activity = p[work.activity]
    drop_clock(p, m, o, i, w)
    if which < 0 or which >= activity.end_policy - activity.first_policy:
        return 0
    policy = activity.first_policy + which
    if work.attempt >= p[policy].max_attempts:
        return 0
    wait = retry_after
    if wait < 0:
        delay = delay_after(p, policy, work.attempt)
        wait = delay
        if p[policy].jitter > 0:
            u = draw(me.key, RETRY_JITTER, work.serial, work.attempt)
            wait -= int(delay * (p[policy].jitter * 1e-6) * u)
    due = me.time + wait
    if work.deadline >= 0 and due >= work.deadline:
        return 0
    work.phase = BACKOFF
    work.attempt += 1
    r = work.region
    row = emit(m, o, i, R_RETRY_SCHEDULED)
    row.region = r
    row.state = m[i + p[r].slot].state
    row.activity = work.activity
    row.activity_id = work.serial
    row.attempt = work.attempt
    row.delay = wait
    row.due = due
    set_clock(p, m, o, i, w, due)
    return 1
