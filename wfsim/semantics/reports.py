"""What executors and clocks say of open activities, and what follows from it (M5, M5.3)."""

from __future__ import annotations

from .activations import close
from .codes import (
    ACTIVITY_STARTED,
    ACTIVITY_SUCCEEDED,
    BOOLEAN,
    CANCEL_ATTEMPT,
    CANCELLED,
    CANCELLING,
    CHILD_CLOSED,
    FAILED,
    NONE,
    R_ATTEMPT_TIMED_OUT,
    RETRY,
    RUNNING,
    SCHEDULE_TO_CLOSE,
    SCHEDULE_TO_START,
    START_TO_CLOSE,
    T_COMPENSATE,
    T_COMPENSATION_FAILED,
    T_DUPLICATE,
    T_LATE,
    T_LOGGED,
    T_RESULT,
    T_SCHEDULE_TO_CLOSE,
    T_SCHEDULE_TO_START,
    T_START_TO_CLOSE,
    T_VOID,
    WHEN_ATTEMPTED,
)
from .compensation import end_undoing, finish_compensation, undo_next
from .internal import add_message, ignore, raise_done, raise_error
from .items import end_item
from .kernel import Output, apart, emit, kernel, new_effect, note_whole
from .layout import Cells, Queued, Rows
from .performing import write
from .rows import payload_of
from .timers import drop_clock, set_clock
from .transitions import (
    GOES_ON,
    STOPS,
    advance,
    fail_action,
    settle,
)
from .values import admit, copy_cell
from .work import close_work, late_entry, log_entry, retry_work, start_attempt, work_with_clock


@apart
def go_on_undoing(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, k: int, succeeded: int) -> None:
    """M9.1, M9.2: a compensator has ended: the next one, or the end of this compensation."""
    me = m[i]
    cell = m[i + p[r].slot]
    cancelling = me.status == CANCELLING
    flight = me.undoing_all if cancelling else cell.flight_number
    scope = NONE if cancelling else p[cell.action].scope
    end_undoing(m, i, k, succeeded, flight)
    if undo_next(p, m, v, o, i, r, scope, flight):
        return
    failed = finish_compensation(p, m, o, i, r, flight)
    if cancelling:
        if failed:
            close(p, m, v, o, i, FAILED, T_COMPENSATION_FAILED)
        else:
            close(p, m, v, o, i, CANCELLED, me.reason)
        return
    if failed and fail_action(p, m, v, o, i, r, T_COMPENSATE, T_COMPENSATION_FAILED, NONE) == STOPS:
        settle(p, m, v, o, i)
        return
    if not failed:
        cell.action += 1
    advance(p, m, v, o, i, r)


@apart
def tell_failed(p: Rows, m: Rows, v: Cells, o: Output, i: int, w: int, error_type: int, message: int) -> None:
    """What follows from an activity that has failed and undoes nothing: a failed item or action, or `error`."""
    r = m[i + w].region
    name = p[m[i + w].activity].name
    if m[i + w].each >= 0:
        end_item(p, m, v, o, i, w, NONE, error_type, message)
    elif w == p[r].flight_work:
        if fail_action(p, m, v, o, i, r, name, error_type, message) == GOES_ON:
            advance(p, m, v, o, i, r)
        else:
            settle(p, m, v, o, i)
    else:
        k = raise_error(p, m, v, o, i, r, name, error_type)
        add_message(p, m, v, i, k, message)
        m[i + k].own = 1


@kernel
def end_failed(p: Rows, m: Rows, v: Cells, o: Output, i: int, w: int, error_type: int, message: int) -> None:
    """M5.2: the activity has failed: a failed action, or `error` in the state whose work it was."""
    undoes = m[i + w].undoes
    r = m[i + w].region
    close_work(p, m, o, i, w, 1 - m[i + w].unsure)
    if undoes >= 0:
        go_on_undoing(p, m, v, o, i, r, undoes, 0)
    else:
        tell_failed(p, m, v, o, i, w, error_type, message)


@kernel
def end_succeeded(p: Rows, m: Rows, v: Cells, o: Output, i: int, w: int, result: int) -> None:
    """M4.1, M3.1: a result: `done` for the state's work, or the flight goes on. M9.1: it may enter the log."""
    work = m[i + w]
    r = work.region
    typed = p[work.activity].result
    undoes = work.undoes
    if undoes < 0 and work.held >= 0 and p[work.activity].undo >= 0:
        copy_cell(v[result], v[payload_of(p, m, i, work.held)])
        log_entry(m, i, work.held)
    close_work(p, m, o, i, w, 1)
    if undoes >= 0:
        go_on_undoing(p, m, v, o, i, r, undoes, 1)
        return
    fault = admit(p, v, o, typed, result, 1) if typed >= 0 else NONE
    if fault >= 0:
        tell_failed(p, m, v, o, i, w, fault, NONE)
        return
    if work.each >= 0:
        end_item(p, m, v, o, i, w, result, NONE, NONE)
        return
    if w != p[r].flight_work:
        raise_done(p, m, v, o, i, r, result)
        return
    cell = m[i + p[r].slot]
    action = p[cell.action]
    if action.variable >= 0:
        fault = write(p, m, v, o, i, r, action.variable, result, T_RESULT)
        if fault >= 0:
            tell_failed(p, m, v, o, i, w, fault, NONE)
            return
    cell.action += 1
    advance(p, m, v, o, i, r)


