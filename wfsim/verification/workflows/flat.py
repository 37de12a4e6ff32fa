"""Snapshots as lines of words, compiled: from an instance's rows and cells, and back.

`pack` is `wfsim.semantics.snapshot.take_snapshot`, and `rebuild` is `from_snapshot`, on the arrays that the compiled
step works on; what is equal for one is equal for the other. `flat_words` reads and writes the same lines in Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from wfsim.semantics import speed
from wfsim.semantics.codes import (
    CHILD,
    DEFERRED,
    EACH,
    FREE,
    GROUNDED,
    IDLE,
    INTERNAL,
    ITEMS,
    LOG,
    NONE,
    OUTSIDE,
    PARALLEL,
    WAITING,
)
from wfsim.semantics.rows import ITEM
from wfsim.semantics.snapshot import FAR

# numba's own type stubs know neither its records nor its options.
_njit: Callable[[Callable[..., Any]], Any] = numba.njit(nogil=True)

Integers = NDArray[np.int64]

HEADER = 11
"""Words before all others: status, outcome, whether all is undone, reason; then how many open items, `for_each` and
held inputs there are, queued rows, and rows in each of three lists."""
REGION, WORK, QUEUED, HELD, EACHES, ENDED = 9, 12, 13, 8, 6, 2
"""Words of one row of each kind, without its cells."""
RESULT_CELLS = 3

_PLACE, _FOUND, _HELD_PLACE, _HELD, _EACH_PLACE, _EACHES, WORKS = range(7)
N_SCRATCH = 7
"""Lines of scratch, as long as the memory: places of rows in a snapshot, and rows by place."""

_CELL_FIELDS = speed.CELL.fields
assert _CELL_FIELDS is not None
TAG, WHOLE, REAL = (_CELL_FIELDS[name][1] // 8 for name in ("tag", "whole", "real"))
"""Where in the three words of a cell its fields lie."""


class Memory(NamedTuple):
    """An instance's rows and cells as the compiled step sees them, and the same memory as words."""

    m: Any
    words: Integers
    v: Any
    cells: Integers


# --- taking a snapshot ---------------------------------------------------------------------------------------


@_njit
def put_cells(cells: Any, first: Any, n: Any, w: Any, at: Any) -> Any:
    """Write `n` cells: a word for the tag and for which of the other two words follow, those that are not 0."""
    for k in range(first, first + n):
        whole, real = cells[k, WHOLE], cells[k, REAL]
        w[at] = cells[k, TAG] * 4 + (1 if whole != 0 else 0) + (2 if real != 0 else 0)
        at += 1
        if whole != 0:
            w[at] = whole
            at += 1
        if real != 0:
            w[at] = real
            at += 1
    return at


@_njit
def _note(k: Any, s: Any, n: Any) -> Any:
    """Give a queued row the next place among those kept, if it has none; returns how many have one."""
    if k < 0 or s[_PLACE, k] >= 0:
        return n
    s[_PLACE, k] = n
    s[_FOUND, n] = k
    return n + 1


@_njit
def _place(s: Any, line: Any, k: Any) -> Any:
    return s[line, k] if k >= 0 else NONE


@_njit
def _payload(p: Any, k: Any) -> Any:
    return p[0].queue_cells + (k - p[0].first_queued) * p[0].n_fields


@_njit
def list_works(p: Any, m: Any, s: Any) -> Any:
    """All works as `Instance.works`: places of regions, then open items, the oldest first; returns how many items."""
    n_works = p[0].n_works
    for k in range(n_works):
        s[WORKS, k] = p[0].first_work + k
    n = 0
    k = m[ITEMS].first
    while k >= 0:
        n += 1
        k = m[k].next
    k = m[ITEMS].first
    for at in range(n_works + n - 1, n_works - 1, -1):
        s[WORKS, at] = k
        k = m[k].next
    return n


