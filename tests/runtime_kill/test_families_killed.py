"""Children, lists and what undoes them survive SIGKILL at any moment: nothing is lost, nothing applied twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.runtime_kill.invariants import applied, check_attempts, check_children, check_records
from tests.runtime_kill.killer import Killer, chosen_seed
from tests.stored import open_history
from wfsim.history.replay import replay_all

NOTES, MACHINES, PARTS = 3, 4, 3


def check(work: Path) -> None:
    effects = Counter(tuple(line.split()) for line in (work / "effects").read_text().splitlines())
    acknowledged = (work / "acknowledged").read_text().splitlines()
    assert len(acknowledged) == len(set(acknowledged))
    with open_history(work / "runs.db") as history:
        report = replay_all(history)
        assert report, str(report)
        numbers = [number for (number,) in history.sql('SELECT "case" FROM cases ORDER BY "case"').fetchall()]
        received: list[str] = []
        sent: list[str] = []
        back: list[str] = []
        for number in numbers:
            case = history.case(number)
            records = case.records()
            check_records(records)
            check_attempts(case, records, effects)
            check_children(case, records)
            received += [str(record.event_id) for record in applied(records, "event_received")]
            letters = [record for record in records if record.kind in ("message_sent", "message_returned")]
            for letter in letters:
                identity = f"{case.external_id}:m{letter.payload['message_id']}"
                (sent if letter.kind == "message_sent" else back).append(identity)
        site = history.case("o")
        instance, records = site.replay(), site.records()
        assert (instance.status, instance.state) == ("completed", "undone")
        # What was acknowledged was applied, and once.
        assert set(acknowledged) <= set(received)
        assert len(received) == len(set(received))
        assert instance.variables["notes"] == NOTES
        # Every message has arrived, and what was turned away came back, at most once.
        assert set(back) <= set(sent) <= set(received) | set(back)
        assert len(back) == len(set(back))
        rejected = [record.event_id for record in records if record.kind == "event_rejected"]
        assert instance.variables["news"] == len(set(sent) & set(received)) - len(rejected)
        # What was reserved was given back, newest first, under keys of its own.
        reserved = [
            record.activity_id for record in applied(records, "activity_succeeded") if record.activity == "reserve"
        ]
        undone = [
            record.payload["compensates"]
            for record in records
            if record.kind == "activity_scheduled" and record.attempt == 1 and record.activity == "give_back"
        ]
        assert sorted(reserved) == list(range(1, MACHINES + 1))
        assert undone == reserved[::-1]
        assert instance.variables["keys"] == [f"o:{number}" for number in range(1, MACHINES + 1)]
        assert {key for key, _, activity, _ in effects if activity == "give_back"} == {
            f"o:undo:{number}" for number in reserved
        }
        # Each machine was reserved for the item it belongs to.
        items = {(key, index) for key, _, activity, index in effects if activity == "reserve"}
        assert items == {(f"o:{number}", str(number - 1)) for number in range(1, MACHINES + 1)}
        assert len(site.children) == PARTS


def test_families_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    killer = Killer(tmp_path, "tests.runtime_kill.kill_family", "drive", kills_each=6, longest=0.5, most_appends=40)
    killer.run_all(chosen_seed())
    for work in killer.works:
        check(work)
