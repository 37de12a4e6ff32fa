"""Compensation: the log's entries are undone newest first, one after another (M9)."""

from __future__ import annotations

from .codes import (
    INTEGER,
    LOG,
    NONE,
    R_COMPENSATION_FINISHED,
    R_COMPENSATION_STARTED,
    T_ENTRIES,
    T_FAILED,
)
from .kernel import Output, apart, emit, kernel, note_whole
from .layout import Cells, Rows
from .rows import unlink
from .work import drop_held, open_activity


@kernel
def in_scope(p: Rows, scope: int, state: int) -> int:
    """1 if `state` is the state `scope`, or lies in the state or region `scope`; everything lies in -1."""
    if scope < 0:
        return 1
    while state >= 0:
        if state == scope or p[state].region == scope:
            return 1
        state = p[p[state].region].parent_state
    return 0


@kernel
def is_due(p: Rows, m: Rows, i: int, k: int, scope: int, flight: int) -> int:
    """1 if the entry lies in the scope, nobody is undoing it, and this flight has not tried it."""
    entry = m[i + k]
    if entry.undoing or entry.tried == flight:
        return 0
    return in_scope(p, scope, entry.state)


@kernel
def note_entry(m: Rows, o: Output, i: int, k: int, seq: int, name: int) -> None:
    """Tie the number of an entry's activity to the record `seq`."""
    note_whole(o, seq, name, INTEGER, m[i + k].serial)


@apart
def next_entry(p: Rows, m: Rows, i: int, scope: int, flight: int) -> int:
    """The newest entry in the scope that nobody is undoing and this flight has not tried; -1 for none."""
    found = NONE
    k = m[i + LOG].first
    while k >= 0:
        if is_due(p, m, i, k, scope, flight):
            found = k
        k = m[i + k].next
    return found


@apart
def show_compensation(p: Rows, m: Rows, o: Output, i: int, r: int, scope: int, flight: int) -> None:
    """The `compensation_started` row, with the activities to be undone, oldest first."""
    row = emit(m, o, i, R_COMPENSATION_STARTED)
    row.region = r
    row.state = m[i + p[r].slot].state
    k = m[i + LOG].first
    while k >= 0:
        if is_due(p, m, i, k, scope, flight):
            note_entry(m, o, i, k, row.seq, T_ENTRIES)
        k = m[i + k].next


@apart
def undo_next(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, scope: int, flight: int) -> int:
    """M9.1: start the compensator of the next entry, in region `r`'s flight work; 0 if none is left."""
    k = next_entry(p, m, i, scope, flight)
    if k < 0:
        return 0
    entry = m[i + k]
    entry.undoing = 1
    entry.holds += 1
    entry.undo_serial = m[i].serials + 1
    m[i + p[r].flight_work].undoes = k
    open_activity(p, m, v, o, i, r, p[r].flight_work, p[entry.activity].undo, k)
    return 1


@apart
def end_undoing(m: Rows, i: int, k: int, succeeded: int, flight: int) -> None:
    """M9.2: an entry leaves the log when its compensator has succeeded, and stays when it has failed."""
    if succeeded:
        unlink(m, i, LOG, k)
        m[i + k].logged = 2
        drop_held(m, i, k)
    else:
        m[i + k].tried = flight


@apart
def finish_compensation(p: Rows, m: Rows, o: Output, i: int, r: int, flight: int) -> int:
    """The `compensation_finished` row, with the activities that could not be undone; returns how many."""
    row = emit(m, o, i, R_COMPENSATION_FINISHED)
    row.region = r
    row.state = m[i + p[r].slot].state
    failed = 0
    k = m[i + LOG].first
    while k >= 0:
        if m[i + k].tried == flight:
            failed += 1
            note_entry(m, o, i, k, row.seq, T_FAILED)
        k = m[i + k].next
    return failed
