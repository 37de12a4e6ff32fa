"""Errors on their way over HTTP: each class has one status and one code, which service and client both read here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wfsim.errors import (
    CatalogueError,
    ConflictError,
    CorrelationTaken,
    DefinitionError,
    DefinitionTaken,
    DrawingError,
    EngineError,
    EventRejected,
    FunctionError,
    HistoryError,
    InstanceExists,
    OptionError,
    RunStopped,
    ServiceError,
    StartRefused,
    UnknownExecution,
    UnknownInstance,
    UnknownWebhook,
    UnknownWorkflow,
    WaitTimeout,
    WfsimError,
)
from wfsim.runtime.database import DatabaseError


@dataclass(frozen=True, slots=True)
class Told:
    """How an error is told over HTTP."""

    status: int
    code: str
    advice: str


# The first class that fits counts: subclasses come before their bases.
TOLD: Mapping[type[WfsimError], Told] = {
    UnknownWebhook: Told(404, "unknown_webhook", "List them: GET /v1/webhooks."),
    UnknownInstance: Told(404, "unknown_instance", "List what there is: GET /v1/instances."),
    UnknownExecution: Told(404, "unknown_execution", "See what there is: GET /v1/instances/{id}/history."),
    UnknownWorkflow: Told(404, "unknown_workflow", "List what is published: GET /v1/definitions."),
    DefinitionTaken: Told(409, "definition_taken", "Give the changed definition a higher version."),
    DatabaseError: Told(503, "database", "Repeat it later, under the same Idempotency-Key: it is done once."),
    EngineError: Told(409, "engine", "Read the detail."),
    InstanceExists: Told(409, "instance_exists", "Look at it, or start another one under another id."),
    CorrelationTaken: Told(409, "correlation_taken", "Find who has the key: GET /v1/instances?key=…, and send to it."),
    StartRefused: Told(422, "start_refused", "Compare the input with the definition's input variables."),
    ConflictError: Told(412, "version_conflict", "Look at the instance again, and decide anew."),
    EventRejected: Told(409, "event_rejected", "Ask POST /v1/instances/{id}/why-not."),
    DefinitionError: Told(422, "definition", "Mend what `problems` lists, and send it again."),
    CatalogueError: Told(404, "unknown_workflow", "List what is published: GET /v1/definitions."),
    FunctionError: Told(422, "function", "A service has no Python functions beside those of its workers."),
    DrawingError: Told(422, "drawing", "Read the detail."),
    HistoryError: Told(422, "history", "Ask for a shorter time, or for fewer rows."),
    RunStopped: Told(503, "stopped", "Nothing stored is lost. Repeat it later, under the same Idempotency-Key."),
    WaitTimeout: Told(504, "timeout", "Ask again."),
    OptionError: Told(400, "option", "Read the detail."),
    WfsimError: Told(400, "refused", "Read the detail."),
}

ADVICE = {
    "unauthenticated": "Send the header `Authorization: Bearer <key>`; `wfsim keys add` makes one.",
    "forbidden": "Use a key with the role that the detail names.",
    "not_found": "See /v1/openapi.json for what there is.",
    "method_not_allowed": "See /v1/openapi.json for what there is.",
    "bad_request": "Read the detail.",
    "invalid": "Mend what `problems` lists, and send it again.",
    "too_large": "Send less in one request.",
    "too_slow": "Send it again, faster.",
    "too_many_requests": "Wait as many seconds as Retry-After says, and send it again.",
    "quota": "Let some instances come to their end, or ask for a higher quota.",
    "key_reused": "Use a new Idempotency-Key for another request.",
    "internal": "It has been logged under the request's id. Tell whoever runs the service.",
    "catching_up": "Ask again: each time it goes on for some seconds. `wfsim serve --history` keeps what it has.",
    "unreachable": "See whether the service runs, and under this address.",
}
"""By the codes of `ServiceError`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What stands in an answer that is an error (RFC 9457)."""

    status: int
    code: str
    detail: str
    advice: str
    more: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self, request: str | None = None) -> dict[str, Any]:
        """As JSON."""
        told = {
            "type": f"urn:wfsim:problem:{self.code}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "advice": self.advice,
            **self.more,
        }
        return told if request is None else {**told, "request": request}


def problem_of(error: WfsimError) -> Problem:
    """How an error of wfsim is told."""
    if isinstance(error, ServiceError):
        return Problem(error.status, error.code, str(error), ADVICE[error.code])
    told = next(told for kind, told in TOLD.items() if isinstance(error, kind))
    more: dict[str, Any] = {}
    status = told.status
    if isinstance(error, EventRejected):
        more = {"event": error.event, "reason": error.reason}
        status = 422 if error.reason in ("undeclared", "payload") else told.status
    elif isinstance(error, ConflictError):
        more = {"expected": error.expected, "stored": error.stored}
    elif isinstance(error, DefinitionError):
        more = {
            "problems": [
                {"place": code, "line": line, "message": message}
                for code, (_, line, message) in zip(error.codes, error.problems, strict=False)
            ]
        }
    return Problem(status, told.code, str(error), told.advice, more)


def error_of(problem: Mapping[str, Any], status: int) -> WfsimError:
    """The error that a service told, for whoever asked it: of the same class as if the engine were here."""
    code, detail = str(problem.get("code", "")), str(problem.get("detail", "")) or f"the service answered {status}."
    kind = next((kind for kind, told in TOLD.items() if told.code == code), None)
    if kind is EventRejected:
        return EventRejected(detail, event=str(problem.get("event")), reason=str(problem.get("reason")))
    if kind is ConflictError:
        return ConflictError(detail, expected=int(problem.get("expected", -1)), stored=int(problem.get("stored", -1)))
    if kind is DefinitionError:
        found = problem.get("problems") or []
        return DefinitionError(
            detail,
            [(None, each.get("line"), str(each.get("message"))) for each in found],
            [str(each.get("place")) for each in found],
        )
    if kind is None:
        return ServiceError(detail, status=status, code=code if code in ADVICE else "internal")
    return kind(detail)
