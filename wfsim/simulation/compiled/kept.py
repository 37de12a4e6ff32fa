"""Workers who stay with a case: when they do, and what becomes of them after its steps."""

from __future__ import annotations

from typing import Any

from wfsim.semantics.addresses import rows_from
from wfsim.semantics.codes import ACTIVE, COMPLETED
from wfsim.semantics.later import njit
from wfsim.simulation.compiled.layout import KEEPS_ALWAYS, KEEPS_NOBODY
from wfsim.simulation.compiled.workers import let_go, own_worker, take_own

_njit = njit(nogil=True, error_model="numpy")


@_njit
def n_kept(r: Any, slot: int) -> Any:
    """How many attempts a case has under way, and how many workers it keeps."""
    n, at = 0, r.cases[slot].first_attempt
    while at >= 0:
        n += 1
        at = r.attempts[at].next
    return n


@_njit
def stays_with(k: Any, r: Any, slot: int, pool: int) -> Any:
    """Whether workers of a pool stay with a case that lies in its area, as it is now."""
    case, kept = r.cases[slot], k.pools[pool].kept
    i, p = r.areas[case.member].m, rows_from(k.p, case.first_row)
    if kept == KEEPS_NOBODY or r.m[i].status >= COMPLETED:
        return False
    if kept == KEEPS_ALWAYS:
        return True
    for number in range(k.settings[0].n_keeps):
        keep = k.keeps[number]
        if keep.pool == pool and keep.first_row == case.first_row:
            cell = r.m[i + p[keep.region].slot]
            if cell.phase == ACTIVE and cell.state == keep.state:
                return True
    return False


@_njit
def hand_over(k: Any, r: Any, slot: int, pool: int) -> None:
    """Attempts of a case that wait begin with workers whom it keeps."""
    queue, at = r.queues[pool], r.cases[slot].first_attempt
    while at >= 0 and queue.held > 0:
        row = r.attempts[at]
        at = row.next
        if row.waits == 1 and row.pool == pool:
            own = own_worker(k, r, slot, pool, k.lines[k.works[row.activity].line].needs)
            if own >= 0:
                row.waits = 0
                queue.waiting -= 1
                if at == own:
                    at = r.attempts[own].next
                take_own(r, slot, row, own)


@_njit
def release(k: Any, r: Any, slot: int, pool: int) -> None:
    """A case lets the workers of a pool go whom it keeps."""
    while r.queues[pool].held > 0:
        own = own_worker(k, r, slot, pool, 0)
        if own < 0:
            return
        let_go(k, r, slot, own, False)


@_njit
def release_all(k: Any, r: Any, slot: int) -> None:
    """A case lets all workers go whom it keeps."""
    for pool in range(k.settings[0].n_pools):
        release(k, r, slot, pool)


@_njit
def settle(k: Any, r: Any, slot: int) -> None:
    """After a step the workers whom a case keeps stay, and take what it waits for, or go."""
    for pool in range(k.settings[0].n_pools):
        if r.queues[pool].held > 0 and own_worker(k, r, slot, pool, 0) >= 0:
            if stays_with(k, r, slot, pool):
                hand_over(k, r, slot, pool)
            else:
                release(k, r, slot, pool)


@_njit
def cancel(k: Any, r: Any, slot: int, at: int) -> None:
    """An attempt is cancelled by a step of its case; its worker stays if the case is one that keeps him."""
    pool = r.attempts[at].pool
    keep = pool >= 0 and stays_with(k, r, slot, pool)
    let_go(k, r, slot, at, keep)
    if keep:
        hand_over(k, r, slot, pool)
