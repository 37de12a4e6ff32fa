"""The step function: what one stimulus does to one instance. The rules of MEANING, in their order.

`step(p, m, v, o, i)` takes the stimulus from the inbox of the instance at row `i`, changes its rows and cells,
and puts records, values and effects out. It reads no clock, environment or unordered collection (M11.3).
Offsets (`work`, `timer`, queued rows `k`) count from the instance's row `i`; regions, states, transitions and
activities are program rows.
"""

from __future__ import annotations

from .kernel import Output, kernel, new_effect
from .layout import (
    ABSENT,
    ACTIVE,
    ACTIVITY,
    ACTIVITY_FAILED,
    ACTIVITY_STARTED,
    ACTIVITY_SUCCEEDED,
    AFTER_COMMIT,
    BEFORE_COMMIT,
    CANCEL,
    CANCEL_ATTEMPT,
    CANCELLED,
    CANCELLING,
    CLOSED,
    COMPLETED,
    CONTROL,
    DEFER,
    DEFERRED,
    DISCARD,
    DROP_TIMER,
    EVENT,
    FAILED,
    FAILED_REGION,
    FAULT,
    GROUNDED,
    IDLE,
    INBOX,
    INTEGER,
    INTERNAL,
    INTERNAL_DONE,
    N_CLOCKS,
    NONE,
    NULL,
    NUMBER,
    OUTSIDE,
    PARALLEL,
    PAUSE,
    PAUSED,
    R_ACTIVITY_FAILED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_ATTEMPT_TIMED_OUT,
    R_CONTROL_RECEIVED,
    R_ERROR_RAISED,
    R_EVENT_DEFERRED,
    R_EVENT_DISCARDED,
    R_EVENT_RECALLED,
    R_EVENT_RECEIVED,
    R_EVENT_REJECTED,
    R_INSTANCE_CLOSED,
    R_STARTED,
    R_STATE_ENTERED,
    R_STATE_LEFT,
    R_STATUS_CHANGED,
    R_TIMER_FIRED,
    R_TRANSITION,
    R_TRANSITION_ABORTED,
    R_TRANSITION_STARTED,
    R_VARIABLES_SET,
    REPLY,
    RESUME,
    RETRY,
    RETRY_COMMAND,
    RUN_ACTIVITY,
    RUNNING,
    RUNNING_STATUS,
    SCHEDULE_TO_START,
    SET_TIMER,
    START,
    START_TO_CLOSE,
    SUCCEEDED,
    SUCCESS,
    T_AUTOMATIC_CHAIN,
    T_CANCELLED,
    T_CLOSED,
    T_CLOSING,
    T_CONDITION,
    T_CONTROL,
    T_DONE,
    T_DUPLICATE,
    T_ERROR,
    T_IGNORED,
    T_JOIN,
    T_JOIN_IMPOSSIBLE,
    T_LATE,
    T_LEFT,
    T_MAX_DEFERRED,
    T_MESSAGE,
    T_NO_TRANSITION,
    T_OUTER,
    T_POST_ACTION,
    T_RANGE,
    T_RESULT,
    T_RETRY,
    T_SCHEDULE_TO_CLOSE,
    T_SCHEDULE_TO_START,
    T_START_TO_CLOSE,
    T_TERMINATED,
    T_TIMEOUT_STATE,
    T_TYPE,
    T_VOID,
    T_WORKFLOW_TIMEOUT,
    TERMINATE,
    TERMINATED,
    TIMED_OUT,
    TIMER,
    WAITING,
    Cells,
    Queued,
    Rows,
)
from .values import admit, copy_cell, evaluate, is_true
from .work import (
    RESULT,
    append,
    cancel_work,
    clear_private,
    clock_of,
    close_work,
    drop_timer,
    emit,
    ignore,
    is_active,
    is_busy,
    new_queued,
    note,
    note_inputs,
    note_payload,
    open_activity,
    owner_of,
    payload_of,
    prepend,
    raise_done,
    raise_error,
    release,
    retry_work,
    set_timer,
    start_attempt,
    unlink,
    work_of,
)

# What offering an event to regions came to.
NOBODY, REFUSED, TAKEN = range(3)
# What an action came to.
GOES_ON, WAITS, STOPS = range(3)
# No such transition, a false condition, or a condition that raised (M2.5).
NO_TRANSITION, FALSE_CONDITION, RAISED = -1, -2, -3

LONGEST_SECONDS = 3_200_000_000


# === 1 Structure ==================================================================================


@kernel
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
    """M1.2: end the regions `[first, end)`, innermost first, last region first."""
    for r in range(end - 1, first - 1, -1):
        cell = m[i + p[r].slot]
        if cell.phase != OUTSIDE:
            end_activation(p, m, v, o, i, r, reason)
            row = emit(m, o, i, R_STATE_LEFT)
            row.region = r
            row.state = cell.state
            row.activation = cell.activation
            row.reason = reason
            cell.phase = OUTSIDE


@kernel
def duration(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, constant: int, code: int) -> int:
    """M6.2: a duration in microseconds; a faulty expression raises `error` in the entered state (M10.3), giving -1."""
    if code < 0:
        return constant
    at = evaluate(p, m, v, o, i, code, NONE, NONE)
    cell = v[at]
    state = p[m[i + p[r].slot].state]
    if cell.tag == INTEGER and 0 <= cell.whole <= LONGEST_SECONDS:
        return cell.whole * 1_000_000
    if cell.tag == NUMBER and 0.0 <= cell.real <= LONGEST_SECONDS:
        return int(cell.real * 1e6)
    fault = cell.whole if cell.tag == FAULT else T_TYPE
    if cell.tag == INTEGER or cell.tag == NUMBER:  # noqa: PLR1714
        fault = T_RANGE
    raise_error(p, m, v, o, i, r, state.name, fault, NONE, NONE)
    return NONE


