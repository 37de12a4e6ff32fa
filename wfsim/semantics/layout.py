"""Rows that the step function reads and writes: the program, one instance's memory, what a step puts out.

A *program* `p` is a list of rows that refer to each other by row number, so `p[region.initial].timeout` needs
no table offsets. An instance's *memory* is rows `m` (`Me`, the inbox, four lists, then regions, works, timers, queue)
and value cells `v`. Every row class here is a slotted dataclass of integers (and one float); the compiled speed
reads the same field names from one numpy record type per list, in which rows of different classes overlap.

A reference to nothing is -1. Times and durations are integer microseconds (M6.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

NONE = -1

# Value tags (M10). FAULT carries the handle of the error type in `whole`; ABSENT marks an unwritten private cell.
NULL, BOOLEAN, INTEGER, NUMBER, STRING, LIST, OBJECT, FAULT, ABSENT = range(9)
ANY = -1

# What a state does while active (M1.1); also what a work slot is busy with.
NO_WORK, ACTIVITY, INVOKE, FOR_EACH, PARALLEL = range(5)

# Actions (M3.1).
RUN_ACTIVITY, SET_VARIABLE, SEND, COMPENSATE = range(4)

# Policies for events nobody takes (M7.1).
REJECT, DEFER, DISCARD = range(3)

# Join results and outcomes (M1.4).
SUCCESS, FAILURE = 1, 2

# Life of a region.
OUTSIDE, ACTIVE, SUCCEEDED, FAILED_REGION = range(4)

# Life of an activity attempt, or of a child.
IDLE, SCHEDULED, RUNNING, BACKOFF, CHILD = range(5)

# Where a flight is (M3.2).
GROUNDED, BEFORE_COMMIT, AFTER_COMMIT = range(3)

# Status (M1.4).
CREATED, RUNNING_STATUS, PAUSED, CANCELLING, COMPLETED, FAILED, CANCELLED, TERMINATED, TIMED_OUT = range(9)

# Clocks of a work, in the order of their timer cells (M5.3), and the two timers of states.
START_TO_CLOSE, SCHEDULE_TO_START, SCHEDULE_TO_CLOSE, RETRY = range(4)
N_CLOCKS = 4

# Where an instance's fixed rows lie, counted from its `Me`.
INBOX, WAITING, INTERNAL, DEFERRED, FREE, FIRST_REGION = range(1, 7)

# Holders of the scratch row: so many that it is never freed and never put into a list. A compiled step writes there
# when no row is free; several queued rows then share it, and in a list it would make a circle.
MANY = 1 << 40

# Commands (M8).
PAUSE, RESUME, CANCEL, TERMINATE, RETRY_COMMAND = range(5)

# Stimuli and, from INTERNAL_DONE on, what waits inside the instance.
(
    START,
    EVENT,
    TIMER,
    ACTIVITY_STARTED,
    ACTIVITY_SUCCEEDED,
    ACTIVITY_FAILED,
    CHILD_CLOSED,
    CONTROL,
    INTERNAL_DONE,
    INTERNAL_ERROR,
) = range(10)

# Operations of compiled expressions: a stack machine over value cells.
(
    OP_END,
    OP_CONSTANT,
    OP_VARIABLE,
    OP_FIELD,
    OP_NOT,
    OP_NEGATE,
    OP_ADD,
    OP_SUBTRACT,
    OP_MULTIPLY,
    OP_DIVIDE,
    OP_FLOOR,
    OP_MODULO,
    OP_EQUAL,
    OP_UNEQUAL,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_MINIMUM,
    OP_MAXIMUM,
    OP_AND,
    OP_OR,
    OP_IF,
    OP_JUMP,
    OP_BOOLEAN,
    OP_ASK,
) = range(26)


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
    correlation: int = NONE
    n_fields: int = 0
    n_rows: int = 0
    n_cells: int = 0
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
    timeout: int = NONE
    after: int = NONE
    automatic: int = NONE
    cancel_requested: int = NONE
    workflow_timeout_event: int = NONE


@dataclass(slots=True)
class VariableRow:
    """A variable: declared type, range, and what happens outside it (M10.2)."""

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


@dataclass(slots=True)
class ConstantRow:
    """One allowed value of a variable."""

    tag: int = NULL
    whole: int = 0
    real: float = 0.0


@dataclass(slots=True)
class EventRow:
    """An event, with the regions that have a transition on it anywhere (M2.2)."""

    name: int = NONE
    unhandled: int = REJECT
    first_field: int = NONE
    n_fields: int = 0
    first_listener: int = NONE
    end_listener: int = NONE


@dataclass(slots=True)
class FieldRow:
    """A payload field: which name lies in which cell of the payload."""

    name: int = NONE


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
    """A state with its timers and work."""

    name: int = NONE
    region: int = NONE
    terminal: int = 0
    outcome: int = SUCCESS
    timeout: int = NONE
    timeout_code: int = NONE
    first_transition: int = NONE
    end_transition: int = NONE
    n_timers: int = 0
    work: int = NO_WORK
    activity: int = NONE
    first_input: int = NONE
    end_input: int = NONE
    result_variable: int = NONE
    first_region: int = NONE
    n_regions: int = 0
    join: int = 0
    parent_close: int = CANCEL


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


@dataclass(slots=True)
class ParameterRow:
    """One named input of an activity or child."""

    name: int = NONE
    code: int = NONE


@dataclass(slots=True)
class ActivityRow:
    """An activity: retry policy (coefficients in millionths) and clocks (M5)."""

    name: int = NONE
    max_attempts: int = 1
    initial_interval: int = 0
    max_interval: int = 0
    coefficient: int = 1_000_000
    jitter: int = 0
    start_to_close: int = NONE
    schedule_to_start: int = NONE
    schedule_to_close: int = NONE
    heartbeat: int = NONE
    retries_start_to_close: int = 1


@dataclass(slots=True)
class OpRow:
    """One operation of a compiled expression."""

    op: int = OP_END
    a: int = NONE
    tag: int = NULL
    whole: int = 0
    real: float = 0.0


@dataclass(slots=True)
class Me:
    """Row 0 of an instance's memory: what is not in a region (M1.3)."""

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
    told: int = 0


