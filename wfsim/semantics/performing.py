"""Actions that wait for nothing: what an assignment writes, and what entering and leaving a state does (M3.3, M3.9)."""

from __future__ import annotations

from .codes import (
    BEFORE_COMMIT,
    FAULT,
    NONE,
    R_ERROR_RAISED,
    R_VARIABLES_SET,
    SEND,
    T_DONE,
    T_EXIT,
    T_IGNORED,
    T_RESULT,
    T_SEND,
)
from .internal import raise_error
from .kernel import Output, apart, emit, kernel, note
from .layout import Cells, Rows
from .messages import send
from .stack import evaluate
from .values import admit, copy_cell


@kernel
def write(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, variable: int, at: int, by: int) -> int:
    """Fit the value in cell `at` to a variable and write it: -1, or the error type. `by` says what writes it.

    Before the commit the write is private to the flight (M3.3), otherwise it is public and recorded at once, unless
    it lasts no longer than the step (M13.4).
    """
    cell = m[i + p[r].slot]
    fault = admit(p, v, o, variable, at, 1 if by == T_RESULT or by == T_DONE else 0)
    if fault >= 0:
        return fault
    k = variable - p[0].first_variable
    if cell.flight_phase == BEFORE_COMMIT:
        cell.wrote = 1
        copy_cell(v[at], v[m[i].cells + p[r].private_cells + k])
        return NONE
    copy_cell(v[at], v[m[i].cells + k])
    if p[variable].transient:
        return NONE
    row = emit(m, o, i, R_VARIABLES_SET)
    row.region = r
    row.state = cell.state
    row.reason = by
    note(o, row.seq, p[variable].name, v[at])
    return NONE


@apart
def show_ignored(p: Rows, m: Rows, o: Output, i: int, r: int, source: int, error_type: int) -> None:
    """M3.4: an action of region `r` has failed, and nothing comes of it."""
    row = emit(m, o, i, R_ERROR_RAISED)
    row.region = r
    row.state = m[i + p[r].slot].state
    row.source = source
    row.error_type = error_type
    row.reason = T_IGNORED


@apart
def perform(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, first: int, end: int, by: int) -> None:
    """M3.9: the actions `[first, end)` of entering or leaving region `r`'s state; `by` says which of the two.

    Nobody can hear that one fails on leaving, so the others follow; on entering the rest is skipped.
    """
    for a in range(first, end):
        source = p[m[i + p[r].slot].state].name
        if p[a].action == SEND:
            source = T_SEND
            fault = send(p, m, v, o, i, r, a, NONE, NONE)
        else:
            at = evaluate(p, m, v, o, i, p[a].code, NONE, NONE)
            fault = v[at].whole if v[at].tag == FAULT else write(p, m, v, o, i, r, p[a].variable, at, by)
        if fault < 0:
            continue
        if p[a].ignore or by == T_EXIT:
            show_ignored(p, m, o, i, r, source, fault)
        else:
            raise_error(p, m, v, o, i, r, source, fault)
            return
