"""The bridge between `step` and the net: where the tokens of an instance lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.semantics.codes import (
    ACTIVITY,
    BACKOFF,
    BEFORE_COMMIT,
    CANCELLING,
    CHILD,
    COMPLETED,
    EACH,
    FOR_EACH,
    GROUNDED,
    IDLE,
    INTERNAL,
    INTERNAL_DONE,
    INVOKE,
    OUTSIDE,
    PARALLEL,
    RUNNING,
    SUCCEEDED,
    T_JOIN_IMPOSSIBLE,
)

from .place_names import CANCELLING as CANCELLING_PLACE
from .place_names import action_prefix, attempt_place, undo_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wfsim.semantics.instance import Instance
    from wfsim.semantics.layout import RegionCell, WorkCell

_PHASES = {RUNNING: "running", BACKOFF: "backoff"}


def control_places(instance: Instance) -> frozenset[str]:
    """The places that hold the tokens of an instance between two steps.

    Left out are pools, the log, and errors that wait for a busy region. What the explorer reaches, the net reaches
    at these places.
    """
    program, head = instance.program, instance.program.head
    if instance.me.status >= COMPLETED:
        return frozenset([instance.state if instance.me.status == COMPLETED else f"closed as {instance.status}"])
    if instance.me.status == CANCELLING:
        work = instance.m[program.rows[head.root].flight_work]
        return frozenset([_of_compensator(instance, CANCELLING_PLACE, work)])
    found: set[str] = set()
    for r in range(head.first_region, head.first_region + head.n_regions):
        if instance.m[program.rows[r].slot].phase != OUTSIDE and not _is_joined(instance, r):
            found.update(_of_region(instance, r))
    return frozenset(found)


def log_places(instance: Instance) -> frozenset[str]:
    """The places of what may have to be undone, in an instance that is open."""
    if instance.me.status >= COMPLETED:
        return frozenset()
    return frozenset(f"log {_entry(instance, k)}" for k in instance.log())


def _of_region(instance: Instance, r: int) -> Iterator[str]:
    program, m = instance.program, instance.m
    region, cell = program.rows[r], m[program.rows[r].slot]
    state = program.name(cell.state) or ""
    if cell.flight_phase == GROUNDED:
        yield state
    else:
        t = program.rows[cell.flight]
        if cell.flight_phase == BEFORE_COMMIT:
            prefix = action_prefix(t.number, "pre", cell.action - t.first_pre)
        else:
            prefix = action_prefix(t.number, "post", cell.action - t.first_post)
        work = m[region.flight_work]
        yield _of_attempt(prefix, work) if work.undoes < 0 else _of_compensator(instance, prefix, work)
    kind, work = program.rows[cell.state].work, m[region.work]
    if kind == ACTIVITY and work.phase != IDLE:
        yield _of_attempt(state, work)
    elif kind == INVOKE and work.phase == CHILD:
        yield f"{state}.child"
    elif kind == FOR_EACH and work.phase == EACH:
        yield from _of_items(instance, state, work)
    elif kind == PARALLEL:
        yield f"{state}.{_join(instance, r, cell)}"
    elif kind in (ACTIVITY, INVOKE, FOR_EACH):
        yield f"{state}.{_pending(instance, cell)}"


def _of_attempt(prefix: str, work: WorkCell) -> str:
    return attempt_place(prefix, _PHASES.get(work.phase, "scheduled"), work.attempt)


def _of_compensator(instance: Instance, prefix: str, work: WorkCell) -> str:
    return _of_attempt(undo_prefix(prefix, _entry(instance, work.undoes)), work)


def _entry(instance: Instance, k: int) -> str:
    """What an entry of the log is called by."""
    entry, program = instance.m[k], instance.program
    child = "child " if entry.activity in program.children else ""
    return f"{child}{program.name(entry.activity)} in {program.name(entry.state)}"


def _of_items(instance: Instance, state: str, work: WorkCell) -> Iterator[str]:
    """How many items of a list have not ended, and where those lie that are open."""
    each = instance.m[work.held]
    yield f"{state}.left.{each.n - each.started + each.open}"
    for item in instance.works()[instance.program.head.n_works :]:
        if item.each == work.held:
            yield f"{state}.item.child" if item.phase == CHILD else _of_attempt(f"{state}.item", item)


def _join(instance: Instance, r: int, cell: RegionCell) -> str:
    """M4.3: whether the regions inside a parallel state have been joined, or can no longer be."""
    program, m = instance.program, instance.m
    if not m[program.rows[r].work].attempt:
        return "joining"
    if _has_succeeded(instance, r):
        return "succeeded" if _raised(instance, cell, INTERNAL_DONE) else "ended"
    return "failed" if _raised(instance, cell, None, T_JOIN_IMPOSSIBLE) else "unjoined"


def _has_succeeded(instance: Instance, r: int) -> bool:
    """Whether enough regions inside the active state of region `r` have ended well."""
    program, m = instance.program, instance.m
    state = m[program.rows[r].slot].state
    inner = [k for k in range(r + 1, program.rows[r].end_region) if program.rows[k].parent_state == state]
    well = sum(m[program.rows[k].slot].phase == SUCCEEDED for k in inner)
    return bool(m[program.rows[r].work].attempt) and well >= program.rows[state].join


def _is_joined(instance: Instance, r: int) -> bool:
    """Whether a region lies inside a parallel state whose regions have been joined: nothing happens there any more."""
    above = instance.program.rows[r].parent
    return above >= 0 and (_has_succeeded(instance, above) or _is_joined(instance, above))


def _raised(instance: Instance, cell: RegionCell, kind: int | None, error_type: int | None = None) -> bool:
    """Whether such a `done` or error of the state's own work still waits."""
    k = instance.m[INTERNAL].first
    while k >= 0:
        row = instance.m[k]
        if row.activation == cell.activation and (row.kind == kind or row.error_type == error_type):
            return True
        k = row.next
    return False


def _pending(instance: Instance, cell: RegionCell) -> str:
    """Whether the state's work has ended with a `done` or `error` of its own that still waits."""
    k = instance.m[INTERNAL].first
    while k >= 0:
        row = instance.m[k]
        if row.activation == cell.activation:
            if row.kind == INTERNAL_DONE:
                return "succeeded"
            if row.own:
                return "failed"
        k = row.next
    return "ended"
