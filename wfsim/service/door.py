"""The door that every request goes through: who calls, may it, did it ask before; and what it is told if it fails."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import AfterValidator
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from wfsim.errors import ServiceError, WfsimError
from wfsim.runtime import tracing
from wfsim.runtime.database import DatabaseError
from wfsim.runtime.sending import LONGEST_ID

from .codes import ADVICE, Problem, problem_of
from .keys import NOBODY, Key, Role
from .ledger import Kept
from .tenants import Tenant

if TYPE_CHECKING:
    from wfsim.model.values import Value

    from .allowances import Allowances
    from .limits import Limits
    from .tenants import Tenants

log = logging.getLogger("wfsim.service")

Segment = Annotated[str, Path(max_length=3 * LONGEST_ID), AfterValidator(unquote)]
"""A part of a path that may contain anything; see `limits._with_path`."""

RESERVED = "wfsim"
"""The name in a stimulus's metadata under which the service says who sent it."""

_UNREACHABLE = (DatabaseError, sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)

_KEPT_HEADERS = ("content-type", "etag", "location")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, for which namespace, and under which ids.

    Attributes
    ----------
    request
        The id of the request, in answers and in the log.
    once
        Its Idempotency-Key.
    expected
        Its If-Match: the version that the instance must have.
    told
        Its Wfsim-Metadata.
    """

    key: Key
    tenant: Tenant
    request: str
    once: str | None
    expected: int | None
    told: dict[str, Value]
    limits: Limits

    def metadata(self, given: dict[str, Value] | None) -> dict[str, Value]:
        """What is stored beside a stimulus: what the caller gave, and who that is.

        Raises
        ------
        ServiceError
            If the caller speaks for the service.
        """
        both = {**self.told, **(given or {})}
        if RESERVED in both:
            raise ServiceError(
                f"metadata has {RESERVED!r}, under which the service says who sent it. Choose another name.",
                status=422,
                code="invalid",
            )
        who: dict[str, Value] = {"by": self.key.name, "key": self.key.id, "request": self.request}
        return {**both, RESERVED: who if self.once is None else {**who, "once": self.once}}


def _caller(request: Request) -> Caller:
    found: Caller = request.state.caller
    return found


CallerOf = Annotated[Caller, Depends(_caller)]


class Door(APIRoute):
    """A route with its role; `Routes.at` makes it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's own handler, behind the door."""
        inside = super().get_route_handler()
        extra = self.openapi_extra or {}
        role = Role[str(extra["x-role"]).upper()]
        changes = bool(extra.get("x-changes"))

        async def handle(request: Request) -> Response:
            with tracing.continuing(request.headers):
                return await handled(request)

        async def handled(request: Request) -> Response:
            begun = time.perf_counter()
            number = secrets.token_hex(8)
            caller: Caller | None = None
            try:
                caller = await _let_in(request, role, number)
                answer = await (_once(request, caller, inside) if changes else inside(request))
            except Exception as error:  # told as a problem, and logged if it is a defect
                answer = told(error, number, caller)
            answer.headers["X-Request-Id"] = number
            took = time.perf_counter() - begun
            if caller is not None:
                caller.tenant.measures.answered(request.method, self.path, answer.status_code, took)
                if changes:
                    note = caller.tenant.ledger.note
                    await run_in_threadpool(
                        note,
                        caller.key,
                        request.method,
                        _path(request),
                        answer.status_code,
                        number,
                    )
            log.info(
                "answered",
                extra={
                    "fields": {
                        "request": number,
                        "method": request.method,
                        "path": _path(request),
                        "status": answer.status_code,
                        "seconds": round(took, 4),
                        "namespace": None if caller is None else caller.tenant.namespace,
                        "key": None if caller is None else caller.key.id,
                        **tracing.ids(tracing.current()),
                    }
                },
            )
            return answer

        return handle


class Routes(APIRouter):
    """Routes, each of which says who may use it."""

    def __init__(self, group: str, prefix: str = "/v1") -> None:
        super().__init__(prefix=prefix, tags=[group], route_class=Door)

    def at(
        self, method: str, path: str, role: Role, *, changes: bool = False, **more: Any
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """A route; `changes` says that it may be repeated under an Idempotency-Key, and stands in the audit."""
        extra: dict[str, Any] = {"x-role": role.word, "x-changes": changes, "security": [{"key": []}]}
        if changes:
            extra["parameters"] = [ONCE, *([IF_MATCH] if path.startswith("/instances/{id}/") else []), METADATA]
        codes = dict(REFUSALS) | (TAKEN_IN if method == "POST" else {}) | dict(more.pop("problems", {}))
        answers: dict[int | str, dict[str, Any]] = {
            code: {
                "description": text,
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }
            for code, text in codes.items()
        }
        return self.api_route(
            path,
            methods=[method],
            openapi_extra=extra,
            responses={**answers, **more.pop("responses", {})},
            response_model_exclude_none=False,
            **more,
        )


REFUSALS = {
    400: "It cannot be done as it was asked",
    401: "No valid key",
    403: "Another role",
    422: "It cannot be read",
    429: "Too often",
    503: "Not now: Retry-After says when",
}
TAKEN_IN = {408: "It has not come in time", 413: "It is too large"}

IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "An ETag: only if nothing has happened since.",
    "schema": {"type": "string", "pattern": r'^(\*|(W/)?"[0-9]{1,9}")$'},
}

METADATA = {
    "name": "Wfsim-Metadata",
    "in": "header",
    "required": False,
    "description": "Metadata as a JSON object, beside that of the body.",
    "schema": {"type": "string", "contentMediaType": "application/json"},
}

ONCE = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key twice: done once, and answered twice the same. Another request with it is refused.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_ID},
}


