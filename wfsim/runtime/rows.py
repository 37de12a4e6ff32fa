"""What the engine asks of a database within one transaction; `sql_rows` asks SQL, tests ask memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wfsim.history.runs import RunWorkflow
    from wfsim.model.values import Value
    from wfsim.semantics.records import Record

Key: TypeAlias = tuple[str, int, int]
"""An attempt: its instance, the serial of its activity there, and its number."""

# M6.3: what is due at once comes in this order; before all of it the start of what it is for.
STARTS, CONTROLS, RESULTS, EVENTS, TIMERS, WORKFLOW_TIMER = range(6)


@dataclass(slots=True)
class InstanceRow:
    """An instance as it is stored; the columns of `tables.INSTANCES`."""

    id: str
    family: str
    member: int
    workflow: str
    definition_version: str
    parent: str | None
    activation: int | None
    open_key: str | None
    status: str
    state: str
    outcome: str | None
    version: int
    started: int
    time: int
    fingerprint: str
    image: str
    priority: int = 0
    trace: str | None = None


@dataclass(slots=True)
class DueRow:
    """Something that happens to an instance by itself, at once or later.

    Attributes
    ----------
    target
        The instance; or the key under which a message looks for one.
    kind
        `timer`, `start` (a child), `stop` (a child), `told` (a child has closed), `letter` (a message), `route` (a
        message to a key), `kept` (a message whose time to live is running), `returned` (a message), `beat` (of an
        attempt).
    place, serial
        Which timer, and under which number it was set.
    """

    target: str
    due: int
    rank: int
    kind: str
    place: int = -1
    serial: int = -1
    body: dict[str, Any] = field(default_factory=dict)
    number: int = 0


@dataclass(slots=True)
class AttemptRow:
    """An activity that has not ended; the columns of `tables.ATTEMPTS`.

    Attributes
    ----------
    input, detail
        As JSON: who lists attempts reads neither, and what is damaged in one is nobody else's matter.
    """

    instance: str
    serial: int
    attempt: int
    workflow: str
    activity: str
    activity_version: int | None
    input: str
    phase: str
    tries: int = 0
    worker: str | None = None
    started: int | None = None
    beat_by: int | None = None
    detail: str | None = None
    pool: str | None = None
    priority: int = 0
    trace: str | None = None
    lost: int = 0

    @property
    def key(self) -> Key:
        """Which attempt it is at."""
        return self.instance, self.serial, self.attempt


@dataclass(frozen=True, slots=True)
class BeatRow:
    """A sign of life of an attempt.

    Attributes
    ----------
    until
        When the next one is missed.
    """

    instance: str
    serial: int
    attempt: int
    until: int | None
    detail: Value = None


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker; the columns of `tables.WORKERS`."""

    id: str
    started: int
    beat: int
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MoveRow:
    """An instance has moved to another version (M15); the columns of `tables.MOVES`.

    Attributes
    ----------
    seq
        Of the last record before it.
    family, member, definition_version
        What it ran until then.
    renamed
        From states of that version to the names that they have now.
    """

    instance: str
    seq: int
    time: int
    family: str
    member: int
    definition_version: str
    to_version: str
    renamed: Mapping[str, str]
    number: int = 0


class KeyTaken(Exception):
    """Another open instance of the workflow has the key."""


