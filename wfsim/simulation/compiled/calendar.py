"""The calendar: what is due at once, what is due soon in a heap with four entries below each, and what is due later.

Results that are due at once wait in a ring, in order. What is due later lies in any order: most of it is timers that
are dropped before, so they never come into the heap. An entry of the heap is a time and a key of eight bytes each, so
that four that are compared lie in one line of the cache; what it is about lies elsewhere (`Run.entries`), under the
number in the last bits of the key. A timer that is dropped makes its entry void, which stays until it is due or all is
tidied up: to take it out of the middle of a heap would take as long, and every entry that moves would have to tell
where it is.
"""

from __future__ import annotations

from typing import Any

from wfsim.semantics.addresses import prefetch
from wfsim.semantics.later import njit
from wfsim.simulation.calendar import Order
from wfsim.simulation.compiled.layout import VOID

_njit = njit(nogil=True, error_model="numpy")

ROOT = 3
"""Where the first entry lies: its four successors, and theirs, then begin at multiples of 64 bytes."""
NUMBER = 24
"""Bits of the key for the number of what an entry is about."""
CLASS = 60
"""From which bit on a key is the class (M6.3); between is in which order entries came, so that no two are equal."""
MOST_ENTRIES = 1 << NUMBER
AHEAD = 8
"""How many rows before it is looked at an entry is asked for."""

_NUMBERS = MOST_ENTRIES - 1
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
    if time == s.now and order == _RESULT:
        at = s.first_soon + s.n_soon
        r.soon[at if at < s.heap_room else at - s.heap_room] = key
        s.n_soon += 1
    else:
        put(r, time, key)
    return number


@_njit
def put(r: Any, time: int, key: int) -> None:
    """Add an entry where it belongs."""
    s = r.state[0]
    if time > s.far_from:
        row = r.far[s.n_far]
        row.time, row.key = time, key
        s.far_first = min(s.far_first, time) if s.n_far else time
        s.n_far += 1
        return
    i = s.n_heap
    s.n_heap += 1
    while i > 0:
        above = (i - 1) >> 2
        upper = r.heap[ROOT + above]
        if upper.time < time or (upper.time == time and upper.key < key):
            break
        row = r.heap[ROOT + i]
        row.time, row.key = upper.time, upper.key
        i = above
    row = r.heap[ROOT + i]
    row.time, row.key = time, key


@_njit
def fetch(r: Any) -> None:
    """Let what is due next be in the heap, if anything is left: move what is due before a later time there.

    How much later is found by trial, so that between two such moves about as much is put in as one looks through.
    """
    s = r.state[0]
    while s.n_far > 0 and (s.n_heap == 0 or r.heap[ROOT].time > s.far_from):
        n, kept = s.n_far, 0
        s.far_from = max(s.far_first, s.far_from) + s.far_length
        s.n_far = 0
        s.far_first = _NEVER
        for i in range(n):
            row = r.far[i]
            time, key = row.time, row.key
            prefetch(r.entries, r.far[min(i + AHEAD, n - 1)].key & _NUMBERS, 1)
            if time <= s.far_from:
                if r.entries[key & _NUMBERS].what == VOID:
                    free(r, key & _NUMBERS)
                else:
                    put(r, time, key)
            else:
                moved = r.far[kept]
                moved.time, moved.key = time, key
                s.far_first = min(s.far_first, time)
                kept += 1
        s.n_far = kept
        pushed = s.serial - s.far_serial
        s.far_serial = s.serial
        if 4 * pushed < n:
            s.far_length *= 2
        elif pushed > n:
            s.far_length = max(1, s.far_length // 2)


@_njit
def n_due(s: Any) -> Any:
    """How many entries there are."""
    return s.n_soon + s.n_heap + s.n_far


@_njit
def is_soon(r: Any) -> Any:
    """Whether what is due first waits in the ring; there is something."""
    s = r.state[0]
    if s.n_soon == 0:
        return False
    root = r.heap[ROOT]
    return s.n_heap == 0 or root.time > s.now or root.key > r.soon[s.first_soon]


@_njit
def first(r: Any) -> Any:
    """What is due first; there is something."""
    key = r.soon[r.state[0].first_soon] if is_soon(r) else r.heap[ROOT].key
    return r.entries[key & _NUMBERS]


@_njit
def due(r: Any) -> Any:
    """When the first is due; there is something."""
    return r.state[0].now if is_soon(r) else r.heap[ROOT].time


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
    soon = is_soon(r)
    if soon:
        time, number = s.now, r.soon[s.first_soon] & _NUMBERS
        s.first_soon = s.first_soon + 1 if s.first_soon + 1 < s.heap_room else 0
        s.n_soon -= 1
    else:
        time, number = r.heap[ROOT].time, r.heap[ROOT].key & _NUMBERS
        s.n_heap -= 1
    entry = r.entries[number]
    now.what, now.slot, now.epoch = entry.what, entry.slot, entry.epoch
    now.a, now.b, now.c, now.d = entry.a, entry.b, entry.c, entry.d
    free(r, number)
    if not soon and s.n_heap > 0:
        last = r.heap[ROOT + s.n_heap]
        sink(r, 0, last.time, last.key)
        # One of them is next.
        for i in range(5):
            prefetch(r.entries, r.heap[ROOT + i].key & _NUMBERS, 1)
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
        if time < below.time or (time == below.time and key < below.key):
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
