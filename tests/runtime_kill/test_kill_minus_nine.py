"""A process killed with SIGKILL at any moment loses nothing acknowledged and applies nothing twice (M11.1)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.runtime_kill.invariants import applied, check_records
from tests.runtime_kill.killer import Killer, chosen_seed
from tests.stored import open_history
from wfsim.history.replay import replay_all

N_ITEMS = 5


def check(order: Path) -> None:
    with open_history(order / "orders.db") as history:
        report = replay_all(history)
        assert report, str(report)
        case = history.case("o")
        records = case.records()
        instance = case.replay()
    assert (instance.status, instance.state) == ("completed", "delivered")
    check_records(records)

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
    # To try again, twice, and the two of its states.
    assert len(applied(records, "timer_fired")) == 4


def test_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    killer = Killer(tmp_path, "tests.runtime_kill.kill_child", "drive")
    killer.run_all(chosen_seed())
    for order in killer.works:
        check(order)
