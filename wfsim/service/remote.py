"""`RemoteRun`: an instance of an engine that is elsewhere, read anew whenever it is asked."""

from __future__ import annotations

import json
import time as wall
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from wfsim.errors import ServiceError, WaitTimeout, WfsimError, did_you_mean, listed
from wfsim.model.duration import Duration
from wfsim.model.statuses import STATUSES
from wfsim.runtime.handle import RunActivity
from wfsim.runtime.listing import Listed
from wfsim.runtime.sending import payload_copy
from wfsim.semantics.pending import Timer
from wfsim.semantics.records import Record

if TYPE_CHECKING:
    from wfsim.model.values import Value
    from wfsim.model.workflow import Workflow
    from wfsim.runtime.explain import Explanation
    from wfsim.runtime.handle import Timeout
    from wfsim.runtime.sending import Answer

    from .connection import Connection

Until: TypeAlias = "str | Callable[[RemoteRun], bool] | None"

LOOK = 1.0
"""Seconds after which a wait looks again, though no record has come."""

_RECORD = [field.name for field in fields(Record)]


class Owner(Protocol):
    """The engine of a run; see `client.RemoteEngine`."""

    @property
    def connection(self) -> Connection:
        """What reaches the service."""

    def get(self, id: str) -> RemoteRun:
        """An instance."""

    def workflow(self, name: str, version: str | None = None) -> Workflow:
        """A workflow that is published."""

    def children(self, id: str) -> list[RemoteRun]:
        """The instances that an instance has started."""

    def records(self, id: str) -> list[tuple[Record, dict[str, Value] | None]]:
        """Records of an instance."""

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
    ) -> Answer:
        """Send an event."""

    def control(self, id: str, command: str, reason: str | None = None, *, command_id: str | None = None) -> Answer:
        """Give a command."""

    def why_not(self, id: str, name: str, payload: Mapping[str, Value] | None = None) -> Explanation:
        """Why an event cannot be taken now."""


