"""Rows that the step function reads and writes: the program, one instance's memory, what a step puts out.

A *program* `p` is a list of rows that refer to each other by row number, so `p[region.initial].timeout` needs
no table offsets. An instance's *memory* is rows `m` (`Me`, the inbox, four lists, then regions, works, timers, queue)
and value cells `v`. Every row class here is a dataclass of integers (and one float); the compiled speed reads the same
field names from one numpy record type per list, in which rows of different classes overlap. Those of which each step
makes some have no slots: what is not given is the class's, so that a row is made by a few assignments.

A reference to nothing is -1. Times and durations are integer microseconds (M6.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from .codes import (
    ANY,
    CLOSE_CANCEL,
    CREATED,
    EVENT,
    GROUNDED,
    IDLE,
    NO_WORK,
    NONE,
    NULL,
    OP_END,
    OUTSIDE,
    REJECT,
    RUN_ACTIVITY,
    SUCCESS,
)


@dataclass(slots=True)
class Head:
    """Row 0 of a program: sizes and workflow-wide policies."""

    root: int = NONE
    first_region: int = NONE
    n_regions: int = 0
    first_variable: int = NONE
    n_variables: int = 0
    first_event: int = NONE
    n_events: int = 0
    workflow_timeout: int = NONE
    max_automatic: int = 100
    max_deferred: int = 1_000
    freeze: int = 0
    reads_clock: int = 0
    transients: int = 0
    key_cell: int = NONE
    n_fields: int = 0
    first_timer: int = 0
    n_timers: int = 0
    first_work: int = 0
    n_works: int = 0
    first_clock: int = 0
    first_queued: int = 0
    inbox_cells: int = 0
    queue_cells: int = 0
    stack_cells: int = 0
    done: int = NONE
    error: int = NONE
    timeout_event: int = NONE
    after_event: int = NONE
    automatic: int = NONE
    cancel_requested: int = NONE
    workflow_timeout_event: int = NONE

    @property
    def n_cells(self) -> int:
        """Cells of an instance in which nothing waits: the last are those of its scratch row."""
        return self.queue_cells + self.n_fields


@dataclass(slots=True)
class VariableRow:
    """A variable, payload field or result: declared type, range, and what happens outside it (M10.2, M10.4)."""

    name: int = NONE
    type: int = ANY
    optional: int = 1
    input: int = 0
    output: int = 0
    bounded_below: int = 0
    bounded_above: int = 0
    lowest: int = 0
    highest: int = 0
    lowest_real: float = 0.0
    highest_real: float = 0.0
    saturate: int = 0
    first_allowed: int = NONE
    end_allowed: int = NONE
    deep: int = 0
    """Whether the surroundings fit a value: its items, fields or pattern are declared (M10.4)."""
    initial: int = NONE
    """The constant that it goes back to, where it does not last: with its state, or with the step (M13.3, M13.4)."""
    transient: int = 0


@dataclass(slots=True)
class ConstantRow:
    """A value that a variable may have, or goes back to."""

    tag: int = NULL
    whole: int = 0
    real: float = 0.0


@dataclass(slots=True)
class EventRow:
    """An event, whether others send it, and the regions that have a transition on it anywhere (M2.2)."""

    name: int = NONE
    outside: int = 0
    unhandled: int = REJECT
    first_field: int = NONE
    n_fields: int = 0
    first_listener: int = NONE
    end_listener: int = NONE


@dataclass(slots=True)
class FieldRow:
    """A payload field: which name lies in which cell of the payload, and what may (M7.1)."""

    name: int = NONE
    type: int = ANY
    optional: int = 1


@dataclass(slots=True)
class ListenerRow:
    """A region that has a transition on the event."""

    region: int = NONE


@dataclass(slots=True)
class RegionRow:
    """A region; regions stand in preorder, so `[region, end_region)` is its subtree."""

    name: int = NONE
    slot: int = 0
    parent_state: int = NONE
    parent: int = NONE
    initial: int = NONE
    first_state: int = NONE
    end_state: int = NONE
    end_region: int = NONE
    work: int = 0
    flight_work: int = 0
    first_timer: int = 0
    n_timers: int = 0
    private_cells: int = 0


@dataclass(slots=True)
class StateRow:
    """A state with its timers and work; `automatic` is 1 if transitions leave it by their condition alone."""

    name: int = NONE
    region: int = NONE
    terminal: int = 0
    outcome: int = SUCCESS
    timeout: int = NONE
    timeout_code: int = NONE
    first_transition: int = NONE
    end_transition: int = NONE
    n_timers: int = 0
    automatic: int = 0
    work: int = NO_WORK
    activity: int = NONE
    first_input: int = NONE
    end_input: int = NONE
    result_variable: int = NONE
    first_region: int = NONE
    n_regions: int = 0
    join: int = 0
    parent_close: int = CLOSE_CANCEL
    items: int = NONE
    max_parallel: int = 0
    collect: int = 0
    tolerated: int = 0
    tolerated_share: int = NONE
    runs_children: int = 0
    first_entry: int = 0
    end_entry: int = 0
    first_exit: int = 0
    end_exit: int = 0
    first_datum: int = 0
    end_datum: int = 0


@dataclass(slots=True)
class TransitionRow:
    """A transition; those of one source state stand together in file order (M2.3)."""

    number: int = 0
    region: int = NONE
    source: int = NONE
    target: int = NONE
    event: int = NONE
    error_source: int = NONE
    timer: int = NONE
    after: int = NONE
    after_code: int = NONE
    at_code: int = NONE
    condition: int = NONE
    first_pre: int = NONE
    end_pre: int = NONE
    first_post: int = NONE
    end_post: int = NONE


@dataclass(slots=True)
class ActionRow:
    """One action of a transition (M3.1)."""

    action: int = RUN_ACTIVITY
    name: int = NONE
    activity: int = NONE
    first_input: int = NONE
    end_input: int = NONE
    variable: int = NONE
    code: int = NONE
    ignore: int = 0
    scope: int = NONE
    event: int = NONE
    own_event: int = NONE
    key: int = NONE


@dataclass(slots=True)
class ParameterRow:
    """One named input of an activity or child, or field of a message; `cell` is that of the workflow's own event."""

    name: int = NONE
    code: int = NONE
    cell: int = NONE


