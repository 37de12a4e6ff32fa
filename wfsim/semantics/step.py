"""The step function: what one stimulus does to one instance (M2.1, M11): what is dispatched, and in which order.

`step(p, m, v, o, i)` takes the stimulus from the inbox of the instance at row `i`, changes its rows and cells,
and puts records, values and effects out. It reads no clock, environment or unordered collection (M11.3).
Offsets (`work`, `timer`, queued rows `k`) count from the instance's row `i`; regions, states, transitions and
activities are program rows.
"""

from __future__ import annotations

from .activations import (
    close,
    enter_inner,
    show_entered,
    start_state,
)
from .causes import record_cause, region_of_timer
from .codes import (
    ACTIVE,
    ACTIVITY,
    ACTIVITY_STARTED,
    CANCELLING,
    CHILD_CLOSED,
    COMPLETED,
    CONTROL,
    DEFER,
    DEFERRED,
    DISCARD,
    EVENT,
    FAILED,
    FIRST_REGION,
    GROUNDED,
    INBOX,
    INTERNAL,
    INTERNAL_DONE,
    MANY,
    MESSAGE_RETURNED,
    NONE,
    NULL,
    R_ERROR_RAISED,
    R_EVENT_DEFERRED,
    R_EVENT_DISCARDED,
    R_EVENT_RECALLED,
    R_EVENT_REJECTED,
    RETRY_COMMAND,
    RUNNING_STATUS,
    START,
    STRING,
    T_AUTOMATIC_CHAIN,
    T_CLOSED,
    T_CONDITION,
    T_CONTROL,
    T_DONE,
    T_DUPLICATE,
    T_FATE,
    T_INDEX,
    T_LATE,
    T_MAX_DEFERRED,
    T_MESSAGE,
    T_NO_TRANSITION,
    T_REJECTED,
    T_TAKEN,
    T_TIMEOUT_STATE,
    T_VOID,
    T_WORKFLOW_TIMEOUT,
    TIMED_OUT,
    TIMER,
    WAITING,
)
from .controls import control, offer_to_root
from .fates import reply, turn_away
from .internal import end_transients, ignore, is_active, is_busy, raise_error, unblock
from .kernel import Output, emit, kernel, move_inbox, note, note_whole
from .layout import Cells, Me, Queued, Rows
from .performing import write
from .reports import clock_fired, report
from .rows import ERROR_INDEX, ERROR_MESSAGE, RESULT, append, payload_of, prepend, release, take_row, unlink
from .timers import set_timer
from .transitions import (
    FALSE_CONDITION,
    RAISED,
    REFUSED,
    TAKEN,
    choose,
    choose_everywhere,
    has_automatic,
    settle,
    take,
    take_chosen,
)
from .values import copy_cell
from .work import work_of

# === 4 done and error =============================================================================


@kernel
def offer_done(p: Rows, m: Rows, v: Cells, o: Output, i: int, k: int) -> None:
    """M4.1: `done` writes the result, then is offered; unhandled it is discarded."""
    row = m[i + k]
    r = row.region
    state = p[m[i + p[r].slot].state]
    payload = payload_of(p, m, i, k)
    if state.result_variable >= 0:
        fault = write(p, m, v, o, i, r, state.result_variable, payload + RESULT, T_DONE)
        if fault >= 0:
            raise_error(p, m, v, o, i, r, p[state.activity].name if state.work == ACTIVITY else state.name, fault)
            return
    t = choose(p, m, v, o, i, r, p[0].done, k)
    if t >= 0:
        take(p, m, v, o, i, r, t, k)
    elif t != RAISED:
        turn_away(p, m, o, i, R_EVENT_DISCARDED, row, T_CONDITION if t == FALSE_CONDITION else T_NO_TRANSITION)


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
    payload = payload_of(p, m, i, k)
    if row.reason >= 0:
        note(o, record.seq, T_MESSAGE, v[payload + ERROR_MESSAGE])
    if v[payload + ERROR_INDEX].tag != NULL:
        note(o, record.seq, T_INDEX, v[payload + ERROR_INDEX])
    t = choose(p, m, v, o, i, r, p[0].error, k)
    if t >= 0:
        take(p, m, v, o, i, r, t, k)
        return
    if t == RAISED:
        return
    if p[r].parent >= 0:
        row.region = p[r].parent
        row.activation = m[i + p[p[r].parent].slot].activation
        row.holds += 1
        prepend(m, i, INTERNAL, k)
        if p[cell.state].terminal:
            # M3.7: the error of its post-action goes its own way; the region has ended.
            settle(p, m, v, o, i)
        return
    me.offer_again = row.origin
    if row.origin >= 0:
        m[i + row.origin].holds += 1
    close(p, m, v, o, i, TIMED_OUT if row.error_type == T_TIMEOUT_STATE else FAILED, row.error_type)


