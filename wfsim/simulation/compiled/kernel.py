"""The compiled calendar: what `wfsim.simulation.engine` does, in the same order, over rows behind bare pointers.

`simulate` runs until it lacks something, says what in its answer, and goes on where it was (`STATE.phase`) when it is
called again: nothing that it has begun is half done. What it puts out lies in `Run.log`, `Run.values` and `Run.done`.
Times of traces and schedules, and values that are expressions, it asks of Python in the same way.
"""

from __future__ import annotations

from typing import Any

from wfsim.semantics.addresses import prefetch, reader, rows_from
from wfsim.semantics.bounds import LINE
from wfsim.semantics.codes import (
    CANCEL_ATTEMPT,
    CLOSED,
    COMPLETED,
    DROP_TIMER,
    NONE,
    R_STATE_ENTERED,
    R_TRANSITION,
    SEND_MESSAGE,
    SET_TIMER,
    START_ATTEMPT,
    START_CHILD,
    STOP_CHILD,
)
from wfsim.semantics.later import njit
from wfsim.semantics.speed import Outputs
from wfsim.simulation.calendar import SPARE_ENTRIES, Order
from wfsim.simulation.compiled.areas import put_back, store
from wfsim.simulation.compiled.arrivals import (
    arrive,
    begin_arrivals,
    come_again,
    follow_arrival,
    has_started,
    is_bad,
    lacks_for,
    lacks_supply,
    lose,
    release,
)
from wfsim.simulation.compiled.awaited import compact
from wfsim.simulation.compiled.calendar import (
    NOWHERE,
    due,
    fetch,
    first,
    is_old,
    n_due,
    pop,
    push,
    void,
)
from wfsim.simulation.compiled.cases import (
    begin_output,
    drop_timer,
    leave,
    take_clock,
    vacate,
)
from wfsim.simulation.compiled.crews import begin_workers
from wfsim.simulation.compiled.events import plan_event, resume_plans
from wfsim.simulation.compiled.families import (
    conceive,
    end_child,
    next_child,
    note_birth,
    refuse,
    stop_child,
    take_after,
)
from wfsim.simulation.compiled.kept import cancel, release_all, settle
from wfsim.simulation.compiled.keys import ask_for_key, free_key, link_keys, take_key
from wfsim.simulation.compiled.layout import (
    ARRIVES,
    DUE,
    EXPIRES,
    FIRST_MESSAGE,
    OPENS,
    RECEIVED,
    RETURNS,
    STARTS,
    TOLD,
    VOID,
    Known,
    Run,
)
from wfsim.simulation.compiled.letters import (
    BEGUN,
    fill_letter,
    free_letter,
    link_kept,
    part_with,
    post,
    send,
    take_letter,
    turn_back,
    welcome,
)
from wfsim.simulation.compiled.log import log_records
from wfsim.simulation.compiled.returns import (
    ANSWER,
    DONE,
    FAILS,
    FILL,
    FLUSH,
    GIVEN_UP,
    NAME,
    OUTPUT,
    PAUSED,
    REFUSES,
    ROWS,
    SHIFTS,
    SUPPLY,
    TABLES,
)
from wfsim.simulation.compiled.room import has_room
from wfsim.simulation.compiled.stimuli import begin, fill_in, inputs_fit
from wfsim.simulation.compiled.workers import attempt_of, let_go, open_pool, plan_end, request

_njit = njit(nogil=True, error_model="numpy")
_apart = njit(nogil=True, error_model="numpy", apart=True)

step: Any = None
"""A compiled function of the kernel, which `roots` puts here where the calendar has to be compiled."""

known_at, run_at, out_at = reader(Known), reader(Run), reader(Outputs)

BEGIN, TAKE, POST, PLACED, ENTER, REFUSED, RECEIVE, FILLED, READY, STEP, PUT_OUT, EFFECTS, TURNED = range(13)
"""Phases: begin; take the next happening; look where a letter goes; put inputs that Python has made where they belong;
let an instance in, or refuse it; put a letter into the inbox of who gets it; put what Python has filled in where it
belongs; a step may begin; let it happen; log it; carry out its effects; and what follows."""

_WORD = 8
_OF_LETTERS = (RECEIVED, RETURNS, EXPIRES)
_TIMER = int(Order.TIMER)
_WORKFLOW_TIMER = int(Order.WORKFLOW_TIMER)


# --- what follows a step -----------------------------------------------------------------------------------