@dataclass(slots=True)
class ActivityRow:
    """An activity: its retry policies, of which `timeout_policy` decides on start_to_close, and its clocks (M5)."""

    name: int = NONE
    version: int = NONE
    first_policy: int = NONE
    end_policy: int = NONE
    timeout_policy: int = 0
    start_to_close: int = NONE
    schedule_to_start: int = NONE
    schedule_to_close: int = NONE
    heartbeat: int = NONE
    undo: int = NONE
    undo_when: int = 0
    result: int = NONE
    """The row that says what its results are (M4.1)."""


@dataclass(slots=True)
class RetryRow:
    """A retry policy, coefficients in millionths (M5.1)."""

    max_attempts: int = 1
    initial_interval: int = 0
    max_interval: int = 0
    coefficient: int = 1_000_000
    jitter: int = 0


@dataclass(slots=True)
class ChildRow:
    """A workflow that a state invokes, with the version resolved when the parent was compiled (M4.4).

    `undo` is the activity that undoes it, and `undo_when` from when on there is something to undo (M9.1).
    """

    name: int = NONE
    version: int = NONE
    undo: int = NONE
    undo_when: int = 0


@dataclass(slots=True)
class OpRow:
    """One operation of a compiled expression; `size` is how many steps a loop takes for each item (M10.7)."""

    op: int = OP_END
    a: int = NONE
    tag: int = NULL
    whole: int = 0
    real: float = 0.0
    size: int = 0


@dataclass(slots=True)
class Me:
    """Row 0 of an instance's memory: what is not in a region (M1.3).

    `blocks` says whether any region is `blocked`, `leavable` whether one may be `automatic`, `endable` whether one may
    stand in a terminal state and has not ended.
    """

    status: int = CREATED
    outcome: int = 0
    seq: int = 0
    time: int = 0
    cause: int = 0
    key: int = 0
    activations: int = 0
    serials: int = 0
    flights: int = 0
    timer_ids: int = 0
    commits: int = 0
    automatic: int = 0
    cells: int = 0
    offer_again: int = NONE
    answering: int = 0
    undoing_all: int = 0
    has_parent: int = 0
    messages: int = 0
    reason: int = NONE
    told: int = 0
    blocks: int = 0
    leavable: int = 1
    endable: int = 1


@dataclass(slots=True)
class ListCell:
    """A list of queued rows, by their distance from the instance's first row."""

    first: int = NONE
    last: int = NONE
    length: int = 0


@dataclass(slots=True)
class RegionCell:
    """One region of an instance: where it is, and the transition in flight.

    `automatic` is that of its state, which is asked for in each round of each step; `wrote` says whether the flight has
    written variables, which nobody else sees before its commit (M3.3).
    """

    phase: int = OUTSIDE
    state: int = NONE
    automatic: int = 0
    activation: int = 0
    flight: int = NONE
    flight_phase: int = GROUNDED
    flight_number: int = 0
    waited: int = 0
    action: int = NONE
    entry: int = NONE
    chosen: int = NONE
    took: int = 0
    blocked: int = 0
    stuck: int = 0
    wrote: int = 0


@dataclass(slots=True)
class WorkCell:
    """An open activity (or child): of a state, of the action a flight waits for, or of an item of a `for_each`.

    `due` is when its attempt's clock expires or its backoff ends, whichever its phase says; `deadline` is that of
    all attempts (M5.3). Each has an id of its own, like every timer.
    """

    phase: int = IDLE
    activity: int = NONE
    serial: int = 0
    attempt: int = 0
    region: int = NONE
    due: int = NONE
    due_id: int = NONE
    deadline: int = NONE
    deadline_id: int = NONE
    held: int = NONE
    unsure: int = 0
    undoes: int = NONE
    each: int = NONE
    index: int = NONE
    holds: int = 0
    next: int = NONE


