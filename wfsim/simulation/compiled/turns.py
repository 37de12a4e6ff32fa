"""Turns in pools that are fair, as `wfsim.simulation.pools.Turns` says it."""

from __future__ import annotations

from typing import Any

from wfsim.semantics.codes import NULL
from wfsim.semantics.later import njit

_njit = njit(nogil=True, error_model="numpy")


@_njit
def sharer_place(whole: int, pool: int, member: int) -> Any:
    """From where on a value is looked for, modulo the size of the table."""
    return (whole * 40_503 ^ whole >> 17) + pool * 7_919 + member * 104_729


@_njit
def sharer_at(r: Any, pool: int, member: int, cell: Any) -> Any:
    """The row of a value that takes turns; there is room for it."""
    s = r.state[0]
    mask, whole = s.sharer_room - 1, 0 if cell.tag == NULL else cell.whole
    place = sharer_place(whole, pool, member) & mask
    while True:
        row = r.sharers[place]
        if not row.used:
            s.n_sharers += 1
            row.used, row.pool, row.member, row.tag, row.whole, row.turn = 1, pool, member, cell.tag, whole, 0
            return row
        if row.whole == whole and row.pool == pool and row.member == member and row.tag == cell.tag:
            return row
        place = (place + 1) & mask


@_njit
def take_turn(k: Any, r: Any, row: Any) -> Any:
    """The turn of an attempt that asks now; its instance lies in its area."""
    work, queue = k.works[row.activity], r.queues[row.pool]
    if queue.busy == 0 and queue.waiting == 0:
        queue.virtual = queue.last
    if work.by < 0:
        turn = max(queue.virtual, r.turns[row.activity])
        r.turns[row.activity] = turn + work.step
    else:
        member = r.cases[row.slot].member
        sharer = sharer_at(r, row.pool, member, r.v[r.areas[member].v + work.by])
        turn = max(queue.virtual, sharer.turn)
        sharer.turn = turn + work.step
    queue.last = max(queue.last, turn + work.step)
    return turn
