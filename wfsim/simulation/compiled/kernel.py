"""The compiled calendar: what `wfsim.simulation.engine` does, in the same order, over rows behind bare pointers.

`simulate` runs until it lacks something, says what in its answer, and goes on where it was (`STATE.phase`) when it is
called again: nothing that it has begun is half done. What it puts out lies in `Run.log`, `Run.values` and `Run.done`.
What instances have to do with each other, and values that are expressions, it asks of Python in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

from wfsim.semantics.bare import LINE, copy_rows, prefetch, reader, rows_from
from wfsim.semantics.codes import (
    ACTIVITY_FAILED,
    ACTIVITY_STARTED,
    ACTIVITY_SUCCEEDED,
    CANCEL_ATTEMPT,
    CLOSED,
    COMPLETED,
    DROP_TIMER,
    EVENT,
    INBOX,
    NONE,
    NULL,
    R_STATE_ENTERED,
    R_TRANSITION,
    SEND_MESSAGE,
    SET_TIMER,
    START,
    START_ATTEMPT,
    START_CHILD,
    STOP_CHILD,
    TIMER,
)
from wfsim.semantics.draws import INPUT, PAYLOAD
from wfsim.semantics.draws import RESULT as RESULT_DRAW
from wfsim.semantics.speed import CELL, MEMORY, Outputs
from wfsim.simulation.calendar import SPARE_ENTRIES, Order
from wfsim.simulation.compiled.areas import give_back, has_block, keep_inbox, load, put_back, set_up, store
from wfsim.simulation.compiled.arrivals import next_arrival
from wfsim.simulation.compiled.calendar import (
    MOST_ENTRIES,
    ROOT,
    due,
    fetch,
    first,
    free,
    heapify,
    n_due,
    pop,
    push,
    void,
)
from wfsim.simulation.compiled.draws import fill_value
from wfsim.simulation.compiled.events import plan_event, resume_plans, state_of
from wfsim.simulation.compiled.layout import ARRIVES, COMES, DUE, ENDS, OPENS, STARTS, TOLD, VOID, Known, Run
from wfsim.simulation.compiled.log import log_records
from wfsim.simulation.compiled.workers import attempt_of, is_under_way, let_go, open_pool, plan_end, request

_njit: Callable[[Callable[..., Any]], Any] = numba.njit(nogil=True, error_model="numpy")

step: Any = None
work_with_clock: Any = None
mix_key: Any = None
"""Compiled functions of the kernel, which `roots` puts here where the calendar has to be compiled."""

known_at, run_at, out_at = reader(Known), reader(Run), reader(Outputs)

BEGIN, TAKE, PLACE, FILLED, KEEP, STEP, PUT_OUT, EFFECTS, TURNED = range(9)
"""Phases: begin; take the next happening; give an instance that Python lets in its place; put what Python has filled in
where it belongs; keep the instance as it is; let the step happen; log it; carry out its effects; and what follows."""

DONE, PAUSED, FLUSH, ROWS, ANSWER, OUTPUT, SLOTS, TABLES, UNIQUES, SHIFTS, GIVEN_UP, HAPPENS, FILL, EFFECT = range(14)
TURN, FOLLOW = range(14, 16)
"""Why it returned: nothing is due; the budget is used up; the log is full; an instance needs more rows; the step asks
something; a step puts out more than fits; there is no room for an instance; a table may be too small; texts of the next
arrivals are needed, or later shifts; a case has taken too many steps. And for Python to do: what is due; the values of
a stimulus; an effect; what a step means for others; what follows before the next happening."""

NEVER, AT_THE_END, ALWAYS = range(3)
"""When Python is told what a step of an instance means for others."""

_ROW, _CELL = MEMORY.itemsize, CELL.itemsize
_FOR_OTHERS = (START_CHILD, STOP_CHILD, SEND_MESSAGE)
_TIMER = int(Order.TIMER)
_WORKFLOW_TIMER = int(Order.WORKFLOW_TIMER)


# --- instances -------------------------------------------------------------------------------------------


@_njit
def free_slot(k: Any, r: Any, member: int) -> Any:
    """A slot for an instance of a member; -1 if there is no room for it."""
    s, given, slot = r.state[0], k.members[member], r.free[member]
    if not has_block(k, r, member):
        return NONE
    if slot >= 0:
        r.free[member] = r.cases[slot].next
        return slot
    full = s.n_slots >= s.slot_room or s.stays_end + given.n_regions > s.stays_room
    if full or s.timers_end + given.n_timers > s.timers_room:
        return NONE
    slot = s.n_slots
    s.n_slots += 1
    case = r.cases[slot]
    case.member, case.first_row, case.block = member, given.first_row, NONE
    case.stays, case.timers = s.stays_end, s.timers_end
    s.stays_end += given.n_regions
    s.timers_end += given.n_timers
    return slot


@_njit
def begin_case(k: Any, r: Any, slot: int, number: int, key: int) -> None:
    """A fresh instance in a slot."""
    s, case = r.state[0], r.cases[slot]
    set_up(k, r, slot)
    r.m[r.areas[case.member].m].key = key
    case.key = key
    case.number = number
    case.epoch += 1
    case.open = 1
    case.watched = NEVER
    case.seq = 0
    case.steps = 0
    case.path = 0
    case.started = s.now
    case.first_attempt = NONE
    case.first_track = NONE
    case.first_clock = NONE
    for region in range(k.members[case.member].n_regions):
        stay = r.stays[case.stays + region]
        stay.entered = NONE
        stay.current = NONE
        stay.planned = 0
    for timer in range(k.members[case.member].n_timers):
        r.timers[case.timers + timer] = NONE


# --- what is due -------------------------------------------------------------------------------------------


@_njit
def runs_timer(k: Any, r: Any, slot: int, timer: int, number: int) -> Any:
    """Whether the timer set under this id is still running at this place."""
    case = r.cases[slot]
    p, i = rows_from(k.p, case.first_row), r.areas[case.member].m
    if timer >= p[0].first_clock:
        return work_with_clock(p, r.m, i, number) >= 0
    cell = r.m[i + timer]
    return cell.id == number and cell.due >= 0 and cell.left < 0


@_njit
def is_awaited(k: Any, r: Any, entry: Any) -> Any:
    """Whether something would come of an entry of the calendar; its instance lies in its area then."""
    what, slot = entry.what, entry.slot
    if what in (STARTS, ENDS):
        return r.cases[slot].epoch == entry.epoch and is_under_way(r, entry)
    if what in (DUE, COMES):
        if r.cases[slot].epoch != entry.epoch:
            return False
        load(k, r, slot)
        return runs_timer(k, r, slot, entry.a, entry.b) if what == DUE else state_of(k, r, slot, entry.a, entry.b) >= 0
    return r.queues[entry.a].waiting > 0 if what == OPENS else what != VOID


@_njit
def may_come(k: Any, r: Any, entry: Any) -> Any:
    """Whether something may come of an entry, as far as that can be seen without its instance."""
    what, slot = entry.what, entry.slot
    if what in (VOID, ARRIVES, TOLD, OPENS):
        return what != VOID
    case = r.cases[slot]
    if case.epoch != entry.epoch:
        return False
    if what == COMES:
        stay = r.stays[case.stays + entry.a - k.p[case.first_row].first_region]
        return stay.entered >= 0 and stay.current == entry.b
    return what == DUE or is_under_way(r, entry)


@_njit
def tidy(k: Any, r: Any, rows: Any, first: int, n: int, exactly: bool) -> Any:
    """Keep only what somebody may wait for of so many entries from `first` on; returns how many."""
    kept = 0
    for i in range(n):
        row = rows[first + i]
        number = row.key & (MOST_ENTRIES - 1)
        entry = r.entries[number]
        if may_come(k, r, entry) and (not exactly or is_awaited(k, r, entry)):
            moved = rows[first + kept]
            moved.time, moved.key = row.time, row.key
            kept += 1
        else:
            free(r, number)
    return kept


@_njit
def take_clock(r: Any, case: Any, which: int) -> Any:
    """The entry of the clock with this id, which is then none of the case's any more; -1 if it has none."""
    before, number = NONE, case.first_clock
    while number >= 0 and r.entries[number].b != which:
        before, number = number, r.entries[number].c
    if number >= 0:
        if before < 0:
            case.first_clock = r.entries[number].c
        else:
            r.entries[before].c = r.entries[number].c
    return number


