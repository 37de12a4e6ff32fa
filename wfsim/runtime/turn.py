"""One transaction of the engine: what reaches an instance, and all that follows of it, or nothing (M11.1).

An instance's row is locked, the instance rebuilt from its image, `step` applied, and records, image, timers, attempts
and what others are owed are written in the same transaction. What is owed lies in the table of what is due, and is
worked off in transactions of its own, each exactly once, since an entry goes as its effect comes.

Nothing here knows SQL, threads or a clock: `rows.Rows` is what it asks, so that a simulated database can stand in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from wfsim.model.statuses import OPEN
from wfsim.semantics.codes import R_STIMULUS_IGNORED, REPLY, T_DISCARDED, T_REJECTED
from wfsim.semantics.image import image_of
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.post import key_taken, turned_away
from wfsim.semantics.records import effects_of, records_of
from wfsim.semantics.stimulus import checked_inputs, correlation_key

from . import tracing
from .attempts import OF_ACTIVITIES, Attempts
from .held import Held, rebuilt
from .owing import drops, owed, returned
from .places import key_of, key_text, places_of
from .rows import DueRow, InstanceRow, KeyTaken, Rows
from .searching import searched
from .texts import written

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from wfsim.model.values import Value
    from wfsim.semantics.records import Record

    from .cache import Cache
    from .programs import Families, Family

Apply: TypeAlias = Callable[[Instance, int], Output]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an instance comes from.

    Attributes
    ----------
    key
        Of its random draws.
    parent, activation
        Of a child: the instance that starts it, and the state's activation there.
    priority
        Of its attempts, where several wait.
    """

    key: int
    parent: str | None = None
    activation: int | None = None
    priority: int = 0


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
    families
        Workflows with those that they run.
    newest
        As given.
    attempts
        What is stored of open activities, and which attempts are to be handed out or taken back.
    changed
        The instances that were changed.
    recorded
        What was recorded, in order.
    owes
        Whether something is due now.
    moved
        Numbers of entries that were due, and have become somebody else's.
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
        self.families = families
        self.newest = newest
        self.attempts = Attempts(rows)
        self.changed: dict[str, Held] = {}
        self.recorded: list[tuple[InstanceRow, list[Record]]] = []
        self.owes = False
        self.moved: set[int] = set()
        self.met: set[str] = set()
        self.spans: list[Span] = []
        self._arriving: str | None = None
        self._sender: str | None = None
        self._kept = kept
        # Locked, and not changed yet.
        self._held_here: dict[str, Held] = {}

    # --- instances ---------------------------------------------------------------------------------

    def hold(self, name: str, *, wait: bool = True) -> Held | None:
        """Lock an instance and rebuild it; `None` if there is none."""
        known = self.changed.get(name) or self._held_here.get(name)
        if known is not None:
            return known
        row = self.rows.lock(name, wait=wait)
        if row is None:
            return None
        self._held_here[name] = self.held(row)
        return self._held_here[name]

    def held(self, row: InstanceRow) -> Held:
        """The instance of a row, which whoever changes it has locked."""
        family = self.families.get(row.family, self.rows.family)
        instance = self._kept.take(row.id, row.version)
        # One that has moved has no other version for it (M15.1).
        if instance is None or instance.program is not family.programs[row.member]:
            instance = rebuilt(self.rows, row, self.families)
        return Held(row, instance, family)

    def start(
        self,
        name: str,
        family: Family,
        number: int,
        inputs: Mapping[str, Value],
        origin: Origin,
        metadata: str | None = None,
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
        if family.code not in self.families.stored:
            self.rows.put_family(family.code, family.members)
            self.met.add(family.code)
        self._hold_places(name, program.workflow.name, address)
        if address is not None:
            self._refuse_taken(program.workflow.name, address)
        instance = Instance(program, key=origin.key)
        output = instance.start(self.now, inputs, origin.parent)
        row = _first_row(name, family, number, instance, origin)
        row.open_key = None if instance.is_closed else address
        if tracing.is_on():
            above = None if origin.parent is None else self.rows.read(origin.parent)
            self._trace(tracing.begin_instance(row, None if above is None else above.trace))
        try:
            if not self.rows.insert(row):
                return None
        except KeyTaken:
            self._refuse_taken(program.workflow.name, address)
            raise
        held = Held(row, instance, family)
        self._put_found(held, {})
        self._record(held, output, metadata, was_idle=True)
        self._release_kept(name, program.workflow.name, address)
        return held

    def _refuse_taken(self, workflow: str, address: str | None) -> None:
        other = None if address is None else self.rows.open_with_key(workflow, address)
        if address is not None and other is not None:
            raise key_taken(workflow, key_of(address), other)

    def _hold_places(self, name: str, workflow: str, address: str | None) -> None:
        """A message that finds nobody here must be kept before somebody comes, or after."""
        for place in places_of(name, workflow, address):
            self.rows.hold(place)

    def _release_kept(self, name: str, workflow: str, address: str | None) -> None:
        """Messages that waited for this instance are on their way to it."""
        if self.rows.release_kept(places_of(name, workflow, address), name, self.now):
            self.owes = True

    def step(self, held: Held, apply: Apply, metadata: str | None = None) -> Output:
        """Apply a stimulus to an instance and write what comes of it; nothing if it left no record."""
        was_idle, before = not held.instance.activities(), searched(held.instance)
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
            self._release_kept(row.id, row.workflow, row.open_key)
        self._put_found(held, before)
        self._record(held, output, metadata, was_idle=was_idle)
        return output

    def _put_found(self, held: Held, before: Mapping[str, str]) -> None:
        """Store by which values an instance is found, where these have changed."""
        now = searched(held.instance)
        if now != before:
            changed = {name: text for name, text in now.items() if before.get(name) != text}
            self.rows.put_found(held.name, {**dict.fromkeys(before.keys() - now.keys()), **changed})

    def _free_key(self, row: InstanceRow, instance: Instance) -> str | None:
        """The key of an instance that was retried; none if it has been taken meanwhile (M7.2)."""
        address = key_text(instance.correlation_key)
        self._hold_places(row.id, row.workflow, address)
        return None if address is None or self.rows.open_with_key(row.workflow, address) is not None else address

    def _record(self, held: Held, output: Output, metadata: str | None, *, was_idle: bool) -> None:
        """Append the records of a step and write what follows of it; `was_idle`: no activity was open before."""
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
        left: list[DueRow] = []
        # All timers go then, at once.
        closes = any(effect.kind == "closed" for effect in effects)
        for effect in effects:
            # A timer that is set and dropped in one step was never due.
            left = [row for row in left if not drops(effect, row)]
            if effect.kind == "drop_timer" and not closes:
                self.rows.drop_timer(name, effect.timer, effect.timer_id)
            elif effect.kind == "closed":
                self.rows.drop_timers(name)
            entry = owed(held, effect, self.now, children)
            if entry is not None:
                left.append(entry)
        self.owe(left)
        if any(record.kind in OF_ACTIVITIES for record in records):
            self.attempts.follow(held, inputs, trace, was_idle=was_idle)

    def owe(self, entries: list[DueRow]) -> None:
        """Leave these for later, or for another transaction at once."""
        self.rows.add_due(entries)
        if any(entry.kind != "timer" or entry.due <= self.now for entry in entries):
            self.owes = True

    def _trace(self, span: Span | None) -> str | None:
        if span is not None:
            self.spans.append(span)
        return tracing.parent_of(span)

    def _note_fates(self, held: Held, fates: Mapping[str, int]) -> None:
        known = {identity: fate for identity, fate in fates.items() if self._is_seen(held.name, identity)}
        if known:
            self.rows.note_fates(held.name, "event", known)

    def _return(self, receiver: str, identity: str, reason: str) -> None:
        """An event was turned away for good: if it is a message, it goes back."""
        sender = self._sender if identity == self._arriving else self.rows.sender(receiver, identity)
        if sender is not None:
            self.owe([returned(sender, int(identity.rpartition(":m")[2]), reason, self.now)])

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


def _first_row(name: str, family: Family, number: int, instance: Instance, origin: Origin) -> InstanceRow:
    """What is stored of an instance that has just started."""
    return InstanceRow(
        id=name,
        family=family.code,
        member=number,
        workflow=instance.program.workflow.name,
        definition_version=instance.program.workflow.version,
        parent=origin.parent,
        activation=origin.activation,
        open_key=None,
        status=instance.status,
        state=instance.state,
        outcome=instance.outcome,
        version=instance.version,
        started=instance.time,
        time=instance.time,
        fingerprint=family.fingerprints[number],
        image=written(image_of(instance)),
        priority=origin.priority,
    )


def was_ignored(output: Output) -> bool:
    """Whether a result or a command found nobody who wanted it."""
    return len(output.records) > 1 and output.records[1].kind == R_STIMULUS_IGNORED
