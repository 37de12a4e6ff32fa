"""The calendar as a heap of rows, four below each: what is due first lies in row 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

from wfsim.semantics.bare import copy_rows

_njit: Callable[[Callable[..., Any]], Any] = numba.njit(nogil=True, error_model="numpy")

CLASS = 58
"""From which bit on an entry's key is its class (M6.3); below is its number, so that no two are equal."""


@_njit
def is_before(one: Any, other: Any) -> Any:
    """Whether an entry comes before another."""
    if one.time != other.time:
        return one.time < other.time
    return one.key < other.key


@_njit
def push(r: Any, time: int, order: int, what: int, slot: int, epoch: int, about: Any) -> None:
    """Add an entry about four numbers; there is room for it."""
    s = r.state[0]
    s.serial += 1
    key = (order << CLASS) | s.serial
    i = s.n_heap
    s.n_heap += 1
    while i > 0:
        above = (i - 1) >> 2
        upper = r.heap[above]
        if upper.time < time or (upper.time == time and upper.key < key):
            break
        copy_rows(r.heap, i, r.heap, above, 1)
        i = above
    row = r.heap[i]
    row.time, row.key = time, key
    row.what, row.slot, row.epoch = what, slot, epoch
    row.a, row.b, row.c, row.d = about


@_njit
def pop(r: Any) -> None:
    """Move the first entry to `Run.now`."""
    s = r.state[0]
    copy_rows(r.now, 0, r.heap, 0, 1)
    s.n_heap -= 1
    if s.n_heap > 0:
        sink(r, 0, s.n_heap)


@_njit
def sink(r: Any, i: int, last: int) -> None:
    """Put the entry in row `last`, behind the heap, where it belongs at `i` or below."""
    n = r.state[0].n_heap
    entry = r.heap[last]
    while True:
        best = 4 * i + 1
        if best >= n:
            break
        for other in range(best + 1, min(best + 4, n)):
            if is_before(r.heap[other], r.heap[best]):
                best = other
        if not is_before(r.heap[best], entry):
            break
        copy_rows(r.heap, i, r.heap, best, 1)
        i = best
    if i != last:
        copy_rows(r.heap, i, r.heap, last, 1)


@_njit
def heapify(r: Any) -> None:
    """Make a heap of entries in any order; the row behind them is free."""
    n = r.state[0].n_heap
    for i in range((n - 2) >> 2, -1, -1):
        copy_rows(r.heap, n, r.heap, i, 1)
        sink(r, i, n)