@_njit
def compact(k: Any, r: Any, exactly: bool) -> None:
    """Drop the entries that nobody waits for any more, so that the calendar follows what is open."""
    s = r.state[0]
    s.n_heap = tidy(k, r, r.heap, ROOT, s.n_heap, exactly)
    s.n_far = tidy(k, r, r.far, 0, s.n_far, exactly)
    s.n_live = n_due(s)
    heapify(r)


@_njit
def take_posted(r: Any) -> None:
    """Put what Python has posted into the calendar, in that order."""
    s = r.state[0]
    for n in range(s.n_posted):
        posted = r.posted[n]
        push(r, posted.time, posted.order, TOLD, NONE, 0, (posted.ticket, 0, 0, 0))
    s.n_posted = 0


@_njit
def begin(k: Any, r: Any, time: int) -> Any:
    """Put what is due now into the inbox of its instance; returns its slot, or -1 if nothing comes of it."""
    given, s, entry = k.settings[0], r.state[0], r.now[0]
    what, slot = entry.what, entry.slot
    if what != ARRIVES and not is_awaited(k, r, entry):
        return NONE
    s.now = time
    if what == ARRIVES:
        slot = free_slot(k, r, 0)
        begin_case(k, r, slot, entry.a, mix_key(given.seed, given.replication, entry.a))
        for which in range(given.first_input, given.end_input):
            fill_value(k, r, which, r.areas[0].v, (r.cases[slot].key, INPUT, 0, 0), entry.a)
        store(k, r, slot)
        s.n_started += 1
    elif what == ENDS:
        at = attempt_of(r, slot, entry.a, entry.b)
        # The activity is needed below, when its row is free already.
        s.activity = r.attempts[at].activity
        let_go(k, r, slot, at)
    load(k, r, slot)
    case = r.cases[slot]
    area, p = r.areas[case.member], rows_from(k.p, case.first_row)
    i = area.m
    copy_rows(r.m, i + INBOX, k.box, 0, 1)
    first = area.v + p[0].inbox_cells
    for n in range(p[0].n_fields):
        cell = r.v[first + n]
        cell.tag, cell.whole, cell.real = NULL, 0, 0.0
    inbox = r.m[i + INBOX]
    inbox.time = s.now
    if what == ARRIVES:
        inbox.kind = START
    elif what == DUE:
        inbox.kind, inbox.timer, inbox.serial = TIMER, entry.a, entry.b
    elif what == COMES:
        plan = k.plans[k.states[case.first_row + r.m[i + p[entry.a].slot].state].first_plan + entry.d]
        inbox.kind, inbox.event = EVENT, plan.event
        for which in range(plan.first_value, plan.end_value):
            fill_value(k, r, which, first, (case.key, PAYLOAD, entry.b, entry.c), 0)
        stay = r.stays[case.stays + entry.a - p[0].first_region]
        stay.activation, stay.n_events, stay.planned = entry.b, entry.c + 1, 1
        s.n_sent += 1
        s.again = plan.asks
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
            s.again = k.works[s.activity].asks
    return slot


