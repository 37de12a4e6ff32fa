"""Turns of an engine, one after the other: begun, ended, and what they leave handed on."""

from __future__ import annotations

import contextlib
import logging
import threading
import time as wall
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import semver

from wfsim.errors import CatalogueError, DefinitionTaken, UnknownInstance, UnknownWorkflow, WfsimError, did_you_mean
from wfsim.history.runs import definition_of, hash_of_definition, workflow_of
from wfsim.model.catalogue import Catalogue
from wfsim.model.fields import range_parts

from .cache import Cache
from .database import DatabaseError
from .happening import work_off
from .implementations import Use
from .logs import tell
from .outbox import Outbox
from .programs import Families
from .rows import AttemptRow, BeatRow, Busy, Key, Rows
from .taking import Order, beat, give_up, miss, report, take
from .turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from wfsim.model.elements import Activity
    from wfsim.model.values import Value
    from wfsim.model.workflow import Workflow
    from wfsim.semantics.records import Record

    from .clock import Clock
    from .database import Database
    from .executor import Attempt, Report
    from .rows import InstanceRow
    from .sql_rows import SqlRows

MOST_VERSIONS = 10_000

AGAIN = 60_000_000
"""Microseconds after which an instance that is stuck is tried again."""

TOGETHER = 200
"""So many instances are looked for at a time when something is due."""

NEAR = 500
"""Among so many ids is looked for one that may have been meant."""


class Carrier(Protocol):
    """Whoever sees to it that attempts are carried out."""

    def enqueue(self, rows: SqlRows, attempts: Iterable[AttemptRow]) -> None:
        """Within the transaction: they are to be carried out once it is over."""
        ...

    def launched(self, attempts: Iterable[AttemptRow]) -> None:
        """After the transaction: they may begin."""
        ...

    def taken_back(self, keys: Iterable[Key]) -> None:
        """After the transaction: nobody waits for these any more; those that run should stop."""
        ...


class Nobody:
    """Carries nothing out: attempts wait for a worker that looks for them."""

    def enqueue(self, rows: SqlRows, attempts: Iterable[AttemptRow]) -> None:
        """Nothing to do: they stand in their table."""

    def launched(self, attempts: Iterable[AttemptRow]) -> None:
        """Nothing to do."""

    def taken_back(self, keys: Iterable[Key]) -> None:
        """Nothing to do."""


