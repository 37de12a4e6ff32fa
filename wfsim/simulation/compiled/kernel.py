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
    ACTIVE,
    ACTIVITY_FAILED,
    ACTIVITY_STARTED,
    ACTIVITY_SUCCEEDED,
    CANCEL_ATTEMPT,
    COMPLETED,
    EVENT,
    FREE,
    GROUNDED,
    INBOX,
    NONE,
    NULL,
    R_ACTIVITY_CANCELLED,
    R_ACTIVITY_FAILED,
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_ATTEMPT_TIMED_OUT,
    R_EVENT_REJECTED,
    R_INSTANCE_CLOSED,
    R_STATE_ENTERED,
    R_STATE_LEFT,
    R_TRANSITION,
    RUNNING_STATUS,
    SET_TIMER,
    START,
    START_ATTEMPT,
    TIMER,
)
from wfsim.semantics.draws import ARRIVAL, ATTEMPT_FAILURE, DURATION, EVENT_CHOICE, EVENT_DELAY, INPUT, PAYLOAD
from wfsim.semantics.draws import RESULT as RESULT_DRAW
from wfsim.simulation.calendar import SPARE_ENTRIES, Order
from wfsim.simulation.compiled.calendar import heapify, pop, push
from wfsim.simulation.compiled.draws import fill_value, sample

_njit: Callable[[Callable[..., Any]], Any] = numba.njit(nogil=True, error_model="numpy")

step: Any = None
work_with_clock: Any = None
draw: Any = None
mix_key: Any = None
"""Compiled functions of the kernel, which `roots` puts here where the calendar has to be compiled."""

ARRIVES, STARTS, ENDS, COMES, DUE = range(5)
"""Sorts of happenings. Of `STARTS` and `ENDS` a and b are activity and attempt, c the failure or -1; of `COMES` a to d
are region, activation, number of the event, plan; of `DUE` a and b are timer and id."""

BEGIN, TAKE, STEP, PUT_OUT = range(4)
"""Phases: begin; take the next happening; let the step happen; log it and carry out its effects."""

DONE, PAUSED, FLUSH, ROWS, ANSWER, OUTPUT, SLOTS, TABLES, UNIQUES, GIVEN_UP, NOT_KEPT = range(11)
"""Why it returned: nothing is due; the budget is used up; the log is full; an instance needs more rows; the step asks
something; a step puts out more than fits; no slot is free; a table may be too small; texts of the next arrivals are
needed; a case has taken too many steps; a step that lacks something had not been kept, so all has to begin anew."""

_OF_ATTEMPTS = (
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_ACTIVITY_FAILED,
    R_ATTEMPT_TIMED_OUT,
    R_ACTIVITY_CANCELLED,
)
_RESULT = int(Order.RESULT)
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
        time = int(s.moment)
    else:
        time = k.times[number - 1]
    if given.horizon < 0 or time <= given.horizon:
        push(r, time, _EVENT, ARRIVES, NONE, 0, number, 0, 0, 0)


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


# --- workers -----------------------------------------------------------------------------------------------


@_njit
def attempt_of(r: Any, slot: int, serial: int, attempt: int) -> Any:
    """The row of an attempt that is under way, or -1."""
    at = r.cases[slot].first_attempt
    while at >= 0:
        row = r.attempts[at]
        if row.serial == serial and row.attempt == attempt:
            return at
        at = row.next
    return NONE


@_njit
def is_before(one: Any, other: Any) -> Any:
    """Whether a waiting attempt is served before another: by priority, high first, then by arrival."""
    if one.priority != other.priority:
        return one.priority > other.priority
    return one.ticket < other.ticket


@_njit
def wait_in(r: Any, pool: int, room: int, priority: int, at: int) -> None:
    """Let an attempt wait for a worker."""
    s, queue, first = r.state[0], r.queues[pool], pool * room
    s.tickets += 1
    row = r.attempts[at]
    row.waits = 1
    row.ticket = s.tickets
    queue.waiting += 1
    i = queue.n
    queue.n += 1
    last = r.queued[first + i]
    last.priority, last.ticket, last.attempt = priority, s.tickets, at
    while i > 0:
        above = (i - 1) >> 1
        if not is_before(r.queued[first + i], r.queued[first + above]):
            break
        swap(r, first + i, first + above)
        i = above


