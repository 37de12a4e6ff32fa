"""Activations: what begins and ends with a stay in a state, and how an instance closes (M1, M3.8, M8.4, M12)."""

from __future__ import annotations

from .codes import (
    ACTIVE,
    ACTIVITY,
    CLOSED,
    COMPLETED,
    DEFERRED,
    EVENT,
    FAILED,
    FAULT,
    FOR_EACH,
    GROUNDED,
    IDLE,
    INTEGER,
    INTERNAL,
    INVOKE,
    NO_WORK,
    NONE,
    NUMBER,
    OUTSIDE,
    PARALLEL,
    R_EVENT_REJECTED,
    R_INSTANCE_CLOSED,
    R_STATE_ENTERED,
    R_STATE_LEFT,
    R_STATUS_CHANGED,
    R_TRANSITION_ABORTED,
    T_CANCELLED,
    T_CLOSED,
    T_CLOSING,
    T_ENTRY,
    T_EXIT,
    T_RANGE,
    T_TERMINATED,
    T_TYPE,
    TERMINATED,
    TIMED_OUT,
    WAITING,
)
from .fates import turn_away
from .internal import clear_private, forget, ignore, raise_error, unblock
from .items import cancel_work, start_each
from .kernel import Output, apart, emit, kernel, new_effect, note
from .layout import Cells, Rows
from .performing import perform
from .rows import release, unlink
from .stack import evaluate
from .timers import drop_timer, set_timer
from .work import hold_inputs, open_activity, open_child

LONGEST_SECONDS = 3_200_000_000
LATEST = 253_402_300_799_999_999
"""The last microsecond of the year 9999, as in `wfsim.model.moments`; kernel modules import nothing from there."""


# === 1 Structure ==================================================================================


@apart
def abort_flight(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, reason: int) -> None:
    """M3.5: end the transition in flight in region `r`; the event it holds is let go."""
    cell = m[i + p[r].slot]
    if cell.flight_phase == GROUNDED:
        return
    row = emit(m, o, i, R_TRANSITION_ABORTED)
    row.region = r
    row.state = cell.state
    row.transition = cell.flight
    row.flight = cell.flight_number
    row.reason = reason
    cancel_work(p, m, o, i, p[r].flight_work, reason)
    clear_private(p, m, v, i, r)
    release(m, i, cell.entry)
    cell.entry = NONE
    cell.flight = NONE
    cell.flight_phase = GROUNDED


@kernel
def end_activation(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, reason: int) -> None:
    """M1.2, M3.8: flight, activities and timers of region `r`'s active state end with its activation."""
    abort_flight(p, m, v, o, i, r, reason)
    cancel_work(p, m, o, i, p[r].work, reason)
    for k in range(p[r].n_timers):
        drop_timer(m, o, i, p[r].first_timer + k)


@kernel
def leave_regions(p: Rows, m: Rows, v: Cells, o: Output, i: int, first: int, end: int, reason: int) -> None:
    """M1.2: end the regions `[first, end)`, innermost first, last region first; what each does on leaving (M3.9)."""
    for r in range(end - 1, first - 1, -1):
        cell = m[i + p[r].slot]
        if cell.phase != OUTSIDE:
            end_activation(p, m, v, o, i, r, reason)
            state = p[cell.state]
            if state.first_exit < state.end_exit and reason != T_TERMINATED:
                perform(p, m, v, o, i, r, state.first_exit, state.end_exit, T_EXIT)
            row = emit(m, o, i, R_STATE_LEFT)
            row.region = r
            row.state = cell.state
            row.activation = cell.activation
            row.reason = reason
            cell.phase = OUTSIDE
            forget(p, m, v, i, cell.state)


@apart
def duration(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, code: int) -> int:
    """M6.2: a duration in microseconds; a faulty expression raises `error` in the entered state (M10.3), giving -1."""
    at = evaluate(p, m, v, o, i, code, NONE, NONE)
    cell = v[at]
    state = p[m[i + p[r].slot].state]
    if cell.tag == INTEGER and 0 <= cell.whole <= LONGEST_SECONDS:
        return cell.whole * 1_000_000
    if cell.tag == NUMBER and 0.0 <= cell.real <= LONGEST_SECONDS:
        return int(cell.real * 1e6)
    fault = cell.whole if cell.tag == FAULT else T_TYPE
    if cell.tag == INTEGER or cell.tag == NUMBER:
        fault = T_RANGE
    raise_error(p, m, v, o, i, r, state.name, fault)
    return NONE


@apart
def moment(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, code: int) -> int:
    """M6.5: a point in time, now if it has passed; a faulty expression raises `error` in the state, giving -1."""
    at = evaluate(p, m, v, o, i, code, NONE, NONE)
    cell = v[at]
    if cell.tag == INTEGER and 0 <= cell.whole <= LATEST:
        due: int = cell.whole
        return due if due > m[i].time else m[i].time
    fault = cell.whole if cell.tag == FAULT else T_RANGE if cell.tag == INTEGER else T_TYPE
    raise_error(p, m, v, o, i, r, p[m[i + p[r].slot].state].name, fault)
    return NONE