@dataclass(slots=True)
class ListCell:
    """A list of queued rows, by their distance from the instance's first row."""

    first: int = NONE
    last: int = NONE
    length: int = 0


@dataclass(slots=True)
class RegionCell:
    """One region of an instance: where it is, and the transition in flight."""

    phase: int = OUTSIDE
    state: int = NONE
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


@dataclass(slots=True)
class WorkCell:
    """An open activity (or child): of a state, or of the action a flight waits for."""

    phase: int = IDLE
    activity: int = NONE
    serial: int = 0
    attempt: int = 0
    delay: int = 0
    scheduled: int = 0
    deadline: int = NONE


@dataclass(slots=True)
class TimerCell:
    """A running timer; `due` -1 when there is none, `left` its remainder while frozen (M8.1)."""

    due: int = NONE
    id: int = 0
    left: int = NONE


@dataclass(slots=True)
class Queued:
    """A stimulus, deferred event or internal event that waits; also the inbox of the step function."""

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
    permanent: int = 0
    command: int = NONE
    reason: int = NONE
    sender: int = NONE
    duplicate: int = 0
    refused: int = NONE
    offered: int = 0
    own: int = 0
    origin: int = NONE
    holds: int = 0
    next: int = NONE


@dataclass(slots=True)
class Cell:
    """One value (M10): `whole` holds integers, booleans and handles, `real` holds numbers."""

    tag: int = NULL
    whole: int = 0
    real: float = 0.0


@dataclass(slots=True)
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
    due: int = NONE
    delay: int = NONE
    source: int = NONE
    command: int = NONE
    key: int = 0


@dataclass(slots=True)
class ValueRow:
    """A value that belongs to a record: which name it gives a value to."""

    seq: int = 0
    name: int = NONE
    tag: int = NULL
    whole: int = 0
    real: float = 0.0


@dataclass(slots=True)
class EffectRow:
    """Something the surroundings shall do after the append (M11.1)."""

    kind: int = 0
    timer: int = NONE
    id: int = NONE
    due: int = NONE
    activity: int = NONE
    activity_id: int = NONE
    attempt: int = 0
    seq: int = 0
    event_id: int = NONE
    reason: int = NONE
    status: int = NONE
    outcome: int = 0


# Effects.
SET_TIMER, DROP_TIMER, START_ATTEMPT, CANCEL_ATTEMPT, START_CHILD, STOP_CHILD, REPLY, CLOSED = range(8)

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
    OpRow,
)
MEMORY_ROWS: tuple[type, ...] = (Me, ListCell, RegionCell, WorkCell, TimerCell, Queued)

# One list holds rows of several classes; the reader of a row knows its class from the reference it followed.
Rows: TypeAlias = list[Any]
Cells: TypeAlias = list[Cell]

