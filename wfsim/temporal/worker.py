"""A worker for a server of Temporal: the workflow of any definition, and attempts by functions in Python."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from temporalio import activity
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from wfsim.errors import EngineError
from wfsim.history.runs import definition_of
from wfsim.model.uses import declared_activities
from wfsim.runtime.clock import SystemClock
from wfsim.runtime.executor import Attempt, Executor, Report
from wfsim.runtime.implementations import Implementations, implementations_for, use_of
from wfsim.runtime.permissions import Permissions, checked_permissions

from .commands import STARTED_SIGNAL, refuse_uncovered
from .workflow import DefinedWorkflow

if TYPE_CHECKING:
    from wfsim.model.values import Value
    from wfsim.model.workflow import Workflow
    from wfsim.runtime.implementations import Function
    from wfsim.runtime.rows import Key

BEATS = 0.5
"""Seconds between two signs of life; `context.sleep` ends as exactly."""
ENDING = 5.0
"""Seconds that functions get to end when the worker does."""

Tell: TypeAlias = Callable[[str, str, list[Any]], Awaitable[None]]
"""Signals a workflow: its id, the signal, its arguments."""


class Attempts:
    """Carries out the attempts of one workflow's instances; the executor is that of the engine.

    Parameters
    ----------
    functions
        As `wf.start` takes them.
    tell
        How a workflow hears that an attempt has begun.

    Raises
    ------
    StartRefused
        If an activity has no function, or one does not fit.
    """

    def __init__(
        self,
        workflow: Workflow,
        functions: Mapping[str, Function] | None,
        tell: Tell,
        permissions: Permissions | None = None,
    ) -> None:
        allowed = checked_permissions(permissions)
        self._workflow = workflow
        self._implementations = Implementations(allowed)
        self._implementations.add(implementations_for([workflow], functions, allowed))
        self._tell = tell
        self._clock = SystemClock()
        self._executor = Executor("temporal", self._clock, self._reported, lambda: None)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: dict[Key, asyncio.Future[Report]] = {}

    def stop(self) -> None:
        """Take back what still runs."""
        self._executor.stop(ENDING)

    @activity.defn(dynamic=True)
    async def carry_out(self, args: Sequence[RawValue]) -> Any:
        """One attempt, as `commands.order_of` describes it; what it raises is never tried again by Temporal."""
        order = activity.payload_converter().from_payload(args[0].payload)
        name = activity.info().activity_type
        key: Key = (order["instance"], order["activity_id"], order["attempt"])
        declared = declared_activities(self._workflow)[name]
        implementation = self._implementations.of(use_of(self._workflow, name), declared)
        if implementation is None:
            raise ApplicationError(f"nothing carries out {name!r} here", type="NotCovered", non_retryable=True)
        attempt = Attempt(
            key,
            name,
            order["input"],
            idempotency_key=order["idempotency_key"],
            heartbeat=None if declared.heartbeat is None else int(declared.heartbeat),
            deadline=None,
            index=None,
        )
        await self._tell(order["instance"], STARTED_SIGNAL, [order["activity_id"], order["attempt"], None])
        self._loop = asyncio.get_running_loop()
        report = self._waiting[key] = self._loop.create_future()
        try:
            self._executor.launch(attempt, implementation)
            while not report.done():
                activity.heartbeat()
                now = self._clock.now()
                self._executor.wake(now)
                if attempt.beat_by is not None and attempt.beat_by <= now:
                    self._executor.cancel(key)
                    report.set_result(Report(key, error_type="Timeout.heartbeat"))
                await asyncio.wait([report], timeout=BEATS)
        except asyncio.CancelledError:
            self._executor.cancel(key)
            raise
        finally:
            del self._waiting[key]
        return _outcome(report.result())

    def _reported(self, report: Report) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._resolve, report)

    def _resolve(self, report: Report) -> None:
        waiting = self._waiting.get(report.key)
        if waiting is not None and not waiting.done():
            waiting.set_result(report)


def _outcome(report: Report) -> Value:
    if report.is_later:
        raise ApplicationError(
            "results that come later are not taken on Temporal", type="NotCovered", non_retryable=True
        )
    if report.error_type is None:
        return report.result
    said = {"message": report.message, "retry_after": report.retry_after}
    raise ApplicationError(report.message or "", said, type=report.error_type, non_retryable=True)


async def run_there(
    workflow: Workflow,
    address: str,
    *,
    input: Mapping[str, Value] | None = None,
    activities: Mapping[str, Function] | None = None,
    id: str,
    task_queue: str = "wfsim",
) -> dict[str, Any]:
    """Start a worker and one instance on a server of Temporal, and wait for its end.

    Parameters
    ----------
    address
        Host and port of the server; the namespace is `default`.
    id
        Of the workflow there; event ids and idempotency keys are made of it.

    Returns
    -------
    dict
        Status, outcome, state, output and version of the instance.

    Raises
    ------
    NotCovered, StartRefused
        If the definition cannot be carried out there, or an activity has no function; nothing was asked of the server.
    EngineError
        If the server cannot be reached, or the instance does not end as completed.
    """
    refuse_uncovered(workflow)
    clients: list[Client] = []

    async def tell(name: str, signal: str, args: list[Any]) -> None:
        await clients[0].get_workflow_handle(name).signal(signal, args=args)

    attempts = Attempts(workflow, activities, tell)
    given = {"definition": definition_of(workflow), "input": dict(input or {}), "key": secrets.randbits(62)}
    try:
        clients.append(await _connected(address))
        async with Worker(
            clients[0], task_queue=task_queue, workflows=[DefinedWorkflow], activities=[attempts.carry_out]
        ):
            handle = await clients[0].start_workflow(workflow.name, given, id=id, task_queue=task_queue)
            found: dict[str, Any] = await handle.result()
            return found
    except WorkflowFailureError as error:
        raise EngineError(f"{id} has not ended as completed: {error.cause}.") from error
    finally:
        attempts.stop()


async def _connected(address: str) -> Client:
    try:
        return await Client.connect(address)
    except RuntimeError as error:
        raise EngineError(f"the server at {address} cannot be reached: {error}") from error
