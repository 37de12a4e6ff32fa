"""Several processes and threads at one database: what is locked, what goes on beside, and what idle instances cost."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.postgres import Server
from tests.unit.runtime.test_workers import order
from wfsim.runtime.engine import Engine
from wfsim.runtime.opening import open_engine
from wfsim.runtime.rows import Busy
from wfsim.runtime.stimuli import free_name
from wfsim.runtime.tables import DUE, RECORDS


def until_somebody_waits(engine: Engine) -> None:
    """Until the server says that a connection waits for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    pause = threading.Event()
    for _ in range(3_000):
        with engine.core.database.reading() as rows:
            if rows.connection.execute(sa.text(waiting)).scalar_one():
                return
        pause.wait(0.01)
    raise AssertionError("nobody waits")


def test_an_instance_that_somebody_holds_is_waited_for(server: Server) -> None:
    with open_engine(server.address(), [order()]) as engine:
        engine.start("order", {"total": 1}, id="o")
        told: list[str] = []
        sending = threading.Thread(target=lambda: told.append(str(engine.send("o", "drop"))))
        with engine.core.database.transaction() as rows:
            assert rows.lock("o") is not None
            with engine.core.database.transaction() as other, pytest.raises(Busy):
                other.lock("o", wait=False)
            sending.start()
            until_somebody_waits(engine)
            assert told == []
        sending.join()
        assert told == ["accepted"]


def test_what_is_due_happens_beside_an_instance_that_somebody_holds(server: Server) -> None:
    with open_engine(server.address(), [order()]) as engine:
        for name in ("held", "free"):
            engine.start("order", {"total": 1}, id=name)
        with engine.core.database.transaction() as rows:
            rows.connection.execute(sa.update(DUE).values(due=1))
        working = threading.Thread(target=engine.core.work_off, args=(engine.core.clock.now(),))
        with engine.core.database.transaction() as rows:
            assert rows.lock("held") is not None
            working.start()
            working.join(60)
            assert not working.is_alive(), "it waits for the one that is held"
            assert [engine.get(name).is_closed for name in ("held", "free")] == [False, True]
        assert engine.core.work_off(engine.core.clock.now()) == 1
        assert engine.get("held").is_closed


def test_events_of_many_senders_are_applied_one_after_the_other(address: str) -> None:
    ringing = order(
        transitions=[
            {"from": "created", "event": "pay"},
            {"from": "created", "event": "drop", "to": "dropped"},
        ]
    )
    with open_engine(address, [ringing]) as one, open_engine(address) as other, ThreadPoolExecutor(8) as threads:
        run = one.start("order", {"total": 1}, id="o")

        def send(number: int) -> str:
            # Each id is sent twice, by another engine.
            return str((one, other)[number % 2].send("o", "pay", event_id=f"e{number // 2}"))

        answers = list(threads.map(send, range(40)))
        assert sorted(answers) == ["accepted"] * 20 + ["duplicate"] * 20
        assert [each.seq for each in run.records] == list(range(1, run.version + 1))
        with one.core.database.reading() as rows:
            taken = sa.select(sa.func.count()).where(RECORDS.c.instance == "o", RECORDS.c.kind == "transition")
            assert rows.connection.execute(taken).scalar_one() == 20
        assert one.check()


def test_starts_at_the_same_time_that_give_no_id_all_get_one(address: str) -> None:
    with open_engine(address, [order()]) as one, open_engine(address) as other, ThreadPoolExecutor(8) as threads:
        one.start("order", {"total": 1}, id="order-3")

        def start(number: int) -> str:
            return (one, other)[number % 2].start("order", {"total": number}).id

        names = list(threads.map(start, range(40)))
        assert len(set(names)) == 40
        assert {each.id for each in one.list(limit=100)} == {*names, "order-3"}
        assert one.start("order", {"total": 1}, id="mine").id == "mine"


@pytest.mark.parametrize("last", [0, 700])
@pytest.mark.parametrize("n", [0, 1, 2, 700, 99_999])
def test_a_free_number_is_found_with_a_few_looks(n: int, last: int) -> None:
    looked: list[int] = []

    class Rows:
        def read(self, name: str) -> object:
            looked.append(int(name.removeprefix("order-")))
            return object() if looked[-1] <= n else None

    rows: Any = Rows()
    assert free_name(rows, "order", last) == f"order-{max(n, last) + 1}"
    assert len(looked) <= 2 * 18


def test_instances_that_wait_cost_a_row_and_no_thread(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/runs.db"
    with open_engine(address, [order()], {"charge": lambda total: "paid"}, polling=0.05) as engine:
        engine.start("order", {"total": 1}, id="first")
        before = threading.active_count()
        for number in range(100):
            engine.start("order", {"total": 1}, id=f"o{number}")
        assert threading.active_count() <= before
    with open_engine(address, activities={"charge": lambda total: "paid"}, polling=0.05) as engine:
        engine.get("first")
        assert threading.active_count() <= before
        assert engine.figures().due == 101