@_njit
def swap(r: Any, i: int, j: int) -> None:
    """Exchange two waiting attempts."""
    one, other = r.queued[i], r.queued[j]
    priority, ticket, attempt = one.priority, one.ticket, one.attempt
    one.priority, one.ticket, one.attempt = other.priority, other.ticket, other.attempt
    other.priority, other.ticket, other.attempt = priority, ticket, attempt


@_njit
def first_waiting(r: Any, pool: int, room: int) -> Any:
    """Take the attempt that is served next out of the queue; -1 if none waits."""
    queue, first = r.queues[pool], pool * room
    while queue.n > 0:
        top = r.queued[first]
        at, ticket = top.attempt, top.ticket
        queue.n -= 1
        n = queue.n
        swap(r, first, first + n)
        i = 0
        while True:
            best = 2 * i + 1
            if best >= n:
                break
            if best + 1 < n and is_before(r.queued[first + best + 1], r.queued[first + best]):
                best += 1
            if not is_before(r.queued[first + best], r.queued[first + i]):
                break
            swap(r, first + i, first + best)
            i = best
        # Who was cancelled meanwhile has left his entry behind.
        if r.attempts[at].waits and r.attempts[at].ticket == ticket:
            return at
    return NONE


@_njit
def request(k: Any, r: Any, slot: int, serial: int, attempt: int, activity: int) -> None:
    """An attempt is to be made: a worker takes it, or it waits."""
    s, case = r.state[0], r.cases[slot]
    work = k.works[activity]
    at = s.free_attempt
    row = r.attempts[at]
    s.free_attempt = row.next
    s.n_attempts += 1
    row.slot, row.epoch, row.serial, row.attempt = slot, case.epoch, serial, attempt
    row.activity, row.pool, row.waits, row.next = activity, work.pool, 0, NONE
    if case.first_attempt < 0:
        case.first_attempt = at
    else:
        last = case.first_attempt
        while r.attempts[last].next >= 0:
            last = r.attempts[last].next
        r.attempts[last].next = at
    if work.pool >= 0:
        queue = r.queues[work.pool]
        if queue.busy >= k.pools[work.pool].capacity:
            by_priority = k.pools[work.pool].by_priority
            wait_in(r, work.pool, s.queue_room, work.priority if by_priority else 0, at)
            return
        queue.busy += 1
    push(r, s.now, _RESULT, STARTS, slot, case.epoch, serial, attempt, 0, 0)


@_njit
def let_go(r: Any, slot: int, at: int) -> None:
    """An attempt is over: its worker, if any, takes the next."""
    s, case, row = r.state[0], r.cases[slot], r.attempts[at]
    if case.first_attempt == at:
        case.first_attempt = row.next
    else:
        before = case.first_attempt
        while r.attempts[before].next != at:
            before = r.attempts[before].next
        r.attempts[before].next = row.next
    waits, pool = row.waits, row.pool
    row.waits = 0
    row.ticket = NONE
    row.next = s.free_attempt
    s.free_attempt = at
    s.n_attempts -= 1
    if pool < 0:
        return
    queue = r.queues[pool]
    if waits:
        queue.waiting -= 1
        return
    queue.busy -= 1
    heir = first_waiting(r, pool, s.queue_room)
    if heir >= 0:
        taken = r.attempts[heir]
        taken.waits = 0
        queue.waiting -= 1
        queue.busy += 1
        push(r, s.now, _RESULT, STARTS, taken.slot, taken.epoch, taken.serial, taken.attempt, 0, 0)


@_njit
def plan_end(k: Any, r: Any, slot: int, serial: int, attempt: int) -> None:
    """An attempt has started: when will it end, and how?"""
    at = attempt_of(r, slot, serial, attempt)
    if at < 0:
        return
    s, case = r.state[0], r.cases[slot]
    work = k.works[r.attempts[at].activity]
    end = s.now + int(sample(k, work.law, draw(case.key, DURATION, serial, attempt)))
    failure = NONE
    if work.ends_ever > 0.0:
        u = draw(case.key, ATTEMPT_FAILURE, serial, attempt)
        for which in range(work.n_failures):
            if u < k.failures[work.first_failure + which].edge:
                failure = which
                break
        if failure < 0 and u < work.ends_ever:
            # The last way is never to report at all.
            return
    push(r, end, _RESULT, ENDS, slot, case.epoch, serial, attempt, failure, 0)


