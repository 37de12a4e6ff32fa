"""A process killed with SIGKILL at any moment loses nothing acknowledged and applies nothing twice (M11.1)."""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
import threading
from collections import Counter
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wfsim.history.history import open_history
from wfsim.history.replay import replay_all
from wfsim.semantics.records import Record

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

KILLS = 100
KILLS_PER_ORDER = 5
N_ITEMS = 5


class Killer:
    """Lets orders run in processes that it kills, until enough of them were killed."""

    def __init__(self, folder: Path) -> None:
        from kill_child import drive

        self.folder = folder
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["kill_child"])
        self.drive = drive
        self.kills = 0
        self.kills_of_open_orders = 0
        self.failures: list[str] = []
        self.orders: list[Path] = []
        self.turn = threading.Lock()

    def work(self, seed: int) -> None:
        """Run one order after the other, killing each a few times."""
        choice = random.Random(seed)
        while True:
            with self.turn:
                if self.kills >= KILLS or self.failures:
                    return
                order = self.folder / f"order-{len(self.orders)}"
                self.orders.append(order)
            order.mkdir()
            for _ in range(KILLS_PER_ORDER):
                # A quarter of the kills may hit the opening of the file, the others the work itself.
                if not self.run(order, choice.uniform(0.0, 0.3), at_work=choice.random() < 0.75):
                    break
            else:
                self.run(order, None)

    def run(self, order: Path, seconds: float | None, at_work: bool = False) -> bool:
        """One process, killed so many seconds after it has loaded, or after it has opened the order.

        Returns whether it was killed.
        """
        listens, tells = self.context.Pipe(duplex=False)
        process = self.context.Process(target=self.drive, args=(str(order), "o", tells))
        # Under the lock: start looks after all children of this process, and one exit code is read once only.
        with self.turn:
            process.start()
        tells.close()
        said = [told_by(listens)]
        if at_work:
            said.append(told_by(listens))
        wait([process.sentinel], 60 if seconds is None else seconds)
        while listens.poll() and (more := told_by(listens)):
            said.append(more)
        with self.turn:
            if process.is_alive():
                process.kill()
            process.join()
            listens.close()
            if process.exitcode == -9 and seconds is not None:
                self.kills += 1
                self.kills_of_open_orders += "open" in said
                return True
            if process.exitcode != 0:
                self.failures.append(f"{order}: ended with {process.exitcode}")
        return False


def told_by(connection: Connection) -> str | None:
    """What it says, or `None` if its process ended without saying anything."""
    try:
        return str(connection.recv())
    except EOFError:
        return None


def applied(records: list[Record], kind: str) -> list[Record]:
    """Causes of that kind that were not ignored."""
    ignored = {record.cause_seq for record in records if record.kind == "stimulus_ignored"}
    return [record for record in records if record.kind == kind and record.seq not in ignored]


def check(order: Path) -> None:
    with open_history(order / "orders.duckdb") as history:
        report = replay_all(history)
        assert report, str(report)
        case = history.case("o")
        records = case.records()
        instance = case.replay()
    assert (instance.status, instance.state) == ("completed", "delivered")
    assert [record.seq for record in records] == list(range(1, len(records) + 1))

    # Every event was applied once, and what was acknowledged was in the store by then.
    events = applied(records, "event_received")
    ids = [f"item-{k}" for k in range(N_ITEMS)] + ["submit", "ship"]
    assert [record.event_id for record in events] == ids
    assert instance.variables["items"] == N_ITEMS
    seqs = {record.event_id: record.seq for record in events}
    acknowledged = [line.split() for line in (order / "acknowledged").read_text().splitlines()]
    assert {event_id for event_id, _ in acknowledged} == set(ids)
    for event_id, version in acknowledged:
        assert seqs[event_id] <= int(version)

    # Every activity ended once; every attempt started once, before its function ran.
    done = Counter(record.activity_id for record in applied(records, "activity_succeeded"))
    assert done == {1: 1, 2: 1, 3: 1}
    started = Counter((record.activity_id, record.attempt) for record in records if record.kind == "activity_started")
    assert set(started.values()) == {1}
    effects = {tuple(line.split()) for line in (order / "effects").read_text().splitlines()}
    assert effects == {(f"o:{serial}", str(attempt)) for serial, attempt in started}
    assert instance.variables["charge"] == "o:2"
    fired = Counter(record.payload["timer_id"] for record in applied(records, "timer_fired"))
    assert set(fired.values()) == {1}


def test_a_hundred_kills_lose_nothing_and_repeat_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = str(Path(__file__).parent)
    monkeypatch.syspath_prepend(here)
    # The server that forks the processes loads their module before; it looks for it here.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([here, *filter(None, sys.path)]))
    killer = Killer(tmp_path)
    workers = [threading.Thread(target=killer.work, args=(seed,)) for seed in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert killer.failures == []
    assert killer.kills >= KILLS
    # Most were killed at work, not while opening the file.
    assert killer.kills_of_open_orders >= KILLS // 2
    for order in killer.orders:
        check(order)
