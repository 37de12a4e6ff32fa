"""The workflow that Temporal runs for any definition: what reaches it becomes a stimulus, and `step` decides.

Signals are events, under their names, with the payload and perhaps `{event_id, sender}`; `wfsim.control` is a command
of an operator, and so is a request to cancel the workflow. Timers are Temporal's, attempts its activities, each tried
once there: the retry policy is ours (M5.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, TimeoutError, TimeoutType

with workflow.unsafe.imports_passed_through():
    import asyncio

    from wfsim.errors import WfsimError
    from wfsim.semantics.codes import COMMANDS
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.records import Effect, effects_of
    from wfsim.semantics.stimulus import Stimulus
    from wfsim.temporal.commands import (
        CONTROL_SIGNAL,
        SHORTEST_TIMER,
        STARTED_SIGNAL,
        attempt_name,
        commands_of,
        order_of,
        program_of,
    )

LIFE = timedelta(seconds=30)
"""Without a sign of life for so long, a worker counts as gone, and the attempt fails as `Timeout.heartbeat`."""
LONGEST = timedelta(days=3650)
"""Temporal wants a limit for each activity; ours are timers of the workflow (M5.3)."""


@workflow.defn(dynamic=True)
class DefinedWorkflow:
    """An instance of a definition; the type of the workflow is the name of the definition.

    Its one argument is `{definition, input, key}`: canonical JSON, inputs, and the random key (62 bits).
    """

    def __init__(self) -> None:
        self._inbox: list[Stimulus] = []
        self._timers: dict[tuple[int, int], asyncio.TimerHandle] = {}
        self._attempts: dict[tuple[int, int], workflow.ActivityHandle[Any]] = {}
        self._instance: Instance | None = None

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> dict[str, Any]:
        """From start to end; ends as completed or, with the status as the type, as failed."""
        given = workflow.payload_converter().from_payload(args[0].payload)
        try:
            instance = Instance(program_of(given["definition"]), key=given["key"])
            output = instance.start(_now(), given["input"])
        except WfsimError as error:
            raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from error
        self._instance = instance
        effects = effects_of(instance, output)
        self._carry_out(effects)
        while not instance.is_closed:
            try:
                await workflow.wait_condition(lambda: bool(self._inbox))
            except asyncio.CancelledError:
                # A workflow is asked once; what comes of it is said by the definition (M8.3).
                self._arrives("control", command="cancel")
            effects = self._applied(instance, self._inbox.pop(0))
            self._carry_out(effects)
        end = next(effect for effect in effects if effect.kind == "closed")
        result = {
            "status": end.status,
            "outcome": end.outcome,
            "state": instance.state,
            "output": end.output,
            "version": instance.version,
        }
        if end.status != "completed":
            raise ApplicationError(f"the instance is {end.status}", result, type=end.status, non_retryable=True)
        return result

    @workflow.signal(dynamic=True)
    def hears(self, name: str, args: Sequence[RawValue]) -> None:
        """An event under its name, a command of an operator, or word that a worker has taken an attempt."""
        said = _said(name, [workflow.payload_converter().from_payload(each.payload) for each in args])
        if said is None:
            workflow.logger.warning("signal %s is dropped: its arguments are not those of docs/temporal.md", name)
        else:
            self._arrives(**said)

    @workflow.query(name="wfsim.instance")
    def instance(self) -> dict[str, Any]:
        """State, status, variables and version as they are now."""
        now = self._instance
        if now is None:
            return {"status": "", "state": None, "variables": {}, "version": 0}
        return {"status": now.status, "state": now.state, "variables": now.variables, "version": now.version}

    def _arrives(self, kind: str, **said: Any) -> None:
        self._inbox.append(Stimulus(kind, _now(), **said))

    def _applied(self, instance: Instance, stimulus: Stimulus) -> list[Effect]:
        """What comes of a stimulus; nothing of one that is not well formed, as it would stop the workflow for good."""
        try:
            return effects_of(instance, instance.apply(stimulus))
        except WfsimError as error:
            if stimulus.kind == "activity_succeeded":
                which = stimulus.activity_id, stimulus.attempt
                return effects_of(instance, instance.activity_failed(_now(), *which, "Result.type", str(error)))
            workflow.logger.warning("%s is dropped: %s", stimulus.kind, error)
            return []

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in commands_of(effects):
            match effect.kind:
                case "set_timer":
                    which = effect.timer, effect.timer_id
                    wait = max(effect.due - _now(), SHORTEST_TIMER) / 1_000_000
                    self._timers[which] = asyncio.get_running_loop().call_later(wait, self._fires, *which)
                case "drop_timer":
                    dropped = self._timers.pop((effect.timer, effect.timer_id), None)
                    if dropped is not None:
                        dropped.cancel()
                case "start_attempt":
                    self._begin(effect)
                case "cancel_attempt":
                    cancelled = self._attempts.get((effect.activity_id, effect.attempt))
                    if cancelled is not None:
                        cancelled.cancel()

    def _fires(self, timer: int, timer_id: int) -> None:
        del self._timers[timer, timer_id]
        self._arrives("timer", timer=timer, timer_id=timer_id)

    def _begin(self, effect: Effect) -> None:
        which = effect.activity_id, effect.attempt
        handle: workflow.ActivityHandle[Any] = workflow.start_activity(
            effect.activity or "",
            order_of(effect, workflow.info().workflow_id),
            activity_id=attempt_name(*which),
            start_to_close_timeout=LONGEST,
            heartbeat_timeout=LIFE,
            retry_policy=RetryPolicy(maximum_attempts=1),
            # A late success may have to be undone (M5.4), so its word is waited for.
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        self._attempts[which] = handle
        handle.add_done_callback(partial(self._reports, *which))

    def _reports(self, activity_id: int, attempt: int, handle: asyncio.Task[Any]) -> None:
        del self._attempts[activity_id, attempt]
        if handle.cancelled():
            return
        error = handle.exception()
        if error is None:
            self._arrives("activity_succeeded", activity_id=activity_id, attempt=attempt, result=handle.result())
            return
        cause = error.cause if isinstance(error, ActivityError) else error
        if not isinstance(cause, CancelledError):
            self._arrives("activity_failed", activity_id=activity_id, attempt=attempt, **_told(cause))


def _now() -> int:
    return workflow.time_ns() // 1_000


def _said(name: str, values: Sequence[Any]) -> dict[str, Any] | None:
    """The stimulus that a signal is; `None` if its arguments are no such ones."""
    if name == STARTED_SIGNAL:
        match values:
            case [int(activity_id), int(attempt), None | str() as worker]:
                said = {"activity_id": activity_id, "attempt": attempt, "worker": worker}
                return {"kind": "activity_started", **said}
        return None
    first, about = (*values, {}, {})[:2]
    if not isinstance(about, dict) or not all(value is None or isinstance(value, str) for value in about.values()):
        return None
    if name == CONTROL_SIGNAL:
        if first not in COMMANDS:
            return None
        return {"kind": "control", "command": first, **_chosen(about, "command_id", "reason")}
    if not isinstance(first, dict):
        return None
    return {"kind": "event", "event": name, "payload": first, **_chosen(about, "event_id", "sender")}


def _chosen(about: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: about.get(name) for name in names}


def _told(cause: BaseException | None) -> Mapping[str, Any]:
    """Error type, message and the wait that is asked for, of what made an attempt fail."""
    if isinstance(cause, ApplicationError):
        said = cause.details[0] if cause.details and isinstance(cause.details[0], dict) else {"message": cause.message}
        return {"error_type": cause.type or "Error", **said}
    if isinstance(cause, TimeoutError):
        clock = "heartbeat" if cause.type is TimeoutType.HEARTBEAT else "start_to_close"
        return {"error_type": f"Timeout.{clock}", "message": "Temporal has not heard of the worker any more"}
    return {"error_type": type(cause).__name__, "message": str(cause)}
