"""The compiled calendar: what `wfsim.simulation.engine` does, in the same order, over rows behind bare pointers.

`simulate` runs until it lacks something, says what in its answer, and goes on where it was (`STATE.phase`) when it is
called again: nothing that it has begun is half done. What it puts out lies in `Run.log`, `Run.values` and `Run.done`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

from wfsim.semantics.bare import copy_rows, out
from wfsim.semantics.codes import (
    ACTIVITY_FAILED,
    ACTIVITY_STARTED,
    ACTIVITY_SUCCEEDED,
    CANCEL_ATTEMPT,
    COMPLETED,
    EVENT,
    INBOX,
    NONE,
    NULL,
    R_STATE_ENTERED,
    R_TRANSITION,
    SET_TIMER,
    START,
    START_ATTEMPT,
    TIMER,
)
from wfsim.semantics.draws import ARRIVAL, INPUT, PAYLOAD
from wfsim.semantics.draws import RESULT as RESULT_DRAW
from wfsim.simulation.calendar import SPARE_ENTRIES, Order
from wfsim.simulation.compiled.calendar import MOST_ENTRIES, ROOT, first, free, heapify, pop, push
from wfsim.simulation.compiled.draws import fill_value, sample, whole
from wfsim.simulation.compiled.events import plan_event, resume_plans, state_of
from wfsim.simulation.compiled.layout import ARRIVES, COMES, DUE, ENDS, STARTS
from wfsim.simulation.compiled.log import log_records
from wfsim.simulation.compiled.workers import attempt_of, let_go, plan_end, request

_njit: Callable[[Callable[..., Any]], Any] = numba.njit(nogil=True, error_model="numpy")

step: Any = None
work_with_clock: Any = None
draw: Any = None
mix_key: Any = None
"""Compiled functions of the kernel, which `roots` puts here where the calendar has to be compiled."""

BEGIN, TAKE, STEP, PUT_OUT = range(4)
"""Phases: begin; take the next happening; let the step happen; log it and carry out its effects."""

DONE, PAUSED, FLUSH, ROWS, ANSWER, OUTPUT, SLOTS, TABLES, UNIQUES, GIVEN_UP = range(10)
"""Why it returned: nothing is due; the budget is used up; the log is full; an instance needs more rows; the step asks
something; a step puts out more than fits; no slot is free; a table may be too small; texts of the next arrivals are
needed; a case has taken too many steps."""

_EVENT = int(Order.EVENT)
_TIMER = int(Order.TIMER)
_WORKFLOW_TIMER = int(Order.WORKFLOW_TIMER)


# --- arrivals ----------------------------------------------------------------------------------------------


@_njit
def next_arrival(k: Any, r: Any) -> None:
    """Put the next arrival into the calendar, unless there is none."""
    given, s = k.settings[0], r.state[0]
    if given.cases >= 0 and s.n_arrived >= given.cases:
        return
    if given.interval < 0 and s.n_arrived >= given.n_times:
        return
    s.n_arrived += 1
    number = s.n_arrived
    if given.interval >= 0:
        s.moment += sample(k, given.interval, draw(given.run_key, ARRIVAL, number, 0))
        time = whole(s.moment)
    else:
        time = k.times[number - 1]
    if given.horizon < 0 or time <= given.horizon:
        push(r, time, _EVENT, ARRIVES, NONE, 0, (number, 0, 0, 0))


@_njit
def set_up(k: Any, r: Any, number: int) -> Any:
    """A fresh instance in a free slot, its inputs in place; returns the slot."""
    given, s = k.settings[0], r.state[0]
    slot = s.free_slot
    case = r.cases[slot]
    s.free_slot = case.next
    rows, cells = given.rows, given.cells
    copy_rows(r.m, slot * rows, k.m, 0, rows)
    copy_rows(r.v, slot * cells, k.v, 0, cells)
    me = r.m[slot * rows]
    me.cells = slot * cells
    me.key = mix_key(given.seed, given.replication, number)
    case.key = me.key
    case.number = number
    case.epoch += 1
    case.open = 1
    case.seq = 0
    case.steps = 0
    case.path = 0
    case.started = s.now
    case.first_attempt = NONE
    case.first_track = NONE
    for region in range(given.n_regions):
        stay = r.stays[slot * given.n_regions + region]
        stay.entered = NONE
        stay.planned = 0
    for which in range(given.first_input, given.end_input):
        fill_value(k, r, which, slot * cells, (me.key, INPUT, 0, 0), number)
    return slot


# --- what is due -------------------------------------------------------------------------------------------


@_njit
def runs_timer(k: Any, r: Any, slot: int, timer: int, number: int) -> Any:
    """Whether the timer set under this id is still running at this place."""
    i = slot * k.settings[0].rows
    if timer >= k.p[0].first_clock:
        return work_with_clock(k.p, r.m, i, number) >= 0
    cell = r.m[i + timer]
    return cell.id == number and cell.due >= 0 and cell.left < 0


@_njit
def is_awaited(k: Any, r: Any, entry: Any) -> Any:
    """Whether something would come of an entry of the calendar."""
    what, slot = entry.what, entry.slot
    if what == ARRIVES:
        return True
    if r.cases[slot].epoch != entry.epoch:
        return False
    if what == DUE:
        return runs_timer(k, r, slot, entry.a, entry.b)
    if what == COMES:
        return state_of(k, r, slot, entry.a, entry.b) >= 0
    return attempt_of(r, slot, entry.a, entry.b) >= 0


@_njit
def compact(k: Any, r: Any) -> None:
    """Drop the entries that nobody waits for any more, so that the calendar follows what is open."""
    s = r.state[0]
    n = 0
    for i in range(s.n_heap):
        row = r.heap[ROOT + i]
        number = row.key & (MOST_ENTRIES - 1)
        if is_awaited(k, r, r.entries[number]):
            kept = r.heap[ROOT + n]
            kept.time, kept.key = row.time, row.key
            n += 1
        else:
            free(r, number)
    s.n_heap = n
    s.n_live = n
    heapify(r)


@_njit
def begin(k: Any, r: Any) -> Any:
    """Put what is due now into the inbox of its instance; returns its slot, or -1 if nothing comes of it."""
    given, s, entry = k.settings[0], r.state[0], r.now[0]
    what, slot = entry.what, entry.slot
    if what != ARRIVES and not is_awaited(k, r, entry):
        return NONE
    s.now = entry.time
    if what == ARRIVES:
        slot = set_up(k, r, entry.a)
        s.n_started += 1
    elif what == ENDS:
        at = attempt_of(r, slot, entry.a, entry.b)
        # The activity is needed below, when its row is free already.
        s.activity = r.attempts[at].activity
        let_go(r, slot, at)
    i, cells = slot * given.rows, slot * given.cells
    copy_rows(r.m, i + INBOX, k.box, 0, 1)
    first = cells + k.p[0].inbox_cells
    for n in range(k.p[0].n_fields):
        cell = r.v[first + n]
        cell.tag, cell.whole, cell.real = NULL, 0, 0.0
    inbox = r.m[i + INBOX]
    inbox.time = s.now
    case = r.cases[slot]
    if what == ARRIVES:
        inbox.kind = START
    elif what == DUE:
        inbox.kind, inbox.timer, inbox.serial = TIMER, entry.a, entry.b
    elif what == COMES:
        cell = r.m[i + k.p[entry.a].slot]
        plan = k.plans[k.states[cell.state].first_plan + entry.d]
        inbox.kind, inbox.event = EVENT, plan.event
        for which in range(plan.first_value, plan.end_value):
            fill_value(k, r, which, first, (case.key, PAYLOAD, entry.b, entry.c), 0)
        stay = r.stays[slot * given.n_regions + entry.a - k.p[0].first_region]
        stay.activation, stay.n_events, stay.planned = entry.b, entry.c + 1, 1
        s.n_sent += 1
    else:
        inbox.serial, inbox.attempt = entry.a, entry.b
        if what == STARTS:
            inbox.kind = ACTIVITY_STARTED
        elif entry.c >= 0:
            failure = k.failures[k.works[s.activity].first_failure + entry.c]
            inbox.kind, inbox.error_type, inbox.permanent = ACTIVITY_FAILED, failure.error_type, failure.permanent
        else:
            inbox.kind = ACTIVITY_SUCCEEDED
            if k.works[s.activity].result >= 0:
                fill_value(k, r, k.works[s.activity].result, first, (case.key, RESULT_DRAW, entry.a, entry.b), 0)
    return slot


# --- what follows a step -----------------------------------------------------------------------------------


@_njit
def carry_out(k: Any, r: Any, o: Any, slot: int) -> None:
    """The effects of a step, in order."""
    epoch = r.cases[slot].epoch
    for n in range(o.tally[0].effects):
        effect = o.effects[n]
        if effect.kind == SET_TIMER:
            order = _WORKFLOW_TIMER if effect.timer == k.p[0].first_timer else _TIMER
            push(r, effect.due, order, DUE, slot, epoch, (effect.timer, effect.id, 0, 0))
        elif effect.kind == START_ATTEMPT:
            request(k, r, slot, effect.activity_id, effect.attempt, effect.activity)
        elif effect.kind == CANCEL_ATTEMPT:
            at = attempt_of(r, slot, effect.activity_id, effect.attempt)
            if at >= 0:
                let_go(r, slot, at)


@_njit
def leave(r: Any, slot: int) -> None:
    """A case is over: its slot is free."""
    s, case = r.state[0], r.cases[slot]
    done = r.done[s.n_cases]
    s.n_cases += 1
    done.case, done.key, done.started, done.seq, done.path = case.number, case.key, case.started, case.seq, case.path
    while case.first_track >= 0:
        at = case.first_track
        case.first_track = r.tracks[at].next
        r.tracks[at].next = s.free_track
        s.free_track = at
        s.n_tracks -= 1
    case.open = 0
    case.epoch += 1
    case.next = s.free_slot
    s.free_slot = slot


@_njit
def put_out(k: Any, r: Any, o: Any, slot: int) -> Any:
    """Log a step and let the surroundings react; False if the case was given up."""
    given, s, case, tally, entry = k.settings[0], r.state[0], r.cases[slot], o.tally[0], r.now[0]
    case.steps += 1
    s.n_steps += 1
    s.n_records += tally.records
    s.end_time = s.now
    log_records(k, r, o, slot)
    carry_out(k, r, o, slot)
    kept = True
    if r.m[slot * given.rows].status >= COMPLETED:
        leave(r, slot)
        s.n_closed += 1
    elif case.steps > given.most_steps:
        while case.first_attempt >= 0:
            let_go(r, slot, case.first_attempt)
        leave(r, slot)
        kept = False
    else:
        for n in range(tally.records):
            record = o.records[n]
            if record.kind == R_STATE_ENTERED or (record.kind == R_TRANSITION and record.to_state >= 0):
                plan_event(k, r, slot, record.region, record.activation, 0)
        resume_plans(k, r, slot)
        if entry.what == STARTS:
            plan_end(k, r, slot, entry.a, entry.b)
    if entry.what == ARRIVES:
        next_arrival(k, r)
    return kept


@_njit
def has_room(k: Any, r: Any, o: Any) -> Any:
    """What is too small for all that may follow this step, or `DONE`."""
    s, tally = r.state[0], o.tally[0]
    more = tally.records + tally.effects + 8
    if s.n_log + tally.records > s.log_room or s.n_values + tally.values > s.value_room or s.n_cases >= s.case_room:
        return FLUSH
    if s.n_heap + more > s.heap_room or s.n_attempts + more > s.attempt_room or s.n_tracks + more > s.track_room:
        return TABLES
    if s.n_paths + more > s.path_room:
        return TABLES
    for pool in range(k.settings[0].n_pools):
        if r.queues[pool].n + more > s.queue_room:
            return TABLES
    return DONE


@_njit
def lacks(o: Any, s: Any) -> Any:
    """What a step lacked, or `DONE`."""
    tally = o.tally[0]
    if tally.full == 0 and tally.question < 0:
        return DONE
    s.again = 1
    if tally.full == 0:
        return ANSWER
    most = max(tally.records, max(tally.values, tally.effects))
    return OUTPUT if tally.wanted > 0 or most >= s.output_room else ROWS


@_njit
def keep(k: Any, r: Any, slot: int) -> None:
    """Keep an instance as it is before its step, which may have to be repeated."""
    given, s = k.settings[0], r.state[0]
    copy_rows(r.kept_m, 0, r.m, slot * given.rows, given.rows)
    copy_rows(r.kept_v, 0, r.v, slot * given.cells, given.cells)
    s.again = 0
    s.answers = 0


@_njit
def run_on(k: Any, r: Any, o: Any) -> Any:
    """Let happen what is due, until something is lacking."""
    given, s, tally = k.settings[0], r.state[0], o.tally[0]
    if s.phase == BEGIN:
        next_arrival(k, r)
        s.phase = TAKE
    while True:
        if s.phase == TAKE:
            if s.n_heap == 0:
                return DONE
            coming = first(r)
            if given.horizon >= 0 and coming.time > given.horizon:
                return DONE
            if s.budget <= 0:
                return PAUSED
            if coming.what == ARRIVES:
                if s.free_slot < 0:
                    return SLOTS
                if given.n_uniques > 0 and coming.a >= s.uniques_end:
                    return UNIQUES
            pop(r)
            slot = begin(k, r)
            if slot < 0:
                continue
            s.slot = slot
            keep(k, r, slot)
            s.phase = STEP
        slot = s.slot
        if s.phase == STEP:
            if s.again:
                copy_rows(r.m, slot * given.rows, r.kept_m, 0, given.rows)
                copy_rows(r.v, slot * given.cells, r.kept_v, 0, given.cells)
            tally.records, tally.values, tally.effects, tally.full, tally.asked = 0, 0, 0, 0, 0
            tally.question, tally.left, tally.right, tally.wanted, tally.state, tally.payload = NONE, 0, 0, 0, 0, 0
            tally.n_answers = s.answers
            step(k.p, r.m, r.v, o, slot * given.rows)
            why = lacks(o, s)
            if why != DONE:
                return why
            s.phase = PUT_OUT
        why = has_room(k, r, o)
        if why != DONE:
            return why
        s.phase = TAKE
        s.budget -= 1
        if not put_out(k, r, o, slot):
            return GIVEN_UP
        if s.n_heap > 2 * s.n_live + SPARE_ENTRIES:
            compact(k, r)


def simulate(known: Any, run: Any, o: Any) -> Any:
    """Let happen what is due, until something is lacking; says what."""
    return run_on(out(known), out(run), out(o))
