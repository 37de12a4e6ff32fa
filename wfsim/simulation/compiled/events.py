"""Events that the surroundings plan for stays in states."""

from __future__ import annotations

from typing import Any

from wfsim.semantics.addresses import rows_from
from wfsim.semantics.codes import ACTIVE, GROUNDED, NONE, RUNNING_STATUS
from wfsim.semantics.draws import EVENT_CHOICE, EVENT_DELAY
from wfsim.semantics.later import njit
from wfsim.simulation.calendar import Order
from wfsim.simulation.compiled.calendar import push
from wfsim.simulation.compiled.draws import sample, whole
from wfsim.simulation.compiled.layout import COMES
from wfsim.simulation.compiled.spots import key_of, times

_njit = njit(nogil=True, error_model="numpy")

draw: Any = None
"""A compiled function of the kernel, which `roots` puts here where the calendar has to be compiled."""

_EVENT = int(Order.EVENT)


@_njit
def state_of(k: Any, r: Any, slot: int, region: int, activation: int) -> Any:
    """The state in which a stay of an instance that lies in its area goes on, or -1 if it is over."""
    case = r.cases[slot]
    cell = r.m[r.areas[case.member].m + k.p[case.first_row + region].slot]
    return cell.state if cell.phase == ACTIVE and cell.activation == activation else NONE


@_njit
def draw_event(k: Any, planned: Any, place: Any) -> Any:
    """Which event comes next to a stay, and after how long (`plans.EventDraws.draw`)."""
    key, nth, n_events = place
    first, last = planned.first_plan, planned.n_plans - 1
    which, delay = 0, 0.0
    if planned.race:
        for other in range(last + 1):
            plan = k.plans[first + other]
            after = sample(k, plan.law, draw(key ^ plan.name_key, EVENT_DELAY, nth, n_events))
            if other == 0 or after < delay:
                which, delay = other, after
        return which, delay
    if last > 0:
        wanted = draw(key, EVENT_CHOICE, nth, n_events) * k.plans[first + last].edge
        while which < last and not wanted < k.plans[first + which].edge:
            which += 1
    return which, sample(k, k.plans[first + which].law, draw(key, EVENT_DELAY, nth, n_events))


@_njit
def plan_event(k: Any, r: Any, slot: int, region: int, activation: int, n_events: int) -> None:
    """Draw which event comes next to a stay in a state, and when."""
    s, case, state = r.state[0], r.cases[slot], state_of(k, r, slot, region, activation)
    if state < 0:
        return
    planned = k.states[case.first_row + state]
    if planned.n_plans == 0 or n_events >= k.members[case.member].patience:
        return
    nth = times(k, r, case, planned.name)
    which, delay = draw_event(k, planned, (key_of(k, case, planned.name), nth, n_events))
    push(r, s.now + whole(delay), _EVENT, COMES, slot, case.epoch, (region, activation, n_events, which))


@_njit
def resume_plans(k: Any, r: Any, slot: int) -> None:
    """Where a delivered event left its state open, the surroundings try the next one."""
    case = r.cases[slot]
    p, given = rows_from(k.p, case.first_row), k.members[case.member]
    i, first = r.areas[case.member].m, p[0].first_region
    for number in range(given.n_regions):
        stay = r.stays[case.stays + number]
        if not stay.planned:
            continue
        if state_of(k, r, slot, first + number, stay.activation) < 0:
            stay.planned = 0
        elif r.m[i + p[first + number].slot].flight_phase == GROUNDED and r.m[i].status == RUNNING_STATUS:
            stay.planned = 0
            plan_event(k, r, slot, first + number, stay.activation, stay.n_events)
