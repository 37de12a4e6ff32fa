"""Where instances lie: spread out for a step in the area of their workflow, and between steps packed in a block.

Most of what an instance can have is empty most of the time: what waits in it, works, its inbox, room to compute in,
what a flight has written. A block has the instance itself and its regions as rows, timers and values as words, and
beside them the works that are open, the rows that are in use, and the cells of flights: a step reads and writes some
hundreds of bytes, not all that there could be, and finds the rest of its area as it was.
"""

from __future__ import annotations

from typing import Any

from wfsim.semantics.addresses import copy_rows, rows_from
from wfsim.semantics.codes import BEFORE_COMMIT, FIRST_REGION, FREE, IDLE, NONE, NUMBER, PARALLEL, WAITING
from wfsim.semantics.later import njit
from wfsim.semantics.speed import bits_of, real_of

_njit = njit(nogil=True, error_model="numpy")
_apart = njit(nogil=True, error_model="numpy", apart=True)

SIZES = 24
"""Sizes of blocks."""
_LISTS = FREE - WAITING


@_njit
def size_of(extra: int) -> Any:
    """The size of a block with so many rows beside those that every instance has."""
    size = extra
    if extra > 4:
        size = 5
        while 4 << (size - 4) < extra:
            size += 1
    return size


@_njit
def rows_of(size: int) -> Any:
    """How many rows beside those that every instance has there are in a block of this size."""
    return size if size <= 4 else 4 << (size - 4)


@_njit
def most_rows(k: Any, member: int, spare: int) -> Any:
    """How many rows there are at most in a block of a workflow whose area has so many spare rows."""
    head = k.p[k.members[member].first_row]
    return rows_of(size_of(spare + _LISTS + head.n_works + head.n_regions))


@_njit
def has_block(k: Any, r: Any, member: int) -> Any:
    """Whether there is room for a block of any instance that fits into the area."""
    s, given = r.state[0], k.members[member]
    extra = most_rows(k, member, r.areas[member].spare)
    full = s.n_blocks >= s.block_room or s.m_end + given.n_rows + extra > s.m_room
    return not full and s.w_end + given.n_words + extra * given.n_more <= s.word_room


@_njit
def take_block(k: Any, r: Any, case: Any, size: int) -> None:
    """Give an instance a block; there is room."""
    s, place = r.state[0], case.member * SIZES + size
    number = r.free_blocks[place]
    if number >= 0:
        r.free_blocks[place] = r.blocks[number].next
    else:
        given, number = k.members[case.member], s.n_blocks
        s.n_blocks += 1
        block = r.blocks[number]
        block.m, block.w, block.size = s.m_end, s.w_end, size
        s.m_end += given.n_rows + rows_of(size)
        s.w_end += given.n_words + rows_of(size) * given.n_more
    block = r.blocks[number]
    case.block, case.m, case.w, case.room = number, block.m, block.w, rows_of(size)


@_njit
def give_back(r: Any, case: Any) -> None:
    """An instance needs its block no more."""
    if case.block >= 0:
        block = r.blocks[case.block]
        place = case.member * SIZES + block.size
        block.next = r.free_blocks[place]
        r.free_blocks[place] = case.block
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
def clear(k: Any, r: Any, case: Any, area: Any) -> None:
    """Nothing waits in the area, and all rows are free."""
    for which in range(WAITING, FREE):
        line = r.m[area.m + which]
        line.first, line.last, line.length = NONE, NONE, 0
    link_free(r, area, k.p[case.first_row].first_queued + 1)
    area.plain = 1


@_njit
def set_up(k: Any, r: Any, slot: int) -> None:
    """A fresh instance in its area."""
    case = r.cases[slot]
    given, area = k.members[case.member], r.areas[case.member]
    if not area.plain:
        clear(k, r, case, area)
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
        r.block_w[at] = value.tag
        r.block_w[at + 1] = bits_of(value.real) if value.tag == NUMBER else value.whole
        at += 2
    return at


@_njit
def get_cells(r: Any, at: int, first: int, n: int) -> Any:
    """Read cells that `put_cells` has written; returns where they end."""
    for cell in range(first, first + n):
        value, tag, bits = r.v[cell], r.block_w[at], r.block_w[at + 1]
        value.tag = tag
        value.whole = 0 if tag == NUMBER else bits
        value.real = real_of(bits if tag == NUMBER else 0)
        at += 2
    return at