# === 6 Timers =====================================================================================


@kernel
def state_timer_fired(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, k: int) -> None:
    """M6.2: `after` selects only its transition; an unhandled `timeout` becomes `error` Timeout.state."""
    timer = m[i + k].timer
    m[i + timer].due = NONE
    m[i + k].region = r
    which = timer - p[r].first_timer
    event = p[0].timeout_event if which == 0 else p[0].after_event
    m[i + k].event = event
    t = choose(p, m, v, o, i, r, event, k)
    if t >= 0:
        take(p, m, v, o, i, r, t, k)
    elif t == RAISED:
        return
    elif which == 0:
        raise_error(p, m, v, o, i, r, p[m[i + p[r].slot].state].name, T_TIMEOUT_STATE)
    else:
        turn_away(p, m, o, i, R_EVENT_DISCARDED, m[i + k], T_CONDITION)


# === 7 Events =====================================================================================


@kernel
def dispatch_event(p: Rows, m: Rows, v: Cells, o: Output, i: int, k: int) -> None:
    """M2.3, M7.1: offer an event to every region that listens; nobody takes it: reject, defer or discard."""
    row = m[i + k]
    m[i].automatic += row.chained
    answer = choose_everywhere(p, m, v, o, i, row.event, k)
    if answer == TAKEN:
        reply(o, row.event_id, T_TAKEN, NONE)
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
def is_held(p: Rows, m: Rows, i: int, row: Queued) -> int:
    """M2.2: 1 if the stimulus concerns a busy region, or one that an earlier held stimulus shares."""
    if row.kind == EVENT:
        for at in range(p[row.event].first_listener, p[row.event].end_listener):
            cell = m[i + p[p[at].region].slot]
            if cell.phase == ACTIVE and (cell.blocked or cell.flight_phase != GROUNDED):
                return 1
    elif row.kind == TIMER:
        r = region_of_timer(p, row.timer)
        if r >= 0 and (m[i + p[r].slot].blocked or m[i + p[r].slot].flight_phase != GROUNDED):
            return 1
    return 0


@kernel
def block_regions(p: Rows, m: Rows, i: int, row: Queued) -> None:
    """M2.2: what a held stimulus concerns, nothing later gets at before it."""
    if row.kind == EVENT:
        for at in range(p[row.event].first_listener, p[row.event].end_listener):
            cell = m[i + p[p[at].region].slot]
            if cell.phase == ACTIVE:
                cell.blocked = 1
                m[i].blocks = 1
    elif row.kind == TIMER:
        r = region_of_timer(p, row.timer)
        if r >= 0:
            m[i + p[r].slot].blocked = 1
            m[i].blocks = 1