@_njit
def fill_in(k: Any, r: Any, slot: int, starts: bool) -> None:
    """Put what Python has made of a stimulus into the instance: of a start with the inputs."""
    case = r.cases[slot]
    given, area = k.members[case.member], r.areas[case.member]
    if starts:
        copy_rows(r.v, area.v, r.door_v, 0, given.n_kept)
        store(k, r, slot)
    else:
        load(k, r, slot)
    first = k.p[case.first_row].inbox_cells
    copy_rows(r.m, area.m + INBOX, r.door_m, 0, 1)
    copy_rows(r.v, area.v + first, r.door_v, first, given.n_front - first)


# --- what follows a step -----------------------------------------------------------------------------------


@_njit
def drop_timer(r: Any, case: Any, which: int) -> None:
    """The entry of a timer, if it has one, is void."""
    number = r.timers[case.timers + which]
    if number >= 0:
        void(r, number)
        r.timers[case.timers + which] = NONE


@_njit
def carry_out(k: Any, r: Any, o: Any, slot: int) -> Any:
    """The effects of a step, in order; False before one that is for Python."""
    s, case = r.state[0], r.cases[slot]
    while s.effect < o.tally[0].effects:
        effect = o.effects[s.effect]
        kind = effect.kind
        if kind == SET_TIMER:
            head = k.p[case.first_row]
            order = _WORKFLOW_TIMER if effect.timer == head.first_timer else _TIMER
            number = push(r, effect.due, order, DUE, slot, case.epoch, (effect.timer, effect.id, NONE, 0))
            if effect.timer < head.first_clock:
                drop_timer(r, case, effect.timer - head.first_timer)
                r.timers[case.timers + effect.timer - head.first_timer] = number
            else:
                r.entries[number].c = case.first_clock
                case.first_clock = number
        elif kind == DROP_TIMER:
            head = k.p[case.first_row]
            if effect.timer < head.first_clock:
                drop_timer(r, case, effect.timer - head.first_timer)
            else:
                number = take_clock(r, case, effect.id)
                if number >= 0:
                    void(r, number)
        elif kind == START_ATTEMPT:
            request(k, r, slot, effect.activity_id, effect.attempt, case.first_row + effect.activity)
        elif kind == CANCEL_ATTEMPT:
            at = attempt_of(r, slot, effect.activity_id, effect.attempt)
            if at >= 0:
                let_go(k, r, slot, at)
        elif kind in _FOR_OTHERS or (kind == CLOSED and case.watched != NEVER):
            return False
        s.effect += 1
    return True


