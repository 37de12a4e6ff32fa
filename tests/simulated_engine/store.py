"""A database in memory: row locks and READ COMMITTED, as PostgreSQL has them, or one writer at a time, as SQLite."""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any

from tests.simulated_engine.world import Actor, Killed, Violated, World
from wfsim.history.runs import RunWorkflow
from wfsim.runtime.database import DatabaseError
from wfsim.runtime.rows import AttemptRow, BeatRow, Busy, DueRow, InstanceRow, KeyTaken, WorkerRow
from wfsim.runtime.texts import written
from wfsim.semantics.records import Record

Key = tuple[Any, ...]
_GONE: Any = object()


class Lock:
    """Of a row, a key, or a text."""

    def __init__(self) -> None:
        self.owner: Transaction | None = None

    def is_free_for(self, actor: Actor) -> bool:
        """Whether somebody who waits for it may go on."""
        return self.owner is None


class Table:
    """Rows by key, with those of each group."""

    def __init__(self, group: Callable[[Any], Any]) -> None:
        self.rows: dict[Any, Any] = {}
        self.group = group
        self.groups: dict[Any, dict[Any, None]] = defaultdict(dict)

    def put(self, key: Any, row: Any) -> None:
        """Store, or remove."""
        old = self.rows.pop(key, None)
        if old is not None:
            self.groups[self.group(old)].pop(key)
        if row is not _GONE:
            self.rows[key] = row
            self.groups[self.group(row)][key] = None


class Store:
    """What is stored, the locks on it, and the queue of attempts.

    Parameters
    ----------
    alone
        Whether there is one transaction at a time.
    watch
        Called with each transaction that is about to be stored.
    """

    def __init__(self, world: World, *, alone: bool, watch: Callable[[Store, Transaction], None]) -> None:
        self.world = world
        self.alone = alone
        self.watch = watch
        self.tables = {
            "family": Table(lambda row: None),
            "definition": Table(lambda row: None),
            "instance": Table(lambda row: (row.workflow, row.open_key)),
            "record": Table(lambda row: row[0]),
            "seen": Table(lambda row: None),
            "found": Table(lambda row: row[0]),
            "due": Table(lambda row: row.target),
            "attempt": Table(lambda row: row.instance),
            "worker": Table(lambda row: None),
        }
        self.locks: dict[Key, Lock] = defaultdict(Lock)
        self.whole = Lock()
        self.numbers = 0
        self.queue: dict[str, Entry] = {}

    def all(self, table: str) -> list[Any]:
        """The stored rows of a table."""
        return list(self.tables[table].rows.values())


class Entry:
    """An attempt in the queue: `enqueued`, `pending` with a worker, or `over`."""

    def __init__(self, arguments: tuple[str, int, int, int], after: int) -> None:
        self.arguments = arguments
        self.after = after
        self.status = "enqueued"
        self.worker: str | None = None


class SimulatedDatabase:
    """What a process has for `runtime.database.Database`."""

    shown = "a simulated database"
    in_memory = False

    def __init__(self, store: Store) -> None:
        self.store = store

    @contextlib.contextmanager
    def transaction(self) -> Iterator[SimulatedRows]:
        """All of it or nothing; the connection may break, before or after it is stored."""
        world = self.store.world
        transaction = Transaction(self.store)
        try:
            if self.store.alone:
                transaction.lock_whole()
            yield SimulatedRows(transaction)
            world.pause()
            if world.chance(0.003):
                world.tell("the connection breaks before the commit")
                raise DatabaseError("the connection broke")
            transaction.commit()
        except BaseException as error:
            transaction.end()
            if isinstance(error, Killed):
                world.tell("dies within a transaction")
            raise
        transaction.end()
        if world.chance(0.003):
            world.tell("the connection breaks after the commit")
            raise DatabaseError("the connection broke, and what had been sent may be stored")
        world.pause()

    @contextlib.contextmanager
    def reading(self) -> Iterator[SimulatedRows]:
        """What is stored, statement by statement."""
        transaction = Transaction(self.store)
        yield SimulatedRows(transaction)
        if any(transaction.changed.values()):
            raise Violated("somebody writes where nothing is to be written")


