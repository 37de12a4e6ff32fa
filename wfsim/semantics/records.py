"""Stimuli, records and effects as people see them, and the step function in its pure form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from wfsim.errors import WfsimError, visible
from wfsim.model.duration import short_time, time_text
from wfsim.model.statuses import STATUSES

from .codes import (
    CLOSED,
    COMMANDS,
    KEY_VALUE,
    NONE,
    OUTCOMES,
    R_ACTIVITY_FAILED,
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_CHILD_STARTED,
    R_CHILD_STOP_REQUESTED,
    R_COMPENSATION_FINISHED,
    R_COMPENSATION_STARTED,
    R_EVENT_RECEIVED,
    R_INSTANCE_CLOSED,
    R_MESSAGE_SENT,
    R_STARTED,
    R_TRANSITION,
    R_VARIABLES_SET,
    RECORD_KINDS,
    SEND_MESSAGE,
)
from .instance import Instance
from .kernel import Output
from .layout import RecordRow, ValueRow
from .program import Program
from .stimulus import Stimulus

if TYPE_CHECKING:
    from .texts import Texts

EFFECTS = (
    "set_timer",
    "drop_timer",
    "start_attempt",
    "cancel_attempt",
    "start_child",
    "stop_child",
    "send_message",
    "reply",
    "closed",
)


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a history, with names (the section "Records")."""

    kind: str
    seq: int
    time: int
    cause_seq: int
    region: str | None = None
    state: str | None = None
    to_state: str | None = None
    event: str | None = None
    event_id: str | None = None
    activity: str | None = None
    activity_id: int | None = None
    attempt: int | None = None
    error_type: str | None = None
    status: str | None = None
    outcome: str | None = None
    payload: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return visible(f"{self.seq} {self.kind}({self.told()})")

    def told(self) -> str:
        """What it says beside its kind, `name=value` after `name=value`, times as people write them."""
        parts = [
            f"{key}={value}"
            for key in (
                "state",
                "to_state",
                "event",
                "activity",
                "attempt",
                "error_type",
                "status",
                "outcome",
            )
            if (value := getattr(self, key)) is not None
        ]
        for key, value in self.payload.items():
            written = {"due": time_text, "delay": short_time}.get(key)
            parts.append(f"{key}={value if written is None else written(value)}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Effect:
    """What the surroundings shall do after the append (the table "Stimuli and effects")."""

    kind: str
    timer: int = NONE
    timer_id: int = NONE
    due: int = NONE
    activity: str | None = None
    activity_id: int = NONE
    attempt: int = 0
    compensates: int | None = None
    input: dict[str, Any] = field(default_factory=dict)
    output: dict[str, Any] = field(default_factory=dict)
    message_id: int = NONE
    to: str | None = None
    key: Any = None
    event: str | None = None
    payload: dict[str, Any] = field(default_factory=dict)
    event_id: str | None = None
    fate: str | None = None
    reason: str | None = None
    status: str | None = None
    outcome: str | None = None


def step(program: Program, instance: Instance, stimulus: Stimulus) -> tuple[Instance, list[Record], list[Effect]]:
    """What a stimulus does to an instance; the instance given is not changed.

    Returns the new instance, the records of this append (one cause, then its consequences), and the effects
    that follow it. Cost is proportional to the instance's size plus the records.
    """
    if instance.program is not program:
        raise WfsimError("the instance runs another program.")
    twin = instance.copy()
    output = twin.apply(stimulus)
    return twin, records_of(twin, output), effects_of(twin, output)


# What a payload says in whole numbers, and the field of the row that holds each; -1 is none.
NUMBERS = {
    "flight": "flight",
    "activation": "activation",
    "place": "timer",
    "timer_id": "timer_id",
    "due": "due",
    "delay": "delay",
    "compensates": "undoes",
    "index": "index",
    "message_id": "message",
}
# What two columns are called in a payload, by the kind of record (the section "Records").
CALLED = {
    "source": {
        R_STARTED: "parent",
        R_EVENT_RECEIVED: "sender",
        R_ACTIVITY_STARTED: "worker",
        R_CHILD_STARTED: "workflow",
        R_MESSAGE_SENT: "to",
    },
    "reason": {
        R_ACTIVITY_FAILED: "message",
        R_VARIABLES_SET: "by",
        R_ACTIVITY_SCHEDULED: "version",
        R_CHILD_STARTED: "version",
        R_CHILD_STOP_REQUESTED: "policy",
    },
}
# Records whose values are lists: equal names belong together.
LISTS = (R_COMPENSATION_STARTED, R_COMPENSATION_FINISHED)
# Under which name a record's values stand in its payload; elsewhere they stand in it directly.
VALUES_CALLED = {
    R_TRANSITION: "set",
    R_VARIABLES_SET: "set",
    R_STARTED: "input",
    R_CHILD_STARTED: "input",
    R_ACTIVITY_SCHEDULED: "input",
    R_INSTANCE_CLOSED: "output",
    R_EVENT_RECEIVED: "payload",
    R_MESSAGE_SENT: "payload",
}


def record_of(instance: Instance, row: RecordRow, values: Iterable[ValueRow] = ()) -> Record:
    """A record row with names instead of codes."""
    program, texts = instance.program, instance.texts
    payload: dict[str, Any] = {}
    if row.transition >= 0:
        payload["transition"] = program.transition_numbers[row.transition]
    if row.timer >= 0:
        payload["timer"] = instance.timer_name(row.timer)
    for name, field_name in NUMBERS.items():
        number = getattr(row, field_name)
        if number >= 0:
            payload[name] = number
    if row.command >= 0:
        payload["command"] = COMMANDS[row.command]
    for name, called in CALLED.items():
        handle = getattr(row, name)
        if handle >= 0:
            payload[called.get(row.kind, name)] = texts.text(handle)
    if row.kind == R_STARTED:
        payload.update(workflow=program.workflow.name, version=program.workflow.version, seed=row.key)
    inner: dict[str, Any] = {}
    for value in values:
        decoded = texts.decode(value.tag, value.whole, value.real)
        if value.name == KEY_VALUE:
            payload["key"] = decoded
        elif value.name < 0:
            inner.update(decoded)
        elif row.kind in LISTS:
            inner.setdefault(texts.text(value.name) or "", []).append(decoded)
        else:
            inner[texts.text(value.name) or ""] = decoded
    if row.kind in VALUES_CALLED:
        if inner:
            payload[VALUES_CALLED[row.kind]] = inner
    else:
        payload.update(inner)
    return Record(
        kind=RECORD_KINDS[row.kind],
        seq=row.seq,
        time=row.time,
        cause_seq=row.cause,
        region=program.name(row.region),
        state=program.name(row.state),
        to_state=program.name(row.to_state),
        event=program.name(row.event),
        event_id=texts.text(row.event_id),
        activity=program.name(row.activity),
        activity_id=None if row.activity_id < 0 else row.activity_id,
        attempt=row.attempt or None,
        error_type=texts.text(row.error_type),
        status=None if row.status < 0 else STATUSES[row.status],
        outcome=OUTCOMES[row.outcome] or None,
        payload=payload,
    )


def records_of(instance: Instance, output: Output) -> list[Record]:
    """The records of one step, with names."""
    by_seq: dict[int, list[ValueRow]] = {}
    for value in output.values:
        by_seq.setdefault(value.seq, []).append(value)
    return [record_of(instance, row, by_seq.get(row.seq, ())) for row in output.records]


class Names(Protocol):
    """Whoever knows the names behind codes and handles: an instance, or the member of a simulation."""

    @property
    def program(self) -> Program:
        """What is run."""

    @property
    def texts(self) -> Texts:
        """The table of texts."""


def effects_of(names: Names, output: Output) -> list[Effect]:
    """The effects of one step, with names."""
    texts = names.texts
    found = []
    for row in output.effects:
        values: dict[str, Any] = {}
        key: Any = None
        for value in output.values if row.seq else ():
            if value.seq == row.seq:
                decoded = texts.decode(value.tag, value.whole, value.real)
                if value.name == KEY_VALUE:
                    key = decoded
                else:
                    values[texts.text(value.name) or ""] = decoded
        sends = row.kind == SEND_MESSAGE
        found.append(
            Effect(
                kind=EFFECTS[row.kind],
                timer=row.timer,
                timer_id=NONE if sends else row.id,
                due=row.due,
                activity=names.program.name(row.activity),
                activity_id=row.activity_id,
                attempt=row.attempt,
                compensates=None if row.undoes < 0 else row.undoes,
                input={} if sends or row.kind == CLOSED else values,
                output=values if row.kind == CLOSED else {},
                message_id=row.id if sends else NONE,
                to=texts.text(row.to),
                key=key,
                event=names.program.name(row.event),
                payload=values if sends else {},
                event_id=texts.text(row.event_id),
                fate=texts.text(row.fate),
                reason=texts.text(row.reason),
                status=None if row.status < 0 else STATUSES[row.status],
                outcome=OUTCOMES[row.outcome] or None,
            )
        )
    return found
