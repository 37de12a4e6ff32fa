"""Routes: definitions are published, looked at and judged."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query, Response

from wfsim.model.lint import Severity
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
from .judging import judge, refuse
from .keys import Role

if TYPE_CHECKING:
    from wfsim.model.catalogue import Catalogue
    from wfsim.model.lint import Finding
    from wfsim.model.workflow import Workflow
    from wfsim.verification.workflows.report import Report

routes = Routes("definitions")

UNKNOWN = {404: "No such workflow, or version"}
SVG: dict[int | str, dict[str, Any]] = {
    200: {"description": "A picture", "content": {"image/svg+xml": {"schema": {"type": "string"}}}}
}


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
    """Publish a definition: instances may be started of it from now on. The same one twice is harmless.

    With `lint` or `verify` it is published only if nothing speaks against it; `problems` of the refusal say what does.
    """
    workflow = _read(body.definition)
    if body.lint is not None or body.verify:
        seconds = min(body.max_seconds, caller.limits.check_seconds) if body.verify else None
        judged = judge(workflow, caller.tenant.engine.workflows, max_seconds=seconds)
        refuse(workflow, judged, None if body.lint is None else Severity(body.lint))
    caller.tenant.engine.publish(workflow)
    response.headers["Location"] = f"/v1/definitions/{workflow.name}/{workflow.version}"
    return _published(caller.tenant.engine.workflows, workflow)


@routes.at("POST", "/definitions/validate", Role.PUBLISHER, problems={503: "Another one is being verified"})
def validate(caller: CallerOf, body: ToValidate) -> Validated:
    """Judge a definition without publishing it: what lint finds, and, if asked, which properties hold."""
    workflow = _read(body.definition)
    seconds = min(body.max_seconds, caller.limits.check_seconds) if body.verify else None
    judged = judge(workflow, caller.tenant.engine.workflows, max_seconds=seconds)
    return Validated(
        name=workflow.name,
        version=workflow.version,
        ok=not judged.found(Severity.ERROR) and not judged.violated,
        findings=[_finding(each) for each in judged.findings],
        verdicts=None if judged.report is None else _verdicts(judged.report),
    )


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


def _finding(found: Finding) -> FindingBody:
    return FindingBody(
        code=found.code,
        severity=found.severity.value,
        place=found.place,
        message=found.message,
        advice=found.advice,
        line=found.line,
        way=list(found.way),
    )


def _verdicts(report: Report) -> list[VerdictBody]:
    return [
        VerdictBody(property=str(asked), status=verdict.status.value, reason=verdict.reason)
        for asked, verdict in zip(report.properties, report, strict=True)
    ]
