"""Routes: how the service is, who calls, and who did what."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from wfsim.model.duration import Duration
from wfsim.runtime.figures import Backlog

from .bodies import Audit, AuditEntry, CallerBody, DueBody, Dues, Health, QueueBody, Queues, WorkerBody, Workers
from .door import CallerOf, Routes
from .keys import Role

if TYPE_CHECKING:
    from wfsim.runtime.groups import QueueLimits

routes = Routes("operation")
metrics_routes = Routes("operation", prefix="")
"""Where Prometheus looks by itself."""
open_routes = APIRouter(tags=["operation"])
"""For whoever looks after processes: without a key, and without a word about what is in them."""

METRICS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Prometheus's text format", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


@open_routes.get("/health")
def health() -> Health:
    """Whether the process answers."""
    return Health(status="ok")


@open_routes.get("/ready", responses={503: {"model": Health, "description": "Not now"}})
def ready(request: Request, response: Response) -> Health:
    """Whether the service can do its work: its database answers, and nothing has stopped."""
    engine = request.app.state.tenants.default.engine
    why = engine.stopped
    if why is None and not request.app.state.stopping.is_set() and not engine.is_closed:
        engine.exists("")
        return Health(status="ok")
    response.status_code = 503
    return Health(status="stopped", detail="it is about to end." if why is None else "its engine has stopped.")


@metrics_routes.at("GET", "/metrics", Role.VIEWER, response_class=Response, responses=METRICS)
def metrics(caller: CallerOf) -> Response:
    """What Prometheus is told of the caller's namespace, and of what this process did for it."""
    return Response(caller.tenant.measures.page(), media_type="text/plain; version=0.0.4; charset=utf-8")


@routes.at("GET", "/caller", Role.VIEWER)
def who(caller: CallerOf) -> CallerBody:
    """Whose key it is, and what it may do."""
    key = caller.key
    return CallerBody(key=key.id, name=key.name, role=key.role.word, namespace=caller.tenant.namespace)


@routes.at("GET", "/workers", Role.VIEWER)
def list_workers(caller: CallerOf) -> Workers:
    """The processes that work for this namespace, and what they are at."""
    return Workers(workers=[WorkerBody(**asdict(each)) for each in caller.tenant.engine.workers])


@routes.at("GET", "/queues", Role.VIEWER)
def list_queues(caller: CallerOf) -> Queues:
    """How many attempts wait and are carried out, by the group whose workers do it, and the limits of its queue."""
    engine = caller.tenant.engine
    limits, there = engine.queues, {each.group: each for each in engine.backlog}
    return Queues(
        queues=[
            _queue(there.get(group) or Backlog(group, 0, 0, 0), limits.get(group))
            for group in sorted({*limits, *there})
        ]
    )


def _queue(backlog: Backlog, limits: QueueLimits | None) -> QueueBody:
    return QueueBody(
        **asdict(backlog),
        concurrency=None if limits is None else limits.concurrency,
        worker_concurrency=None if limits is None else limits.worker_concurrency,
        rate=None if limits is None or limits.rate is None else f"{limits.rate[0]}/{Duration.of(limits.rate[1])}",
    )


@routes.at("GET", "/due", Role.VIEWER)
def list_due(caller: CallerOf, limit: Annotated[int, Query(ge=1, le=1_000)] = 100) -> Dues:
    """What happens next by itself: timers, starts of children, messages, missed heartbeats."""
    return Dues(due=[DueBody(**asdict(each)) for each in caller.tenant.engine.due(limit)])


@routes.at("GET", "/audit", Role.ADMIN)
def audit(
    caller: CallerOf,
    after: Annotated[int | None, Query(ge=1, lt=2**62, description="`number` of the last one seen")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Audit:
    """Who did what in this namespace, or tried to, the newest first."""
    found = caller.tenant.ledger.entries(after, limit + 1)
    shown = found[:limit]
    return Audit(
        entries=[AuditEntry(**asdict(each)) for each in shown],
        after=shown[-1].number if len(found) > limit else None,
    )
