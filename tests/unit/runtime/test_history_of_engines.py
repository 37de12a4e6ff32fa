"""`engine.history`: what is asked of every other history is asked of it, and it is up to date whenever it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.unit.runtime.test_what_a_service_asks import ORDER, order
from wfsim.errors import HistoryError
from wfsim.history.history import History
from wfsim.history.replay import replay_all
from wfsim.runtime import pulled
from wfsim.runtime.engine import Engine
from wfsim.runtime.opening import open_engine
from wfsim.widgets.stepping import Stepping


def run_orders(engine: Engine, clock: wf.ManualClock) -> None:
    for name in ("paid", "dropped", "open"):
        engine.start("order", id=name)
        clock.advance("1m")
    engine.send("paid", "pay")
    clock.advance("1m")
    engine.send("dropped", "drop")


def columns(history: History, view: str) -> list[tuple[Any, ...]]:
    return [row[:2] for row in history.sql(f"DESCRIBE {view}").fetchall()]


def test_every_way_to_look_at_a_history_looks_at_that_of_an_engine(clock: wf.ManualClock) -> None:
    with open_engine("sqlite://", [order()], {"charge": lambda: "r"}, clock=clock) as engine:
        run_orders(engine, clock)
        history = engine.history
        assert replay_all(history)
        case = history.case("paid")
        told = [record for step in Stepping(case).steps for record in step.records]
        assert told == case.records() == engine.get("paid").records
        assert "charging" in wf.Stepper(case).to_html()
        assert wf.FlowMap(history).seen()[1]
        assert len(wf.hot_paths(history).df()) == 2
        ways = history.sql("SELECT from_state, to_state, allowed, n FROM conformance WHERE n > 0").fetchall()
        assert {way[:2] for way in ways} == {("created", "charging"), ("charging", "shipped"), ("created", "dropped")}
        assert all(allowed for _, _, allowed, _ in ways)
        assert wf.align(history, order()).fitness == 1.0
        watched = wf.monitor(history, order(), [wf.Property("at_most", {"event": "drop", "times": 1})])
        assert watched.look() == []
        with wf.simulate(order(), cases=2, seed=1, progress=False) as simulated:
            for view in ("history", "cases", "stays", "executions", "durations", "hot_paths", "activity_stats"):
                assert columns(history, view) == columns(simulated, view), view
        with pytest.raises(HistoryError):
            history.sql("DELETE FROM record_rows")


def test_it_lacks_nothing_that_was_written_before_it_is_asked_and_says_what_it_would_fetch(
    clock: wf.ManualClock, tmp_path: Path
) -> None:
    address = f"sqlite:///{tmp_path}/runs.db"
    with open_engine(address, [order()], clock=clock) as engine:
        history = engine.history
        assert history.lag == 0
        run = engine.start("order", id="o")
        assert (history.lag, len(history), history.lag) == (2, 2, 0)
        run.send("drop")
        part = history.between("1h", None)
        assert part.lag == 0
        engine.start("order", id="p")
        assert history.lag == part.lag == 2
        assert len(part) == 0
        assert (history.lag, len(history)) == (0, run.version + 2)
    with wf.simulate(order(), cases=1, seed=1, progress=False) as simulated:
        assert simulated.lag == 0


def test_who_cannot_wait_brings_it_up_to_date_bit_by_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulled, "OFTEN", 0.0)
    address = f"sqlite:///{tmp_path}/runs.db"
    moved = wf.Workflow.model_validate({**ORDER, "version": "1.1.0", "description": "another"})
    with open_engine(address, [order()]) as engine:
        for number in range(3):
            engine.start("order", id=f"o{number}")
        assert [engine.catch_up(0.0) for _ in range(4)] == [False, False, True, True]
        assert [version for (version,) in engine.history.sql("SELECT version FROM cases").fetchall()] == [2, 2, 2]
        # What has moved to another version is told anew, also if it is cut short meanwhile.
        monkeypatch.setattr(pulled, "SLACK", -1)
        engine.publish(moved)
        assert len(engine.migrate("order", to="1.1.0", dry_run=False)) == 3
        engine.start("order", id="later")
        assert not engine.catch_up(0.0)
        while not engine.catch_up(0.0):
            pass
        asked = "SELECT external_id FROM cases ORDER BY ALL"
        assert [name for (name,) in engine.history.sql(asked).fetchall()] == ["later", "o0", "o1", "o2"]
        assert {engine.history.case(f"o{n}").program.workflow.version for n in range(3)} == {"1.1.0"}
