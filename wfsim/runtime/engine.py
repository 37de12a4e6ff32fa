"""`Engine`: workflows run for real, their instances in a database that many processes may share."""

from __future__ import annotations

import builtins
import os
import threading
import weakref
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Self

from wfsim.arguments import expect, expect_seconds, expect_whole, listed_in
from wfsim.errors import RunStopped, UnknownExecution, UnknownInstance, WaitTimeout, WfsimError, did_you_mean, listed
from wfsim.model.catalogue import Catalogue, as_catalogue
from wfsim.model.statuses import OPEN
from wfsim.model.values import brief
from wfsim.model.workflow import Workflow

from .core import Core
from .database import Database
from .executions import Execution, execution_in
from .explain import Explanation, explain
from .feed import Feed
from .figures import Backlog, Due, Figures, Worker, backlog, dues, figures, open_instances, workers
from .groups import QueueLimits
from .handle import Run
from .happening import work_off
from .held import rebuilt
from .implementations import driven_with
from .listing import Listed, Page, Wanted, called, children, page
from .moving import Moves, migrate
from .names import AnyEngine
from .permissions import Permissions
from .presence import LEASE
from .pulled import Check, Pulled, check
from .retention import BATCH, Retained, retain
from .sending import Answer, named, payload_copy
from .stimuli import attempt_key, begin, complete, control, fail, heartbeat, send
from .webhooks import Webhooks
from .workplace import Workplace

if TYPE_CHECKING:
    from datetime import timedelta
    from types import TracebackType

    from wfsim.history.history import History
    from wfsim.model.duration import Duration
    from wfsim.model.values import Value
    from wfsim.semantics.records import Record

    from .rows import InstanceRow
    from .sql_rows import SqlRows

_AT_WORK: set[Engine] = set()
"""Workers of this process: others rely on them, whether somebody here holds them or not. They end with `close`."""


