"""What whoever serves an engine to others needs of it: completion from outside, first fates, feeds, figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wfsim.errors import (
    ConflictError,
    EngineError,
    HistoryError,
    InstanceExists,
    RunStopped,
    UnknownInstance,
    UnknownWorkflow,
    WfsimError,
)
from wfsim.history.replay import replay_all
from wfsim.model.workflow import Workflow
from wfsim.runtime.clock import ManualClock
from wfsim.runtime.engine import Engine
from wfsim.runtime.executor import ActivityContext, Later
from wfsim.runtime.opening import open_engine

ORDER: dict[str, Any] = {
    "name": "order",
    "initial_state": "created",
    "variables": {"receipt": {"type": "string", "optional": True}},
    "events": {"pay": {}, "drop": {}},
    "activities": {"charge": {"timeout": "1h", "heartbeat": "10m"}},
    "states": [
        {"name": "created", "timeout": "1d"},
        {"name": "charging", "activity": {"name": "charge", "result_variable": "receipt"}},
        {"name": "shipped", "is_terminal": True},
        {"name": "dropped", "is_terminal": True, "outcome": "failure"},
    ],
    "transitions": [
        {"from": "created", "event": "pay", "to": "charging"},
        {"from": "created", "event": "drop", "to": "dropped"},
        {"from": "charging", "event": "done", "to": "shipped"},
        {"from": "charging", "event": "error", "to": "dropped"},
    ],
}


def order() -> Workflow:
    return Workflow.model_validate(ORDER)


class Bank:
    """Takes orders to pay, which are settled later."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def charge(self, context: ActivityContext) -> Later:
        self.asked.append(context.correlation_id)
        return context.later()


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.fixture
def engine(bank: Bank, clock: ManualClock) -> Iterator[Engine]:
    with open_engine("sqlite://", [order()], {"charge": bank.charge}, clock=clock) as found:
        yield found


def test_an_activity_that_returns_later_is_completed_from_outside(
    engine: Engine, bank: Bank, clock: ManualClock
) -> None:
    run = engine.start("order", id="o:1")
    run.send("pay")
    clock.advance("1m")
    assert (run.state, bank.asked) == ("charging", ["o:1:1:1"])
    assert engine.complete("o:1:1:1", "r-7") == "accepted"
    assert (run.state, run.variables["receipt"]) == ("shipped", "r-7")
    assert engine.complete("o:1:1:1", "r-8") == "ignored"
    assert run.variables["receipt"] == "r-7"
    assert replay_all(engine.history)


def test_it_can_fail_from_outside_with_an_error_type(engine: Engine, bank: Bank, clock: ManualClock) -> None:
    run = engine.start("order", id="o")
    run.send("pay")
    clock.advance("1s")
    assert engine.fail(bank.asked[0], "Card.Declined", "no money") == "accepted"
    assert run.state == "dropped"
    failed = next(each for each in run.records if each.kind == "activity_failed")
    assert (failed.error_type, failed.payload["message"]) == ("Card.Declined", "no money")


def test_heartbeats_from_outside_keep_it_and_without_them_it_has_failed(
    engine: Engine, bank: Bank, clock: ManualClock
) -> None:
    run = engine.start("order", id="o")
    run.send("pay")
    clock.advance("8m")
    assert engine.heartbeat(bank.asked[0], {"done": 1})
    assert run.activities[0].detail == {"done": 1}
    clock.advance("8m")
    assert run.state == "charging"
    clock.advance("8m")
    assert run.state == "dropped"
    assert not engine.heartbeat(bank.asked[0])


def test_an_activity_that_waits_for_the_outside_is_nobodys_and_survives_its_worker(tmp_path: Path, bank: Bank) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    with open_engine(url, [order()], {"charge": bank.charge}, polling=0.02) as worker:
        run = worker.start("order", id="o")
        run.send("pay")
        run.wait(lambda run: run.activities[0].phase == "running" and _is_nobodys(worker), timeout="60s")
    with open_engine(url, activities={}, groups=()) as service:
        assert service.get("o").state == "charging"
        assert service.complete("o:1:1", "r") == "accepted"
        assert service.get("o").state == "shipped"
    assert bank.asked == ["o:1:1"]


