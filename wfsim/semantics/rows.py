"""Queued rows and their payloads, and the lists in which what waits lies."""

from __future__ import annotations

from .codes import FREE, MANY, NONE, NULL
from .kernel import Output, clear_cells, fresh_queued, grow, kernel, note
from .layout import Cells, Rows

# Payload cells: the first holds what is not a declared field, as one object; then the fields in order.
EXTRAS = 0


RESULT = 1


ERROR_SOURCE, ERROR_TYPE, ERROR_MESSAGE, ERROR_INDEX = 1, 2, 3, 4


# Of the work of an item: its value until its inputs are known, then what came of it, as a result or an error.
ITEM = 1


@kernel
def note_payload(p: Rows, v: Cells, o: Output, seq: int, event: int, payload: int) -> None:
    """Tie an event's payload to a record; fields that are null are left out, an undeclared event has only extras."""
    if event >= 0:
        row = p[event]
        for f in range(row.n_fields):
            if v[payload + 1 + f].tag != NULL:
                note(o, seq, p[row.first_field + f].name, v[payload + 1 + f])
    if v[payload + EXTRAS].tag != NULL:
        note(o, seq, NONE, v[payload + EXTRAS])


@kernel
def payload_of(p: Rows, m: Rows, i: int, k: int) -> int:
    """Index of the first payload cell of the queued row `k` rows after `Me`; -1 for none."""
    if k < 0:
        return NONE
    head = p[0]
    cell: int = m[i].cells + head.queue_cells + (k - head.first_queued) * head.n_fields
    return cell


@kernel
def take_row(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> int:
    """A row from the free list, or a new one; what it is to be, and its payload, the caller makes of it."""
    free = m[i + FREE]
    if free.first < 0:
        grown: int = grow(p, m, v, o, i)
        return grown
    k: int = free.first
    free.first = m[i + k].next
    free.length -= 1
    return k


@kernel
def new_row(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> int:
    """A row with a null payload; what it is to be, the caller makes of it."""
    k = take_row(p, m, v, o, i)
    payload = payload_of(p, m, i, k)
    clear_cells(v, payload, payload + p[0].n_fields)
    return k


@kernel
def new_queued(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> int:
    """A fresh queued row with a null payload."""
    k = new_row(p, m, v, o, i)
    row = fresh_queued(m, i + k)
    row.time = m[i].time
    row.cause = m[i].cause
    row.holds = MANY if k == p[0].first_queued else 1
    return k


@kernel
def free_row(m: Rows, i: int, k: int) -> None:
    """Put a row back into the free list, unless it is the scratch row."""
    row = m[i + k]
    if row.holds >= MANY:
        return
    free = m[i + FREE]
    row.next = free.first
    free.first = k
    free.length += 1


@kernel
def release(m: Rows, i: int, k: int) -> None:
    """Let go of a queued row; the last holder frees it, and what it holds in turn."""
    while k >= 0:
        row = m[i + k]
        row.holds -= 1
        if row.holds > 0:
            return
        free_row(m, i, k)
        k = row.origin


@kernel
def append(m: Rows, i: int, which: int, k: int) -> None:
    """Put a queued row at the end of a list."""
    row = m[i + k]
    if row.holds >= MANY:
        return
    line = m[i + which]
    row.next = NONE
    if line.last >= 0:
        m[i + line.last].next = k
    else:
        line.first = k
    line.last = k
    line.length += 1


@kernel
def prepend(m: Rows, i: int, which: int, k: int) -> None:
    """Put a queued row at the head of a list."""
    if m[i + k].holds >= MANY:
        return
    line = m[i + which]
    m[i + k].next = line.first
    if line.first < 0:
        line.last = k
    line.first = k
    line.length += 1


@kernel
def unlink(m: Rows, i: int, which: int, k: int) -> None:
    """Take a queued row out of a list; whoever took it now holds it."""
    line = m[i + which]
    row = m[i + k]
    before = NONE
    if line.first == k:
        line.first = row.next
    else:
        before = line.first
        while m[i + before].next != k:
            before = m[i + before].next
        m[i + before].next = row.next
    if line.last == k:
        line.last = before
    line.length -= 1
    row.next = NONE
