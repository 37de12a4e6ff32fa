"""The calendar: what is due at once, what is due soon, in two parts, and what is due later.

Results that are due at once wait in a ring, in order. What is due later than a limit lies in any order: most of it is
timers that are dropped before. Once nothing else is left, what is due before the next limit is sorted (`arrange`), and
taken from the front. What is put in before that limit is most often due next but a few, and goes in its place there
(`REACH`); the rest goes into a heap with four entries below each, which is short then. This is a ladder queue [1]_ with
one rung.

An entry is a time and a key of eight bytes each, so that four that are compared lie in one line of the cache; what it
is about lies elsewhere (`Run.entries`), under the number in the last bits of the key. A timer that is dropped makes its
entry void, which stays until it is due or all is tidied up: to take it out of the middle would take as long, and every
entry that moves would have to tell where it is.

References
----------
.. [1] W. T. Tang, R. S. M. Goh, I. L.-J. Thng: Ladder queue: an O(1) priority queue structure for large-scale discrete
   event simulation. ACM TOMACS 15(3), 2005.
"""

from __future__ import annotations

from typing import Any

from wfsim.semantics.addresses import copy_rows, prefetch, rows_from
from wfsim.semantics.later import njit
from wfsim.simulation.calendar import Order
from wfsim.simulation.compiled.layout import VOID

_njit = njit(nogil=True, error_model="numpy")
_apart = njit(nogil=True, error_model="numpy", apart=True)

ROOT = 3
"""Where the first entry of the heap lies: its four successors, and theirs, then begin at multiples of 64 bytes."""
NUMBER = 24
"""Bits of the key for the number of what an entry is about."""
CLASS = 60
"""From which bit on a key is the class (M6.3); between is in which order entries came, so that no two are equal."""
MOST_ENTRIES = 1 << NUMBER
AHEAD = 8
"""How many rows before it is looked at an entry is asked for."""
REACH = 24
"""An entry is put among what has been sorted, if so many of it are at most due before."""
FRONT = 1_024
"""So many rows are free before what has just been sorted."""
FEW = 24
"""So many entries are put in order one by one."""
DIGIT = 256
"""How many values a digit has by which entries are sorted."""

LATELY = 4_096
"""What the last entries are about is in the cache still, as so many cases fit into it."""

NOWHERE, SOON, HEAP, NEAR = range(4)
"""Where what is due first lies: the ring, the heap, or what has been sorted; or it is still to be fetched."""

_NUMBERS = MOST_ENTRIES - 1
_SERIALS = (1 << CLASS) - 1
_NEVER = 2**63 - 1
_RESULT = int(Order.RESULT)


@_njit
def push(r: Any, time: int, order: int, what: int, slot: int, epoch: int, about: Any) -> Any:
    """Add an entry about four numbers, for which there is room; returns its number."""
    s = r.state[0]
    s.serial += 1
    number = s.free_entry
    entry = r.entries[number]
    s.free_entry = entry.next
    # The next one that is free has perhaps not been looked at for long.
    prefetch(r.entries, s.free_entry if s.free_entry >= 0 else 0, 1)
    entry.what, entry.slot, entry.epoch = what, slot, epoch
    entry.a, entry.b, entry.c, entry.d = about
    key = (order << CLASS) | (s.serial << NUMBER) | number
    if time > s.far_from:
        row = r.far[s.n_far]
        row.time, row.key = time, key
        s.far_first = min(s.far_first, time) if s.n_far else time
        s.n_far += 1
        return number
    if time == s.now and order == _RESULT:
        source = SOON
        at = s.first_soon + s.n_soon
        r.soon[at if at < s.heap_room else at - s.heap_room] = key
        s.n_soon += 1
    else:
        source = NEAR if insert(r, time, key) else HEAP
    if s.first_from == NOWHERE or time < s.first_time or (time == s.first_time and key < s.first_key):
        s.first_from, s.first_time, s.first_key = source, time, key
    return number


@_njit
def insert(r: Any, time: int, key: int) -> Any:
    """Put an entry in its place among what has been sorted, if that is near its beginning, else into the heap."""
    s = r.state[0]
    n = min(s.n_near, REACH)
    if n == 0:
        s.first_near = FRONT
    end = s.first_near + n
    if n > 0 and is_due_before(time, key, r.near[end - 1]):
        if s.first_near == 0:
            rise(r, time, key)
            return False
        s.first_near -= 1
        at = s.first_near
        while not is_due_before(time, key, r.near[at + 1]):
            row, after = r.near[at], r.near[at + 1]
            row.time, row.key = after.time, after.key
            at += 1
    elif n == REACH or end >= s.heap_room:
        rise(r, time, key)
        return False
    else:
        at = end
    row = r.near[at]
    row.time, row.key = time, key
    s.n_near += 1
    return True