def _is_nobodys(engine: Engine) -> bool:
    with engine.core.database.reading() as rows:
        return [row.worker for row in rows.attempts("o")] == [None]


@pytest.mark.parametrize("wrong", ["", "o", "o:1", "o:1:x", "o:1:²", 7, None])
def test_what_is_no_correlation_id_is_told(engine: Engine, wrong: Any) -> None:
    with pytest.raises(WfsimError, match="names no attempt"):
        engine.complete(wrong)


def test_an_attempt_that_never_was_changes_nothing(engine: Engine) -> None:
    with pytest.raises(UnknownInstance):
        engine.complete("nobody:1:1")
    run = engine.start("order", id="o")
    assert engine.complete("o:77:1", 1) == "ignored"
    assert engine.heartbeat("o:77:1") is False
    assert run.state == "created"


def test_an_engine_that_serves_no_group_lets_time_pass_and_leaves_activities_to_others(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    with (
        open_engine(url, [order()], {}, groups=(), polling=0.02) as first,
        open_engine(f"sqlite:///{tmp_path}/other.db", [order()], {}, groups=(), polling=0.02) as second,
    ):
        run = first.start("order", id="o")
        run.send("pay")
        second.start("order", id="o")
        assert [each.phase for each in run.activities] == ["scheduled"]
        assert first.figures().attempts == {("order", "charge", "queued"): 1}
        assert first.figures().workers == 1


def test_a_command_repeated_tells_what_became_of_the_first(engine: Engine) -> None:
    engine.start("order", id="o")
    assert engine.control("o", "resume", command_id="a").fate == "ignored"
    assert engine.control("o", "pause", command_id="b") == "accepted"
    again = [engine.control("o", "resume", command_id="a"), engine.control("o", "pause", command_id="b")]
    assert [(each, each.fate) for each in again] == [("duplicate", "ignored"), ("duplicate", "accepted")]


def test_what_came_before_is_told_as_it_was_whatever_version_is_expected(engine: Engine) -> None:
    run = engine.start("order", id="o")
    version = run.version
    assert engine.send("o", "pay", event_id="e", expected_version=version) == "accepted"
    assert engine.send("o", "pay", event_id="e", expected_version=version).fate == "taken"
    with pytest.raises(ConflictError):
        engine.send("o", "pay", event_id="other", expected_version=version)
    engine.control("o", "pause", command_id="c", expected_version=run.version)
    assert engine.control("o", "pause", command_id="c", expected_version=1) == "duplicate"


def test_errors_have_classes_of_their_own(engine: Engine) -> None:
    engine.start("order", id="o")
    with pytest.raises(InstanceExists):
        engine.start("order", id="o")
    with pytest.raises(UnknownWorkflow, match="Did you mean 'order'"):
        engine.start("ordr")
    with pytest.raises(UnknownInstance, match="Did you mean 'o'"):
        engine.records("oo")


WRONG: dict[str, Callable[[Engine], Any]] = {
    "named by its id, a text": lambda engine: engine.get(None),  # type: ignore[arg-type]
    "named by its id, a text, not a list": lambda engine: engine.exists(["o"]),  # type: ignore[arg-type]
    "named by its id, a text, not 5": lambda engine: engine.records(5),  # type: ignore[arg-type]
    "named by its id, a text, not None": lambda engine: engine.children(None),  # type: ignore[arg-type]
    "named by its id": lambda engine: engine.send(5, "pay"),  # type: ignore[arg-type]
    "named by": lambda engine: engine.control_all(["o", 5], "pause"),  # type: ignore[list-item]
    "control_all takes ids of instances": lambda engine: engine.control_all("o", "pause"),
    "after is a whole number": lambda engine: engine.records("o", after="1"),  # type: ignore[arg-type]
    "limit must be at least 0": lambda engine: engine.records("o", limit=-1),
    "limit must be at least 1": lambda engine: engine.due(0),
    "a payload is a mapping": lambda engine: engine.why_not("o", "pay", 5),  # type: ignore[arg-type]
    "prefix is a text": lambda engine: engine.list(prefix=5),  # type: ignore[arg-type]
    "status is a status": lambda engine: engine.list(status=5),  # type: ignore[arg-type]
    "a version is a text": lambda engine: engine.start("order", version=2),  # type: ignore[arg-type]
    "expected_version is how many": lambda engine: engine.send("o", "pay", expected_version="2"),  # type: ignore[arg-type]
    "set_queue takes limits": lambda engine: engine.set_queue("default", 5),  # type: ignore[arg-type]
    "seconds must be at least 0": lambda engine: engine.catch_up(-1),
    "lacks a slash": lambda engine: open_engine("sqlite://runs.db"),
    "'f' is a function, not 7": lambda engine: open_engine(activities={"f": 7}),  # type: ignore[dict-item]
    "clock is a": lambda engine: open_engine(clock=7),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("told", WRONG)
def test_what_makes_no_sense_is_told_and_does_nothing(engine: Engine, told: str) -> None:
    run = engine.start("order", id="o")
    with pytest.raises((WfsimError, TypeError), match=re.escape(told)):
        WRONG[told](engine)
    assert (run.status, run.version) == ("running", 2)


def test_a_history_that_cannot_be_kept_in_a_file_stays_where_it_is(engine: Engine, tmp_path: Path) -> None:
    engine.start("order", id="o")
    kept = engine.follow_history(tmp_path / "kept.duckdb")
    assert engine.follow_history(tmp_path / "kept.duckdb") is kept
    (tmp_path / "text.duckdb").write_text("nothing of the kind")
    for wrong in ("none/kept.duckdb", "text.duckdb"):
        with pytest.raises(HistoryError):
            engine.follow_history(tmp_path / wrong)
    assert len(engine.history) == 2
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match="the folder of an archive cannot be made"):
        engine.retain(tmp_path / "file", older_than=0)
    engine.close()
    with pytest.raises(RunStopped, match="has been closed here"):
        engine.catch_up(1.0)


def test_records_come_by_pages_with_what_their_senders_gave_beside_them(engine: Engine) -> None:
    run = engine.start("order", id="o", metadata={"by": "me"})
    first = engine.records("o", limit=2)
    assert [told for _, told in first] == [{"by": "me"}, None]
    assert [each for each, _ in first + engine.records("o", after=2)] == run.records


def test_instances_are_found_by_what_their_ids_begin_with(engine: Engine) -> None:
    for name in ("a%1", "a%2", "ab"):
        engine.start("order", id=name)
    assert {each.id for each in engine.list(prefix="a%")} == {"a%1", "a%2"}


def test_a_feed_gives_each_record_once_and_in_order(engine: Engine, clock: ManualClock) -> None:
    old = engine.start("order", id="old")
    clock.advance("1m")
    feed = engine.feed()
    assert feed.next() == []
    engine.start("order", id="new")
    old.send("drop")
    found = feed.next()
    assert [each.seq for name, each in found if name == "new"] == [each.seq for each in engine.get("new").records]
    assert {each.kind for name, each in found if name == "old"} >= {"event_received", "transition", "instance_closed"}
    assert "started" not in {each.kind for name, each in found if name == "old"}
    assert feed.next() == []


def test_a_feed_forgets_what_is_long_past_and_does_not_repeat_it(engine: Engine, clock: ManualClock) -> None:
    feed = engine.feed(0)
    run = engine.start("order", id="o")
    n = len(feed.next())
    clock.advance("1h")
    engine.start("order", id="later")
    feed.next()
    feed.next()
    run.send("drop")
    assert [each.seq for _, each in feed.next()] == [each.seq for each in run.records[n:]]


def test_figures_count_what_there_is_and_how_late_it_is(tmp_path: Path) -> None:
    clock = ManualClock()
    url = f"sqlite:///{tmp_path}/runs.db"
    # Nobody works here, so what is due stays.
    with open_engine(url, [order()], clock=clock) as engine:
        engine.start("order", id="a")
        engine.start("order", id="b").send("drop")
        assert engine.count_open() == 1
        before = engine.figures()
        assert before.instances == {("order", "running"): 1, ("order", "completed"): 1}
        assert (before.due, before.overdue, before.lag) == (1, 0, 0)
        clock.advance("25h")
        after = engine.figures()
        assert (after.due, after.overdue, after.lag) == (1, 1, 3_600_000_000)
