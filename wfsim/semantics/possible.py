"""What can happen to an instance next in an open environment, as the explorer asks: rows of numbers, without values.

The environment may send any event that would be taken up now, let any timer fire, and let any activity or child start
or end. Which payloads, results and errors it tries is for the asker to say; a row says for what.
"""

from __future__ import annotations

from .causes import region_of_timer
from .codec import N_SCRATCH, WORK_ROW, list_works
from .codes import (
    ACTIVE,
    ACTIVITY_FAILED,
    ACTIVITY_STARTED,
    ACTIVITY_SUCCEEDED,
    CANCEL,
    CHILD,
    CHILD_CLOSED,
    COMPLETED,
    CONTROL,
    EVENT,
    GROUNDED,
    NONE,
    RUNNING,
    SCHEDULE_TO_CLOSE,
    SCHEDULED,
    TIMER,
    WAITING,
)
from .kernel import Line, kernel
from .layout import Rows
from .timers import clock_of

# Words of a possibility: the kind of stimulus; the row that it is about; the number and attempt that it names. The row
# is that of an event, the place of a timer, of a result the variable that takes it up, of a failure the activity's.
KIND, ROW, NAMED, ATTEMPT = range(4)
POSSIBILITY = 4
# In the place of a variable: no variable takes the result up, or nothing looks at it at all.
UNTAKEN, UNSEEN = -1, -2


@kernel
def put_possible(w: Line, n: int, kind: int, row: int, named: int, attempt: int) -> int:
    """Write one possibility; returns how many there are then."""
    at = POSSIBILITY * n
    w[at] = kind
    w[at + 1] = row
    w[at + 2] = named
    w[at + 3] = attempt
    return n + 1


@kernel
def handles(p: Rows, m: Rows, i: int, event: int) -> int:
    """1 if a transition of the root region's state waits for the event."""
    root = m[i + p[p[0].root].slot]
    if root.phase != ACTIVE:
        # While cancelling, nothing is active.
        return 0
    state = p[root.state]
    if state.terminal:
        return 0
    for t in range(state.first_transition, state.end_transition):
        if p[t].event == event:
            return 1
    return 0


@kernel
def all_rest(p: Rows, m: Rows, i: int, event: int) -> int:
    """1 if some active region listens to the event, and none that does is busy (M2.2)."""
    found = 0
    for at in range(p[event].first_listener, p[event].end_listener):
        cell = m[i + p[p[at].region].slot]
        if cell.phase == ACTIVE:
            if cell.flight_phase != GROUNDED:
                return 0
            found = 1
    return found


@kernel
def taken_up_by(p: Rows, m: Rows, i: int, number: int, k: int) -> int:
    """The variable that takes up what the work of that number, in row `k`, returns; UNTAKEN, or UNSEEN."""
    if m[i + k].undoes >= 0 or m[i + k].each >= 0:
        # What items give goes into one list, which no condition can look into.
        return UNSEEN
    cell = m[i + p[p[0].first_region + number // 2].slot]
    variable: int = p[cell.action].variable if number % 2 else p[cell.state].result_variable
    return variable


@kernel
def put_timers(p: Rows, m: Rows, i: int, held: int, w: Line, n: int) -> int:
    """Timers of states that may fire, by place."""
    head = p[0]
    for place in range(head.first_timer, head.first_clock):
        if m[i + place].due < 0:
            continue
        r = region_of_timer(p, place)
        if r < 0:
            if not handles(p, m, i, head.workflow_timeout_event):
                continue
        else:
            cell = m[i + p[r].slot]
            if held or cell.phase != ACTIVE or cell.flight_phase != GROUNDED:
                continue
        n = put_possible(w, n, TIMER, place, m[i + place].id, 0)
    return n


@kernel
def put_clocks(p: Rows, m: Rows, i: int, s: Line, n_works: int, w: Line, n: int) -> int:
    """Clocks of works that may run out, then their deadlines."""
    head = p[0]
    size = len(s) // N_SCRATCH
    for number in range(n_works):
        work = m[i + s[WORK_ROW * size + number]]
        if work.due >= 0:
            n = put_possible(w, n, TIMER, head.first_clock + clock_of(work.phase), work.due_id, 0)
    for number in range(n_works):
        work = m[i + s[WORK_ROW * size + number]]
        if work.deadline >= 0:
            n = put_possible(w, n, TIMER, head.first_clock + SCHEDULE_TO_CLOSE, work.deadline_id, 0)
    return n


@kernel
def returned_by(p: Rows, m: Rows, i: int, number: int, k: int) -> int:
    """The row that says what an activity's results are; if none does, what `taken_up_by` says."""
    typed: int = p[m[i + k].activity].result
    return typed if typed >= 0 else taken_up_by(p, m, i, number, k)


@kernel
def possible(p: Rows, m: Rows, i: int, s: Line, w: Line) -> int:
    """Write everything that can happen to the instance at row `i` into `w`; returns how much.

    `s` is scratch as for `codec.pack`; an event, a timer and each work take at most three possibilities.
    """
    n = 0
    if m[i].status >= COMPLETED:
        return n
    head = p[0]
    # Where an automatic transition came first, its region may hold what set the step off: then nobody sends more.
    held = 1 if m[i + WAITING].first >= 0 else 0
    for event in range(head.first_event, head.first_event + head.n_events):
        if p[event].outside and not held and all_rest(p, m, i, event):
            n = put_possible(w, n, EVENT, event, NONE, 0)
    size = len(s) // N_SCRATCH
    n_works = list_works(p, m, i, s, size)
    n = put_timers(p, m, i, held, w, n)
    n = put_clocks(p, m, i, s, n_works, w, n)
    for number in range(n_works):
        k = s[WORK_ROW * size + number]
        work = m[i + k]
        if work.phase == CHILD:
            n = put_possible(w, n, CHILD_CLOSED, taken_up_by(p, m, i, number, k), work.serial, 0)
        elif work.phase == SCHEDULED:
            n = put_possible(w, n, ACTIVITY_STARTED, NONE, work.serial, work.attempt)
        elif work.phase == RUNNING:
            n = put_possible(w, n, ACTIVITY_SUCCEEDED, returned_by(p, m, i, number, k), work.serial, work.attempt)
            n = put_possible(w, n, ACTIVITY_FAILED, work.activity, work.serial, work.attempt)
    if handles(p, m, i, head.cancel_requested):
        n = put_possible(w, n, CONTROL, CANCEL, NONE, 0)
    return n