@_njit
def _list_held(m: Any, s: Any, n_works: Any) -> Any:
    """Inputs in the log, then those of open works; returns how many."""
    n = 0
    k = m[LOG].first
    while k >= 0:
        s[_HELD_PLACE, k] = n
        s[_HELD, n] = k
        n += 1
        k = m[k].next
    for at in range(n_works):
        work = m[s[WORKS, at]]
        if work.phase != IDLE and work.phase != EACH and work.held >= 0 and s[_HELD_PLACE, work.held] < 0:
            s[_HELD_PLACE, work.held] = n
            s[_HELD, n] = work.held
            n += 1
    return n


@_njit
def _list_eaches(m: Any, s: Any, n_works: Any) -> Any:
    n = 0
    for at in range(n_works):
        work = m[s[WORKS, at]]
        if work.phase == EACH:
            s[_EACH_PLACE, work.held] = n
            s[_EACHES, n] = work.held
            n += 1
    return n


@_njit
def _put_held(p: Any, m: Any, cells: Any, k: Any, w: Any, at: Any) -> Any:
    row = m[k]
    w[at], w[at + 1], w[at + 2], w[at + 3] = row.activity, row.first_input, row.end_input, row.region
    w[at + 4], w[at + 5], w[at + 6] = row.state, row.logged, row.undoing
    tried = NONE
    if row.tried >= 0:
        n = p[0].n_regions
        for r in range(n):
            cell = m[p[p[0].first_region + r].slot]
            if tried < 0 and cell.flight_phase != GROUNDED and cell.flight_number == row.tried:
                tried = r
        if tried < 0 and m[0].undoing_all == row.tried:
            tried = n
    w[at + 7] = tried
    return put_cells(cells, _payload(p, k), p[0].n_fields, w, at + HELD)


@_njit
def _put_each(p: Any, m: Any, cells: Any, k: Any, w: Any, at: Any) -> Any:
    """A `for_each`, with what came of the items that have ended, the highest index first."""
    row = m[k]
    w[at], w[at + 1], w[at + 2], w[at + 3], w[at + 4] = row.items, row.n, row.state, row.started, row.open
    count = at + 5
    w[count] = 0
    at += EACHES
    above = row.n
    while True:
        best = NONE
        end = row.ended
        while end >= 0:
            if m[end].index < above and (best < 0 or m[end].index > m[best].index):
                best = end
            end = m[end].next
        if best < 0:
            return at
        above = m[best].index
        w[count] += 1
        w[at], w[at + 1] = above, m[best].phase
        at = put_cells(cells, _payload(p, best) + ITEM, RESULT_CELLS, w, at + ENDED)


@_njit
def _put_queued(p: Any, m: Any, cells: Any, k: Any, s: Any, w: Any, at: Any) -> Any:
    row = m[k]
    w[at], w[at + 1], w[at + 2], w[at + 3] = row.kind, row.event, row.event_id, row.source
    w[at + 4], w[at + 5], w[at + 6], w[at + 7] = row.error_type, row.permanent, row.reason, row.sender
    w[at + 8], w[at + 9], w[at + 10] = row.region, row.timer, row.own
    alive = row.region < 0 or row.activation == m[p[row.region].slot].activation
    w[at + 11] = 1 if alive else 0
    w[at + 12] = _place(s, _PLACE, row.origin)
    return put_cells(cells, _payload(p, k), p[0].n_fields, w, at + QUEUED)


@_njit
def _put_region(p: Any, m: Any, r: Any, s: Any, w: Any, at: Any) -> Any:
    row = p[r]
    cell = m[row.slot]
    w[at] = cell.phase
    if cell.phase == OUTSIDE:
        return at + 1
    w[at + 1] = cell.state
    w[at + 2], w[at + 3], w[at + 4], w[at + 5], w[at + 6] = NONE, GROUNDED, 0, NONE, NONE
    if cell.flight_phase != GROUNDED:
        w[at + 2], w[at + 3], w[at + 4], w[at + 5] = cell.flight, cell.flight_phase, cell.waited, cell.action
        w[at + 6] = _place(s, _PLACE, cell.entry)
    w[at + 7] = cell.stuck
    w[at + 8] = 1 if p[cell.state].work == PARALLEL and m[row.work].attempt == 1 else 0
    return at + REGION