# Records (the section "Records" of MEANING): causes first.
RECORD_KINDS: tuple[str, ...] = (
    "started",
    "event_received",
    "timer_fired",
    "activity_started",
    "activity_succeeded",
    "activity_failed",
    "child_closed",
    "control_received",
    "message_returned",
    "event_rejected",
    "event_deferred",
    "event_discarded",
    "event_recalled",
    "stimulus_ignored",
    "transition_started",
    "transition",
    "transition_aborted",
    "state_entered",
    "state_left",
    "variables_set",
    "activity_scheduled",
    "attempt_timed_out",
    "retry_scheduled",
    "activity_cancelled",
    "child_started",
    "child_stop_requested",
    "message_sent",
    "error_raised",
    "compensation_started",
    "compensation_finished",
    "status_changed",
    "instance_closed",
)
N_CAUSES = 9
(
    R_STARTED,
    R_EVENT_RECEIVED,
    R_TIMER_FIRED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_ACTIVITY_FAILED,
    R_CHILD_CLOSED,
    R_CONTROL_RECEIVED,
    R_MESSAGE_RETURNED,
    R_EVENT_REJECTED,
    R_EVENT_DEFERRED,
    R_EVENT_DISCARDED,
    R_EVENT_RECALLED,
    R_STIMULUS_IGNORED,
    R_TRANSITION_STARTED,
    R_TRANSITION,
    R_TRANSITION_ABORTED,
    R_STATE_ENTERED,
    R_STATE_LEFT,
    R_VARIABLES_SET,
    R_ACTIVITY_SCHEDULED,
    R_ATTEMPT_TIMED_OUT,
    R_RETRY_SCHEDULED,
    R_ACTIVITY_CANCELLED,
    R_CHILD_STARTED,
    R_CHILD_STOP_REQUESTED,
    R_MESSAGE_SENT,
    R_ERROR_RAISED,
    R_COMPENSATION_STARTED,
    R_COMPENSATION_FINISHED,
    R_STATUS_CHANGED,
    R_INSTANCE_CLOSED,
) = range(len(RECORD_KINDS))

STATUSES = (
    "created",
    "running",
    "paused",
    "cancelling",
    "completed",
    "failed",
    "cancelled",
    "terminated",
    "timed_out",
)
OUTCOMES = ("", "success", "failure")
COMMANDS = ("pause", "resume", "cancel", "terminate", "retry")

# Texts that the step function itself names, at fixed handles.
KNOWN_TEXTS: tuple[str, ...] = (
    "Expression.null",
    "Expression.type",
    "Expression.overflow",
    "Expression.division",
    "Expression.range",
    "Timeout.state",
    "Timeout.start_to_close",
    "Timeout.schedule_to_start",
    "Timeout.schedule_to_close",
    "Timeout.heartbeat",
    "Join.impossible",
    "automatic_chain",
    "duplicate",
    "late",
    "void",
    "closed",
    "no_transition",
    "condition",
    "max_deferred",
    "undeclared",
    "payload",
    "error",
    "outer",
    "join",
    "control",
    "closing",
    "left",
    "ignored",
    "result",
    "message",
    "source",
    "type",
    "post_action",
    "done",
    "Child.failed",
    "retry",
    "unhandled",
    "workflow_timeout",
    "terminated",
    "cancelled",
)
(
    T_NULL,
    T_TYPE,
    T_OVERFLOW,
    T_DIVISION,
    T_RANGE,
    T_TIMEOUT_STATE,
    T_START_TO_CLOSE,
    T_SCHEDULE_TO_START,
    T_SCHEDULE_TO_CLOSE,
    T_HEARTBEAT,
    T_JOIN_IMPOSSIBLE,
    T_AUTOMATIC_CHAIN,
    T_DUPLICATE,
    T_LATE,
    T_VOID,
    T_CLOSED,
    T_NO_TRANSITION,
    T_CONDITION,
    T_MAX_DEFERRED,
    T_UNDECLARED,
    T_PAYLOAD,
    T_ERROR,
    T_OUTER,
    T_JOIN,
    T_CONTROL,
    T_CLOSING,
    T_LEFT,
    T_IGNORED,
    T_RESULT,
    T_MESSAGE,
    T_SOURCE,
    T_ERROR_TYPE,
    T_POST_ACTION,
    T_DONE,
    T_CHILD_FAILED,
    T_RETRY,
    T_UNHANDLED,
    T_WORKFLOW_TIMEOUT,
    T_TERMINATED,
    T_CANCELLED,
) = range(len(KNOWN_TEXTS))
