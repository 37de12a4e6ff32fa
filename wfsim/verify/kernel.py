"""The compiled search: one breadth-first search for all nets, which are data to it.

A marking is a row of 64-bit words. Each place has a field of some bits in one of the words, with a guard bit on
top that is 0 in every marking. With all guards set, subtracting the tokens that a net transition needs clears the
guard of each place that has too few; so "enabled" is one subtraction and one mask for each word concerned, and
firing is one addition, without a loop over places. A field that overflows sets its own guard and touches no
other; the search stops there, so that the caller can widen it.

Everything is compiled once per machine and kept in numba's cache. All compiled functions live in this file, since
the cache looks only at the file of the function that is called.

The markings found so far are looked up by open addressing with linear probing [1]_: a table of their numbers plus
one, 0 where it is empty.

References
----------
.. [1] Knuth (1998), The Art of Computer Programming, volume 3, section 6.4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Integers = NDArray[np.int64]

# --- the search's own numbers, in an array so that they outlive an interrupt ---------------------------------

FOUND, SOURCE, TRANSITION, EDGES, ENABLED, EVENTS, RECORD, WORK = range(8)
"""Places in `state`: markings found; the one to expand next, or in the middle of it the net transition to go on
with, the edges of this expansion so far and what happened in it; edges of finished expansions; the most tokens in
all places together seen in a marking; what may still be done before returning."""

DONE, PAUSED, WOKEN, FULL, STORE_SMALL, TABLE_SMALL, OVERFLOW = range(7)
"""Why the search returned. After the last four it stands in the middle of an expansion."""

DEADLOCK_EVENT, RECORD_EVENT, ABOVE_EVENT, FIRST_EVENT, EACH_EVENT = 1, 2, 4, 8, 16
"""What the caller may want to be woken by, once the expansion in which it happens is finished."""

CANDIDATES = 64
"""Most net transitions chosen by the places that are marked; if there are more, all are tried."""

BATCH = 32
"""Enabled net transitions of one marking whose markings are looked for together."""

MAX_NUMBER = 2**32 - 2
"""Most markings: numbers plus one take 32 bits in the table."""

ONE = np.uint64(1)
DEADLOCK_BIT = np.uint64(63)
TRANSITION_SHIFT = np.uint64(32)
LOW_32 = np.uint64(0xFFFFFFFF)
LOW_31 = np.uint64(0x7FFFFFFF)
# Odd numbers without structure: the golden ratio, and a constant of Steele & Vigna (2021).
MIX_WORD = np.uint64(0xD1342543DE82EF95)
MIX_END = np.uint64(0x9E3779B97F4A7C15)
SHIFT_WORD = np.uint64(32)
SHIFT_END = np.uint64(29)


class Tables(NamedTuple):
    """A net as arrays. `*_start[t]` to `*_start[t + 1]` are the entries of net transition t."""

    guard: Words
    """The guard bits of each word."""
    need_start: Integers
    need_word: Integers
    need: Words
    """What is subtracted from the word; a weight that its field cannot hold clears the guard of any marking."""
    forbid_start: Integers
    forbid_word: Integers
    forbid: Words
    forbid_guard: Words
    """What is subtracted, and the guards of which none may stay set."""
    change_start: Integers
    change_word: Integers
    keep: Words
    change: Words
    """The bits that stay (all, or without the places that are emptied), and what is added modulo 2**64."""
    gain: Integers
    """Change of the number of tokens in all places together; meaningless for transitions with reset arcs."""
    field_word: Integers
    field_shift: Words
    field_mask: Words
    lies_start: Integers
    lies_place: Integers
    """The places of each word."""
    key_start: Integers
    key_transition: Integers
    """Of each place the net transitions to try where it is marked; empty if all are to be tried always."""
    free_transition: Integers
    """Net transitions that need no tokens at all, to be tried everywhere; only with keys."""
    above: Words
    above_guard: Words
    """What is subtracted to see whether a watched place holds more than its limit, and their guards."""


def _compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """numba's `njit`; without its cache where no folder for it can be written."""

    def compile_one(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:
            return numba.njit(nogil=True, **options)(function)

    return compile_one


@_compiled(inline="always")
def _slot(rows: Any, row: Any, size: Any) -> Any:
    """Where in a table of that size (a power of two) to begin to look for a marking."""
    mixed = MIX_END
    for w in range(rows.shape[1]):
        mixed = (mixed ^ rows[row, w]) * MIX_WORD
        mixed ^= mixed >> SHIFT_WORD
    mixed *= MIX_END
    mixed ^= mixed >> SHIFT_END
    return np.int64(mixed & np.uint64(size - 1))


@_compiled(inline="always")
def _enabled(guarded: Any, tables: Any, t: Any) -> Any:
    """Whether net transition t is enabled in a marking whose guards are set."""
    for e in range(tables.need_start[t], tables.need_start[t + 1]):
        guard = tables.guard[tables.need_word[e]]
        if (guarded[tables.need_word[e]] - tables.need[e]) & guard != guard:
            return False
    for e in range(tables.forbid_start[t], tables.forbid_start[t + 1]):
        if (guarded[tables.forbid_word[e]] - tables.forbid[e]) & tables.forbid_guard[e]:
            return False
    return True


@_compiled(inline="always")
def _fire(words: Any, source: Any, tables: Any, t: Any, after: Any, row: Any) -> Any:
    """Write the marking after firing into a row; whether some field overflowed."""
    for w in range(after.shape[1]):
        after[row, w] = words[source, w]
    overflow = np.uint64(0)
    for e in range(tables.change_start[t], tables.change_start[t + 1]):
        w = tables.change_word[e]
        after[row, w] = (after[row, w] & tables.keep[e]) + tables.change[e]
        overflow |= after[row, w] & tables.guard[w]
    return overflow != 0


@_compiled(inline="always")
def _find(words: Any, table: Any, rows: Any, row: Any, slot: Any) -> Any:
    """Number of the marking in a row, looked for from a slot on; if it is not there, its slot as -1 - slot."""
    n_words = words.shape[1]
    last = table.shape[0] - 1
    while True:
        number = np.int64(table[slot]) - 1
        if number < 0:
            return -1 - slot
        same = True
        for w in range(n_words):
            if words[number, w] != rows[row, w]:
                same = False
                break
        if same:
            return number
        slot = (slot + 1) & last


@_compiled()
def find(words: Any, table: Any, rows: Any) -> Any:
    """Number of the marking that is the only row, negative if it was not found."""
    return _find(words, table, rows, 0, _slot(rows, 0, table.shape[0]))


@_compiled()
def refill(words: Any, n: Any, table: Any) -> None:
    """Enter the first n markings, all different, into an empty table."""
    size = table.shape[0]
    for number in range(n):
        slot = _slot(words, number, size)
        while table[slot] != 0:
            slot = (slot + 1) & (size - 1)
        table[slot] = number + 1


@_compiled(inline="always")
def _candidates(words: Any, source: Any, tables: Any, tried: Any) -> Any:
    """Write the net transitions whose key place is marked, in order; how many, or -1 if they are too many."""
    n = 0
    for t in tables.free_transition:
        if n >= tried.shape[0]:
            return -1
        tried[n] = t
        n += 1
    for w in range(words.shape[1]):
        word = words[source, w]
        if word == 0:
            continue
        for i in range(tables.lies_start[w], tables.lies_start[w + 1]):
            p = tables.lies_place[i]
            if (word >> tables.field_shift[p]) & tables.field_mask[p] == 0:
                continue
            for k in range(tables.key_start[p], tables.key_start[p + 1]):
                if n >= tried.shape[0]:
                    return -1
                # Sorted while there are few.
                t = tables.key_transition[k]
                at = n
                while at > 0 and tried[at - 1] > t:
                    tried[at] = tried[at - 1]
                    at -= 1
                tried[at] = t
                n += 1
    return n


@_compiled()
def maxima(words: Any, n: Any, tables: Any, most: Any) -> None:
    """The most tokens of each place in the first n markings; words that do not change are looked at once."""
    for number in range(n):
        for w in range(words.shape[1]):
            word = words[number, w]
            if number > 0 and word == words[number - 1, w]:
                continue
            for i in range(tables.lies_start[w], tables.lies_start[w + 1]):
                p = tables.lies_place[i]
                tokens = (word >> tables.field_shift[p]) & tables.field_mask[p]
                if tokens > most[p]:
                    most[p] = tokens


@_compiled()
def search(
    state: Any, words: Any, links: Any, table: Any, first: Any, tables: Any, wake: Any, watch: Any, max_markings: Any
) -> Any:
    """Expand markings, nearest first, until a reason to return; it can be called again to go on.

    Parameters
    ----------
    state
        The numbers named above.
    words, links
        A row for each marking; 32 bits for the number of the marking before it, 31 for the net transition
        between, and the highest one for markings that enable nothing.
    table
        The open addressing.
    first
        For each net transition the marking in whose expansion it first fired, -1 before.
    wake, watch
        Events to return upon, and those that only matter while they are looked for.
    """
    n_transitions = tables.gain.shape[0]
    n_words = tables.guard.shape[0]
    guarded = np.empty(n_words, np.uint64)
    after = np.empty((BATCH, n_words), np.uint64)
    fired = np.empty(BATCH, np.int64)
    overflows = np.empty(BATCH, np.bool_)
    slots = np.empty(BATCH, np.int64)
    entries = np.empty(BATCH, np.int64)
    tried = np.empty(CANDIDATES, np.int64)
    n_tried = -1
    size = table.shape[0]
    room = min(words.shape[0], links.shape[0])
    found = state[FOUND]
    source = state[SOURCE]
    transition = state[TRANSITION]
    enabled = state[ENABLED]
    events = state[EVENTS]
    edges = state[EDGES]
    record = state[RECORD]
    work = state[WORK]
    total = np.int64(0)
    outcome = DONE
    while source < found:
        if work <= 0:
            outcome = PAUSED
            break
        if tables.key_start.shape[0]:
            n_tried = _candidates(words, source, tables, tried)
        tries = n_tried if n_tried >= 0 else n_transitions
        work -= tries + n_words
        for w in range(n_words):
            guarded[w] = words[source, w] | tables.guard[w]
        if watch & RECORD_EVENT:
            total = np.int64(0)
            for p in range(tables.field_word.shape[0]):
                total += np.int64((words[source, tables.field_word[p]] >> tables.field_shift[p]) & tables.field_mask[p])
        position = 0 if n_tried >= 0 else transition
        while position < tries:
            # Each marking lies somewhere else in memory. Many are looked for at once, so that the processor waits
            # for all of them together: 1.2 to 1.5 times as fast on Kanban-4 and FMS-4, larger than its caches.
            n_fired = 0
            while position < tries and n_fired < BATCH:
                t = tried[position] if n_tried >= 0 else position
                # In the middle of an expansion it goes on where it stopped.
                if t >= transition and _enabled(guarded, tables, t):
                    fired[n_fired] = t
                    overflows[n_fired] = _fire(words, source, tables, t, after, n_fired)
                    slots[n_fired] = _slot(after, n_fired, size)
                    entries[n_fired] = table[slots[n_fired]]
                    n_fired += 1
                position += 1
            for k in range(n_fired):
                if entries[k]:
                    entries[k] = words[entries[k] - 1, 0]
            for k in range(n_fired):
                transition = fired[k]
                if overflows[k]:
                    outcome = OVERFLOW
                    break
                number = _find(words, table, after, k, slots[k])
                if number < 0:
                    if found >= max_markings:
                        outcome = FULL
                        break
                    if found >= room:
                        outcome = STORE_SMALL
                        break
                    # At most three quarters full: with more, chains grow long.
                    if 4 * (found + 1) > 3 * size:
                        outcome = TABLE_SMALL
                        break
                    for w in range(n_words):
                        words[found, w] = after[k, w]
                    links[found] = np.uint64(source) | (np.uint64(transition) << TRANSITION_SHIFT)
                    found += 1
                    table[-1 - number] = found
                    if watch & RECORD_EVENT and total + tables.gain[transition] > record:
                        record = total + tables.gain[transition]
                        events |= RECORD_EVENT
                    if watch & ABOVE_EVENT:
                        for w in range(n_words):
                            if ((after[k, w] | tables.guard[w]) - tables.above[w]) & tables.above_guard[w]:
                                events |= ABOVE_EVENT
                if first[transition] < 0:
                    first[transition] = source
                    events |= FIRST_EVENT
                enabled += 1
            if outcome != DONE:
                break
        if outcome != DONE:
            break
        if enabled == 0:
            links[source] |= ONE << DEADLOCK_BIT
            events |= DEADLOCK_EVENT
        edges += enabled
        enabled = 0
        transition = 0
        source += 1
        woken = (events | EACH_EVENT) & wake
        events = 0
        if woken:
            outcome = WOKEN
            break
    state[FOUND] = found
    state[SOURCE] = source
    state[TRANSITION] = transition
    state[ENABLED] = enabled
    state[EVENTS] = events
    state[EDGES] = edges
    state[RECORD] = record
    state[WORK] = work
    return outcome


@_compiled()
def edges_of(
    words: Any, table: Any, tables: Any, begin: Any, end: Any, start: Any, transition_of: Any, target_of: Any
) -> None:
    """Fire once more what markings `begin` to `end` enable; edges of number i are `start[i]` to `start[i + 1]`.

    `start[begin]` is given; the arrays of edges may be empty, then only targets or nothing is kept.
    """
    n_words = tables.guard.shape[0]
    guarded = np.empty(n_words, np.uint64)
    after = np.empty((1, n_words), np.uint64)
    for source in range(begin, end):
        at = start[source]
        for w in range(n_words):
            guarded[w] = words[source, w] | tables.guard[w]
        for t in range(tables.gain.shape[0]):
            if _enabled(guarded, tables, t):
                _fire(words, source, tables, t, after, 0)
                target_of[at] = _find(words, table, after, 0, _slot(after, 0, table.shape[0]))
                if transition_of.shape[0]:
                    transition_of[at] = t
                at += 1
        start[source + 1] = at


@_compiled()
def backwards(start: Any, target_of: Any, n_expanded: Any, todo: Any, n_todo: Any, reached: Any) -> None:
    """Mark what leads to the markings in `todo`, of which the first `n_todo` are marked already; O(edges)."""
    n = reached.shape[0]
    free = np.zeros(n + 1, np.int64)
    n_edges = start[n_expanded]
    for e in range(n_edges):
        free[target_of[e] + 1] += 1
    for i in range(n):
        free[i + 1] += free[i]
    sources = np.empty(n_edges, np.uint32)
    for source in range(n_expanded):
        for e in range(start[source], start[source + 1]):
            sources[free[target_of[e]]] = source
            free[target_of[e]] += 1
    # Now the sources of marking i end at free[i], where those of i + 1 begin.
    while n_todo > 0:
        n_todo -= 1
        number = np.int64(todo[n_todo])
        for e in range(free[number - 1] if number > 0 else 0, free[number]):
            before = sources[e]
            if not reached[before]:
                reached[before] = 1
                todo[n_todo] = before
                n_todo += 1