@kernel
def dispatch_automatic(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> int:
    """M2.6: condition-only transitions of idle regions."""
    head = p[0]
    if choose_everywhere(p, m, v, o, i, head.automatic, NONE) != TAKEN:
        return 0
    me = m[i]
    for at in range(i + FIRST_REGION, i + FIRST_REGION + head.n_regions):
        if m[at].chosen >= 0:
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
            # M2.6: what answers to an answer goes by itself, and might raise the next one for ever.
            me.automatic += row.chained
            me.answering = 1
            if row.kind == INTERNAL_DONE:
                offer_done(p, m, v, o, i, k)
            else:
                offer_error(p, m, v, o, i, k)
            me.answering = 0
            release(m, i, k)
            return 1
        k = after
    return 0


@kernel
def dispatch_deferred(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> int:
    """M2.1: deferred events are offered once per commit, in arrival order; in vain: no row.

    Leaves the regions marked that a held one shares with what comes later (M2.2), for `dispatch_waiting`.
    """
    me = m[i]
    k = m[i + DEFERRED].first
    while k >= 0:
        row = m[i + k]
        after = row.next
        if row.offered >= me.commits:
            k = after
            continue
        if is_held(p, m, i, row):
            block_regions(p, m, i, row)
        else:
            row.offered = me.commits
            cause = me.cause
            me.cause = row.cause
            if choose_everywhere(p, m, v, o, i, row.event, k) == TAKEN:
                unlink(m, i, DEFERRED, k)
                record = emit(m, o, i, R_EVENT_RECALLED)
                record.event = row.event
                record.event_id = row.event_id
                reply(o, row.event_id, T_TAKEN, NONE)
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
    elif row.kind != TIMER:
        w = work_of(p, m, i, row.serial, 1 if row.kind == CHILD_CLOSED else 0)
        report(p, m, v, o, i, row, payload_of(p, m, i, k) + RESULT, w)
    elif row.timer >= p[0].first_clock:
        clock_fired(p, m, v, o, i, row)
    elif m[i + row.timer].due < 0 or m[i + row.timer].id != row.serial:
        ignore(p, m, o, i, row, T_VOID)
    else:
        state_timer_fired(p, m, v, o, i, region_of_timer(p, row.timer), k)


@kernel
def arrive(p: Rows, m: Rows, v: Cells, o: Output, i: int, w: int) -> None:
    """M2.1: what is in the inbox is dispatched, since all that waits already is held (M2.2); or it is held too.

    A report is of the work at offset `w`, or of none that is open.
    """
    me = m[i]
    inbox = m[i + INBOX]
    # What a condition makes of the time comes first (M2.6).
    is_next = me.status == RUNNING_STATUS and not me.leavable
    if is_next and inbox.kind >= ACTIVITY_STARTED:
        # A step only reads its inbox, and fits a result where it lies: in a scratch cell.
        result = me.cells + p[0].queue_cells + RESULT
        copy_cell(v[me.cells + p[0].inbox_cells + RESULT], v[result])
        report(p, m, v, o, i, inbox, result, w)
        return
    k = take_row(p, m, v, o, i)
    row = move_inbox(p, m, v, i, k)
    if k == p[0].first_queued:
        row.holds = MANY
        return
    row.holds = 1
    if is_next and not is_held(p, m, i, row):
        dispatch_stimulus(p, m, v, o, i, k)
        release(m, i, k)
    else:
        append(m, i, WAITING, k)


@kernel
def dispatch_waiting(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> int:
    """M2.1, M2.2: the first waiting stimulus that is not held. Deferred events come before it, offered or held."""
    me = m[i]
    k = m[i + WAITING].first
    while k >= 0:
        row = m[i + k]
        if not is_held(p, m, i, row):
            unlink(m, i, WAITING, k)
            me.cause = row.cause
            dispatch_stimulus(p, m, v, o, i, k)
            release(m, i, k)
            return 1
        block_regions(p, m, i, row)
        k = row.next
    return 0


@kernel
def dispatch_while_cancelling(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> int:
    """M8.3: only compensators are left: events wait until the instance closes, and are rejected then (M7.1)."""
    me = m[i]
    k = m[i + WAITING].first
    while k >= 0:
        row = m[i + k]
        if row.kind != EVENT:
            unlink(m, i, WAITING, k)
            me.cause = row.cause
            dispatch_stimulus(p, m, v, o, i, k)
            release(m, i, k)
            return 1
        k = row.next
    return 0


@kernel
def run(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> None:
    """M2.1: everything dispatchable runs, starting over after each dispatch."""
    me = m[i]
    while me.status == CANCELLING:
        if not dispatch_while_cancelling(p, m, v, o, i):
            return
    while me.status == RUNNING_STATUS:
        if me.automatic > p[0].max_automatic:
            close(p, m, v, o, i, FAILED, T_AUTOMATIC_CHAIN)
            return
        if me.leavable and has_automatic(p, m, i) and dispatch_automatic(p, m, v, o, i):
            continue
        if m[i + INTERNAL].first >= 0 and dispatch_internal(p, m, v, o, i):
            continue
        deferred = m[i + DEFERRED].first
        if deferred < 0 and m[i + WAITING].first < 0:
            return
        if me.blocks:
            unblock(p, m, i)
        if deferred >= 0 and dispatch_deferred(p, m, v, o, i):
            continue
        if not dispatch_waiting(p, m, v, o, i):
            return


# === 11 The step ==================================================================================


@kernel
def begin(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> None:
    """Start: the workflow timer (M6.4), then the initial configuration."""
    me = m[i]
    head = p[0]
    me.status = RUNNING_STATUS
    me.has_parent = 1 if m[i + INBOX].sender >= 0 else 0
    if head.workflow_timeout >= 0:
        set_timer(m, o, i, head.first_timer, me.time + head.workflow_timeout)
    show_entered(p, m, o, i, head.root, p[head.root].initial, NONE)
    start_state(p, m, v, o, i, head.root, p[head.root].initial)
    enter_inner(p, m, v, o, i, head.root)
    settle(p, m, v, o, i)


@kernel
def step(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> int:
    """M11.1: apply the stimulus in the inbox of the instance at row `i`. Returns its new version, the last `seq`."""
    me: Me = m[i]
    head = p[0]
    inbox = m[i + INBOX]
    kind = inbox.kind
    # M6.1: never decreasing.
    if inbox.time < me.time:
        inbox.time = me.time
    me.time = inbox.time
    me.automatic = 0
    w = record_cause(p, m, v, o, i, inbox)
    if inbox.fate >= 0:
        ignore(p, m, o, i, inbox, T_DUPLICATE)
        if kind == EVENT:
            note_whole(o, me.seq, T_FATE, STRING, inbox.fate)
            reply(o, inbox.event_id, inbox.fate, T_DUPLICATE)
        return me.seq
    if me.status >= COMPLETED and not (kind == CONTROL and inbox.command == RETRY_COMMAND):
        late = kind != EVENT and kind != CONTROL and kind != TIMER
        ignore(p, m, o, i, inbox, T_LATE if late else (T_VOID if kind == TIMER else T_CLOSED))
        if kind == EVENT:
            reply(o, inbox.event_id, T_REJECTED, T_CLOSED)
        return me.seq
    if ACTIVITY_STARTED <= kind <= CHILD_CLOSED:
        arrive(p, m, v, o, i, w)
    elif kind == START:
        begin(p, m, v, o, i)
    elif kind == CONTROL:
        control(p, m, v, o, i, inbox)
    elif kind == TIMER and inbox.timer == head.first_timer:
        if m[i + inbox.timer].due < 0 or m[i + inbox.timer].id != inbox.serial:
            ignore(p, m, o, i, inbox, T_VOID)
        else:
            m[i + inbox.timer].due = NONE
            if not offer_to_root(p, m, v, o, i, head.workflow_timeout_event, T_CONTROL):
                close(p, m, v, o, i, TIMED_OUT, T_WORKFLOW_TIMEOUT)
    elif kind == TIMER and inbox.timer < head.first_clock and m[i + inbox.timer].left >= 0:
        # M8.1: frozen, so not running; it will be due again after the pause.
        ignore(p, m, o, i, inbox, T_VOID)
    elif kind == EVENT and inbox.refused >= 0:
        # M7.1: an undeclared name or an ill-typed payload is rejected at the door.
        turn_away(p, m, o, i, R_EVENT_REJECTED, inbox, inbox.refused)
    elif kind == MESSAGE_RETURNED:
        # M7.3: recorded at the sender, and nothing else.
        return me.seq
    else:
        arrive(p, m, v, o, i, w)
    run(p, m, v, o, i)
    if head.transients:
        end_transients(p, m, v, i)
    return me.seq