@dataclass(slots=True)
class Each:
    """A `for_each` under way (M4.5): its list, how many items have started and are open, and the ended ones.

    Of these `failed` have failed; beyond `tolerated` the list fails.
    """

    items: int = NONE
    n: int = 0
    state: int = NONE
    started: int = 0
    open: int = 0
    ended: int = NONE
    failed: int = 0
    tolerated: int = 0
    holds: int = 0
    next: int = NONE


@dataclass(slots=True)
class TimerCell:
    """A running timer; `due` -1 when there is none, `left` its remainder while frozen (M8.1)."""

    due: int = NONE
    id: int = 0
    left: int = NONE


@dataclass
class Queued:
    """A stimulus, deferred event or internal event that waits; also the inbox of the step function.

    `policy` is which of its activity's policies decides on a failed attempt, from 0; beyond the last, none (M5.2).
    `retry_after` is the wait that the error asks for; of a closed child `policy` is the outcome. In the inbox `fate` is
    what has become of the first event with its id (M7.1), so that it is a duplicate; of a command always `taken`.
    """

    kind: int = EVENT
    time: int = 0
    event: int = NONE
    event_id: int = NONE
    cause: int = 0
    serial: int = NONE
    attempt: int = 0
    timer: int = NONE
    region: int = NONE
    activation: int = 0
    source: int = NONE
    error_type: int = NONE
    policy: int = 0
    retry_after: int = NONE
    command: int = NONE
    reason: int = NONE
    sender: int = NONE
    fate: int = NONE
    refused: int = NONE
    offered: int = 0
    own: int = 0
    origin: int = NONE
    holds: int = 0
    chained: int = 0
    next: int = NONE


@dataclass(slots=True)
class Held:
    """The inputs of an open activity, in its payload cells from 1 on; with a compensator also its log entry (M9.1).

    `logged` says whether it stands in the log, `undoing` whether its compensator runs, `tried` in which flight (or 0)
    that has failed, `undo_serial` its last activity; `state` is where its activity ran. Cell 0 takes the result.
    """

    activity: int = NONE
    serial: int = 0
    first_input: int = NONE
    end_input: int = NONE
    region: int = NONE
    state: int = NONE
    logged: int = 0
    undoing: int = 0
    tried: int = NONE
    undo_serial: int = NONE
    holds: int = 0
    next: int = NONE


@dataclass(slots=True)
class Cell:
    """One value (M10): `whole` holds integers, booleans and handles, `real` holds numbers."""

    tag: int = NULL
    whole: int = 0
    real: float = 0.0


@dataclass
class RecordRow:
    """One record of a step, in codes: program rows for names, handles for texts."""

    kind: int = 0
    seq: int = 0
    time: int = 0
    cause: int = 0
    region: int = NONE
    state: int = NONE
    to_state: int = NONE
    event: int = NONE
    event_id: int = NONE
    activity: int = NONE
    activity_id: int = NONE
    attempt: int = 0
    error_type: int = NONE
    status: int = NONE
    outcome: int = 0
    reason: int = NONE
    transition: int = NONE
    flight: int = NONE
    activation: int = NONE
    timer: int = NONE
    timer_id: int = NONE
    due: int = NONE
    delay: int = NONE
    source: int = NONE
    command: int = NONE
    key: int = 0
    undoes: int = NONE
    index: int = NONE
    message: int = NONE


@dataclass(slots=True)
class ValueRow:
    """A value that belongs to a record: which name it gives a value to."""

    seq: int = 0
    name: int = NONE
    tag: int = NULL
    whole: int = 0
    real: float = 0.0


@dataclass
class EffectRow:
    """Something the surroundings shall do after the append (M11.1)."""

    kind: int = 0
    timer: int = NONE
    id: int = NONE
    due: int = NONE
    activity: int = NONE
    activity_id: int = NONE
    attempt: int = 0
    undoes: int = NONE
    seq: int = 0
    event_id: int = NONE
    reason: int = NONE
    fate: int = NONE
    status: int = NONE
    outcome: int = 0
    event: int = NONE
    to: int = NONE


PROGRAM_ROWS: tuple[type, ...] = (
    Head,
    VariableRow,
    ConstantRow,
    EventRow,
    FieldRow,
    ListenerRow,
    RegionRow,
    StateRow,
    TransitionRow,
    ActionRow,
    ParameterRow,
    ActivityRow,
    RetryRow,
    ChildRow,
    OpRow,
)
MEMORY_ROWS: tuple[type, ...] = (Me, ListCell, RegionCell, WorkCell, Each, TimerCell, Queued, Held)

# One list holds rows of several classes; the reader of a row knows its class from the reference it followed.
Rows: TypeAlias = list[Any]
Cells: TypeAlias = list[Cell]