@_njit
def _put_work(m: Any, k: Any, s: Any, w: Any, at: Any) -> Any:
    work = m[k]
    w[at] = work.phase
    if work.phase == IDLE:
        return at + 1
    w[at + 1], w[at + 2], w[at + 3], w[at + 4], w[at + 5] = (
        work.activity,
        work.attempt,
        work.delay,
        work.region,
        work.unsure,
    )
    w[at + 6] = 1 if work.due >= 0 else 0
    w[at + 7] = 1 if work.deadline >= 0 else 0
    w[at + 8] = _place(s, _HELD_PLACE, work.held) if work.phase != EACH else NONE
    w[at + 9] = _place(s, _HELD_PLACE, work.undoes)
    w[at + 10] = _place(s, _EACH_PLACE, work.held if work.phase == EACH else work.each)
    w[at + 11] = work.index
    return at + WORK


@_njit
def pack(p: Any, m: Any, cells: Any, s: Any, w: Any) -> Any:
    """`take_snapshot`: write the words of an instance's snapshot into `w`; returns how many. Linear in its size."""
    head = p[0]
    s[_PLACE, :] = NONE
    s[_HELD_PLACE, :] = NONE
    s[_EACH_PLACE, :] = NONE
    n_items = list_works(p, m, s)
    n_works = head.n_works + n_items
    n_eaches = _list_eaches(m, s, n_works)
    n_held = _list_held(m, s, n_works)
    n = 0
    for r in range(head.first_region, head.first_region + head.n_regions):
        cell = m[p[r].slot]
        if cell.phase != OUTSIDE and cell.flight_phase != GROUNDED:
            n = _note(cell.entry, s, n)
    w[0], w[1], w[2], w[3] = m[0].status, m[0].outcome, 1 if m[0].undoing_all > 0 else 0, m[0].reason
    w[4], w[5], w[6] = n_items, n_eaches, n_held
    for number, which in enumerate((INTERNAL, DEFERRED, WAITING)):
        k = m[which].first
        length = 0
        while k >= 0:
            n = _note(k, s, n)
            length += 1
            k = m[k].next
        w[8 + number] = length
    at = HEADER
    for number in range(n_held):
        at = _put_held(p, m, cells, s[_HELD, number], w, at)
    for number in range(n_eaches):
        at = _put_each(p, m, cells, s[_EACHES, number], w, at)
    number = 0
    while number < n:
        n = _note(m[s[_FOUND, number]].origin, s, n)
        at = _put_queued(p, m, cells, s[_FOUND, number], s, w, at)
        number += 1
    w[7] = n
    for which in (INTERNAL, DEFERRED, WAITING):
        k = m[which].first
        while k >= 0:
            w[at] = s[_PLACE, k]
            at += 1
            k = m[k].next
    for r in range(head.first_region, head.first_region + head.n_regions):
        at = _put_region(p, m, r, s, w, at)
    for number in range(n_works):
        at = _put_work(m, s[WORKS, number], s, w, at)
    for k in range(head.first_timer, head.first_clock):
        w[at] = 1 if m[k].due >= 0 else 0
        at += 1
    return put_cells(cells, 0, head.inbox_cells, w, at)


# --- an instance from its snapshot ---------------------------------------------------------------------------


@_njit
def copy_rows(source: Any, first: Any, target: Any, place: Any, n: Any) -> None:
    """Copy `n` rows; a loop, as an assignment of slices looks for overlaps first."""
    for k in range(n):
        for word in range(source.shape[1]):
            target[place + k, word] = source[first + k, word]