@kernel
def start_state(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, s: int) -> None:
    """M1.2, M4.1, M6.2: a new activation of state `s`: timers first, then its work."""
    me = m[i]
    cell = m[i + p[r].slot]
    state = p[s]
    me.activations += 1
    cell.phase = ACTIVE
    cell.state = s
    cell.activation = me.activations
    cell.stuck = 0
    if state.timeout >= 0 or state.timeout_code >= 0:
        length = duration(p, m, v, o, i, r, state.timeout, state.timeout_code)
        if length >= 0:
            set_timer(m, o, i, p[r].first_timer, me.time + length)
    for t in range(state.first_transition, state.end_transition):
        transition = p[t]
        if transition.timer > 0:
            length = duration(p, m, v, o, i, r, transition.after, transition.after_code)
            if length >= 0:
                set_timer(m, o, i, p[r].first_timer + transition.timer, me.time + length)
    if state.work == ACTIVITY:
        fault = note_inputs(p, m, v, o, i, state.first_input, state.end_input, NONE, NONE, me.seq + 1)
        if fault >= 0:
            raise_error(p, m, v, o, i, r, p[state.activity].name, fault, NONE, NONE)
        else:
            open_activity(p, m, o, i, p[r].work, state.activity)
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


@kernel
def reply(o: Output, event_id: int, reason: int) -> None:
    """Tell the sender what became of an event; reason -1 is `accepted`."""
    effect = new_effect(o)
    effect.kind = REPLY
    effect.event_id = event_id
    effect.reason = reason


@kernel
def turn_away(p: Rows, m: Rows, o: Output, i: int, kind: int, row: Queued, reason: int) -> None:
    """Record that an event was rejected, deferred or discarded, and why (M7.1)."""
    record = emit(m, o, i, kind)
    record.event = row.event
    record.event_id = row.event_id
    record.region = row.region
    record.reason = reason
    if row.kind == EVENT:
        reply(o, row.event_id, reason)


@kernel
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
    if status == FAILED or status == TIMED_OUT:  # noqa: PLR1714
        for r in range(head.first_region + head.n_regions - 1, head.first_region - 1, -1):
            if m[i + p[r].slot].phase == ACTIVE:
                end_activation(p, m, v, o, i, r, T_CLOSING)
    elif status != COMPLETED:
        text = T_TERMINATED if status == TERMINATED else T_CANCELLED
        leave_regions(p, m, v, o, i, head.first_region, head.first_region + head.n_regions, text)
    drop_timer(m, o, i, head.first_timer)
    drain(p, m, o, i, INTERNAL)
    drain(p, m, o, i, DEFERRED)
    drain(p, m, o, i, WAITING)
    me.cause = cause
    me.status = status
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
    effect = new_effect(o)
    effect.kind = CLOSED
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


# === 2 Choosing ===================================================================================


@kernel
def choose(
    p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, event: int, source: int, timer: int, entry: int
) -> int:
    """M2.3 in one region: the first transition in file order whose condition holds.

    Returns its row, or NO_TRANSITION, FALSE_CONDITION, RAISED (M2.5). `source` is the error's, `timer` the
    `after` that fired, `entry` the queued row whose payload conditions may read.
    """
    cell = m[i + p[r].slot]
    state = p[cell.state]
    answer = NO_TRANSITION
    for t in range(state.first_transition, state.end_transition):
        transition = p[t]
        if transition.event != event:
            continue
        if transition.error_source >= 0 and transition.error_source != source:
            continue
        if timer > 0 and transition.timer != timer:
            continue
        if transition.condition < 0:
            return t
        at = evaluate(p, m, v, o, i, transition.condition, NONE, payload_of(p, m, i, entry))
        holds = is_true(v, at)
        if holds < 0:
            # M2.5: not false. Falling through could approve what a missing field should have stopped.
            origin = entry if entry >= 0 and m[i + entry].kind == EVENT else NONE
            raise_error(p, m, v, o, i, r, state.name, v[at].whole, NONE, origin)
            return RAISED
        if holds == 1:
            return t
        answer = FALSE_CONDITION
    return answer


@kernel
def block_outer(p: Rows, m: Rows, i: int, r: int) -> None:
    """M2.3: regions around region `r` take nothing, since one inside took the event."""
    outer = p[r].parent
    while outer >= 0:
        m[i + p[outer].slot].took = 1
        outer = p[outer].parent