@_njit
def is_used(p: Any, r: Any, i: int, work: int) -> Any:
    """Whether a region's work is open; of regions that are joined it tells that they are (M4.3)."""
    row = r.m[i + work]
    if row.phase != IDLE:
        return True
    number = work - p[0].first_work
    state = r.m[i + FIRST_REGION + number // 2].state
    return row.attempt == 1 and number % 2 == 0 and state >= 0 and p[state].work == PARALLEL


@_njit
def store(k: Any, r: Any, slot: int, changed: bool) -> None:
    """Pack what lies in the area into the instance's block; there is room for a block.

    `changed` is whether its variables may have other values than those that are in the block.
    """
    case = r.cases[slot]
    given, area = k.members[case.member], r.areas[case.member]
    p, i = rows_from(k.p, case.first_row), area.m
    head = p[0]
    end_work, n_flights, n_works = head.first_work + head.n_works, 0, 0
    for region in range(head.n_regions):
        n_flights += r.m[i + FIRST_REGION + region].flight_phase == BEFORE_COMMIT
    for work in range(head.first_work, end_work):
        n_works += is_used(p, r, i, work)
    n_spare = area.spare - r.m[i + FREE].length
    listed = False
    if n_spare:
        for which in range(WAITING, FREE):
            listed = listed or r.m[i + which].first >= 0
    # A row has beside it the words of its own cells or of those of a flight.
    wanted = n_spare + max(n_works + (_LISTS if listed else 0), n_flights)
    # Most instances wait for something most of the time, and then have the smallest block.
    if case.block < 0 or case.room < wanted or (wanted == 0 and case.room > 0):
        give_back(r, case)
        take_block(k, r, case, size_of(wanted))
        changed = True
    copy_rows(r.block_m, case.m, r.m, i, 1)
    for region in range(head.n_regions):
        copy_rows(r.block_m, case.m + 1 + region, r.m, i + FIRST_REGION + region, 1)
    at, w = case.m + given.n_rows, case.w
    for timer in range(i + head.first_timer, i + head.first_timer + head.n_timers):
        row = r.m[timer]
        r.block_w[w], r.block_w[w + 1], r.block_w[w + 2] = row.due, row.id, row.left
        w += 3
    if changed:
        put_cells(r, w, area.v, head.n_variables)
        if head.key_cell >= 0:
            put_cells(r, w + 2 * head.n_variables, area.v + head.key_cell, 1)
    w = case.w + given.n_words
    if n_flights:
        for region in range(head.n_regions):
            if r.m[i + FIRST_REGION + region].flight_phase == BEFORE_COMMIT:
                w = put_cells(r, w, area.v + p[head.first_region + region].private_cells, head.n_variables)
    if n_works:
        for work in range(head.first_work, end_work):
            if is_used(p, r, i, work):
                copy_rows(r.block_m, at, r.m, i + work, 1)
                r.block_rows[at] = work
                at += 1
    if n_spare:
        first, fields = head.first_queued, given.n_fields
        free = r.m[i + FREE].first
        while free >= 0:
            r.marks[free] = 1
            free = r.m[i + free].next
        for row in range(first + 1, first + 1 + area.spare):
            if r.marks[row]:
                r.marks[row] = 0
                continue
            copy_rows(r.block_m, at, r.m, i + row, 1)
            r.block_rows[at] = row
            at += 1
            w = put_cells(r, w, area.v + head.queue_cells + (row - first) * fields, fields)
        if listed:
            copy_rows(r.block_m, at, r.m, i + WAITING, _LISTS)
    case.extra, case.listed = n_works + n_spare, listed
    area.plain = n_spare == 0


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
    if not area.plain:
        clear(k, r, case, area)
    copy_rows(r.m, i, r.block_m, case.m, 1)
    for region in range(head.n_regions):
        copy_rows(r.m, i + FIRST_REGION + region, r.block_m, case.m + 1 + region, 1)
    for work in range(head.first_work, head.first_work + head.n_works):
        copy_rows(r.m, i + work, k.m, given.m + work, 1)
    r.m[i].cells = area.v
    w = case.w
    for timer in range(i + head.first_timer, i + head.first_timer + head.n_timers):
        row = r.m[timer]
        row.due, row.id, row.left = r.block_w[w], r.block_w[w + 1], r.block_w[w + 2]
        w += 3
    w = get_cells(r, w, area.v, head.n_variables)
    if head.key_cell >= 0:
        w = get_cells(r, w, area.v + head.key_cell, 1)
    # What other flights have written means nothing: a flight begins with none.
    for region in range(head.n_regions):
        if r.m[i + FIRST_REGION + region].flight_phase == BEFORE_COMMIT:
            w = get_cells(r, w, area.v + p[head.first_region + region].private_cells, head.n_variables)
    if case.extra:
        first, fields, at = head.first_queued, given.n_fields, case.m + given.n_rows
        for n in range(case.extra):
            row = r.block_rows[at + n]
            copy_rows(r.m, i + row, r.block_m, at + n, 1)
            if row > first:
                r.marks[row] = 1
                area.plain = 0
                w = get_cells(r, w, area.v + head.queue_cells + (row - first) * fields, fields)
        if not area.plain:
            link_free(r, area, first + 1)
        if case.listed:
            copy_rows(r.m, i + WAITING, r.block_m, at + case.extra, _LISTS)


@_apart
def put_back(k: Any, r: Any, slot: int) -> None:
    """The instance as it was before its step; what has come is in its inbox still, as a step only reads it."""
    area = r.areas[r.cases[slot].member]
    area.slot, area.plain = NONE, 0
    load(k, r, slot)