@kernel
def child_report(p: Rows, m: Rows, v: Cells, o: Output, i: int, row: Queued, result: int, w: int) -> None:
    """M4.4: a child has closed: `done` with its outputs, or `error` of the state that invoked it."""
    if w < 0:
        ignore(p, m, o, i, row, T_LATE)
        return
    work = m[i + w]
    r = work.region
    if row.error_type < 0 and work.held >= 0 and p[work.activity].undo >= 0:
        copy_cell(v[result], v[payload_of(p, m, i, work.held)])
        log_entry(m, i, work.held)
    close_work(p, m, o, i, w, 1)
    if m[i + w].each >= 0:
        end_item(p, m, v, o, i, w, result, row.error_type, NONE)
    elif row.error_type < 0:
        raise_done(p, m, v, o, i, r, result)
    else:
        m[i + raise_error(p, m, v, o, i, r, p[m[i + p[r].slot].state].name, row.error_type)].own = 1


@kernel
def report(p: Rows, m: Rows, v: Cells, o: Output, i: int, row: Queued, result: int, w: int) -> None:
    """An executor's word on an attempt: started, succeeded or failed; of an ended one it is late (M5.4). Or a child's.

    `w` is the offset of its work, -1 if that is over, and `result` the cell of its result.
    """
    if row.kind == CHILD_CLOSED:
        child_report(p, m, v, o, i, row, result, w)
    elif w < 0 or m[i + w].attempt != row.attempt or m[i + w].phase > RUNNING:
        logged = 0
        if row.kind == ACTIVITY_SUCCEEDED:
            logged = late_entry(p, m, v, i, row, result)
        ignore(p, m, o, i, row, T_LATE)
        if logged:
            note_whole(o, m[i].seq, T_LOGGED, BOOLEAN, 1)
    elif row.kind == ACTIVITY_STARTED:
        work = m[i + w]
        activity = p[work.activity]
        if work.phase == RUNNING:
            ignore(p, m, o, i, row, T_DUPLICATE)
            return
        drop_clock(p, m, o, i, w)
        work.phase = RUNNING
        if activity.undo >= 0 and activity.undo_when == WHEN_ATTEMPTED and work.undoes < 0 and work.held >= 0:
            log_entry(m, i, work.held)
        if activity.start_to_close >= 0:
            set_clock(p, m, o, i, w, row.time + activity.start_to_close)
    elif row.kind == ACTIVITY_SUCCEEDED:
        end_succeeded(p, m, v, o, i, w, result)
    elif retry_work(p, m, o, i, w, row.policy, row.retry_after) == 0:
        end_failed(p, m, v, o, i, w, row.error_type, row.reason)


@kernel
def clock_fired(p: Rows, m: Rows, v: Cells, o: Output, i: int, row: Queued) -> None:
    """M5.3: an activity's clock expired, or its wait before the next attempt is over."""
    w = work_with_clock(p, m, i, row.serial)
    if w < 0:
        ignore(p, m, o, i, row, T_VOID)
        return
    clock = row.timer - p[0].first_clock
    work = m[i + w]
    if clock == SCHEDULE_TO_CLOSE:
        work.deadline = NONE
        work.deadline_id = NONE
    else:
        work.due = NONE
        work.due_id = NONE
    if clock == RETRY:
        # M5.2: after a pause the deadline may have come first; its own clock then ends the activity.
        if work.deadline < 0 or m[i].time < work.deadline:
            start_attempt(p, m, v, o, i, w)
        return
    # M5.4: the attempt may yet succeed, unseen.
    work.unsure = 1
    error_type = T_SCHEDULE_TO_CLOSE
    policy = NONE
    if clock == START_TO_CLOSE:
        error_type = T_START_TO_CLOSE
        policy = p[work.activity].timeout_policy
    elif clock == SCHEDULE_TO_START:
        error_type = T_SCHEDULE_TO_START
    r = m[i + w].region
    record = emit(m, o, i, R_ATTEMPT_TIMED_OUT)
    record.region = r
    record.state = m[i + p[r].slot].state
    record.activity = work.activity
    record.activity_id = work.serial
    record.attempt = work.attempt
    record.error_type = error_type
    effect = new_effect(o, CANCEL_ATTEMPT)
    effect.activity = work.activity
    effect.activity_id = work.serial
    effect.attempt = work.attempt
    if retry_work(p, m, o, i, w, policy, NONE) == 0:
        end_failed(p, m, v, o, i, w, error_type, NONE)