@kernel
def choose_everywhere(p: Rows, m: Rows, v: Cells, o: Output, i: int, event: int, entry: int) -> int:
    """M2.3, M2.4: let every concerned region choose, innermost first, before anything is done."""
    head = p[0]
    for r in range(head.first_region, head.first_region + head.n_regions):
        cell = m[i + p[r].slot]
        cell.chosen = NONE
        cell.took = 0
    answer = NOBODY
    for at in range(p[event].end_listener - 1, p[event].first_listener - 1, -1):
        r = p[at].region
        cell = m[i + p[r].slot]
        if cell.phase != ACTIVE or cell.took or cell.flight_phase != GROUNDED or cell.stuck:
            continue
        t = choose(p, m, v, o, i, r, event, NONE, NONE, entry)
        if t >= 0 or t == RAISED:
            cell.chosen = t
            answer = TAKEN
            block_outer(p, m, i, r)
            if t == RAISED and event == head.automatic:
                # Not evaluated again until its error has been offered: it would raise for ever.
                cell.stuck = 1
                m[i].automatic += 1
        elif t == FALSE_CONDITION and answer == NOBODY:
            answer = REFUSED
    return answer


# === 3 Taking a transition ========================================================================


@kernel
def show_started(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int) -> None:
    """M3.2: the first wait of a transition."""
    cell = m[i + p[r].slot]
    if cell.waited:
        return
    cell.waited = 1
    row = emit(m, o, i, R_TRANSITION_STARTED)
    row.region = r
    row.state = p[cell.flight].source
    row.to_state = p[cell.flight].target
    row.event = NONE if p[cell.flight].event == p[0].automatic else p[cell.flight].event
    row.event_id = m[i + cell.entry].event_id if cell.entry >= 0 else NONE
    row.transition = cell.flight
    row.flight = cell.flight_number


@kernel
def fail_flight(
    p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, source: int, error_type: int, message: int
) -> None:
    """M3.4: the rest is skipped, private writes are dropped, and `error` is raised in the active state."""
    cell = m[i + p[r].slot]
    origin = NONE
    if cell.flight_phase == BEFORE_COMMIT and cell.entry >= 0 and m[i + cell.entry].kind == EVENT:
        origin = cell.entry
    raise_error(p, m, v, o, i, r, source, error_type, message, origin)
    abort_flight(p, m, v, o, i, r, T_ERROR)


@kernel
def fail_action(
    p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, source: int, error_type: int, message: int
) -> int:
    """M3.4: a failed action stops the transition, unless it says `on_failure: ignore`."""
    cell = m[i + p[r].slot]
    if p[cell.action].ignore:
        row = emit(m, o, i, R_ERROR_RAISED)
        row.region = r
        row.state = cell.state
        row.source = source
        row.error_type = error_type
        row.reason = T_IGNORED
        cell.action += 1
        return GOES_ON
    fail_flight(p, m, v, o, i, r, source, error_type, message)
    return STOPS


@kernel
def write(
    p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, variable: int, at: int, lenient: int, by: int
) -> int:
    """Fit the value in cell `at` to a variable and write it: -1, or the error type.

    Before the commit the write is private to the flight (M3.3), otherwise it is public and recorded at once.
    """
    cell = m[i + p[r].slot]
    fault = admit(p, variable, v[at], lenient)
    if fault >= 0:
        return fault
    k = variable - p[0].first_variable
    if cell.flight_phase == BEFORE_COMMIT:
        copy_cell(v[at], v[m[i].cells + p[r].private_cells + k])
        return NONE
    copy_cell(v[at], v[m[i].cells + k])
    row = emit(m, o, i, R_VARIABLES_SET)
    row.region = r
    row.state = cell.state
    row.reason = by
    note(o, row.seq, p[variable].name, v[at])
    return NONE


@kernel
def run_action(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int) -> int:
    """M3.1: one action of the transition in flight."""
    me = m[i]
    cell = m[i + p[r].slot]
    action = p[cell.action]
    private = me.cells + p[r].private_cells if cell.flight_phase == BEFORE_COMMIT else NONE
    payload = payload_of(p, m, i, cell.entry)
    if action.action == RUN_ACTIVITY:
        seq = me.seq + (1 if cell.waited else 2)
        fault = note_inputs(p, m, v, o, i, action.first_input, action.end_input, private, payload, seq)
        if fault >= 0:
            return fail_action(p, m, v, o, i, r, p[action.activity].name, fault, NONE)
        show_started(p, m, v, o, i, r)
        open_activity(p, m, o, i, p[r].flight_work, action.activity)
        return WAITS
    at = evaluate(p, m, v, o, i, action.code, private, payload)
    fault = (
        v[at].whole if v[at].tag == FAULT else write(p, m, v, o, i, r, action.variable, at, 0, T_POST_ACTION)
    )
    if fault >= 0:
        return fail_action(p, m, v, o, i, r, p[cell.state].name, fault, NONE)
    cell.action += 1
    return GOES_ON


@kernel
def commit(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int) -> None:
    """M3.1, M3.8: leave, write, enter; one record, then what it ended, then what it entered."""
    me = m[i]
    cell = m[i + p[r].slot]
    transition = p[cell.flight]
    me.commits += 1
    row = emit(m, o, i, R_TRANSITION)
    row.region = r
    row.state = cell.state
    row.to_state = transition.target
    row.event = NONE if transition.event == p[0].automatic else transition.event
    row.event_id = m[i + cell.entry].event_id if cell.entry >= 0 else NONE
    row.transition = cell.flight
    row.flight = cell.flight_number
    row.activation = me.activations + 1 if transition.target >= 0 else cell.activation
    private = me.cells + p[r].private_cells
    for k in range(p[0].n_variables):
        if v[private + k].tag != ABSENT:
            copy_cell(v[private + k], v[me.cells + k])
            note(o, row.seq, p[p[0].first_variable + k].name, v[private + k])
    clear_private(p, m, v, i, r)
    cell.flight_phase = AFTER_COMMIT
    if transition.target < 0:
        return
    leave_regions(p, m, v, o, i, r + 1, p[r].end_region, T_OUTER)
    cancel_work(p, m, o, i, p[r].work, T_LEFT)
    for k in range(p[r].n_timers):
        drop_timer(m, o, i, p[r].first_timer + k)
    start_state(p, m, v, o, i, r, transition.target)
    enter_inner(p, m, v, o, i, r)


