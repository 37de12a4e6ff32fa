"""One transaction of the engine: what reaches an instance, and all that follows of it, or nothing (M11.1).

An instance's row is locked, the instance rebuilt from its image, `step` applied, and records, image, timers, attempts
and what others are owed are written in the same transaction. What is owed lies in the table of what is due, and is
worked off in transactions of its own, each exactly once, since an entry goes as its effect comes.

Nothing here knows SQL, threads or a clock: `rows.Rows` is what it asks, so that a simulated database can stand in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from wfsim.errors import ReplayError, StartRefused
from wfsim.model.statuses import OPEN
from wfsim.model.uses import declared_activities
from wfsim.semantics.codes import R_STIMULUS_IGNORED, RECORD_KINDS, REPLY, T_DISCARDED, T_REJECTED
from wfsim.semantics.draws import mix_key
from wfsim.semantics.image import from_image, image_of
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.post import Letter, turned_away
from wfsim.semantics.records import effects_of, records_of
from wfsim.semantics.stimulus import checked_inputs, correlation_key

from . import tracing
from .implementations import Use
from .rows import (
    CONTROLS,
    EVENTS,
    RESULTS,
    STARTS,
    TIMERS,
    WORKFLOW_TIMER,
    AttemptRow,
    DueRow,
    InstanceRow,
    KeyTaken,
    Rows,
)
from .segments import again, segments_of
from .texts import written

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from wfsim.model.elements import Activity
    from wfsim.model.values import Value
    from wfsim.semantics.records import Effect, Record

    from .cache import Cache
    from .programs import Families, Family

Apply: TypeAlias = Callable[[Instance, int], Output]


class Unknown(Exception):
    """A worker was handed an attempt whose function it does not know."""


@dataclass(slots=True)
class Held:
    """An instance that this transaction has locked."""

    row: InstanceRow
    instance: Instance
    family: Family

    @property
    def name(self) -> str:
        """Its id."""
        return self.row.id


@dataclass(frozen=True, slots=True)
class Order:
    """An attempt to be carried out.

    Attributes
    ----------
    declared
        What the definition of its instance says of the activity.
    idempotency_key
        Equal for all attempts of an activity; of a compensator for all that undo one entry (M9.1).
    heartbeat
        Microseconds within which a sign of life is due; `None` if none is.
    deadline
        When the attempt times out.
    trace
        The span that it is below.
    """

    instance: str
    serial: int
    attempt: int
    workflow: str
    activity: str
    declared: Activity
    input: Mapping[str, Value]
    idempotency_key: str
    heartbeat: int | None
    deadline: int | None
    index: int | None
    trace: str | None


class Turn:
    """What happens in one transaction.

    Parameters
    ----------
    now
        Microseconds.
    kept
        Instances as earlier turns of this process left them, to spare building them from their images.
    newest
        The newest published version of a workflow with its catalogue, for messages that start an instance; `None` if
        it is not known, `StartRefused` if it could not be carried out.

    Attributes
    ----------
    launched
        Attempts that may be carried out from now on; hand them out once the transaction is over, or within it.
    taken_back
        Attempts that nobody waits for any more.
    changed
        The instances that were changed.
    recorded
        What was recorded, in order.
    owes
        Whether something is due now.
    met
        Hashes of families that were stored.
    spans
        Of what happens, for whoever takes them; they end when it is stored.
    """

    def __init__(
        self,
        rows: Rows,
        *,
        now: int,
        families: Families,
        kept: Cache,
        newest: Callable[[str], tuple[Any, Any] | None],
    ) -> None:
        self.rows = rows
        self.now = now
        self.launched: list[AttemptRow] = []
        self.taken_back: list[tuple[str, int, int]] = []
        self.changed: dict[str, Held] = {}
        self.recorded: list[tuple[InstanceRow, list[Record]]] = []
        self.owes = False
        self.met: set[str] = set()
        self.spans: list[Span] = []
        self._arriving: str | None = None
        self._sender: str | None = None
        self._families = families
        self._kept = kept
        self._newest = newest

    # --- instances ---------------------------------------------------------------------------------

    def hold(self, name: str, *, wait: bool = True) -> Held | None:
        """Lock an instance and rebuild it; `None` if there is none."""
        known = self.changed.get(name)
        if known is not None:
            return known
        row = self.rows.lock(name, wait=wait)
        return None if row is None else self._held(row)

    def _held(self, row: InstanceRow) -> Held:
        family = self._families.get(row.family, self.rows.family)
        instance = self._kept.take(row.id, row.version)
        # One that has moved has no other version for it (M15.1).
        if instance is None or instance.program is not family.programs[row.member]:
            instance = rebuilt(self.rows, row, self._families)
        return Held(row, instance, family)

    def start(
        self,
        name: str,
        family: Family,
        number: int,
        inputs: Mapping[str, Value],
        *,
        key: int,
        parent: str | None = None,
        activation: int | None = None,
        metadata: str | None = None,
        priority: int = 0,
    ) -> Held | None:
        """Start an instance; `None` if there is one of that id.

        Raises
        ------
        StartRefused
            For bad input, or a key that is taken (M7.2); nothing has happened.
        """
        program = family.programs[number]
        fitted = checked_inputs(program, inputs)
        address = key_text(correlation_key(program, fitted))
        if family.code not in self._families.stored:
            self.rows.put_family(family.code, family.members)
            self.met.add(family.code)
        self._hold_places(name, program.workflow.name, address)
        if address is not None:
            self._refuse_taken(program.workflow.name, address)
        instance = Instance(program, key=key)
        output = instance.start(self.now, inputs, parent)
        row = InstanceRow(
            id=name,
            family=family.code,
            member=number,
            workflow=program.workflow.name,
            definition_version=program.workflow.version,
            parent=parent,
            activation=activation,
            open_key=None if instance.is_closed else address,
            status=instance.status,
            state=instance.state,
            outcome=instance.outcome,
            version=instance.version,
            started=instance.time,
            time=instance.time,
            fingerprint=family.fingerprints[number],
            image=written(image_of(instance)),
            priority=priority,
        )
        if tracing.is_on():
            above = None if parent is None else self.rows.read(parent)
            self._trace(tracing.begin_instance(row, None if above is None else above.trace))
        try:
            if not self.rows.insert(row):
                return None
        except KeyTaken:
            self._refuse_taken(program.workflow.name, address)
            raise
        held = Held(row, instance, family)
        self._record(held, output, metadata)
        self.rows.release_kept(places_of(name, program.workflow.name, address), name, self.now)
        self.owes = True
        return held

    def _refuse_taken(self, workflow: str, address: str | None) -> None:
        other = None if address is None else self.rows.open_with_key(workflow, address)
        if other is not None:
            raise StartRefused(
                f"{workflow} has an open instance with the key {key_of(address or '')!r} already: {other!r}. "
                "Send it an event, or wait until it has closed."
            )

    def _hold_places(self, name: str, workflow: str, address: str | None) -> None:
        """A message that finds nobody here must be kept before somebody comes, or after."""
        for place in places_of(name, workflow, address):
            self.rows.hold(place)

    def step(self, held: Held, apply: Apply, metadata: str | None = None) -> Output:
        """Apply a stimulus to an instance and write what comes of it; nothing if it left no record."""
        output = apply(held.instance, max(self.now, held.instance.time))
        if not output.records:
            return output
        instance, row = held.instance, held.row
        was_closed = row.status not in OPEN
        row.version, row.time = instance.version, instance.time
        row.status, row.state, row.outcome = instance.status, instance.state, instance.outcome
        row.fingerprint = held.family.fingerprints[row.member]
        row.image = written(image_of(instance))
        opens_again = was_closed and not instance.is_closed
        if instance.is_closed:
            row.open_key = None
        elif opens_again:
            row.open_key = self._free_key(row, instance)
        self.rows.update(row)
        if opens_again:
            self.rows.release_kept(places_of(row.id, row.workflow, row.open_key), row.id, self.now)
        self._record(held, output, metadata)
        return output

    def _free_key(self, row: InstanceRow, instance: Instance) -> str | None:
        """The key of an instance that was retried; none if it has been taken meanwhile (M7.2)."""
        address = key_text(instance.correlation_key)
        self._hold_places(row.id, row.workflow, address)
        return None if address is None or self.rows.open_with_key(row.workflow, address) is not None else address

    def _record(self, held: Held, output: Output, metadata: str | None) -> None:
        """Append the records of a step and write what follows of it."""
        instance, name = held.instance, held.name
        self.changed[name] = held
        records = records_of(instance, output)
        self.rows.append(name, records, metadata)
        self.recorded.append((held.row, records))
        trace = self._trace(tracing.begin_step(held.row, records))
        fates = {
            instance.texts.text(effect.event_id) or "": effect.fate
            for effect in output.effects
            if effect.kind == REPLY and effect.fate in (T_DISCARDED, T_REJECTED)
        }
        if fates:
            self._note_fates(held, fates)
        for identity, reason in turned_away(instance.texts, output).items():
            self._return(name, identity, reason)
        effects = effects_of(instance, output) if output.effects else []
        inputs = {effect.activity_id: effect.input for effect in effects if effect.kind == "start_attempt"}
        children = {
            record.payload["activation"]: (record.payload["workflow"], record.payload.get("version"))
            for record in records
            if record.kind == "child_started"
        }
        owed: list[DueRow] = []
        for effect in effects:
            # A timer that is set and dropped in one step was never due.
            owed = [row for row in owed if not _drops(effect, row)]
            owed += self._owed(held, effect, children)
        self.rows.add_due(owed)
        if any(record.kind in _OF_ACTIVITIES for record in records):
            self._sync_attempts(held, inputs, trace)

    def _trace(self, span: Span | None) -> str | None:
        if span is not None:
            self.spans.append(span)
        return tracing.parent_of(span)

    def _note_fates(self, held: Held, fates: Mapping[str, int]) -> None:
        known = {identity: fate for identity, fate in fates.items() if self._is_seen(held.name, identity)}
        if known:
            self.rows.note_fates(held.name, "event", known)

    def _is_seen(self, name: str, identity: str) -> bool:
        return self.rows.fate(name, "event", identity) is not None

    # --- what reaches an instance ------------------------------------------------------------------

    def event(
        self,
        held: Held,
        event: str,
        payload: Mapping[str, Value],
        event_id: str,
        sender: str | None = None,
        metadata: str | None = None,
        *,
        is_new: bool = False,
    ) -> Output:
        """An event arrives; what was seen before under its id is known (M7.1), unless it is new by its making."""
        if is_new:
            output = self.step(
                held, lambda instance, time: instance.event(time, event, payload, event_id, sender), metadata
            )
            held.instance.events_seen = {}
            return output
        fate = self.rows.fate(held.name, "event", event_id)
        held.instance.events_seen = {} if fate is None else {event_id: fate}
        self._arriving, self._sender = event_id, sender
        output = self.step(
            held, lambda instance, time: instance.event(time, event, payload, event_id, sender), metadata
        )
        self._arriving = None
        seen = held.instance.events_seen.get(event_id)
        held.instance.events_seen = {}
        if seen is not None and seen != fate:
            self.rows.note_fates(held.name, "event", {event_id: seen}, sender)
        return output

    def control(
        self, held: Held, command: str, command_id: str | None, reason: str | None, metadata: str | None = None
    ) -> Output:
        """An operator's or a parent's command."""
        seen = command_id is not None and self.rows.fate(held.name, "command", command_id) is not None
        held.instance.commands_seen = {command_id} if seen and command_id is not None else set()
        output = self.step(held, lambda instance, time: instance.control(time, command, command_id, reason), metadata)
        held.instance.commands_seen = set()
        if command_id is not None and not seen:
            self.rows.note_fates(held.name, "command", {command_id: int(was_ignored(output))})
        return output

    # --- what others are owed ----------------------------------------------------------------------

    def _owed(self, held: Held, effect: Effect, children: Mapping[int, tuple[str, str | None]]) -> list[DueRow]:
        """The entries that an effect leaves for later; `children` are workflow and version by activation."""
        name = held.name
        match effect.kind:
            case "set_timer":
                is_last = held.instance.timer_name(effect.timer) == "workflow"
                rank = WORKFLOW_TIMER if is_last else TIMERS
                return [DueRow(name, effect.due, rank, "timer", effect.timer, effect.timer_id)]
            case "drop_timer":
                self.rows.drop_timer(name, effect.timer, effect.timer_id)
                return []
            case "start_child":
                self.owes = True
                activation = effect.activity_id
                body = {
                    "parent": name,
                    "activation": activation,
                    "family": held.row.family,
                    "member": held.family.number_of(held.family.catalogue.get(*children[activation])),
                    "input": effect.input,
                    # A function of the parent, so that a start repeated is the same start.
                    "key": mix_key(held.instance.me.key, 0, activation),
                    "priority": held.row.priority,
                }
                return [DueRow(f"{name}/{activation}", self.now, STARTS, "start", body=body)]
            case "stop_child":
                self.owes = True
                child = f"{name}/{effect.activity_id}"
                body = {"command": effect.reason, "id": f"{name}:stop:{effect.activity_id}"}
                return [DueRow(child, self.now, CONTROLS, "stop", body=body)]
            case "send_message":
                self.owes = True
                return [self._posted(held, effect)]
            case "closed":
                self.rows.drop_timers(name)
                if held.row.parent is None:
                    return []
                self.owes = True
                body = {
                    "activation": held.row.activation,
                    "status": effect.status,
                    "outcome": effect.outcome,
                    "output": effect.output,
                }
                return [DueRow(held.row.parent, self.now, RESULTS, "told", body=body)]
        return []

    def _posted(self, held: Held, effect: Effect) -> DueRow:
        to, name = effect.to or "", held.name
        body = {
            "sender": name,
            "number": effect.message_id,
            "to": to,
            "key": effect.key,
            "event": effect.event,
            "payload": effect.payload,
            "sent": self.now,
        }
        if effect.key is not None:
            return DueRow(place_of(to, key_text(effect.key) or ""), self.now, EVENTS, "route", body=body)
        if to != "parent":
            return DueRow(to, self.now, EVENTS, "letter", body=body)
        if held.row.parent is not None:
            return DueRow(held.row.parent, self.now, EVENTS, "letter", body=body)
        return self._returning(name, effect.message_id, "it has no parent")

    def _returning(self, sender: str, number: int, reason: str) -> DueRow:
        self.owes = True
        return DueRow(sender, self.now, EVENTS, "returned", body={"number": number, "reason": reason})

    def _return(self, receiver: str, identity: str, reason: str) -> None:
        """An event was turned away for good: if it is a message, it goes back."""
        sender = self._sender if identity == self._arriving else self.rows.sender(receiver, identity)
        if sender is not None:
            self.rows.add_due([self._returning(sender, int(identity.rpartition(":m")[2]), reason)])

    # --- what is due -------------------------------------------------------------------------------

    def work_off(self, target: str, upto: int, *, wait: bool = True) -> bool:
        """Let everything happen that is due for a target by then; whether there was anything.

        Raises
        ------
        Busy
            If somebody else works on the instance, and `wait` is false.
        """
        held = self.hold(target, wait=wait)
        entries = self.rows.due_of(target, upto)
        for entry in entries:
            held = self._happen(held, entry)
        self.rows.drop_due([entry.number for entry in entries if entry.kind != "moved"])
        return bool(entries)

    def _happen(self, held: Held | None, entry: DueRow) -> Held | None:
        body = entry.body
        if entry.kind == "start":
            return self._start_child(held, entry)
        if entry.kind == "route":
            self._route(entry)
            return held
        if entry.kind == "letter":
            self._deliver(held, entry)
            return held
        if entry.kind == "kept":
            letter = letter_of(body)
            self.rows.add_due([self._returning(letter.sender, letter.number, "expired")])
            return held
        if held is None:
            return None
        match entry.kind:
            case "timer":
                if not held.instance.is_closed and held.instance.runs_timer(entry.place, entry.serial):
                    self.step(held, lambda instance, time: instance.timer_fired(time, entry.place, entry.serial))
            case "stop":
                if not held.instance.is_closed:
                    self.control(held, body["command"], body["id"], "parent")
            case "told":
                if not held.instance.is_closed:
                    self.step(
                        held,
                        lambda instance, time: instance.child_closed(
                            time, body["activation"], body["status"], body["outcome"], body["output"]
                        ),
                    )
            case "returned":
                if not held.instance.is_closed:
                    self.step(
                        held, lambda instance, time: instance.message_returned(time, body["number"], body["reason"])
                    )
        return held

    def _start_child(self, held: Held | None, entry: DueRow) -> Held | None:
        body = entry.body
        if held is not None:
            return held
        family = self._families.get(body["family"], self.rows.family)
        try:
            return self.start(
                entry.target,
                family,
                body["member"],
                body["input"],
                key=body["key"],
                parent=body["parent"],
                activation=body["activation"],
                # Written by a version that knew no priorities, it has none.
                priority=body.get("priority", 0),
            )
        except StartRefused:
            # M4.4: a child that cannot start has failed; it has no records of its own.
            told = {"activation": body["activation"], "status": "failed", "outcome": None, "output": None}
            self.rows.add_due([DueRow(body["parent"], self.now, RESULTS, "told", body=told)])
            self.owes = True
            return None

    # --- messages ----------------------------------------------------------------------------------

    def _deliver(self, held: Held | None, entry: DueRow) -> None:
        """A message reaches the instance that it is for (M7.3)."""
        letter = letter_of(entry.body)
        if held is None:
            self._keep(entry, letter, self._own_time_to_live(letter))
        elif held.instance.is_closed:
            self.rows.add_due([self._returning(letter.sender, letter.number, "closed")])
        elif self.rows.fate(held.name, "event", letter.id) is None:
            self.event(held, letter.event, letter.payload, letter.id, letter.sender)

    def _own_time_to_live(self, letter: Letter) -> int:
        """As the sender declares the event: of an instance that is not there nobody knows the workflow."""
        row = self.rows.read(letter.sender)
        if row is None:
            return 0
        event = self._families.get(row.family, self.rows.family).programs[row.member].workflow.events.get(letter.event)
        return 0 if event is None else int(event.time_to_live)

    def _route(self, entry: DueRow) -> None:
        """A message to a workflow and a key: to the instance that has it, to one that it starts, kept, or back."""
        letter = letter_of(entry.body)
        address = key_text(letter.key) or ""
        self.rows.hold(entry.target)
        receiver = self.rows.open_with_key(letter.to, address)
        if receiver is not None:
            self._move(entry, receiver, "letter", self.now)
            return
        try:
            found = self._newest(letter.to)
        except StartRefused as refusal:
            self._send_back(letter, str(refusal))
            return
        if found is None:
            self._send_back(letter, f"no workflow {letter.to!r} is known here")
            return
        workflow, catalogue = found
        event = workflow.events.get(letter.event)
        if event is None:
            self._send_back(letter, "undeclared")
            return
        if not event.starts:
            self._keep(entry, letter, int(event.time_to_live))
            return
        family = self._families.of(workflow, catalogue)
        program = family.programs[0]
        inputs = {
            name: value
            for name, value in letter.payload.items()
            if name in program.variables and program.variables[name].input and value is not None
        }
        try:
            key = correlation_key(program, checked_inputs(program, inputs))
            if key_text(key) != address:
                self._send_back(letter, f"it would start an instance with the key {key!r}, not {letter.key!r}")
                return
            sender = self.rows.read(letter.sender)
            seed = 0 if sender is None else self._held(sender).instance.me.key
            self.start(letter.id, family, 0, inputs, key=mix_key(seed, 1, letter.number))
        except StartRefused as refusal:
            self._send_back(letter, str(refusal))
            return
        self._move(entry, letter.id, "letter", self.now)

    def _send_back(self, letter: Letter, reason: str) -> None:
        self.rows.add_due([self._returning(letter.sender, letter.number, reason)])

    def _keep(self, entry: DueRow, letter: Letter, time_to_live: int) -> None:
        if time_to_live == 0:
            self._send_back(letter, "no_instance")
            return
        self._move(entry, entry.target, "kept", entry.body["sent"] + time_to_live)

    def _move(self, entry: DueRow, target: str, kind: str, due: int) -> None:
        self.rows.move_due(entry.number, target, kind, due)
        entry.kind = "moved"
        self.owes = True

    # --- activities --------------------------------------------------------------------------------

    def _sync_attempts(self, held: Held, inputs: Mapping[int, Mapping[str, Value]], trace: str | None) -> None:
        """What is stored of open activities is what the instance says; new attempts are launched."""
        instance, name = held.instance, held.name
        works = {work.activity_id: work for work in instance.activities()} if not instance.is_closed else {}
        known = {row.serial: row for row in self.rows.attempts(name)}
        if not works and not known:
            return
        gone = [serial for serial in known if serial not in works]
        for serial in gone:
            self.taken_back.append((name, serial, known[serial].attempt))
        if gone:
            self.rows.drop_attempts(name, gone)
        may_start = instance.status in ("running", "cancelling")
        declared = declared_activities(instance.program.workflow)
        for serial, work in works.items():
            row = known.get(serial)
            if row is None:
                row = AttemptRow(
                    name,
                    serial,
                    work.attempt,
                    instance.program.workflow.name,
                    work.activity,
                    declared[work.activity].version,
                    inputs.get(serial, {}),
                    "new",
                    pool=declared[work.activity].pool,
                    priority=held.row.priority,
                )
            elif row.attempt != work.attempt:
                # Its input is that of the first attempt.
                self.taken_back.append((name, serial, row.attempt))
                row.attempt, row.phase, row.tries, row.worker, row.beat_by, row.detail = (
                    work.attempt,
                    "new",
                    0,
                    None,
                    None,
                    None,
                )
            if row.phase == "new":
                row.trace = trace
            if work.phase == "backoff":
                wanted = "backoff"
            elif work.phase == "running":
                # One that was to be taken again after a crash, and was held by a pause.
                wanted = "queued" if row.phase == "held" and may_start else row.phase.replace("new", "running")
            else:
                wanted = "queued" if may_start else "held"
            if row.phase == "running" and wanted == "queued":
                wanted = "running"
            if wanted == row.phase:
                continue
            was, row.phase = row.phase, wanted
            if was == "running" and wanted == "backoff":
                self.taken_back.append((name, serial, row.attempt))
                row.worker = row.beat_by = None
            if wanted == "queued":
                row.tries += 1
                self.launched.append(row)
            self.rows.put_attempt(row)

    def take(
        self,
        held: Held,
        serial: int,
        attempt: int,
        worker: str,
        tries: int | None = None,
        admits: Callable[[Use, Activity, str], None] | None = None,
        *,
        again: bool = False,
    ) -> Order | None:
        """A worker is about to carry out an attempt; `None` if nobody waits for it, or not now (M8.1).

        With `tries`, `None` also if it was handed out anew since. `admits` may raise `Unknown`, if the worker cannot
        carry it out, or `OnHold`; nothing is written then. With `again` it may have taken it without having heard so.

        The start is recorded once, whoever else takes the attempt again after a crash (M5.5).
        """
        row = self._open_attempt(held, serial, attempt)
        if row is None or tries not in (None, row.tries):
            return None
        if row.phase != "queued" and not (again and row.phase == "running" and row.worker == worker):
            return None
        instance = held.instance
        declared = instance.program.activities[row.activity]
        if admits is not None:
            admits(Use(row.workflow, row.activity, row.activity_version), declared, held.name)
        if instance.status not in ("running", "cancelling"):
            row.phase = "held"
            self.rows.put_attempt(row)
            return None
        work = next(work for work in instance.activities() if work.activity_id == serial)
        if work.phase == "backoff":
            return None
        if work.phase == "scheduled":
            shown = worker.partition("#")[0]
            self.step(held, lambda one, time: one.activity_started(time, serial, attempt, shown))
        heartbeat = declared.heartbeat
        row.phase, row.worker, row.started = "running", worker, self.now
        row.beat_by = None if heartbeat is None else self.now + int(heartbeat)
        self.rows.put_attempt(row)
        ends = [
            timer.due
            for timer in instance.timers()
            if timer.activity_id == serial and timer.name in ("start_to_close", "schedule_to_close")
        ]
        # M9.1: a compensator is keyed by the entry that it undoes, whoever runs it and however often.
        entry = serial if work.compensates is None else f"undo:{work.compensates}"
        return Order(
            held.name,
            serial,
            attempt,
            row.workflow,
            row.activity,
            declared,
            row.input,
            f"{held.name}:{entry}",
            None if heartbeat is None else int(heartbeat),
            min(ends, default=None),
            work.index,
            row.trace,
        )

    def _open_attempt(self, held: Held, serial: int, attempt: int) -> AttemptRow | None:
        for row in self.rows.attempts(held.name):
            if (row.serial, row.attempt) == (serial, attempt):
                return row
        return None

    def leave_open(self, held: Held, serial: int, attempt: int) -> None:
        """An attempt's function has returned, and its result comes from outside: no worker is at it any more."""
        row = self._open_attempt(held, serial, attempt)
        if row is not None and row.phase == "running":
            row.worker = None
            self.rows.put_attempt(row)

    def beat(self, held: Held, serial: int, attempt: int, detail: Value) -> bool:
        """A sign of life of an attempt, from outside; whether anybody waits for it."""
        row = self.rows.lock_attempt(held.name, serial)
        if row is None or row.attempt != attempt or row.phase != "running":
            return False
        heartbeat = held.instance.program.activities[row.activity].heartbeat
        row.beat_by = None if heartbeat is None else self.now + int(heartbeat)
        row.detail = detail
        self.rows.put_attempt(row)
        return True

    def miss(self, held: Held, serial: int, attempt: int) -> None:
        """A heartbeat is missing: the attempt has failed, unless it has given a sign since (M5.3)."""
        row = self.rows.lock_attempt(held.name, serial)
        late = row is not None and row.attempt == attempt and row.beat_by is not None and row.beat_by <= self.now
        if row is not None and late:
            # Not watched any more; a pause may keep the attempt open for long.
            row.beat_by = None
            self.rows.put_attempt(row)
            self.taken_back.append((held.name, serial, attempt))
            self.step(
                held,
                lambda one, time: one.activity_failed(
                    time, serial, attempt, "Timeout.heartbeat", "no heartbeat in time"
                ),
            )


