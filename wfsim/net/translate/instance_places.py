"""The bridge between `step` and the net: where the tokens of an instance lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.semantics.codes import BACKOFF, BEFORE_COMMIT, COMPLETED, GROUNDED, IDLE, INTERNAL, INTERNAL_DONE, RUNNING

from .place_names import action_prefix, attempt_place

if TYPE_CHECKING:
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.layout import RegionCell, WorkCell

_PHASES = {RUNNING: "running", BACKOFF: "backoff"}


def control_places(instance: Instance) -> frozenset[str]:
    """The places that hold the tokens of an instance between two steps, with the pools left out.

    What the explorer reaches, the net reaches at these places.
    """
    program, m, head = instance.program, instance.m, instance.program.head
    if instance.me.status >= COMPLETED:
        return frozenset([instance.state if instance.me.status == COMPLETED else f"closed as {instance.status}"])
    region = program.rows[head.root]
    cell: RegionCell = m[region.slot]
    state = program.name(cell.state) or ""
    found = set()
    if cell.flight_phase == GROUNDED:
        found.add(state)
    else:
        t = program.rows[cell.flight]
        if cell.flight_phase == BEFORE_COMMIT:
            prefix = action_prefix(t.number, "pre", cell.action - t.first_pre)
        else:
            prefix = action_prefix(t.number, "post", cell.action - t.first_post)
        found.add(_of_attempt(prefix, m[region.flight_work]))
    if program.rows[cell.state].activity >= 0:
        work: WorkCell = m[region.work]
        found.add(_of_attempt(state, work) if work.phase != IDLE else f"{state}.{_pending(instance, cell)}")
    return frozenset(found)


def _of_attempt(prefix: str, work: WorkCell) -> str:
    return attempt_place(prefix, _PHASES.get(work.phase, "scheduled"), work.attempt)


def _pending(instance: Instance, cell: RegionCell) -> str:
    """Whether the state's activity has ended with a `done` or `error` of its own that still waits."""
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