class Transaction:
    """What one connection has changed and locked."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.changed: dict[str, dict[Any, Any]] = defaultdict(dict)
        self.queued: list[tuple[str, Entry]] = []
        self.after: list[Callable[[], None]] = []
        self._locks: dict[int, Lock] = {}
        self._actor = store.world.current

    def point(self) -> None:
        """A question is asked: others may come first, or the connection breaks."""
        world = self.store.world
        if world.chance(0.03):
            # Slow, while locks are held: most races are lost by whoever is slow.
            world.sleep(world.random.randrange(1, 300_000))
        else:
            world.pause()
        if world.chance(0.0005):
            world.tell("the connection breaks")
            raise DatabaseError("the connection broke")

    # --- locks -------------------------------------------------------------------------------------

    def lock_whole(self) -> None:
        """Nobody else writes."""
        self._wait_for(self.store.whole)

    def has(self, *key: Any) -> bool:
        """Whether it is locked by this transaction, or by nobody."""
        return self.store.alone or self.store.locks[key].owner in (None, self)

    def lock(self, *key: Any) -> None:
        """Until the end of the transaction; of a circle of those who wait one fails."""
        if not self.store.alone:
            self._wait_for(self.store.locks[key])

    def _wait_for(self, lock: Lock) -> None:
        while lock.owner not in (None, self):
            other: Any = lock.owner
            while other is not None:
                waits_for = other._actor.waits_for if other._actor is not None else None
                other = waits_for.owner if waits_for is not None else None
                if other is self:
                    self.store.world.tell("deadlock")
                    raise DatabaseError("deadlock detected")
            self.store.world.wait(lock)
        lock.owner = self
        self._locks[id(lock)] = lock

    def end(self) -> None:
        """Let go of everything."""
        for lock in self._locks.values():
            lock.owner = None
        self._locks.clear()

    # --- rows --------------------------------------------------------------------------------------

    def get(self, table: str, key: Any) -> Any:
        """A row as this transaction sees it."""
        own = self.changed[table].get(key)
        found = self.store.tables[table].rows.get(key) if own is None else own
        return None if found is _GONE else copy(found)

    def put(self, table: str, key: Any, row: Any) -> None:
        """Change a row."""
        self.changed[table][key] = copy(row)

    def drop(self, table: str, key: Any) -> None:
        """Remove a row."""
        self.changed[table][key] = _GONE

    def of(self, table: str, group: Any) -> list[Any]:
        """Keys of a group, as this transaction sees them."""
        stored, own = self.store.tables[table], self.changed[table]
        found = [key for key in stored.groups.get(group, ()) if key not in own]
        found += [key for key, row in own.items() if row is not _GONE and stored.group(row) == group]
        return found

    def every(self, table: str) -> list[Any]:
        """Keys of all rows."""
        stored, own = self.store.tables[table].rows, self.changed[table]
        return [key for key in stored if key not in own] + [key for key, row in own.items() if row is not _GONE]

    def commit(self) -> None:
        """Store it."""
        self.store.watch(self.store, self)
        for name, rows in self.changed.items():
            for key, row in rows.items():
                self.store.tables[name].put(key, row)
        for name, entry in self.queued:
            self.store.queue.setdefault(name, entry)


class SimulatedRows:
    """`runtime.rows.Rows` in memory: each question is a point at which others may come first."""

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction

    def __getattribute__(self, name: str) -> Any:
        found = object.__getattribute__(self, name)
        if not name.startswith("_") and callable(found):
            object.__getattribute__(self, "transaction").point()
        return found

    # --- definitions -------------------------------------------------------------------------------

    def family(self, code: str) -> list[str]:
        t = self.transaction
        return [t.get("definition", each)[2] for each in t.get("family", code)]

    def put_family(self, code: str, members: Sequence[RunWorkflow]) -> None:
        for each in members:
            if self.transaction.get("definition", each.model_hash) is None:
                row = (each.name, each.version, each.definition, None)
                self.transaction.put("definition", each.model_hash, row)
        self.transaction.put("family", code, [each.model_hash for each in members])

    def publish(self, code: str, name: str, version: str, definition: str, now: int) -> None:
        self.transaction.put("definition", code, (name, version, definition, now))

    def published(self) -> dict[tuple[str, str], str]:
        rows = {key: self.transaction.get("definition", key) for key in self.transaction.every("definition")}
        return {row[:2]: key for key, row in rows.items() if row[3] is not None}

    def published_stamp(self) -> tuple[int, int | None]:
        times = [self.transaction.get("definition", key)[3] for key in self.transaction.every("definition")]
        known = [time for time in times if time is not None]
        return len(known), max(known, default=None)

    def published_definitions(self) -> list[tuple[str, str, str]]:
        rows = [self.transaction.get("definition", key) for key in self.transaction.every("definition")]
        return [row[:3] for row in rows if row[3] is not None]

    # --- instances ---------------------------------------------------------------------------------

    def lock(self, name: str, *, wait: bool = True) -> InstanceRow | None:
        t = self.transaction
        if t.get("instance", name) is None:
            return None
        if not wait and not t.has("instance", name):
            raise Busy
        t.lock("instance", name)
        found: InstanceRow | None = t.get("instance", name)
        return found

    def read(self, name: str) -> InstanceRow | None:
        found: InstanceRow | None = self.transaction.get("instance", name)
        return found

    def newest(self, most: int) -> list[str]:
        return list(self.transaction.every("instance"))[:most]

    def insert(self, row: InstanceRow) -> bool:
        t = self.transaction
        t.lock("instance", row.id)
        if t.get("instance", row.id) is not None:
            return False
        if row.open_key is not None:
            t.lock("key", row.workflow, row.open_key)
            if t.of("instance", (row.workflow, row.open_key)):
                raise KeyTaken
        t.put("instance", row.id, row)
        return True

    def update(self, row: InstanceRow) -> None:
        t = self.transaction
        old = t.get("instance", row.id)
        for key in {old.open_key, row.open_key} - {None} if old.open_key != row.open_key else ():
            t.lock("key", row.workflow, key)
        if row.open_key not in (None, old.open_key) and t.of("instance", (row.workflow, row.open_key)):
            raise Violated(f"{row.id} takes the key {row.open_key}, which another one has")
        t.put("instance", row.id, row)

    def open_with_key(self, workflow: str, key: str) -> str | None:
        return next(iter(self.transaction.of("instance", (workflow, key))), None)

    def hold(self, text: str) -> None:
        self.transaction.lock("hold", text)

    # --- records -----------------------------------------------------------------------------------

    def append(self, name: str, records: Sequence[Record], metadata: str | None) -> None:
        for record in records:
            key = (name, record.seq)
            if self.transaction.get("record", key) is not None:
                raise Violated(f"record {record.seq} of {name} is written twice")
            self.transaction.put("record", key, (name, record))

    def records(self, name: str, after: int = 0) -> list[Record]:
        found = [self.transaction.get("record", key)[1] for key in self.transaction.of("record", name)]
        return sorted((each for each in found if each.seq > after), key=lambda each: each.seq)

    def fate(self, name: str, kind: str, identity: str) -> int | None:
        found = self.transaction.get("seen", (name, kind, identity))
        return None if found is None else int(found[0])

    def note_fates(self, name: str, kind: str, fates: Mapping[str, int], sender: str | None = None) -> None:
        for identity, fate in fates.items():
            key = (name, kind, identity)
            self.transaction.lock("seen", *key)
            known = self.transaction.get("seen", key)
            self.transaction.put("seen", key, (fate, sender if known is None else known[1]))

    def sender(self, name: str, identity: str) -> str | None:
        found = self.transaction.get("seen", (name, "event", identity))
        return None if found is None else found[1]

    # --- what is due -------------------------------------------------------------------------------

    def add_due(self, rows: Iterable[DueRow]) -> None:
        for row in rows:
            self.transaction.store.numbers += 1
            stored = copy(row)
            stored.number, stored.body = self.transaction.store.numbers, json.loads(written(row.body))
            self.transaction.put("due", stored.number, stored)

    def _locked(self, numbers: Iterable[int], still: Callable[[DueRow], bool]) -> list[DueRow]:
        """Those that are meant are locked in turn; of these, what is not meant any more by then is left out."""
        seen = [(number, self.transaction.get("due", number)) for number in numbers]
        found = []
        for number in [number for number, row in seen if row is not None and still(row)]:
            self.transaction.lock("due", number)
            row = self.transaction.get("due", number)
            if row is not None and still(row):
                found.append(row)
        return found

    def due_of(self, target: str, upto: int) -> list[DueRow]:
        t = self.transaction
        rows = [t.get("due", key) for key in t.of("due", target)]
        rows = sorted((row for row in rows if row.due <= upto), key=lambda row: (row.due, row.rank, row.number))
        found = self._locked([row.number for row in rows], lambda row: row.target == target and row.due <= upto)
        return [copy(row) for row in found]

    def drop_due(self, numbers: Iterable[int]) -> None:
        for row in self._locked(numbers, lambda row: True):
            self.transaction.drop("due", row.number)

    def drop_timer(self, target: str, place: int, serial: int) -> None:
        def is_meant(row: DueRow) -> bool:
            return (row.target, row.kind, row.place, row.serial) == (target, "timer", place, serial)

        for row in self._locked(self.transaction.of("due", target), is_meant):
            self.transaction.drop("due", row.number)

    def drop_timers(self, target: str) -> None:
        for row in self._locked(
            self.transaction.of("due", target), lambda row: (row.target, row.kind) == (target, "timer")
        ):
            self.transaction.drop("due", row.number)

    def move_due(self, number: int, target: str, kind: str, due: int) -> None:
        for row in self._locked([number], lambda row: True):
            row.target, row.kind, row.due = target, kind, due
            self.transaction.put("due", number, row)

    def release_kept(self, places: Sequence[str], target: str, due: int) -> bool:
        numbers = [number for place in places for number in self.transaction.of("due", place)]
        found = self._locked(numbers, lambda row: row.target in places and row.kind == "kept")
        for row in found:
            row.target, row.kind, row.due = target, "letter", due
            self.transaction.put("due", row.number, row)
        return bool(found)

    def due_targets(self, upto: int, most: int, without: Sequence[str] = ()) -> list[str]:
        rows = [self.transaction.get("due", key) for key in self.transaction.every("due")]
        due = (row for row in rows if row.due <= upto and row.target not in without)
        rows = sorted(due, key=lambda row: (row.due, row.rank, row.number))
        return list(dict.fromkeys(row.target for row in rows[:most]))

    def next_due(self) -> int | None:
        t = self.transaction
        times = [t.get("due", key).due for key in t.every("due")]
        beats = [t.get("attempt", key).beat_by for key in t.every("attempt")]
        return min([*times, *(each for each in beats if each is not None)], default=None)

    # --- activities --------------------------------------------------------------------------------

    def attempts(self, name: str) -> list[AttemptRow]:
        t = self.transaction
        return sorted((t.get("attempt", key) for key in t.of("attempt", name)), key=lambda row: row.serial)

    def open_attempts(self, *phases: str) -> list[AttemptRow]:
        t = self.transaction
        rows = [t.get("attempt", key) for key in t.every("attempt")]
        return [row for row in rows if row.phase in (phases or ("queued", "running"))]

    def lock_attempt(self, name: str, serial: int) -> AttemptRow | None:
        self.transaction.lock("attempt", name, serial)
        found: AttemptRow | None = self.transaction.get("attempt", (name, serial))
        return found

    def found(self, name: str) -> dict[str, str]:
        rows = [self.transaction.get("found", key) for key in self.transaction.of("found", name)]
        return {each[1]: each[2] for each in rows}

    def put_found(self, name: str, values: Mapping[str, str | None]) -> None:
        for each, value in values.items():
            self.transaction.lock("found", name, each)
            if value is None:
                self.transaction.drop("found", (name, each))
            else:
                self.transaction.put("found", (name, each), (name, each, value))

    def put_attempt(self, row: AttemptRow) -> None:
        self.transaction.lock("attempt", row.instance, row.serial)
        self.transaction.put("attempt", (row.instance, row.serial), row)

    def drop_attempts(self, name: str, serials: Iterable[int]) -> None:
        for serial in serials:
            self.transaction.lock("attempt", name, serial)
            self.transaction.drop("attempt", (name, serial))

    def beat(self, told: Sequence[BeatRow]) -> None:
        for each in told:
            key = (each.instance, each.serial)
            self.transaction.lock("attempt", *key)
            row = self.transaction.get("attempt", key)
            if row is not None and row.attempt == each.attempt:
                row.beat_by, row.detail = each.until, written(each.detail)
                self.transaction.put("attempt", key, row)

    def late_beats(self, upto: int, most: int, without: Sequence[str] = ()) -> list[Key]:
        rows = [self.transaction.get("attempt", key) for key in self.transaction.every("attempt")]
        late = [row for row in rows if row.beat_by is not None and row.beat_by <= upto and row.instance not in without]
        return [row.key for row in late[:most]]

    # --- workers -----------------------------------------------------------------------------------

    def server_time(self) -> int:
        return self.transaction.store.world.time

    def workers(self) -> list[WorkerRow]:
        return [self.transaction.get("worker", key) for key in sorted(self.transaction.every("worker"))]

    def put_worker(self, row: WorkerRow) -> None:
        self.transaction.lock("worker", row.id)
        known = self.transaction.get("worker", row.id)
        self.transaction.put(
            "worker", row.id, row if known is None else WorkerRow(row.id, known.started, row.beat, known.told)
        )

    def drop_workers(self, ids: Iterable[str]) -> None:
        for each in ids:
            self.transaction.lock("worker", each)
            self.transaction.drop("worker", each)

    def orphans(self) -> list[AttemptRow]:
        t, found = self.transaction, []
        for key in t.every("attempt"):
            row = t.get("attempt", key)
            if row.phase == "running" and row.worker is not None and t.get("worker", row.worker) is None:
                if not t.has("attempt", *key):
                    continue
                t.lock("attempt", *key)
                row = t.get("attempt", key)
                if row is not None and row.phase == "running":
                    found.append(row)
        return found

    # --- the queue ---------------------------------------------------------------------------------

    def enqueue(self, row: AttemptRow, after: int) -> None:
        """An entry of the queue, with the rest of the transaction; an id that is there is there."""
        name = f"{row.instance}:{row.serial}:{row.attempt}:{row.tries}"
        entry = Entry((row.instance, row.serial, row.attempt, row.tries), after)
        self.transaction.queued.append((name, entry))
