"""Where instances lie: spread out for a step in the area of their workflow, and between steps packed in words.

Most of what an instance can have is empty most of the time: what waits in it, works, its inbox, room to compute in,
what a flight has written. A slot has the words of the instance itself and of its regions, of its timers and variables;
those of flights' cells, of the works that are open and of the rows that are in use lie in a block, which it has while
it needs one. So a step reads and writes some hundreds of bytes, not all that there could be, and finds the rest of its
area as it was.
"""

from __future__ import annotations

from typing import Any

from wfsim.semantics import dtypes, layout
from wfsim.semantics.addresses import copy_rows, copy_words, rows_from
from wfsim.semantics.codes import (
    ABSENT,
    BEFORE_COMMIT,
    FIRST_REGION,
    FREE,
    IDLE,
    INBOX,
    NONE,
    NULL,
    NUMBER,
    PARALLEL,
    WAITING,
)
from wfsim.semantics.later import njit
from wfsim.semantics.speed import bits_of, real_of

_njit = njit(nogil=True, error_model="numpy")
_apart = njit(nogil=True, error_model="numpy", apart=True)

SIZES = 32
"""Sizes of blocks."""
UNIT = 16
"""Words by which small blocks differ."""
_FINE = 8
"""So many sizes differ by a unit; from there on each is twice the one before."""
_SLACK = 3 * UNIT
"""A block with more room than that for what is not there is given back."""
ME, REGION, WORK, TIMER, CHAIN, ROW = (
    dtypes.words_of(cls)
    for cls in (layout.Me, layout.RegionCell, layout.WorkCell, layout.TimerCell, layout.ListCell, layout.Queued)
)
"""Words of an instance itself, of a region, a work, a timer, a list, and of any row."""
LISTS = FREE - WAITING


@_njit
def size_of(extra: int) -> Any:
    """The size of a block for so many words."""
    size = (extra + UNIT - 1) // UNIT
    if size > _FINE:
        units, size = size, _FINE + 1
        while _FINE << (size - _FINE) < units:
            size += 1
    return size


@_njit
def room_of(size: int) -> Any:
    """How many words there are in a block of this size."""
    return UNIT * (size if size <= _FINE else _FINE << (size - _FINE))


@_njit
def has_block(r: Any, member: int) -> Any:
    """Whether there is room for a block of any instance that fits into the area."""
    s = r.state[0]
    return s.w_end + r.areas[member].most <= s.word_room


@_njit
def take_block(r: Any, case: Any, size: int) -> None:
    """Give an instance a block; there is room. Of those that are free each has the next in its first word."""
    s = r.state[0]
    block = r.free_blocks[size]
    if block >= 0:
        r.free_blocks[size] = r.words[block]
    else:
        block = s.w_end
        s.w_end += room_of(size)
    case.block, case.size = block, size


@_njit
def give_back(r: Any, case: Any) -> None:
    """An instance needs its block no more."""
    if case.block >= 0:
        r.words[case.block] = r.free_blocks[case.size]
        r.free_blocks[case.size] = case.block
        case.block = NONE


@_njit
def link_free(r: Any, area: Any, first: int) -> None:
    """Let all rows of the area that are not marked be free, from `first` on, and unmark the others."""
    free = r.m[area.m + FREE]
    last, length = NONE, 0
    for row in range(first + area.spare - 1, first - 1, -1):
        if r.marks[row]:
            r.marks[row] = 0
        else:
            r.m[area.m + row].next = last
            last = row
            length += 1
    free.first = last
    free.length = length


@_njit
def clear_lists(r: Any, area: Any) -> None:
    """Nothing waits in the area."""
    for which in range(WAITING, FREE):
        line = r.m[area.m + which]
        line.first, line.last, line.length = NONE, NONE, 0


@_njit
def set_up(k: Any, r: Any, slot: int) -> None:
    """A fresh instance in its area."""
    case = r.cases[slot]
    given, area = k.members[case.member], r.areas[case.member]
    if not area.plain:
        clear_lists(r, area)
        link_free(r, area, k.p[case.first_row].first_queued + 1)
        area.plain = 1
    copy_rows(r.m, area.m, k.m, given.m, 1)
    copy_rows(r.m, area.m + FIRST_REGION, k.m, given.m + FIRST_REGION, given.n_base - 1)
    copy_rows(r.v, area.v, k.v, given.v, given.n_kept)
    r.m[area.m].cells = area.v
    area.slot = slot