_OF_ACTIVITIES = frozenset(
    (
        *(each for each in RECORD_KINDS if "activity" in each or "attempt" in each or "retry" in each),
        "control_received",
        "compensation_started",
        "compensation_finished",
        "instance_closed",
        "status_changed",
    )
)
"""Kinds of records after which other attempts may be open, or may start."""


def _drops(effect: Effect, row: DueRow) -> bool:
    if row.kind != "timer":
        return False
    return effect.kind == "closed" or (
        effect.kind == "drop_timer" and (effect.timer, effect.timer_id) == (row.place, row.serial)
    )


def was_ignored(output: Output) -> bool:
    """Whether a result or a command found nobody who wanted it."""
    return len(output.records) > 1 and output.records[1].kind == R_STIMULUS_IGNORED


def rebuilt(rows: Rows, row: InstanceRow, families: Families) -> Instance:
    """The instance of a row: from its image, or, where another version of wfsim laid that out, from its records.

    Raises
    ------
    ReplayError
        If the records do not replay.
    """
    family = families.get(row.family, rows.family)
    if row.fingerprint == family.fingerprints[row.member]:
        return from_image(family.programs[row.member], json.loads(row.image), {}, ())
    instance = again(segments_of(rows, row, families))
    if instance.version != row.version:
        raise ReplayError(
            f"{row.id!r} has {row.version} records, and replaying them gives {instance.version}. The program has "
            "changed its meaning since they were written; go on with the version that wrote them."
        )
    return instance


def key_text(key: Value) -> str | None:
    """A key as it is stored; 5 and 5.0 are one key, 1 and true are two (M10.1)."""
    if isinstance(key, float) and key.is_integer():
        key = int(key)
    return None if key is None else json.dumps(key)


def key_of(text: str) -> Value:
    """The key that a text stands for."""
    found: Value = json.loads(text)
    return found


def place_of(workflow: str, key: str) -> str:
    """Where a message to a key waits; no id of an instance has a line break."""
    return f"{workflow}\n{key}"


def places_of(name: str, workflow: str, key: str | None) -> list[str]:
    """Where messages for an instance may wait."""
    return [name] if key is None else [name, place_of(workflow, key)]


def letter_of(body: Mapping[str, Any]) -> Letter:
    """The message of an entry."""
    return Letter(body["sender"], body["number"], body["to"], body["key"], body["event"] or "", body["payload"])
