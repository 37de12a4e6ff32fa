"""A case of a history of ours as the history that Temporal would have written of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wfsim.arguments import expect
from wfsim.errors import NotCovered
from wfsim.history.case import Case
from wfsim.history.replay_case import instance_of, need_full, replayed
from wfsim.semantics.records import effects_of

from .commands import CONTROL_SIGNAL, SHORTEST_TIMER, STARTED_SIGNAL, attempt_name, commands_of, order_of, program_of
from .events import Events, payloads

if TYPE_CHECKING:
    from wfsim.semantics.records import Effect, Record
    from wfsim.semantics.stimulus import Stimulus


def to_temporal_history(case: Case, *, task_queue: str = "wfsim") -> dict[str, Any]:
    """The events that Temporal would have written, had it carried this case out.

    Each stimulus is an event and a workflow task of its own; what reached the case after its end is left out. The
    SDK's `Replayer` takes it for a run of `wfsim.temporal.workflow.DefinedWorkflow`, and refuses it if that would do
    anything else (docs/temporal.md).

    Parameters
    ----------
    case
        `history.case(42)`: simulated, or run for real.
    task_queue
        Where workers would have found it.

    Returns
    -------
    dict
        JSON, for `json.dump` or `temporalio.client.WorkflowHistory.from_json(id, …)`.

    Raises
    ------
    NotCovered
        If the definition needs what is not carried out on Temporal, or the case has what cannot happen there: an
        attempt that reports twice, a timer that nobody has set, an event without a readable payload, a `retry` after
        the end.
    ReplayError
        If the log level is not `full`, or a record differs when it is replayed.

    Notes
    -----
    Costs what a replay costs. An open case gives the history of an open workflow.
    """
    expect(case, Case, "to_temporal_history takes a case", "Give one: history.case(42).")
    expect(task_queue, str, "a task queue is a name", "Write task_queue='wfsim'.")
    need_full(case.run)
    return _Export(case, task_queue).history()


class _Export:
    """One case on its way."""

    def __init__(self, case: Case, task_queue: str) -> None:
        self._name = case.external_id or f"{case.workflow.name}-{case.case}"
        self._case = case
        self._program = program_of(case.workflow.definition)
        self._events = Events(task_queue)
        self._timers: dict[tuple[int, int], tuple[str, int]] = {}
        self._n_timers = 0
        self._attempts: dict[tuple[int, int], int] = {}
        self._is_cancelled = False

    def history(self) -> dict[str, Any]:
        records = self._case.records()
        instance = instance_of(self._case.run, self._program, records)
        stimuli = iter(self._case.stimuli())
        for cause, output in replayed(instance, records):
            self._happens(cause, next(stimuli))
            self._events.task(cause.time)
            effects = effects_of(instance, output)
            for effect in commands_of(effects):
                self._commanded(cause.time, effect)
            end = next((effect for effect in effects if effect.kind == "closed"), None)
            if end is not None:
                self._closes(cause.time, end, instance.state, instance.version)
                self._refuse_retry(records, instance.version)
                break
        return self._events.to_dict()

    def _happens(self, cause: Record, stimulus: Stimulus) -> None:
        which = stimulus.activity_id, stimulus.attempt
        match cause.kind:
            case "started":
                self._starts(cause, stimulus)
            case "event_received":
                about = {"event_id": stimulus.event_id, "sender": stimulus.sender}
                if not all(type(name) is str for name in stimulus.payload):
                    raise self._not_covered(cause, "the payload of the event is not known as it came")
                self._signals(cause.time, stimulus.event or "", dict(stimulus.payload), about)
            case "control_received" if self._is_request(stimulus):
                self._events.add(cause.time, "WorkflowExecutionCancelRequested")
                self._is_cancelled = True
            case "control_received":
                about = {"command_id": stimulus.command_id, "reason": stimulus.reason}
                self._signals(cause.time, CONTROL_SIGNAL, stimulus.command, about)
            case "activity_started":
                self._signals(cause.time, STARTED_SIGNAL, *which, stimulus.worker)
            case "activity_succeeded":
                self._ends(cause, which, "ActivityTaskCompleted", result=payloads(stimulus.result))
            case "activity_failed":
                said = {"message": stimulus.message, "retry_after": stimulus.retry_after}
                failure = _failure(stimulus.error_type or "Error", stimulus.message or "", said)
                self._ends(
                    cause, which, "ActivityTaskFailed", failure=failure, retryState="RETRY_STATE_NON_RETRYABLE_FAILURE"
                )
            case "timer_fired":
                found = self._timers.pop((stimulus.timer, stimulus.timer_id), None)
                if found is None:
                    raise self._not_covered(cause, "a timer fires that is not set any more")
                number, started = found
                self._events.add(cause.time, "TimerFired", timerId=number, startedEventId=str(started))
            case _:
                raise self._not_covered(cause, "it comes from another instance")

    def _is_request(self, stimulus: Stimulus) -> bool:
        """Whether it is what Temporal calls a request to cancel, of which there is one, without id and reason."""
        said = (stimulus.command, stimulus.command_id, stimulus.reason)
        return said == ("cancel", None, None) and not self._is_cancelled

    def _starts(self, cause: Record, stimulus: Stimulus) -> None:
        given = {
            "definition": self._case.workflow.definition,
            "input": dict(stimulus.payload),
            "key": cause.payload["seed"],
        }
        run = f"{self._name}-1"
        self._events.add(
            cause.time,
            "WorkflowExecutionStarted",
            workflowType={"name": self._case.workflow.name},
            taskQueue={"name": self._events.queue},
            input=payloads(given),
            workflowTaskTimeout="10s",
            originalExecutionRunId=run,
            firstExecutionRunId=run,
            workflowId=self._name,
            attempt=1,
        )

    def _signals(self, time: int, name: str, *values: Any) -> None:
        self._events.add(time, "WorkflowExecutionSignaled", signalName=name, input=payloads(*values))

    def _ends(self, cause: Record, which: tuple[int, int], kind: str, **told: Any) -> None:
        scheduled = self._attempts.pop(which, None)
        if scheduled is None:
            raise self._not_covered(cause, "an attempt that has reported already reports again")
        # Temporal writes that an attempt has started when it ends.
        started = self._events.add(cause.time, "ActivityTaskStarted", scheduledEventId=str(scheduled), attempt=1)
        self._events.add(cause.time, kind, scheduledEventId=str(scheduled), startedEventId=str(started), **told)

    def _commanded(self, time: int, effect: Effect) -> None:
        which = effect.activity_id, effect.attempt
        timer = effect.timer, effect.timer_id
        match effect.kind:
            case "set_timer":
                self._n_timers += 1
                wait = max(effect.due - time, SHORTEST_TIMER)
                number = str(self._n_timers)
                started = self._events.command(
                    time,
                    "TimerStarted",
                    timerId=number,
                    startToFireTimeout=f"{wait // 1_000_000}.{wait % 1_000_000:06}s",
                )
                self._timers[timer] = number, started
            case "drop_timer" if timer in self._timers:
                number, started = self._timers.pop(timer)
                self._events.command(time, "TimerCanceled", timerId=number, startedEventId=str(started))
            case "start_attempt":
                self._attempts[which] = self._events.command(
                    time,
                    "ActivityTaskScheduled",
                    activityId=attempt_name(*which),
                    activityType={"name": effect.activity},
                    taskQueue={"name": self._events.queue},
                    input=payloads(order_of(effect, self._name)),
                    retryPolicy={"maximumAttempts": 1},
                )
            case "cancel_attempt" if which in self._attempts:
                scheduled = str(self._attempts[which])
                self._events.command(time, "ActivityTaskCancelRequested", scheduledEventId=scheduled)

    def _closes(self, time: int, end: Effect, state: str | None, version: int) -> None:
        result = {
            "status": end.status,
            "outcome": end.outcome,
            "state": state,
            "output": end.output,
            "version": version,
        }
        if end.status == "completed":
            self._events.command(time, "WorkflowExecutionCompleted", result=payloads(result))
        else:
            failure = _failure(str(end.status), f"the instance is {end.status}", result)
            self._events.command(time, "WorkflowExecutionFailed", failure=failure)

    def _refuse_retry(self, records: list[Record], upto: int) -> None:
        for record in records:
            if record.seq > upto and record.kind == "control_received" and record.payload["command"] == "retry":
                raise self._not_covered(record, "it goes on after its end, which a workflow of Temporal cannot")

    def _not_covered(self, record: Record, why: str) -> NotCovered:
        return NotCovered(f"{self._case!r} has no history on Temporal: record {record}: {why}.")


def _failure(error_type: str, message: str, details: Any) -> dict[str, Any]:
    told = {"type": error_type, "nonRetryable": True, "details": payloads(details)}
    return {"message": message, "source": "PythonSDK", "applicationFailureInfo": told}
