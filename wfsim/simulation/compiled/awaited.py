"""Whether something will come of an entry of the calendar; those of which nothing will are taken out now and then."""

from __future__ import annotations

from typing import Any

from wfsim.semantics.addresses import rows_from
from wfsim.semantics.later import njit
from wfsim.simulation.compiled.areas import load
from wfsim.simulation.compiled.calendar import MOST_ENTRIES, ROOT, free, heapify, look, n_due
from wfsim.simulation.compiled.events import state_of
from wfsim.simulation.compiled.layout import (
    AGAIN,
    ARRIVES,
    CHILD_ENDS,
    COMES,
    DUE,
    ENDS,
    EXPIRES,
    OPENS,
    RECEIVED,
    RETURNS,
    STARTS,
    STOPS,
    TOLD,
    VOID,
)
from wfsim.simulation.compiled.letters import is_kept
from wfsim.simulation.compiled.workers import is_under_way

_njit = njit(nogil=True, error_model="numpy")

_WHILE_OPEN = (AGAIN, CHILD_ENDS, STOPS, RETURNS)
"""Of these something comes as long as their instance is open."""

work_with_clock: Any = None
"""A compiled function of the kernel, which `roots` puts here where the calendar has to be compiled."""


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
def may_come(k: Any, r: Any, entry: Any) -> Any:
    """Whether something may come of an entry, as far as that can be seen without its instance."""
    what, slot = entry.what, entry.slot
    if what in (VOID, ARRIVES, TOLD, OPENS, RECEIVED):
        return what != VOID
    if what == EXPIRES:
        return is_kept(r, entry)
    case = r.cases[slot]
    if case.epoch != entry.epoch:
        return False
    if what == COMES:
        stay = r.stays[case.stays + entry.a - k.p[case.first_row].first_region]
        return stay.entered >= 0 and stay.current == entry.b
    return what == DUE or what in _WHILE_OPEN or is_under_way(r, entry)


@_njit
def is_awaited(k: Any, r: Any, entry: Any) -> Any:
    """Whether something would come of an entry of the calendar; its instance lies in its area then."""
    what, slot = entry.what, entry.slot
    if what in (STARTS, ENDS):
        return r.cases[slot].epoch == entry.epoch and is_under_way(r, entry)
    if what in _WHILE_OPEN:
        return r.cases[slot].epoch == entry.epoch
    if what in (DUE, COMES):
        # Of most events that nobody waits for this shows without the instance.
        if not may_come(k, r, entry):
            return False
        load(k, r, slot)
        return runs_timer(k, r, slot, entry.a, entry.b) if what == DUE else state_of(k, r, slot, entry.a, entry.b) >= 0
    if what == EXPIRES:
        return is_kept(r, entry)
    return r.queues[entry.a].waiting > 0 if what == OPENS else what != VOID


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
def compact(k: Any, r: Any, exactly: bool) -> None:
    """Drop the entries that nobody waits for any more, so that the calendar follows what is open."""
    s = r.state[0]
    s.n_heap = tidy(k, r, r.heap, ROOT, s.n_heap, exactly)
    s.n_near = tidy(k, r, r.near, s.first_near, s.n_near, exactly)
    s.n_far = tidy(k, r, r.far, 0, s.n_far, exactly)
    s.n_live = n_due(s)
    heapify(r)
    look(r)
