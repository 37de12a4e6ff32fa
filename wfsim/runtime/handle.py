"""What an engine shows of an instance: read anew whenever it is asked."""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
import time as wall
import weakref
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias

from wfsim.errors import RunStopped, listed
from wfsim.model.duration import Duration
from wfsim.model.statuses import STATUSES

from .held import rebuilt
from .listing import Listed, listed_as
from .names import AnyEngine, AnyRun, RunActivity
from .view import View, view_of
from .waiting import Wait

if TYPE_CHECKING:
    from types import TracebackType

    from wfsim.history.history import History
    from wfsim.model.values import Value
    from wfsim.model.workflow import Workflow
    from wfsim.semantics.pending import Timer
    from wfsim.semantics.program import Program
    from wfsim.semantics.records import Record

    from .core import Core
    from .rows import InstanceRow, MoveRow
    from .waiting import Timeout

Until: TypeAlias = "str | Callable[[Run], bool] | None"


class Held(Protocol):
    """The right to use an engine; see `run.Lease`."""

    def release(self, timeout: float = ...) -> None:
        """It is needed no more."""


class Owner(AnyEngine["Run"], Protocol):
    """The engine of a run; see `engine.Engine`."""

    core: Core

    @property
    def history(self) -> History:
        """The history of all instances."""

    @property
    def is_closed(self) -> bool:
        """Whether it has been closed."""

    @property
    def stopped(self) -> str | None:
        """Why nothing goes on here, if so."""

    def definitions(self, family: str) -> list[str]:
        """The definitions of a family."""

    def begin_children(self, ids: Iterable[str]) -> None:
        """Let children that are owed start now."""

    def raise_if_stopped(self) -> None:
        """Raise `RunStopped` if nothing goes on here any more."""


SLICE = 1.0
"""Waiting goes in slices, so that a keyboard interrupt is noticed everywhere."""

LOOK = 0.05
"""Seconds between two looks at a database that others write to."""


