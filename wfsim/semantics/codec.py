"""States as lines of words: what of an instance counts for what it will do, and an instance from it.

`pack` writes a line, `unpack` makes the rows and cells that have it. Two instances that differ only in how many steps
they have made, in serial numbers or in clock readings have the same line, so a search visits each state once.

A line is: the header; the regions; the cells of variables and flights; inputs held; each `for_each` with its ended
items; queued rows, with their places in the lists; works; timers. References are places among what is kept of a kind.
Rows are kept in the order in which they are met, so their numbers in memory do not count.
"""

from __future__ import annotations

from .codes import (
    BEFORE_COMMIT,
    CHILD,
    DEFERRED,
    EACH,
    FREE,
    GROUNDED,
    IDLE,
    INTERNAL,
    ITEM_FAILED,
    ITEMS,
    LOG,
    NONE,
    NUMBER,
    OUTSIDE,
    PARALLEL,
    WAITING,
)
from .items import tolerance
from .kernel import Line, bits_of, fresh_each, fresh_held, fresh_queued, fresh_work, kernel, real_of
from .layout import Cell, Cells, Rows
from .rows import ITEM, append, payload_of, prepend
from .work import log_entry, next_work

# The words of the header before its three lengths of lists; ROWS: how many rows it takes behind the first queued one.
STATUS, OUTCOME, UNDOING_ALL, REASON, N_ITEMS, N_EACHES, N_HELD, N_QUEUED, ROWS = range(9)
LENGTHS = 9
TIME = 12
HEADER = 13
# Words of one row of each kind, without its cells; of a region that is outside, and of an idle work, only the first.
REGION, WORK, QUEUED, HELD, EACHES, ENDED = 9, 11, 13, 8, 6, 2
RESULT_CELLS = 3

# A deadline in an instance made from a line: it may pass at any moment, but no retry comes too late for it.
FAR = 1 << 60

# Lines of scratch, each as long as the memory: places of rows in the line, and rows by their places.
PLACE, HELD_PLACE, EACH_PLACE, FOUND, HELD_ROW, EACH_ROW, WORK_ROW = range(7)
N_SCRATCH = 7


@kernel
def put_cells(v: Cells, first: int, n: int, w: Line, at: int) -> int:
    """Write `n` cells: a word for the tag and whether a value follows, and the value unless it is 0."""
    for k in range(first, first + n):
        cell = v[k]
        value = bits_of(cell.real) if cell.tag == NUMBER else cell.whole
        w[at] = cell.tag * 2 + (1 if value != 0 else 0)
        at += 1
        if value != 0:
            w[at] = value
            at += 1
    return at


@kernel
def get_cell(cell: Cell, w: Line, at: int) -> int:
    """Read a cell; returns where it ended."""
    cell.tag = w[at] >> 1
    cell.whole = 0
    cell.real = 0.0
    if w[at] & 1:
        at += 1
        if cell.tag == NUMBER:
            cell.real = real_of(w[at])
        else:
            cell.whole = w[at]
    return at + 1


@kernel
def get_cells(v: Cells, first: int, n: int, w: Line, at: int) -> int:
    """Read `n` cells that `put_cells` has written; returns where it ended."""
    for k in range(first, first + n):
        at = get_cell(v[k], w, at)
    return at


# === what is kept, in order =======================================================================


@kernel
def keep_queued(s: Line, k: int, size: int, n: int) -> int:
    """Give a queued row the next place among those kept, if it has none; returns how many have one."""
    if k < 0 or s[PLACE * size + k] >= 0:
        return n
    s[PLACE * size + k] = n
    s[FOUND * size + n] = k
    return n + 1


