"""The calendar as a heap with four entries below each: what is due first lies at its root.

An entry of the heap is a time and a key of eight bytes each, so that four that are compared lie in one line of the
cache; what it is about lies elsewhere (`Run.entries`), under the number in the last bits of the key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

_njit: Callable[[Callable[..., Any]], Any] = numba.njit(nogil=True, error_model="numpy")

ROOT = 3
"""Where the first entry lies: its four successors, and theirs, then begin at multiples of 64 bytes."""
NUMBER = 24
"""Bits of the key for the number of what an entry is about."""
CLASS = 60
"""From which bit on a key is the class (M6.3); between is in which order entries came, so that no two are equal."""
MOST_ENTRIES = 1 << NUMBER

_NUMBERS = MOST_ENTRIES - 1


@_njit
def push(r: Any, time: int, order: int, what: int, slot: int, epoch: int, about: Any) -> None:
    """Add an entry about four numbers; there is room for it."""
    s = r.state[0]
    s.serial += 1
    number = s.free_entry
    entry = r.entries[number]
    s.free_entry = entry.next
    entry.time, entry.what, entry.slot, entry.epoch = time, what, slot, epoch
    entry.a, entry.b, entry.c, entry.d = about
    key = (order << CLASS) | (s.serial << NUMBER) | number
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
def first(r: Any) -> Any:
    """What is due first; there is something."""
    return r.entries[r.heap[ROOT].key & _NUMBERS]


@_njit
def free(r: Any, number: int) -> None:
    """Give up the row of what an entry was about."""
    s = r.state[0]
    r.entries[number].next = s.free_entry
    s.free_entry = number


@_njit
def pop(r: Any) -> None:
    """Move what is due first to `Run.now`."""
    s, now = r.state[0], r.now[0]
    number = r.heap[ROOT].key & _NUMBERS
    entry = r.entries[number]
    now.time, now.what, now.slot, now.epoch = entry.time, entry.what, entry.slot, entry.epoch
    now.a, now.b, now.c, now.d = entry.a, entry.b, entry.c, entry.d
    free(r, number)
    s.n_heap -= 1
    if s.n_heap > 0:
        last = r.heap[ROOT + s.n_heap]
        sink(r, 0, last.time, last.key)


@_njit
def sink(r: Any, i: int, time: int, key: int) -> None:
    """Put an entry where it belongs at `i` or below; what lay at `i` is gone."""
    n = r.state[0].n_heap
    while True:
        best = 4 * i + 1
        if best >= n:
            break
        row = r.heap[ROOT + best]
        best_time, best_key = row.time, row.key
        for other in range(best + 1, min(best + 4, n)):
            row = r.heap[ROOT + other]
            if row.time < best_time or (row.time == best_time and row.key < best_key):
                best, best_time, best_key = other, row.time, row.key
        if time < best_time or (time == best_time and key < best_key):
            break
        row = r.heap[ROOT + i]
        row.time, row.key = best_time, best_key
        i = best
    row = r.heap[ROOT + i]
    row.time, row.key = time, key


@_njit
def heapify(r: Any) -> None:
    """Make a heap of entries in any order."""
    for i in range((r.state[0].n_heap - 2) >> 2, -1, -1):
        row = r.heap[ROOT + i]
        sink(r, i, row.time, row.key)