class Core:
    """What all parts of an engine share; from any thread.

    Attributes
    ----------
    carrier
        Who carries attempts out.
    outbox
        Writes what webhooks are to be told.
    news
        Notified after every turn that changed something here.
    changes
        How many there were.
    versions
        Of the instances that were changed here last.
    poke
        Called when an instance was changed, and with whether something is due now.
    check
        Raises `StartRefused` if what a message starts could not be carried out here.
    took
        Called with the seconds that a turn took, from asking for its transaction to the end of that.
    told
        Called with what a turn recorded, once it is stored: each instance with its records.
    stuck
        Instances that something cannot happen to, with the time and the error: the others go on.
    unreadable
        Name and version of what is published and cannot be read here, with the reason.
    numbers
        The last number that an instance of each workflow was given here, where its id is one of ours.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self.families = Families()
        self.cache = Cache()
        self.carrier: Carrier = Nobody()
        self.outbox = Outbox()
        self.news = threading.Condition()
        self.changes = 0
        self.versions: dict[str, int] = {}
        self.poke: Callable[[bool], None] = lambda owes: None
        self.check: Callable[[Workflow, Catalogue], None] = lambda workflow, catalogue: None
        self.took: Callable[[float], None] = lambda seconds: None
        self.told: Callable[[Sequence[tuple[InstanceRow, Sequence[Record]]]], None] = lambda recorded: None
        self.stuck: dict[str, tuple[int, BaseException]] = {}
        self.unreadable: dict[tuple[str, str], str] = {}
        self.numbers: dict[str, int] = {}
        self._watchers: list[Callable[[], bool]] = []
        self._known: dict[str, tuple[Workflow, Catalogue]] = {}
        self._catalogue: tuple[tuple[int, int | None] | None, Catalogue] = (None, Catalogue())

    # --- turns -------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def turn(self) -> Iterator[Turn]:
        """A transaction; what it leaves is handed on once it is over.

        Raises
        ------
        EngineError
            If the database cannot be written; nothing has happened then.
        """
        begun = wall.perf_counter()
        with self.database.transaction() as rows:
            turn = Turn(
                rows,
                now=self.clock.now(),
                families=self.families,
                kept=self.cache,
                newest=lambda name: self._newest(rows, name),
            )
            yield turn
            self.carrier.enqueue(rows, turn.attempts.launched)
            if turn.recorded:
                self.outbox.put(rows, turn.recorded, turn.now)
        for span in turn.spans:
            span.end()
        self.took(wall.perf_counter() - begun)
        self.told(turn.recorded)
        self.families.stored |= turn.met
        for held in turn.changed.values():
            if not held.instance.is_closed:
                self.cache.put(held.name, held.instance)
        if turn.attempts.taken_back:
            self.carrier.taken_back(turn.attempts.taken_back)
        if turn.attempts.launched:
            self.carrier.launched(turn.attempts.launched)
        if turn.changed:
            self.tell({held.name: held.row.version for held in turn.changed.values()})
            self.poke(turn.owes)

    def tell(self, versions: Mapping[str, int] = MappingProxyType({})) -> None:
        """Something has changed, instances to some versions: whoever waits looks again."""
        with self.news:
            self.changes += 1
            self.versions.update(versions)
            if len(self.versions) > MOST_VERSIONS:
                self.versions = dict(versions)
            self._watchers = [watcher for watcher in self._watchers if not watcher()]
            self.news.notify_all()

    def watch(self, watcher: Callable[[], bool]) -> None:
        """Call it now and after every turn here, until it returns true."""
        with self.news:
            if not watcher():
                self._watchers.append(watcher)

    # --- definitions -------------------------------------------------------------------------------

    def publish(self, workflows: Iterable[Workflow]) -> None:
        """Instances may be started of these from now on.

        Raises
        ------
        DefinitionTaken
            If a name and version is published with another definition.
        """
        with self.database.transaction() as rows:
            known = rows.published()
            for workflow in workflows:
                text = definition_of(workflow)
                code = hash_of_definition(text)
                place = (workflow.name, workflow.version)
                if known.setdefault(place, code) != code:
                    raise DefinitionTaken(
                        f"{workflow.name} {workflow.version} is published with another definition. "
                        "Give the changed one a higher version."
                    )
                rows.publish(code, workflow.name, workflow.version, text, self.clock.now())

    def catalogue(self, rows: Rows) -> Catalogue:
        """All that is published and can be read here; read again when something has been added."""
        stamp = rows.published_stamp()
        if self._catalogue[0] != stamp:
            found, unreadable = [], {}
            for name, version, definition in rows.published_definitions():
                try:
                    found.append(workflow_of(definition))
                except (WfsimError, ValueError) as error:
                    unreadable[name, version] = str(error)
                    message = f"{name} {version} is published and cannot be read: {error}"
                    tell("definition_unreadable", logging.ERROR, workflow=name, version=version, message=message)
            self.unreadable = unreadable
            self._catalogue = (stamp, Catalogue(found))
        return self._catalogue[1]

    def know(self, catalogue: Catalogue) -> None:
        """Messages may start these workflows too, from this process."""
        for workflow in catalogue:
            known = self._known.get(workflow.name)
            if known is None or Catalogue([known[0], workflow]).get(workflow.name) is not known[0]:
                self._known[workflow.name] = (workflow, catalogue)

    def _newest(self, rows: Rows, name: str) -> tuple[Workflow, Catalogue] | None:
        catalogue = self.catalogue(rows)
        chosen = catalogue.get(name) if name in catalogue else None
        self._refuse_unreadable(name, None, chosen)
        found = self._known.get(name) if chosen is None else (chosen, catalogue)
        if found is not None:
            self.check(*found)
        return found

    def workflow(self, rows: Rows, name: str, version: str | None) -> tuple[Workflow, Catalogue]:
        """A published workflow, in the newest version that fits.

        Raises
        ------
        UnknownWorkflow
            If there is none, or it cannot be read here.
        """
        catalogue = self.catalogue(rows)
        try:
            chosen = catalogue.get(name, version)
        except CatalogueError as error:
            self._refuse_unreadable(name, version, None)
            raise UnknownWorkflow(f"{error} Publish it: engine.publish(workflow).") from None
        self._refuse_unreadable(name, version, chosen)
        return chosen, catalogue

    def _refuse_unreadable(self, name: str, version: str | None, chosen: Workflow | None) -> None:
        """What cannot be read may be newer than what can: nobody shall get an older one unawares."""
        for (unread, number), why in self.unreadable.items():
            found = semver.Version.parse(number)
            if (
                unread == name
                and all(found.match(part) for part in range_parts("latest" if version is None else version))
                and (chosen is None or found > semver.Version.parse(chosen.version))
            ):
                raise UnknownWorkflow(
                    f"{name} {number} is published and cannot be read: {why} Go on with the wfsim that published it, "
                    "name an older version, or publish a newer one."
                )

    # --- what is due -------------------------------------------------------------------------------

    def next_due(self) -> int | None:
        """When the next thing is due."""
        with self.database.reading() as rows:
            return rows.next_due()

    def work_off(self, now: int) -> int:
        """Let everything happen that is due; how many instances were at it."""
        n = 0
        with self.database.reading() as rows:
            targets = rows.due_targets(now, TOGETHER, self._held_up(now))
        for target in targets:
            with self._alone(target, now), self.turn() as turn:
                n += work_off(turn, target, now, wait=False)
        return n

    @contextlib.contextmanager
    def _alone(self, name: str, now: int) -> Iterator[None]:
        """What is wrong with one instance must not hold up the others."""
        try:
            yield
        except Busy:
            # Somebody else is at it; it is looked for again.
            return
        except (DatabaseError, MemoryError):
            raise
        except Exception as error:  # kept, and told
            self.stuck[name] = (now, error)
        else:
            self.stuck.pop(name, None)

    def _held_up(self, now: int) -> list[str]:
        """Instances that are not tried again yet. What has not been seen for long is at another worker, or mended."""
        found = []
        for name, (since, _) in list(self.stuck.items()):
            if now < since + AGAIN:
                found.append(name)
            elif since + 2 * AGAIN <= now:
                self.stuck.pop(name, None)
        return found[:MOST_VERSIONS]

    def beat(self, attempts: Iterable[Attempt]) -> None:
        """These attempts gave a sign of life."""
        told = [BeatRow(*attempt.key, attempt.beat_by, attempt.detail) for attempt in attempts]
        if told:
            with self.database.transaction() as rows:
                rows.beat(told)
            self.tell()

    def miss_beats(self, now: int) -> int:
        """Attempts without a heartbeat in time have failed; how many."""
        with self.database.reading() as rows:
            late = rows.late_beats(now, TOGETHER, self._held_up(now))
        for key in late:
            with self._alone(key[0], now), self.turn() as turn:
                miss(turn, key)
        return len(late)

    def give_up(self, lost: Iterable[Key]) -> None:
        """Attempts whose workers have died too often have failed."""
        for key in lost:
            with self._alone(key[0], self.clock.now()), self.turn() as turn:
                give_up(turn, key)

    # --- attempts ----------------------------------------------------------------------------------

    def put_back(
        self,
        key: Key,
        tries: int,
        enqueue: Callable[[SqlRows, Iterable[AttemptRow]], None],
        worker: str | None = None,
    ) -> None:
        """Another worker shall carry an attempt out; with `worker`, also one that this has begun."""
        with self.database.transaction() as rows:
            rows.lock(key[0])
            for row in rows.attempts(key[0]):
                if (row.key, row.tries) != (key, tries):
                    continue
                if row.phase == "queued" or (worker is not None and (row.phase, row.worker) == ("running", worker)):
                    row.phase, row.worker, row.beat_by = "queued", None, None
                    row.tries += 1
                    rows.put_attempt(row)
                    enqueue(rows, [row])

    def take(
        self,
        key: Key,
        worker: str,
        tries: int | None = None,
        admits: Callable[[Use, Activity, str], None] | None = None,
        *,
        again: bool = False,
    ) -> Order | None:
        """A worker is about to carry out an attempt; see `taking.take`.

        Raises
        ------
        Unknown, OnHold
            If the worker cannot carry it out, or not now (`admits`).
        """
        with self.turn() as turn:
            # What fell due before, perhaps while no process ran, comes first.
            work_off(turn, key[0], turn.now - 1)
            return take(turn, key, worker, tries, admits, again=again)

    def report(self, told: Report) -> str | None:
        """What came of an attempt: `accepted`, or `ignored` if nobody waited for it; `None` if there is no instance."""
        with self.turn() as turn:
            work_off(turn, told.key[0], turn.now - 1)
            return report(turn, told)

    def beat_outside(self, key: Key, detail: Value) -> bool:
        """Whoever completes an attempt from outside gave a sign of life; whether anybody waits for it."""
        with self.turn() as turn:
            is_awaited = beat(turn, key, detail)
        if is_awaited is None:
            with self.database.reading() as rows:
                raise self.no_instance(rows, key[0])
        return is_awaited

    def queued_attempts(self) -> list[AttemptRow]:
        """Attempts that wait for a worker, oldest instances first."""
        with self.database.reading() as rows:
            return rows.open_attempts("queued")

    def no_instance(self, rows: Rows, name: str) -> UnknownInstance:
        """The error for an id that nobody has."""
        return UnknownInstance(
            f"there is no instance {name!r} in {self.database.shown}.{did_you_mean(name, rows.newest(NEAR))}"
        )
