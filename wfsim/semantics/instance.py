"""Instances, stimuli and records as people see them, around the step function that works on rows.

`step` is the pure form of DESIGN: it copies, applies, and returns named records and effects. Surroundings that
own their instance (simulator, runtime, replay) call `Instance.apply` and read the rows in `Output`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from itertools import starmap

from wfsim.errors import FunctionError, WfsimError
from wfsim.model.functions import Given
from wfsim.model.retrying import policy_of
from wfsim.model.shapes import admitted
from wfsim.model.statuses import STATUSES
from wfsim.model.values import Value

from .codes import (
    ABSENT,
    ACTIVITY_FAILED,
    ACTIVITY_STARTED,
    ACTIVITY_SUCCEEDED,
    CHILD,
    CHILD_CLOSED,
    COMMANDS,
    COMPLETED,
    CONTROL,
    DEFERRED,
    EVENT,
    FREE,
    IDLE,
    INBOX,
    LOG,
    MESSAGE_RETURNED,
    N_CLOCKS,
    NONE,
    OUTCOMES,
    REPLY,
    START,
    T_DEFERRED,
    T_DISCARDED,
    T_PAYLOAD,
    T_REJECTED,
    T_TAKEN,
    T_UNDECLARED,
    T_WAITING,
    TIMER,
    WAITING,
)
from .evaluator import Evaluator
from .kernel import Host, Output, clear_cells, fresh_queued
from .layout import Cell, Cells, ListCell, Me, Queued, RegionCell, Rows, TimerCell, WorkCell
from .pending import (
    OpenActivity,
    OpenChild,
    Timer,
    open_activities,
    open_children,
    running_timers,
    timer_place,
    works_of,
)
from .program import Program
from .rows import EXTRAS, RESULT
from .step import step as step_rows
from .stimulus import (
    STIMULI,
    Stimulus,
    checked_inputs,
    checked_result,
    checked_text,
    checked_wait,
    child_error,
    correlation_key,
    event_problem,
    refused_payload,
)
from .texts import Texts
from .work import work_with_clock


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

    Attributes
    ----------
    events_seen, commands_seen
        The ids of what has arrived, but for events that were refused at the door (M7.1). That of an event leads to
        the text of its fate: `discarded`, `rejected`, or else `taken`, also while it still lies in a queue.
    filled
        Whether there may be a value in the cells of the inbox.
    """

    __slots__ = ("commands_seen", "events_seen", "filled", "host", "m", "program", "texts", "v")

    def __init__(self, program: Program, *, key: int = 0, texts: Texts | None = None) -> None:
        head = program.head
        self.program = program
        self.texts = program.texts.copy() if texts is None else texts
        self.m: Rows = [Me(key=key), Queued()]
        self.m += [ListCell() for _ in range(FREE - INBOX)]
        self.m += [RegionCell() for _ in range(head.n_regions)]
        self.m += [WorkCell() for _ in range(head.n_works)]
        self.m += [TimerCell() for _ in range(head.n_timers)]
        self.m.append(Queued())
        self.v: Cells = list(starmap(Cell, program.fresh_cells))
        self.events_seen: dict[str, int] = {}
        self.commands_seen: set[str] = set()
        self.host: Host = Evaluator(program, self.texts)
        self.filled = False

    def copy(self) -> Instance:
        """An independent instance in the same state; the table of texts is shared, since it only grows."""
        twin = object.__new__(Instance)
        twin.program = self.program
        twin.texts = self.texts
        twin.m = [copy.copy(row) for row in self.m]
        twin.v = [Cell(cell.tag, cell.whole, cell.real) for cell in self.v]
        twin.events_seen = dict(self.events_seen)
        twin.commands_seen = set(self.commands_seen)
        twin.host = self.host
        twin.filled = self.filled
        return twin

    def __repr__(self) -> str:
        where = f" in {self.state!r}" if self.state else ""
        return f"<Instance of {self.program.workflow.name!r}: {self.status}{where}, version {self.version}>"

    # --- stimuli ---------------------------------------------------------------------------------

    def apply(self, stimulus: Stimulus) -> Output:
        """Let the stimulus happen, in place.

        Raises
        ------
        WfsimError
            If the stimulus is not well formed: an unknown kind, command or timer.
        StartRefused
            For bad input (M7.2); the instance is as before.
        FunctionError
            If a function in Python was not given, or is none of its arguments (M14.3); the instance is as before.
        """
        if stimulus.kind == "event":
            return self.event(stimulus.time, stimulus.event or "", stimulus.payload, stimulus.event_id, stimulus.sender)
        if stimulus.kind == "timer":
            return self.timer_fired(stimulus.time, stimulus.timer, stimulus.timer_id)
        if stimulus.kind == "start":
            return self.start(stimulus.time, stimulus.payload, stimulus.sender)
        if stimulus.kind == "child_closed":
            return self.child_closed(
                stimulus.time, stimulus.activity_id, stimulus.status or "", stimulus.outcome, stimulus.payload or None
            )
        if stimulus.kind == "message_returned":
            return self.message_returned(stimulus.time, stimulus.message_id, stimulus.reason or "")
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
                stimulus.retry_after,
            )
        raise WfsimError(f"{stimulus.kind!r} is not a stimulus. Stimuli: {', '.join(STIMULI)}.")

    def start(self, time: int, inputs: Mapping[str, Value] | None = None, parent: str | None = None) -> Output:
        """Start, with the input variables given; `parent` names the instance whose child this is (M4.4)."""
        if self.m[0].status:
            raise WfsimError("the instance has started already.")
        if not (self.program.erased or self.program.symbolic):
            self.program.functions.require()
        fitted = checked_inputs(self.program, inputs or {})
        key = correlation_key(self.program, fitted)
        for name, value in fitted.items():
            self.texts.encode(value, self.v[self.program.variable_cells[name]])
        if self.program.head.key_cell >= 0:
            self.texts.encode(key, self.v[self.program.head.key_cell])
        inbox = self._inbox(START, time)
        if parent is not None:
            inbox.sender = self._handle(parent, "the parent of an instance")
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
        problem = event_problem(self.program, event, payload)
        if problem is not None:
            undeclared = event not in self.program.events
            inbox.refused = T_UNDECLARED if undeclared else T_PAYLOAD
            inbox.event = NONE if undeclared else self.program.event_rows[event]
            rest = refused_payload(event, payload)
        else:
            inbox.event = self.program.event_rows[event]
            rest = self._fields_taken(event, payload) if payload else None
        if rest:
            self._fill(rest, EXTRAS)
        if event_id is not None:
            inbox.event_id = self._handle(event_id, "the id of an event")
        if sender is not None:
            inbox.sender = self._handle(sender, "the sender of an event")
        if event_id is not None:
            inbox.fate = self._fate(event_id, inbox.event_id)
            if inbox.fate < 0 and (problem is None or self.is_closed):
                self.events_seen[event_id] = T_TAKEN
        return self._step()

    def _fields_taken(self, event: str, payload: Mapping[str, Value]) -> dict[str, Value]:
        """Put the declared fields of a payload into the inbox; the others are returned."""
        places = self.program.event_fields[event]
        types = self.program.events[event].payload
        rest = {}
        for name, value in payload.items():
            if name in places:
                if name in types and value is not None:
                    value = admitted(types[name].shape, value)
                self._fill(value, places[name])
            else:
                rest[name] = value
        return rest

    def _fate(self, event_id: str, handle: int) -> int:
        """M7.1: what has become of the event that came with this id, or -1 if none did."""
        for which, fate in ((WAITING, T_WAITING), (DEFERRED, T_DEFERRED)):
            if any(row.event_id == handle for row in self._listed(which)):
                return fate
        return self.events_seen.get(event_id, NONE)

    def timer_fired(self, time: int, timer: int, timer_id: int) -> Output:
        """The timer at place `timer`, set under `timer_id`, is due."""
        head = self.program.head
        if not head.first_timer <= timer < head.first_clock + N_CLOCKS:
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
            inbox.sender = self._handle(worker, "the worker of an attempt")
        return self._step()

    def activity_succeeded(self, time: int, activity_id: int, attempt: int, result: Value = None) -> Output:
        """An attempt's result arrives; `WfsimError` if it is not JSON, and then nothing has happened."""
        if result is not None:
            checked_result(result, f"the result of activity {activity_id}")
        inbox = self._inbox(ACTIVITY_SUCCEEDED, time)
        inbox.serial = activity_id
        inbox.attempt = attempt
        if result is not None:
            self._fill(result, RESULT)
        return self._step()

    def activity_failed(
        self,
        time: int,
        activity_id: int,
        attempt: int,
        error_type: str,
        message: str | None = None,
        retry_after: int | None = None,
    ) -> Output:
        """An attempt failed, by its executor's word, which may say how long to wait before the next (microseconds)."""
        inbox = self._inbox(ACTIVITY_FAILED, time)
        inbox.serial = activity_id
        inbox.attempt = attempt
        inbox.error_type = self._handle(error_type, "an error type")
        if message is not None:
            inbox.reason = self._handle(message, "the message of an error")
        for work in self.works():
            if work.phase not in (IDLE, CHILD) and work.serial == activity_id:
                inbox.policy = policy_of(self.program.retry_policies(work.activity), error_type)
        if retry_after is not None:
            inbox.retry_after = checked_wait(retry_after)
        return self._step()

    def child_closed(
        self,
        time: int,
        activation: int,
        status: str,
        outcome: str | None = None,
        result: Mapping[str, Value] | None = None,
    ) -> Output:
        """M4.4: the child that this activation started has closed; `result` are its output variables (none: null)."""
        if status not in STATUSES[COMPLETED:]:
            raise WfsimError(f"{status!r} is not how an instance closes. Statuses: {', '.join(STATUSES[COMPLETED:])}.")
        if outcome not in (None, *OUTCOMES[1:]):
            raise WfsimError(f"{outcome!r} is not an outcome. Outcomes: {', '.join(OUTCOMES[1:])}.")
        checked_result(result, f"the result of the child of activation {activation}")
        inbox = self._inbox(CHILD_CLOSED, time)
        inbox.serial = activation
        inbox.command = STATUSES.index(status)
        inbox.policy = OUTCOMES.index(outcome or "")
        if (status, outcome) != ("completed", "success"):
            inbox.error_type = self.texts.handle(child_error(status))
        if result:
            self._fill(dict(result), RESULT)
        return self._step()

    def control(self, time: int, command: str, command_id: str | None = None, reason: str | None = None) -> Output:
        """An operator's or parent's command (M8)."""
        if command not in COMMANDS:
            raise WfsimError(f"{command!r} is not a command. Commands: {', '.join(COMMANDS)}.")
        inbox = self._inbox(CONTROL, time)
        inbox.command = COMMANDS.index(command)
        if command_id is not None:
            inbox.event_id = self._handle(command_id, "the id of a command")
        if reason is not None:
            inbox.reason = self._handle(reason, "the reason of a command")
        if command_id is not None:
            inbox.fate = T_TAKEN if command_id in self.commands_seen else NONE
            self.commands_seen.add(command_id)
        return self._step()

    def message_returned(self, time: int, message: int, reason: str) -> Output:
        """M7.3: the message sent under this number could not be delivered."""
        inbox = self._inbox(MESSAGE_RETURNED, time)
        inbox.serial = message
        inbox.reason = self._handle(reason, "why a message came back")
        return self._step()

    def _handle(self, text: str, what: str) -> int:
        """The handle of a text from outside; WfsimError if it could not be recorded."""
        return self.texts.handle(checked_text(text, what))

    def _inbox(self, kind: int, time: int) -> Queued:
        if kind != START and not self.m[0].status:
            raise WfsimError("the instance has not started yet; the first stimulus is 'start'.")
        inbox = fresh_queued(self.m, INBOX)
        inbox.kind = kind
        inbox.time = time
        if self.filled:
            head = self.program.head
            clear_cells(self.v, head.inbox_cells, head.inbox_cells + head.n_fields)
            self.filled = False
        return inbox

    def _fill(self, value: Value, cell: int) -> None:
        """Put a value into a cell of the inbox."""
        self.filled = True
        self.texts.encode(value, self.v[self.program.head.inbox_cells + cell])

    def _step(self) -> Output:
        output = self._run()
        if self.events_seen:
            for effect in output.effects:
                if effect.kind == REPLY and effect.fate in (T_DISCARDED, T_REJECTED):
                    event_id = self.texts.text(effect.event_id) or ""
                    if event_id in self.events_seen:
                        self.events_seen[event_id] = effect.fate
        return output

    def _run(self) -> Output:
        output = Output(self.host)
        if not self.program.functions.signatures:
            step_rows(self.program.rows, self.m, self.v, output, 0)
            return output
        before = self.copy()
        try:
            step_rows(self.program.rows, self.m, self.v, output, 0)
        except FunctionError:
            # M11.1: all or nothing.
            self.m[:], self.v[:] = before.m, before.v
            self._forget_inbox()
            raise
        return output

    def _forget_inbox(self) -> None:
        """The stimulus has not come: its id may come again."""
        inbox: Queued = self.m[INBOX]
        if inbox.event_id >= 0 and inbox.fate < 0:
            name = self.texts.text(inbox.event_id) or ""
            if inbox.kind == EVENT:
                self.events_seen.pop(name, None)
            else:
                self.commands_seen.discard(name)

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
        return self.me.status >= COMPLETED

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
    def output(self) -> dict[str, Value]:
        """Its output variables, null where unset: what a closed child gives to its parent (M4.4)."""
        values = self.variables
        return {name: values[name] for name, variable in self.program.variables.items() if variable.output}

    @property
    def functions(self) -> Given:
        """The functions in Python that its expressions may call (M14)."""
        return self.program.functions

    @property
    def correlation_key(self) -> Value:
        """The key by which senders find the instance (M7.2); null before its start and where none is declared."""
        at = self.program.head.key_cell
        if at < 0 or self.v[at].tag == ABSENT:
            return None
        return self.texts.decode(self.v[at].tag, self.v[at].whole, self.v[at].real)

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
        return open_activities(self.program, self.m, self.texts)

    def children(self) -> list[OpenChild]:
        """Children that have not ended and are awaited, in order of their places."""
        return open_children(self.program, self.m, self.texts)

    def timers(self) -> list[Timer]:
        """Running timers, soonest first."""
        return running_timers(self.program, self.m)

    def runs_timer(self, place: int, timer_id: int) -> bool:
        """Whether the timer set under this id is still running at this place."""
        if place >= self.program.head.first_clock:
            return work_with_clock(self.program.rows, self.m, 0, timer_id) >= 0
        cell: TimerCell = self.m[place]
        return cell.id == timer_id and cell.due >= 0 and cell.left < 0

    def waiting(self) -> list[str]:
        """Events that wait or are deferred, in arrival order."""
        found = []
        for which in (DEFERRED, WAITING):
            for row in self._listed(which):
                if row.kind == EVENT:
                    found.append(self.program.name(row.event) or "")
        return found

    def log(self) -> list[int]:
        """Rows of the compensation log's entries, oldest first (M9.1)."""
        found = []
        k = self.m[LOG].first
        while k >= 0:
            found.append(k)
            k = self.m[k].next
        return found

    def timer_name(self, place: int) -> str:
        """`timeout`, `after <n>` (n-th in file order), `workflow`, or the clock of an activity."""
        return timer_place(self.program, place)[0]

    def _listed(self, which: int) -> Iterator[Queued]:
        k = self.m[which].first
        while k >= 0:
            yield self.m[k]
            k = self.m[k].next

    def works(self) -> list[WorkCell]:
        """Activities and children: two places of each region, its state's and its flight's, open or not; then items."""
        return works_of(self.program, self.m)

    def _region_cell(self, number: int) -> RegionCell:
        cell: RegionCell = self.m[self.program.rows[number].slot]
        return cell


# --- records and effects with names ---------------------------------------------------------------