@_njit
def leave(k: Any, r: Any, slot: int) -> None:
    """A case is over: its slot is free."""
    s, case = r.state[0], r.cases[slot]
    done = r.done[s.n_cases]
    s.n_cases += 1
    done.case, done.key, done.started, done.seq, done.path = case.number, case.key, case.started, case.seq, case.path
    done.member = case.member
    while case.first_track >= 0:
        at = case.first_track
        case.first_track = r.tracks[at].next
        r.tracks[at].next = s.free_track
        s.free_track = at
        s.n_tracks -= 1
    for timer in range(k.members[case.member].n_timers):
        drop_timer(r, case, timer)
    number = case.first_clock
    while number >= 0:
        void(r, number)
        number = r.entries[number].c
    give_back(r, case)
    r.areas[case.member].slot = NONE
    case.open = 0
    case.epoch += 1
    case.next = r.free[case.member]
    r.free[case.member] = slot


@_njit
def react(k: Any, r: Any, o: Any, slot: int) -> Any:
    """Let the surroundings react to a step whose effects are carried out; False if the case was given up."""
    given, s, case, tally, entry = k.settings[0], r.state[0], r.cases[slot], o.tally[0], r.now[0]
    kept = True
    if r.m[r.areas[case.member].m].status >= COMPLETED:
        leave(k, r, slot)
        if case.number < given.first_child:
            s.n_closed += 1
    elif case.steps > given.most_steps:
        while case.first_attempt >= 0:
            let_go(k, r, slot, case.first_attempt)
        leave(k, r, slot)
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
    more = tally.records + 2 * tally.effects + 8
    if s.n_log + tally.records > s.log_room or s.n_values + tally.values > s.value_room or s.n_cases >= s.case_room:
        return FLUSH
    if n_due(s) + more > s.heap_room or s.n_attempts + more > s.attempt_room or s.n_tracks + more > s.track_room:
        return TABLES
    if s.n_paths + more > s.path_room:
        return TABLES
    if not has_block(k, r, r.cases[s.slot].member):
        return SLOTS
    for pool in range(k.settings[0].n_pools):
        if r.queues[pool].n + more > s.queue_room:
            return TABLES
    return DONE


# --- the run -----------------------------------------------------------------------------------------------


@_njit
def take_step(k: Any, r: Any, o: Any, slot: int) -> Any:
    """Let the step happen; what it lacked, or `DONE`."""
    s, case, tally = r.state[0], r.cases[slot], o.tally[0]
    if s.again:
        put_back(k, r, slot)
    expect_case(r)
    tally.records, tally.values, tally.effects, tally.full, tally.asked = 0, 0, 0, 0, 0
    tally.question, tally.left, tally.right, tally.wanted, tally.state, tally.payload = NONE, 0, 0, 0, 0, 0
    tally.n_answers = s.answers
    step(rows_from(k.p, case.first_row), r.m, r.v, o, r.areas[case.member].m)
    if tally.full == 0 and tally.question < 0:
        return DONE
    s.again = 1
    if tally.full == 0:
        return ANSWER
    most = max(tally.records, max(tally.values, tally.effects))
    return OUTPUT if tally.wanted > 0 or most >= s.output_room else ROWS


@_njit
def expect_case(r: Any) -> None:
    """What is due next will need its case."""
    if r.state[0].n_soon + r.state[0].n_heap > 0 and first(r).slot >= 0:
        prefetch(r.cases, first(r).slot, 2)


