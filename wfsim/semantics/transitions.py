"""Transitions: which one is chosen, and how it is taken, from its first action to its last (M2, M3, M4.3)."""

from __future__ import annotations

from .activations import (
    abort_flight,
    close,
    enter_inner,
    leave_regions,
    start_state,
)
from .codes import (
    ABSENT,
    ACTIVE,
    AFTER_COMMIT,
    BEFORE_COMMIT,
    COMPENSATE,
    COMPLETED,
    EVENT,
    FAILED_REGION,
    FAULT,
    FIRST_REGION,
    GROUNDED,
    IDLE,
    INTERNAL,
    INTERNAL_DONE,
    NONE,
    R_TRANSITION,
    R_TRANSITION_STARTED,
    RUN_ACTIVITY,
    RUNNING_STATUS,
    SEND,
    SUCCEEDED,
    SUCCESS,
    T_ERROR,
    T_EXIT,
    T_JOIN,
    T_JOIN_IMPOSSIBLE,
    T_LEFT,
    T_OUTER,
    T_POST_ACTION,
    T_SEND,
)
from .compensation import next_entry, show_compensation, undo_next
from .internal import add_message, add_origin, forget, raise_done, raise_error
from .items import cancel_work
from .kernel import Output, apart, emit, kernel, note
from .layout import Cells, Rows
from .messages import send
from .performing import perform, show_ignored, write
from .rows import payload_of, release
from .stack import evaluate
from .timers import drop_timer
from .values import copy_cell, is_true
from .work import hold_inputs, open_activity

# What offering an event to regions came to.
NOBODY, REFUSED, TAKEN = range(3)
# What an action came to.
GOES_ON, WAITS, STOPS = range(3)
# No such transition, a false condition, or a condition that raised (M2.5).
NO_TRANSITION, FALSE_CONDITION, RAISED = -1, -2, -3


# === 2 Choosing ===================================================================================


@kernel
def choose(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, event: int, entry: int) -> int:
    """M2.3 in one region: the first transition in file order whose condition holds.

    Returns its row, or NO_TRANSITION, FALSE_CONDITION, RAISED (M2.5). Nothing leaves a terminal state (M3.7).
    `entry` is the queued row whose payload conditions read; of an error its source counts too, of an `after` its timer.
    """
    cell = m[i + p[r].slot]
    state = p[cell.state]
    answer = NO_TRANSITION
    if state.terminal:
        return answer
    timer = m[i + entry].timer - p[r].first_timer if event == p[0].after_event and entry >= 0 else NONE
    for t in range(state.first_transition, state.end_transition):
        transition = p[t]
        if transition.event != event:
            continue
        if transition.error_source >= 0 and transition.error_source != m[i + entry].source:
            continue
        if timer > 0 and transition.timer != timer:
            continue
        if transition.condition < 0:
            return t
        payload = payload_of(p, m, i, entry) if entry >= 0 else NONE
        at = evaluate(p, m, v, o, i, transition.condition, NONE, payload)
        holds = is_true(v, at)
        if holds < 0:
            # M2.5: not false. Falling through could approve what a missing field should have stopped.
            origin = entry if entry >= 0 and m[i + entry].kind == EVENT else NONE
            add_origin(m, i, raise_error(p, m, v, o, i, r, state.name, v[at].whole), origin)
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
    for at in range(i + FIRST_REGION, i + FIRST_REGION + head.n_regions):
        m[at].chosen = NONE
        m[at].took = 0
    answer = NOBODY
    for at in range(p[event].end_listener - 1, p[event].first_listener - 1, -1):
        r = p[at].region
        cell = m[i + p[r].slot]
        if cell.phase != ACTIVE or cell.took or cell.flight_phase != GROUNDED or cell.stuck:
            continue
        t = choose(p, m, v, o, i, r, event, entry)
        if t >= 0 or t == RAISED:
            cell.chosen = t
            answer = TAKEN
            if p[r].parent >= 0:
                block_outer(p, m, i, r)
            if t == RAISED and event == head.automatic:
                # Not evaluated again until its error has been offered: it would raise for ever.
                cell.stuck = 1
                m[i].automatic += 1
        elif t == FALSE_CONDITION and answer == NOBODY:
            answer = REFUSED
    return answer


@kernel
def has_automatic(p: Rows, m: Rows, i: int) -> int:
    """1 if an idle region stands in a state that condition-only transitions leave (M2.6).

    Where none does, idle or not, this need not be asked until the next one is entered.
    """
    leavable = 0
    event = p[p[0].automatic]
    for at in range(event.first_listener, event.end_listener):
        cell = m[i + p[p[at].region].slot]
        if cell.automatic and cell.phase == ACTIVE:
            if cell.flight_phase == GROUNDED and not cell.stuck:
                return 1
            leavable = 1
    m[i].leavable = leavable
    return 0


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


@apart
def fail_flight(
    p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, source: int, error_type: int, message: int
) -> None:
    """M3.4: the rest is skipped, private writes are dropped, and `error` is raised in the active state."""
    cell = m[i + p[r].slot]
    origin = NONE
    if cell.flight_phase == BEFORE_COMMIT and cell.entry >= 0 and m[i + cell.entry].kind == EVENT:
        origin = cell.entry
    k = raise_error(p, m, v, o, i, r, source, error_type)
    add_message(p, m, v, i, k, message)
    add_origin(m, i, k, origin)
    abort_flight(p, m, v, o, i, r, T_ERROR)


