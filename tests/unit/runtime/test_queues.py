"""Engines on files and on PostgreSQL: attempts in a queue that any worker takes from."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from tests.postgres import Server
from wfsim.errors import EngineError
from wfsim.history.replay import replay_all
from wfsim.model.workflow import Workflow
from wfsim.runtime import database
from wfsim.runtime.database import DatabaseError
from wfsim.runtime.engine import Engine
from wfsim.runtime.opening import open_engine

ORDER: dict[str, Any] = {
    "name": "order",
    "initial_state": "created",
    "variables": {"total": {"type": "integer", "input": True}, "receipt": {"type": "string", "optional": True}},
    "events": {"pay": {}, "drop": {}},
    "activities": {"charge": {"retry_policy": {"max_attempts": 3, "initial_interval": "10ms"}}},
    "states": [
        {"name": "created", "timeout": "1h"},
        {
            "name": "charging",
            "activity": {
                "name": "charge",
                "parameters": {"total": "${context.total}"},
                "result_variable": "receipt",
            },
        },
        {"name": "shipped", "is_terminal": True},
        {"name": "dropped", "is_terminal": True, "outcome": "failure"},
    ],
    "transitions": [
        {"from": "created", "event": "pay", "to": "charging"},
        {"from": "created", "event": "drop", "to": "dropped"},
        {"from": "charging", "event": "done", "to": "shipped"},
    ],
}


def order() -> Workflow:
    return Workflow.model_validate(ORDER)


def test_an_order_runs_and_its_history_replays(address: str) -> None:
    tried: list[str] = []

    def charge(context: Any, total: int) -> str:
        tried.append(context.idempotency_key)
        if len(tried) == 1:
            raise OSError("down")
        return f"receipt for {total}"

    with open_engine(address, [order()], {"charge": charge}, polling=0.05) as engine:
        run = engine.start("order", {"total": 3}, id="o")
        assert run.send("pay") == "accepted"
        assert run.wait(timeout="60s") == "shipped"
        assert run.variables == {"total": 3, "receipt": "receipt for 3"}
        assert tried == ["o:1", "o:1"]
        assert replay_all(engine.history)
        with pytest.raises(EngineError, match=r"works for .* already"):
            open_engine(address, [order()], {"charge": charge})
    with open_engine(address) as later:
        assert later.get("o").state == "shipped"
        assert [each.id for each in later.list()] == ["o"]


def test_who_has_no_functions_starts_and_sends_and_a_worker_that_comes_later_does_the_work(address: str) -> None:
    with open_engine(address, [order()]) as client:
        client.start("order", {"total": 1}, id="o").send("pay")
    with open_engine(address, activities={"charge": lambda total: "paid"}, polling=0.05) as engine:
        run = engine.get("o")
        run.wait(timeout="60s")
        assert (run.state, run.variables["receipt"]) == ("shipped", "paid")


def test_an_answer_that_is_lost_with_the_connection_is_not_told_as_nothing_stored(server: Server) -> None:
    with open_engine(server.address(), [order()]) as engine:
        engine.start("order", {"total": 1}, id="o")
        lost = []

        def store_and_break(connection: sa.Connection) -> None:
            if not lost:
                lost.append(True)
                connection.exec_driver_sql("COMMIT")
                connection.connection.dbapi_connection.close()  # type: ignore[union-attr]

        sa.event.listen(engine.core.database.engine, "commit", store_and_break)
        with pytest.raises(DatabaseError, match=r"is not known whether this was stored.*under the same id"):
            engine.send("o", "pay", event_id="once")
        assert lost
        assert engine.send("o", "pay", event_id="once") == "duplicate"


def break_all(engine: Engine) -> None:
    """Let the server end all connections but the one that says so."""
    beside = sa.create_engine(engine.core.database.engine.url, poolclass=sa.pool.NullPool)
    with beside.connect() as connection:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid, 10000) {others}")


def test_connections_that_broke_while_they_rested_are_replaced_unnoticed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_engine(server.address(), [order()]) as engine:
        engine.start("order", {"total": 1}, id="o")
        monkeypatch.setattr(database, "RESTED", 0.0)
        break_all(engine)
        assert engine.send("o", "pay", event_id="once") == "accepted"