def told(error: Exception, number: str, caller: Caller | None) -> Response:
    """An error as an answer. What is no error of the caller is logged whole, and told without its inside."""
    retry: float | None = None
    if isinstance(error, _UNREACHABLE):
        # What it said is for the log: it may name hosts.
        log.warning("the database cannot be used", exc_info=error, extra={"fields": {"request": number}})
        problem, retry = problem_of(DatabaseError("the database cannot be used now.")), 1.0
    elif isinstance(error, WfsimError):
        problem = problem_of(error)
        retry = error.retry_after if isinstance(error, ServiceError) else (1.0 if problem.status == 503 else None)
    elif isinstance(error, RequestValidationError):
        problem = _invalid(error)
    elif isinstance(error, HTTPException):
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "bad_request")
        problem = Problem(error.status_code, code, str(error.detail), ADVICE[code])
    else:
        log.error("failed", exc_info=error, extra={"fields": {"request": number}})
        problem = Problem(500, "internal", "the service has a defect, and what it did was undone.", ADVICE["internal"])
    said = problem.to_dict(number)
    if caller is not None:
        # Where the data lies is nobody's business.
        said["detail"] = said["detail"].replace(caller.tenant.engine.core.database.shown, "the database")
    headers = {} if retry is None else {"Retry-After": str(math.ceil(retry))}
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(json.dumps(said), problem.status, headers, "application/problem+json")


def _invalid(error: RequestValidationError) -> Problem:
    problems = [{"place": ".".join(map(str, each["loc"])), "message": str(each["msg"])} for each in error.errors()[:20]]
    first = problems[0]
    is_json = not any(each["type"] == "json_invalid" for each in error.errors())
    detail = f"{first['place']}: {first['message']}" if is_json else f"the body is no JSON: {first['message']}"
    return Problem(422, "invalid", detail, ADVICE["invalid"], {"problems": problems})


async def _let_in(request: Request, role: Role, number: str) -> Caller:
    tenants: Tenants = request.app.state.tenants
    key, limits = await run_in_threadpool(_known, request, tenants)
    request.app.state.rates.take(key.id, limits)
    if key.role < role:
        raise ServiceError(
            f"this needs the role {role.word}, and the key {key.name!r} has the role {key.role.word}.",
            status=403,
            code="forbidden",
        )
    tenant = await run_in_threadpool(tenants.of, key.namespace)
    caller = Caller(
        key,
        tenant,
        number,
        once=_once_key(request),
        expected=_expected(request),
        told=_told(request.headers.get("Wfsim-Metadata")),
        limits=limits,
    )
    request.state.caller = caller
    return caller


def _known(request: Request, tenants: Tenants) -> tuple[Key, Limits]:
    """Whose request it is, and what that is allowed."""
    key = _key_of(request, tenants)
    allowances: Allowances = request.app.state.allowances
    return key, allowances.of(key.namespace, request.app.state.limits)


def _key_of(request: Request, tenants: Tenants) -> Key:
    given = request.headers.get("Authorization")
    if given is not None:
        scheme, _, text = given.partition(" ")
        found = tenants.keys.of(text.strip()) if scheme.lower() == "bearer" else None
        if found is not None:
            return found
        raise ServiceError("the key is unknown, or was revoked.", status=401, code="unauthenticated")
    if tenants.keys.are_asked_for():
        raise ServiceError("this service wants a key, and there is none.", status=401, code="unauthenticated")
    host = request.headers.get("Host", "").rpartition("@")[2]
    name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
    if name not in request.app.state.hosts:
        # A page of a stranger may have its own name lead to this machine.
        raise ServiceError(
            f"without keys this service is for this machine, and not known as {name!r}.",
            status=401,
            code="unauthenticated",
        )
    return NOBODY


def _once_key(request: Request) -> str | None:
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return None
    if not 0 < len(given) <= LONGEST_ID or not given.isprintable():
        raise ServiceError(
            f"an Idempotency-Key has 1 to {LONGEST_ID} printable characters.", status=422, code="invalid"
        )
    return given


def _expected(request: Request) -> int | None:
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    text = given.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ServiceError(
            'If-Match is the ETag of an instance: its version in double quotes, "17".', status=422, code="invalid"
        )
    return int(text)


def _told(text: str | None) -> dict[str, Value]:
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ServiceError("Wfsim-Metadata is a JSON object.", status=422, code="invalid")
    return found


async def _once(request: Request, caller: Caller, inside: Callable[[Request], Awaitable[Response]]) -> Response:
    """What a request with an idempotency key is answered: as the first with it was."""
    if caller.once is None:
        return await inside(request)
    ledger = caller.tenant.ledger
    body = await request.body()
    asked = "\0".join((request.method, _path(request), request.url.query)).encode()
    digest = hashlib.sha256(hashlib.sha256(asked).digest() + body).hexdigest()
    first, kept = await run_in_threadpool(ledger.begin, caller.once, digest)
    if first != digest:
        raise ServiceError(
            f"the Idempotency-Key {caller.once!r} came with another request before.", status=422, code="key_reused"
        )
    if kept is not None:
        return Response(kept.body, kept.status, {**kept.headers, "Idempotency-Replayed": "true"})
    try:
        answer = await inside(request)
    except (WfsimError, RequestValidationError, HTTPException) as error:
        answer = told(error, caller.request, caller)
    # What was refused for now alone, as a quota or another at it, may be done the next time.
    if answer.status_code < 500 and answer.status_code != 429:
        headers = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
        text = bytes(answer.body).decode()
        await run_in_threadpool(ledger.end, caller.once, Kept(answer.status_code, headers, text))
    return answer


def _path(request: Request) -> str:
    return unquote(request.scope["path"])
