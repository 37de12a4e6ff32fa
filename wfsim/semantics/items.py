"""`for_each`: an activity or child for each item of a list, as if each item had a region of its own (M4.5).

The state's work is an `Each`, its open items are works in the list ITEMS, the newest first; ended ones hang on the
`Each` until there is one list of all results.
"""

from __future__ import annotations

from .codes import (
    EACH,
    FAULT,
    IDLE,
    INTEGER,
    ITEM_DONE,
    ITEM_FAILED,
    ITEMS,
    LIST,
    MANY,
    NONE,
    NULL,
    STRING,
    T_ERROR,
    T_NULL,
    T_TYPE,
)
from .internal import add_message, raise_done, raise_error
from .kernel import Output, apart, ask_results, element, fresh_each, fresh_work, kernel, length_of
from .layout import Cells, Rows
from .rows import ERROR_INDEX, ERROR_MESSAGE, ERROR_TYPE, ITEM, free_row, new_row, payload_of, prepend, unlink
from .stack import evaluate
from .values import copy_cell, set_null, set_whole
from .work import cancel_one, hold_inputs, open_activity, open_child, open_work


@apart
def end_each(p: Rows, m: Rows, o: Output, i: int, w: int, reason: int) -> None:
    """M1.2: open items end with the activation, the last one first; what ended ones gave is let go."""
    k = m[i + w].held
    m[i + w].held = NONE
    m[i + w].phase = IDLE
    at = m[i + ITEMS].first
    while at >= 0:
        after = m[i + at].next
        if m[i + at].each == k:
            cancel_one(p, m, o, i, at, reason)
            unlink(m, i, ITEMS, at)
            free_row(m, i, at)
        at = after
    if m[i + k].holds >= MANY:
        return
    at = m[i + k].ended
    while at >= 0:
        after = m[i + at].next
        free_row(m, i, at)
        at = after
    free_row(m, i, k)


@kernel
def cancel_work(p: Rows, m: Rows, o: Output, i: int, w: int, reason: int) -> None:
    """M5.4, M4.4, M4.5: whatever the work is, it ends now, and nobody waits for it."""
    if m[i + w].phase == EACH:
        end_each(p, m, o, i, w, reason)
    else:
        cancel_one(p, m, o, i, w, reason)


@apart
def fail_each(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, index: int, error_type: int, message: int) -> None:
    """M4.5, one failure too many: the other items are cancelled, and the item's error is raised with its index."""
    state = p[m[i + p[r].slot].state]
    source = state.name if state.runs_children else p[state.activity].name
    end_each(p, m, o, i, p[r].work, T_ERROR)
    k = raise_error(p, m, v, o, i, r, source, error_type)
    add_message(p, m, v, i, k, message)
    m[i + k].own = 1
    set_whole(v[payload_of(p, m, i, k) + ERROR_INDEX], INTEGER, index)


@kernel
def keep_ended(p: Rows, m: Rows, v: Cells, i: int, w: int, error_type: int, message: int) -> None:
    """Keep what came of an item, whose result is in its cell already unless it failed, until all have ended."""
    work = m[i + w]
    each = m[i + work.each]
    work.phase = ITEM_DONE if error_type < 0 else ITEM_FAILED
    cells = payload_of(p, m, i, w)
    if error_type >= 0:
        each.failed += 1
        set_null(v[cells + ITEM])
        set_whole(v[cells + ERROR_TYPE], STRING, error_type)
        set_null(v[cells + ERROR_MESSAGE])
        if message >= 0:
            set_whole(v[cells + ERROR_MESSAGE], STRING, message)
    # A row that stands for one that is missing is in no list, or it would make a circle.
    if work.holds < MANY and each.holds < MANY:
        work.next = each.ended
        each.ended = w


@kernel
def open_item(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, k: int, index: int) -> int:
    """Start the work of one item: -1, or the error type that its inputs raised (M10.3)."""
    state = p[m[i + k].state]
    w = new_row(p, m, v, o, i)
    work = fresh_work(m, i + w)
    work.holds = MANY if w == p[0].first_queued else 1
    work.region = r
    work.each = k
    work.index = index
    cells = payload_of(p, m, i, w)
    element(v, o, m[i + k].items, index, cells + ITEM)
    held = hold_inputs(p, m, v, o, i, m[i + k].state, NONE, cells)
    if held < NONE:
        keep_ended(p, m, v, i, w, -2 - held, NONE)
        return -2 - held
    prepend(m, i, ITEMS, w)
    m[i + k].open += 1
    if state.runs_children:
        m[i].activations += 1
        m[i + w].serial = m[i].activations
        open_child(p, m, v, o, i, r, w, state.activity, held)
    else:
        open_activity(p, m, v, o, i, r, w, state.activity, held)
    return NONE


@apart
def open_items(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int) -> None:
    """Start items, the lowest index first, as many as may be open; with none left, `done` is raised."""
    k = m[i + p[r].work].held
    each = m[i + k]
    if each.holds >= MANY:
        return
    state = p[each.state]
    for index in range(each.started, each.n):
        if state.max_parallel > 0 and each.open >= state.max_parallel:
            return
        each.started = index + 1
        fault = open_item(p, m, v, o, i, r, k, index)
        if fault >= 0 and each.failed > each.tolerated:
            fail_each(p, m, v, o, i, r, index, fault, NONE)
            return
    if each.open == 0:
        cells = payload_of(p, m, i, k)
        ask_results(p, m, v, o, i, k, state.collect, cells + ITEM)
        raise_done(p, m, v, o, i, r, cells + ITEM)
        end_each(p, m, o, i, p[r].work, NONE)


@kernel
def tolerance(p: Rows, s: int, n: int) -> int:
    """M4.5: how many of `n` items may fail in state `s`, a share of them rounded down."""
    share: int = p[s].tolerated_share
    tolerated: int = p[s].tolerated
    return tolerated if share < 0 else n * share // 1_000_000


@apart
def start_each(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, s: int) -> None:
    """M4.5: the items are read once, when the state is entered."""
    at = evaluate(p, m, v, o, i, p[s].items, NONE, NONE)
    items = v[at].whole
    if v[at].tag != LIST:
        fault = items if v[at].tag == FAULT else T_NULL if v[at].tag == NULL else T_TYPE
        m[i + raise_error(p, m, v, o, i, r, p[s].name, fault)].own = 1
        return
    n = length_of(o, items)
    k = new_row(p, m, v, o, i)
    each = fresh_each(m, i + k)
    each.holds = MANY if k == p[0].first_queued else 1
    each.items = items
    each.n = n
    each.state = s
    each.tolerated = tolerance(p, s, n)
    open_work(m, i, r, p[r].work, p[s].activity, k)
    work = m[i + p[r].work]
    work.phase = EACH
    work.serial = NONE
    open_items(p, m, v, o, i, r)


@apart
def end_item(p: Rows, m: Rows, v: Cells, o: Output, i: int, w: int, result: int, error_type: int, message: int) -> None:
    """M4.5: an item has ended: with the result in cell `result`, or with an error."""
    work = m[i + w]
    r = work.region
    index = work.index
    k = work.each
    unlink(m, i, ITEMS, w)
    m[i + k].open -= 1
    if error_type < 0:
        copy_cell(v[result], v[payload_of(p, m, i, w) + ITEM])
    keep_ended(p, m, v, i, w, error_type, message)
    if error_type >= 0 and m[i + k].failed > m[i + k].tolerated:
        fail_each(p, m, v, o, i, r, index, error_type, message)
    else:
        open_items(p, m, v, o, i, r)
