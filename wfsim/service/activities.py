"""Routes: activities that are completed from outside, and looked at."""

from __future__ import annotations

from dataclasses import asdict

from .bodies import Completed, ExecutionBody, ToBeat, ToComplete, ToFail
from .door import CallerOf, Routes, Segment
from .keys import Role

routes = Routes("activities")

UNKNOWN = {404: "No such instance"}


@routes.at("POST", "/activities/complete", Role.OPERATOR, changes=True, problems=UNKNOWN)
def complete(caller: CallerOf, body: ToComplete) -> Completed:
    """An activity has succeeded; `ignored` if nobody waits for it any more."""
    return Completed(answer=caller.tenant.engine.complete(body.correlation_id, body.result))


@routes.at("POST", "/activities/fail", Role.OPERATOR, changes=True, problems=UNKNOWN)
def fail(caller: CallerOf, body: ToFail) -> Completed:
    """An activity has failed: its retry policy and the transitions on `error` see the error type."""
    return Completed(
        answer=caller.tenant.engine.fail(
            body.correlation_id, body.error_type, body.message, retry_after=body.retry_after
        )
    )


@routes.at("GET", "/activities/{correlation_id}", Role.VIEWER, problems={404: "No such instance, or attempt"})
def get_execution(caller: CallerOf, correlation_id: Segment) -> ExecutionBody:
    """An attempt by its correlation id: what went in, what came out, and when."""
    return ExecutionBody(**asdict(caller.tenant.engine.execution(correlation_id)))


@routes.at("POST", "/activities/heartbeat", Role.OPERATOR, problems=UNKNOWN)
def heartbeat(caller: CallerOf, body: ToBeat) -> Completed:
    """The work on an activity goes on; `ignored` if nobody waits for it any more: stop it then."""
    waits = caller.tenant.engine.heartbeat(body.correlation_id, body.detail)
    return Completed(answer="accepted" if waits else "ignored")
