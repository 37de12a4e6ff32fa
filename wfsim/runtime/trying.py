"""`try_activity`: one activity, carried out once by hand."""

from __future__ import annotations

import queue
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.arguments import expect
from wfsim.errors import StartRefused, WfsimError, did_you_mean, listed
from wfsim.model.duration import UNITS, time_text
from wfsim.model.shapes import fitted
from wfsim.model.uses import declared_activities
from wfsim.model.values import EvaluationFault, brief
from wfsim.model.workflow import Workflow

from .carrying import refusal
from .clock import SystemClock
from .executor import Attempt, Executor, Report
from .implementations import Implementations, implementations_given, use_of
from .permissions import Permissions, checked_permissions

if TYPE_CHECKING:
    from wfsim.model.elements import Activity
    from wfsim.model.values import Value

    from .implementations import Function

INSTANCE = "try"
ENDING = 5.0
"""Seconds that an attempt which was given up gets to end."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of an attempt.

    Attributes
    ----------
    result
        What it gave, as the declared result keeps it; `None` if it failed.
    error_type, message
        As retry policies and transitions on `error` would see them; `None` if it did not fail.
    retry_after
        Seconds to wait before the next attempt, if the error asks for them.
    took
        Microseconds.
    """

    result: Value
    error_type: str | None
    message: str | None
    retry_after: float | None
    took: int

    @property
    def ok(self) -> bool:
        """Whether it gave a result."""
        return self.error_type is None

    def __str__(self) -> str:
        took = time_text(self.took)
        if self.ok:
            return f"ok after {took}: {self.result!r}"
        again = "" if self.retry_after is None else f" Again in {self.retry_after:g} s."
        return f"{self.error_type} after {took}: {self.message or 'without a text.'}{again}"

    __repr__ = __str__


def try_activity(
    workflow: Workflow,
    activity: str,
    *,
    input: Mapping[str, Value] | None = None,
    activities: Mapping[str, Function] | None = None,
    permissions: Permissions | None = None,
) -> Tried:
    """Carry out one activity once, without an instance and without retries, and wait for it.

    Parameters
    ----------
    workflow
        Where it is declared: its timeout, its heartbeat and the type of its result hold here too.
    activity
        Its name.
    input
        Its parameters.
    activities
        Functions, as `wf.start` takes them; without one the activity is carried out as its definition says.
    permissions
        What an activity that is declared as `http` or `command` may do; by default what the environment says.

    Returns
    -------
    Tried
        Its result or error, as an engine would record it.

    Raises
    ------
    WfsimError
        If the workflow has no such activity, or the input is not as it is declared.
    StartRefused
        If nothing carries it out here.

    Notes
    -----
    Its idempotency key is `try:1`.
    """
    expect(workflow, Workflow, "try_activity takes a Workflow", "Load a file with wf.load(path).")
    expect(activity, str, "try_activity takes the name of an activity", "Write it as the workflow declares it.")
    known = declared_activities(workflow)
    if activity not in known:
        raise WfsimError(
            f"{workflow.name} has no activity {activity!r}. Activities: {listed(known) or 'none'}."
            f"{did_you_mean(activity, known)}"
        )
    declared, given = known[activity], _checked(activity, known[activity], {} if input is None else input)
    implementations = Implementations(checked_permissions(permissions))
    implementations.add(implementations_given([workflow], activities))
    use = use_of(workflow, activity)
    implementation = implementations.of(use, declared)
    if implementation is None:
        told = declared.connector and refusal(declared.connector, implementations.permissions)
        raise StartRefused(
            f"{activity!r} is declared as a command, and {told}"
            if told
            else f"no function is given for {activity!r}. Pass activities={{{activity!r}: function}}."
        )
    clock = SystemClock()
    began = clock.now()
    limit = declared.timeout if declared.timeout is not None else workflow.timeouts.activity
    attempt = Attempt(
        (INSTANCE, 1, 1),
        activity,
        given,
        idempotency_key=f"{INSTANCE}:1",
        heartbeat=None if declared.heartbeat is None else int(declared.heartbeat),
        deadline=None if limit is None else began + int(limit),
        index=None,
    )
    news: queue.SimpleQueue[Report | None] = queue.SimpleQueue()
    executor = Executor("try", clock, news.put, lambda: news.put(None))
    try:
        executor.launch(attempt, implementation)
        report = _awaited(executor, attempt, news, clock)
    finally:
        executor.stop(ENDING)
    return _tried(declared, report, clock.now() - began)


def _checked(name: str, declared: Activity, given: object) -> dict[str, Value]:
    if not isinstance(given, Mapping):
        raise WfsimError(f"input is a mapping from parameters to values, not {brief(given)}.")
    if declared.input is None:
        return dict(given)
    found = {}
    for key in given:
        if key not in declared.input:
            raise WfsimError(
                f"{name!r} has no input {key!r}. Inputs: {listed(declared.input) or 'none'}."
                f"{did_you_mean(key, declared.input)}"
            )
    for key, one in declared.input.items():
        try:
            value = fitted(one.shape, given.get(key))
        except EvaluationFault as fault:
            raise WfsimError(f"input {key!r} of {name!r}: {fault.message}") from None
        if key in given:
            found[key] = value
    return found


def _awaited(
    executor: Executor, attempt: Attempt, news: queue.SimpleQueue[Report | None], clock: SystemClock
) -> Report:
    """The report of an attempt, or of the clock that has run out (M5.3)."""
    while True:
        now = clock.now()
        executor.wake(now)
        for due, error_type in ((attempt.deadline, "Timeout.start_to_close"), (attempt.beat_by, "Timeout.heartbeat")):
            if due is not None and due <= now:
                return Report(attempt.key, error_type=error_type, message=None)
        dues = [due for due in (attempt.deadline, executor.next_due()) if due is not None]
        try:
            report = news.get(timeout=max(min(dues) - now, 0) / UNITS["s"] if dues else None)
        except queue.Empty:
            continue
        if report is not None:
            return report


def _tried(declared: Activity, report: Report, took: int) -> Tried:
    wait = None if report.retry_after is None else report.retry_after / UNITS["s"]
    if report.error_type is not None or declared.result is None:
        return Tried(report.result, report.error_type, report.message, wait, took)
    try:
        return Tried(fitted(declared.result.shape, report.result), None, None, None, took)
    except EvaluationFault as fault:
        return Tried(None, fault.kind, f"the result does not fit: {fault.message}", None, took)
