"""`RemoteRun`: an instance of an engine that is elsewhere, read anew whenever it is asked."""

from __future__ import annotations

import json
import time as wall
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from wfsim.errors import ServiceError, WaitTimeout
from wfsim.model.duration import Duration
from wfsim.model.statuses import STATUSES
from wfsim.runtime.listing import Listed
from wfsim.runtime.names import AnyEngine, AnyRun, RunActivity
from wfsim.runtime.waiting import Wait, deadline
from wfsim.semantics.pending import Timer
from wfsim.semantics.records import Record

if TYPE_CHECKING:
    from wfsim.model.values import Value
    from wfsim.model.workflow import Workflow
    from wfsim.runtime.waiting import Timeout

    from .connection import Connection

Until: TypeAlias = "str | Callable[[RemoteRun], bool] | None"

LOOK = 1.0
"""Seconds after which a wait looks again, though no record has come."""

_RECORD = [field.name for field in fields(Record)]


class Owner(AnyEngine["RemoteRun"], Protocol):
    """The engine of a run; see `client.RemoteEngine`."""

    @property
    def connection(self) -> Connection:
        """What reaches the service."""

    def workflow(self, name: str, version: str | None = None) -> Workflow:
        """A workflow that is published."""


class RemoteRun(AnyRun):
    """An instance behind a service, with the names of `AnyRun`; each property asks the service."""

    _engine: Owner

    def __init__(self, engine: Owner, id: str) -> None:
        super().__init__(engine, id)

    def _look(self) -> dict[str, Any]:
        found: dict[str, Any] = self._engine.connection.get("instances", self.id)
        return found

    # --- what is seen ----------------------------------------------------------------------------

    @property
    def workflow(self) -> Workflow:
        now = self._look()
        return self._engine.workflow(now["workflow"], now["definition_version"])

    @property
    def state(self) -> str:
        return str(self._look()["state"])

    @property
    def configuration(self) -> dict[str, str]:
        return dict(self._look()["configuration"])

    @property
    def status(self) -> str:
        return str(self._look()["status"])

    @property
    def is_closed(self) -> bool:
        return bool(self._look()["is_closed"])

    @property
    def is_idle(self) -> bool:
        return bool(self._look()["is_idle"])

    @property
    def outcome(self) -> str | None:
        found: str | None = self._look()["outcome"]
        return found

    @property
    def variables(self) -> dict[str, Value]:
        return dict(self._look()["variables"])

    @property
    def output(self) -> dict[str, Value] | None:
        found: dict[str, Value] | None = self._look()["output"]
        return found

    @property
    def activities(self) -> list[RunActivity]:
        names = [field.name for field in fields(RunActivity)]
        return [RunActivity(**{name: each[name] for name in names}) for each in self._look()["activities"]]

    @property
    def correlation_ids(self) -> list[str]:
        """What names the attempts of these activities to whoever completes them from outside, in the same order."""
        return [str(each["correlation_id"]) for each in self._look()["activities"]]

    @property
    def timers(self) -> list[Timer]:
        return [Timer(**each) for each in self._look()["timers"]]

    @property
    def waiting(self) -> list[str]:
        return list(self._look()["waiting"])

    @property
    def version(self) -> int:
        return int(self._look()["version"])

    @property
    def parent(self) -> RemoteRun | None:
        name = self._look()["parent"]
        return None if name is None else RemoteRun(self._engine, name)

    @property
    def children(self) -> dict[str, RemoteRun]:
        """The instances that it has started, by id, in order of their starts."""
        return {each.id: each for each in self._engine.children(self.id)}

    @property
    def records(self) -> list[Record]:
        return [record for record, _ in self._engine.records(self.id)]

    def watch(self, after: int = 0, timeout: Timeout = None) -> Iterator[Record]:
        """Its records after one, as they come, until it is closed; a connection that breaks is made again.

        Raises
        ------
        WaitTimeout
            If none has come for `timeout`.
        ServiceError
            `unreachable`, if the service does not come back within some seconds.
        """
        end = deadline(timeout)
        fails = 0
        while True:
            left = None if end is None else end - wall.monotonic()
            if left is not None and left <= 0:
                raise WaitTimeout(f"no record of {self.id!r} after {after} has come within {Duration.of(timeout)}.")
            silence = 30.0 if left is None else min(left, 30.0)
            try:
                lines = self._engine.connection.lines("instances", self.id, "events", last=after, timeout=silence)
                for kind, data in _events(lines):
                    fails = 0
                    if kind == "closed":
                        return
                    record = record_of(data)
                    after = record.seq
                    yield record
                    end = deadline(timeout)
            except ServiceError as error:
                fails += 1
                if error.code != "unreachable" or fails > 8:
                    raise
                wall.sleep(min(0.05 * 2**fails, 3.0))

    # --- waiting ---------------------------------------------------------------------------------

    def wait(self, until: Until = None, timeout: Timeout = None) -> str:
        """Block until something holds; returns the state then. See `Run.wait`."""
        idleness = isinstance(until, str) and self._is_idleness(until)
        now: dict[str, Any]
        wait = Wait(self.id, until, timeout, lambda: _stands(now))
        while True:
            now = self._look()
            if now["is_idle"] if idleness else self._holds(until, now):
                return str(now["state"])
            self._something(now, wait.left(now["is_closed"], LOOK))

    def _something(self, now: Mapping[str, Any], seconds: float) -> None:
        """Wait for a record, at most so long."""
        if now["is_closed"]:
            wall.sleep(min(seconds, 0.1))
            return
        watching = self.watch(now["version"], max(round(seconds, 3), 0.001))
        try:
            next(watching, None)
        except WaitTimeout:
            return
        finally:
            close: Callable[[], None] = watching.close  # type: ignore[attr-defined]
            close()

    def _holds(self, until: Until, now: Mapping[str, Any]) -> bool:
        if until is None:
            return bool(now["is_closed"])
        if callable(until):
            return bool(until(self))
        return until in (*now["configuration"].values(), now["status"])

    def _is_idleness(self, until: str) -> bool:
        """Whether `idle` is meant, and no state that is called so."""
        from wfsim.semantics.compile import compile_workflow

        if until in STATUSES[1:]:
            return False
        states = compile_workflow(self.workflow).state_rows
        self._refuse_unknown(until, states)
        return until not in states

    def __repr__(self) -> str:
        return f"<RemoteRun {self.id!r} at {self._engine.connection.url}>"


def _stands(now: Mapping[str, Any]) -> str:
    return f"it is {now['status']} in {now['state']!r}, version {now['version']}."


def record_of(told: Mapping[str, Any]) -> Record:
    """A record as the service tells it."""
    return Record(**{name: told[name] for name in _RECORD})


def listed_of(told: Mapping[str, Any]) -> Listed:
    """An instance in a list as the service tells it."""
    same = {name: told[name] for name in ("id", "workflow", "status", "state", "outcome", "parent", "key")}
    return Listed(
        **same,
        version=told["definition_version"],
        records=told["version"],
        started=told["started"],
        changed=told["changed"],
    )


def _events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Server-sent events, as far as this service sends them: one line of data each."""
    kind, data = "message", ""
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            data = value
        elif line == "" and data:
            yield kind, json.loads(data)
            kind, data = "message", ""