@kernel
def start_state(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, s: int) -> None:
    """M1.2, M3.9, M4.1, M6.2: a new activation of state `s`: what it does on entry, then timers, then its work."""
    me = m[i]
    cell = m[i + p[r].slot]
    state = p[s]
    me.activations += 1
    cell.phase = ACTIVE
    cell.state = s
    cell.activation = me.activations
    cell.stuck = 0
    cell.automatic = state.automatic
    if state.automatic:
        me.leavable = 1
    if state.first_entry < state.end_entry:
        perform(p, m, v, o, i, r, state.first_entry, state.end_entry, T_ENTRY)
    if state.terminal:
        # M3.7: nothing leaves it, so a timer would only fire in vain.
        me.endable = 1
        return
    if state.timeout >= 0 or state.timeout_code >= 0:
        length = state.timeout
        if state.timeout_code >= 0:
            length = duration(p, m, v, o, i, r, state.timeout_code)
        if length >= 0:
            set_timer(m, o, i, p[r].first_timer, me.time + length)
    if state.n_timers > 1:
        # The first is that of the state itself.
        for t in range(state.first_transition, state.end_transition):
            transition = p[t]
            if transition.timer > 0:
                if transition.at_code >= 0:
                    due = moment(p, m, v, o, i, r, transition.at_code)
                else:
                    length = transition.after
                    if transition.after_code >= 0:
                        length = duration(p, m, v, o, i, r, transition.after_code)
                    due = me.time + length if length >= 0 else NONE
                if due >= 0:
                    set_timer(m, o, i, p[r].first_timer + transition.timer, due)
    if state.work == NO_WORK:
        return
    if state.work == ACTIVITY:
        held = hold_inputs(p, m, v, o, i, s, NONE, NONE)
        if held < NONE:
            m[i + raise_error(p, m, v, o, i, r, p[state.activity].name, -2 - held)].own = 1
        else:
            open_activity(p, m, v, o, i, r, p[r].work, state.activity, held)
    elif state.work == INVOKE:
        held = hold_inputs(p, m, v, o, i, s, NONE, NONE)
        if held < NONE:
            m[i + raise_error(p, m, v, o, i, r, state.name, -2 - held)].own = 1
        else:
            m[i + p[r].work].serial = cell.activation
            open_child(p, m, v, o, i, r, p[r].work, state.activity, held)
    elif state.work == FOR_EACH:
        start_each(p, m, v, o, i, r, s)
    elif state.work == PARALLEL:
        m[i + p[r].work].phase = IDLE
        m[i + p[r].work].attempt = 0


@kernel
def show_entered(p: Rows, m: Rows, o: Output, i: int, r: int, s: int, reason: int) -> None:
    """The `state_entered` row: by nesting, start or retry; it names the activation that is about to open."""
    row = emit(m, o, i, R_STATE_ENTERED)
    row.region = r
    row.state = s
    row.activation = m[i].activations + 1
    row.reason = reason


@kernel
def enter_inner(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int) -> None:
    """M4.3: enter the regions inside region `r`'s active state, in file order, outermost first."""
    for inner in range(r + 1, p[r].end_region):
        above = p[p[inner].parent].slot
        if m[i + above].phase == ACTIVE and m[i + above].state == p[inner].parent_state:
            show_entered(p, m, o, i, inner, p[inner].initial, NONE)
            start_state(p, m, v, o, i, inner, p[inner].initial)


# === 8.4, 12 Closing ==============================================================================


@apart
def drain(p: Rows, m: Rows, o: Output, i: int, which: int) -> None:
    """M7.1: at closing, what still waits is rejected; results and timers that wait are ignored."""
    me = m[i]
    k = m[i + which].first
    while k >= 0:
        row = m[i + k]
        after = row.next
        unlink(m, i, which, k)
        me.cause = row.cause
        if row.kind == EVENT:
            turn_away(p, m, o, i, R_EVENT_REJECTED, row, T_CLOSED)
        else:
            ignore(p, m, o, i, row, T_CLOSED)
        release(m, i, k)
        k = after


@kernel
def close(p: Rows, m: Rows, v: Cells, o: Output, i: int, status: int, reason: int) -> None:
    """M1.4, M8.4, M12: the instance closes; after `failed` and `timed_out` its configuration stays for a retry."""
    me = m[i]
    head = p[0]
    cause = me.cause
    root = m[i + p[head.root].slot]
    state = root.state
    if status == FAILED or status == TIMED_OUT:
        for r in range(head.first_region + head.n_regions - 1, head.first_region - 1, -1):
            end_activation(p, m, v, o, i, r, T_CLOSING)
    elif status != COMPLETED:
        text = T_TERMINATED if status == TERMINATED else T_CANCELLED
        # While cancelling, the root's flight work runs the compensators, without a flight.
        cancel_work(p, m, o, i, p[head.root].flight_work, text)
        leave_regions(p, m, v, o, i, head.first_region, head.first_region + head.n_regions, text)
    drop_timer(m, o, i, head.first_timer)
    drain(p, m, o, i, INTERNAL)
    drain(p, m, o, i, DEFERRED)
    drain(p, m, o, i, WAITING)
    # Only what waits makes others wait (M2.2).
    unblock(p, m, i)
    me.cause = cause
    me.status = status
    # M8.2: who waits for this instance now knows how it ended, so it is not taken up again.
    me.told = me.has_parent
    me.outcome = p[state].outcome if status == COMPLETED else 0
    row = emit(m, o, i, R_INSTANCE_CLOSED)
    row.region = head.root
    row.state = state
    row.status = status
    row.outcome = me.outcome
    row.reason = reason
    for k in range(head.n_variables):
        if p[head.first_variable + k].output:
            note(o, row.seq, p[head.first_variable + k].name, v[me.cells + k])
    effect = new_effect(o, CLOSED)
    effect.status = status
    effect.outcome = me.outcome
    effect.seq = row.seq


@kernel
def change_status(p: Rows, m: Rows, o: Output, i: int, status: int) -> None:
    """A change of status that does not close."""
    m[i].status = status
    row = emit(m, o, i, R_STATUS_CHANGED)
    row.region = p[0].root
    row.state = m[i + p[p[0].root].slot].state
    row.status = status
