"""Where is drawn for what a case does, as `wfsim.simulation.spots` says it."""

from __future__ import annotations

from typing import Any

from wfsim.semantics.addresses import rows_from
from wfsim.semantics.codes import IDLE
from wfsim.semantics.later import njit
from wfsim.simulation.spots import APART, NUMBERS

_njit = njit(nogil=True, error_model="numpy")


@_njit
def count(k: Any, r: Any, case: Any, name: int) -> Any:
    """How many-th time it is that a case does something of this name."""
    at = case.visits + name - k.members[case.member].first_name
    r.visits[at] += 1
    return r.visits[at]


@_njit
def key_of(k: Any, case: Any, name: int) -> Any:
    """With what is drawn for something of this name."""
    return case.luck ^ k.names[name].key


@_njit
def enter(k: Any, r: Any, case: Any, stay: Any, state: int) -> None:
    """A state is entered (`spots.Course.enter`)."""
    name = k.states[case.first_row + state].name
    if name > k.members[case.member].first_name:
        stay.nth = count(k, r, case, name)


@_njit
def note_spot(k: Any, r: Any, slot: int, record: Any, spot: Any) -> None:
    """Where is drawn for the attempt or the child that a record tells of (`spots.Course.spot`)."""
    case = r.cases[slot]
    p, i = rows_from(k.p, case.first_row), r.areas[case.member].m
    stay = r.stays[case.stays + record.region - p[0].first_region]
    flight = r.m[i + p[record.region].flight_work]
    if record.activity < 0 or flight.phase == IDLE or flight.serial != record.activity_id:
        spot.name = k.states[case.first_row + record.state].name
        spot.nth = (stay.nth + (record.index + 1) * APART) & NUMBERS
        return
    if record.attempt == 1:
        region, undoes = record.region, 0
        if flight.undoes >= 0:
            region, undoes = r.m[i + flight.undoes].region, 1
        calls = k.works[case.first_row + record.activity].calls
        stay.called = k.calls[calls + 2 * (region - p[0].first_region) + undoes]
        stay.nth_call = count(k, r, case, stay.called)
    spot.name, spot.nth = stay.called, stay.nth_call