@_njit
def expect_block(k: Any, r: Any) -> None:
    """What is due next will need its instance."""
    if r.state[0].n_soon + r.state[0].n_heap > 0 and first(r).slot >= 0:
        case = r.cases[first(r).slot]
        if case.block >= 0:
            given, block = k.members[case.member], r.blocks[case.block]
            prefetch(r.block_m, block.m, given.n_base * _ROW // LINE + 1)
            prefetch(r.block_v, block.v, given.n_kept * _CELL // LINE + 1)


@_njit
def take(k: Any, r: Any) -> Any:
    """Take what is due next and begin with it; says what is lacking, or `DONE` if the next phase may follow."""
    given, s = k.settings[0], r.state[0]
    coming = first(r)
    if due(r) > s.shifts_until:
        s.wanted = due(r)
        return SHIFTS
    if coming.what == OPENS and n_due(s) + 8 > s.heap_room:
        return TABLES
    if coming.what == ARRIVES:
        if given.n_uniques > 0 and coming.a >= s.uniques_end:
            return UNIQUES
        slot = free_slot(k, r, 0)
        if slot < 0:
            return SLOTS
        # `begin` takes it again.
        r.cases[slot].next = r.free[0]
        r.free[0] = slot
    what = coming.what
    if what == DUE and r.cases[coming.slot].epoch == coming.epoch:
        case = r.cases[coming.slot]
        head = k.p[case.first_row]
        if coming.a < head.first_clock:
            r.timers[case.timers + coming.a - head.first_timer] = NONE
        else:
            take_clock(r, case, coming.b)
    time = pop(r)
    if what == VOID:
        return DONE
    if what == TOLD:
        s.now = time
        return HAPPENS
    if what == OPENS:
        s.now = time
        open_pool(k, r, r.now[0].a)
        return DONE
    s.again = 0
    slot = begin(k, r, time)
    if slot >= 0:
        s.slot = slot
        s.phase = KEEP
        if s.again:
            return FILL
    return DONE


@_njit
def run_on(k: Any, r: Any, o: Any) -> Any:
    """Let happen what is due, until something is lacking."""
    given, s, tally = k.settings[0], r.state[0], o.tally[0]
    if n_due(s) + s.n_posted + 8 > s.heap_room:
        return TABLES
    take_posted(r)
    if s.phase == BEGIN:
        next_arrival(k, r)
        s.phase = TAKE
    while True:
        if s.phase == TAKE:
            if s.follows:
                return FOLLOW
            if n_due(s) > 2 * s.n_live + SPARE_ENTRIES:
                compact(k, r, False)
            if s.n_soon == 0 and s.n_far > 0:
                fetch(r)
            if n_due(s) == 0 or (given.horizon >= 0 and due(r) > given.horizon):
                compact(k, r, True)
                return DONE
            if s.budget <= 0:
                return PAUSED
            why = take(k, r)
            if why != DONE:
                return why
            if s.phase == TAKE:
                continue
        if s.phase == PLACE:
            slot = free_slot(k, r, s.member)
            if slot < 0:
                return SLOTS
            begin_case(k, r, slot, s.number, s.key)
            r.cases[slot].watched = AT_THE_END
            r.now[0].what = TOLD
            s.slot = slot
            s.placed = slot
            fill_in(k, r, slot, True)
            s.phase = KEEP
        slot = s.slot
        case = r.cases[slot]
        if s.phase == FILLED:
            fill_in(k, r, slot, False)
            s.phase = KEEP
        if s.phase == KEEP:
            keep_inbox(k, r, slot)
            s.again = 0
            s.answers = 0
            s.phase = STEP
        if s.phase == STEP:
            why = take_step(k, r, o, slot)
            if why != DONE:
                return why
            s.phase = PUT_OUT
        if s.phase == PUT_OUT:
            why = has_room(k, r, o)
            if why != DONE:
                return why
            s.budget -= 1
            case.steps += 1
            s.n_steps += 1
            s.n_records += tally.records
            s.end_time = s.now
            expect_block(k, r)
            log_records(k, r, o, slot)
            store(k, r, slot)
            s.effect = 0
            s.phase = EFFECTS
        if s.phase == EFFECTS:
            if not carry_out(k, r, o, slot):
                return EFFECT
            s.phase = TURNED
            if case.watched == ALWAYS or (case.watched != NEVER and r.m[r.areas[case.member].m].status >= COMPLETED):
                return TURN
        if s.phase == TURNED:
            s.phase = TAKE
            if not react(k, r, o, slot):
                return GIVEN_UP


def simulate(known: Any, run: Any, o: Any) -> Any:
    """Let happen what is due, until something is lacking; says what."""
    return run_on(known_at(known), run_at(run), out_at(o))