@_njit
def is_due_before(time: int, key: int, row: Any) -> Any:
    """Whether an entry with that time and key is due before another one."""
    return time < row.time or (time == row.time and key < row.key)


@_njit
def rise(r: Any, time: int, key: int) -> None:
    """Add an entry to the heap."""
    s = r.state[0]
    i = s.n_heap
    s.n_heap += 1
    while i > 0:
        above = (i - 1) >> 2
        upper = r.heap[ROOT + above]
        if not is_due_before(time, key, upper):
            break
        row = r.heap[ROOT + i]
        row.time, row.key = upper.time, upper.key
        i = above
    row = r.heap[ROOT + i]
    row.time, row.key = time, key


@_njit
def look(r: Any) -> None:
    """Note what is due first, of all but what is due later than the limit."""
    s = r.state[0]
    source, time, key = NOWHERE, _NEVER, _NEVER
    if s.n_near > 0:
        row = r.near[s.first_near]
        source, time, key = NEAR, row.time, row.key
    if s.n_heap > 0:
        row = r.heap[ROOT]
        if row.time < time or (row.time == time and row.key < key):
            source, time, key = HEAP, row.time, row.key
    if s.n_soon > 0 and (s.now < time or (s.now == time and r.soon[s.first_soon] < key)):
        source, time, key = SOON, s.now, r.soon[s.first_soon]
    s.first_from, s.first_time, s.first_key = source, time, key


