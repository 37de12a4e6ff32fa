"""Controls: pause, resume, cancel, terminate, retry (M8)."""

from __future__ import annotations

from .activations import (
    abort_flight,
    change_status,
    close,
    leave_regions,
    show_entered,
    start_state,
)
from .codes import (
    ACTIVE,
    CANCEL,
    CANCELLED,
    CANCELLING,
    COMPLETED,
    CONTROL,
    DROP_TIMER,
    FAILED,
    NONE,
    PARALLEL,
    PAUSE,
    PAUSED,
    RESUME,
    RETRY_COMMAND,
    RUNNING_STATUS,
    SET_TIMER,
    T_CANCELLED,
    T_CONTROL,
    T_RETRY,
    T_VOID,
    TERMINATE,
    TERMINATED,
    TIMED_OUT,
    WAITING,
)
from .compensation import next_entry, show_compensation, undo_next
from .internal import ignore
from .kernel import Output, apart, kernel, new_effect
from .layout import Cells, Queued, Rows
from .rows import new_queued, prepend, release
from .timers import drop_timer, set_timer
from .transitions import FALSE_CONDITION, NO_TRANSITION, choose, join, settle, take


@kernel
def freeze_timers(p: Rows, m: Rows, o: Output, i: int) -> None:
    """M8.1: with `pause_timers: freeze`, state timers keep their remainder while paused."""
    me = m[i]
    for timer in range(p[0].first_timer + 1, p[0].first_clock):
        cell = m[i + timer]
        if cell.due > me.time:
            cell.left = cell.due - me.time
            effect = new_effect(o, DROP_TIMER)
            effect.timer = timer
            effect.id = cell.id


@kernel
def thaw_timers(p: Rows, m: Rows, o: Output, i: int) -> None:
    """M8.1: frozen timers run on with their remainder, under their own ids."""
    me = m[i]
    for timer in range(p[0].first_timer + 1, p[0].first_clock):
        cell = m[i + timer]
        if cell.left >= 0:
            cell.due = me.time + cell.left
            cell.left = NONE
            effect = new_effect(o, SET_TIMER)
            effect.timer = timer
            effect.id = cell.id
            effect.due = cell.due


@kernel
def resume(p: Rows, m: Rows, o: Output, i: int) -> None:
    """M8.1: dispatching goes on."""
    change_status(p, m, o, i, RUNNING_STATUS)
    thaw_timers(p, m, o, i)


@kernel
def offer_to_root(p: Rows, m: Rows, v: Cells, o: Output, i: int, event: int, reason: int) -> int:
    """M8.3: offer `cancel_requested` or `workflow_timeout` to the root's active state, at once, even paused."""
    r = p[0].root
    k = new_queued(p, m, v, o, i)
    m[i + k].kind = CONTROL
    m[i + k].event = event
    t = choose(p, m, v, o, i, r, event, k)
    if t >= 0:
        if m[i].status == PAUSED:
            resume(p, m, o, i)
        abort_flight(p, m, v, o, i, r, reason)
        take(p, m, v, o, i, r, t, k)
    release(m, i, k)
    return 0 if t == NO_TRANSITION or t == FALSE_CONDITION else 1


@apart
def begin_cancelling(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> None:
    """M8.3, M9: all activations end and what is in the log is undone; then the instance is `cancelled`."""
    me = m[i]
    head = p[0]
    change_status(p, m, o, i, CANCELLING)
    leave_regions(p, m, v, o, i, head.first_region, head.first_region + head.n_regions, T_CANCELLED)
    drop_timer(m, o, i, head.first_timer)
    me.flights += 1
    me.undoing_all = me.flights
    if next_entry(p, m, i, NONE, me.undoing_all) < 0:
        close(p, m, v, o, i, CANCELLED, me.reason)
        return
    show_compensation(p, m, o, i, head.root, NONE, me.undoing_all)
    undo_next(p, m, v, o, i, head.root, NONE, me.undoing_all)


@kernel
def retry_instance(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> None:
    """M8.2: enter every state of the kept configuration anew; the event whose transition failed is offered first."""
    me = m[i]
    head = p[0]
    me.outcome = 0
    if me.undoing_all:
        begin_cancelling(p, m, v, o, i)
        return
    change_status(p, m, o, i, RUNNING_STATUS)
    if head.workflow_timeout >= 0:
        set_timer(m, o, i, head.first_timer, me.time + head.workflow_timeout)
    for r in range(head.first_region, head.first_region + head.n_regions):
        cell = m[i + p[r].slot]
        if cell.phase == ACTIVE:
            show_entered(p, m, o, i, r, cell.state, T_RETRY)
            start_state(p, m, v, o, i, r, cell.state)
    # Ended regions stay ended, so what follows from them has to be found again: joins (M4.3) and ends (M3.7).
    for r in range(head.first_region, head.first_region + head.n_regions):
        cell = m[i + p[r].slot]
        if cell.phase == ACTIVE and p[cell.state].work == PARALLEL:
            join(p, m, v, o, i, cell.state)
    settle(p, m, v, o, i)
    if me.offer_again >= 0:
        prepend(m, i, WAITING, me.offer_again)
        me.offer_again = NONE


@apart
def control(p: Rows, m: Rows, v: Cells, o: Output, i: int, inbox: Queued) -> None:
    """M8: pause, resume, cancel, terminate, retry. One that does not fit the status is ignored."""
    me = m[i]
    command = inbox.command
    is_open = RUNNING_STATUS <= me.status < COMPLETED
    if command == PAUSE and me.status == RUNNING_STATUS:
        change_status(p, m, o, i, PAUSED)
        if p[0].freeze:
            freeze_timers(p, m, o, i)
    elif command == RESUME and me.status == PAUSED:
        resume(p, m, o, i)
    elif command == CANCEL and is_open and me.status != CANCELLING:
        if not offer_to_root(p, m, v, o, i, p[0].cancel_requested, T_CONTROL):
            me.reason = inbox.reason
            begin_cancelling(p, m, v, o, i)
    elif command == TERMINATE and is_open:
        close(p, m, v, o, i, TERMINATED, inbox.reason)
    elif command == RETRY_COMMAND and (me.status == FAILED or me.status == TIMED_OUT) and not me.told:
        retry_instance(p, m, v, o, i)
    else:
        ignore(p, m, o, i, inbox, T_VOID)