class RemoteRun:
    """An instance behind a service, with the names of `Run`; each property asks the service.

    Attributes
    ----------
    id
        What the instance is called.
    """

    def __init__(self, engine: Owner, id: str) -> None:
        self._engine = engine
        self.id = id

    def _look(self) -> dict[str, Any]:
        found: dict[str, Any] = self._engine.connection.get("instances", self.id)
        return found

    # --- what is seen ----------------------------------------------------------------------------

    @property
    def workflow(self) -> Workflow:
        """The definition it runs."""
        now = self._look()
        return self._engine.workflow(now["workflow"], now["definition_version"])

    @property
    def state(self) -> str:
        """The active state of the workflow."""
        return str(self._look()["state"])

    @property
    def configuration(self) -> dict[str, str]:
        """The active state of each region; the workflow's own region is named ''."""
        return dict(self._look()["configuration"])

    @property
    def status(self) -> str:
        """`running`, `paused`, `cancelling`, `completed`, `failed`, `cancelled`, `terminated` or `timed_out`."""
        return str(self._look()["status"])

    @property
    def is_closed(self) -> bool:
        """Whether it has come to its end."""
        return bool(self._look()["is_closed"])

    @property
    def is_idle(self) -> bool:
        """Whether nobody works on it or on its children, and no event waits."""
        return bool(self._look()["is_idle"])

    @property
    def outcome(self) -> str | None:
        """`success` or `failure` once completed."""
        found: str | None = self._look()["outcome"]
        return found

    @property
    def variables(self) -> dict[str, Value]:
        """Values of all variables; `None` where unset."""
        return dict(self._look()["variables"])

    @property
    def output(self) -> dict[str, Value] | None:
        """The output variables once the instance is closed, else `None`."""
        found: dict[str, Value] | None = self._look()["output"]
        return found

    @property
    def activities(self) -> list[RunActivity]:
        """Activities that have not ended."""
        names = [field.name for field in fields(RunActivity)]
        return [RunActivity(**{name: each[name] for name in names}) for each in self._look()["activities"]]

    @property
    def correlation_ids(self) -> list[str]:
        """What names the attempts of these activities to whoever completes them from outside, in the same order."""
        return [str(each["correlation_id"]) for each in self._look()["activities"]]

    @property
    def timers(self) -> list[Timer]:
        """Timers that have yet to fire, soonest first; `due` is in microseconds of the engine's clock."""
        return [Timer(**each) for each in self._look()["timers"]]

    @property
    def waiting(self) -> list[str]:
        """Events that wait for a busy region or a pause, or are deferred."""
        return list(self._look()["waiting"])

    @property
    def version(self) -> int:
        """`seq` of its last record (M1.3)."""
        return int(self._look()["version"])

    @property
    def parent(self) -> RemoteRun | None:
        """The instance that started it; `None` for a root."""
        name = self._look()["parent"]
        return None if name is None else RemoteRun(self._engine, name)

    @property
    def children(self) -> dict[str, RemoteRun]:
        """The instances that it has started, by id, in order of their starts."""
        return {each.id: each for each in self._engine.children(self.id)}

    @property
    def records(self) -> list[Record]:
        """Its records, with names, in order."""
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
        allowed = None if timeout is None else int(Duration.of(timeout)) / 1e6
        end = None if allowed is None else wall.monotonic() + allowed
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
                    end = None if allowed is None else wall.monotonic() + allowed
            except ServiceError as error:
                fails += 1
                if error.code != "unreachable" or fails > 8:
                    raise
                wall.sleep(min(0.05 * 2**fails, 3.0))

    # --- what is sent ----------------------------------------------------------------------------

    def send(
        self,
        event: str,
        payload: Mapping[str, Value] | None = None,
        /,
        *,
        event_id: str | None = None,
        metadata: Mapping[str, Value] | None = None,
        expected_version: int | None = None,
        **fields: Value,
    ) -> Answer:
        """Send an event; returns once it is stored. See `Engine.send`."""
        return self._engine.send(
            self.id,
            event,
            payload_copy(payload, fields),
            event_id=event_id,
            metadata=metadata,
            expected_version=expected_version,
        )

    def pause(self, reason: str | None = None, *, command_id: str | None = None) -> str:
        """Dispatch nothing and start no attempt until `resume`; running attempts finish (M8.1)."""
        return self.control("pause", reason, command_id=command_id)

    def resume(self, *, command_id: str | None = None) -> str:
        """Go on after a pause."""
        return self.control("resume", command_id=command_id)

    def cancel(self, reason: str | None = None, *, command_id: str | None = None) -> str:
        """Ask the workflow to stop: by its transition on `cancel_requested`, else it is `cancelled` (M8.3)."""
        return self.control("cancel", reason, command_id=command_id)

    def terminate(self, reason: str | None = None, *, command_id: str | None = None) -> str:
        """End the instance at once (M8.2)."""
        return self.control("terminate", reason, command_id=command_id)

    def retry(self, *, command_id: str | None = None) -> str:
        """Open a `failed` or `timed_out` instance again where it stood (M8.2)."""
        return self.control("retry", command_id=command_id)

    def control(self, command: str, reason: str | None = None, *, command_id: str | None = None) -> str:
        """Give a command by its name; returns once it is stored. See `Engine.control`."""
        return self._engine.control(self.id, command, reason, command_id=command_id)

    def why_not(self, name: str, payload: Mapping[str, Value] | None = None, /, **fields: Value) -> Explanation:
        """Why an event cannot be taken now, or a state not be reached: `print(run.why_not("ship"))`."""
        given = payload_copy(payload, fields) if payload is not None or fields else None
        return self._engine.why_not(self.id, name, given)

    # --- waiting ---------------------------------------------------------------------------------

    def wait(self, until: Until = None, timeout: Timeout = None) -> str:
        """Block until something holds; returns the state then. See `Run.wait`."""
        allowed = None if timeout is None else int(Duration.of(timeout)) / 1e6
        end = None if allowed is None else wall.monotonic() + allowed
        if isinstance(until, str):
            self._check_name(until)
        while True:
            now = self._look()
            if self._holds(until, now):
                return str(now["state"])
            if now["is_closed"] and not callable(until):
                raise WaitTimeout(self._stands(until, now, "and cannot any more"))
            left = None if end is None else end - wall.monotonic()
            if left is not None and left <= 0:
                raise WaitTimeout(self._stands(until, now, f"within {Duration.of(timeout)}"))
            self._something(now, LOOK if left is None else min(left, LOOK))

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
        if until == "idle":
            return bool(now["is_idle"])
        return until in (*now["configuration"].values(), now["status"])

    def _check_name(self, until: str) -> None:
        from wfsim.semantics.compile import compile_workflow

        if until in STATUSES[1:] or until == "idle":
            return
        workflow = self.workflow
        states = compile_workflow(workflow).state_rows
        if until not in states:
            raise WfsimError(
                f"{until!r} is neither a state of {workflow.name} nor a status."
                f"{did_you_mean(until, [*states, *STATUSES[1:], 'idle'])} States: {listed(states)}. "
                f"Statuses: {', '.join(STATUSES[1:])}. Or: idle."
            )

    def _stands(self, until: Until, now: Mapping[str, Any], how: str) -> str:
        wanted = (
            f"come to {until!r}" if isinstance(until, str) else "close" if until is None else "come to what was asked"
        )
        return (
            f"{self.id!r} did not {wanted} {how}: it is {now['status']} in {now['state']!r}, version {now['version']}."
        )

    def __repr__(self) -> str:
        return f"<RemoteRun {self.id!r} at {self._engine.connection.url}>"

    def __eq__(self, other: object) -> Any:
        return isinstance(other, RemoteRun) and (self._engine, self.id) == (other._engine, other.id)

    def __hash__(self) -> int:
        return hash((id(self._engine), self.id))


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