@kernel
def join(p: Rows, m: Rows, v: Cells, o: Output, i: int, s: int) -> None:
    """M4.3: count the ended regions of state `s`: enough, still possible, or out of reach."""
    r = p[s].region
    succeeded = 0
    alive = 0
    for inner in range(r + 1, p[r].end_region):
        if p[inner].parent_state == s:
            if m[i + p[inner].slot].phase == SUCCEEDED:
                succeeded += 1
            elif m[i + p[inner].slot].phase == ACTIVE:
                alive += 1
    work = m[i + p[r].work]
    if work.attempt == 1:
        return
    if succeeded >= p[s].join:
        work.attempt = 1
        for inner in range(p[r].end_region - 1, r, -1):
            if p[inner].parent_state == s and m[i + p[inner].slot].phase == ACTIVE:
                leave_regions(p, m, v, o, i, inner, p[inner].end_region, T_JOIN)
        raise_done(p, m, v, o, i, r, NONE)
    elif succeeded + alive < p[s].join:
        work.attempt = 1
        raise_error(p, m, v, o, i, r, p[s].name, T_JOIN_IMPOSSIBLE, NONE, NONE)


@kernel
def has_error(p: Rows, m: Rows, i: int, r: int, activation: int) -> int:
    """1 if an error waits for this activation."""
    k = m[i + INTERNAL].first
    while k >= 0:
        row = m[i + k]
        if row.kind != INTERNAL_DONE and row.region == r and row.activation == activation:
            return 1
        k = row.next
    return 0