class Engine(AnyEngine[Run]):
    """Workflows run for real; `open_engine` makes it. All methods may be called from any thread.

    Use it as context manager, or `close` it. What has the names of `AnyEngine` is described there.

    Attributes
    ----------
    core
        Its turns, on its database and clock.
    workplace
        What this process does of its work.
    """

    def __init__(self, core: Core, workplace: Workplace) -> None:
        self.core = core
        self.workplace = workplace
        self._closed = False
        self._pulled: Pulled | None = None
        self._history_door = threading.Lock()
        self._finalizer = weakref.finalize(self, _let_go, workplace, core.database)

    @property
    def worker(self) -> str:
        """What this process is called in records and lists."""
        return self.workplace.worker

    @property
    def groups(self) -> builtins.list[str] | None:
        """The groups whose activities are carried out here; `None`: all."""
        return self.workplace.groups

    def run(self) -> None:
        """Let things happen from now on, if this process does any of the work; asking twice is harmless."""
        self.workplace.run()
        if self.workplace.lets_happen and not self.core.database.in_memory:
            _AT_WORK.add(self)

    # --- queues ----------------------------------------------------------------------------------

    @property
    def queues(self) -> dict[str, QueueLimits]:
        """The limits of each group of workers that has a queue, by its name; empty without a queue."""
        return self.workplace.queues

    def limits(self, group: str) -> QueueLimits:
        """The limits of a group of workers.

        Raises
        ------
        EngineError
            If no published activity has it as its pool, and no worker serves it; or if this engine has no queue: one in
            memory, or driven by a clock of its own.
        """
        return self.workplace.limits(group)

    def set_queue(self, group: str, limits: QueueLimits) -> None:
        """Set the limits of a group of workers; all workers keep to them from their next look into the queue on.

        Raises
        ------
        EngineError
            As `limits` does.
        """
        expect(limits, QueueLimits, "set_queue takes limits", "Give wf.QueueLimits(concurrency=5).")
        self.workplace.set_limits(group, limits)

    # --- definitions -----------------------------------------------------------------------------

    def publish(self, workflows: Workflow | Catalogue | str | os.PathLike[str] | Iterable[Workflow]) -> None:
        known = as_catalogue([workflows] if isinstance(workflows, Workflow) else workflows)
        self.core.publish(known.all_versions())
        self.workplace.serve(known.all_versions())

    @property
    def workflows(self) -> Catalogue:
        with self.core.database.reading() as rows:
            return self.core.catalogue(rows)

    def definitions(self, family: str) -> builtins.list[str]:
        """The definitions of a family of workflows, by its hash."""
        with self.core.database.reading() as rows:
            return rows.family(family)

    # --- instances -------------------------------------------------------------------------------

    def start(
        self,
        workflow: str | Workflow,
        input: Mapping[str, Value] | None = None,
        *,
        id: str | None = None,
        version: str | None = None,
        seed: int | None = None,
        metadata: Mapping[str, Value] | None = None,
        priority: int = 0,
    ) -> Run:
        self.raise_if_stopped()
        if isinstance(workflow, Workflow):
            self.publish(workflow)
        elif not isinstance(workflow, str):
            raise WfsimError(f"start takes the name of a workflow or a Workflow, not {brief(workflow)}.")
        with self.core.database.reading() as rows:
            if isinstance(workflow, Workflow):
                chosen, catalogue = workflow, self.core.catalogue(rows)
            else:
                chosen, catalogue = self.core.workflow(rows, workflow, version)
        if self.core.database.in_memory:
            self.workplace.means.require(driven_with(chosen, catalogue.family(chosen)))
        family = self.core.families.of(chosen, catalogue)
        row = begin(self.core, family, input, id=id, seed=seed, metadata=metadata, priority=priority)
        return Run(self, row)

    def get(self, id: str) -> Run:
        with self.core.database.reading() as rows:
            return Run(self, self._read(rows, id))

    def _read(self, rows: SqlRows, id: str) -> InstanceRow:
        row = rows.read(named(id))
        if row is None:
            raise self.core.no_instance(rows, id)
        return row

    def exists(self, id: str) -> bool:
        with self.core.database.reading() as rows:
            return rows.read(named(id)) is not None

    def called(self, prefix: str) -> builtins.list[Listed]:
        """The roots whose ids begin like that, in order of their ids."""
        with self.core.database.reading() as rows:
            return called(rows, prefix)

    def begin_children(self, ids: Iterable[str]) -> None:
        """Let children that are owed start now, if this process does any of the work."""
        if not self.workplace.lets_happen or self._closed:
            return
        for each in ids:
            if not self.exists(each):
                with self.core.turn() as turn:
                    work_off(turn, each, turn.now)

    def children(self, id: str) -> builtins.list[Run]:
        with self.core.database.reading() as rows:
            found = children(rows, self._read(rows, id).id)
        return [Run(self, row) for row in found]

    def list(
        self,
        *,
        workflow: str | None = None,
        status: str | Iterable[str] | None = None,
        state: str | None = None,
        roots: bool = False,
        prefix: str | None = None,
        key: Value = None,
        where: Mapping[str, Value] | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Page:
        wanted = Wanted(workflow=workflow, status=status, state=state, roots=roots, prefix=prefix, key=key, where=where)
        with self.core.database.reading() as rows:
            found = page(rows, wanted, limit, after)
        if where and not found:
            self._refuse_unsearchable(where)
        return found

    def _refuse_unsearchable(self, names: Iterable[str]) -> None:
        known = {
            name
            for each in self.workflows.all_versions()
            for name, variable in each.variables.items()
            if variable.searchable
        }
        for name in names:
            if name not in known:
                raise WfsimError(
                    f"no published workflow has a searchable variable {brief(name)}.{did_you_mean(name, known)} "
                    "A variable is searchable if its definition says so: searchable: true."
                )

    def records(
        self, id: str, *, after: int = 0, limit: int | None = None, event_id: str | None = None
    ) -> builtins.list[tuple[Record, dict[str, Value] | None]]:
        expect_whole("after", after, least=0)
        if limit is not None:
            expect_whole("limit", limit, least=0)
        with self.core.database.reading() as rows:
            found = rows.told_records(named(id), after, limit, event_id)
            if not found:
                self._read(rows, id)
        return found

    def feed(self, since: int | None = None) -> Feed:
        """Records of all instances as they come, from a time (microseconds) on; from now on without one."""
        return Feed(self.core, self.core.clock.now() if since is None else since)

    def figures(self) -> Figures:
        """How many instances, attempts and timers there are, and how late what is due is."""
        with self.core.database.reading() as rows:
            return figures(rows, self.core.clock.now())

    @property
    def workers(self) -> builtins.list[Worker]:
        with self.core.database.reading() as rows:
            return workers(rows, int(LEASE * 1e6))

    @property
    def backlog(self) -> builtins.list[Backlog]:
        with self.core.database.reading() as rows:
            return backlog(rows)

    def due(self, limit: int = 100) -> builtins.list[Due]:
        expect_whole("limit", limit)
        with self.core.database.reading() as rows:
            return dues(rows, self.core.clock.now(), limit)

    def count_open(self) -> int:
        """How many instances have not come to their end."""
        with self.core.database.reading() as rows:
            return open_instances(rows, builtins.list(OPEN))

    @property
    def permissions(self) -> Permissions:
        """What may be reached outside from here."""
        return self.workplace.means.permissions

    @property
    def webhooks(self) -> Webhooks:
        """Who is told by HTTP what happens; a service sends it."""
        return Webhooks(self.core, lambda: self.permissions)

    # --- what is sent ----------------------------------------------------------------------------

    def send(
        self,
        id: str,
        event: str,
        payload: Mapping[str, Value] | None = None,
        /,
        *,
        event_id: str | None = None,
        metadata: Mapping[str, Value] | None = None,
        expected_version: int | None = None,
        **fields: Value,
    ) -> Answer:
        given = payload_copy(payload, fields)
        self.raise_if_stopped()
        return send(
            self.core, id, event, given, event_id=event_id, metadata=metadata, expected_version=expected_version
        )

    def control(
        self,
        id: str,
        command: str,
        reason: str | None = None,
        *,
        command_id: str | None = None,
        metadata: Mapping[str, Value] | None = None,
        expected_version: int | None = None,
    ) -> Answer:
        self.raise_if_stopped()
        return control(
            self.core,
            id,
            command,
            reason,
            command_id=command_id,
            metadata=metadata,
            expected_version=expected_version,
        )

    def control_all(
        self,
        ids: Iterable[str],
        command: str,
        reason: str | None = None,
        *,
        command_id: str | None = None,
        metadata: Mapping[str, Value] | None = None,
    ) -> dict[str, Answer]:
        found: dict[str, Answer] = {}
        every = listed_in(ids, "control_all takes ids of instances", "Give a list of them.")
        for each in every:
            named(each)
        for each in every:
            try:
                found[each] = self.control(each, command, reason, command_id=command_id, metadata=metadata)
            except UnknownInstance:
                found[each] = Answer("missing", "missing")
        return found

    def migrate(
        self,
        which: str | Iterable[str],
        *,
        to: str,
        mapping: Mapping[str, str] | None = None,
        dry_run: bool = True,
    ) -> Moves:
        """Move open instances to another version of their workflow: newer, or back to an older one (M15).

        An instance moves if that version would have gone the same way so far; else it stays where it is, and the report
        says which record would have been another one. New instances start in the newest version, whatever moves.

        Parameters
        ----------
        which
            Ids; or the name of a workflow, for all its open instances that are nobody's children.
        to
            A published version: `"2.0.0"`.
        mapping
            States that are called otherwise there, `{"paid": "settled"}`.
        dry_run
            Only tell what would become of each.

        Returns
        -------
        Moves
            A row for each instance, in order.

        Raises
        ------
        EngineError
            If the version is not published, or the mapping names a state that is none.

        Notes
        -----
        Each moves in a transaction of its own, and is stored as one (`run.moves`). Costs about 100 µs for each of its
        records.
        """
        self.raise_if_stopped()
        return migrate(self.core, which, to, mapping, dry_run=dry_run)

    def retain(
        self,
        into: str | os.PathLike[str],
        *,
        older_than: Duration | timedelta | str | float,
        batch: int = BATCH,
    ) -> Retained:
        """Let closed instances leave the database for an archive, and the queue forget attempts that have ended.

        Those go to folders of Parquet, which `wf.open_history` opens, whose last record is older, with their families,
        if all of these are closed too and nothing is owed to them. They are gone from the engine then: `get` does not
        find them, `retry` cannot open them again, and their ids are free. What a service keeps goes too: answers to
        idempotency keys and what webhooks were told are forgotten, its audit goes to the archive.

        Parameters
        ----------
        into
            The folder of the archive, made if missing; a folder in it for each batch.
        older_than
            `"90d"`.
        batch
            So many instances, with their families, in a folder.

        Raises
        ------
        EngineError
            If another process writes to the archive, or one that was interrupted wrote to another.

        Notes
        -----
        May be killed at any moment: whoever retains next into the same archive finishes what was begun, once.
        """
        self.raise_if_stopped()
        return retain(self.core, self.workplace.queue, into, older_than, batch)

    # --- activities that are completed from outside -------------------------------------------------

    def complete(self, correlation_id: str, result: Value = None) -> str:
        self.raise_if_stopped()
        return complete(self.core, correlation_id, result)

    def fail(
        self,
        correlation_id: str,
        error_type: str,
        message: str | None = None,
        *,
        retry_after: float | None = None,
    ) -> str:
        self.raise_if_stopped()
        return fail(self.core, correlation_id, error_type, message, retry_after)

    def heartbeat(self, correlation_id: str, detail: Value = None) -> bool:
        self.raise_if_stopped()
        return heartbeat(self.core, correlation_id, detail)

    def execution(self, correlation_id: str) -> Execution:
        key = attempt_key(correlation_id)
        with self.core.database.reading() as rows:
            found = execution_in(rows.records(key[0]), key)
            if found is None and rows.read(key[0]) is None:
                raise self.core.no_instance(rows, key[0])
        if found is None:
            raise UnknownExecution(f"{key[0]!r} has not scheduled attempt {key[2]} of activity {key[1]}.")
        return found

    def why_not(self, id: str, name: str, payload: Mapping[str, Value] | None = None) -> Explanation:
        given = None if payload is None else payload_copy(payload, {})
        with self.core.database.reading() as rows:
            instance = rebuilt(rows, self._read(rows, id), self.core.families)
        found = explain(instance, name, given, self.core.clock.now())
        held = self.workplace.means.breakers.held(self.core.clock.now()).get(id)
        if held is not None:
            found.reasons.append(f"{held[0].upper()}{held[1:]}.")
        return found

    @property
    def history(self) -> History:
        """The history of all instances, brought up to date whenever it is asked for: `.sql`, `.case(id)`, every view.

        It lies in memory, in a DuckDB of this process; `follow_history` keeps it in a file.
        """
        return self._pulling().history()

    def follow_history(self, path: str | os.PathLike[str]) -> History:
        """The same in a DuckDB file, which goes on where it was when it was last followed."""
        self.keep_history(path)
        return self.history

    def keep_history(self, path: str | os.PathLike[str]) -> None:
        """From the next question on the history lies in this DuckDB file; nothing is pulled before."""
        with self._history_door:
            before = self._pulled
            if before is not None and before.path == os.path.realpath(path):
                return
            self._pulled = Pulled(self.core, path)
            if before is not None:
                before.close()

    def catch_up(self, seconds: float) -> bool:
        """Bring the history up to date for about so long; whether nothing is missing then.

        A question does so by itself, however long it takes. Who cannot wait asks this first, again and again: what has
        been pulled stays.
        """
        expect_seconds("seconds", seconds)
        self.raise_if_stopped()
        return self._pulling().refresh(seconds)

    def _pulling(self) -> Pulled:
        with self._history_door:
            if self._pulled is None:
                self._pulled = Pulled(self.core)
            return self._pulled

    @property
    def stuck(self) -> dict[str, str]:
        """Instances that something cannot happen to, and why; they are tried again once a minute, others go on.

        Those of which this worker holds an attempt are among them, until its circuit breaker lets it through.
        """
        told = {name: f"{type(error).__name__}: {error}" for name, (_, error) in self.core.stuck.items()}
        return {**self.workplace.means.breakers.held(self.core.clock.now()), **told}

    def check(self, ids: Iterable[str] | None = None) -> Check:
        """Whether instances, or all, went as their definitions say: their records are put through `step` again.

        Cost: that of running `step` over all their records once.

        Raises
        ------
        EngineError
            If there is no such instance.
        """
        return check(self.core, ids)

    # --- life ------------------------------------------------------------------------------------

    def next_due(self) -> int | None:
        """When time alone brings the next thing about, in microseconds of the clock; `None` if it brings nothing."""
        return self.workplace.next_due()

    @property
    def is_closed(self) -> bool:
        """Whether `close` has been called."""
        return self._closed

    @property
    def stopped(self) -> str | None:
        """Why nothing goes on here, if so; `None` while all is well."""
        return self.workplace.stopped

    def raise_if_stopped(self) -> None:
        """Raise `RunStopped` if it is closed, or cannot go on."""
        if self._closed:
            raise RunStopped(f"the engine on {self.core.database.shown} has been closed here. Open it again.")
        self.workplace.raise_if_stopped()

    def close(self, timeout: float = 10.0) -> None:
        """End what goes on here; instances stay as they are in the database.

        Raises
        ------
        WaitTimeout
            If activities still run after that time; they are carried out again by whoever opens the engine.
        """
        if self._closed:
            return
        self._closed = True
        _AT_WORK.discard(self)
        self._finalizer.detach()
        left = self.workplace.close(timeout)
        if self._pulled is not None:
            self._pulled.close()
        self.core.database.close()
        if left:
            raise WaitTimeout(
                f"the engine is closed, but after {timeout} s these activities still run in their threads: "
                f"{listed(left)}. Let them look at context.cancelled."
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Engine on {self.core.database.shown}{' (closed)' if self._closed else ''}>"


def _let_go(workplace: Workplace, database: Database) -> None:
    workplace.close(0.0)
    database.close()