@_njit
def get_cells(w: Any, at: Any, cells: Any, first: Any, n: Any) -> Any:
    """Read `n` cells that `put_cells` has written; returns where it ended."""
    for k in range(first, first + n):
        what = w[at]
        at += 1
        cells[k, TAG] = what >> 2
        cells[k, WHOLE] = 0
        cells[k, REAL] = 0
        if what & 1:
            cells[k, WHOLE] = w[at]
            at += 1
        if what & 2:
            cells[k, REAL] = w[at]
            at += 1
    return at


@_njit
def _append(m: Any, which: Any, k: Any) -> None:
    line = m[which]
    m[k].next = NONE
    if line.last >= 0:
        m[line.last].next = k
    else:
        line.first = k
    line.last = k
    line.length += 1


@_njit
def _prepend(m: Any, which: Any, k: Any) -> None:
    line = m[which]
    m[k].next = line.first
    if line.first < 0:
        line.last = k
    line.first = k
    line.length += 1


@_njit
def _get_held(p: Any, m: Any, cells: Any, k: Any, serial: Any, w: Any, at: Any) -> Any:
    speed.fresh_held(m, k)
    row = m[k]
    row.activity, row.first_input, row.end_input, row.region = w[at], w[at + 1], w[at + 2], w[at + 3]
    row.state, row.logged, row.undoing = w[at + 4], w[at + 5], w[at + 6]
    # Flights are numbered by region, that of the cancelling instance comes behind them.
    row.tried = w[at + 7] + 1 if w[at + 7] >= 0 else NONE
    row.serial = serial
    if row.logged == 1:
        # One that is undone (2) has left the log; its activity may still hold it.
        row.holds = 1
        _append(m, LOG, k)
    return get_cells(w, at + HELD, cells, _payload(p, k), p[0].n_fields)


@_njit
def _get_each(p: Any, m: Any, cells: Any, k: Any, w: Any, at: Any) -> Any:
    """A `for_each` in row `k`, its ended items in the rows behind it; its cells past `at` are read."""
    speed.fresh_each(m, k)
    row = m[k]
    row.holds = 1
    row.items, row.n, row.state, row.started, row.open = w[at], w[at + 1], w[at + 2], w[at + 3], w[at + 4]
    n = w[at + 5]
    at += EACHES
    for end in range(k + 1, k + 1 + n):
        speed.fresh_work(m, end)
        item = m[end]
        item.index, item.phase, item.each, item.holds = w[at], w[at + 1], k, 1
        item.next = row.ended
        row.ended = end
        at = get_cells(w, at + ENDED, cells, _payload(p, end) + ITEM, RESULT_CELLS)
    return at


@_njit
def _get_queued(p: Any, m: Any, cells: Any, k: Any, first: Any, w: Any, at: Any) -> Any:
    row = m[k]
    row.kind, row.event, row.event_id, row.source = w[at], w[at + 1], w[at + 2], w[at + 3]
    row.error_type, row.permanent, row.reason, row.sender = w[at + 4], w[at + 5], w[at + 6], w[at + 7]
    row.region, row.timer, row.own = w[at + 8], w[at + 9], w[at + 10]
    row.activation = row.region - p[0].first_region + 1 if w[at + 11] else 0
    if w[at + 12] >= 0:
        row.origin = first + w[at + 12]
        m[row.origin].holds += 1
    return get_cells(w, at + QUEUED, cells, _payload(p, k), p[0].n_fields)


@_njit
def _get_region(p: Any, m: Any, r: Any, first: Any, w: Any, at: Any) -> Any:
    if w[at] == OUTSIDE:
        return at + 1
    row = p[p[0].first_region + r]
    cell = m[row.slot]
    cell.phase, cell.state, cell.flight, cell.flight_phase = w[at], w[at + 1], w[at + 2], w[at + 3]
    cell.waited, cell.action, cell.stuck = w[at + 4], w[at + 5], w[at + 7]
    cell.activation = r + 1
    cell.flight_number = r + 1
    if w[at + 6] >= 0:
        cell.entry = first + w[at + 6]
        m[cell.entry].holds += 1
    if w[at + 8]:
        m[row.work].attempt = 1
    return at + REGION