# --- events ------------------------------------------------------------------------------------------------


@_njit
def state_of(k: Any, r: Any, slot: int, region: int, activation: int) -> Any:
    """The state in which a stay goes on, or -1 if it is over."""
    cell = r.m[slot * k.settings[0].rows + k.p[region].slot]
    return cell.state if cell.phase == ACTIVE and cell.activation == activation else NONE


@_njit
def plan_event(k: Any, r: Any, slot: int, region: int, activation: int, n_events: int) -> None:
    """Draw which event comes next to a stay in a state, and when."""
    state = state_of(k, r, slot, region, activation)
    if state < 0 or k.states[state].n_plans == 0 or n_events >= k.settings[0].patience:
        return
    s, case, planned = r.state[0], r.cases[slot], k.states[state]
    which = 0
    if planned.n_plans > 1:
        last = planned.n_plans - 1
        wanted = draw(case.key, EVENT_CHOICE, activation, n_events) * k.plans[planned.first_plan + last].edge
        while which < last and not wanted < k.plans[planned.first_plan + which].edge:
            which += 1
    law = k.plans[planned.first_plan + which].law
    delay = sample(k, law, draw(case.key, EVENT_DELAY, activation, n_events))
    push(r, s.now + int(delay), _EVENT, COMES, slot, case.epoch, region, activation, n_events, which)


@_njit
def resume_plans(k: Any, r: Any, slot: int) -> None:
    """Where a delivered event left its state open, the surroundings try the next one."""
    given = k.settings[0]
    me, first = r.m[slot * given.rows], k.p[0].first_region
    for number in range(given.n_regions):
        stay = r.stays[slot * given.n_regions + number]
        if not stay.planned:
            continue
        if state_of(k, r, slot, first + number, stay.activation) < 0:
            stay.planned = 0
        elif r.m[slot * given.rows + k.p[first + number].slot].flight_phase == GROUNDED and me.status == RUNNING_STATUS:
            stay.planned = 0
            plan_event(k, r, slot, first + number, stay.activation, stay.n_events)


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
        if is_awaited(k, r, r.heap[i]):
            if n != i:
                copy_rows(r.heap, n, r.heap, i, 1)
            n += 1
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


# --- the log -----------------------------------------------------------------------------------------------


@_njit
def follow_attempt(r: Any, case: Any, record: Any, row: Any) -> None:
    """Times from scheduled to started, and from started to ended, of the attempt that a record tells of."""
    s = r.state[0]
    before, at = NONE, case.first_track
    while at >= 0 and r.tracks[at].serial != record.activity_id:
        before, at = at, r.tracks[at].next
    if record.kind == R_ACTIVITY_SCHEDULED:
        if at < 0:
            at = s.free_track
            s.free_track = r.tracks[at].next
            s.n_tracks += 1
            r.tracks[at].next = case.first_track
            case.first_track = at
        track = r.tracks[at]
        track.serial, track.attempt = record.activity_id, record.attempt
        track.scheduled, track.started = record.time, NONE
        return
    if at < 0 or r.tracks[at].attempt != record.attempt:
        return
    track = r.tracks[at]
    if record.kind == R_ACTIVITY_STARTED:
        if track.started < 0:
            track.started = record.time
            row.wait = record.time - track.scheduled
        return
    if track.started >= 0:
        row.service = record.time - track.started
    if before < 0:
        case.first_track = track.next
    else:
        r.tracks[before].next = track.next
    track.next = s.free_track
    s.free_track = at
    s.n_tracks -= 1


@_njit
def path_after(r: Any, path: int, state: int) -> Any:
    """The path that follows another by a state."""
    s = r.state[0]
    mask = s.path_places - 1
    place = (path * 1_000_003 + state * 7_919) & mask
    while True:
        number = r.places[place]
        if number == 0:
            break
        known = r.paths[number]
        if known.before == path and known.state == state:
            return number
        place = (place + 1) & mask
    s.n_paths += 1
    number = s.n_paths
    r.places[place] = number
    r.paths[number].before, r.paths[number].state = path, state
    return number


