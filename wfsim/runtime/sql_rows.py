"""The rows of one transaction in SQLite or PostgreSQL."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from wfsim.semantics.records import Record

from .rows import AttemptRow, BeatRow, Busy, DueRow, InstanceRow, Key, KeyTaken, MoveRow, WorkerRow
from .tables import ATTEMPTS, DEFINITIONS, DUE, FAMILIES, FOUND, INSTANCES, MOVES, RECORDS, SEEN, WORKERS
from .texts import written

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wfsim.history.runs import RunWorkflow

_RECORD = [column.name for column in RECORDS.c if column.name not in ("instance", "payload", "metadata")]
_INSTANCE = [field.name for field in fields(InstanceRow)]
_ATTEMPT = [field.name for field in fields(AttemptRow)]

# Made once: SQLAlchemy then finds their text by identity.
_READ = sa.select(*(INSTANCES.c[name] for name in _INSTANCE)).where(INSTANCES.c.id == sa.bindparam("name"))
_LOCK = _READ.with_for_update()
_TRY = _READ.with_for_update(skip_locked=True)
_UPDATE = (
    sa.update(INSTANCES)
    .where(INSTANCES.c.id == sa.bindparam("name"))
    .values(
        {
            name: sa.bindparam(f"new_{name}")
            for name in ("open_key", "status", "state", "outcome", "version", "time", "fingerprint", "image")
        }
    )
)
_WITH_KEY = sa.select(INSTANCES.c.id).where(
    INSTANCES.c.workflow == sa.bindparam("workflow"), INSTANCES.c.open_key == sa.bindparam("key")
)
_FATE = sa.select(SEEN.c.fate).where(
    SEEN.c.instance == sa.bindparam("name"), SEEN.c.kind == sa.bindparam("kind"), SEEN.c.id == sa.bindparam("identity")
)
_SENDER = sa.select(SEEN.c.sender).where(
    SEEN.c.instance == sa.bindparam("name"), SEEN.c.kind == "event", SEEN.c.id == sa.bindparam("identity")
)
_RECORDS = (
    sa.select(*(RECORDS.c[name] for name in _RECORD), RECORDS.c.payload)
    .where(RECORDS.c.instance == sa.bindparam("name"), RECORDS.c.seq > sa.bindparam("after"))
    .order_by(RECORDS.c.seq)
)
_DUE_OF = (
    sa.select(DUE)
    .where(DUE.c.target == sa.bindparam("target"), DUE.c.due <= sa.bindparam("upto"))
    .order_by(DUE.c.due, DUE.c.rank, DUE.c.number)
    .with_for_update()
)
_DROP_TIMER = sa.delete(DUE).where(
    DUE.c.target == sa.bindparam("name"),
    DUE.c.kind == "timer",
    DUE.c.place == sa.bindparam("timer"),
    DUE.c.serial == sa.bindparam("number_set"),
)
_DROP_TIMERS = sa.delete(DUE).where(DUE.c.target == sa.bindparam("name"), DUE.c.kind == "timer")
_MOVE = (
    sa.update(DUE)
    .where(DUE.c.number == sa.bindparam("which"))
    .values(target=sa.bindparam("to"), kind=sa.bindparam("as_kind"), due=sa.bindparam("at"))
)
_RELEASE = (
    sa.update(DUE)
    .where(DUE.c.target.in_(sa.bindparam("waits_at", expanding=True)), DUE.c.kind == "kept")
    .values(target=sa.bindparam("to"), kind="letter", due=sa.bindparam("at"))
)
_DUE_TARGETS = (
    sa.select(DUE.c.target)
    .where(DUE.c.due <= sa.bindparam("upto"))
    .order_by(DUE.c.due, DUE.c.rank, DUE.c.number)
    .limit(sa.bindparam("most"))
)
_BEAT = (
    sa.update(ATTEMPTS)
    .where(
        ATTEMPTS.c.instance == sa.bindparam("which"),
        ATTEMPTS.c.serial == sa.bindparam("number"),
        ATTEMPTS.c.attempt == sa.bindparam("try"),
    )
    .values(beat_by=sa.bindparam("until"), detail=sa.bindparam("said"))
)
_LATE = (
    sa.select(ATTEMPTS.c.instance, ATTEMPTS.c.serial, ATTEMPTS.c.attempt)
    .where(ATTEMPTS.c.beat_by <= sa.bindparam("upto"))
    .order_by(ATTEMPTS.c.beat_by, ATTEMPTS.c.instance, ATTEMPTS.c.serial)
    .limit(sa.bindparam("most"))
)
_ORPHANS = (
    sa.select(ATTEMPTS.c.instance, ATTEMPTS.c.serial)
    .where(
        ATTEMPTS.c.phase == "running",
        ATTEMPTS.c.worker.is_not(None),
        ~sa.exists().where(WORKERS.c.id == ATTEMPTS.c.worker),
    )
    .order_by(ATTEMPTS.c.started, ATTEMPTS.c.instance, ATTEMPTS.c.serial)
    .with_for_update(skip_locked=True)
)
_ATTEMPTS = (
    sa.select(*(ATTEMPTS.c[name] for name in _ATTEMPT))
    .where(ATTEMPTS.c.instance == sa.bindparam("name"))
    .order_by(ATTEMPTS.c.serial)
)
_LOCK_ATTEMPT = (
    sa.select(*(ATTEMPTS.c[name] for name in _ATTEMPT))
    .where(ATTEMPTS.c.instance == sa.bindparam("name"), ATTEMPTS.c.serial == sa.bindparam("number"))
    .with_for_update()
)

_MOVES = sa.select(MOVES).where(MOVES.c.instance == sa.bindparam("name")).order_by(MOVES.c.number)


def _insert(is_sqlite: bool, table: sa.Table) -> Any:
    return (sqlite if is_sqlite else postgresql).insert(table)


@cache
def _new_instance(is_sqlite: bool) -> Any:
    return _insert(is_sqlite, INSTANCES).on_conflict_do_nothing().returning(INSTANCES.c.id)


@cache
def _put_fate(is_sqlite: bool) -> Any:
    found = _insert(is_sqlite, SEEN)
    return found.on_conflict_do_update(index_elements=["instance", "kind", "id"], set_={"fate": found.excluded.fate})


@cache
def _put_attempt(is_sqlite: bool) -> Any:
    found = _insert(is_sqlite, ATTEMPTS)
    return found.on_conflict_do_update(
        index_elements=["instance", "serial"],
        set_={name: found.excluded[name] for name in _ATTEMPT if name not in ("instance", "serial")},
    )


class SqlRows:
    """What one connection sees within its transaction; see `rows.Rows`."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.is_sqlite = connection.dialect.name == "sqlite"

    def _insert(self, table: sa.Table) -> Any:
        return _insert(self.is_sqlite, table)

    # --- definitions -------------------------------------------------------------------------------

    def family(self, code: str) -> list[str]:
        """The definitions of a family, in canonical JSON, the root's first."""
        listed = self.connection.execute(sa.select(FAMILIES.c.definitions).where(FAMILIES.c.hash == code)).scalar_one()
        hashes = json.loads(listed)
        asked = sa.select(DEFINITIONS.c.hash, DEFINITIONS.c.definition).where(DEFINITIONS.c.hash.in_(hashes))
        found = {row.hash: row.definition for row in self.connection.execute(asked)}
        return [found[each] for each in hashes]

    def publish(self, code: str, name: str, version: str, definition: str, now: int) -> None:
        """Instances of a definition may be started from now on."""
        statement = self._insert(DEFINITIONS)
        statement = statement.on_conflict_do_update(
            index_elements=["hash"],
            set_={"published": sa.func.coalesce(DEFINITIONS.c.published, statement.excluded.published)},
        )
        self.connection.execute(
            statement,
            {"hash": code, "name": name, "version": version, "definition": definition, "published": now},
        )

    def published(self) -> dict[tuple[str, str], str]:
        """The hashes of what is published, by name and version."""
        asked = sa.select(DEFINITIONS.c.name, DEFINITIONS.c.version, DEFINITIONS.c.hash)
        found = self.connection.execute(asked.where(DEFINITIONS.c.published.is_not(None)))
        return {(name, version): code for name, version, code in found}

    def published_stamp(self) -> tuple[int, int | None]:
        """Changes whenever something is published."""
        asked = sa.select(sa.func.count(), sa.func.max(DEFINITIONS.c.published))
        n, last = self.connection.execute(asked.where(DEFINITIONS.c.published.is_not(None))).one()
        return n, last

    def published_definitions(self) -> list[tuple[str, str, str]]:
        """Name, version and definition, in canonical JSON, of all that is published."""
        asked = sa.select(DEFINITIONS.c.name, DEFINITIONS.c.version, DEFINITIONS.c.definition)
        found = self.connection.execute(asked.where(DEFINITIONS.c.published.is_not(None)))
        return [(name, version, definition) for name, version, definition in found]

    def put_family(self, code: str, members: Sequence[RunWorkflow]) -> None:
        """Store a family and its definitions, if they are not there."""
        statement = self._insert(DEFINITIONS).on_conflict_do_nothing(index_elements=["hash"])
        self.connection.execute(
            statement,
            [
                {"hash": each.model_hash, "name": each.name, "version": each.version, "definition": each.definition}
                for each in sorted(members, key=lambda each: each.model_hash)
            ],
        )
        listed = written([each.model_hash for each in members])
        self.connection.execute(
            self._insert(FAMILIES).on_conflict_do_nothing(index_elements=["hash"]),
            {"hash": code, "definitions": listed},
        )

    # --- instances ---------------------------------------------------------------------------------

    def lock(self, name: str, *, wait: bool = True) -> InstanceRow | None:
        """An instance that nobody else changes until the end of the transaction."""
        if self.is_sqlite:
            # The transaction as a whole is alone.
            return self.read(name)
        row = self.connection.execute(_LOCK if wait else _TRY, {"name": name}).one_or_none()
        if row is None and not wait and self.read(name) is not None:
            raise Busy
        return None if row is None else InstanceRow(*row)

    def read(self, name: str) -> InstanceRow | None:
        """An instance as it is now, unlocked."""
        row = self.connection.execute(_READ, {"name": name}).one_or_none()
        return None if row is None else InstanceRow(*row)

    def relatives(self, row: InstanceRow) -> list[InstanceRow]:
        """An instance with all that belong to its family: the root, its children, theirs."""
        while row.parent is not None and (above := self.read(row.parent)) is not None:
            row = above
        found = [row]
        for each in found:
            below = sa.select(*(INSTANCES.c[name] for name in _INSTANCE)).where(INSTANCES.c.parent == each.id)
            found.extend(InstanceRow(*one) for one in self.connection.execute(below.order_by(INSTANCES.c.activation)))
        return found

    def moves(self, name: str) -> list[MoveRow]:
        """The moves of an instance to other versions, in order."""
        return [
            MoveRow(
                row.instance,
                row.seq,
                row.time,
                row.family,
                row.member,
                row.definition_version,
                row.to_version,
                json.loads(row.renamed),
                row.number,
            )
            for row in self.connection.execute(
                sa.select(MOVES).where(MOVES.c.instance == name).order_by(MOVES.c.number)
            )
        ]

    def move(self, row: InstanceRow, move: MoveRow) -> None:
        """An instance runs another version, and what that has made of it, from now on."""
        self.connection.execute(
            sa.update(INSTANCES).where(INSTANCES.c.id == row.id),
            {
                name: getattr(row, name)
                for name in ("family", "member", "definition_version", "state", "fingerprint", "image")
            },
        )
        values = {name: getattr(move, name) for name in ("instance", "seq", "time", "family", "member", "to_version")}
        values |= {"definition_version": move.definition_version, "renamed": written(dict(move.renamed))}
        self.connection.execute(sa.insert(MOVES), values)

    def newest(self, most: int) -> list[str]:
        """The instances that were changed last."""
        asked = sa.select(INSTANCES.c.id).order_by(INSTANCES.c.time.desc()).limit(most)
        return list(self.connection.execute(asked).scalars())

    def insert(self, row: InstanceRow) -> bool:
        """A new instance; false if its id is taken."""
        values = {name: getattr(row, name) for name in _INSTANCE}
        if self.connection.execute(_new_instance(self.is_sqlite), values).one_or_none() is not None:
            return True
        if self.read(row.id) is None:
            raise KeyTaken
        return False

    def update(self, row: InstanceRow) -> None:
        """Store what has changed of an instance."""
        self.connection.execute(_UPDATE, {f"new_{name}": getattr(row, name) for name in _INSTANCE} | {"name": row.id})

    def open_with_key(self, workflow: str, key: str) -> str | None:
        """The open instance of a workflow that has this key."""
        return self.connection.execute(_WITH_KEY, {"workflow": workflow, "key": key}).scalar_one_or_none()

    def hold(self, text: str) -> None:
        """Let no other transaction past its own `hold` of the same text until this one ends."""
        if not self.is_sqlite:
            number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)
            self.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))

    # --- records -----------------------------------------------------------------------------------

    def append(self, name: str, records: Sequence[Record], metadata: str | None) -> None:
        """Add records to an instance; what the sender gave beside the stimulus stands in the first."""
        self.connection.execute(
            sa.insert(RECORDS),
            [
                {
                    "instance": name,
                    **{column: getattr(record, column) for column in _RECORD},
                    "payload": written(record.payload) if record.payload else None,
                    "metadata": None if k else metadata,
                }
                for k, record in enumerate(records)
            ],
        )

    def records(self, name: str, after: int = 0) -> list[Record]:
        """The records of an instance after one, in order."""
        rows = self.connection.execute(_RECORDS, {"name": name, "after": after})
        return [
            Record(**dict(zip(_RECORD, row)), payload={} if row[-1] is None else json.loads(row[-1])) for row in rows
        ]

    def told_records(
        self, name: str, after: int = 0, limit: int | None = None, event_id: str | None = None
    ) -> list[tuple[Record, dict[str, Any] | None]]:
        """At most so many records after one, perhaps about one event or command, with the metadata of their stimuli."""
        columns = (*(RECORDS.c[each] for each in _RECORD), RECORDS.c.payload, RECORDS.c.metadata)
        asked = sa.select(*columns).where(RECORDS.c.instance == name, RECORDS.c.seq > after).order_by(RECORDS.c.seq)
        if event_id is not None:
            asked = asked.where(RECORDS.c.event_id == event_id)
        return [
            (
                Record(**dict(zip(_RECORD, row)), payload={} if row[-2] is None else json.loads(row[-2])),
                None if row[-1] is None else json.loads(row[-1]),
            )
            for row in self.connection.execute(asked.limit(limit))
        ]

    def metadata(self, name: str, after: int = 0) -> dict[int, str]:
        """What senders gave beside stimuli, as JSON, by the record that each became."""
        asked = sa.select(RECORDS.c.seq, RECORDS.c.metadata).where(
            RECORDS.c.instance == name, RECORDS.c.seq > after, RECORDS.c.metadata.is_not(None)
        )
        return dict(map(tuple, self.connection.execute(asked.order_by(RECORDS.c.seq))))

    def fate(self, name: str, kind: str, identity: str) -> int | None:
        """What became of an event or command seen before under this id."""
        return self.connection.execute(_FATE, {"name": name, "kind": kind, "identity": identity}).scalar_one_or_none()

    def note_fates(self, name: str, kind: str, fates: Mapping[str, int], sender: str | None = None) -> None:
        """Keep what became of ids, new or known; who sent what is known stays."""
        self.connection.execute(
            _put_fate(self.is_sqlite),
            [
                {"instance": name, "kind": kind, "id": identity, "fate": fate, "sender": sender}
                for identity, fate in fates.items()
            ],
        )

    def sender(self, name: str, identity: str) -> str | None:
        """The instance whose message came under this event id."""
        return self.connection.execute(_SENDER, {"name": name, "identity": identity}).scalar_one_or_none()

    # --- what is due -------------------------------------------------------------------------------

    def add_due(self, rows: Iterable[DueRow]) -> None:
        """Add entries; their numbers follow the order in which they are given."""
        given = [
            {
                "target": row.target,
                "due": row.due,
                "rank": row.rank,
                "kind": row.kind,
                "place": row.place,
                "serial": row.serial,
                "body": written(row.body) if row.body else None,
            }
            for row in rows
        ]
        if given:
            self.connection.execute(sa.insert(DUE), given)

    def due_of(self, target: str, upto: int) -> list[DueRow]:
        """The entries of a target that are due, in order, locked."""
        return [
            DueRow(
                row.target,
                row.due,
                row.rank,
                row.kind,
                row.place,
                row.serial,
                {} if row.body is None else json.loads(row.body),
                row.number,
            )
            for row in self.connection.execute(_DUE_OF, {"target": target, "upto": upto})
        ]

    def drop_due(self, numbers: Iterable[int]) -> None:
        """Remove entries."""
        listed = list(numbers)
        if listed:
            self.connection.execute(sa.delete(DUE).where(DUE.c.number.in_(listed)))

    def drop_timer(self, target: str, place: int, serial: int) -> None:
        """Remove a timer."""
        self.connection.execute(_DROP_TIMER, {"name": target, "timer": place, "number_set": serial})

    def drop_timers(self, target: str) -> None:
        """Remove all timers of an instance."""
        self.connection.execute(_DROP_TIMERS, {"name": target})

    def move_due(self, number: int, target: str, kind: str, due: int) -> None:
        """Let an entry be for somebody else."""
        self.connection.execute(_MOVE, {"which": number, "to": target, "as_kind": kind, "at": due})

    def release_kept(self, places: Sequence[str], target: str, due: int) -> bool:
        """Messages kept at some places are for an instance from now on; whether there are any."""
        return self.connection.execute(_RELEASE, {"waits_at": places, "to": target, "at": due}).rowcount > 0

    def due_targets(self, upto: int, most: int, without: Sequence[str] = ()) -> list[str]:
        """For whom, but for some, something is due by then, in order of that, of so many entries at most."""
        asked = _DUE_TARGETS.where(DUE.c.target.not_in(without)) if without else _DUE_TARGETS
        found = self.connection.execute(asked, {"upto": upto, "most": most}).scalars()
        return list(dict.fromkeys(found))

    def next_due(self) -> int | None:
        """When the next entry is due, or the next sign of life of an attempt is missed."""
        asked = (sa.select(sa.func.min(DUE.c.due)), sa.select(sa.func.min(ATTEMPTS.c.beat_by)))
        found = [self.connection.execute(each).scalar_one() for each in asked]
        return min((each for each in found if each is not None), default=None)

    # --- search ------------------------------------------------------------------------------------

    def found(self, name: str) -> dict[str, str]:
        """By which values an instance is found, by variable."""
        asked = sa.select(FOUND.c.name, FOUND.c.value).where(FOUND.c.instance == name)
        return {row.name: row.value for row in self.connection.execute(asked)}

    def put_found(self, name: str, values: Mapping[str, str | None]) -> None:
        """These have changed; `None`: not by that variable any more."""
        gone = [each for each, value in values.items() if value is None]
        if gone:
            self.connection.execute(sa.delete(FOUND).where(FOUND.c.instance == name, FOUND.c.name.in_(gone)))
        there = [
            {"instance": name, "name": each, "value": value} for each, value in values.items() if value is not None
        ]
        if there:
            statement = self._insert(FOUND)
            statement = statement.on_conflict_do_update(
                index_elements=["instance", "name"], set_={"value": statement.excluded.value}
            )
            self.connection.execute(statement, there)

    # --- activities --------------------------------------------------------------------------------

    def attempts(self, name: str) -> list[AttemptRow]:
        """The open activities of an instance."""
        return [AttemptRow(*row) for row in self.connection.execute(_ATTEMPTS, {"name": name})]

    def open_attempts(self, *phases: str) -> list[AttemptRow]:
        """Attempts that wait for a worker or are with one, those of instances that started earlier first."""
        listed = (
            sa.select(*(ATTEMPTS.c[name] for name in _ATTEMPT))
            .join(INSTANCES, INSTANCES.c.id == ATTEMPTS.c.instance)
            .where(ATTEMPTS.c.phase.in_(phases or ("queued", "running")))
            .order_by(INSTANCES.c.started, ATTEMPTS.c.instance, ATTEMPTS.c.serial)
        )
        return [AttemptRow(*row) for row in self.connection.execute(listed)]

    def lock_attempt(self, name: str, serial: int) -> AttemptRow | None:
        """An open activity, of which nobody else stores a sign of life until the end of the transaction."""
        row = self.connection.execute(_LOCK_ATTEMPT, {"name": name, "number": serial}).one_or_none()
        return None if row is None else AttemptRow(*row)

    def put_attempt(self, row: AttemptRow) -> None:
        """Store an open activity."""
        self.connection.execute(
            _put_attempt(self.is_sqlite),
            {name: getattr(row, name) for name in _ATTEMPT},
        )

    def drop_attempts(self, name: str, serials: Iterable[int]) -> None:
        """Activities that have ended."""
        self.connection.execute(
            sa.delete(ATTEMPTS).where(ATTEMPTS.c.instance == name, ATTEMPTS.c.serial.in_(list(serials)))
        )

    def beat(self, told: Sequence[BeatRow]) -> None:
        """Attempts gave a sign of life."""
        given = [
            {
                "which": each.instance,
                "number": each.serial,
                "try": each.attempt,
                "until": each.until,
                "said": written(each.detail),
            }
            for each in told
        ]
        if given:
            self.connection.execute(_BEAT, given)

    def late_beats(self, upto: int, most: int, without: Sequence[str] = ()) -> list[Key]:
        """Instance, serial and number of attempts without a sign of life, but for some instances, so many at most."""
        asked = _LATE.where(ATTEMPTS.c.instance.not_in(without)) if without else _LATE
        found = self.connection.execute(asked, {"upto": upto, "most": most})
        return [(name, serial, attempt) for name, serial, attempt in found]

    # --- workers -----------------------------------------------------------------------------------

    def server_time(self) -> int:
        """Microseconds by the clock of the database, as those of its clients may differ."""
        if self.is_sqlite:
            return time.time_ns() // 1_000
        asked = sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        return int(self.connection.execute(asked).scalar_one())

    def workers(self) -> list[WorkerRow]:
        """Those that are there."""
        found = self.connection.execute(sa.select(WORKERS).order_by(WORKERS.c.id))
        return [WorkerRow(row.id, row.started, row.beat, json.loads(row.told) if row.told else {}) for row in found]

    def put_worker(self, row: WorkerRow) -> None:
        """A worker is there, or gave a sign of life, and tells of itself."""
        statement = self._insert(WORKERS)
        statement = statement.on_conflict_do_update(
            index_elements=["id"], set_={"beat": statement.excluded.beat, "told": statement.excluded.told}
        )
        told = written(row.told) if row.told else None
        self.connection.execute(statement, {"id": row.id, "started": row.started, "beat": row.beat, "told": told})

    def drop_workers(self, ids: Iterable[str]) -> None:
        """They are gone."""
        self.connection.execute(sa.delete(WORKERS).where(WORKERS.c.id.in_(list(ids))))

    def orphans(self) -> list[AttemptRow]:
        """Attempts that workers began that are gone, locked; what somebody else has locked is left out."""
        places = self.connection.execute(_ORPHANS).all()
        return [row for name, serial in places for row in self.attempts(name) if row.serial == serial]