@kernel
def settle(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> None:
    """M3.7: regions that stand in a terminal state with no post-action left have ended; the root's end completes."""
    head = p[0]
    for r in range(head.first_region + head.n_regions - 1, head.first_region - 1, -1):
        cell = m[i + p[r].slot]
        if cell.phase == ACTIVE and cell.flight_phase == GROUNDED and p[cell.state].terminal:
            # A failed post-action left an error behind: it is offered to the terminal state first (M3.4).
            if has_error(p, m, i, r, cell.activation):
                continue
            cell.phase = SUCCEEDED if p[cell.state].outcome == SUCCESS else FAILED_REGION
            if r == head.root:
                close(p, m, v, o, i, COMPLETED, NONE)
                return
            join(p, m, v, o, i, p[r].parent_state)


@kernel
def advance(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int) -> None:
    """M3.1, M3.2: carry the transition in flight on, to its next wait or its end."""
    cell = m[i + p[r].slot]
    while cell.flight_phase != GROUNDED:
        transition = p[cell.flight]
        if cell.flight_phase == BEFORE_COMMIT:
            if cell.action == transition.end_pre:
                commit(p, m, v, o, i, r)
                cell.action = transition.first_post
                continue
        elif cell.action == transition.end_post:
            release(m, i, cell.entry)
            cell.entry = NONE
            cell.flight = NONE
            cell.flight_phase = GROUNDED
            break
        if run_action(p, m, v, o, i, r) == WAITS:
            return
    settle(p, m, v, o, i)


@kernel
def take(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, t: int, entry: int) -> None:
    """M3.1: set out on transition `t` with the event in `entry` (-1 for an automatic one)."""
    me = m[i]
    cell = m[i + p[r].slot]
    me.flights += 1
    cell.flight = t
    cell.flight_phase = BEFORE_COMMIT
    cell.flight_number = me.flights
    cell.waited = 0
    cell.action = p[t].first_pre
    cell.entry = entry
    if entry >= 0:
        m[i + entry].holds += 1
    clear_private(p, m, v, i, r)
    advance(p, m, v, o, i, r)


@kernel
def take_chosen(p: Rows, m: Rows, v: Cells, o: Output, i: int, entry: int) -> None:
    """M2.4: start the chosen transitions in file order of their regions, as far as the regions still stand."""
    head = p[0]
    for r in range(head.first_region, head.first_region + head.n_regions):
        cell = m[i + p[r].slot]
        t = cell.chosen
        cell.chosen = NONE
        if t >= 0 and cell.phase == ACTIVE and cell.state == p[t].source and m[i].status == RUNNING_STATUS:
            take(p, m, v, o, i, r, t, entry)


# === 4 done and error =============================================================================


@kernel
def offer_done(p: Rows, m: Rows, v: Cells, o: Output, i: int, k: int) -> None:
    """M4.1: `done` writes the result, then is offered; unhandled it is discarded."""
    row = m[i + k]
    r = row.region
    state = p[m[i + p[r].slot].state]
    payload = payload_of(p, m, i, k)
    if state.result_variable >= 0:
        fault = write(p, m, v, o, i, r, state.result_variable, payload + RESULT, 1, T_DONE)
        if fault >= 0:
            raise_error(
                p,
                m,
                v,
                o,
                i,
                r,
                p[state.activity].name if state.work == ACTIVITY else state.name,
                fault,
                NONE,
                NONE,
            )
            return
    t = choose(p, m, v, o, i, r, p[0].done, NONE, NONE, k)
    if t >= 0:
        take(p, m, v, o, i, r, t, k)
    elif t != RAISED:
        turn_away(
            p, m, o, i, R_EVENT_DISCARDED, row, T_CONDITION if t == FALSE_CONDITION else T_NO_TRANSITION
        )


@kernel
def offer_error(p: Rows, m: Rows, v: Cells, o: Output, i: int, k: int) -> None:
    """M4.2: errors climb: the active state, then the state around its region, up to the root, which fails."""
    me = m[i]
    row = m[i + k]
    r = row.region
    cell = m[i + p[r].slot]
    cell.stuck = 0
    record = emit(m, o, i, R_ERROR_RAISED)
    record.region = r
    record.state = cell.state
    record.source = row.source
    record.error_type = row.error_type
    if row.reason >= 0:
        note(o, record.seq, T_MESSAGE, v[payload_of(p, m, i, k) + 3])
    t = NO_TRANSITION
    if p[cell.state].terminal == 0:
        t = choose(p, m, v, o, i, r, p[0].error, row.source, NONE, k)
    if t >= 0:
        take(p, m, v, o, i, r, t, k)
        return
    if t == RAISED:
        me.automatic += 1
        return
    if p[r].parent >= 0:
        row.region = p[r].parent
        row.activation = m[i + p[p[r].parent].slot].activation
        row.holds += 1
        prepend(m, i, INTERNAL, k)
        return
    me.offer_again = row.origin
    if row.origin >= 0:
        m[i + row.origin].holds += 1
    close(p, m, v, o, i, TIMED_OUT if row.error_type == T_TIMEOUT_STATE else FAILED, row.error_type)


# === 5 Activities =================================================================================


@kernel
def end_failed(p: Rows, m: Rows, v: Cells, o: Output, i: int, w: int, error_type: int, message: int) -> None:
    """M5.2: the activity has failed: a failed action, or `error` in the state whose work it was."""
    r = owner_of(p, w)
    name = p[m[i + w].activity].name
    close_work(p, m, o, i, w)
    if w == p[r].flight_work:
        if fail_action(p, m, v, o, i, r, name, error_type, message) == GOES_ON:
            advance(p, m, v, o, i, r)
        else:
            settle(p, m, v, o, i)
    else:
        raise_error(p, m, v, o, i, r, name, error_type, message, NONE)


@kernel
def end_succeeded(p: Rows, m: Rows, v: Cells, o: Output, i: int, w: int, result: int) -> None:
    """M4.1, M3.1: a result: `done` for the state's work, or the flight goes on."""
    r = owner_of(p, w)
    name = p[m[i + w].activity].name
    close_work(p, m, o, i, w)
    if w != p[r].flight_work:
        raise_done(p, m, v, o, i, r, result)
        return
    cell = m[i + p[r].slot]
    action = p[cell.action]
    if action.variable >= 0:
        fault = write(p, m, v, o, i, r, action.variable, result, 1, T_RESULT)
        if fault >= 0:
            if fail_action(p, m, v, o, i, r, name, fault, NONE) == GOES_ON:
                advance(p, m, v, o, i, r)
            else:
                settle(p, m, v, o, i)
            return
    cell.action += 1
    advance(p, m, v, o, i, r)


@kernel
def attempt_report(p: Rows, m: Rows, v: Cells, o: Output, i: int, k: int) -> None:
    """An executor's word on an attempt: started, succeeded or failed; of an ended one it is late (M5.4)."""
    me = m[i]
    row = m[i + k]
    w = work_of(p, m, i, row.serial)
    if w < 0 or m[i + w].attempt != row.attempt or m[i + w].phase > RUNNING:
        ignore(p, m, o, i, row, T_LATE)
    elif row.kind == ACTIVITY_STARTED:
        if m[i + w].phase == RUNNING:
            ignore(p, m, o, i, row, T_DUPLICATE)
            return
        m[i + w].phase = RUNNING
        drop_timer(m, o, i, clock_of(p, w, SCHEDULE_TO_START))
        if p[m[i + w].activity].start_to_close >= 0:
            set_timer(m, o, i, clock_of(p, w, START_TO_CLOSE), row.time + p[m[i + w].activity].start_to_close)
    elif row.kind == ACTIVITY_SUCCEEDED:
        end_succeeded(p, m, v, o, i, w, payload_of(p, m, i, k) + RESULT)
    elif retry_work(p, m, o, i, w, row.permanent) == 0:
        end_failed(p, m, v, o, i, w, row.error_type, row.reason)


@kernel
def clock_fired(p: Rows, m: Rows, v: Cells, o: Output, i: int, timer: int) -> None:
    """M5.3: an activity's clock expired, or its wait before the next attempt is over."""
    w = p[0].first_work + (timer - p[0].first_clock) // N_CLOCKS
    clock = (timer - p[0].first_clock) % N_CLOCKS
    work = m[i + w]
    m[i + timer].due = NONE
    if clock == RETRY:
        start_attempt(p, m, o, i, w)
        return
    error_type = T_SCHEDULE_TO_CLOSE
    permanent = 1
    if clock == START_TO_CLOSE:
        error_type = T_START_TO_CLOSE
        permanent = 1 - p[work.activity].retries_start_to_close
    elif clock == SCHEDULE_TO_START:
        error_type = T_SCHEDULE_TO_START
    r = owner_of(p, w)
    row = emit(m, o, i, R_ATTEMPT_TIMED_OUT)
    row.region = r
    row.state = m[i + p[r].slot].state
    row.activity = work.activity
    row.activity_id = work.serial
    row.attempt = work.attempt
    row.error_type = error_type
    effect = new_effect(o)
    effect.kind = CANCEL_ATTEMPT
    effect.activity = work.activity
    effect.activity_id = work.serial
    effect.attempt = work.attempt
    if retry_work(p, m, o, i, w, permanent) == 0:
        end_failed(p, m, v, o, i, w, error_type, NONE)


# === 6 Timers =====================================================================================


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
def state_timer_fired(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, k: int) -> None:
    """M6.2: `after` selects only its transition; an unhandled `timeout` becomes `error` Timeout.state."""
    timer = m[i + k].timer
    m[i + timer].due = NONE
    which = timer - p[r].first_timer
    event = p[0].timeout if which == 0 else p[0].after
    m[i + k].event = event
    t = choose(p, m, v, o, i, r, event, NONE, which, k)
    if t >= 0:
        take(p, m, v, o, i, r, t, k)
    elif t == RAISED:
        return
    elif which == 0:
        raise_error(p, m, v, o, i, r, p[m[i + p[r].slot].state].name, T_TIMEOUT_STATE, NONE, NONE)
    else:
        turn_away(p, m, o, i, R_EVENT_DISCARDED, m[i + k], T_CONDITION)


# === 7 Events =====================================================================================


@kernel
def dispatch_event(p: Rows, m: Rows, v: Cells, o: Output, i: int, k: int) -> None:
    """M2.3, M7.1: offer an event to every region that listens; nobody takes it: reject, defer or discard."""
    row = m[i + k]
    answer = choose_everywhere(p, m, v, o, i, row.event, k)
    if answer == TAKEN:
        reply(o, row.event_id, NONE)
        take_chosen(p, m, v, o, i, k)
        return
    reason = T_CONDITION if answer == REFUSED else T_NO_TRANSITION
    policy = p[row.event].unhandled
    if policy == DISCARD:
        turn_away(p, m, o, i, R_EVENT_DISCARDED, row, reason)
    elif policy == DEFER and m[i + DEFERRED].length < p[0].max_deferred:
        turn_away(p, m, o, i, R_EVENT_DEFERRED, row, reason)
        row.offered = m[i].commits
        row.holds += 1
        append(m, i, DEFERRED, k)
    else:
        turn_away(p, m, o, i, R_EVENT_REJECTED, row, T_MAX_DEFERRED if policy == DEFER else reason)


# === 2.1 Dispatching ==============================================================================


@kernel
def concerns_busy(p: Rows, m: Rows, i: int, row: Queued, block: int) -> int:
    """M2.2: 1 if the stimulus concerns a busy region, or one that an earlier held stimulus shares.

    With `block`, the regions it concerns are marked as shared.
    """
    if row.kind == EVENT:
        for at in range(p[row.event].first_listener, p[row.event].end_listener):
            cell = m[i + p[p[at].region].slot]
            if cell.phase == ACTIVE:
                if block:
                    cell.blocked = 1
                elif cell.blocked or cell.flight_phase != GROUNDED:
                    return 1
        return 0
    if row.kind == TIMER:
        r = region_of_timer(p, row.timer)
        if r >= 0:
            cell = m[i + p[r].slot]
            if block:
                cell.blocked = 1
            elif cell.blocked or cell.flight_phase != GROUNDED:
                return 1
    return 0


@kernel
def dispatch_automatic(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> int:
    """M2.6: condition-only transitions of idle regions."""
    head = p[0]
    if p[head.automatic].first_listener == p[head.automatic].end_listener:
        return 0
    if choose_everywhere(p, m, v, o, i, head.automatic, NONE) != TAKEN:
        return 0
    me = m[i]
    for r in range(head.first_region, head.first_region + head.n_regions):
        if m[i + p[r].slot].chosen >= 0:
            me.automatic += 1
    if me.automatic <= head.max_automatic:
        take_chosen(p, m, v, o, i, NONE)
    return 1


@kernel
def dispatch_internal(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> int:
    """M2.1, M2.2: the first raised `done` or `error` whose region is not busy."""
    me = m[i]
    k = m[i + INTERNAL].first
    while k >= 0:
        row = m[i + k]
        after = row.next
        if not is_active(p, m, i, row.region, row.activation):
            unlink(m, i, INTERNAL, k)
            me.cause = row.cause
            ignore(p, m, o, i, row, T_VOID)
            release(m, i, k)
            return 1
        if not is_busy(p, m, i, row.region):
            unlink(m, i, INTERNAL, k)
            me.cause = row.cause
            if row.kind == INTERNAL_DONE:
                offer_done(p, m, v, o, i, k)
            else:
                offer_error(p, m, v, o, i, k)
            release(m, i, k)
            return 1
        k = after
    return 0


@kernel
def dispatch_deferred(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> int:
    """M2.1: deferred events are offered once per commit, in arrival order; in vain: no row."""
    me = m[i]
    k = m[i + DEFERRED].first
    while k >= 0:
        row = m[i + k]
        after = row.next
        if row.offered < me.commits and not concerns_busy(p, m, i, row, 0):
            row.offered = me.commits
            cause = me.cause
            me.cause = row.cause
            if choose_everywhere(p, m, v, o, i, row.event, k) == TAKEN:
                unlink(m, i, DEFERRED, k)
                record = emit(m, o, i, R_EVENT_RECALLED)
                record.event = row.event
                record.event_id = row.event_id
                reply(o, row.event_id, NONE)
                take_chosen(p, m, v, o, i, k)
                release(m, i, k)
                return 1
            me.cause = cause
        k = after
    return 0


@kernel
def dispatch_stimulus(p: Rows, m: Rows, v: Cells, o: Output, i: int, k: int) -> None:
    """One waiting stimulus, already out of the queue."""
    row = m[i + k]
    if row.kind == EVENT:
        dispatch_event(p, m, v, o, i, k)
    elif row.kind == TIMER:
        timer = row.timer
        if m[i + timer].due < 0 or m[i + timer].id != row.serial:
            ignore(p, m, o, i, row, T_VOID)
        elif timer >= p[0].first_clock:
            clock_fired(p, m, v, o, i, timer)
        else:
            state_timer_fired(p, m, v, o, i, region_of_timer(p, timer), k)
    else:
        attempt_report(p, m, v, o, i, k)


@kernel
def dispatch_waiting(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> int:
    """M2.1, M2.2: the first waiting stimulus that is not held."""
    me = m[i]
    head = p[0]
    k = m[i + WAITING].first
    if k < 0:
        return 0
    for r in range(head.first_region, head.first_region + head.n_regions):
        m[i + p[r].slot].blocked = 0
    while k >= 0:
        row = m[i + k]
        after = row.next
        if concerns_busy(p, m, i, row, 0):
            concerns_busy(p, m, i, row, 1)
        else:
            unlink(m, i, WAITING, k)
            me.cause = row.cause
            dispatch_stimulus(p, m, v, o, i, k)
            release(m, i, k)
            return 1
        k = after
    return 0


@kernel
def run(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> None:
    """M2.1: everything dispatchable runs, starting over after each dispatch."""
    me = m[i]
    while me.status == RUNNING_STATUS:
        if me.automatic > p[0].max_automatic:
            close(p, m, v, o, i, FAILED, T_AUTOMATIC_CHAIN)
            return
        if dispatch_automatic(p, m, v, o, i):
            continue
        if dispatch_internal(p, m, v, o, i):
            continue
        if dispatch_deferred(p, m, v, o, i):
            continue
        if not dispatch_waiting(p, m, v, o, i):
            return


# === 8 Controls ===================================================================================


@kernel
def freeze_timers(p: Rows, m: Rows, o: Output, i: int) -> None:
    """M8.1: with `pause_timers: freeze`, state timers keep their remainder while paused."""
    me = m[i]
    for timer in range(p[0].first_timer + 1, p[0].first_clock):
        cell = m[i + timer]
        if cell.due > me.time:
            cell.left = cell.due - me.time
            effect = new_effect(o)
            effect.kind = DROP_TIMER
            effect.timer = timer
            effect.id = cell.id


@kernel
def thaw_timers(p: Rows, m: Rows, o: Output, i: int) -> None:
    """M8.1: frozen timers run on with their remainder, under their own ids."""
    me = m[i]
    for timer in range(p[0].first_timer + 1, p[0].first_clock):
        cell = m[i + timer]
        if cell.left >= 0:
            cell.due = me.time + cell.left
            cell.left = NONE
            effect = new_effect(o)
            effect.kind = SET_TIMER
            effect.timer = timer
            effect.id = cell.id
            effect.due = cell.due


@kernel
def resume(p: Rows, m: Rows, o: Output, i: int) -> None:
    """M8.1: dispatching goes on."""
    change_status(p, m, o, i, RUNNING_STATUS)
    thaw_timers(p, m, o, i)


@kernel
def offer_to_root(p: Rows, m: Rows, v: Cells, o: Output, i: int, event: int, reason: int) -> int:
    """M8.3: offer `cancel_requested` or `workflow_timeout` to the root's active state, at once, even paused."""
    r = p[0].root
    k = new_queued(p, m, v, o, i)
    m[i + k].kind = CONTROL
    m[i + k].event = event
    t = choose(p, m, v, o, i, r, event, NONE, NONE, k)
    if t >= 0:
        if m[i].status == PAUSED:
            resume(p, m, o, i)
        abort_flight(p, m, v, o, i, r, reason)
        take(p, m, v, o, i, r, t, k)
    release(m, i, k)
    return 0 if t == NO_TRANSITION or t == FALSE_CONDITION else 1  # noqa: PLR1714


@kernel
def retry_instance(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> None:
    """M8.2: enter every state of the kept configuration anew; the event whose transition failed is offered first."""
    me = m[i]
    head = p[0]
    change_status(p, m, o, i, RUNNING_STATUS)
    me.outcome = 0
    if head.workflow_timeout >= 0:
        set_timer(m, o, i, head.first_timer, me.time + head.workflow_timeout)
    for r in range(head.first_region, head.first_region + head.n_regions):
        cell = m[i + p[r].slot]
        if cell.phase == ACTIVE:
            show_entered(p, m, o, i, r, cell.state, T_RETRY)
            start_state(p, m, v, o, i, r, cell.state)
    if me.offer_again >= 0:
        prepend(m, i, WAITING, me.offer_again)
        me.offer_again = NONE


@kernel
def control(p: Rows, m: Rows, v: Cells, o: Output, i: int, inbox: Queued) -> None:
    """M8: pause, resume, cancel, terminate, retry. One that does not fit the status is ignored."""
    me = m[i]
    command = inbox.command
    is_open = RUNNING_STATUS <= me.status < COMPLETED
    if command == PAUSE and me.status == RUNNING_STATUS:
        change_status(p, m, o, i, PAUSED)
        if p[0].freeze:
            freeze_timers(p, m, o, i)
    elif command == RESUME and me.status == PAUSED:
        resume(p, m, o, i)
    elif command == CANCEL and is_open:
        if not offer_to_root(p, m, v, o, i, p[0].cancel_requested, T_CONTROL):
            change_status(p, m, o, i, CANCELLING)
            close(p, m, v, o, i, CANCELLED, inbox.reason)
    elif command == TERMINATE and is_open:
        close(p, m, v, o, i, TERMINATED, inbox.reason)
    elif command == RETRY_COMMAND and (me.status == FAILED or me.status == TIMED_OUT) and not me.told:  # noqa: PLR1714
        retry_instance(p, m, v, o, i)
    else:
        ignore(p, m, o, i, inbox, T_VOID)


# === 11 The step ==================================================================================


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
    if inbox.kind == START:
        row.key = me.key
        for k in range(head.n_variables):
            if p[head.first_variable + k].input and v[me.cells + k].tag != NULL:
                note(o, row.seq, p[head.first_variable + k].name, v[me.cells + k])
    elif inbox.kind == EVENT:
        note_payload(p, v, o, row.seq, inbox.event, payload)
    elif inbox.kind == TIMER:
        row.due = m[i + inbox.timer].due
        row.flight = inbox.serial
        r = region_of_timer(p, inbox.timer)
        if r >= 0:
            row.region = r
            row.state = m[i + p[r].slot].state
    else:
        row.activity_id = inbox.serial
        w = work_of(p, m, i, inbox.serial)
        if w >= 0:
            row.activity = m[i + w].activity
            row.region = owner_of(p, w)
            row.state = m[i + p[row.region].slot].state
        if inbox.kind == ACTIVITY_SUCCEEDED:
            note(o, row.seq, T_RESULT, v[payload + RESULT])


@kernel
def begin(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> None:
    """Start: the workflow timer (M6.4), then the initial configuration."""
    me = m[i]
    head = p[0]
    me.status = RUNNING_STATUS
    if head.workflow_timeout >= 0:
        set_timer(m, o, i, head.first_timer, me.time + head.workflow_timeout)
    show_entered(p, m, o, i, head.root, p[head.root].initial, NONE)
    start_state(p, m, v, o, i, head.root, p[head.root].initial)
    enter_inner(p, m, v, o, i, head.root)
    settle(p, m, v, o, i)


@kernel
def step(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> int:
    """M11.1: apply the stimulus in the inbox of the instance at row `i`. Returns its new version, the last `seq`."""
    me = m[i]
    inbox = m[i + INBOX]
    if inbox.time > me.time:
        me.time = inbox.time
    me.automatic = 0
    record_cause(p, m, v, o, i, inbox)
    retries = inbox.kind == CONTROL and inbox.command == RETRY_COMMAND
    if inbox.duplicate:
        ignore(p, m, o, i, inbox, T_DUPLICATE)
        if inbox.kind == EVENT:
            reply(o, inbox.event_id, T_DUPLICATE)
        return me.seq
    if me.status >= COMPLETED and not retries:
        late = inbox.kind != EVENT and inbox.kind != CONTROL and inbox.kind != TIMER
        ignore(p, m, o, i, inbox, T_LATE if late else (T_VOID if inbox.kind == TIMER else T_CLOSED))
        if inbox.kind == EVENT:
            reply(o, inbox.event_id, T_CLOSED)
        return me.seq
    if inbox.kind == START:
        begin(p, m, v, o, i)
    elif inbox.kind == CONTROL:
        control(p, m, v, o, i, inbox)
    elif inbox.kind == TIMER and inbox.timer == p[0].first_timer:
        if m[i + inbox.timer].due < 0 or m[i + inbox.timer].id != inbox.serial:
            ignore(p, m, o, i, inbox, T_VOID)
        else:
            m[i + inbox.timer].due = NONE
            if not offer_to_root(p, m, v, o, i, p[0].workflow_timeout_event, T_CONTROL):
                close(p, m, v, o, i, TIMED_OUT, T_WORKFLOW_TIMEOUT)
    elif inbox.kind == EVENT and inbox.refused >= 0:
        # M7.1: an undeclared name or an ill-typed payload is rejected at the door.
        turn_away(p, m, o, i, R_EVENT_REJECTED, inbox, inbox.refused)
    else:
        k = new_queued(p, m, v, o, i)
        row = m[i + k]
        row.kind = inbox.kind
        row.time = inbox.time
        row.event = inbox.event
        row.event_id = inbox.event_id
        row.cause = inbox.cause
        row.serial = inbox.serial
        row.attempt = inbox.attempt
        row.timer = inbox.timer
        row.error_type = inbox.error_type
        row.permanent = inbox.permanent
        row.reason = inbox.reason
        row.sender = inbox.sender
        source = me.cells + p[0].inbox_cells
        target = payload_of(p, m, i, k)
        for f in range(p[0].n_fields):
            copy_cell(v[source + f], v[target + f])
        append(m, i, WAITING, k)
    run(p, m, v, o, i)
    return me.seq