@_njit
def noticed(k: Any, due: int) -> Any:
    """When a timer that is due then is noticed."""
    poll = k.settings[0].timer_poll
    return due if poll == 0 else -(-due // poll) * poll


@_njit
def carry_out(k: Any, r: Any, o: Any, slot: int) -> Any:
    """The effects of a step, in order; what is lacking before the next one, or `DONE`."""
    s, case = r.state[0], r.cases[slot]
    while s.effect < o.tally[0].effects:
        effect = o.effects[s.effect]
        kind = effect.kind
        if kind == SET_TIMER:
            head = k.p[case.first_row]
            order = _WORKFLOW_TIMER if effect.timer == head.first_timer else _TIMER
            number = push(r, noticed(k, effect.due), order, DUE, slot, case.epoch, (effect.timer, effect.id, NONE, 0))
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
            request(k, r, slot, effect, r.spots[effect.seq - o.records[0].seq])
        elif kind == CANCEL_ATTEMPT:
            at = attempt_of(r, slot, effect.activity_id, effect.attempt)
            if at >= 0:
                cancel(k, r, slot, at)
        elif kind == START_CHILD:
            why = conceive(k, r, o, slot, effect)
            if why != DONE:
                return why
        elif kind == STOP_CHILD:
            stop_child(r, slot, effect)
        elif kind == SEND_MESSAGE:
            why = send(k, r, o, slot, effect)
            if why != DONE:
                return why
        elif kind == CLOSED and not end_child(k, r, o, slot, effect):
            return ANSWER
        s.effect += 1
    return DONE


@_njit
def enter(k: Any, r: Any, o: Any, slot: int) -> Any:
    """Let an instance in that lies in its area with its inputs; what is lacking, or `DONE`."""
    given, s, case, tally = k.settings[0], r.state[0], r.cases[slot], o.tally[0]
    if s.n_births >= s.birth_room:
        return FLUSH
    if given.by_id and not 0 <= case.name < FIRST_MESSAGE:
        return NAME
    if given.writes and n_due(s) + s.n_kept + 8 > s.heap_room:
        return TABLES
    begin_output(r, o, case.member)
    arrives = case.stream >= 0
    if arrives and (is_bad(k, r) or not inputs_fit(k, r, o, slot)):
        s.holder, s.phase = NONE, REFUSED
        return REFUSES
    if k.p[case.first_row].key_cell >= 0:
        fits = ask_for_key(k, r, o, slot)
        if tally.question >= 0:
            return ANSWER
        if not fits:
            s.phase = REFUSED
            return DONE if case.parent_name >= 0 else REFUSES
        take_key(k, r, slot)
    case.open = 1
    store(k, r, slot, True)
    if arrives:
        has_started(r, slot)
    if case.stream == 0:
        s.n_started += 1
    else:
        s.n_others += case.stream > 0
        note_birth(r, slot)
    if given.writes:
        welcome(k, r, slot)
    s.phase = READY
    return DONE


@_njit
def react(k: Any, r: Any, o: Any, slot: int) -> Any:
    """Let the surroundings react to a step whose effects are carried out; False if the case was given up."""
    given, s, case, tally, entry = k.settings[0], r.state[0], r.cases[slot], o.tally[0], r.now[0]
    kept = True
    if r.m[r.areas[case.member].m].status >= COMPLETED:
        free_key(k, r, slot)
        part_with(k, r, slot)
        if case.stream >= 0:
            release(k, r, slot)
        leave(k, r, slot)
        if case.number < given.first_child:
            s.n_closed += 1
    elif case.steps > given.most_steps:
        release_all(k, r, slot)
        while case.first_attempt >= 0:
            let_go(k, r, slot, case.first_attempt, False)
        part_with(k, r, slot)
        if case.stream >= 0:
            lose(k, r, slot)
        leave(k, r, slot)
        if case.key_tag >= 0:
            # Its key remains taken, so nobody may come into its slot.
            r.free[case.member] = case.next
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
        follow_arrival(k, r)
    return kept


# --- the run -----------------------------------------------------------------------------------------------


@_njit
def take_step(k: Any, r: Any, o: Any, slot: int) -> Any:
    """Let the step happen; what it lacked, or `DONE`."""
    s, case, tally = r.state[0], r.cases[slot], o.tally[0]
    if s.again:
        put_back(k, r, slot)
    expect_case(r)
    begin_output(r, o, case.member)
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
    if is_old(r) and first(r).slot >= 0:
        prefetch(r.cases, first(r).slot, 2)


@_njit
def expect_block(k: Any, r: Any) -> None:
    """What is due next will need its instance."""
    if is_old(r) and first(r).slot >= 0:
        case = r.cases[first(r).slot]
        prefetch(r.words, case.w, k.members[case.member].n_words * _WORD // LINE)
        if case.block >= 0:
            prefetch(r.words, case.block, case.used * _WORD // LINE + 1)
        prefetch(r.timers, case.timers, 1)
        prefetch(r.stays, case.stays, 1)
        prefetch(r.visits, case.visits, 1)
        if case.first_attempt >= 0:
            prefetch(r.attempts, case.first_attempt, 1)
        if case.first_track >= 0:
            prefetch(r.tracks, case.first_track, 1)


@_njit
def take(k: Any, r: Any, o: Any) -> Any:
    """Take what is due next and begin with it; says what is lacking, or `DONE` if the next phase may follow."""
    s = r.state[0]
    coming = first(r)
    if due(r) > s.shifts_until:
        s.wanted = due(r)
        return SHIFTS
    if coming.what == OPENS and n_due(s) + 8 > s.heap_room:
        return TABLES
    if coming.what == RECEIVED and s.n_messages >= s.message_room:
        return TABLES
    if coming.what == ARRIVES:
        why = lacks_for(k, r, coming)
        if why != DONE:
            return why
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
    if what == ARRIVES:
        s.now = time
        why = arrive(k, r)
        if why != DONE:
            return max(why, DONE)
    if what == OPENS:
        # What comes of it is no step.
        s.now, s.sure = time, 0
        open_pool(k, r, r.now[0].a)
        return DONE
    s.again = 0
    if what in _OF_LETTERS:
        s.now = time
        slot = take_letter(k, r)
        if slot >= 0:
            s.slot, s.answers, s.phase = slot, 0, RECEIVE if what == RECEIVED else READY
        return DONE
    slot = begin(k, r, o, time)
    if slot >= 0:
        s.slot = slot
        s.answers = 0
        s.phase = ENTER if what == ARRIVES else READY
        if s.again:
            return FILL
    return DONE


@_njit
def run_on(k: Any, r: Any, o: Any) -> Any:
    """Let happen what is due, until something is lacking."""
    given, s, tally = k.settings[0], r.state[0], o.tally[0]
    s.sure = 0
    if n_due(s) + 8 > s.heap_room:
        return TABLES
    if s.linked != s.key_places:
        link_keys(k, r)
    if s.kept_linked != s.kept_places:
        link_kept(r)
    if s.phase == BEGIN:
        n_first = 8
        for which in range(given.n_streams):
            s.stream = which
            if lacks_supply(k, r, which):
                return SUPPLY
            n_first += k.streams[which].population + 1
        if n_due(s) + n_first > s.heap_room:
            s.follows = n_first
            return TABLES
        begin_workers(k, r)
        begin_arrivals(k, r)
        s.phase = TAKE
    while True:
        if s.phase == TAKE:
            if s.failed:
                return FAILS
            if s.end_after > 0:
                s.answers = 0
                if r.after[s.first_after].letter >= 0:
                    s.phase = POST
                else:
                    slot = next_child(k, r)
                    if slot < 0:
                        continue
                    r.now[0].what = TOLD
                    s.slot, s.phase = slot, ENTER
        if s.phase == POST:
            why = post(k, r, o, r.after[s.first_after].letter)
            if why > DONE:
                return why
            take_after(r)
            s.phase = ENTER if why == BEGUN else TAKE
            if s.phase == TAKE:
                continue
        if s.phase == TAKE:
            if n_due(s) > 2 * s.n_live + SPARE_ENTRIES:
                compact(k, r, False)
            if s.first_from == NOWHERE and s.n_far > 0:
                fetch(r)
            if n_due(s) == 0 or (given.horizon >= 0 and due(r) > given.horizon):
                compact(k, r, True)
                return DONE
            if s.budget <= 0:
                return PAUSED
            why = take(k, r, o)
            if why != DONE:
                return why
            if s.phase == TAKE:
                continue
        slot = s.slot
        case = r.cases[slot]
        if s.phase == PLACED:
            fill_in(k, r, slot, True)
            s.phase = ENTER
        if s.phase == ENTER:
            why = enter(k, r, o, slot)
            if why != DONE:
                return why
        if s.phase == REFUSED:
            s.phase = TAKE
            if case.parent_name >= 0:
                refuse(r, slot)
            else:
                vacate(r, slot)
                which = r.now[0].b
                if k.streams[which].population > 0:
                    come_again(k, r, which, r.now[0].a)
                follow_arrival(k, r)
            continue
        if s.phase == RECEIVE:
            why = fill_letter(k, r, o, slot)
            if why != DONE:
                return why
            s.phase = READY
        if s.phase == FILLED:
            fill_in(k, r, slot, False)
            s.phase = READY
        if s.phase == READY:
            if r.now[0].what == RECEIVED:
                free_letter(r, r.now[0].a)
                s.n_sent += 1
            s.again = 0
            s.answers = 0
            s.phase = STEP
        if s.phase == STEP:
            why = take_step(k, r, o, slot)
            if why != DONE:
                return why
            s.phase = PUT_OUT
        if s.phase == PUT_OUT:
            why = has_room(k, r, o, slot)
            if why != DONE:
                return why
            s.budget -= 1
            case.steps += 1
            s.n_steps += 1
            s.n_records += tally.records
            s.end_time = s.now
            expect_block(k, r)
            changed = log_records(k, r, o, slot)
            store(k, r, slot, changed)
            if given.n_keeping > 0:
                settle(k, r, slot)
            s.effect = 0
            s.phase = EFFECTS
        if s.phase == EFFECTS:
            why = carry_out(k, r, o, slot)
            if why != DONE:
                return why
            s.phase = TURNED
            if given.writes:
                turn_back(r, o)
        if s.phase == TURNED:
            s.phase = TAKE
            if not react(k, r, o, slot):
                return GIVEN_UP


def simulate(known: Any, run: Any, o: Any) -> Any:
    """Let happen what is due, until something is lacking; says what."""
    return run_on(known_at(known), run_at(run), out_at(o))
