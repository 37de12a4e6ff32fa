"""What comes to an instance is put into its inbox: what happens, what was drawn for it, what Python has made of it."""

from __future__ import annotations

from typing import Any

from wfsim.semantics.addresses import copy_rows, rows_from
from wfsim.semantics.codes import (
    ACTIVITY_FAILED,
    ACTIVITY_STARTED,
    ACTIVITY_SUCCEEDED,
    CHILD_CLOSED,
    CONTROL,
    EVENT,
    INBOX,
    NONE,
    START,
    TIMER,
)
from wfsim.semantics.draws import PAYLOAD
from wfsim.semantics.draws import RESULT as RESULT_DRAW
from wfsim.semantics.later import njit
from wfsim.simulation.compiled.areas import empty_inbox, load
from wfsim.simulation.compiled.arrivals import let_come
from wfsim.simulation.compiled.awaited import is_awaited
from wfsim.simulation.compiled.draws import fill_value
from wfsim.simulation.compiled.families import fill_child_ended
from wfsim.simulation.compiled.layout import AGAIN, ARRIVES, CHILD_ENDS, COMES, DUE, ENDS, STARTS, STOPS
from wfsim.simulation.compiled.spots import key_of, times
from wfsim.simulation.compiled.workers import attempt_of, let_go, plan_again
from wfsim.simulation.plans import SUCCEEDS

_njit = njit(nogil=True, error_model="numpy")
_apart = njit(nogil=True, error_model="numpy", apart=True)

admit: Any = None
"""A compiled function of the kernel, which `roots` puts here where the calendar has to be compiled."""


@_njit
def begin(k: Any, r: Any, o: Any, time: int) -> Any:
    """Put what is due now into the inbox of its instance; returns its slot, or -1 if nothing comes of it."""
    given, s, entry = k.settings[0], r.state[0], r.now[0]
    what, slot = entry.what, entry.slot
    if what != ARRIVES and not is_awaited(k, r, entry):
        return NONE
    s.now = time
    if what == ARRIVES:
        slot = let_come(k, r)
        s.again = k.streams[entry.b].asks
    elif what == ENDS:
        at = attempt_of(r, slot, entry.a, entry.b)
        # These are needed below, when its row is free already.
        s.activity, s.drawn, s.nth = r.attempts[at].activity, r.attempts[at].name, r.attempts[at].nth
        # Whether a worker stays with his case shows after its step.
        let_go(k, r, slot, at, True)
        if entry.c == SUCCEEDS:
            plan_again(k, r, slot, entry.a, entry.b)
    elif what == AGAIN:
        s.activity, s.drawn, s.nth = k.names[entry.c].runs, entry.c, entry.d
    load(k, r, slot)
    case = r.cases[slot]
    area, p = r.areas[case.member], rows_from(k.p, case.first_row)
    i, first = area.m, area.v + p[0].inbox_cells
    inbox = empty_inbox(k, r, slot)
    if what == ARRIVES:
        inbox.kind = START
    elif what == DUE:
        inbox.kind, inbox.timer, inbox.serial = TIMER, entry.a, entry.b
    elif what == COMES:
        planned = k.states[case.first_row + r.m[i + p[entry.a].slot].state]
        plan = k.plans[planned.first_plan + entry.d]
        inbox.kind, inbox.event = EVENT, plan.event
        if plan.first_value < plan.end_value:
            area.filled = 1
            place = key_of(k, case, planned.name), PAYLOAD, times(k, r, case, planned.name), entry.c
            for which in range(plan.first_value, plan.end_value):
                fill_value(k, r, which, first, place, 0)
        stay = r.stays[case.stays + entry.a - p[0].first_region]
        stay.activation, stay.n_events, stay.planned = entry.b, entry.c + 1, 1
        s.n_sent += 1
        s.again = plan.asks or (plan.checked and not payload_fits(k, r, o, slot, plan))
    elif what == CHILD_ENDS:
        inbox.kind, area.filled = CHILD_CLOSED, 1
        fill_child_ended(k, r, entry, inbox, first)
    elif what == STOPS:
        inbox.kind, inbox.command, inbox.reason = CONTROL, entry.a, given.parent
    else:
        inbox.serial, inbox.attempt = entry.a, entry.b
        if what == STARTS:
            inbox.kind = ACTIVITY_STARTED
        elif what == ENDS and entry.c != SUCCEEDS:
            failure = k.failures[k.works[s.activity].first_failure + entry.c]
            inbox.kind, inbox.error_type, inbox.policy = ACTIVITY_FAILED, failure.error_type, failure.policy
            inbox.retry_after = failure.retry_after
        else:
            inbox.kind = ACTIVITY_SUCCEEDED
            if k.works[s.activity].result >= 0:
                area.filled = 1
                place = key_of(k, case, s.drawn), RESULT_DRAW, s.nth, entry.b
                fill_value(k, r, k.works[s.activity].result, first, place, 0)
            s.again = k.works[s.activity].asks
    return slot


@_apart
def payload_fits(k: Any, r: Any, o: Any, slot: int, plan: Any) -> Any:
    """Whether what was drawn for an event can be its payload; else Python says what is wrong with it (M7.1)."""
    case = r.cases[slot]
    p, first = rows_from(k.p, case.first_row), r.areas[case.member].v + k.p[case.first_row].inbox_cells
    for which in range(plan.first_value, plan.end_value):
        value = k.values[which]
        # The first cell is that of what is not declared.
        row = p[plan.event].first_field + value.place - 1
        if value.checked and admit(p, r.v, o, row, first + value.place, 1) >= 0:
            return False
    return True


@_apart
def fill_in(k: Any, r: Any, slot: int, starts: bool) -> None:
    """Put what Python has made of a stimulus into the instance: of a start with the inputs."""
    case = r.cases[slot]
    given, area = k.members[case.member], r.areas[case.member]
    if starts:
        copy_rows(r.v, area.v, r.door_v, 0, given.n_kept)
    else:
        load(k, r, slot)
    first = k.p[case.first_row].inbox_cells
    copy_rows(r.m, area.m + INBOX, r.door_m, 0, 1)
    copy_rows(r.v, area.v + first, r.door_v, first, given.n_front - first)
    area.filled = 1


@_njit
def inputs_fit(k: Any, r: Any, o: Any, slot: int) -> Any:
    """Whether what was drawn for an arrival can be its inputs."""
    case = r.cases[slot]
    given = k.streams[case.stream]
    p, cells = rows_from(k.p, case.first_row), r.areas[case.member].v
    for which in range(given.first_input, given.end_input):
        value = k.values[which]
        if value.checked and admit(p, r.v, o, p[0].first_variable + value.place, cells + value.place, 1) >= 0:
            return False
    return True