@apart
def fail_action(
    p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, source: int, error_type: int, message: int
) -> int:
    """M3.4: a failed action stops the transition, unless it says `on_failure: ignore`."""
    cell = m[i + p[r].slot]
    if p[cell.action].ignore:
        show_ignored(p, m, o, i, r, source, error_type)
        cell.action += 1
        return GOES_ON
    fail_flight(p, m, v, o, i, r, source, error_type, message)
    return STOPS


@kernel
def run_action(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int) -> int:
    """M3.1: one action of the transition in flight."""
    me = m[i]
    cell = m[i + p[r].slot]
    action = p[cell.action]
    private = me.cells + p[r].private_cells if cell.flight_phase == BEFORE_COMMIT else NONE
    payload = payload_of(p, m, i, cell.entry) if cell.entry >= 0 else NONE
    if action.action == RUN_ACTIVITY:
        held = hold_inputs(p, m, v, o, i, cell.action, private, payload)
        if held < NONE:
            return fail_action(p, m, v, o, i, r, p[action.activity].name, -2 - held, NONE)
        show_started(p, m, v, o, i, r)
        open_activity(p, m, v, o, i, r, p[r].flight_work, action.activity, held)
        return WAITS
    if action.action == COMPENSATE:
        if next_entry(p, m, i, action.scope, cell.flight_number) < 0:
            cell.action += 1
            return GOES_ON
        show_started(p, m, v, o, i, r)
        show_compensation(p, m, o, i, r, action.scope, cell.flight_number)
        undo_next(p, m, v, o, i, r, action.scope, cell.flight_number)
        return WAITS
    if action.action == SEND:
        fault = send(p, m, v, o, i, r, cell.action, private, payload)
        if fault >= 0:
            return fail_action(p, m, v, o, i, r, T_SEND, fault, NONE)
        cell.action += 1
        return GOES_ON
    at = evaluate(p, m, v, o, i, action.code, private, payload)
    fault = v[at].whole if v[at].tag == FAULT else write(p, m, v, o, i, r, action.variable, at, T_POST_ACTION)
    if fault >= 0:
        return fail_action(p, m, v, o, i, r, p[cell.state].name, fault, NONE)
    cell.action += 1
    return GOES_ON


@kernel
def commit(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int) -> None:
    """M3.1, M3.8: leave, write, enter; one record, then what it ended, then what it entered."""
    me = m[i]
    region = p[r]
    cell = m[i + region.slot]
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
    private = me.cells + region.private_cells
    again = transition.target == cell.state
    if again:
        # M13.3: what the flight has set is of the new stay.
        forget(p, m, v, i, cell.state)
    if cell.wrote:
        cell.wrote = 0
        for k in range(p[0].n_variables):
            if v[private + k].tag != ABSENT:
                copy_cell(v[private + k], v[me.cells + k])
                v[private + k].tag = ABSENT
                if not p[p[0].first_variable + k].transient:
                    note(o, row.seq, p[p[0].first_variable + k].name, v[me.cells + k])
    cell.flight_phase = AFTER_COMMIT
    if transition.target < 0:
        return
    state = p[cell.state]
    if state.n_regions:
        leave_regions(p, m, v, o, i, r + 1, region.end_region, T_OUTER)
    if m[i + region.work].phase != IDLE:
        cancel_work(p, m, o, i, region.work, T_LEFT)
    for timer in range(region.first_timer, region.first_timer + region.n_timers):
        if m[i + timer].due >= 0:
            drop_timer(m, o, i, timer)
    if state.first_exit < state.end_exit:
        perform(p, m, v, o, i, r, state.first_exit, state.end_exit, T_EXIT)
    if state.first_datum < state.end_datum and not again:
        forget(p, m, v, i, cell.state)
    start_state(p, m, v, o, i, r, transition.target)
    if p[transition.target].n_regions:
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
        raise_error(p, m, v, o, i, r, p[s].name, T_JOIN_IMPOSSIBLE)


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
    me = m[i]
    if not me.endable:
        return
    head = p[0]
    me.endable = 0
    for number in range(head.n_regions - 1, -1, -1):
        r = head.first_region + number
        cell = m[i + FIRST_REGION + number]
        if cell.phase == ACTIVE and p[cell.state].terminal:
            # A failed post-action left an error behind: it is offered to the terminal state first (M3.4).
            if cell.flight_phase != GROUNDED or has_error(p, m, i, r, cell.activation):
                me.endable = 1
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
    advance(p, m, v, o, i, r)


@kernel
def take_chosen(p: Rows, m: Rows, v: Cells, o: Output, i: int, entry: int) -> None:
    """M2.4: start the chosen transitions in file order of their regions, as far as the regions still stand."""
    head = p[0]
    for number in range(head.n_regions):
        cell = m[i + FIRST_REGION + number]
        t = cell.chosen
        cell.chosen = NONE
        if t >= 0 and cell.phase == ACTIVE and cell.state == p[t].source and m[i].status == RUNNING_STATUS:
            take(p, m, v, o, i, head.first_region + number, t, entry)
