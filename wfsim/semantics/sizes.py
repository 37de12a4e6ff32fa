"""Where everything lies in the memory of an instance."""

from __future__ import annotations

from wfsim.model.workflow import Workflow

from .codes import FIRST_REGION
from .exact import or_none
from .layout import Head, RegionRow, Rows, StateRow


def set_sizes(workflow: Workflow, rows: Rows, deepest: int) -> None:
    """Fill the sizes and policies of a program's head; `deepest` is the depth of its expressions' stack."""
    head: Head = rows[0]
    regions: list[RegionRow] = rows[head.first_region : head.first_region + head.n_regions]
    at = FIRST_REGION
    for row in regions:
        row.slot = at
        at += 1
    head.first_work = at
    for row in regions:
        row.work, row.flight_work = at, at + 1
        at += 2
    head.n_works = 2 * len(regions)
    head.first_timer = at
    at += 1
    for row in regions:
        states: list[StateRow] = rows[row.first_state : row.end_state]
        row.n_timers = max(state.n_timers for state in states)
        row.first_timer = at
        at += row.n_timers
    # Clocks have no cells of their own: they lie in their works. Their numbers only tell them from state timers.
    head.first_clock = at
    # The first queued row is scratch: where a compiled step writes when the queue is full, before it is repeated.
    head.first_queued = at
    head.n_timers = at - head.first_timer
    head.workflow_timeout = or_none(workflow.timeouts.workflow)
    head.max_automatic = workflow.max_automatic
    head.max_deferred = workflow.max_deferred
    head.freeze = 1 if workflow.pause_timers == "freeze" else 0
    _set_cells(workflow, head, regions, deepest)


def _set_cells(workflow: Workflow, head: Head, regions: list[RegionRow], deepest: int) -> None:
    """Value cells: variables, those of each flight, the key, the inbox, the stack, then one payload per queued row."""
    cells = head.n_variables
    for row in regions:
        row.private_cells = cells
        cells += head.n_variables
    if workflow.correlation is not None:
        head.key_cell = cells
        cells += 1
    head.inbox_cells = cells
    cells += head.n_fields
    head.stack_cells = cells
    cells += deepest + 2
    head.queue_cells = cells
