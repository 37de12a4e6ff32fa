"""The command `wfsim worker`: processes that carry out activities until they are told to stop."""

from __future__ import annotations

import gc
import json
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.postgres import Server
from tests.unit.runtime.test_queues import ORDER
from wfsim.errors import EngineError
from wfsim.model.workflow import Workflow
from wfsim.runtime.groups import QueueLimits, number_of, rate_of
from wfsim.runtime.opening import open_engine

SHOP = """
from pathlib import Path

def charge(context, total):
    Path("begun").write_text(context.instance)
    while total > 100 and not context.cancelled and not Path("go").exists():
        context.sleep(0.02)
    if context.cancelled:
        raise OSError("stopped")
    return f"receipt for {total}"

def pack():
    return None
"""


def order(**changes: Any) -> Workflow:
    return Workflow.model_validate(ORDER | changes)


POOLED = {"charge": {"pool": "cashiers", "retry_policy": {"max_attempts": 3, "initial_interval": "10ms"}}}


class Worker:
    """A worker in a process of its own."""

    def __init__(self, folder: Path, address: str, *options: str) -> None:
        (folder / "shop.py").write_text(SHOP)
        command = [sys.executable, "-m", "wfsim.cli", "worker", "--database", address, "--activities", "shop", *options]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
        )
        self.told: list[dict[str, Any]] = []

    def until(self, event: str) -> dict[str, Any]:
        """Read what it prints up to an event."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.told.append(json.loads(line))
            if self.told[-1]["event"] == event:
                return self.told[-1]
        raise AssertionError(
            f"it ended without {event}: {self.told}, {self.process.stderr and self.process.stderr.read()}"
        )

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Tell it to stop; its exit code, and what it said on the other stream."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        self.told += [json.loads(line) for line in out.splitlines()]
        return self.process.returncode, err

    @property
    def events(self) -> list[str]:
        return [each["event"] for each in self.told]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    begun: list[Worker] = []

    def started(address: str, *options: str) -> Worker:
        begun.append(Worker(tmp_path, address, *options))
        return begun[-1]

    yield started
    for worker in begun:
        worker.process.kill()
        worker.process.communicate()


def test_a_worker_that_is_told_to_stop_finishes_what_it_has_in_hand(
    tmp_path: Path, start: Callable[..., Worker]
) -> None:
    address = f"sqlite:///{tmp_path}/runs.db"
    with open_engine(address, [order()]) as engine:
        engine.start("order", {"total": 300}, id="o").send("pay")
        worker = start(address)
        assert worker.until("worker_started")["activities"] == ["order.charge"]
        worker.until("attempt_started")
        worker.process.send_signal(signal.SIGTERM)
        worker.until("worker_stopping")
        (tmp_path / "go").touch()
        code, err = worker.end(signal.SIGCONT)
        assert (code, err) == (0, "")
        assert worker.events[-2:] == ["attempt_succeeded", "worker_stopped"]
        assert engine.get("o").state == "shipped"


def test_what_a_worker_cannot_finish_in_time_is_given_back_and_done_by_another(
    tmp_path: Path, start: Callable[..., Worker]
) -> None:
    address = f"sqlite:///{tmp_path}/runs.db"
    with open_engine(address, [order()]) as engine:
        engine.start("order", {"total": 300}, id="o").send("pay")
        first = start(address, "--grace", "0")
        first.until("attempt_started")
        assert first.end() == (0, "")
        (tmp_path / "go").touch()
        second = start(address)
        second.until("attempt_succeeded")
        engine.get("o").wait("shipped", timeout="60s")
        started = [each.attempt for each in engine.get("o").records if each.kind == "activity_started"]
        assert started[0] == 1
        assert second.end(signal.SIGINT) == (0, "")


def test_workers_serve_the_groups_that_they_name(tmp_path: Path, start: Callable[..., Worker]) -> None:
    address = f"sqlite:///{tmp_path}/runs.db"
    with open_engine(address, [order(activities=POOLED)]) as engine:
        engine.start("order", {"total": 1}, id="o").send("pay")
        other = start(address, "--groups", "default")
        other.until("worker_started")
        mine = start(address, "--groups", "cashiers", "--concurrency", "2")
        assert mine.until("attempt_succeeded")["instance"] == "o"
        assert engine.get("o").wait(timeout="60s") == "shipped"
        assert engine.queues == {"cashiers": QueueLimits(2), "default": QueueLimits()}
        assert other.end()[0] == 0
        assert "attempt_started" not in other.events


def test_a_worker_learns_what_others_publish_after_its_start(tmp_path: Path, start: Callable[..., Worker]) -> None:
    address = f"sqlite:///{tmp_path}/runs.db"
    worker = start(address, "--groups", "cashiers")
    assert worker.until("group_unknown")["message"] == "no published activity has the pool 'cashiers'."
    told = worker.until("activity_unknown")
    assert told["message"] == "no published workflow has an activity 'charge'."
    with open_engine(address, [order(activities=POOLED)]) as engine:
        engine.start("order", {"total": 1}, id="o").send("pay")
        assert worker.until("attempt_succeeded")["instance"] == "o"


def test_a_worker_waits_for_a_database_that_is_away_and_ends_when_it_stays_away(
    server: Server, start: Callable[..., Worker]
) -> None:
    address = server.address()
    with open_engine(address, [order()]):
        pass
    patient, hasty = start(address), start(address, "--patience", "0")
    for worker in (patient, hasty):
        worker.until("worker_started")
    server.stop()
    patient.until("database_away")
    hasty.until("database_away")
    out, err = hasty.process.communicate(timeout=60)
    server.start()
    assert patient.until("database_back")["seconds"] >= 0
    assert patient.end()[0] == 0
    assert hasty.process.returncode == 2
    assert f"{address} has been away for" in err
    assert out.splitlines()[-1].endswith('"event": "worker_stopped"}')


def test_what_ends_while_the_database_is_away_is_reported_once_it_is_back(
    tmp_path: Path, server: Server, start: Callable[..., Worker]
) -> None:
    address = server.address()
    with open_engine(address, [order()]) as engine:
        engine.start("order", {"total": 300}, id="o").send("pay")
        worker = start(address)
        worker.until("attempt_started")
        server.stop()
        worker.until("database_away")
        (tmp_path / "go").touch()
        server.start()
        worker.until("attempt_succeeded")
        assert engine.get("o").state == "shipped"
        assert engine.check()


def test_a_worker_without_a_database_says_so_and_ends(start: Callable[..., Worker]) -> None:
    worker = start("postgresql://nobody@127.0.0.1:1/none")
    out, err = worker.process.communicate(timeout=60)
    assert (worker.process.returncode, out) == (2, "")
    assert err.startswith("postgresql://nobody@127.0.0.1:1/none: it cannot be opened:")


def test_a_worker_that_nobody_holds_goes_on_until_it_is_closed(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/runs.db"
    worker = weakref.ref(open_engine(address, [Workflow.model_validate(ORDER)], {"charge": lambda total: "paid"}))
    gc.collect()
    with open_engine(address) as engine:
        engine.start("order", {"total": 1}, id="o").send("pay")
        engine.get("o").wait("shipped", timeout=60)
    held = worker()
    assert held is not None
    held.close()
    del held
    gc.collect()
    assert worker() is None


def test_limits_of_a_group_hold_from_the_next_look_on_and_are_kept(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/runs.db"
    with open_engine(address, [order(activities=POOLED)]) as engine:
        engine.set_queue("cashiers", QueueLimits(5, concurrency=2, rate=(10, 60.0)))
        assert engine.queues["cashiers"] == QueueLimits(2, 2, (10, 60.0))
        assert str(engine.queues["cashiers"]) == "2 at once in each worker, 2 at once in all, 10 starts in 1m"
    with open_engine(address, activities={"charge": lambda total: "paid"}, polling=0.05) as engine:
        assert engine.queues["cashiers"] == QueueLimits(2, 2, (10, 60.0))
        for limits in (QueueLimits(), QueueLimits(7, 9), QueueLimits(3, 3), QueueLimits(20, 40), QueueLimits(50)):
            engine.set_queue("cashiers", limits)
            assert engine.queues["cashiers"] == limits


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_queue_that_is_held_begins_nothing_until_it_is_let_go(kind: str, tmp_path: Path, server: Server) -> None:
    address = f"sqlite:///{tmp_path}/runs.db" if kind == "sqlite" else server.address()
    charged: list[int] = []
    with open_engine(address, [order(activities=POOLED), order(name="other")]) as engine:
        engine.set_queue("cashiers", QueueLimits(concurrency=0, rate=(1_000, 1.0)))
        assert engine.queues["cashiers"] == QueueLimits(concurrency=0, rate=(1_000, 1.0))
        assert str(engine.queues["cashiers"]) == "held: nothing is begun"
        engine.start("order", {"total": 1}, id="o").send("pay")
    given = {"charge": lambda total: charged.append(total)}
    with open_engine(address, activities=given, polling=0.02) as engine:
        # Those of another queue go on, one after another, each after several looks into both.
        for number in range(5):
            run = engine.start("other", {"total": 10 + number})
            run.send("pay")
            run.wait(timeout="60s")
        assert charged == [10, 11, 12, 13, 14]
        engine.set_queue("cashiers", replace(engine.queues["cashiers"], concurrency=None))
        engine.get("o").wait(timeout="60s")
        assert charged[5:] == [1]


def test_no_more_begin_within_a_time_than_the_rate_says(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/runs.db"
    charged: list[int] = []
    with open_engine(address, [order(activities=POOLED), order(name="other")]) as engine:
        engine.set_queue("cashiers", QueueLimits(rate=(2, 3_600.0)))
        for number in range(5):
            engine.start("order", {"total": number}, id=f"o{number}").send("pay")
    with open_engine(address, activities={"charge": lambda total: charged.append(total)}, polling=0.02) as engine:
        # Those of another queue go on, one after another, each after several looks into both.
        for number in range(5):
            run = engine.start("other", {"total": 10 + number})
            run.send("pay")
            run.wait(timeout="60s")
        assert sorted(charged) == [0, 1, 10, 11, 12, 13, 14]
        engine.set_queue("cashiers", replace(engine.queues["cashiers"], rate=None))
        for number in range(5):
            engine.get(f"o{number}").wait(timeout="60s")
        assert sorted(charged) == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]


def test_a_limit_of_a_queue_counts_what_all_workers_are_at(tmp_path: Path, start: Callable[..., Worker]) -> None:
    address = f"sqlite:///{tmp_path}/runs.db"
    with open_engine(address, [order(activities=POOLED), order(name="other")]) as engine:
        engine.set_queue("cashiers", QueueLimits(concurrency=1))
        # Each of them stays at work until the file `go` is there.
        long = [engine.start("order", {"total": 300}, id=name) for name in ("a", "b", "c")]
        for run in long:
            run.send("pay")
        workers = [start(address), start(address)]
        for worker in workers:
            worker.until("worker_started")

        def begun() -> int:
            return sum(each.kind == "activity_started" for run in long for each in run.records)

        for number in range(5):
            run = engine.start("other", {"total": number})
            run.send("pay")
            run.wait(timeout="60s")
        long[0].wait(lambda _: begun() > 0, timeout="60s")
        assert begun() == 1
        (tmp_path / "go").touch()
        for run in long:
            assert run.wait(timeout="60s") == "shipped"


@pytest.mark.parametrize("group", ["default", "cashiers"])
def test_attempts_of_a_higher_priority_come_first(tmp_path: Path, group: str) -> None:
    address = f"sqlite:///{tmp_path}/runs.db"
    done: list[str] = []
    with open_engine(address, [order(activities=POOLED) if group == "cashiers" else order()]) as engine:
        engine.set_queue(group, QueueLimits(1))
        for name, priority in (("low", -5), ("plain", 0), ("high", 7)):
            engine.start("order", {"total": 1}, id=name, priority=priority).send("pay")

    def charge(context: Any, total: int) -> str:
        done.append(context.instance)
        return "paid"

    with open_engine(address, activities={"charge": charge}, polling=0.05) as engine:
        for name in ("low", "plain", "high"):
            engine.get(name).wait(timeout="60s")
    assert done == ["high", "plain", "low"]


def test_who_has_taken_an_attempt_without_hearing_so_takes_it_again(tmp_path: Path) -> None:
    with open_engine(f"sqlite:///{tmp_path}/runs.db", [order()]) as engine:
        engine.start("order", {"total": 1}, id="o").send("pay")
        first = engine.core.take(("o", 1, 1), "me", 1)
        assert first is not None
        assert engine.core.take(("o", 1, 1), "me", 1) is None
        assert engine.core.take(("o", 1, 1), "somebody", 1, again=True) is None
        assert engine.core.take(("o", 1, 1), "me", 1, again=True) == first
        assert [each.kind for each in engine.get("o").records].count("activity_started") == 1


def test_the_queues_command_shows_and_sets_limits(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/runs.db"

    def run(*given: str) -> tuple[int, str, str]:
        done = subprocess.run([sys.executable, "-m", "wfsim.cli", "queues", *given], capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    assert run(address)[::2] == (2, f"there is no database {address!r}. Give that of an engine: sqlite:///runs.db.\n")
    with open_engine(address, [order(activities=POOLED)]) as engine:
        engine.start("order", {"total": 1}, id="o").send("pay")
    code, out, _ = run(address, "cashiers", "--rate", "10/1m", "--concurrency", "3", "--json")
    assert (code, json.loads(out)) == (
        0,
        {"cashiers": {"worker_concurrency": 3, "concurrency": 3, "rate": [10, 60.0], "queued": 1}},
    )
    code, out, _ = run(address, "cashiers", "--rate", "none")
    assert (code, "3 at once in each worker, 3 at once in all" in out, "starts" in out) == (0, True, False)
    assert "Did you mean 'cashiers'?" in run(address, "cashier", "--per-worker", "2")[2]


def test_prometheus_asks_a_worker_what_it_did(tmp_path: Path, start: Callable[..., Worker]) -> None:
    address = f"sqlite:///{tmp_path}/runs.db"
    with open_engine(address, [order()]) as engine:
        engine.start("order", {"total": 1}, id="o").send("pay")
        worker = start(address, "--metrics", "0")
        place = worker.until("metrics_served")["address"]
        worker.until("attempt_succeeded")
        engine.get("o").wait("shipped", timeout="60s")
    page = httpx.get(place).text
    told = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    ended = 'wfsim_attempts_ended_total{activity="charge",outcome="succeeded",workflow="order"}'
    assert told[ended] == "1.0"
    assert told['wfsim_attempt_seconds_count{activity="charge",workflow="order"}'] == "1.0"
    assert told['wfsim_records_total{kind="instance_closed",workflow="order"}'] == "1.0"
    assert worker.end() == (0, "")
    refused = start(address, "--metrics", "nowhere")
    assert "'nowhere' is no place to listen" in refused.process.communicate(timeout=60)[1]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = start(address, "--metrics", f"127.0.0.1:{taken.getsockname()[1]}")
        assert "Choose another port" in refused.process.communicate(timeout=60)[1]
        assert refused.process.returncode == 2


@pytest.mark.parametrize("text", ["10", "0/1m", "1/0s", "x/1m", "3/never"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    assert rate_of("10/1m") == (10, 60.0)
    with pytest.raises(EngineError, match="is no rate"):
        rate_of(text)


def test_limits_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="worker_concurrency is 0"):
        QueueLimits(0)
    with pytest.raises(EngineError, match="rate is"):
        QueueLimits(rate=(0, 1.0))
    with pytest.raises(EngineError, match="'x' is no number of attempts"):
        number_of("x")
    with open_engine() as engine, pytest.raises(EngineError, match="has no queue here"):
        engine.set_queue("default", QueueLimits())
    with pytest.raises(EngineError, match="7 is no group of workers"):
        open_engine(f"sqlite:///{tmp_path}/runs.db", activities={}, groups=[7])  # type: ignore[list-item]
