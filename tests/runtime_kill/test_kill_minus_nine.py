"""A process killed with SIGKILL at any moment loses nothing acknowledged and applies nothing twice (M11.1)."""

from __future__ import annotations

import multiprocessing
import random
import threading
from collections import Counter
from pathlib import Path

import pytest

from wfsim.history.history import open_history
from wfsim.history.replay import replay_all
from wfsim.semantics.instance import Record

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
                if not self.run(order, choice.uniform(0.01, 0.45)):
                    break
            else:
                self.run(order, None)

    def run(self, order: Path, seconds: float | None) -> bool:
        """One process; returns whether it was killed."""
        process = self.context.Process(target=self.drive, args=(str(order), "o"))
        process.start()
        process.join(30 if seconds is None else seconds)
        if process.is_alive():
            process.kill()
            process.join()
        with self.turn:
            if process.exitcode == -9 and seconds is not None:
                self.kills += 1
                return True
            if process.exitcode != 0:
                self.failures.append(f"{order}: ended with {process.exitcode}")
        return False


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
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    killer = Killer(tmp_path)
    workers = [threading.Thread(target=killer.work, args=(seed,)) for seed in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert killer.failures == []
    assert killer.kills >= KILLS
    for order in killer.orders:
        check(order)
