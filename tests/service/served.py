"""A service on a free loopback port, for tests: in this process, on a database in memory unless one is given."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from wfsim.model.workflow import Workflow
from wfsim.runtime.clock import Clock
from wfsim.runtime.permissions import Permissions
from wfsim.service.keys import Role
from wfsim.service.limits import Limits
from wfsim.service.serving import Server
from wfsim.service.tenants import Tenants

ORDER: dict[str, Any] = {
    "name": "order",
    "initial_state": "created",
    "variables": {
        "total": {"type": "integer", "input": True, "searchable": True},
        "receipt": {"type": "string", "optional": True, "output": True},
    },
    "events": {"pay": {"payload": {"amount": "integer"}}, "drop": {}, "ring": {}},
    "activities": {"charge": {"timeout": "1h", "heartbeat": "10m"}},
    "states": [
        {"name": "created", "timeout": "1d"},
        {
            "name": "charging",
            "activity": {"name": "charge", "parameters": {"total": "${context.total}"}, "result_variable": "receipt"},
        },
        {"name": "shipped", "is_terminal": True},
        {"name": "dropped", "is_terminal": True, "outcome": "failure"},
    ],
    "transitions": [
        {"from": "created", "event": "pay", "to": "charging", "condition": "event.amount >= context.total"},
        {"from": "created", "event": "drop", "to": "dropped"},
        {"from": "created", "event": "ring"},
        {"from": "created", "event": "timeout", "to": "dropped"},
        {"from": "charging", "event": "done", "to": "shipped"},
        {"from": "charging", "event": "error", "to": "dropped"},
    ],
    "schedules": {"nightly": {"cron": "30 2 * * *", "input": {"total": 1}}},
}


def order() -> Workflow:
    return Workflow.model_validate(ORDER)


def charge_later(context: Any, total: int) -> Any:
    return context.later()


@contextlib.contextmanager
def serving(
    url: str = "sqlite://",
    *,
    clock: Clock | None = None,
    limits: Limits | None = None,
    activities: Mapping[str, Any] | None = None,
    permissions: Permissions | None = None,
    history: Path | None = None,
) -> Iterator[Server]:
    """A service that knows `order`, whose `charge` is completed from outside unless functions are given."""
    functions = {"charge": charge_later} if activities is None else activities
    tenants = Tenants(url, [order()], functions, permissions=permissions, clock=clock, polling=0.02, history=history)
    try:
        with Server(tenants, port=0, limits=limits or Limits(rate=1e6, burst=10**6)) as server:
            yield server
    finally:
        tenants.close()


def caller(server: Server, role: Role | None = None, namespace: str = "default", name: str = "test") -> httpx.Client:
    """A plain HTTP client, with a new key of this role; without one, without a key."""
    headers = {}
    if role is not None:
        _, text = server.tenants.keys.add(name, role, namespace)
        headers = {"Authorization": f"Bearer {text}"}
    return httpx.Client(base_url=server.url, headers=headers, timeout=20)
