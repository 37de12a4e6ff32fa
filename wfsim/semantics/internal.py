"""Internal events, and small questions about regions and flights (M1.2, M2.2, M4.1, M4.2)."""

from __future__ import annotations

from .codes import (
    ABSENT,
    ACTIVE,
    CHILD_CLOSED,
    FIRST_REGION,
    GROUNDED,
    INTERNAL,
    INTERNAL_DONE,
    INTERNAL_ERROR,
    R_STIMULUS_IGNORED,
    STRING,
    TIMER,
)
from .kernel import Output, apart, emit, kernel
from .layout import Cells, Queued, Rows
from .rows import ERROR_MESSAGE, ERROR_SOURCE, ERROR_TYPE, RESULT, append, new_queued, payload_of
from .values import copy_cell, set_whole


@apart
def raise_error(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, source: int, error_type: int) -> int:
    """M4.2: `error` waits for the active state of region `r`; returns its row, for what else is known of it."""
    k = new_queued(p, m, v, o, i)
    row = m[i + k]
    row.kind = INTERNAL_ERROR
    row.event = p[0].error
    row.region = r
    row.activation = m[i + p[r].slot].activation
    row.source = source
    row.error_type = error_type
    payload = payload_of(p, m, i, k)
    set_whole(v[payload + ERROR_SOURCE], STRING, source)
    set_whole(v[payload + ERROR_TYPE], STRING, error_type)
    row.chained = m[i].answering
    append(m, i, INTERNAL, k)
    return k


@kernel
def add_message(p: Rows, m: Rows, v: Cells, i: int, k: int, message: int) -> None:
    """The error in row `k` has a message, unless that is -1."""
    if message >= 0:
        m[i + k].reason = message
        set_whole(v[payload_of(p, m, i, k) + ERROR_MESSAGE], STRING, message)


@kernel
def add_origin(m: Rows, i: int, k: int, origin: int) -> None:
    """The error in row `k` comes from a transition on the event in row `origin`, unless that is -1."""
    m[i + k].origin = origin
    if origin >= 0:
        m[i + origin].holds += 1


@kernel
def raise_done(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, result: int) -> None:
    """M4.1: `done` waits for the active state of region `r`; `result` is the index of its cell, -1 for none."""
    k = new_queued(p, m, v, o, i)
    row = m[i + k]
    row.kind = INTERNAL_DONE
    row.event = p[0].done
    row.region = r
    row.activation = m[i + p[r].slot].activation
    if result >= 0:
        copy_cell(v[result], v[payload_of(p, m, i, k) + RESULT])
    row.chained = m[i].answering
    append(m, i, INTERNAL, k)


@kernel
def is_active(p: Rows, m: Rows, i: int, r: int, activation: int) -> int:
    """1 if this activation of region `r`'s state is still open (M1.2)."""
    cell = m[i + p[r].slot]
    return 1 if cell.phase == ACTIVE and cell.activation == activation else 0


@kernel
def is_busy(p: Rows, m: Rows, i: int, r: int) -> int:
    """M2.2: 1 while one of the region's transitions is in flight."""
    return 1 if m[i + p[r].slot].flight_phase != GROUNDED else 0


@apart
def unblock(p: Rows, m: Rows, i: int) -> None:
    """M2.2: what comes may go to every region that is not busy, until a held stimulus concerns it."""
    m[i].blocks = 0
    for at in range(i + FIRST_REGION, i + FIRST_REGION + p[0].n_regions):
        m[at].blocked = 0


@kernel
def clear_private(p: Rows, m: Rows, v: Cells, i: int, r: int) -> None:
    """M3.3: the flight's own writes, if there are any, are gone."""
    cell = m[i + p[r].slot]
    if not cell.wrote:
        return
    cell.wrote = 0
    base = m[i].cells + p[r].private_cells
    for k in range(p[0].n_variables):
        v[base + k].tag = ABSENT


@apart
def restore(p: Rows, v: Cells, cells: int, variable: int) -> None:
    """A variable is what it was before anything set it."""
    initial = p[p[variable].initial]
    cell = v[cells + variable - p[0].first_variable]
    cell.tag = initial.tag
    cell.whole = initial.whole
    cell.real = initial.real


@kernel
def forget(p: Rows, m: Rows, v: Cells, i: int, s: int) -> None:
    """M13.3: what belongs to state `s` is gone."""
    for variable in range(p[s].first_datum, p[s].end_datum):
        restore(p, v, m[i].cells, variable)


@apart
def end_transients(p: Rows, m: Rows, v: Cells, i: int) -> None:
    """M13.4: what lives for one step has lived; so have writes of flights that wait."""
    head = p[0]
    for k in range(head.n_variables):
        if p[head.first_variable + k].transient:
            restore(p, v, m[i].cells, head.first_variable + k)
            for r in range(head.first_region, head.first_region + head.n_regions):
                v[m[i].cells + p[r].private_cells + k].tag = ABSENT


@apart
def ignore(p: Rows, m: Rows, o: Output, i: int, row: Queued, reason: int) -> None:
    """M1.2: a stimulus that names something ended, or came before, is recorded and never applied."""
    record = emit(m, o, i, R_STIMULUS_IGNORED)
    record.event = row.event
    record.event_id = row.event_id
    if row.kind == TIMER:
        record.timer_id = row.serial
    elif row.kind == CHILD_CLOSED:
        record.activation = row.serial
    else:
        record.activity_id = row.serial
    record.attempt = row.attempt
    record.timer = row.timer
    record.region = row.region
    record.reason = reason