@kernel
def list_works(p: Rows, m: Rows, i: int, s: Line, size: int) -> int:
    """Places of regions, open or not, then open items, the oldest first; returns how many works there are."""
    fixed = p[0].n_works
    w = next_work(p, m, i, NONE)
    n = 0
    while w >= 0:
        s[WORK_ROW * size + n] = w
        n += 1
        w = next_work(p, m, i, w)
    # Items come newest first.
    for k in range((n - fixed) // 2):
        one, other = WORK_ROW * size + fixed + k, WORK_ROW * size + n - 1 - k
        s[one], s[other] = s[other], s[one]
    return n


@kernel
def list_held(m: Rows, i: int, s: Line, size: int, n_works: int) -> int:
    """Inputs in the log, then those of open works; returns how many."""
    n = 0
    k = m[i + LOG].first
    while k >= 0:
        s[HELD_PLACE * size + k] = n
        s[HELD_ROW * size + n] = k
        n += 1
        k = m[i + k].next
    for at in range(n_works):
        work = m[i + s[WORK_ROW * size + at]]
        if work.phase != IDLE and work.phase != EACH and work.held >= 0 and s[HELD_PLACE * size + work.held] < 0:
            s[HELD_PLACE * size + work.held] = n
            s[HELD_ROW * size + n] = work.held
            n += 1
    return n


@kernel
def list_eaches(m: Rows, i: int, s: Line, size: int, n_works: int) -> int:
    """Each `for_each` under way; returns how many."""
    n = 0
    for at in range(n_works):
        work = m[i + s[WORK_ROW * size + at]]
        if work.phase == EACH:
            s[EACH_PLACE * size + work.held] = n
            s[EACH_ROW * size + n] = work.held
            n += 1
    return n


@kernel
def place_of(s: Line, size: int, line: int, k: int) -> int:
    """The place that a line of scratch gives to a row; -1 for none."""
    found: int = s[line * size + k] if k >= 0 else NONE
    return found


# === taking down ==================================================================================


@kernel
def put_region(p: Rows, m: Rows, i: int, r: int, s: Line, w: Line, at: int) -> int:
    """A region; on the ground, what the last flight left behind means nothing. `entry` is filled in later."""
    row = p[r]
    cell = m[i + row.slot]
    w[at] = cell.phase
    if cell.phase == OUTSIDE:
        return at + 1
    w[at + 1] = cell.state
    w[at + 2] = NONE
    w[at + 3] = GROUNDED
    w[at + 4] = 0
    w[at + 5] = NONE
    w[at + 6] = NONE
    if cell.flight_phase != GROUNDED:
        w[at + 2] = cell.flight
        w[at + 3] = cell.flight_phase
        w[at + 4] = cell.waited
        w[at + 5] = cell.action
        w[at + 6] = place_of(s, len(s) // N_SCRATCH, PLACE, cell.entry)
    w[at + 7] = cell.stuck
    # Whether the regions inside its state have been joined, or can no longer be (M4.3).
    w[at + 8] = 1 if p[cell.state].work == PARALLEL and m[i + row.work].attempt == 1 else 0
    return at + REGION


@kernel
def tried_by(p: Rows, m: Rows, i: int, flight: int) -> int:
    """Who tried to undo an entry in vain: a region's flight by its place, or behind them the cancelling instance."""
    head = p[0]
    if flight < 0:
        return NONE
    for r in range(head.n_regions):
        cell = m[i + p[head.first_region + r].slot]
        if cell.flight_phase != GROUNDED and cell.flight_number == flight:
            return r
    n: int = head.n_regions
    return n if m[i].undoing_all == flight else NONE


@kernel
def put_held(p: Rows, m: Rows, v: Cells, i: int, k: int, w: Line, at: int) -> int:
    """Held inputs, or an entry of the log."""
    row = m[i + k]
    w[at] = row.activity
    w[at + 1] = row.first_input
    w[at + 2] = row.end_input
    w[at + 3] = row.region
    w[at + 4] = row.state
    w[at + 5] = row.logged
    w[at + 6] = row.undoing
    w[at + 7] = tried_by(p, m, i, row.tried)
    return put_cells(v, payload_of(p, m, i, k), p[0].n_fields, w, at + HELD)


@kernel
def put_each(p: Rows, m: Rows, v: Cells, i: int, k: int, w: Line, at: int) -> int:
    """A `for_each`, with what came of the items that have ended, the highest index first."""
    row = m[i + k]
    w[at] = row.items
    w[at + 1] = row.n
    w[at + 2] = row.state
    w[at + 3] = row.started
    w[at + 4] = row.open
    count = at + 5
    w[count] = 0
    at += EACHES
    above = row.n
    while True:
        best = NONE
        end = row.ended
        while end >= 0:
            if m[i + end].index < above and (best < 0 or m[i + end].index > m[i + best].index):
                best = end
            end = m[i + end].next
        if best < 0:
            return at
        above = m[i + best].index
        w[count] += 1
        w[at] = above
        w[at + 1] = m[i + best].phase
        at = put_cells(v, payload_of(p, m, i, best) + ITEM, RESULT_CELLS, w, at + ENDED)


@kernel
def put_queued(p: Rows, m: Rows, v: Cells, i: int, k: int, s: Line, w: Line, at: int) -> int:
    """A stimulus or event that waits, with whether what it names is still there (M1.2)."""
    row = m[i + k]
    w[at] = row.kind
    w[at + 1] = row.event
    w[at + 2] = row.event_id
    w[at + 3] = row.source
    w[at + 4] = row.error_type
    w[at + 5] = row.policy
    w[at + 6] = row.reason
    w[at + 7] = row.sender
    w[at + 8] = row.region
    w[at + 9] = row.timer
    w[at + 10] = row.own
    alive = row.region < 0 or row.activation == m[i + p[row.region].slot].activation
    w[at + 11] = 1 if alive else 0
    w[at + 12] = place_of(s, len(s) // N_SCRATCH, PLACE, row.origin)
    return put_cells(v, payload_of(p, m, i, k), p[0].n_fields, w, at + QUEUED)


@kernel
def put_work(m: Rows, i: int, k: int, s: Line, w: Line, at: int) -> int:
    """A work; a `for_each` and its items name which one it is."""
    size = len(s) // N_SCRATCH
    work = m[i + k]
    w[at] = work.phase
    if work.phase == IDLE:
        return at + 1
    w[at + 1] = work.activity
    w[at + 2] = work.attempt
    w[at + 3] = work.region
    w[at + 4] = work.unsure
    w[at + 5] = 1 if work.due >= 0 else 0
    w[at + 6] = 1 if work.deadline >= 0 else 0
    w[at + 7] = place_of(s, size, HELD_PLACE, work.held) if work.phase != EACH else NONE
    w[at + 8] = place_of(s, size, HELD_PLACE, work.undoes)
    w[at + 9] = place_of(s, size, EACH_PLACE, work.held if work.phase == EACH else work.each)
    w[at + 10] = work.index
    return at + WORK


@kernel
def keep_waiting(p: Rows, m: Rows, i: int, s: Line, w: Line) -> int:
    """Give places to the events of flights and to what waits, and note the lengths of lists; returns how many."""
    size = len(s) // N_SCRATCH
    head = p[0]
    n = 0
    for r in range(head.first_region, head.first_region + head.n_regions):
        cell = m[i + p[r].slot]
        if cell.phase != OUTSIDE and cell.flight_phase != GROUNDED:
            n = keep_queued(s, cell.entry, size, n)
    for number, which in enumerate((INTERNAL, DEFERRED, WAITING)):
        w[LENGTHS + number] = m[i + which].length
        k = m[i + which].first
        while k >= 0:
            n = keep_queued(s, k, size, n)
            k = m[i + k].next
    return n


@kernel
def pack(p: Rows, m: Rows, v: Cells, i: int, s: Line, w: Line) -> int:
    """Write the line of the instance at row `i`; returns its length. Linear in the instance's size."""
    head = p[0]
    size = len(s) // N_SCRATCH
    for line in (PLACE, HELD_PLACE, EACH_PLACE):
        for k in range(head.first_queued, size):
            s[line * size + k] = NONE
    n_works = list_works(p, m, i, s, size)
    n_eaches = list_eaches(m, i, s, size, n_works)
    n_held = list_held(m, i, s, size, n_works)
    n = keep_waiting(p, m, i, s, w)
    me = m[i]
    w[STATUS] = me.status
    w[OUTCOME] = me.outcome
    w[UNDOING_ALL] = 1 if me.undoing_all > 0 else 0
    w[REASON] = me.reason
    # M6.6: later stimuli are not earlier, which matters to those alone who read the clock.
    w[TIME] = me.time if head.reads_clock else 0
    w[N_ITEMS] = n_works - head.n_works
    w[N_EACHES] = n_eaches
    w[N_HELD] = n_held
    at = HEADER
    for r in range(head.first_region, head.first_region + head.n_regions):
        at = put_region(p, m, i, r, s, w, at)
    at = put_cells(v, me.cells, head.inbox_cells, w, at)
    for number in range(n_held):
        at = put_held(p, m, v, i, s[HELD_ROW * size + number], w, at)
    n_ended = 0
    for number in range(n_eaches):
        first = at
        at = put_each(p, m, v, i, s[EACH_ROW * size + number], w, at)
        n_ended += w[first + 5]
    number = 0
    while number < n:
        n = keep_queued(s, m[i + s[FOUND * size + number]].origin, size, n)
        at = put_queued(p, m, v, i, s[FOUND * size + number], s, w, at)
        number += 1
    w[N_QUEUED] = n
    w[ROWS] = n_held + n_eaches + n_ended + n + n_works - head.n_works
    for which in (INTERNAL, DEFERRED, WAITING):
        k = m[i + which].first
        while k >= 0:
            w[at] = s[PLACE * size + k]
            at += 1
            k = m[i + k].next
    for number in range(n_works):
        at = put_work(m, i, s[WORK_ROW * size + number], s, w, at)
    for k in range(head.first_timer, head.first_clock):
        w[at] = 1 if m[i + k].due >= 0 else 0
        at += 1
    return at


# === setting up ===================================================================================


@kernel
def get_region(p: Rows, m: Rows, i: int, r: int, first: int, w: Line, at: int) -> int:
    """A region; activations and flights are numbered by region."""
    if w[at] == OUTSIDE:
        return at + 1
    row = p[p[0].first_region + r]
    cell = m[i + row.slot]
    cell.phase = w[at]
    cell.state = w[at + 1]
    cell.automatic = p[cell.state].automatic
    cell.flight = w[at + 2]
    cell.flight_phase = w[at + 3]
    # It may have; its cells say what.
    cell.wrote = 1 if cell.flight_phase == BEFORE_COMMIT else 0
    cell.waited = w[at + 4]
    cell.action = w[at + 5]
    cell.stuck = w[at + 7]
    cell.activation = r + 1
    cell.flight_number = r + 1
    if w[at + 6] >= 0:
        cell.entry = first + w[at + 6]
        m[i + cell.entry].holds += 1
    if w[at + 8]:
        m[i + row.work].attempt = 1
    return at + REGION


@kernel
def get_held(p: Rows, m: Rows, v: Cells, i: int, k: int, serial: int, w: Line, at: int) -> int:
    """Held inputs, or an entry of the log, in row `k`."""
    row = fresh_held(m, i + k)
    row.activity = w[at]
    row.first_input = w[at + 1]
    row.end_input = w[at + 2]
    row.region = w[at + 3]
    row.state = w[at + 4]
    row.logged = w[at + 5]
    row.undoing = w[at + 6]
    # Flights are numbered by region, that of the cancelling instance comes behind them.
    row.tried = w[at + 7] + 1 if w[at + 7] >= 0 else NONE
    row.serial = serial
    if row.logged == 1:
        # One that is undone (2) has left the log; its activity may still hold it.
        row.logged = 0
        log_entry(m, i, k)
    return get_cells(v, payload_of(p, m, i, k), p[0].n_fields, w, at + HELD)


@kernel
def get_each(p: Rows, m: Rows, v: Cells, i: int, k: int, w: Line, at: int) -> int:
    """A `for_each` in row `k`, its ended items in the rows behind it."""
    row = fresh_each(m, i + k)
    row.holds = 1
    row.items = w[at]
    row.n = w[at + 1]
    row.state = w[at + 2]
    row.started = w[at + 3]
    row.open = w[at + 4]
    row.tolerated = tolerance(p, row.state, row.n)
    n = w[at + 5]
    at += EACHES
    for end in range(k + 1, k + 1 + n):
        item = fresh_work(m, i + end)
        item.index = w[at]
        item.phase = w[at + 1]
        row.failed += 1 if item.phase == ITEM_FAILED else 0
        item.each = k
        item.holds = 1
        item.next = row.ended
        row.ended = end
        at = get_cells(v, payload_of(p, m, i, end) + ITEM, RESULT_CELLS, w, at + ENDED)
    return at


@kernel
def get_queued(p: Rows, m: Rows, v: Cells, i: int, k: int, first: int, w: Line, at: int) -> int:
    """A stimulus or event that waits, in row `k`; `first` is the row of the first one."""
    row = m[i + k]
    row.kind = w[at]
    row.event = w[at + 1]
    row.event_id = w[at + 2]
    row.source = w[at + 3]
    row.error_type = w[at + 4]
    row.policy = w[at + 5]
    row.reason = w[at + 6]
    row.sender = w[at + 7]
    row.region = w[at + 8]
    row.timer = w[at + 9]
    row.own = w[at + 10]
    row.activation = row.region - p[0].first_region + 1 if w[at + 11] else 0
    if w[at + 12] >= 0:
        row.origin = first + w[at + 12]
        m[i + row.origin].holds += 1
    return get_cells(v, payload_of(p, m, i, k), p[0].n_fields, w, at + QUEUED)


@kernel
def get_work(p: Rows, m: Rows, i: int, k: int, s: Line, w: Line, at: int) -> int:
    """The work in row `k`, where an item has its serial; held inputs lie in the rows behind the first queued one."""
    head = p[0]
    if w[at] == IDLE:
        return at + 1
    held = head.first_queued + 1
    work = m[i + k]
    number = k - head.first_work if k < head.first_work + head.n_works else work.serial - 1
    work.phase = w[at]
    work.activity = w[at + 1]
    work.attempt = w[at + 2]
    work.region = w[at + 3]
    work.unsure = w[at + 4]
    work.index = w[at + 10]
    work.serial = number + 1
    if work.phase == CHILD:
        # A child has the number of the activation that started it; those of items come behind the regions'.
        work.serial = m[i + p[work.region].slot].activation if number < head.n_works else head.n_regions + number + 1
    if number >= head.n_works:
        work.each = s[w[at + 9]]
    elif w[at + 9] >= 0:
        work.serial = NONE
        work.held = s[w[at + 9]]
    if w[at + 5]:
        work.due = 0
        work.due_id = head.n_timers + 2 * number + 1
    if w[at + 6]:
        work.deadline = FAR
        work.deadline_id = head.n_timers + 2 * number + 2
    if w[at + 7] >= 0:
        work.held = held + w[at + 7]
        m[i + work.held].holds += 1
    if w[at + 8] >= 0:
        work.undoes = held + w[at + 8]
    return at + WORK


@kernel
def skip_regions(p: Rows, w: Line) -> int:
    """Where the regions of a line end."""
    at = HEADER
    for _ in range(p[0].n_regions):
        at += 1 if w[at] == OUTSIDE else REGION
    return at


@kernel
def unpack(p: Rows, m: Rows, v: Cells, i: int, s: Line, w: Line) -> None:
    """Make the instance at row `i`, which has not started, the one with the line `w`, at time 0.

    The `w[ROWS]` rows that it takes are those behind its first queued one, and must be the first free ones. Numbers are
    given anew, by place.
    """
    head = p[0]
    me = m[i]
    n_works = head.n_works + w[N_ITEMS]
    me.status = w[STATUS]
    me.outcome = w[OUTCOME]
    me.reason = w[REASON]
    me.time = w[TIME]
    me.activations = head.n_regions + n_works
    me.flights = head.n_regions + 1
    me.undoing_all = me.flights if w[UNDOING_ALL] else 0
    me.serials = n_works
    me.timer_ids = head.n_timers + 2 * n_works
    row = head.first_queued + 1
    free = m[i + FREE]
    free.length -= w[ROWS]
    free.first = row + w[ROWS] if free.length > 0 else NONE
    at = get_cells(v, me.cells, head.inbox_cells, w, skip_regions(p, w))
    for number in range(w[N_HELD]):
        at = get_held(p, m, v, i, row, n_works + number + 1, w, at)
        row += 1
    for number in range(w[N_EACHES]):
        s[number] = row
        row += 1 + w[at + 5]
        at = get_each(p, m, v, i, s[number], w, at)
    first = row
    row += w[N_QUEUED]
    for k in range(first, row):
        fresh_queued(m, i + k)
    for k in range(first, row):
        at = get_queued(p, m, v, i, k, first, w, at)
    for number, which in enumerate((INTERNAL, DEFERRED, WAITING)):
        for _ in range(w[LENGTHS + number]):
            k = first + w[at]
            append(m, i, which, k)
            m[i + k].holds += 1
            at += 1
    region = HEADER
    for r in range(head.n_regions):
        region = get_region(p, m, i, r, first, w, region)
    for number in range(n_works):
        k = head.first_work + number
        if number >= head.n_works:
            k = row
            row += 1
            item = fresh_work(m, i + k)
            item.holds = 1
            item.serial = number + 1
            prepend(m, i, ITEMS, k)
        at = get_work(p, m, i, k, s, w, at)
    for number in range(head.first_clock - head.first_timer):
        if w[at]:
            timer = m[i + head.first_timer + number]
            timer.due = 0
            timer.id = number + 1
        at += 1
