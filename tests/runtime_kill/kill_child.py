"""The process that is killed: it drives one order until the order is closed, from wherever the store says it is."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Imported before the fork, since loading them takes longer than what is tested.
import sqlalchemy  # noqa: F401

from wfsim.errors import ActivityError, EngineError
from wfsim.model.workflow import Workflow
from wfsim.runtime.database import Database
from wfsim.runtime.run import reopen, start
from wfsim.runtime.sql_rows import SqlRows

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

N_ITEMS = 5
POLICY = {"max_attempts": 4, "initial_interval": "3ms", "backoff_coefficient": 1}


def _activity(name: str, **parameters: Any) -> dict[str, Any]:
    return {"action_type": "activity", "name": name, "parameters": parameters}


ORDER = Workflow.model_validate(
    {
        "name": "order",
        "initial_state": "created",
        "variables": {
            "items": {"type": "integer", "initial": 0, "output": True},
            "charge": {"optional": True, "output": True},
            "late": {"type": "boolean", "initial": False, "output": True},
        },
        "events": {"add_item": {}, "submit": {}, "ship": {}},
        "activities": {"validate": {"retry_policy": POLICY}, "charge": {"retry_policy": POLICY}, "pack": {}},
        "states": [
            {"name": "created"},
            {"name": "settling"},
            {"name": "paying", "activity": {"name": "charge", "result_variable": "charge"}},
            {"name": "paid"},
            {"name": "shipped"},
            {"name": "delivered", "is_terminal": True},
        ],
        "transitions": [
            {
                "from": "created",
                "event": "add_item",
                "pre_actions": [
                    {
                        "action_type": "set_variable",
                        "parameters": {"name": "items", "value": "${context.items + 1}"},
                    }
                ],
            },
            {
                "from": "created",
                "to": "settling",
                "event": "submit",
                "pre_actions": [_activity("validate", items="${context.items}")],
            },
            {"from": "settling", "to": "paying", "after": "10ms"},
            {"from": "paying", "to": "paid", "event": "done"},
            {"from": "paid", "to": "shipped", "event": "ship", "post_actions": [_activity("pack")]},
            {"from": "shipped", "to": "delivered", "after": "10ms"},
        ],
    }
)


def written(path: Path, line: str) -> None:
    """One line, on disk before anything else happens."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, (line + "\n").encode())
    os.fsync(handle)
    os.close(handle)


def die_after(commits: int | None) -> None:
    """Let this process be killed right after so many transactions, before anything follows from the last."""
    transaction, left = Database.transaction, commits

    @contextlib.contextmanager
    def counted(self: Database) -> Iterator[SqlRows]:
        nonlocal left
        with transaction(self) as rows:
            yield rows
        if left is not None:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    Database.transaction = counted  # type: ignore[method-assign]


def drive(folder: str, name: str, ready: Connection, appends: int | None = None) -> None:
    """Start or reopen the order, send what has not been acknowledged, wait for its end.

    Says through `ready` when everything is loaded, and again when the order is open.
    """
    die_after(appends)
    path = Path(folder)
    ready.send("loaded")

    def did(context: Any, **_: Any) -> str:
        written(path / "effects", f"{context.idempotency_key} {context.attempt}")
        if context.activity != "pack" and context.attempt == 1:
            raise ActivityError("Net", "try again")
        return str(context.idempotency_key)

    async def charge(context: Any) -> str:
        return did(context)

    functions: dict[str, Callable[..., Any]] = {"validate": did, "charge": charge, "pack": did}
    store = path / "orders.db"
    try:
        run = reopen(store, name, functions)
    except EngineError:
        run = start(ORDER, activities=functions, store=store, id=name)
    ready.send("open")
    told = path / "acknowledged"
    known = {line.split()[0] for line in told.read_text().splitlines()} if told.exists() else set()
    plan = [(f"item-{k}", "add_item", "created") for k in range(N_ITEMS)]
    plan += [("submit", "submit", "created"), ("ship", "ship", "paid")]
    with run:
        for event_id, event, state in plan:
            if event_id in known:
                continue
            if event_id in {record.event_id for record in run.records}:
                # Stored, but killed before this was acknowledged: sending it again must not apply it again.
                assert run.send(event, event_id=event_id) == "duplicate"
            else:
                run.wait(state)
                assert run.send(event, event_id=event_id) == "accepted"
            written(told, f"{event_id} {run.version}")
        run.wait()