class Run(AnyRun):
    """An instance of an engine: `wf.start` and `wf.reopen` give it, and an engine's `start` and `get`.

    What is read is what is stored now, whoever wrote it. All methods may be called from any thread. One that
    `wf.start` or `wf.reopen` gave has an engine of its own, or shares that of its store: use it as context manager, or
    `close` it. That ends what goes on here, while the instance stays open in the store. Of others, there is nothing to
    close.
    """

    _engine: Owner

    def __init__(self, engine: Owner, row: InstanceRow, lease: Held | None = None) -> None:
        super().__init__(engine, row.id)
        self._lease = lease
        self._kept: list[Record] | None = None
        self._seen: tuple[InstanceRow, View] | None = None
        if lease is not None:
            self._finalizer = weakref.finalize(self, lease.release)
        self._program = self._program_of(row)
        self._parent = row.parent

    def _program_of(self, row: InstanceRow) -> Program:
        return self._engine.core.families.get(row.family, self._engine.definitions).programs[row.member]

    # --- what is seen ----------------------------------------------------------------------------

    def _look(self) -> tuple[InstanceRow, View]:
        core = self._engine.core
        with core.database.reading() as rows:
            row = rows.read(self.id)
            if row is None:
                raise core.no_instance(rows, self.id)
            seen = self._seen
            if seen is not None and (seen[0].version, seen[0].family) == (row.version, row.family):
                return seen
            view = view_of(rebuilt(rows, row, core.families))
        # It may have moved to another version.
        self._program = self._program_of(row)
        self._seen = (row, view)
        return self._seen

    def shown(self) -> tuple[Listed, View]:
        """What lists say of it, and its picture, of one moment."""
        row, view = self._look()
        return listed_as(row), view

    @property
    def view(self) -> View:
        """The instance as it stands."""
        return self._look()[1]

    @property
    def moves(self) -> list[MoveRow]:
        """Its moves to other versions of its workflow (M15), in order."""
        with self._engine.core.database.reading() as rows:
            return rows.moves(self.id)

    @property
    def workflow(self) -> Workflow:
        self._look()
        return self._program.workflow

    @property
    def state(self) -> str:
        return self.view.state

    @property
    def configuration(self) -> dict[str, str]:
        return dict(self.view.configuration)

    @property
    def status(self) -> str:
        """`running`, `paused`, `cancelling`, `completed`, `failed`, `cancelled`, `terminated` or `timed_out`.

        `stopped` if nothing goes on here though it is not closed, for example since the disk is full; what is asked of
        it then says why (`EngineError`).
        """
        view = self.view
        return "stopped" if self._engine.stopped is not None and not view.is_closed else view.status

    @property
    def is_closed(self) -> bool:
        return self.view.is_closed

    @property
    def outcome(self) -> str | None:
        return self.view.outcome

    @property
    def variables(self) -> dict[str, Value]:
        return deepcopy(dict(self.view.variables))

    @property
    def output(self) -> dict[str, Value] | None:
        view = self.view
        if not view.is_closed:
            return None
        return {
            name: deepcopy(view.variables[name])
            for name, variable in self._program.variables.items()
            if variable.output and view.variables[name] is not None
        }

    @property
    def activities(self) -> list[RunActivity]:
        """Activities that have not ended; `detail` is what the last heartbeat said."""
        with self._engine.core.database.reading() as rows:
            details = {(row.serial, row.attempt): row.detail for row in rows.attempts(self.id)}
        return [
            RunActivity(
                work.activity,
                work.activity_id,
                work.attempt,
                work.phase,
                work.region,
                json.loads(details.get((work.activity_id, work.attempt)) or "null"),
                work.index,
            )
            for work in self.view.activities
        ]

    @property
    def timers(self) -> list[Timer]:
        return list(self.view.due)

    @property
    def waiting(self) -> list[str]:
        return list(self.view.waiting)

    @property
    def version(self) -> int:
        return self._look()[0].version

    @property
    def parent(self) -> Run | None:
        return None if self._parent is None else self._engine.get(self._parent)

    @property
    def children(self) -> dict[str, Run]:
        """The instances that it has started, by id, in order of their starts; closed ones too (M4.4)."""
        self._engine.begin_children([f"{self.id}/{child.activation}" for child in self.view.children])
        return {each.id: each for each in self._engine.children(self.id)}

    @property
    def records(self) -> list[Record]:
        """Its records, with names, in order; still there after `close`."""
        if self._kept is not None:
            return list(self._kept)
        with self._engine.core.database.reading() as rows:
            return rows.records(self.id)

    @property
    def history(self) -> History:
        """The history of all instances of its engine, brought up to date: `.sql`, `.case(id)`, `.df()`.

        Raises
        ------
        RunStopped
            After `close`.
        """
        self._raise_if_closed()
        return self._engine.history

    def watch(self, after: int = 0, timeout: Timeout = None) -> Iterator[Record]:
        """Its records after one, as they come, until it is closed.

        Raises
        ------
        WaitTimeout
            If none has come for `timeout`.
        """
        while True:
            with self._engine.core.database.reading() as rows:
                found = rows.records(self.id, after)
            yield from found
            if found:
                after = found[-1].seq
                continue
            if self.is_closed and self.version == after:
                return
            self.wait(_beyond(after), timeout)

    # --- what is sent ----------------------------------------------------------------------------

    def _asked(self) -> Owner:
        self._raise_if_closed()
        return self._engine

    def _raise_if_closed(self) -> None:
        if self._kept is not None or self._engine.is_closed:
            raise RunStopped(
                f"{self.id!r} has been closed here. Go on with wf.reopen(store, {self.id!r}); its records are in "
                "`.records`, and the history of its store is wf.open_engine(store).history."
            )

    # --- waiting ---------------------------------------------------------------------------------

    def wait(self, until: Until = None, timeout: Timeout = None) -> str:
        """Block until something holds; returns the state then.

        Parameters
        ----------
        until
            A state or a status; `"idle"`: no activity is open and no event waits, of its children neither; a function
            of the run; `None`: the instance is closed.
        timeout
            Real seconds, or `"30s"`; `None`: for ever.

        Raises
        ------
        WaitTimeout
            Saying where the run stands, if time is up, or the instance closed without coming there.
        WfsimError
            If `until` is neither a state nor a status.
        """
        holds = self._condition(until)
        # Functions and idleness may be about others as well.
        is_own = not callable(until) and until != "idle"
        wait = Wait(self.id, until, timeout, lambda: self._stands(until))
        core = self._engine.core
        while True:
            changes = core.changes
            view = self.view
            if holds(view):
                return self.state
            pause = self._pause(view, wait)
            # The condition is asked outside the lock: it may send something.
            until_look = wall.monotonic() + pause
            with core.news:
                while not (self._is_behind(view) if is_own else core.changes != changes):
                    left = until_look - wall.monotonic()
                    if left <= 0 or not core.news.wait(left):
                        break

    async def wait_async(self, until: Until = None, timeout: Timeout = None) -> str:
        """`wait` for event loops."""
        holds = self._condition(until)
        wait = Wait(self.id, until, timeout, lambda: self._stands(until))
        loop = asyncio.get_running_loop()
        news = asyncio.Event()
        over = False

        def watcher() -> bool:
            if not over and not loop.is_closed():
                loop.call_soon_threadsafe(news.set)
            return over

        self._engine.core.watch(watcher)
        try:
            while True:
                news.clear()
                view = self.view
                if holds(view):
                    return self.state
                pause = self._pause(view, wait)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), pause)
        finally:
            over = True

    def _is_behind(self, view: View) -> bool:
        """Whether the instance is known to have gone on since."""
        core = self._engine.core
        return core.versions.get(self.id, 0) > view.version or self._engine.stopped is not None

    def _pause(self, view: View, wait: Wait) -> float:
        """How long to wait before the next look, in seconds; `WaitTimeout` if there is nothing to wait for."""
        self._engine.raise_if_stopped()
        return wait.left(view.is_closed, SLICE if self._engine.core.database.in_memory else LOOK)

    def _condition(self, until: Until) -> Callable[[View], bool]:
        if until is None:
            return lambda view: view.is_closed
        if callable(until):
            return lambda _: bool(until(self))
        states = self._program.state_rows
        if until in states or until in STATUSES[1:]:
            return lambda view: until in (*view.configuration.values(), view.status)
        self._refuse_unknown(until, states)
        return lambda view: self.is_idle

    @property
    def is_idle(self) -> bool:
        view = self.view
        if view.is_closed:
            return True
        if view.activities or view.waiting or view.flights:
            return False
        inner = self.children
        # One that is about to start, or whose end is about to be told, is still moving.
        expected = [f"{self.id}/{child.activation}" for child in view.children]
        return all(name in inner and not inner[name].is_closed and inner[name].is_idle for name in expected)

    def _stands(self, until: Until) -> str:
        """Where the run is, for an error of waiting."""
        view = self.view
        parts = [f"it is {view.status} in {view.state!r}, version {view.version}."]
        if view.activities:
            shown = listed(f"{work.activity} (attempt {work.attempt}, {work.phase})" for work in view.activities)
            parts.append(f"Open activities: {shown}.")
        if view.children:
            parts.append(f"Open children: {listed(f'{self.id}/{one.activation}' for one in view.children)}.")
        if view.due:
            left = max(view.due[0].due - self._engine.core.clock.now(), 0)
            parts.append(f"Next timer: {view.due[0].name!r} in {Duration(left).about()}.")
        if view.waiting:
            parts.append(f"Events that wait: {listed(view.waiting)}.")
        if isinstance(until, str) and until in self._program.state_rows:
            parts.append(f"Ask run.why_not({until!r}).")
        return " ".join(parts)

    # --- life ------------------------------------------------------------------------------------

    def close(self, timeout: float = 10.0) -> None:
        """Let go of its store; the last run of this process that does ends what goes on there.

        Asynchronous activities are cancelled and repeated after `reopen`. Synchronous ones see `context.cancelled` and
        are waited for; what they report is stored.

        Parameters
        ----------
        timeout
            Real seconds to wait for activities.

        Raises
        ------
        WaitTimeout
            If activities still run after that; the run is closed all the same, and these attempts are carried out again
            after `reopen`.
        """
        if self._lease is None or self._kept is not None:
            return
        self._finalizer.detach()
        try:
            self._lease.release(timeout)
        finally:
            self._kept = self.records

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        view = self.view
        outcome = f" ({view.outcome})" if view.outcome else ""
        stands = f"{view.status}{outcome} in {view.state!r}, version {view.version}"
        return f"<Run {self.id!r} of {self.workflow.name}: {stands}>"

    def _repr_html_(self) -> str:
        view = self.view
        now = self._engine.core.clock.now()
        rows = [
            ("workflow", f"{self.workflow.name} {self.workflow.version}"),
            ("status", self.status + (f", {view.outcome}" if view.outcome else "")),
            ("state", ", ".join(view.configuration.values())),
            *((name, "" if value is None else repr(value)[:200]) for name, value in view.variables.items()),
            *((f"activity {work.activity}", f"attempt {work.attempt}, {work.phase}") for work in view.activities),
            *((f"child {child.workflow}", f"{self.id}/{child.activation}") for child in view.children),
            *((f"timer {timer.name}", f"in {Duration(max(timer.due - now, 0))}") for timer in view.due),
            *(("event", f"{event} waits") for event in view.waiting),
            ("version", str(view.version)),
        ]
        body = "".join(
            f'<tr><th style="text-align:left">{html.escape(name)}</th><td>{html.escape(value)}</td></tr>'
            for name, value in rows
        )
        return f"<table><caption>{html.escape(self.id)}</caption>{body}</table>"


def _beyond(version: int) -> Callable[[Run], bool]:
    return lambda run: run.version > version
