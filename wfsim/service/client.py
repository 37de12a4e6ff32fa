"""`wf.connect`: an engine that is elsewhere, with the names of one that is here."""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from wfsim.errors import UnknownInstance, WfsimError
from wfsim.model.catalogue import Catalogue, as_catalogue
from wfsim.model.values import brief
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import dumps, loads
from wfsim.runtime.executions import Execution
from wfsim.runtime.explain import Explanation
from wfsim.runtime.figures import Backlog, Due, Worker
from wfsim.runtime.listing import Page
from wfsim.runtime.names import AnyEngine
from wfsim.runtime.sending import Answer, checked_id, payload_copy

from .connection import Connection
from .remote import RemoteRun, listed_of, record_of
from .remote_webhooks import RemoteWebhooks

if TYPE_CHECKING:
    import os
    from types import TracebackType

    from wfsim.model.values import Value
    from wfsim.semantics.records import Record


def connect(url: str = "http://localhost:8080", *, key: str | None = None) -> RemoteEngine:
    """Reach an engine over its service (`wfsim serve`), with the same names and the same errors.

    What changes something is sent with an idempotency key, and repeated when the connection fails: it is done once.

    Parameters
    ----------
    url
        Where the service is.
    key
        What `wfsim keys add` printed; a service on this machine without keys needs none.

    Raises
    ------
    WfsimError
        If it is no address, or the key opens nothing.
    ServiceError
        `unreachable`, if nobody answers there within some seconds.
    """
    found = RemoteEngine(Connection(url, key))
    try:
        found.caller()
    except BaseException:
        found.close()
        raise
    return found


