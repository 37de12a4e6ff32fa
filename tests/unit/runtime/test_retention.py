"""Closed instances leave the database for an archive; killed anywhere, nothing is lost and nothing is there twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import wfsim as wf
from tests.unit.runtime.test_workers import order
from tests.unit.semantics.test_rules_15_moving import CHILD, PARENT
from wfsim.errors import EngineError
from wfsim.model.yaml_io import loads
from wfsim.runtime import retention
from wfsim.runtime.clock import ManualClock
from wfsim.runtime.engine import Engine
from wfsim.runtime.opening import open_engine
from wfsim.runtime.tables import DUE, INSTANCES, LEAVING, RECORDS, SEEN
from wfsim.service.keys import Keys, Role
from wfsim.service.ledger import Ledger


def fill(engine: Engine, n: int) -> None:
    """Every third stays open."""
    for number in range(n):
        run = engine.start("order", {"total": number}, id=f"o{number}", metadata={"by": number})
        if number % 3:
            run.send("drop", event_id="drop")


def archived(archive: Path) -> list[str]:
    """The ids of what is in an archive."""
    found = []
    for folder in archive.glob("until-*"):
        with wf.open_history(folder) as history:
            found += [name for (name,) in history.sql("SELECT external_id FROM cases").fetchall()]
    return found


def stored(engine: Engine) -> list[str]:
    return [each.id for each in engine.list(limit=1_000)]


def test_what_is_closed_for_long_enough_leaves_and_the_rest_stays(address: str, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    with open_engine(address, [order()]) as engine:
        fill(engine, 7)
        assert engine.retain(archive, older_than="1d").instances == 0
        found = engine.retain(archive, older_than=0, batch=3)
        assert (found.instances, len(found.folders), found.kept) == (4, 2, ())
        assert sorted(stored(engine)) == ["o0", "o3", "o6"]
        assert sorted(archived(archive)) == ["o1", "o2", "o4", "o5"]
        with wf.open_history(found.folders[0]) as history:
            case = history.case("o1")
            assert (case.replay().state, case.records()[0].kind) == ("dropped", "started")
            *where, told = history.sql("SELECT external_id, seq, metadata FROM metadata").fetchall()[0]
        assert (where, json.loads(told)) == (["o1", 1], {"by": 1})
        assert json.loads((found.folders[0] / retention.BESIDE).read_text()) == {"moves": []}
        with pytest.raises(EngineError, match="there is no instance 'o1'"):
            engine.get("o1")
        with engine.core.database.reading() as rows:
            for table in (RECORDS, SEEN):
                left = set(rows.connection.execute(sa.select(table.c.instance)).scalars())
                assert left <= {"o0", "o3", "o6"}
        assert engine.check()
        assert str(engine.retain(archive, older_than=0)).startswith("0 instances have left")


def test_what_a_service_keeps_leaves_too(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "MOST", 2)
    with open_engine(address, [order()]) as engine:
        key, _ = Keys(engine.core.database).add("Ada", Role.OPERATOR)
        ledger = Ledger(engine.core.database)
        for number in range(3):
            ledger.note(key, "POST", "/v1/instances", 201, f"r{number}")
            ledger.begin(f"k{number}", "d")
        found = engine.retain(tmp_path / "archive", older_than="1d", batch=2)
        assert (found.requests, found.audit) == (0, None)
        found = engine.retain(tmp_path / "archive", older_than=0, batch=2)
        assert found.requests == 3
        assert found.audit is not None
        told = [json.loads(line) for line in found.audit.read_text().splitlines()]
        assert [(each["number"], each["name"], each["request"]) for each in told] == [
            (1, "Ada", "r0"),
            (2, "Ada", "r1"),
            (3, "Ada", "r2"),
        ]
        assert ledger.entries(None, 10) == []
        # The key opens as before, and the next is a new request.
        assert Keys(engine.core.database).list() == [key]
        assert ledger.begin("k0", "another") == ("another", None)


def test_a_family_leaves_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    clock = ManualClock()
    parent = PARENT.replace("invoke: {workflow: ship}", "invoke: {workflow: ship, parent_close: abandon}").replace(
        "event: done", "event: go"
    )
    with open_engine(workflows=[loads(parent), loads(CHILD)], activities={}, clock=clock) as engine:
        engine.start("sale", id="s").send("go")
        clock.advance("1h")
        assert engine.get("s").state == "over"
        assert engine.retain(tmp_path / "archive", older_than="1m").instances == 0
        clock.advance("3d")
        found = engine.retain(tmp_path / "archive", older_than="1m")
        assert found.instances == 2
        with wf.open_history(found.folders[0]) as history:
            rows = history.sql("SELECT external_id, parent_case FROM cases ORDER BY external_id").fetchall()
            assert rows == [("s", None), ("s/1", 1)]


def test_what_did_not_go_as_defined_stays_and_is_told(tmp_path: Path) -> None:
    with open_engine(f"sqlite:///{tmp_path}/runs.db", [order()]) as engine:
        fill(engine, 3)
        with engine.core.database.transaction() as rows:
            rows.connection.execute(
                sa.update(RECORDS)
                .where(RECORDS.c.instance == "o1", RECORDS.c.kind == "transition")
                .values(state="shipped")
            )
        with pytest.warns(UserWarning, match="did not go as its definition says"):
            found = engine.retain(tmp_path / "archive", older_than=0)
        assert (found.instances, found.kept) == (1, ("o1",))
        assert str(found).endswith("1 stay, as they did not go as defined: o1")
        assert sorted(stored(engine)) == ["o0", "o1"]


class Killed(BaseException):
    pass


@pytest.mark.parametrize("where", ["_write", "sync", "replace", "_remove", "rmtree"])
def test_who_comes_after_one_that_was_killed_finishes_what_it_began(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "archive"

    def killed(*_: Any) -> None:
        raise Killed

    with open_engine(f"sqlite:///{tmp_path}/runs.db", [order()]) as engine:
        fill(engine, 6)
        with monkeypatch.context() as patched:
            holder: Any = retention.os if where == "replace" else retention
            if where == "rmtree":
                # Somebody opens one again meanwhile, so the folder has to go, and that is interrupted.
                write = retention._write

                def write_and_open(core: Any, folder: Path) -> None:
                    write(core, folder)
                    with core.database.transaction() as rows:
                        rows.connection.execute(sa.update(INSTANCES).where(INSTANCES.c.id == "o1").values(version=99))

                patched.setattr(retention, "_write", write_and_open)
                holder = retention.shutil
                patched.setattr(
                    retention.shutil, "rmtree", lambda path, **_: killed() if "/." not in str(path) else None
                )
            else:
                patched.setattr(holder, where, killed)
            with pytest.raises(Killed):
                engine.retain(archive, older_than=0)
        with engine.core.database.reading() as rows:
            assert len(rows.connection.execute(sa.select(LEAVING)).all()) == 4
        if where == "rmtree":
            with engine.core.database.transaction() as rows:
                rows.connection.execute(sa.update(INSTANCES).where(INSTANCES.c.id == "o1").values(version=5))
        other = tmp_path / "other"
        with pytest.raises(EngineError, match="Finish that first, with the same archive"):
            engine.retain(other, older_than=0)
        engine.retain(archive, older_than=0)
        assert Counter([*archived(archive), *stored(engine)]) == Counter(f"o{number}" for number in range(6))
        assert not list(archive.glob(".until*"))
        with engine.core.database.reading() as rows:
            assert rows.connection.execute(sa.select(LEAVING)).all() == []


def test_one_that_is_opened_again_meanwhile_stays_with_its_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "archive"
    raises = {"from": "created", "event": "pay", "to": "charging", "condition": "context.total // 0 > 1"}
    failing = order(transitions=[raises, {"from": "created", "event": "drop", "to": "dropped"}])
    with open_engine(f"sqlite:///{tmp_path}/runs.db", [failing]) as engine:
        engine.start("order", {"total": 1}, id="f").send("pay")
        engine.start("order", {"total": 1}, id="d").send("drop")
        assert engine.get("f").status == "failed"
        assert engine.control("f", "retry") == "accepted"
        with engine.core.database.reading() as rows:
            # The timer that it set on entering again was dropped in the same step.
            assert rows.connection.execute(sa.select(DUE)).all() == []
        write = retention._write

        def write_and_retry(core: Any, folder: Path) -> None:
            write(core, folder)
            engine.control("f", "retry")

        with monkeypatch.context() as patched:
            patched.setattr(retention, "_write", write_and_retry)
            assert engine.retain(archive, older_than=0).folders == ()
        assert sorted(stored(engine)) == ["d", "f"]
        assert archived(archive) == []
        assert engine.retain(archive, older_than=0).instances == 2


def test_one_process_at_a_time_writes_to_an_archive(tmp_path: Path) -> None:
    with open_engine(f"sqlite:///{tmp_path}/runs.db", [order()]) as engine:
        (tmp_path / "archive").mkdir()
        with retention._alone(tmp_path / "archive"), pytest.raises(EngineError, match="another process writes to this"):
            engine.retain(tmp_path / "archive", older_than=0)
        with pytest.raises(EngineError, match="batch is 0"):
            engine.retain(tmp_path / "archive", older_than=0, batch=0)


def test_finished_attempts_leave_the_queue(address: str, tmp_path: Path) -> None:
    with open_engine(address, [order()], {"charge": lambda total: "paid"}, polling=0.05) as engine:
        for number in range(3):
            engine.start("order", {"total": 1}, id=f"o{number}").send("pay")
        for number in range(3):
            engine.get(f"o{number}").wait(timeout="60s")
        assert engine.retain(tmp_path / "archive", older_than="1h").queue_rows == 0
    with open_engine(address) as engine:
        found = engine.retain(tmp_path / "archive", older_than=0)
        assert (found.instances, found.queue_rows) == (3, 3)


def test_killed_again_and_again_it_loses_nothing_and_keeps_nothing_twice(tmp_path: Path) -> None:
    address, archive = f"sqlite:///{tmp_path}/runs.db", tmp_path / "archive"
    with open_engine(address, [order()]) as engine:
        fill(engine, 15)
    command = [
        sys.executable,
        "-m",
        "wfsim.cli",
        "retain",
        address,
        "--into",
        str(archive),
        "--older-than",
        "0s",
        "--batch",
        "3",
    ]
    killed = 0
    for number in range(3):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        seen = len(list(archive.glob("until-*")))
        # While a folder is being written, or just after one has come.
        while process.poll() is None:
            there = list(archive.glob(".until-*")) if number % 2 else list(archive.glob("until-*"))
            if len(there) > (0 if number % 2 else seen):
                process.send_signal(signal.SIGKILL)
                break
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        with open_engine(address) as engine:
            assert set(archived(archive)) | set(stored(engine)) == {f"o{number}" for number in range(15)}
    assert killed >= 2
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["kept"] == []
    with open_engine(address) as engine:
        assert Counter([*archived(archive), *stored(engine)]) == Counter(f"o{number}" for number in range(15))
        assert len(stored(engine)) == 5
