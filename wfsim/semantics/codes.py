"""Numbers that stand for words: value tags, kinds of work and action, phases, operations, records, fixed texts."""

from __future__ import annotations

NONE = -1
# Stands for the name of the value that is a key, beside values that have names of their own.
KEY_VALUE = -2

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

# Life of a work: an activity's attempt, a child, or a `for_each`, whose items have works of their own until they end.
IDLE, SCHEDULED, RUNNING, BACKOFF, CHILD, EACH, ITEM_DONE, ITEM_FAILED = range(8)

# Where a flight is (M3.2).
GROUNDED, BEFORE_COMMIT, AFTER_COMMIT = range(3)

# Status (M1.4).
CREATED, RUNNING_STATUS, PAUSED, CANCELLING, COMPLETED, FAILED, CANCELLED, TERMINATED, TIMED_OUT = range(9)

# Clocks of a work, counted from the head's `first_clock`: which timer a row or stimulus names (M5.3).
START_TO_CLOSE, SCHEDULE_TO_START, SCHEDULE_TO_CLOSE, RETRY = range(4)
N_CLOCKS = 4

# Where an instance's fixed rows lie, counted from its `Me`.
INBOX, WAITING, INTERNAL, DEFERRED, LOG, LATE, ITEMS, FREE, FIRST_REGION = range(1, 10)

# Holders of the scratch row: so many that it is never freed and never put into a list. A compiled step writes there
# when no row is free; several queued rows then share it, and in a list it would make a circle.
MANY = 1 << 40

# Commands (M8).
PAUSE, RESUME, CANCEL, TERMINATE, RETRY_COMMAND = range(5)

# Stimuli, in the order of the records that they cause, and, from INTERNAL_DONE on, what waits inside the instance.
(
    START,
    EVENT,
    TIMER,
    ACTIVITY_STARTED,
    ACTIVITY_SUCCEEDED,
    ACTIVITY_FAILED,
    CHILD_CLOSED,
    CONTROL,
    MESSAGE_RETURNED,
    INTERNAL_DONE,
    INTERNAL_ERROR,
) = range(11)

# What becomes of a child when the activation that invoked it ends (M4.4).
CLOSE_CANCEL, CLOSE_TERMINATE, CLOSE_ABANDON = range(3)

# When an activity with a compensator enters the log (M9.1).
WHEN_COMPLETED, WHEN_ATTEMPTED = range(2)

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
    OP_NOW,
    # Texts, lists and objects: those that take three cells, then two, then one, and leave one.
    OP_IN,
    OP_NOT_IN,
    OP_INDEX,
    OP_STARTS,
    OP_ENDS,
    OP_HOLDS,
    OP_LEAST,
    OP_MOST,
    OP_PART,
    OP_LENGTH,
    OP_TEXT,
    OP_LOWER,
    OP_UPPER,
    OP_PARTS,
    OP_PIECE,
    OP_JOIN,
    OP_LIST,
    OP_OBJECT,
    OP_ITEM,
    OP_LOOP,
    OP_NEXT,
    OP_COALESCE,
    OP_ZERO,
    OP_STATE,
    OP_CALL,
) = range(52)

# What goes through a list (M10.7).
SUM, COUNT, ANY_OF, ALL_OF = range(4)

# Values that the surroundings make, or make to fit (M10.4), each of some others and nothing else.
(
    MAKE_FITTED,
    MAKE_JOINED,
    MAKE_TEXT,
    MAKE_LOWER,
    MAKE_UPPER,
    MAKE_FIELDS,
    MAKE_LIST,
    MAKE_OBJECT,
    MAKE_CALLED,
    MAKE_RESULTS,
) = range(10)

# Of which operands an integer is read as a number beside one: a literal, and of a sum that is 0 (M10.1, M10.7).
LITERAL_LEFT, LITERAL_RIGHT, SUM_LEFT, SUM_RIGHT = 1, 2, 4, 8

# Effects.
SET_TIMER, DROP_TIMER, START_ATTEMPT, CANCEL_ATTEMPT, START_CHILD, STOP_CHILD, SEND_MESSAGE, REPLY, CLOSED = range(9)

# Records (the section "Records" of docs/meaning.md): causes first.
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
    "retry",
    "unhandled",
    "workflow_timeout",
    "terminated",
    "cancelled",
    "deferred",
    "Compensation.failed",
    "compensate",
    "logged",
    "entries",
    "failed",
    "compensates",
    "cancel",
    "terminate",
    "index",
    "self",
    "parent",
    "send",
    "fate",
    "waiting",
    "taken",
    "discarded",
    "rejected",
    "entry",
    "exit",
    "Expression.index",
    "Expression.field",
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
    T_RETRY,
    T_UNHANDLED,
    T_WORKFLOW_TIMEOUT,
    T_TERMINATED,
    T_CANCELLED,
    T_DEFERRED,
    T_COMPENSATION_FAILED,
    T_COMPENSATE,
    T_LOGGED,
    T_ENTRIES,
    T_FAILED,
    T_COMPENSATES,
    T_CANCEL,
    T_TERMINATE,
    T_INDEX,
    T_SELF,
    T_PARENT,
    T_SEND,
    T_FATE,
    T_WAITING,
    T_TAKEN,
    T_DISCARDED,
    T_REJECTED,
    T_ENTRY,
    T_EXIT,
    T_NO_ITEM,
    T_NO_FIELD,
) = range(len(KNOWN_TEXTS))