class Rows(Protocol):
    """The rows of one transaction: what is read is locked against others where that is said."""

    # --- definitions -------------------------------------------------------------------------------

    def family(self, code: str) -> list[str]:
        """The definitions of a family, in canonical JSON, the root's first."""
        ...

    def put_family(self, code: str, members: Sequence[RunWorkflow]) -> None:
        """Store a family and its definitions, if they are not there."""
        ...

    def publish(self, code: str, name: str, version: str, definition: str, now: int) -> None:
        """Instances of a definition may be started from now on."""
        ...

    def published(self) -> dict[tuple[str, str], str]:
        """The hashes of what is published, by name and version."""
        ...

    def published_stamp(self) -> tuple[int, int | None]:
        """Changes whenever something is published."""
        ...

    def published_definitions(self) -> list[tuple[str, str, str]]:
        """Name, version and definition, in canonical JSON, of all that is published."""
        ...

    # --- instances ---------------------------------------------------------------------------------

    def lock(self, name: str, *, wait: bool = True) -> InstanceRow | None:
        """An instance that nobody else changes until the end of the transaction; `None` if there is none.

        Raises
        ------
        Busy
            If somebody else has locked it, and `wait` is false.
        """
        ...

    def read(self, name: str) -> InstanceRow | None:
        """An instance as it is now, unlocked."""
        ...

    def insert(self, row: InstanceRow) -> bool:
        """A new instance; false if its id is taken.

        Raises
        ------
        KeyTaken
            If its `open_key` is.
        """
        ...

    def update(self, row: InstanceRow) -> None:
        """Store what has changed of an instance; its `open_key`, if that is new, is free."""
        ...

    def open_with_key(self, workflow: str, key: str) -> str | None:
        """The open instance of a workflow that has this key."""
        ...

    def newest(self, most: int) -> list[str]:
        """The instances that were changed last."""
        ...

    def hold(self, text: str) -> None:
        """Let no other transaction past its own `hold` of the same text until this one ends."""
        ...

    def moves(self, name: str) -> list[MoveRow]:
        """The moves of an instance to other versions, in order."""
        ...

    def move(self, row: InstanceRow, move: MoveRow) -> None:
        """An instance runs another version, and what that has made of it, from now on."""
        ...

    # --- records -----------------------------------------------------------------------------------

    def append(self, name: str, records: Sequence[Record], metadata: str | None) -> None:
        """Add records to an instance."""
        ...

    def records(self, name: str, after: int = 0) -> list[Record]:
        """The records of an instance after one, in order."""
        ...

    def fate(self, name: str, kind: str, identity: str) -> int | None:
        """What became of an event or command seen before under this id."""
        ...

    def note_fates(self, name: str, kind: str, fates: Mapping[str, int], sender: str | None = None) -> None:
        """Keep what became of ids, new or known."""
        ...

    def sender(self, name: str, identity: str) -> str | None:
        """The instance whose message came under this event id."""
        ...

    # --- what is due -------------------------------------------------------------------------------

    def add_due(self, rows: Iterable[DueRow]) -> None:
        """Add entries; their numbers follow the order in which they are given."""
        ...

    def due_of(self, target: str, upto: int) -> list[DueRow]:
        """The entries of a target that are due, in order, locked."""
        ...

    def drop_due(self, numbers: Iterable[int]) -> None:
        """Remove entries."""
        ...

    def drop_timer(self, target: str, place: int, serial: int) -> None:
        """Remove a timer."""
        ...

    def drop_timers(self, target: str) -> None:
        """Remove all timers of an instance."""
        ...

    def move_due(self, number: int, target: str, kind: str, due: int) -> None:
        """Let an entry be for somebody else."""
        ...

    def release_kept(self, places: Sequence[str], target: str, due: int) -> bool:
        """Messages kept at some places are for an instance from now on; whether there are any."""
        ...

    def due_targets(self, upto: int, most: int, without: Sequence[str] = ()) -> list[str]:
        """For whom, but for some, something is due by then, in order of that, of so many entries at most."""
        ...

    def next_due(self) -> int | None:
        """When the next entry is due, or the next sign of life of an attempt is missed."""
        ...

    # --- activities --------------------------------------------------------------------------------

    def attempts(self, name: str) -> list[AttemptRow]:
        """The open activities of an instance."""
        ...

    def found(self, name: str) -> dict[str, str]:
        """By which values an instance is found, by variable."""
        ...

    def put_found(self, name: str, values: Mapping[str, str | None]) -> None:
        """These have changed; `None`: not by that variable any more."""
        ...

    def lock_attempt(self, name: str, serial: int) -> AttemptRow | None:
        """An open activity, of which nobody else stores a sign of life until the end of the transaction."""
        ...

    def put_attempt(self, row: AttemptRow) -> None:
        """Store an open activity."""
        ...

    def drop_attempts(self, name: str, serials: Iterable[int]) -> None:
        """Activities that have ended."""
        ...

    def open_attempts(self, *phases: str) -> list[AttemptRow]:
        """Attempts that wait for a worker or are with one, those of instances that started earlier first."""
        ...

    def beat(self, told: Sequence[BeatRow]) -> None:
        """Attempts gave a sign of life."""
        ...

    def late_beats(self, upto: int, most: int, without: Sequence[str] = ()) -> list[Key]:
        """Instance, serial and number of attempts without a sign of life, but for some instances, so many at most."""
        ...

    # --- workers -----------------------------------------------------------------------------------

    def server_time(self) -> int:
        """Microseconds by the clock of the database, as those of its clients may differ."""
        ...

    def workers(self) -> list[WorkerRow]:
        """Those that are there."""
        ...

    def put_worker(self, row: WorkerRow) -> None:
        """A worker is there, or gave a sign of life, and tells of itself."""
        ...

    def drop_workers(self, ids: Iterable[str]) -> None:
        """They are gone."""
        ...

    def orphans(self) -> list[AttemptRow]:
        """Attempts that workers began that are gone, locked; what somebody else has locked is left out."""
        ...


class Busy(Exception):
    """Somebody else has locked the row."""
