"""`wfsim doctor`: what needs a person is found, and nothing else is."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.unit.runtime.test_workers import POOLED, order
from wfsim.errors import EngineError
from wfsim.runtime.doctor import Diagnosis, Finding, diagnose
from wfsim.runtime.opening import open_engine
from wfsim.runtime.tables import ATTEMPTS, DEFINITIONS, DELIVERIES, DUE, INSTANCES, LEAVING, SCHEMA_VERSION, WORKERS


def wrong(found: Diagnosis) -> list[str]:
    return [each.about for each in found.findings if not each.ok]


def about(found: Diagnosis, name: str) -> Finding:
    return next(each for each in found.findings if each.about == name)


def change(engine: Any, statement: Any) -> None:
    with engine.core.database.transaction() as rows:
        rows.connection.execute(statement)


def test_a_database_at_work_needs_nobody(address: str) -> None:
    begun, go = threading.Event(), threading.Event()

    def charge(total: int) -> str:
        begun.set()
        go.wait(60)
        return "paid"

    with open_engine(address, [order(activities=POOLED)], {"charge": charge}, polling=0.05) as engine:
        engine.start("order", {"total": 1}, id="waits")
        engine.start("order", {"total": 1}, id="o").send("pay")
        begun.wait(60)
        found = diagnose(address)
        assert wrong(found) == [], str(found)
        assert about(found, "attempts").figures["running"] == 1
        assert about(found, "workers").figures["alive"] == [engine.worker]
        go.set()
        engine.get("o").wait(timeout="60s")


def test_without_a_worker_it_says_which_to_start(address: str) -> None:
    with open_engine(address, [order(activities=POOLED)]) as engine:
        engine.start("order", {"total": 1}, id="o").send("pay")
        found = diagnose(address)
        assert wrong(found) == ["workers", "queue"]
        assert "--groups cashiers" in about(found, "queue").advice
    with open_engine(address, activities={"other": lambda: None}, groups=["default"], polling=0.05):
        assert wrong(diagnose(address)) == ["queue"]
    with open_engine(address, activities={"other": lambda: None}, polling=0.05):
        told = about(diagnose(address), "queue")
        assert told.message.endswith("no worker has functions for order.charge")


def test_attempts_of_workers_that_are_gone_are_told(address: str) -> None:
    with open_engine(address, [order()]) as engine:
        engine.start("order", {"total": 1}, id="o").send("pay")
        assert engine.core.take(("o", 1, 1), "lost#1", 1) is not None
        change(engine, sa.insert(WORKERS).values(id="lost#1", started=1, beat=1))
        found = diagnose(address)
        assert wrong(found) == ["workers", "attempts"]
        assert about(found, "attempts").figures["of_workers_that_are_gone"] == ["o:1"]
        assert about(found, "workers").figures["gone"] == ["lost"]
        change(engine, sa.update(ATTEMPTS).values(beat_by=1))
        assert "heartbeats" in wrong(diagnose(address))


def test_what_is_overdue_and_what_holds_it_up_is_told(address: str) -> None:
    with open_engine(address, [order()]) as engine:
        engine.start("order", {"total": 1}, id="late")
        engine.start("order", {"total": 1}, id="ill")
        change(engine, sa.update(DUE).values(due=1))
        assert wrong(diagnose(address)) == ["workers", "timers"]
        change(engine, sa.update(INSTANCES).where(INSTANCES.c.id == "ill").values(image="{}"))
        found = diagnose(address)
        assert wrong(found) == ["workers", "timers", "stuck"]
        assert list(about(found, "stuck").figures["instances"]) == ["ill"]
        # It was only tried.
        assert engine.get("late").state == "created"
        with engine.core.database.reading() as rows:
            assert rows.connection.execute(sa.select(sa.func.count()).select_from(DUE)).scalar_one() == 2


def test_an_archive_that_was_begun_and_definitions_that_cannot_be_read_are_told(address: str) -> None:
    with open_engine(address, [order()]) as engine:
        change(engine, sa.insert(LEAVING).values(instance="o", version=3, folder="/archive/until-1"))
        change(engine, sa.update(DEFINITIONS).values(definition='{"name": "order"}'))
    found = diagnose(address)
    assert wrong(found) == ["definitions", "archive"]
    assert "--into /archive" in about(found, "archive").advice


def test_tables_of_another_version_are_told_and_left(address: str) -> None:
    with open_engine(address, [order()]) as engine:
        for version in ("2", "1000"):
            change(engine, sa.update(SCHEMA_VERSION).values(version_num=version))
            found = diagnose(address)
            assert wrong(found) == ["schema"]
            assert len(found.findings) == 2
            assert about(found, "schema").figures["version"] == version
    with pytest.raises(EngineError, match="there is no database"):
        diagnose("sqlite:///nowhere.db")


def test_the_command_has_exit_code_1_if_a_person_is_needed(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/runs.db"
    with open_engine(address, [order()]) as engine:
        engine.start("order", {"total": 1}, id="o")

    def run(*given: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "wfsim.cli", "doctor", address, *given], capture_output=True, text=True
        )
        return done.returncode, done.stdout

    code, out = run()
    assert code == 1
    assert "\n✗ workers: 0 at work, and 1 instances are open → start one: wfsim worker" in out
    code, out = run("--json")
    assert (code, json.loads(out)["ok"]) == (1, False)
    with open_engine(address) as engine:
        engine.send("o", "drop")
    assert run()[0] == 0


def test_webhooks_whose_messages_are_dead_need_a_person(address: str) -> None:
    with open_engine(address, [order()]) as engine:
        endpoint, _ = engine.webhooks.add("https://shop.example/", kinds=["started"])
        engine.start("order", {"total": 1}, id="o")
        engine.start("order", {"total": 1}, id="p")
        assert about(diagnose(address), "webhooks").message == "1 registered, 2 messages to be sent"
        change(engine, sa.update(DELIVERIES).where(DELIVERIES.c.instance == "o").values(status="dead"))
        finding = about(diagnose(address), "webhooks")
        assert (finding.ok, finding.figures["dead"]) == (False, 1)
        assert f"engine.webhooks.repeat('{endpoint.id}')" in finding.advice