@_njit
def put_cells(r: Any, at: int, first: int, n: int) -> Any:
    """Write cells of the area as words, two each; returns where they end."""
    for cell in range(first, first + n):
        value = r.v[cell]
        r.words[at] = value.tag
        r.words[at + 1] = bits_of(value.real) if value.tag == NUMBER else value.whole
        at += 2
    return at


@_njit
def get_cells(r: Any, at: int, first: int, n: int) -> Any:
    """Read cells that `put_cells` has written; returns where they end."""
    for cell in range(first, first + n):
        value, bits = r.v[cell], r.words[at + 1]
        # By its tag one of the two is what it is, and the other is not looked at.
        value.tag, value.whole, value.real = r.words[at], bits, real_of(bits)
        at += 2
    return at


@_njit
def put_row(r: Any, at: int, row: int, i: int, n: int) -> Any:
    """Write a row of the area, and which one it is; returns where its words end."""
    r.words[at] = row
    copy_words(r.words, at + 1, r.m, i + row, n)
    return at + 1 + n


@_njit
def get_row(r: Any, at: int, i: int, n: int) -> Any:
    """Read a row that `put_row` has written; returns where its words end."""
    copy_words(r.m, i + r.words[at], r.words, at + 1, n)
    return at + 1 + n


@_njit
def is_used(p: Any, r: Any, i: int, number: int) -> Any:
    """Whether a region's work is open; of regions that are joined it tells that they are (M4.3)."""
    row = r.m[i + p[0].first_work + number]
    if row.phase != IDLE:
        return True
    if row.attempt != 1 or number % 2 != 0:
        return False
    state = r.m[i + FIRST_REGION + number // 2].state
    return state >= 0 and p[state].work == PARALLEL


@_njit
def store(k: Any, r: Any, slot: int, changed: bool) -> None:
    """Pack what lies in the area; there is room for a block.

    `changed` is whether its variables may have other values than those that are packed.
    """
    case = r.cases[slot]
    given, area = k.members[case.member], r.areas[case.member]
    p, i = rows_from(k.p, case.first_row), area.m
    head = p[0]
    n_regions, n_variables, fields, n_flights, n_works = head.n_regions, head.n_variables, given.n_fields, 0, 0
    for region in range(n_regions):
        n_flights += r.m[i + FIRST_REGION + region].flight_phase == BEFORE_COMMIT
    for number in range(head.n_works):
        if is_used(p, r, i, number):
            r.open_works[n_works] = head.first_work + number
            n_works += 1
    n_spare = area.spare - r.m[i + FREE].length
    listed = False
    if n_spare:
        for which in range(WAITING, FREE):
            listed = listed or r.m[i + which].first >= 0
    wanted = n_works * (1 + WORK) + n_spare * (1 + ROW + 2 * fields) + 2 * n_flights * n_variables
    if listed:
        wanted += LISTS * CHAIN
    if case.block >= 0:
        room = room_of(case.size)
        if room < wanted or room > wanted + _SLACK or wanted == 0:
            give_back(r, case)
    if case.block < 0 and wanted > 0:
        take_block(r, case, size_of(wanted))
    w = case.w
    copy_words(r.words, w, r.m, i, ME)
    w += ME
    for region in range(n_regions):
        copy_words(r.words, w, r.m, i + FIRST_REGION + region, REGION)
        w += REGION
    for timer in range(i + head.first_timer, i + head.first_timer + head.n_timers):
        copy_words(r.words, w, r.m, timer, TIMER)
        w += TIMER
    if changed:
        put_cells(r, w, area.v, n_variables)
        if head.key_cell >= 0:
            put_cells(r, w + 2 * n_variables, area.v + head.key_cell, 1)
    w = case.block
    if n_flights:
        for region in range(n_regions):
            if r.m[i + FIRST_REGION + region].flight_phase == BEFORE_COMMIT:
                w = put_cells(r, w, area.v + p[head.first_region + region].private_cells, n_variables)
    for n in range(n_works):
        w = put_row(r, w, r.open_works[n], i, WORK)
    if n_spare:
        first = head.first_queued
        free = r.m[i + FREE].first
        while free >= 0:
            r.marks[free] = 1
            free = r.m[i + free].next
        for spare in range(first + 1, first + 1 + area.spare):
            if r.marks[spare]:
                r.marks[spare] = 0
                continue
            w = put_row(r, w, spare, i, ROW)
            w = put_cells(r, w, area.v + head.queue_cells + (spare - first) * fields, fields)
        if listed:
            for which in range(WAITING, FREE):
                copy_words(r.words, w, r.m, i + which, CHAIN)
                w += CHAIN
    case.n_works, case.n_spare, case.listed, case.used = n_works, n_spare, listed, w - case.block
    area.plain, area.private = n_spare == 0, n_flights > 0


@_njit
def load(k: Any, r: Any, slot: int) -> None:
    """Spread an instance out in its area, unless it lies there."""
    case = r.cases[slot]
    area = r.areas[case.member]
    if area.slot == slot:
        return
    area.slot = slot
    given, i = k.members[case.member], area.m
    p = rows_from(k.p, case.first_row)
    head = p[0]
    n_regions, first = head.n_regions, head.first_queued
    w = case.w
    copy_words(r.m, i, r.words, w, ME)
    r.m[i].cells = area.v
    w += ME
    for region in range(n_regions):
        copy_words(r.m, i + FIRST_REGION + region, r.words, w, REGION)
        w += REGION
    for timer in range(i + head.first_timer, i + head.first_timer + head.n_timers):
        copy_words(r.m, timer, r.words, w, TIMER)
        w += TIMER
    w = get_cells(r, w, area.v, head.n_variables)
    if head.key_cell >= 0:
        get_cells(r, w, area.v + head.key_cell, 1)
    w = case.block
    if area.private:
        # A flight begins with none.
        area.private = 0
        for cell in range(area.v + head.n_variables, area.v + (1 + n_regions) * head.n_variables):
            r.v[cell].tag = ABSENT
    for region in range(n_regions):
        if r.m[i + FIRST_REGION + region].flight_phase == BEFORE_COMMIT:
            area.private = 1
            w = get_cells(r, w, area.v + p[head.first_region + region].private_cells, head.n_variables)
    for work in range(i + head.first_work, i + head.first_work + head.n_works):
        # What another one has left there counts for nothing in a work that is not open, but for these.
        row = r.m[work]
        row.phase, row.attempt, row.undoes = IDLE, 0, NONE
    for _ in range(case.n_works):
        w = get_row(r, w, i, WORK)
    if not area.plain:
        clear_lists(r, area)
    if case.n_spare:
        for _ in range(case.n_spare):
            spare = r.words[w]
            r.marks[spare] = 1
            w = get_row(r, w, i, ROW)
            w = get_cells(r, w, area.v + head.queue_cells + (spare - first) * given.n_fields, given.n_fields)
        if case.listed:
            for which in range(WAITING, FREE):
                copy_words(r.m, i + which, r.words, w, CHAIN)
                w += CHAIN
    if case.n_spare or not area.plain:
        link_free(r, area, first + 1)
        area.plain = case.n_spare == 0


@_apart
def put_back(k: Any, r: Any, slot: int) -> None:
    """The instance as it was before its step; what has come is in its inbox still, as a step only reads it."""
    area = r.areas[r.cases[slot].member]
    area.slot, area.plain, area.private = NONE, 0, 1
    load(k, r, slot)


@_njit
def empty_inbox(k: Any, r: Any, slot: int) -> Any:
    """The inbox of an instance in its area, with nothing in it but the time."""
    case = r.cases[slot]
    area, p = r.areas[case.member], rows_from(k.p, case.first_row)
    copy_rows(r.m, area.m + INBOX, k.box, 0, 1)
    first = area.v + p[0].inbox_cells
    if area.filled:
        area.filled = 0
        for n in range(p[0].n_fields):
            cell = r.v[first + n]
            cell.tag, cell.whole, cell.real = NULL, 0, 0.0
    inbox = r.m[area.m + INBOX]
    inbox.time = r.state[0].now
    return inbox
