"""Where is drawn for what a case does, as `wfsim.simulation.spots` says it."""

from __future__ import annotations

from typing import Any

from wfsim.semantics.addresses import rows_from
from wfsim.semantics.codes import IDLE
from wfsim.semantics.later import njit
from wfsim.simulation.spots import APART, NUMBERS

_njit = njit(nogil=True, error_model="numpy")


@_njit
def times(k: Any, r: Any, case: Any, name: int) -> Any:
    """How often a case has done what has this name; of a state it is in, how many-th time it is."""
    return r.visits[case.visits + name - k.members[case.member].first_name]


@_njit
def count(k: Any, r: Any, case: Any, name: int) -> None:
    """A case does what has this name once more."""
    r.visits[case.visits + name - k.members[case.member].first_name] += 1


@_njit
def key_of(k: Any, case: Any, name: int) -> Any:
    """With what is drawn for something of this name."""
    return case.luck ^ k.names[name].key


@_njit
def enter(k: Any, r: Any, case: Any, state: int) -> None:
    """A state is entered; nothing is drawn in most."""
    name = k.states[case.first_row + state].name
    if name > k.members[case.member].first_name:
        count(k, r, case, name)


@_njit
def note_spot(k: Any, r: Any, slot: int, record: Any, spot: Any) -> None:
    """Where is drawn for the attempt or the child that a record tells of (`spots.Course.spot`)."""
    case = r.cases[slot]
    p, i = rows_from(k.p, case.first_row), r.areas[case.member].m
    flight = r.m[i + p[record.region].flight_work]
    if record.activity < 0 or flight.phase == IDLE or flight.serial != record.activity_id:
        spot.name = k.states[case.first_row + record.state].name
        spot.nth = (times(k, r, case, spot.name) + (record.index + 1) * APART) & NUMBERS
        return
    region, undoes = record.region, 0
    if flight.undoes >= 0:
        region, undoes = r.m[i + flight.undoes].region, 1
    calls = k.works[case.first_row + record.activity].calls
    spot.name = k.calls[calls + 2 * (region - p[0].first_region) + undoes]
    stay = r.stays[case.stays + record.region - p[0].first_region]
    if record.attempt == 1:
        count(k, r, case, spot.name)
        stay.nth_call = times(k, r, case, spot.name)
    spot.nth = stay.nth_call