@_njit
def _get_work(p: Any, m: Any, k: Any, number: Any, held: Any, s: Any, w: Any, at: Any) -> Any:
    """The work of that number in row `k`, its inputs in the rows from `held` on."""
    head = p[0]
    work = m[k]
    work.phase, work.activity, work.attempt, work.delay = w[at], w[at + 1], w[at + 2], w[at + 3]
    work.region, work.unsure, work.index = w[at + 4], w[at + 5], w[at + 11]
    work.serial = number + 1
    if work.phase == CHILD:
        # A child has the number of the activation that started it; those of items come behind the regions'.
        work.serial = m[p[work.region].slot].activation if number < head.n_works else head.n_regions + number + 1
    if number >= head.n_works:
        work.each = s[_EACHES, w[at + 10]]
    elif w[at + 10] >= 0:
        work.serial = NONE
        work.held = s[_EACHES, w[at + 10]]
    if w[at + 6]:
        work.due, work.due_id = 0, head.n_timers + 2 * number + 1
    if w[at + 7]:
        work.deadline, work.deadline_id = FAR, head.n_timers + 2 * number + 2
    if w[at + 8] >= 0:
        work.held = held + w[at + 8]
        m[work.held].holds += 1
    if w[at + 9] >= 0:
        work.undoes = held + w[at + 9]
    return at + WORK


@_njit
def rebuild(p: Any, w: Any, fresh: Any, into: Any, s: Any) -> Any:
    """`from_snapshot`: make the memory that has the snapshot in `w`; False if it has too few rows.

    `fresh` is the memory before the start; its queued rows behind the first are free, in ascending order.
    """
    head = p[0]
    m, cells = into.m, into.cells
    copy_rows(fresh.words, 0, into.words, 0, m.shape[0])
    copy_rows(fresh.cells, 0, cells, 0, cells.shape[0])
    n_items, n_eaches, n_held, n = w[4], w[5], w[6], w[7]
    n_works = head.n_works + n_items
    me = m[0]
    me.status, me.outcome, me.reason = w[0], w[1], w[3]
    me.activations = head.n_regions + n_works
    me.flights = head.n_regions + 1
    me.undoing_all = me.flights if w[2] else 0
    me.serials, me.timer_ids = n_works, head.n_timers + 2 * n_works
    end = m.shape[0]
    held = head.first_queued + 1
    row = held
    at = HEADER
    if row + n_held > end:
        return False
    for number in range(n_held):
        at = _get_held(p, m, cells, row, n_works + number + 1, w, at)
        row += 1
    for number in range(n_eaches):
        if row + 1 + w[at + 5] > end:
            return False
        s[_EACHES, number] = row
        more = w[at + 5]
        at = _get_each(p, m, cells, row, w, at)
        row += 1 + more
    first = row
    if first + n + n_items > end:
        return False
    for k in range(first, first + n):
        speed.fresh_queued(m, k)
    for k in range(first, first + n):
        at = _get_queued(p, m, cells, k, first, w, at)
    row += n
    for number, which in enumerate((INTERNAL, DEFERRED, WAITING)):
        for _ in range(w[8 + number]):
            k = first + w[at]
            _append(m, which, k)
            m[k].holds += 1
            at += 1
    for r in range(head.n_regions):
        at = _get_region(p, m, r, first, w, at)
    for number in range(n_works):
        k = head.first_work + number
        if number >= head.n_works:
            k = row
            row += 1
            speed.fresh_work(m, k)
            m[k].holds = 1
            _prepend(m, ITEMS, k)
        if w[at] == IDLE:
            at += 1
        else:
            at = _get_work(p, m, k, number, held, s, w, at)
    for number in range(head.first_clock - head.first_timer):
        if w[at]:
            timer = m[head.first_timer + number]
            timer.due, timer.id = 0, number + 1
        at += 1
    get_cells(w, at, cells, 0, head.inbox_cells)
    m[FREE].first = row if row < end else NONE
    m[FREE].length = end - row
    return True
