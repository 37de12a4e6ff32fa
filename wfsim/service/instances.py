"""Routes: instances are started, found, looked at, sent to and commanded."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from fastapi import Query, Response
from pydantic import JsonValue, TypeAdapter, ValidationError

from wfsim.errors import EventRejected, InstanceExists, ServiceError, WfsimError
from wfsim.model.picture import edge_ids, picture
from wfsim.runtime.listing import MOST_LISTED
from wfsim.runtime.sending import LONGEST_ID

from .bodies import (
    Explained,
    Graph,
    InstanceBody,
    Instances,
    Records,
    Sent,
    SentAll,
    ToCommand,
    ToCommandAll,
    ToExplain,
    ToList,
    ToSend,
    ToStart,
)
from .definitions import SVG
from .door import RESERVED, CallerOf, Routes, Segment
from .keys import Role
from .showing import graph_of, moved_at, record_body, short, whole

if TYPE_CHECKING:
    from wfsim.drawing import Role as Look
    from wfsim.runtime.handle import Run
    from wfsim.runtime.sending import Answer

    from .door import Caller

routes = Routes("instances")

_OBJECT: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])
UNKNOWN = {404: "No such instance"}
CHANGED = {**UNKNOWN, 409: "Nobody takes it now", 412: "It has another version than If-Match says"}


@routes.at(
    "POST",
    "/instances",
    Role.OPERATOR,
    changes=True,
    status_code=201,
    problems={404: "No such workflow", 409: "The id, or the correlation key, is taken"},
)
def start(caller: CallerOf, body: ToStart, response: Response) -> InstanceBody:
    """Start an instance; it is stored when this is answered."""
    engine = caller.tenant.engine
    name = body.id
    if name is None and caller.once is not None:
        # A repeated request leads to the same instance.
        name = f"{body.workflow[:100]}-{hashlib.sha256(caller.once.encode()).hexdigest()[:20]}"
    _check_quota(caller, name)
    try:
        run = engine.start(
            body.workflow,
            body.input,
            id=name,
            version=body.version,
            seed=body.seed,
            metadata=caller.metadata(body.metadata),
            priority=body.priority,
        )
    except InstanceExists:
        if name is None or not _is_own(caller, name, None):
            raise
        run = engine.get(name)
    # Path segments are percent-encoded whole: ids may have slashes.
    response.headers["Location"] = f"/v1/instances/{quote(run.id, safe='')}"
    return whole(run, response)


@routes.at("GET", "/instances", Role.VIEWER)
def list_instances(caller: CallerOf, asked: Annotated[ToList, Query()]) -> Instances:
    """Instances, those that started last first, by pages; a page costs the same wherever it is."""
    found = caller.tenant.engine.list(
        workflow=asked.workflow,
        status=asked.status or None,
        state=asked.state,
        prefix=asked.prefix,
        key=None if asked.key is None else _key_in(asked.key),
        where=None if asked.where is None else _where_in(asked.where),
        roots=asked.roots,
        limit=asked.limit,
        after=asked.after,
    )
    return Instances(instances=[short(each) for each in found], after=found.after)


@routes.at("GET", "/instances/{id}", Role.VIEWER, problems=UNKNOWN)
def get_instance(caller: CallerOf, id: Segment, response: Response) -> InstanceBody:
    """An instance as it stands, open or closed; its ETag is its version, for If-Match."""
    return whole(caller.tenant.engine.get(id), response)


@routes.at("GET", "/instances/{id}/children", Role.VIEWER, problems=UNKNOWN)
def get_children(caller: CallerOf, id: Segment) -> Instances:
    """The instances that it has started, in order of their starts."""
    children = caller.tenant.engine.get(id).children.values()
    return Instances(instances=[short(each.shown()[0]) for each in children], after=None)


@routes.at("GET", "/instances/{id}/history", Role.VIEWER, problems=UNKNOWN)
def get_history(
    caller: CallerOf,
    id: Segment,
    after: Annotated[int, Query(ge=0, lt=2**31, description="`seq` of the last one seen")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 100,
    event_id: Annotated[str | None, Query(max_length=LONGEST_ID, description="about this event or command")] = None,
) -> Records:
    """Its records after one, in order, by pages, each with the metadata of its stimulus."""
    found = caller.tenant.engine.records(id, after=after, limit=limit + 1, event_id=event_id)
    shown = found[:limit]
    return Records(
        records=[record_body(record, metadata) for record, metadata in shown],
        after=shown[-1][0].seq if len(found) > limit else None,
    )


@routes.at("GET", "/instances/{id}/drawing", Role.VIEWER, problems=UNKNOWN, response_class=Response, responses=SVG)
def draw_instance(caller: CallerOf, id: Segment) -> Response:
    """The drawing of its workflow, with the states that are active and those that it has been in."""
    run = caller.tenant.engine.get(id)
    return Response(picture(run.workflow).to_svg(_lit(run)), media_type="image/svg+xml")


@routes.at("GET", "/instances/{id}/graph", Role.VIEWER, problems=UNKNOWN)
def get_instance_graph(caller: CallerOf, id: Segment) -> Graph:
    """States and transitions of its workflow as data, with where it is and how often it came that way."""
    return graph_of(caller.tenant.engine.get(id))


@routes.at("POST", "/instances/{id}/why-not", Role.VIEWER, problems=UNKNOWN)
def explain(caller: CallerOf, id: Segment, body: ToExplain) -> Explained:
    """Why an event cannot be taken now, or a state not be reached, with the values that decide."""
    found = caller.tenant.engine.why_not(id, body.name, body.payload)
    return Explained(name=found.name, possible=found.possible, reasons=found.reasons)


@routes.at("POST", "/instances/{id}/events", Role.OPERATOR, changes=True, problems=CHANGED)
def send(caller: CallerOf, id: Segment, body: ToSend, response: Response) -> Sent:
    """Send an event; it is stored when this is answered. What nobody takes is refused, and the detail says why."""
    identity = body.event_id or caller.once
    try:
        answer = caller.tenant.engine.send(
            id,
            body.event,
            body.payload,
            event_id=identity,
            metadata=caller.metadata(body.metadata),
            expected_version=caller.expected,
        )
    except EventRejected as error:
        if error.reason == "duplicate" and _is_own(caller, id, identity):
            raise _first_rejection(caller, id, identity, error) from None
        raise
    return _tagged(response, _sent(caller, id, identity, answer))


@routes.at("POST", "/instances/{id}/commands", Role.OPERATOR, changes=True, problems=CHANGED)
def command(caller: CallerOf, id: Segment, body: ToCommand, response: Response) -> Sent:
    """Pause, resume, cancel, terminate or retry an instance; `ignored` if that does not fit its status."""
    identity = body.command_id or caller.once
    answer = caller.tenant.engine.control(
        id,
        body.command,
        body.reason,
        command_id=identity,
        metadata=caller.metadata(body.metadata),
        expected_version=caller.expected,
    )
    return _tagged(response, _sent(caller, id, identity, answer))


@routes.at("POST", "/commands", Role.OPERATOR, changes=True)
def command_all(caller: CallerOf, body: ToCommandAll) -> SentAll:
    """The same for up to a thousand instances, each in a transaction of its own."""
    metadata = caller.metadata(body.metadata)
    identity = body.command_id or caller.once
    found = caller.tenant.engine.control_all(
        body.ids, body.command, body.reason, command_id=identity, metadata=metadata
    )
    return SentAll(results={each: _sent(caller, each, identity, answer) for each, answer in found.items()})


def _check_quota(caller: Caller, name: str | None) -> None:
    most = caller.limits.open_instances
    if most is None or (name is not None and caller.tenant.engine.exists(name)):
        return
    if caller.tenant.engine.count_open() >= most:
        raise ServiceError(
            f"the namespace {caller.tenant.namespace} has {most:,} open instances, and may not have more.",
            status=429,
            code="quota",
            retry_after=60.0,
        )


def _key_in(text: str) -> JsonValue:
    """A correlation key in a query: what is no JSON is a text, and so is null, which no key is."""
    try:
        found: JsonValue = json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text
    return text if found is None else found


def _where_in(text: str) -> dict[str, JsonValue]:
    try:
        found: dict[str, JsonValue] = _OBJECT.validate_json(text)
    except ValidationError:
        raise WfsimError('where is a JSON object of searchable variables: {"customer": "C-7"}.') from None
    return found


def _is_own(caller: Caller, id: str, identity: str | None) -> bool:
    """Whether what came first under an id came with this very request, in an earlier try of it."""
    if caller.once is None:
        return False
    found = caller.tenant.engine.records(id, limit=1, event_id=identity)
    who = (found[0][1] or {}).get(RESERVED) if found else None
    return isinstance(who, dict) and who.get("once") == caller.once


def _sent(caller: Caller, id: str, identity: str | None, answer: Answer) -> Sent:
    """What the first try of the same request was told, or would have been, had it lived to hear it."""
    text = str(answer)
    if answer == "duplicate" and _is_own(caller, id, identity):
        text = "accepted" if answer.fate == "taken" else answer.fate
    return Sent(answer=text, fate=answer.fate, state=answer.state, version=answer.version)


def _tagged(response: Response, sent: Sent) -> Sent:
    """The instance's new version is the answer's ETag, so that the next If-Match needs no look."""
    response.headers["ETag"] = f'"{sent.version}"'
    return sent


def _first_rejection(caller: Caller, id: str, identity: str | None, error: EventRejected) -> EventRejected:
    """What the first try of the same request was told, as far as it is stored."""
    for record, _ in caller.tenant.engine.records(id, event_id=identity):
        if record.kind == "event_rejected":
            reason = str(record.payload.get("reason"))
            return EventRejected(
                f"{id!r} rejected {error.event!r}, for the reason {reason}, when this request came first.",
                event=error.event,
                reason=reason,
            )
    return error


def _lit(run: Run) -> dict[str, Look]:
    """Where it is, and the states and transitions that it has been through."""
    _, view = run.shown()
    edges, since = edge_ids(run.workflow), moved_at(run)
    roles: dict[str, Look] = {}
    for record in run.records:
        if record.kind in ("state_entered", "transition") and record.state is not None:
            roles[f"state:{record.state}"] = "visited"
        if record.kind == "transition" and record.seq > since:
            roles[edges[record.payload["transition"]]] = "visited"
    here: Look = "problem" if view.status in ("failed", "timed_out") else "active"
    return {**roles, **{f"state:{state}": here for state in view.configuration.values()}}
