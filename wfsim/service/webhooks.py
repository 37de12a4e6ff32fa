"""Routes: who is told what happens, by webhooks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import Query, Response

from .bodies import Deliveries, DeliveryBody, EndpointBody, Endpoints, Registered, Repeated, ToRegister, ToRepeat
from .door import CallerOf, Routes, Segment
from .keys import Role

routes = Routes("webhooks")

UNKNOWN = {404: "No such webhook"}


@routes.at("POST", "/webhooks", Role.ADMIN, changes=True, status_code=201)
def register_webhook(caller: CallerOf, body: ToRegister) -> Registered:
    """Tell somebody what happens from now on; the secret is in this answer and in no other."""
    found, secret = caller.tenant.engine.webhooks.add(
        body.url,
        workflows=body.workflows,
        kinds=body.kinds,
        events=body.events,
        secret=body.secret,
        retry_for=body.retry_for,
    )
    return Registered(**asdict(found), secret=secret)


@routes.at("GET", "/webhooks", Role.OPERATOR)
def list_webhooks(caller: CallerOf) -> Endpoints:
    """Who is told."""
    return Endpoints(webhooks=[EndpointBody(**asdict(each)) for each in caller.tenant.engine.webhooks.list()])


@routes.at(
    "DELETE", "/webhooks/{id}", Role.ADMIN, changes=True, status_code=204, response_class=Response, problems=UNKNOWN
)
def remove_webhook(caller: CallerOf, id: Segment) -> Response:
    """Tell somebody nothing any more; what was still to be told is forgotten."""
    caller.tenant.engine.webhooks.remove(id)
    return Response(status_code=204)


@routes.at("GET", "/webhooks/{id}/deliveries", Role.OPERATOR, problems=UNKNOWN)
def list_deliveries(
    caller: CallerOf,
    id: Segment,
    status: Literal["waiting", "delivered", "dead"] | None = None,
    after: Annotated[int | None, Query(ge=1, lt=2**62, description="`number` of the last one seen")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Deliveries:
    """What somebody was told and is to be told, the newest first."""
    found = caller.tenant.engine.webhooks.deliveries(id, status=status, limit=limit + 1, after=after)
    shown = found[:limit]
    return Deliveries(
        deliveries=[DeliveryBody(**asdict(each)) for each in shown],
        after=shown[-1].number if len(found) > limit else None,
    )


@routes.at("POST", "/webhooks/{id}/repeat", Role.OPERATOR, changes=True, problems=UNKNOWN)
def repeat_deliveries(caller: CallerOf, id: Segment, body: ToRepeat) -> Repeated:
    """Send again what is dead, or one message whatever has become of it."""
    return Repeated(repeated=caller.tenant.engine.webhooks.repeat(id, body.number))
