"""Where instances lie: spread out for a step in the area of their workflow, and between steps packed in a block.

Most of what an instance can have is empty most of the time: what waits in it, its inbox, room to compute in. A block
has what it is never without (itself, its regions, works, timers and values) and the rows that it uses beside: a step
reads and writes a kilobyte or two, not all that there could be, and finds the rest of its area as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

from wfsim.semantics.bare import copy_rows, rows_from
from wfsim.semantics.codes import FIRST_REGION, FREE, INBOX, NONE, WAITING

_njit: Callable[[Callable[..., Any]], Any] = numba.njit(nogil=True, error_model="numpy")

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
def has_block(k: Any, r: Any, member: int) -> Any:
    """Whether there is room for a block of any instance that fits into the area."""
    s, given = r.state[0], k.members[member]
    extra = rows_of(size_of(r.areas[member].spare + _LISTS))
    full = s.n_blocks >= s.block_room or s.m_end + given.n_base + extra > s.m_room
    return not full and s.v_end + given.n_kept + extra * given.n_fields <= s.v_room


@_njit
def take_block(k: Any, r: Any, member: int, size: int) -> Any:
    """A block; there is room."""
    s, place = r.state[0], member * SIZES + size
    number = r.free_blocks[place]
    if number >= 0:
        r.free_blocks[place] = r.blocks[number].next
        return number
    given, number = k.members[member], s.n_blocks
    s.n_blocks += 1
    block = r.blocks[number]
    block.m, block.v, block.size = s.m_end, s.v_end, size
    s.m_end += given.n_base + rows_of(size)
    s.v_end += given.n_kept + rows_of(size) * given.n_fields
    return number


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
def store(k: Any, r: Any, slot: int) -> None:
    """Pack what lies in the area into the instance's block; there is room for a block."""
    case = r.cases[slot]
    given, area = k.members[case.member], r.areas[case.member]
    p, i = rows_from(k.p, case.first_row), area.m
    extra = area.spare - r.m[i + FREE].length
    listed = False
    if extra:
        for which in range(WAITING, FREE):
            listed = listed or r.m[i + which].first >= 0
    wanted = extra + _LISTS if listed else extra
    if case.block < 0 or rows_of(r.blocks[case.block].size) < wanted:
        give_back(r, case)
        case.block = take_block(k, r, case.member, size_of(wanted))
    block = r.blocks[case.block]
    at, cells = block.m + given.n_base, block.v + given.n_kept
    copy_rows(r.block_m, block.m, r.m, i, 1)
    copy_rows(r.block_m, block.m + 1, r.m, i + FIRST_REGION, given.n_base - 1)
    copy_rows(r.block_v, block.v, r.v, area.v, given.n_kept)
    if extra:
        first, fields = p[0].first_queued, given.n_fields
        free = r.m[i + FREE].first
        while free >= 0:
            r.marks[free] = 1
            free = r.m[i + free].next
        for row in range(first + 1, first + 1 + area.spare):
            if r.marks[row]:
                r.marks[row] = 0
                continue
            copy_rows(r.block_m, at, r.m, i + row, 1)
            copy_rows(r.block_v, cells, r.v, area.v + p[0].queue_cells + (row - first) * fields, fields)
            r.block_rows[at] = row
            at += 1
            cells += fields
        if listed:
            copy_rows(r.block_m, at, r.m, i + WAITING, _LISTS)
    case.extra, case.listed = extra, listed
    area.plain = extra == 0


@_njit
def load(k: Any, r: Any, slot: int) -> None:
    """Spread an instance out in its area, unless it lies there."""
    case = r.cases[slot]
    area = r.areas[case.member]
    if area.slot == slot:
        return
    area.slot = slot
    given, block, i = k.members[case.member], r.blocks[case.block], area.m
    if not area.plain:
        clear(k, r, case, area)
    copy_rows(r.m, i, r.block_m, block.m, 1)
    copy_rows(r.m, i + FIRST_REGION, r.block_m, block.m + 1, given.n_base - 1)
    copy_rows(r.v, area.v, r.block_v, block.v, given.n_kept)
    r.m[i].cells = area.v
    if case.extra:
        p = rows_from(k.p, case.first_row)
        first, fields = p[0].first_queued, given.n_fields
        at, cells = block.m + given.n_base, block.v + given.n_kept
        for n in range(case.extra):
            row = r.block_rows[at + n]
            r.marks[row] = 1
            copy_rows(r.m, i + row, r.block_m, at + n, 1)
            copy_rows(r.v, area.v + p[0].queue_cells + (row - first) * fields, r.block_v, cells + n * fields, fields)
        link_free(r, area, first + 1)
        if case.listed:
            copy_rows(r.m, i + WAITING, r.block_m, at + case.extra, _LISTS)
        area.plain = 0


@_njit
def keep_inbox(k: Any, r: Any, slot: int) -> None:
    """Keep what has come, for a step that may have to be repeated."""
    case = r.cases[slot]
    area, first = r.areas[case.member], k.p[case.first_row].inbox_cells
    copy_rows(r.kept_m, 0, r.m, area.m + INBOX, 1)
    copy_rows(r.kept_v, 0, r.v, area.v + first, k.members[case.member].n_fields)


@_njit
def put_back(k: Any, r: Any, slot: int) -> None:
    """The instance as it was before its step, and what has come in its inbox again."""
    case = r.cases[slot]
    area, first = r.areas[case.member], k.p[case.first_row].inbox_cells
    area.slot, area.plain = NONE, 0
    load(k, r, slot)
    copy_rows(r.m, area.m + INBOX, r.kept_m, 0, 1)
    copy_rows(r.v, area.v + first, r.kept_v, 0, k.members[case.member].n_fields)