@_njit
def follow_state(k: Any, r: Any, slot: int, record: Any, row: Any) -> None:
    """The time in the state that a record ends, and the path so far."""
    given, kind = k.settings[0], record.kind
    enters = kind == R_STATE_ENTERED or (kind == R_TRANSITION and record.to_state >= 0)
    if record.region < 0 or not (enters or kind in (R_STATE_LEFT, R_INSTANCE_CLOSED)):
        return
    stay = r.stays[slot * given.n_regions + record.region - k.p[0].first_region]
    if kind != R_STATE_ENTERED and stay.entered >= 0:
        row.dwell = record.time - stay.entered
        row.entered_seq = stay.entered_seq
        stay.entered = NONE
    if enters:
        stay.entered, stay.entered_seq = record.time, record.seq
        if record.region == given.root:
            state = record.state if kind == R_STATE_ENTERED else record.to_state
            r.cases[slot].path = path_after(r, r.cases[slot].path, state)


@_njit
def log_records(k: Any, r: Any, o: Any, slot: int) -> None:
    """Log what a step has put out."""
    s, case, tally = r.state[0], r.cases[slot], o.tally[0]
    for n in range(tally.records):
        record, row = o.records[n], r.log[s.n_log]
        s.n_log += 1
        kind = record.kind
        row.case, row.kind, row.seq, row.time, row.cause = case.number, kind, record.seq, record.time, record.cause
        row.region, row.state, row.to_state = record.region, record.state, record.to_state
        row.event, row.event_id, row.activity = record.event, record.event_id, record.activity
        row.activity_id, row.attempt, row.error_type = record.activity_id, record.attempt, record.error_type
        row.status, row.outcome, row.reason = record.status, record.outcome, record.reason
        row.transition, row.flight, row.activation = record.transition, record.flight, record.activation
        row.timer, row.timer_id, row.due, row.delay = record.timer, record.timer_id, record.due, record.delay
        row.source, row.command, row.undoes = record.source, record.command, record.undoes
        row.index, row.message, row.key = record.index, record.message, record.key
        row.entered_seq, row.dwell, row.wait, row.service = NONE, NONE, NONE, NONE
        if kind in _OF_ATTEMPTS:
            follow_attempt(r, case, record, row)
        else:
            follow_state(k, r, slot, record, row)
            if kind == R_EVENT_REJECTED:
                given = k.settings[0]
                r.rejected[record.event * given.n_reasons + min(record.reason, given.n_reasons - 1)] += 1
                s.n_rejected += 1
        row.path = case.path
        case.seq = record.seq
    seq = position = NONE
    for n in range(tally.values):
        value, kept = o.values[n], r.values[s.n_values]
        s.n_values += 1
        position = position + 1 if value.seq == seq else 0
        seq = value.seq
        kept.case, kept.seq, kept.position = case.number, value.seq, position
        kept.name, kept.tag, kept.whole, kept.real = value.name, value.tag, value.whole, value.real


# --- what follows a step -----------------------------------------------------------------------------------


@_njit
def carry_out(k: Any, r: Any, o: Any, slot: int) -> None:
    """The effects of a step, in order."""
    epoch = r.cases[slot].epoch
    for n in range(o.tally[0].effects):
        effect = o.effects[n]
        if effect.kind == SET_TIMER:
            order = _WORKFLOW_TIMER if effect.timer == k.p[0].first_timer else _TIMER
            push(r, effect.due, order, DUE, slot, epoch, effect.timer, effect.id, 0, 0)
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
    if not s.kept:
        return NOT_KEPT
    s.again = 1
    if tally.full == 0:
        return ANSWER
    most = max(tally.records, max(tally.values, tally.effects))
    return OUTPUT if tally.wanted > 0 or most >= s.output_room else ROWS


@_njit
def keep(k: Any, r: Any, slot: int) -> None:
    """Keep an instance as it is before its step, if that may have to be repeated."""
    given, s = k.settings[0], r.state[0]
    s.kept = 1 if given.keeps or r.m[slot * given.rows + FREE].length < given.margin else 0
    if s.kept:
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
            first = r.heap[0]
            if given.horizon >= 0 and first.time > given.horizon:
                return DONE
            if s.budget <= 0:
                return PAUSED
            if first.what == ARRIVES:
                if s.free_slot < 0:
                    return SLOTS
                if given.n_uniques > 0 and first.a >= s.uniques_end:
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
