"""The compiled search: one, breadth first or as a dive, for all nets, which are data to it.

A marking is a row of 64-bit words. Each place has a field of some bits in one of the words, with a guard bit on
top that is 0 in every marking. With all guards set, subtracting the tokens that a net transition needs clears the
guard of each place that has too few; so "enabled" is one subtraction and one mask for each word concerned, and
firing is one addition, without a loop over places. A field that overflows sets its own guard and touches no
other; the search stops there, so that the caller can widen it.

Everything is compiled once per machine and kept in numba's cache. All compiled functions that call one another live
in this file, since the cache looks only at the file of the function that is called.

The markings found so far are looked up by open addressing with linear probing [1]_: a table of their numbers plus
one, 0 where it is empty.

References
----------
.. [1] Knuth (1998), The Art of Computer Programming, volume 3, section 6.4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wfsim.verification.nets.arrays import compiled

# --- the search's own numbers, in an array so that they outlive an interrupt ---------------------------------

FOUND, SOURCE, TRANSITION, EDGES, ENABLED, EVENTS, RECORD, WORK, PENDING = range(9)
"""Places in `state`: markings found; the one to expand next, or in the middle of it the net transition to go on
with, the edges of this expansion so far and what happened in it; edges of finished expansions; the most tokens in
all places together seen in a marking; what may still be done before returning; what a dive has still to fire."""

DONE, PAUSED, WOKEN, FULL, STORE_SMALL, TABLE_SMALL, OVERFLOW, PENDING_SMALL = range(8)
"""Why the search returned. After the last five it stands in the middle of an expansion."""

DEADLOCK_EVENT, RECORD_EVENT, ABOVE_EVENT, FIRST_EVENT, EACH_EVENT, SOUGHT_EVENT = 1, 2, 4, 8, 16, 32
"""What the caller may want to be woken by, once the expansion in which it happens is finished."""

CANDIDATES = 64
"""Most net transitions chosen by the places that are marked; if there are more, all are tried."""

BATCH = 32
"""Enabled net transitions of one marking whose markings are looked for together."""

MAX_NUMBER = 2**32 - 2
"""Most markings: numbers plus one take 32 bits in the table."""

CLEAN, DIRTY = -1, -2
"""Components of stubborn sets that are done: without an enabled net transition in reach, and with one."""

MOST_TRIED = 8
"""As in `wfsim.verification.nets.goal`."""

ONE = np.uint64(1)
DEADLOCK_BIT = np.uint64(63)
TRANSITION_SHIFT = np.uint64(32)
LOW_32 = np.uint64(0xFFFFFFFF)
# Odd numbers without structure: the golden ratio, and a constant of Steele & Vigna (2021).
MIX_WORD = np.uint64(0xD1342543DE82EF95)
MIX_END = np.uint64(0x9E3779B97F4A7C15)
SHIFT_WORD = np.uint64(32)
SHIFT_END = np.uint64(29)


@compiled(inline="always")
def _slot(rows: Any, row: Any, size: Any) -> Any:
    """Where in a table of that size (a power of two) to begin to look for a marking."""
    mixed = MIX_END
    for w in range(rows.shape[1]):
        mixed = (mixed ^ rows[row, w]) * MIX_WORD
        mixed ^= mixed >> SHIFT_WORD
    mixed *= MIX_END
    mixed ^= mixed >> SHIFT_END
    return np.int64(mixed & np.uint64(size - 1))


@compiled(inline="always")
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


@compiled(inline="always")
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


@compiled(inline="always")
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


@compiled()
def find(words: Any, table: Any, rows: Any) -> Any:
    """Number of the marking that is the only row, negative if it was not found."""
    return _find(words, table, rows, 0, _slot(rows, 0, table.shape[0]))


@compiled()
def refill(words: Any, n: Any, table: Any) -> None:
    """Enter the first n markings, all different, into an empty table."""
    size = table.shape[0]
    for number in range(n):
        slot = _slot(words, number, size)
        while table[slot] != 0:
            slot = (slot + 1) & (size - 1)
        table[slot] = number + 1


@compiled(inline="always")
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


@compiled()
def _scratch(tables: Any, sets: Any) -> Any:
    """Room for the tokens of each place, for numbers of each net transition, and for each sum of a goal."""
    n_transitions, n_places = tables.gain.shape[0], tables.field_word.shape[0]
    sums = np.empty(sets.sum_most.shape[0], np.int64)
    return np.empty(n_places, np.int64), np.empty((6, n_transitions), np.int64), sums


@compiled()
def _stubborn(words: Any, source: Any, tables: Any, sets: Any, scratch: Any, chosen: Any) -> Any:
    """Write the enabled net transitions of a stubborn set, in order.

    How many; how many are enabled at all; and whether the marking may be one that is sought. The same sets as those of
    `wfsim.verification.nets.stubborn`, whose names it uses.
    """
    tokens, by_transition, sums = scratch
    follow = by_transition[0]
    for p in range(tokens.shape[0]):
        tokens[p] = (words[source, tables.field_word[p]] >> tables.field_shift[p]) & tables.field_mask[p]
    n_enabled = 0
    for t in range(follow.shape[0]):
        follow[t] = t
        for e in range(sets.wants_start[t], sets.wants_start[t + 1]):
            if (tokens[sets.wants_place[e]] < sets.wants_weight[e]) != (sets.wants_fewer[e] == 1):
                follow[t] = sets.wants_list[e]
                break
        if follow[t] == t:
            chosen[n_enabled] = t
            n_enabled += 1
    if sets.clause_start.shape[0] == 0:
        if n_enabled < 2:
            return n_enabled, n_enabled, n_enabled == 0
        return _smallest(follow, sets, by_transition, chosen), n_enabled, False
    n = _towards(follow, sets, tokens, by_transition, sums, chosen)
    # Where all clauses are true, all that is enabled is left chosen.
    return (n_enabled, n_enabled, True) if n < 0 else (n, n_enabled, False)


@compiled()
def _towards(follow: Any, sets: Any, tokens: Any, by_transition: Any, met: Any, chosen: Any) -> Any:
    """Write the enabled net transitions of a smallest set with an up-set in it; how many, -1 if none is false."""
    for i in range(met.shape[0]):
        total = np.int64(0)
        for e in range(sets.term_start[i], sets.term_start[i + 1]):
            total += sets.term_weight[e] * tokens[sets.term_place[e]]
        met[i] = total <= sets.sum_most[i]
    seen, todo = by_transition[1], by_transition[2]
    n_best = -1
    tried = 0
    for c in range(sets.clause_start.shape[0] - 1):
        true = False
        for e in range(sets.clause_start[c], sets.clause_start[c + 1]):
            true |= met[sets.clause[e]] != 0
        if true:
            continue
        seen[:] = 0
        n = n_fired = done = 0
        for e in range(sets.clause_start[c], sets.clause_start[c + 1]):
            i = sets.clause[e]
            for k in range(sets.wish_start[i], sets.wish_start[i + 1]):
                if not seen[sets.wish[k]]:
                    seen[sets.wish[k]] = 1
                    todo[n] = sets.wish[k]
                    n += 1
        while done < n and (n_best < 0 or n_fired < n_best):
            t = todo[done]
            done += 1
            n_fired += follow[t] == t
            for e in range(sets.list_start[follow[t]], sets.list_start[follow[t] + 1]):
                other = sets.list_transition[e]
                if not seen[other]:
                    seen[other] = 1
                    todo[n] = other
                    n += 1
        if n_best < 0 or n_fired < n_best:
            n_best = 0
            for k in range(n):
                if follow[todo[k]] == todo[k]:
                    chosen[n_best] = todo[k]
                    n_best += 1
        tried += 1
        if n_best == 0 or tried == MOST_TRIED:
            break
    if n_best > 0:
        chosen[:n_best].sort()
    return n_best


@compiled()
def _smallest(follow: Any, sets: Any, by_transition: Any, chosen: Any) -> Any:
    """Write the enabled net transitions of the first smallest set, in order; how many."""
    order, low, under_way = by_transition[1], by_transition[2], by_transition[3]
    path, at = by_transition[4], by_transition[5]
    order[:] = 0
    met = n_best = 0
    for root in range(follow.shape[0]):
        if follow[root] != root or order[root] != 0:
            continue
        met += 1
        order[root] = low[root] = met
        under_way[0] = path[0] = root
        at[0] = sets.list_start[root]
        n_under_way = depth = 1
        while depth > 0:
            t = path[depth - 1]
            if at[depth - 1] == sets.list_start[follow[t] + 1]:
                depth -= 1
                if depth > 0:
                    low[path[depth - 1]] = min(low[path[depth - 1]], low[t])
                if low[t] < order[t]:
                    continue
                begin = n_under_way - 1
                while under_way[begin] != t:
                    begin -= 1
                n_fired = 0
                for k in range(begin, n_under_way):
                    if follow[under_way[k]] == under_way[k]:
                        n_fired += 1
                if n_fired > 0:
                    if n_best == 0 or n_fired < n_best:
                        n_best = 0
                        for k in range(begin, n_under_way):
                            if follow[under_way[k]] == under_way[k]:
                                chosen[n_best] = under_way[k]
                                n_best += 1
                    break
                for k in range(begin, n_under_way):
                    order[under_way[k]] = CLEAN
                n_under_way = begin
                continue
            other = sets.list_transition[at[depth - 1]]
            at[depth - 1] += 1
            if order[other] == 0:
                met += 1
                order[other] = low[other] = met
                under_way[n_under_way] = path[depth] = other
                at[depth] = sets.list_start[follow[other]]
                n_under_way += 1
                depth += 1
            elif order[other] == DIRTY:
                break
            elif order[other] > 0:
                low[t] = min(low[t], order[other])
        for k in range(n_under_way):
            order[under_way[k]] = DIRTY
        if n_best == 1:
            break
    chosen[:n_best].sort()
    return n_best


@compiled()
def search(
    state: Any,
    words: Any,
    links: Any,
    table: Any,
    first: Any,
    tables: Any,
    sets: Any,
    wake: Any,
    watch: Any,
    max_markings: Any,
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
    sets
        Stubborn sets, or None to fire all that is enabled; each is compiled on its own.
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
    tried = np.empty(CANDIDATES if sets is None else n_transitions, np.int64)
    n_tried = -1
    if sets is not None:
        scratch = _scratch(tables, sets)
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
        if sets is not None:
            n_tried, n_enabled, sought = _stubborn(words, source, tables, sets, scratch, tried)
            work -= n_transitions
        elif tables.key_start.shape[0]:
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
        nothing = enabled == 0
        if sets is not None:
            nothing = n_enabled == 0
            if sought:
                events |= SOUGHT_EVENT
        if nothing:
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


@compiled()
def dive(
    state: Any, words: Any, links: Any, table: Any, tables: Any, sets: Any, turn: Any, pending: Any, max_markings: Any
) -> Any:
    """Go depth first through the markings of stubborn sets until a reason to return; call it again to go on.

    Parameters
    ----------
    state, words, links, table
        As of `search`; `SOURCE` is the marking where it stands, 0 before the first call, when nothing is pending.
    turn
        The turn of each net transition; the lowest is fired first.
    pending
        Net transitions still to be fired, last first: for the marking where it stands down to a -1, below for the
        one before it, and so on.
    """
    n_words = tables.guard.shape[0]
    n_transitions = tables.gain.shape[0]
    after = np.empty((1, n_words), np.uint64)
    scratch = _scratch(tables, sets)
    chosen = np.empty(n_transitions, np.int64)
    found, here, n_pending = state[FOUND], state[SOURCE], state[PENDING]
    size = table.shape[0]
    room = min(words.shape[0], links.shape[0])
    work = state[WORK]
    # The initial marking is looked at like any other one that is new.
    new = found == 1 and n_pending == 0
    outcome = DONE
    while n_pending > 0 or new:
        if work <= 0:
            outcome = PAUSED
            break
        if pending.shape[0] < n_pending + n_transitions + 1:
            outcome = PENDING_SMALL
            break
        work -= 1
        if not new:
            t = pending[n_pending - 1]
            if t < 0:
                here = np.int64(links[here] & LOW_32)
                n_pending -= 1
                continue
            state[TRANSITION] = t
            if _fire(words, here, tables, t, after, 0):
                outcome = OVERFLOW
                break
            number = _find(words, table, after, 0, _slot(after, 0, size))
            if number >= 0:
                n_pending -= 1
                continue
            if found >= max_markings:
                outcome = FULL
                break
            if found >= room:
                outcome = STORE_SMALL
                break
            if 4 * (found + 1) > 3 * size:
                outcome = TABLE_SMALL
                break
            n_pending -= 1
            for w in range(n_words):
                words[found, w] = after[0, w]
            links[found] = np.uint64(here) | (np.uint64(t) << TRANSITION_SHIFT)
            here = found
            found += 1
            table[-1 - number] = found
        new = False
        n, _, sought = _stubborn(words, here, tables, sets, scratch, chosen)
        work -= n_transitions
        pending[n_pending] = -1
        n_pending += 1
        # Highest turn first, as the last one is fired first.
        for k in range(n):
            t = chosen[k]
            at = n_pending + k
            while pending[at - 1] >= 0 and turn[pending[at - 1]] < turn[t]:
                pending[at] = pending[at - 1]
                at -= 1
            pending[at] = t
        n_pending += n
        if sought:
            outcome = WOKEN
            break
    state[FOUND], state[SOURCE], state[PENDING] = found, here, n_pending
    state[WORK] = work
    return outcome


@compiled()
def edges_of(
    words: Any, table: Any, tables: Any, sets: Any, begin: Any, end: Any, start: Any, transition_of: Any, target_of: Any
) -> None:
    """Fire once more all that the search fired in markings `begin` to `end`.

    Edges of number i are `start[i]` to `start[i + 1]`; `start[begin]` is given.
    """
    n_words = tables.guard.shape[0]
    n_transitions = tables.gain.shape[0]
    if sets is not None:
        scratch = _scratch(tables, sets)
        tried = np.empty(n_transitions, np.int64)
    tries = n_transitions
    guarded = np.empty(n_words, np.uint64)
    after = np.empty((1, n_words), np.uint64)
    for source in range(begin, end):
        at = start[source]
        for w in range(n_words):
            guarded[w] = words[source, w] | tables.guard[w]
        if sets is not None:
            tries, _, _ = _stubborn(words, source, tables, sets, scratch, tried)
        for k in range(tries):
            t = k
            if sets is not None:
                t = tried[k]
            if _enabled(guarded, tables, t):
                _fire(words, source, tables, t, after, 0)
                target_of[at] = _find(words, table, after, 0, _slot(after, 0, table.shape[0]))
                transition_of[at] = t
                at += 1
        start[source + 1] = at
