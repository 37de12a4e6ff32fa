"""Routes: definitions are published, looked at and judged."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query, Response

from wfsim.errors import ServiceError
from wfsim.model.lint import lint
from wfsim.model.picture import picture
from wfsim.model.schedule import times
from wfsim.model.schedule import told as words
from wfsim.model.yaml_io import dumps, loads

from .bodies import (
    Definitions,
    FindingBody,
    Graph,
    Published,
    ScheduleBody,
    Schedules,
    ToPublish,
    ToValidate,
    Validated,
    VerdictBody,
    Versions,
)
from .door import CallerOf, Routes, Segment
from .keys import Role

if TYPE_CHECKING:
    from wfsim.model.catalogue import Catalogue
    from wfsim.model.workflow import Workflow

routes = Routes("definitions")

UNKNOWN = {404: "No such workflow, or version"}
SVG: dict[int | str, dict[str, Any]] = {
    200: {"description": "A picture", "content": {"image/svg+xml": {"schema": {"type": "string"}}}}
}

_verifier = threading.Semaphore(1)


@routes.at("GET", "/definitions", Role.VIEWER)
def list_definitions(caller: CallerOf) -> Definitions:
    """All workflows that are published, with their versions."""
    known = caller.tenant.engine.workflows
    return Definitions(definitions=[_versions(known, workflow.name) for workflow in known])


@routes.at(
    "POST",
    "/definitions",
    Role.PUBLISHER,
    changes=True,
    status_code=201,
    problems={409: "It is published with another definition"},
)
def publish(caller: CallerOf, body: ToPublish, response: Response) -> Published:
    """Publish a definition: instances may be started of it from now on. The same one twice is harmless."""
    workflow = _read(body.definition)
    caller.tenant.engine.publish(workflow)
    response.headers["Location"] = f"/v1/definitions/{workflow.name}/{workflow.version}"
    return _published(caller.tenant.engine.workflows, workflow)


@routes.at("POST", "/definitions/validate", Role.PUBLISHER, problems={503: "Another one is being verified"})
def validate(caller: CallerOf, body: ToValidate) -> Validated:
    """Judge a definition without publishing it: what lint finds, and, if asked, which properties hold."""
    workflow = _read(body.definition)
    known = caller.tenant.engine.workflows
    findings = [
        FindingBody(
            code=each.code,
            severity=each.severity.value,
            place=each.place,
            message=each.message,
            advice=each.advice,
            line=each.line,
            way=list(each.way),
        )
        for each in lint(workflow, catalogue=known)
    ]
    verdicts = _verdicts(workflow, min(body.max_seconds, caller.limits.check_seconds)) if body.verify else None
    return Validated(name=workflow.name, version=workflow.version, findings=findings, verdicts=verdicts)


@routes.at("GET", "/definitions/{name}", Role.VIEWER, problems=UNKNOWN)
def get_versions(caller: CallerOf, name: Segment) -> Versions:
    """The versions of a workflow."""
    return _versions(caller.tenant.engine.workflows, name)


@routes.at("GET", "/definitions/{name}/{version}", Role.VIEWER, problems=UNKNOWN)
def get_definition(caller: CallerOf, name: Segment, version: Segment) -> Published:
    """A definition in YAML; `latest` is the newest version."""
    known = caller.tenant.engine.workflows
    return _published(known, known.get(name, version))


@routes.at(
    "GET",
    "/definitions/{name}/{version}/drawing",
    Role.VIEWER,
    problems=UNKNOWN,
    response_class=Response,
    responses=SVG,
)
def draw_definition(caller: CallerOf, name: Segment, version: Segment) -> Response:
    """Its drawing."""
    workflow = caller.tenant.engine.workflows.get(name, version)
    return Response(picture(workflow).to_svg(), media_type="image/svg+xml")


@routes.at("GET", "/definitions/{name}/{version}/graph", Role.VIEWER, problems=UNKNOWN)
def get_graph(caller: CallerOf, name: Segment, version: Segment) -> Graph:
    """Its states and transitions as data."""
    return Graph.model_validate(caller.tenant.engine.workflows.get(name, version).to_graph())


@routes.at("GET", "/schedules", Role.VIEWER)
def list_schedules(
    caller: CallerOf, count: Annotated[int, Query(ge=1, le=100, description="times of each")] = 5
) -> Schedules:
    """The schedules of all workflows in their newest versions, and their next times, in UTC."""
    now = datetime.now(UTC)
    return Schedules(
        schedules=[
            ScheduleBody(
                workflow=workflow.name,
                version=workflow.version,
                schedule=name,
                told=words(schedule),
                next=[time.isoformat() for time in islice(times(schedule, now), count)],
            )
            for workflow in caller.tenant.engine.workflows
            for name, schedule in workflow.schedules.items()
        ]
    )


def _read(definition: str | dict[str, Any]) -> Workflow:
    # JSON is YAML, so there is one reader, with its limits.
    return loads(definition if isinstance(definition, str) else json.dumps(definition), "definition")


def _versions(known: Catalogue, name: str) -> Versions:
    return Versions(name=name, versions=list(known.versions(name)), latest=known.get(name).version)


def _published(known: Catalogue, workflow: Workflow) -> Published:
    return Published(
        name=workflow.name,
        version=workflow.version,
        definition=dumps(workflow),
        events={
            name: {field: str(kind.type) for field, kind in event.payload.items()}
            for name, event in workflow.events.items()
        },
        is_latest=known.get(workflow.name).version == workflow.version,
    )


def _verdicts(workflow: Workflow, max_seconds: float) -> list[VerdictBody]:
    from wfsim.verification.workflows.properties import verify

    if not _verifier.acquire(blocking=False):
        raise ServiceError(
            "another definition is being verified.", status=429, code="too_many_requests", retry_after=max_seconds
        )
    try:
        report = verify(workflow, max_seconds=max_seconds)
    finally:
        _verifier.release()
    return [
        VerdictBody(property=str(asked), status=verdict.status.value, reason=verdict.reason)
        for asked, verdict in zip(report.properties, report, strict=True)
    ]