class RemoteEngine(AnyEngine[RemoteRun]):
    """An engine behind a service; `connect` makes it. All methods may be called from any thread.

    What has the names of `AnyEngine` is described there.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def caller(self) -> dict[str, str]:
        """Whose key it is: `key`, `name`, `role`, `namespace`."""
        found: dict[str, str] = self._connection.get("caller")
        return found

    # --- definitions -----------------------------------------------------------------------------

    def publish(
        self,
        workflows: Workflow | Catalogue | str | os.PathLike[str] | Iterable[Workflow],
        *,
        lint: Literal["error", "warning"] | None = None,
        verify: bool = False,
        max_seconds: float = 2.0,
    ) -> None:
        """Publish workflows, one after the other; see `AnyEngine.publish`.

        Parameters
        ----------
        lint
            Publish each only if lint finds nothing as bad as this, or worse.
        verify
            Publish each only if no built-in property is violated; what cannot be settled in `max_seconds` is not.

        Raises
        ------
        DefinitionError
            With what speaks against it, in `problems`.
        """
        known = as_catalogue([workflows] if isinstance(workflows, Workflow) else workflows)
        asked: dict[str, Value] = {"lint": lint, "verify": verify, "max_seconds": max_seconds}
        for each in known.all_versions():
            self._connection.post("definitions", body={"definition": dumps(each), **asked})

    @property
    def workflows(self) -> Catalogue:
        """All that is published; each version costs a request."""
        found = self._connection.get("definitions")["definitions"]
        return Catalogue(self.workflow(each["name"], version) for each in found for version in each["versions"])

    def workflow(self, name: str, version: str | None = None) -> Workflow:
        """A workflow that is published, in the newest version that fits."""
        return loads(self._connection.get("definitions", name, version or "latest")["definition"])

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
    ) -> RemoteRun:
        if isinstance(workflow, Workflow):
            self.publish(workflow)
            name, version = workflow.name, workflow.version
        elif isinstance(workflow, str):
            name = workflow
        else:
            raise WfsimError(f"start takes the name of a workflow or a Workflow, not {brief(workflow)}.")
        body: dict[str, Value] = {"workflow": name, "version": version, "seed": seed, "priority": priority}
        body["input"] = _mapping(input) or {}
        body["id"] = None if id is None else checked_id(id)
        body["metadata"] = _mapping(metadata)
        return RemoteRun(self, self._connection.post("instances", body=body)["id"])

    def get(self, id: str) -> RemoteRun:
        self._connection.get("instances", str(id))
        return RemoteRun(self, str(id))

    def exists(self, id: str) -> bool:
        try:
            self._connection.get("instances", id)
        except UnknownInstance:
            return False
        return True

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
        wanted = [status] if isinstance(status, str) else None if status is None else builtins.list(status)
        found = self._connection.get(
            "instances",
            workflow=workflow,
            status=wanted,
            state=state,
            roots=roots,
            prefix=prefix,
            key=None if key is None else json.dumps(key),
            where=None if where is None else json.dumps(where),
            limit=limit,
            after=after,
        )
        return Page(tuple(map(listed_of, found["instances"])), found["after"])

    def children(self, id: str) -> builtins.list[RemoteRun]:
        found = self._connection.get("instances", id, "children")
        return [RemoteRun(self, each["id"]) for each in found["instances"]]

    def records(
        self, id: str, *, after: int = 0, limit: int | None = None, event_id: str | None = None
    ) -> builtins.list[tuple[Record, dict[str, Value] | None]]:
        found: builtins.list[tuple[Record, dict[str, Value] | None]] = []
        while limit is None or len(found) < limit:
            wanted = 1_000 if limit is None else min(limit - len(found), 1_000)
            page = self._connection.get("instances", id, "history", after=after, limit=wanted, event_id=event_id)
            found += [(record_of(each), each["metadata"]) for each in page["records"]]
            if page["after"] is None:
                break
            after = page["after"]
        return found

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
        if not isinstance(event, str):
            raise WfsimError(f"an event is sent by its name, a text, not {brief(event)}.")
        body = {"event": event, "payload": payload_copy(payload, fields), "metadata": _mapping(metadata)}
        body["event_id"] = None if event_id is None else checked_id(event_id, "an event id")
        told = self._connection.post("instances", id, "events", body=body, expected_version=expected_version)
        return _answer(told)

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
        checked = None if command_id is None else checked_id(command_id, "a command id")
        body = {"command": command, "reason": reason, "metadata": _mapping(metadata), "command_id": checked}
        told = self._connection.post("instances", id, "commands", body=body, expected_version=expected_version)
        return _answer(told)

    def control_all(
        self,
        ids: Iterable[str],
        command: str,
        reason: str | None = None,
        *,
        command_id: str | None = None,
        metadata: Mapping[str, Value] | None = None,
    ) -> dict[str, Answer]:
        body: dict[str, Value] = {"command": command, "reason": reason, "command_id": command_id}
        body["metadata"] = _mapping(metadata)
        body["ids"] = builtins.list(ids)
        found = self._connection.post("commands", body=body)["results"]
        return {name: _answer(told) for name, told in found.items()}

    def why_not(self, id: str, name: str, payload: Mapping[str, Value] | None = None) -> Explanation:
        told = self._connection.post("instances", id, "why-not", body={"name": name, "payload": _mapping(payload)})
        return Explanation(told["name"], told["possible"], told["reasons"])

    def complete(self, correlation_id: str, result: Value = None) -> str:
        body = {"correlation_id": correlation_id, "result": result}
        return str(self._connection.post("activities", "complete", body=body)["answer"])

    def fail(
        self,
        correlation_id: str,
        error_type: str,
        message: str | None = None,
        *,
        retry_after: float | None = None,
    ) -> str:
        body = {"correlation_id": correlation_id, "error_type": error_type, "message": message}
        return str(self._connection.post("activities", "fail", body={**body, "retry_after": retry_after})["answer"])

    def heartbeat(self, correlation_id: str, detail: Value = None) -> bool:
        body = {"correlation_id": correlation_id, "detail": detail}
        return bool(self._connection.post("activities", "heartbeat", body=body)["answer"] == "accepted")

    def execution(self, correlation_id: str) -> Execution:
        return Execution(**self._connection.get("activities", str(correlation_id)))

    @property
    def workers(self) -> builtins.list[Worker]:
        found = self._connection.get("workers")["workers"]
        for each in found:
            each["groups"] = None if each["groups"] is None else tuple(each["groups"])
            each["activities"] = tuple(each["activities"])
        return [Worker(**each) for each in found]

    @property
    def backlog(self) -> builtins.list[Backlog]:
        names = Backlog.__slots__
        return [Backlog(**{name: each[name] for name in names}) for each in self._connection.get("queues")["queues"]]

    def due(self, limit: int = 100) -> builtins.list[Due]:
        return [Due(**each) for each in self._connection.get("due", limit=limit)["due"]]

    @property
    def webhooks(self) -> RemoteWebhooks:
        """Who is told by HTTP what happens; see `Engine.webhooks`."""
        return RemoteWebhooks(self._connection)

    # --- life ------------------------------------------------------------------------------------

    @property
    def connection(self) -> Connection:
        """What reaches the service."""
        return self._connection

    def close(self) -> None:
        """Let go of connections; what runs goes on."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<RemoteEngine at {self._connection.url}>"


def _answer(told: Mapping[str, Any]) -> Answer:
    return Answer(told["answer"], told["fate"], told["state"], told["version"])


def _mapping(given: Mapping[str, Value] | None) -> dict[str, Value] | None:
    if given is not None and not isinstance(given, Mapping):
        raise WfsimError(f"this is a mapping from names to JSON values, not {brief(given)}.")
    return None if given is None else dict(given)
