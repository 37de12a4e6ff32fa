"""Copies of databases that are in use, and databases made of them, which go on."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.postgres import Server
from tests.unit.runtime.test_workers import order
from wfsim.errors import EngineError
from wfsim.runtime import backup
from wfsim.runtime.backup import back_up, restore
from wfsim.runtime.database import Database
from wfsim.runtime.opening import open_engine
from wfsim.runtime.tables import (
    ALLOWANCES,
    AUDIT,
    DELIVERIES,
    ENDPOINTS,
    FOUND,
    INSTANCES,
    KEYS,
    LEAVING,
    MOVES,
    RECORDS,
    REQUESTS,
    SCHEMA_VERSION,
)
from wfsim.runtime.upgrading import NEWEST
from wfsim.service.keys import Keys, Role
from wfsim.service.ledger import Ledger


class Place:
    """A kind of database, and the way in which it is copied."""

    def __init__(self, kind: str, folder: Path, server: Server | None) -> None:
        self.kind = kind
        self._folder, self._server = folder, server
        self._n = 0

    def address(self) -> str:
        """Of a database that is not there, or empty."""
        self._n += 1
        return f"sqlite:///{self._folder}/{self._n}.db" if self._server is None else self._server.address()


@pytest.fixture(params=["sqlite", "pg_dump", "copy"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param == "copy":
        monkeypatch.setattr(backup.shutil, "which", lambda name: None)
    return Place(request.param, tmp_path, None if request.param == "sqlite" else request.getfixturevalue("server"))


def test_a_copy_made_while_others_write_is_of_one_moment_and_goes_on(place: Place, tmp_path: Path) -> None:
    address, other = place.address(), place.address()
    done = threading.Event()
    with open_engine(address, [order()], {"charge": lambda total: "paid"}, polling=0.05) as engine:
        engine.start("order", {"total": 1}, id="waits")

        def write() -> None:
            number = 0
            while not done.is_set():
                engine.start("order", {"total": number}, id=f"o{number}").send("drop")
                number += 1

        writer = threading.Thread(target=write)
        writer.start()
        try:
            found = back_up(address, tmp_path / "copy")
        finally:
            done.set()
            writer.join()
        assert (found.how, found.bytes > 0) == (place.kind, True)
        assert engine.send("waits", "drop") == "accepted"
    n = restore(tmp_path / "copy", other)
    with open_engine(other, activities={"charge": lambda total: f"paid {total}"}, polling=0.05) as engine:
        assert n == len(engine.list(limit=1_000)) >= 1
        with engine.core.database.reading() as rows:
            last = sa.select(RECORDS.c.instance, sa.func.max(RECORDS.c.seq)).group_by(RECORDS.c.instance)
            ends = dict(rows.connection.execute(last).all())
            assert ends == dict(rows.connection.execute(sa.select(INSTANCES.c.id, INSTANCES.c.version)).all())
        run = engine.get("waits")
        assert run.state == "created"
        run.send("pay")
        assert run.wait(timeout="60s") == "shipped"
        # Numbers that the database gives go on after those that are taken.
        engine.start("order", {"total": 2}, id="more").send("pay")
        assert engine.get("more").wait(timeout="60s") == "shipped"
        assert engine.check()


def test_attempts_that_were_at_work_are_done_again_under_the_same_key(place: Place, tmp_path: Path) -> None:
    address, other = place.address(), place.address()
    begun, go = threading.Event(), threading.Event()
    keys: list[str] = []

    def charge(context: Any, total: int) -> str:
        keys.append(context.idempotency_key)
        begun.set()
        go.wait(60)
        return "paid"

    with open_engine(address, [order()], {"charge": charge}, polling=0.05) as engine:
        engine.start("order", {"total": 1}, id="o").send("pay")
        begun.wait(60)
        back_up(address, tmp_path / "copy")
        go.set()
        engine.get("o").wait(timeout="60s")
    restore(tmp_path / "copy", other)
    with Database(other).transaction() as rows:
        # Nobody gives a sign of life any more.
        rows.connection.execute(sa.text("UPDATE wfsim_workers SET beat = 0"))
    with open_engine(other, activities={"charge": charge}, polling=0.05) as engine:
        assert engine.get("o").wait(timeout="60s") == "shipped"
    assert keys == ["o:1", "o:1"]


def test_a_copy_of_an_older_version_is_brought_up_to_date(place: Place, tmp_path: Path) -> None:
    address, other = place.address(), place.address()
    with open_engine(address, [order()]) as engine:
        engine.start("order", {"total": 1}, id="o")
        with engine.core.database.transaction() as rows:
            for table in (MOVES, LEAVING, KEYS, AUDIT, REQUESTS, ENDPOINTS, DELIVERIES, FOUND, ALLOWANCES):
                table.drop(rows.connection)
            for name in ("wfsim_instances", "wfsim_attempts"):
                rows.connection.execute(sa.text(f"ALTER TABLE {name} DROP COLUMN trace"))
            rows.connection.execute(sa.text("ALTER TABLE wfsim_attempts DROP COLUMN lost"))
            rows.connection.execute(sa.update(SCHEMA_VERSION).values(version_num="2"))
    back_up(address, tmp_path / "copy")
    assert restore(tmp_path / "copy", other) == 1
    with open_engine(other) as engine:
        assert engine.migrate(["o"], to="1.0.0").rows[0].reason == "it runs 1.0.0 already"
        with engine.core.database.reading() as rows:
            assert rows.connection.execute(sa.select(SCHEMA_VERSION.c.version_num)).scalar_one() == NEWEST


def test_what_is_no_copy_or_has_no_room_is_refused(tmp_path: Path, server: Server) -> None:
    address = f"sqlite:///{tmp_path}/runs.db"
    with pytest.raises(EngineError, match="there is no database"):
        back_up(address, tmp_path / "copy")
    with open_engine(address, [order()]) as engine:
        engine.start("order", {"total": 1}, id="o")
    back_up(address, tmp_path / "copy")
    with pytest.raises(EngineError, match="exists already"):
        back_up(address, tmp_path / "copy")
    with pytest.raises(EngineError, match=r"the folder .* does not exist"):
        back_up(address, tmp_path / "none" / "copy")
    with pytest.raises(EngineError, match="exists already"):
        restore(tmp_path / "copy", address)
    with pytest.raises(EngineError, match="is a copy of an SQLite file, and postgresql"):
        restore(tmp_path / "copy", server.address())
    with pytest.raises(EngineError, match="there is no backup"):
        restore(tmp_path / "nothing", address)
    with pytest.raises(EngineError, match="cannot be copied"):
        back_up("sqlite://", tmp_path / "memory")
    empty = server.address()
    with pytest.raises(EngineError, match="has no tables of an engine"):
        back_up(empty, tmp_path / "empty")
    (tmp_path / "text").write_text("nothing of the kind")
    with pytest.raises(EngineError, match="is no backup"):
        restore(tmp_path / "text", f"sqlite:///{tmp_path}/new.db")
    whole = (tmp_path / "copy").read_bytes()
    (tmp_path / "half").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EngineError, match="is damaged"):
        restore(tmp_path / "half", f"sqlite:///{tmp_path}/new.db")
    assert sorted(each.name for each in tmp_path.iterdir() if ".partial" in each.name or each.name == "new.db") == []
    with open_engine(empty, [order()]):
        pass
    made = back_up(empty, tmp_path / "pg")
    with pytest.raises(EngineError, match="has an engine already"):
        restore(made.path, empty)


def test_a_damaged_archive_of_tables_leaves_the_database_empty(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup.shutil, "which", lambda name: None)
    address, other = server.address(), server.address()
    with open_engine(address, [order()]) as engine:
        engine.start("order", {"total": 1}, id="o")
    back_up(address, tmp_path / "copy")
    data = bytearray((tmp_path / "copy").read_bytes())
    middle = data.index(b"wfsim_records") + 60
    data[middle : middle + 8] = b"\xff" * 8
    (tmp_path / "copy").write_bytes(data)
    with pytest.raises(EngineError, match="damaged"):
        restore(tmp_path / "copy", other)
    with sa.create_engine(other.replace("postgresql:", "postgresql+psycopg:")).connect() as connection:
        assert not sa.inspect(connection).has_table("wfsim_instances")


def test_what_a_service_keeps_is_copied_with_it(place: Place, tmp_path: Path) -> None:
    address, other = place.address(), place.address()
    with open_engine(address, [order()]) as engine:
        keys, ledger = Keys(engine.core.database), Ledger(engine.core.database)
        key, text = keys.add("Ada", Role.OPERATOR)
        ledger.note(key, "POST", "/v1/instances", 201, "a")
        assert ledger.begin("once", "digest") == ("digest", None)
    back_up(address, tmp_path / "copy")
    restore(tmp_path / "copy", other)
    database = Database(other)
    assert Keys(database).of(text) == key
    ledger = Ledger(database)
    assert ledger.begin("once", "another") == ("digest", None)
    ledger.note(key, "POST", "/v1/instances", 201, "b")
    assert [each.number for each in ledger.entries(None, 10)] == [2, 1]
    database.close()


def test_backup_and_restore_are_one_command_each(tmp_path: Path) -> None:
    address, other = f"sqlite:///{tmp_path}/runs.db", f"sqlite:///{tmp_path}/other.db"
    with open_engine(address, [order()]) as engine:
        engine.start("order", {"total": 1}, id="o")

    def run(*given: str) -> str:
        done = subprocess.run([sys.executable, "-m", "wfsim.cli", *given], capture_output=True, text=True, check=True)
        return done.stdout

    told = run("backup", address, str(tmp_path / "copy"))
    assert told.startswith(f"{tmp_path}/copy: 1 instances, ")
    assert run("restore", str(tmp_path / "copy"), other) == "1 instances are there again.\n"
    assert shutil.which("pg_dump") is not None, "the tests of pg_dump need it: apt install postgresql-client"