@_apart
def fetch(r: Any) -> None:
    """Sort what is due before a later limit, if there is nothing else and anything is left.

    How much later is found by trial, so that between two such moves about as much is put in as one looks through.
    """
    s = r.state[0]
    while s.n_far > 0 and s.n_heap == 0 and s.n_near == 0:
        n, kept, found = s.n_far, 0, 0
        s.far_from = max(s.far_first, s.far_from) + s.far_length
        s.far_first = _NEVER
        classes, earliest, latest = 0, _NEVER, 0
        for i in range(n):
            row = r.far[i]
            time, key = row.time, row.key
            prefetch(r.entries, r.far[min(i + AHEAD, n - 1)].key & _NUMBERS, 1)
            if time > s.far_from:
                moved = r.far[kept]
                moved.time, moved.key = time, key
                s.far_first = min(s.far_first, time)
                kept += 1
            elif r.entries[key & _NUMBERS].what == VOID:
                free(r, key & _NUMBERS)
            else:
                moved = r.gathered[found]
                moved.time, moved.key = time, key
                classes |= 1 << (key >> CLASS)
                earliest, latest = min(earliest, time), max(latest, time)
                found += 1
        s.n_far = kept
        s.first_near, s.n_near = FRONT, found
        arrange(r, found, earliest, latest, classes)
        pushed = s.serial - s.far_serial
        s.far_serial = s.serial
        if 4 * pushed < n:
            s.far_length *= 2
        elif pushed > n:
            s.far_length = max(1, s.far_length // 2)
    look(r)


@_njit
def arrange(r: Any, n: int, earliest: int, latest: int, classes: int) -> None:
    """Put entries that were gathered into `near`, by time and key; they came in the order of their serials.

    `classes` has a bit for each class that there is. Many are sorted digit by digit, the least first, since each pass
    keeps the order of what is equal in it.
    """
    near = rows_from(r.near, FRONT)
    if n <= FEW:
        for k in range(n):
            row = r.gathered[k]
            time, key, at = row.time, row.key, k
            while at > 0:
                before = near[at - 1]
                if not is_due_before(time, key, before):
                    break
                moved = near[at]
                moved.time, moved.key = before.time, before.key
                at -= 1
            moved = near[at]
            moved.time, moved.key = time, key
        return
    source, target, is_near = rows_from(r.gathered, 0), near, False
    shift = -1 if classes & (classes - 1) else 0
    while shift < 0 or (latest - earliest) >> shift > 0:
        for digit in range(DIGIT):
            r.counts[digit] = 0
        for k in range(n):
            r.counts[digit_of(source[k], shift, earliest)] += 1
        end = 0
        for digit in range(DIGIT):
            count = r.counts[digit]
            r.counts[digit] = end
            end += count
        for k in range(n):
            row = source[k]
            digit = digit_of(row, shift, earliest)
            moved = target[r.counts[digit]]
            moved.time, moved.key = row.time, row.key
            r.counts[digit] += 1
        source, target, is_near = target, source, not is_near
        shift = 0 if shift < 0 else shift + 8
    if not is_near:
        copy_rows(near, 0, r.gathered, 0, n)


@_njit
def digit_of(row: Any, shift: int, earliest: int) -> Any:
    """A digit of the time of an entry, or below all of them its class."""
    return row.key >> CLASS if shift < 0 else ((row.time - earliest) >> shift) & (DIGIT - 1)


@_njit
def n_due(s: Any) -> Any:
    """How many entries there are."""
    return s.n_soon + s.n_heap + s.n_near + s.n_far


@_njit
def first(r: Any) -> Any:
    """What is due first; there is something."""
    return r.entries[r.state[0].first_key & _NUMBERS]


@_njit
def due(r: Any) -> Any:
    """When that is due."""
    return r.state[0].first_time


@_njit
def is_old(r: Any) -> Any:
    """Whether there is something due first that was put in some time ago: nobody has looked at whose it is since."""
    s = r.state[0]
    return s.first_from != NOWHERE and s.serial - ((s.first_key & _SERIALS) >> NUMBER) > LATELY


@_njit
def void(r: Any, number: int) -> None:
    """Nothing will come of an entry."""
    r.entries[number].what = VOID


@_njit
def free(r: Any, number: int) -> None:
    """Give up the row of what an entry was about."""
    s = r.state[0]
    r.entries[number].next = s.free_entry
    s.free_entry = number


@_njit
def pop(r: Any) -> Any:
    """Move what is due first to `Run.now`; returns when it is due."""
    s, now = r.state[0], r.now[0]
    time, number, source = s.first_time, s.first_key & _NUMBERS, s.first_from
    entry = r.entries[number]
    now.what, now.slot, now.epoch = entry.what, entry.slot, entry.epoch
    now.a, now.b, now.c, now.d = entry.a, entry.b, entry.c, entry.d
    free(r, number)
    if source == SOON:
        s.first_soon = s.first_soon + 1 if s.first_soon + 1 < s.heap_room else 0
        s.n_soon -= 1
    elif source == NEAR:
        s.first_near += 1
        s.n_near -= 1
        # Who has waited for long lies far away.
        prefetch(r.entries, r.near[s.first_near + 2].key & _NUMBERS, 1)
    else:
        s.n_heap -= 1
        if s.n_heap > 0:
            last = r.heap[ROOT + s.n_heap]
            sink(r, 0, last.time, last.key)
    look(r)
    prefetch(r.entries, s.first_key & _NUMBERS, 1)
    return time


@_njit
def is_before(r: Any, one: int, other: int) -> Any:
    """1 if one entry of the heap is due before another, else 0; without a branch, as nobody can foresee it."""
    a, b = r.heap[ROOT + one], r.heap[ROOT + other]
    return int((a.time < b.time) | ((a.time == b.time) & (a.key < b.key)))


@_njit
def sink(r: Any, i: int, time: int, key: int) -> None:
    """Put an entry where it belongs at `i` or below; what lay at `i` is gone."""
    n = r.state[0].n_heap
    while True:
        best = 4 * i + 1
        if best + 3 < n:
            left = best + is_before(r, best + 1, best)
            right = best + 2 + is_before(r, best + 3, best + 2)
            best = left + (right - left) * is_before(r, right, left)
        elif best < n:
            for other in range(best + 1, n):
                best += (other - best) * is_before(r, other, best)
        else:
            break
        below = r.heap[ROOT + best]
        if is_due_before(time, key, below):
            break
        row = r.heap[ROOT + i]
        row.time, row.key = below.time, below.key
        i = best
    row = r.heap[ROOT + i]
    row.time, row.key = time, key


@_njit
def heapify(r: Any) -> None:
    """Make a heap of entries in any order."""
    for i in range((r.state[0].n_heap - 2) >> 2, -1, -1):
        row = r.heap[ROOT + i]
        sink(r, i, row.time, row.key)
