"""The names of an engine and of an instance: the same here (`Engine`, `Run`) and behind a service."""

from __future__ import annotations

import abc
import asyncio
import builtins
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from wfsim.errors import WfsimError, did_you_mean, listed
from wfsim.model.statuses import STATUSES

from .sending import copied, payload_copy

if TYPE_CHECKING:
    import os

    from wfsim.model.catalogue import Catalogue
    from wfsim.model.values import Value
    from wfsim.model.workflow import Workflow
    from wfsim.semantics.pending import Timer
    from wfsim.semantics.records import Record

    from .executions import Execution
    from .explain import Explanation
    from .figures import Backlog, Due, Worker
    from .listing import Page
    from .sending import Answer

R = TypeVar("R")


class AnyEngine(Protocol[R]):
    """An engine, wherever it is; `R` is what it shows of an instance."""

    # --- definitions -----------------------------------------------------------------------------

    def publish(self, workflows: Workflow | Catalogue | str | os.PathLike[str] | Iterable[Workflow]) -> None:
        """Instances may be started of these from now on; what is open goes on in its own version.

        Raises
        ------
        EngineError
            If a name and version is published with another definition.
        """

    @property
    def workflows(self) -> Catalogue:
        """All that is published."""

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
    ) -> R:
        """Start an instance; `started` and its consequences are stored when this returns.

        Parameters
        ----------
        workflow
            The name of one that is published, in the newest version or that of `version` (`">=1.2, <2.0"`); or a
            workflow, which is published then.
        input
            Values of its input variables.
        id
            What it is called, unique in the database; by default its workflow and a number. Starting the same id twice
            is refused, so a client may repeat a start that it is not sure of.
        seed
            Makes its random draws (jitter of retries) repeatable.
        metadata
            Stored beside the record, for whoever asks the history; no condition sees it.
        priority
            Of its attempts and those of its children, where several wait in a queue: high first, from -1,000 to 1,000.

        Raises
        ------
        StartRefused
            For bad input, a key that is taken (`CorrelationTaken`, M7.2), or an id that exists (`InstanceExists`);
            nothing was stored. Of an engine in memory, also for a function that is missing.
        EngineError
            If there is no such workflow.
        """

    def get(self, id: str) -> R:
        """An instance, open or closed.

        Raises
        ------
        EngineError
            If there is none.
        """

    def exists(self, id: str) -> bool:
        """Whether there is an instance of this id."""

    def children(self, id: str) -> builtins.list[R]:
        """The instances that an instance has started, in order of their starts."""

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
        """Instances, those that started last first, by pages.

        Parameters
        ----------
        workflow, status, state
            Only these; `status="open"` stands for those that are not closed.
        roots
            Leave out those that another one has started.
        prefix
            What their ids begin with.
        key
            Their correlation key; those that are closed have none any more.
        where
            Values that searchable variables have, or had at the end: texts, numbers, booleans.
        limit
            At most so many, up to 1,000.
        after
            What the page before gave as `after`.

        Notes
        -----
        A page costs the same wherever it is: the next one is found by the start and id of the last (keyset).
        """

    def records(
        self, id: str, *, after: int = 0, limit: int | None = None, event_id: str | None = None
    ) -> builtins.list[tuple[Record, dict[str, Value] | None]]:
        """Records of an instance after one, in order, each with what the sender of its stimulus gave beside it.

        Parameters
        ----------
        event_id
            Only those about the event, or the command, of this id.

        Raises
        ------
        UnknownInstance
            If there is no such instance.
        """

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
        """Send an event to an instance; returns once it is stored.

        Parameters
        ----------
        id, event
            An instance, and an event that it declares.
        payload, fields
            The event's payload: a mapping, or fields as keywords.
        event_id
            The same id twice is applied once, whoever sends it and whenever. By default a number of its own.
        metadata
            Stored beside the record, for whoever asks the history; no condition sees it.
        expected_version
            Apply it only if the instance has so many records.

        Returns
        -------
        Answer
            `accepted`; `deferred` or `discarded`, as the definition says of events nobody takes; `waiting`: a busy
            region or a pause holds it; `duplicate`: an event with this id came before, and `fate` tells what has become
            of that.

        Raises
        ------
        EventRejected
            If nobody takes it, or it is not as declared; the text says why, with the values that decide.
        ConflictError
            If the instance has another version than expected; nothing was stored.
        EngineError
            If there is no such instance.
        """

    async def send_async(
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
        """`send` for event loops: a thread waits until it is stored, and the loop goes on.

        Whoever is cancelled meanwhile does not know whether it was stored: sent again under the same `event_id` it is
        applied once.
        """
        given = payload_copy(payload, fields)
        beside: Any = copied(metadata)
        return await asyncio.to_thread(
            self.send, id, event, given, event_id=event_id, metadata=beside, expected_version=expected_version
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
        """Give a command (`pause`, `resume`, `cancel`, `terminate`, `retry`); returns once it is stored.

        Returns
        -------
        Answer
            `accepted`; `ignored`, if it does not fit the status; `duplicate`, if the id was seen before, and `fate` is
            what became of the first.

        Raises
        ------
        WfsimError
            If there is no such command.
        EngineError
            If there is no such instance.
        """

    def control_all(
        self,
        ids: Iterable[str],
        command: str,
        reason: str | None = None,
        *,
        command_id: str | None = None,
        metadata: Mapping[str, Value] | None = None,
    ) -> dict[str, Answer]:
        """Give a command to several instances, each in a transaction of its own; what became of each, by id.

        One that is missing is told as `missing`; the others are carried out all the same.
        """

    def why_not(self, id: str, name: str, payload: Mapping[str, Value] | None = None) -> Explanation:
        """Why an event cannot be taken now, or a state not be reached; see `Run.why_not`."""

    def complete(self, correlation_id: str, result: Value = None) -> str:
        """An attempt has succeeded, says somebody outside; see `ActivityContext.later`.

        Parameters
        ----------
        correlation_id
            What `context.correlation_id` was in the attempt.

        Returns
        -------
        str
            `accepted`; `ignored`, if nobody waits for it any more: it has ended, or its instance has.

        Raises
        ------
        UnknownInstance
            If there is no such instance.
        WfsimError
            If the text is no such id, or the result is no JSON.
        """

    def fail(
        self,
        correlation_id: str,
        error_type: str,
        message: str | None = None,
        *,
        retry_after: float | None = None,
    ) -> str:
        """An attempt has failed, says somebody outside, with an error type as of an `ActivityError`; see `complete`."""

    def heartbeat(self, correlation_id: str, detail: Value = None) -> bool:
        """The work on an attempt goes on outside (M5.3); false if nobody waits for it any more."""

    def execution(self, correlation_id: str) -> Execution:
        """One attempt of an activity, whether it has ended or not: what went in, what came out, and when.

        Parameters
        ----------
        correlation_id
            `context.correlation_id` of the attempt, `<instance>:<activity>:<attempt>`.

        Raises
        ------
        UnknownInstance, UnknownExecution
            If there is no such instance, or it has never scheduled that attempt.
        WfsimError
            If the text is no such id.
        """

    @property
    def workers(self) -> builtins.list[Worker]:
        """The processes that work for this database."""

    @property
    def backlog(self) -> builtins.list[Backlog]:
        """How many attempts wait and are carried out, by the group whose workers do it."""

    def due(self, limit: int = 100) -> builtins.list[Due]:
        """What happens next by itself: timers, starts of children, messages."""


@dataclass(frozen=True, slots=True)
class RunActivity:
    """An open activity of a run; `detail` is what its last heartbeat said, `index` the item of a `for_each`."""

    activity: str
    activity_id: int
    attempt: int
    phase: str
    region: str
    detail: Value = None
    index: int | None = None


class AnyRun(abc.ABC):
    """An instance of an engine, wherever that is: what is read is what is stored now, whoever wrote it.

    Attributes
    ----------
    id
        What the instance is called.
    """

    def __init__(self, engine: AnyEngine[Any], id: str) -> None:
        self._engine = engine
        self.id = id

    # --- what is seen ----------------------------------------------------------------------------

    @property
    @abc.abstractmethod
    def workflow(self) -> Workflow:
        """The definition it runs."""

    @property
    @abc.abstractmethod
    def state(self) -> str:
        """The active state of the workflow."""

    @property
    @abc.abstractmethod
    def configuration(self) -> dict[str, str]:
        """The active state of each region; the workflow's own region is named ''."""

    @property
    @abc.abstractmethod
    def status(self) -> str:
        """`running`, `paused`, `cancelling`, `completed`, `failed`, `cancelled`, `terminated` or `timed_out`."""

    @property
    @abc.abstractmethod
    def is_closed(self) -> bool:
        """Whether it has come to its end."""

    @property
    @abc.abstractmethod
    def is_idle(self) -> bool:
        """Whether nobody works on it or on its children, and no event waits."""

    @property
    @abc.abstractmethod
    def outcome(self) -> str | None:
        """`success` or `failure` once completed."""

    @property
    @abc.abstractmethod
    def variables(self) -> dict[str, Value]:
        """Values of all variables; `None` where unset."""

    @property
    @abc.abstractmethod
    def output(self) -> dict[str, Value] | None:
        """The output variables once the instance is closed, else `None`."""

    @property
    @abc.abstractmethod
    def activities(self) -> list[RunActivity]:
        """Activities that have not ended; `detail` is what the last heartbeat said."""

    @property
    @abc.abstractmethod
    def timers(self) -> list[Timer]:
        """Timers that have yet to fire, soonest first; `due` is in microseconds of the engine's clock."""

    @property
    @abc.abstractmethod
    def waiting(self) -> list[str]:
        """Events that wait for a busy region or a pause, or are deferred."""

    @property
    @abc.abstractmethod
    def version(self) -> int:
        """`seq` of its last record (M1.3)."""

    @property
    @abc.abstractmethod
    def parent(self) -> AnyRun | None:
        """The instance that started it; `None` for a root."""

    @property
    @abc.abstractmethod
    def children(self) -> Mapping[str, AnyRun]:
        """The instances that it has started, by id, in order of their starts; closed ones too (M4.4)."""

    @property
    @abc.abstractmethod
    def records(self) -> list[Record]:
        """Its records, with names, in order."""

    # --- what is sent ----------------------------------------------------------------------------

    def _asked(self) -> AnyEngine[Any]:
        """The engine, if something can be sent."""
        return self._engine

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
        """Send an event; returns once it is stored. See `AnyEngine.send`."""
        return self._asked().send(
            self.id,
            event,
            payload_copy(payload, fields),
            event_id=event_id,
            metadata=metadata,
            expected_version=expected_version,
        )

    async def send_async(
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
        """`send` for event loops. See `AnyEngine.send_async`."""
        return await self._asked().send_async(
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
        """Give a command by its name; returns once it is stored. See `AnyEngine.control`."""
        return self._asked().control(self.id, command, reason, command_id=command_id)

    def why_not(self, name: str, payload: Mapping[str, Value] | None = None, /, **fields: Value) -> Explanation:
        """Why an event cannot be taken now, or a state not be reached: `print(run.why_not("ship"))`."""
        given = payload_copy(payload, fields) if payload is not None or fields else None
        return self._engine.why_not(self.id, name, given)

    # --- waiting ---------------------------------------------------------------------------------

    def _refuse_unknown(self, until: object, states: Iterable[str]) -> None:
        """What a wait asks for must be a state or a status, if it is no function."""
        known = [*states, *STATUSES[1:], "idle"]
        if until not in known:
            raise WfsimError(
                f"{until!r} is neither a state of {self.workflow.name} nor a status."
                f"{did_you_mean(str(until), known)} States: {listed(states)}. "
                f"Statuses: {', '.join(STATUSES[1:])}. Or: idle."
            )

    def __eq__(self, other: object) -> Any:
        return isinstance(other, AnyRun) and (self._engine, self.id) == (other._engine, other.id)

    def __hash__(self) -> int:
        return hash((id(self._engine), self.id))
