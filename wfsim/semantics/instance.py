"""Instances, stimuli and records as people see them, around the step function that works on rows.

`step` is the pure form of DESIGN: it copies, applies, and returns named records and effects. Surroundings that
own their instance (simulator, runtime, replay) call `Instance.apply` and read the rows in `Output`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wfsim.errors import StartRefused, WfsimError
from wfsim.model.evaluate import EvaluationFault, Value, check_value, coerce, evaluate_template, fit
from wfsim.model.workflow import RetryPolicy, ValueType

from .kernel import Output
from .layout import (
    ABSENT,
    ACTIVITY_FAILED,
    ACTIVITY_STARTED,
    ACTIVITY_SUCCEEDED,
    BACKOFF,
    COMMANDS,
    CONTROL,
    DEFERRED,
    EVENT,
    FAULT,
    FREE,
    IDLE,
    INBOX,
    N_CLOCKS,
    NONE,
    NULL,
    OUTCOMES,
    R_ACTIVITY_SCHEDULED,
    R_EVENT_RECEIVED,
    R_INSTANCE_CLOSED,
    R_STARTED,
    R_TRANSITION,
    R_VARIABLES_SET,
    RECORD_KINDS,
    RUNNING,
    SCHEDULED,
    START,
    STATUSES,
    T_PAYLOAD,
    T_UNDECLARED,
    TIMER,
    WAITING,
    Cell,
    Cells,
    ListCell,
    Me,
    Queued,
    RecordRow,
    RegionCell,
    Rows,
    TimerCell,
    ValueRow,
    WorkCell,
)
from .program import Program, non_retryable
from .step import step as step_rows
from .texts import Texts
from .work import EXTRAS, RESULT

STIMULI = (
    "start",
    "event",
    "timer",
    "activity_started",
    "activity_succeeded",
    "activity_failed",
    "child_closed",
    "control",
)
EFFECTS = (
    "set_timer",
    "drop_timer",
    "start_attempt",
    "cancel_attempt",
    "start_child",
    "stop_child",
    "reply",
    "closed",
)
CLOCKS = ("start_to_close", "schedule_to_start", "schedule_to_close", "retry")


@dataclass(frozen=True, slots=True)
class Stimulus:
    """Something that reaches an instance from outside (the table "Stimuli and effects").

    Parameters
    ----------
    kind
        `start`, `event`, `timer`, `activity_started`, `activity_succeeded`, `activity_failed` or `control`.
    time
        Microseconds; an earlier one than the instance's last is read as the last.
    event, payload, event_id, sender
        Of an event. Events with an id seen before are recorded and ignored.
    timer, timer_id
        Which timer is due: its place in the instance, and the id under which it was set.
    activity_id, attempt, result, error_type, message
        Of an executor's report.
    command, command_id, reason
        Of a control: `pause`, `resume`, `cancel`, `terminate`, `retry`.
    """

    kind: str
    time: int = 0
    event: str | None = None
    payload: Mapping[str, Value] = field(default_factory=dict)
    event_id: str | None = None
    sender: str | None = None
    timer: int = NONE
    timer_id: int = NONE
    activity_id: int = NONE
    attempt: int = 1
    result: Value = None
    error_type: str | None = None
    message: str | None = None
    worker: str | None = None
    command: str | None = None
    command_id: str | None = None
    reason: str | None = None


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
        parts += [f"{key}={value}" for key, value in self.payload.items()]
        return f"{self.seq} {self.kind}({', '.join(parts)})"


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
    input: dict[str, Any] = field(default_factory=dict)
    event_id: str | None = None
    reason: str | None = None
    status: str | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Timer:
    """A running timer of an instance."""

    place: int
    id: int
    due: int
    name: str
    region: str | None
    activity_id: int | None = None


@dataclass(frozen=True, slots=True)
class OpenActivity:
    """An activity that has been scheduled and has not ended."""

    activity: str
    activity_id: int
    attempt: int
    phase: str
    region: str


class Instance:
    """One running workflow: its rows, its cells, and readable views of them.

    Parameters
    ----------
    program
        What it runs.
    key
        Random key, 62 bits; a function of seed, replication and case in a simulation, stored in production.
    texts
        The table that gives handles; instances of one run share it. By default a copy of the program's.
    """

    __slots__ = ("host", "m", "program", "seen", "texts", "v")

    def __init__(self, program: Program, *, key: int = 0, texts: Texts | None = None) -> None:
        head = program.head
        self.program = program
        self.texts = program.texts.copy() if texts is None else texts
        self.m: Rows = [Me(key=key), Queued(), *(ListCell() for _ in range(FREE - INBOX))]
        self.m.extend(RegionCell() for _ in range(head.n_regions))
        self.m.extend(WorkCell() for _ in range(head.n_works))
        self.m.extend(TimerCell() for _ in range(head.n_timers))
        self.m.append(Queued())
        self.v: Cells = [Cell() for _ in range(head.n_cells)]
        for k, cell in enumerate(program.initial_cells):
            self.v[k] = copy.copy(cell)
        for k in range(head.n_variables, head.inbox_cells):
            self.v[k].tag = ABSENT
        self.seen: set[str] = set()
        self.host = Evaluator(program, self.texts)

    def copy(self) -> Instance:
        """An independent instance in the same state; the table of texts is shared, since it only grows."""
        twin = object.__new__(Instance)
        twin.program = self.program
        twin.texts = self.texts
        twin.m = [copy.copy(row) for row in self.m]
        twin.v = [copy.copy(cell) for cell in self.v]
        twin.seen = set(self.seen)
        twin.host = self.host
        return twin

    # --- stimuli ---------------------------------------------------------------------------------

    def apply(self, stimulus: Stimulus) -> Output:
        """Let the stimulus happen, in place.

        Raises
        ------
        WfsimError
            If the stimulus is not well formed: an unknown kind, command or timer.
        StartRefused
            For bad input (M7.2); the instance is as before.
        """
        if stimulus.kind == "event":
            return self.event(stimulus.time, stimulus.event or "", stimulus.payload, stimulus.event_id, stimulus.sender)
        if stimulus.kind == "timer":
            return self.timer_fired(stimulus.time, stimulus.timer, stimulus.timer_id)
        if stimulus.kind == "start":
            return self.start(stimulus.time, stimulus.payload)
        if stimulus.kind == "control":
            return self.control(stimulus.time, stimulus.command or "", stimulus.command_id, stimulus.reason)
        if stimulus.kind == "activity_started":
            return self.activity_started(stimulus.time, stimulus.activity_id, stimulus.attempt, stimulus.worker)
        if stimulus.kind == "activity_succeeded":
            return self.activity_succeeded(stimulus.time, stimulus.activity_id, stimulus.attempt, stimulus.result)
        if stimulus.kind == "activity_failed":
            return self.activity_failed(
                stimulus.time,
                stimulus.activity_id,
                stimulus.attempt,
                stimulus.error_type or "Error",
                stimulus.message,
            )
        raise WfsimError(f"{stimulus.kind!r} is not a stimulus. Stimuli: {', '.join(STIMULI)}.")

    def start(self, time: int, inputs: Mapping[str, Value] | None = None) -> Output:
        """Start, with the input variables given."""
        if self.m[0].status:
            raise WfsimError("the instance has started already.")
        for name, value in checked_inputs(self.program, inputs or {}).items():
            self.texts.encode(value, self.v[self._variable(name)])
        self._inbox(START, time)
        return self._step()

    def event(
        self,
        time: int,
        event: str,
        payload: Mapping[str, Value] | None = None,
        event_id: str | None = None,
        sender: str | None = None,
    ) -> Output:
        """An event arrives. What does not fit its declaration is rejected at the door (M7.1)."""
        inbox = self._inbox(EVENT, time)
        payload = payload or {}
        base = self.program.head.inbox_cells
        problem = event_problem(self.program, event, payload)
        if problem is not None:
            undeclared = event not in self.program.events
            inbox.refused = T_UNDECLARED if undeclared else T_PAYLOAD
            inbox.event = NONE if undeclared else self.program.event_rows[event]
            rest = {"event": event, "payload": _json_or_text(payload)}
        else:
            inbox.event = self.program.event_rows[event]
            places = self.program.event_fields[event]
            types = self.program.events[event].payload
            rest = {}
            for name, value in payload.items():
                if name in places:
                    declared = types[name].type if name in types else None
                    fitted = value if declared is None or value is None else coerce(declared, value)
                    self.texts.encode(fitted, self.v[base + places[name]])
                else:
                    rest[name] = value
        if rest:
            self.texts.encode(rest, self.v[base + EXTRAS])
        if event_id is not None:
            inbox.event_id = self.texts.handle(event_id)
            inbox.duplicate = 1 if event_id in self.seen else 0
            self.seen.add(event_id)
        if sender is not None:
            inbox.sender = self.texts.handle(sender)
        return self._step()

    def timer_fired(self, time: int, timer: int, timer_id: int) -> Output:
        """The timer at place `timer`, set under `timer_id`, is due."""
        head = self.program.head
        if not head.first_timer <= timer < head.first_queued:
            raise WfsimError(f"there is no timer at place {timer}. See Instance.timers().")
        inbox = self._inbox(TIMER, time)
        inbox.timer = timer
        inbox.serial = timer_id
        return self._step()

    def activity_started(self, time: int, activity_id: int, attempt: int, worker: str | None = None) -> Output:
        """A worker takes an attempt."""
        inbox = self._inbox(ACTIVITY_STARTED, time)
        inbox.serial = activity_id
        inbox.attempt = attempt
        if worker is not None:
            inbox.sender = self.texts.handle(worker)
        return self._step()

    def activity_succeeded(self, time: int, activity_id: int, attempt: int, result: Value = None) -> Output:
        """An attempt's result arrives; `WfsimError` if it is not JSON, and then nothing has happened."""
        problem = check_value(ValueType.ANY, result)
        if problem is not None:
            raise WfsimError(f"the result of activity {activity_id} cannot be kept: {problem}")
        inbox = self._inbox(ACTIVITY_SUCCEEDED, time)
        inbox.serial = activity_id
        inbox.attempt = attempt
        if result is not None:
            self.texts.encode(result, self.v[self.program.head.inbox_cells + RESULT])
        return self._step()

    def activity_failed(
        self, time: int, activity_id: int, attempt: int, error_type: str, message: str | None = None
    ) -> Output:
        """An attempt failed, by its executor's word."""
        inbox = self._inbox(ACTIVITY_FAILED, time)
        inbox.serial = activity_id
        inbox.attempt = attempt
        inbox.error_type = self.texts.handle(error_type)
        if message is not None:
            inbox.reason = self.texts.handle(message)
        for work in self._works():
            if work.phase != IDLE and work.serial == activity_id:
                policy = self._policy(work.activity)
                inbox.permanent = 1 if non_retryable(policy, error_type) else 0
        return self._step()

    def control(self, time: int, command: str, command_id: str | None = None, reason: str | None = None) -> Output:
        """An operator's or parent's command (M8)."""
        if command not in COMMANDS:
            raise WfsimError(f"{command!r} is not a command. Commands: {', '.join(COMMANDS)}.")
        inbox = self._inbox(CONTROL, time)
        inbox.command = COMMANDS.index(command)
        if command_id is not None:
            inbox.event_id = self.texts.handle(command_id)
            inbox.duplicate = 1 if command_id in self.seen else 0
            self.seen.add(command_id)
        if reason is not None:
            inbox.reason = self.texts.handle(reason)
        return self._step()

    def _inbox(self, kind: int, time: int) -> Queued:
        inbox = Queued(kind=kind, time=time)
        self.m[INBOX] = inbox
        base = self.program.head.inbox_cells
        for k in range(base, base + self.program.head.n_fields):
            cell = self.v[k]
            cell.tag = NULL
            cell.whole = 0
            cell.real = 0.0
        return inbox

    def _step(self) -> Output:
        output = Output(self.host)
        step_rows(self.program.rows, self.m, self.v, output, 0)
        return output

    # --- views -----------------------------------------------------------------------------------

    @property
    def me(self) -> Me:
        """The instance's own row."""
        row: Me = self.m[0]
        return row

    @property
    def version(self) -> int:
        """`seq` of the last record (M1.3)."""
        return self.me.seq

    @property
    def time(self) -> int:
        """Microseconds of the last stimulus."""
        return self.me.time

    @property
    def status(self) -> str:
        """`created`, `running`, `paused`, … (M1.4)."""
        return STATUSES[self.me.status]

    @property
    def outcome(self) -> str | None:
        """`success` or `failure` once completed."""
        return OUTCOMES[self.me.outcome] or None

    @property
    def is_closed(self) -> bool:
        """Whether the status is one of the closed ones."""
        return self.me.status >= STATUSES.index("completed")

    @property
    def state(self) -> str:
        """Name of the root region's state."""
        row = self._region_cell(self.program.head.root).state
        return self.program.name(row) or ""

    @property
    def configuration(self) -> dict[str, str]:
        """Active (or ended) state of each region, by region path; the root's path is empty."""
        head = self.program.head
        found = {}
        for number in range(head.first_region, head.first_region + head.n_regions):
            cell = self._region_cell(number)
            if cell.phase:
                found[self.program.name(number) or ""] = self.program.name(cell.state) or ""
        return found

    @property
    def variables(self) -> dict[str, Value]:
        """Values of all variables; null where unset."""
        return {
            name: self.texts.decode(cell.tag, cell.whole, cell.real)
            for name, cell in zip(self.program.variables, self.v)
        }

    @property
    def in_flight(self) -> dict[str, str]:
        """Regions that are busy (M2.2), with the transition in flight."""
        head = self.program.head
        found = {}
        for number in range(head.first_region, head.first_region + head.n_regions):
            cell = self._region_cell(number)
            if cell.flight_phase:
                found[self.program.name(number) or ""] = self.program.name(cell.flight) or ""
        return found

    def activities(self) -> list[OpenActivity]:
        """Activities that have not ended, in order of their places."""
        phases = {SCHEDULED: "scheduled", RUNNING: "running", BACKOFF: "backoff"}
        head = self.program.head
        return [
            OpenActivity(
                activity=self.program.name(work.activity) or "",
                activity_id=work.serial,
                attempt=work.attempt,
                phase=phases[work.phase],
                region=self.program.name(head.first_region + k // 2) or "",
            )
            for k, work in enumerate(self._works())
            if work.phase in phases
        ]

    def timers(self) -> list[Timer]:
        """Running timers, soonest first."""
        head = self.program.head
        found = []
        for place in range(head.first_timer, head.first_queued):
            cell: TimerCell = self.m[place]
            if cell.due >= 0 and cell.left < 0:
                found.append(self._timer(place, cell))
        return sorted(found, key=lambda timer: (timer.due, timer.id))

    def waiting(self) -> list[str]:
        """Events that wait or are deferred, in arrival order."""
        found = []
        for which in (DEFERRED, WAITING):
            for row in self._listed(which):
                if row.kind == EVENT:
                    found.append(self.program.name(row.event) or "")
        return found

    def timer_name(self, place: int) -> str:
        """`timeout`, `after <n>` (n-th in file order), `workflow`, or the clock of an activity."""
        return self._timer(place, self.m[place]).name

    def _timer(self, place: int, cell: TimerCell) -> Timer:
        head = self.program.head
        if place == head.first_timer:
            return Timer(place, cell.id, cell.due, "workflow", None)
        if place >= head.first_clock:
            number, clock = divmod(place - head.first_clock, N_CLOCKS)
            work: WorkCell = self.m[head.first_work + number]
            region = self.program.name(head.first_region + number // 2)
            return Timer(place, cell.id, cell.due, CLOCKS[clock], region, work.serial)
        for number in range(head.first_region, head.first_region + head.n_regions):
            row = self.program.rows[number]
            if row.first_timer <= place < row.first_timer + row.n_timers:
                which = place - row.first_timer
                name = "timeout" if which == 0 else f"after {which}"
                return Timer(place, cell.id, cell.due, name, self.program.name(number))
        raise WfsimError(f"there is no timer at place {place}.")

    def _listed(self, which: int) -> Iterator[Queued]:
        k = self.m[which].first
        while k >= 0:
            yield self.m[k]
            k = self.m[k].next

    def _works(self) -> list[WorkCell]:
        head = self.program.head
        return self.m[head.first_work : head.first_work + head.n_works]

    def _region_cell(self, number: int) -> RegionCell:
        cell: RegionCell = self.m[self.program.rows[number].slot]
        return cell

    def _variable(self, name: str) -> int:
        return list(self.program.variables).index(name)

    def _policy(self, activity: int) -> RetryPolicy:
        name = self.program.name(activity) or ""
        return (
            self.program.activities[name].retry_policy
            or self.program.workflow.retry_policy
            or RetryPolicy(max_attempts=1)
        )


class Evaluator:
    """Answers the step function's questions about expressions on texts, lists and objects (M10)."""

    __slots__ = ("program", "texts")

    def __init__(self, program: Program, texts: Texts) -> None:
        self.program = program
        self.texts = texts

    def evaluate(self, number: int, m: Rows, v: Cells, i: int, private: int, payload: int, answer: Cell) -> None:
        """Evaluate host expression `number` on the instance's values."""
        asked = self.program.host[number]
        base = m[i].cells

        def value(at: int) -> Value:
            cell = v[at]
            return self.texts.decode(cell.tag, cell.whole, cell.real)

        context = {}
        for k, name in enumerate(self.program.variables):
            hidden = private >= 0 and v[private + k].tag != ABSENT
            context[name] = value(private + k if hidden else base + k)
        event: dict[str, Value] | None = None
        if payload >= 0:
            event = {name: value(payload + k) for name, k in asked.fields.items()}
            if asked.whole_event:
                event = {name: known for name, known in event.items() if known is not None}
                event.update(value(payload + EXTRAS) or {})
        head = self.program.head
        state = self.program.name(m[i + self.program.rows[head.root].slot].state) or ""
        try:
            self.texts.encode(evaluate_template(asked.template, context, event, state), answer)
        except EvaluationFault as fault:
            answer.tag = FAULT
            answer.whole = self.texts.handle(fault.kind)
            answer.real = 0.0

    def order(self, left: int, right: int) -> int:
        """Order of two texts by code point."""
        first, second = self.texts.value(left), self.texts.value(right)
        return -1 if first < second else 1 if first > second else 0


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


def event_problem(program: Program, event: str, payload: Mapping[str, Value]) -> str | None:
    """Why an event is rejected at the door (M7.1), or `None` if it may come in."""
    declared = program.events.get(event)
    if declared is None:
        return f"event {event!r} is not declared. Events: {', '.join(program.events) or 'none'}."
    for name, value in payload.items():
        kind = declared.payload.get(name)
        if kind is None and declared.payload:
            return f"event {event!r} has no field {name!r}. Fields: {', '.join(declared.payload)}."
        reason = check_value(kind.type if kind else ValueType.ANY, value) if value is not None or kind is None else None
        if reason is not None:
            return f"field {name!r} of event {event!r}: {reason}"
    for name, kind in declared.payload.items():
        if not kind.optional and payload.get(name) is None:
            return f"event {event!r} lacks the field {name!r} ({kind.type})."
    return None


def checked_inputs(program: Program, inputs: Mapping[str, Value]) -> dict[str, Value]:
    """Inputs fitted to their variables; M7.2: with bad input, start is refused."""
    accepted = [name for name, variable in program.variables.items() if variable.input]
    fitted: dict[str, Value] = {}
    for name, value in inputs.items():
        if name not in accepted:
            raise StartRefused(
                f"{program.workflow.name} has no input {name!r}. Inputs: {', '.join(accepted) or 'none'}."
            )
        try:
            fitted[name] = fit(program.variables[name], value)
        except EvaluationFault as fault:
            raise StartRefused(f"input {name!r} of {program.workflow.name}: {fault.message}") from None
    for name in accepted:
        variable = program.variables[name]
        if fitted.get(name) is None and variable.initial is None and not variable.optional:
            raise StartRefused(
                f"{program.workflow.name} needs the input {name!r} ({variable.type}). Give it, or declare it optional."
            )
    return fitted


# --- records and effects with names ---------------------------------------------------------------

_SET = (R_TRANSITION, R_VARIABLES_SET)
_WHERE = {
    R_STARTED: "input",
    R_ACTIVITY_SCHEDULED: "input",
    R_INSTANCE_CLOSED: "output",
    R_EVENT_RECEIVED: "payload",
}


def record_of(instance: Instance, row: RecordRow, values: Iterable[ValueRow] = ()) -> Record:
    """A record row with names instead of codes."""
    program, texts = instance.program, instance.texts
    payload: dict[str, Any] = {}
    if row.transition >= 0:
        payload["transition"] = program.transition_numbers[row.transition]
    if row.flight >= 0 and row.transition >= 0:
        payload["flight"] = row.flight
    if row.activation >= 0:
        payload["activation"] = row.activation
    if row.timer >= 0:
        payload["timer"] = instance.timer_name(row.timer)
        payload["place"] = row.timer
        if row.flight >= 0:
            payload["timer_id"] = row.flight
    if row.due >= 0:
        payload["due"] = row.due
    if row.delay >= 0:
        payload["delay"] = row.delay
    if row.source >= 0:
        payload["source"] = texts.text(row.source)
    if row.command >= 0:
        payload["command"] = COMMANDS[row.command]
    if row.reason >= 0:
        payload["reason"] = texts.text(row.reason)
    if row.kind == R_STARTED:
        payload.update(workflow=program.workflow.name, version=program.workflow.version, key=row.key)
    inner: dict[str, Any] = {}
    for value in values:
        decoded = texts.decode(value.tag, value.whole, value.real)
        if value.name < 0:
            inner.update(decoded)
        else:
            inner[texts.text(value.name) or ""] = decoded
    if row.kind in _SET:
        if inner:
            payload["set"] = inner
    elif row.kind in _WHERE:
        if inner:
            payload[_WHERE[row.kind]] = inner
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


def effects_of(instance: Instance, output: Output) -> list[Effect]:
    """The effects of one step, with names."""
    texts = instance.texts
    found = []
    for row in output.effects:
        inputs: dict[str, Any] = {}
        if row.activity_id >= 0:
            for value in output.values:
                if value.seq == row.seq:
                    name = texts.text(value.name) or ""
                    inputs[name] = texts.decode(value.tag, value.whole, value.real)
        found.append(
            Effect(
                kind=EFFECTS[row.kind],
                timer=row.timer,
                timer_id=row.id,
                due=row.due,
                activity=instance.program.name(row.activity),
                activity_id=row.activity_id,
                attempt=row.attempt,
                input=inputs,
                event_id=texts.text(row.event_id),
                reason=texts.text(row.reason),
                status=None if row.status < 0 else STATUSES[row.status],
                outcome=OUTCOMES[row.outcome] or None,
            )
        )
    return found


def _json_or_text(payload: Mapping[str, Any]) -> Any:
    """A refused payload as far as it is JSON; what is not is kept as its text."""
    return {
        str(name): value if check_value(ValueType.ANY, value) is None else repr(value)[:200]
        for name, value in payload.items()
    }
