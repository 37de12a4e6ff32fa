"""The application: all routes behind the door, and what is told of them."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException

from . import activities, bodies, console, definitions, instances, operation, statistics, streams, webhooks
from .allowances import Allowances
from .door import told
from .limits import Bounded, Limits, Rates

if TYPE_CHECKING:
    from .tenants import Tenants

LOCAL = ("localhost", "127.0.0.1", "[::1]")
"""The names under which a service without keys may be called."""

DESCRIPTION = """\
Workflows, run for real: definitions are published, instances started, sent to and looked at.

Errors are problem details (RFC 9457); programs decide by `code`. A POST that changes something may be repeated under
the same `Idempotency-Key`, and is done once. An instance's `ETag` is its version: with `If-Match`, what is sent is
applied only if nothing has happened since. Times and durations are integer microseconds, times since 1970 UTC. An id in
a path is percent-encoded, its slashes too.
"""


def make_app(tenants: Tenants, limits: Limits | None = None, hosts: Iterable[str] = LOCAL) -> FastAPI:
    """The service on some namespaces, as an ASGI application.

    Parameters
    ----------
    hosts
        What the service may be called in `Host` while there is no key: others are refused.
    """
    limits = limits or Limits()
    app = _routed()
    app.state.tenants = tenants
    app.state.limits = limits
    app.state.rates = Rates()
    app.state.allowances = Allowances(tenants.default.engine.core.database)
    app.state.hosts = frozenset(hosts)
    app.state.stopping = threading.Event()
    app.add_api_route("/v1/openapi.json", openapi, methods=["GET"], include_in_schema=False)
    for kind in (HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, _outside)
    app.add_middleware(Bounded, limits=limits)
    return app


def _routed() -> FastAPI:
    app = FastAPI(
        title="wfsim",
        version="1",
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
        generate_unique_id_function=lambda route: route.name,
    )
    for each in (definitions, instances, activities, streams, webhooks, statistics, operation):
        app.include_router(each.routes)
    app.include_router(operation.metrics_routes)
    app.include_router(operation.open_routes)
    app.include_router(console.routes)
    return app


def _outside(request: Request, error: Exception) -> Response:
    """What comes to no door: paths and methods that there are not."""
    return told(error, "", None)


@cache
def openapi() -> dict[str, Any]:
    """The description of the service, as docs/openapi.json has it."""
    app = _routed()
    found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    parts = found.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    schemas["Problem"] = bodies.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    for name, part in schemas.items():
        if "example" in part:
            # FastAPI leaves out what is null in it.
            part["example"] = getattr(bodies, name).model_json_schema()["example"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    parts["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "A key that `wfsim keys add` made."}
    }
    for path in found["paths"].values():
        for operation_ in path.values():
            answer = operation_.get("responses", {}).get("422")
            # FastAPI would describe its own errors.
            if answer is not None and "application/json" in answer.get("content", {}):
                del answer["content"]["application/json"]
    return found
