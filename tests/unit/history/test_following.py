"""Rows as they come, from a run that goes on and from snapshots that another process reads."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import wfsim as wf
from wfsim.errors import HistoryError
from wfsim.history.history import open_history

if TYPE_CHECKING:
    from pathlib import Path

DOOR: dict[str, Any] = {
    "name": "door",
    "initial_state": "shut",
    "events": {"push": {}, "pull": {}},
    "states": [{"name": "shut"}, {"name": "open"}, {"name": "gone", "is_terminal": True}],
    "transitions": [
        {"from": "shut", "event": "push", "to": "open"},
        {"from": "open", "event": "pull", "to": "shut"},
        {"from": "open", "event": "push", "to": "gone"},
    ],
}


def door() -> wf.Workflow:
    return wf.Workflow.model_validate(DOOR)


def places(rows: list[Any]) -> list[tuple[int, int]]:
    return [(row.case, row.seq) for row in rows]


def test_rows_come_once_each_in_the_order_of_their_case() -> None:
    with wf.start(door(), clock=wf.ManualClock()) as run:
        history = run.history
        rows = history.follow(poll=0)
        first = [next(rows), next(rows)]
        assert [row.kind for row in first] == ["started", "state_entered"]
        run.send("push")
        run.send("pull")
        more = [next(rows) for _ in range(run.version - 2)]
        assert places(first + more) == [(1, seq) for seq in range(1, run.version + 1)]
        assert list(more[0]._fields) == history.sql("FROM history").columns
        # A row was the last of its case when it came.
        assert [row[:-1] for row in first + more] == history.sql(
            "SELECT * EXCLUDE (is_last) FROM history ORDER BY seq"
        ).fetchall()
        history.close()
        assert list(rows) == []


def test_who_knows_some_rows_gets_the_others() -> None:
    with wf.start(door(), clock=wf.ManualClock()) as run:
        history = run.history
        run.send("push")
        known = {(1, 1): 3}
        assert places([next(history.follow(known, poll=0))]) == [(1, 4)]


def test_a_file_that_nobody_writes_ends_it() -> None:
    with wf.simulate(door(), cases=700, progress=False) as history:
        rows = list(history.follow())
        assert len(rows) == len(history)
        assert {row.case for row in rows} == set(range(1, 701))
        assert list(history.follow("now")) == []


def test_what_is_no_place_to_begin_at_is_refused() -> None:
    with wf.simulate(door(), cases=1, progress=False) as history:
        for wrong in ("later", 7, {1: 2}, {(1, 1): "x"}):
            with pytest.raises(HistoryError, match="give None for all rows"):
                history.follow(wrong)  # type: ignore[arg-type]
        with pytest.raises(HistoryError, match="poll=-1"):
            history.follow(poll=-1)
        with pytest.raises(HistoryError, match="Follow the whole"):
            history.between(0, "1h").follow()


def test_what_was_opened_as_the_latest_snapshot_stays_that_one(tmp_path: Path) -> None:
    with wf.start(door(), clock=wf.ManualClock()) as run:
        collector = run.history.collect(tmp_path / "live", every="1h")
        with wf.open_history(collector.latest) as history:
            n = len(history)
            run.send("push")
            assert collector.take()
            assert len(history.sql("FROM history").fetchall()) == n
        with wf.open_history(collector.latest) as history:
            assert len(history.sql("FROM history").fetchall()) == run.version > n
        collector.stop()


def test_another_process_follows_what_a_collector_writes(tmp_path: Path) -> None:
    code = (
        "import sys, wfsim as wf\n"
        "for row in wf.open_history(sys.argv[1]).follow(poll=0.01):\n"
        "    print(row.case, row.seq, row.kind, flush=True)\n"
        "    if row.kind == 'instance_closed': break\n"
    )
    with wf.start(door(), clock=wf.ManualClock()) as run:
        collector = run.history.collect(tmp_path / "live", every="1h")
        with subprocess.Popen(
            [sys.executable, "-c", code, str(collector.latest)], stdout=subprocess.PIPE, text=True
        ) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "1 1 started\n"
            assert other.stdout.readline() == "1 2 state_entered\n"
            run.send("push")
            assert collector.take()
            lines = [other.stdout.readline() for _ in range(run.version - 2)]
            run.send("push")
            assert collector.take()
            rest = other.stdout.read()
        told = [record.kind for record in run.records]
        assert "".join([*lines, rest]).split("\n")[:-1] == [
            f"1 {seq} {kind}" for seq, kind in enumerate(told, 1) if seq > 2
        ]
        assert collector.collected == 3
        collector.stop()


def test_a_collector_keeps_the_newest_and_writes_nothing_when_nothing_is_new(tmp_path: Path) -> None:
    folder = tmp_path / "live"
    with wf.start(door(), clock=wf.ManualClock()) as run:
        with run.history.collect(folder, every="1h", keep=2) as collector:
            assert not collector.take()
            for event in ("push", "pull", "push"):
                run.send(event)
                assert collector.take()
            assert sorted(each.name for each in folder.iterdir()) == ["000003", "000004", "latest"]
            run.send("push")
        assert (folder / "latest").resolve().name == "000005"
        with open_history(folder / "latest") as latest:
            assert latest.counts == {"completed/success": 1}
        again = run.history.collect(folder, every="1h")
        assert again.latest.resolve().name == "000006"
        again.stop()


def test_a_snapshot_that_cannot_be_written_is_told_and_the_next_one_tried(tmp_path: Path) -> None:
    folder = tmp_path / "live"
    with wf.start(door(), clock=wf.ManualClock()) as run:
        collector = run.history.collect(folder, every="100ms")
        blocked = folder / "000002"
        blocked.mkdir()
        run.send("push")
        while not collector.failures:
            pass
        assert "000002: exists already" in collector.failures[0]
        while collector.collected < 2:
            pass
        assert collector.latest.resolve().name != "000002"
        collector.stop()


def test_a_folder_with_other_things_in_it_is_not_collected_into(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with wf.start(door(), clock=wf.ManualClock()) as run:
        with pytest.raises(HistoryError, match=r"holds mine\.txt. Collect into a folder of its own"):
            run.history.collect(tmp_path)
        with pytest.raises(HistoryError, match=r"every='often'"):
            run.history.collect(tmp_path / "live", every="often")
        with pytest.raises(HistoryError, match=r"every=0"):
            run.history.collect(tmp_path / "live", every=0)
