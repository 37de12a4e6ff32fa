"""Open instances that move to another version, in databases that several processes use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

import wfsim as wf
from tests.unit.runtime.test_workers import order
from wfsim.errors import EngineError, WfsimError
from wfsim.model.workflow import Workflow
from wfsim.runtime import moving
from wfsim.runtime.opening import open_engine
from wfsim.runtime.tables import DUE, INSTANCES


def newer(version: str = "2.0.0") -> Workflow:
    """With a way out of `created` that did not lead anywhere, and a first state that moves all numbers."""
    definition = order(version=version).model_dump(mode="json", by_alias=True, exclude_defaults=True)
    states = [{"name": "asleep", "is_terminal": True}, *definition["states"]]
    late = {"from": "created", "event": "timeout", "to": "dropped"}
    return order(version=version, states=states, transitions=[*order_transitions(), late])


def order_transitions() -> list[dict[str, str]]:
    return [
        {"from": "created", "event": "pay", "to": "charging"},
        {"from": "created", "event": "drop", "to": "asleep"},
        {"from": "charging", "event": "done", "to": "shipped"},
    ]


def test_other_processes_go_on_in_the_version_that_an_instance_has_moved_to(address: str, tmp_path: Path) -> None:
    with open_engine(address, [order()]) as first, open_engine(address) as second:
        run = first.start("order", {"total": 1}, id="o")
        closed = first.start("order", {"total": 1}, id="closed")
        closed.send("drop")
        first.follow_history(tmp_path / "first.duckdb")
        assert first.history.sql("SELECT count(*) FROM cases").fetchall() == [(2,)]
        second.publish(newer())
        planned = second.migrate("order", to="2.0.0")
        assert str(planned) == "1 of 1 instances would move"
        assert (planned.dry_run, run.moves) == (True, [])
        assert len(second.migrate("order", to="2.0.0", dry_run=False)) == 1
        # The first has it in memory, as it was.
        assert run.send("drop") == "accepted"
        assert (run.state, run.workflow.version, run.moves[0].seq) == ("asleep", "2.0.0", 2)
        assert first.check()
        (told,) = first.history.sql("SELECT version FROM cases WHERE external_id = 'o'").fetchall()
        assert told == (run.version,)
        assert first.history.case("o").replay().state == "asleep"
        assert first.history.case("o").program.workflow.version == "2.0.0"
        assert first.history.case("closed").program.workflow.version == "1.0.0"
    with open_engine(address) as later:
        history = later.follow_history(tmp_path / "first.duckdb")
        assert history.sql("SELECT count(*) FROM cases").fetchall() == [(2,)]
        assert history.case("o").replay().state == "asleep"


def test_one_that_has_moved_is_rebuilt_of_its_records_when_its_image_cannot_be_read(address: str) -> None:
    with open_engine(address, [order(), newer()]) as engine:
        engine.start("order", {"total": 1}, id="o", version="1.0.0")
        assert engine.migrate(["o"], to="2.0.0", dry_run=False).refused == []
    with open_engine(address) as engine:
        with engine.core.database.transaction() as rows:
            rows.connection.execute(sa.update(INSTANCES).values(fingerprint="of an older wfsim"))
        assert engine.send("o", "drop") == "accepted"
        assert engine.get("o").state == "asleep"


def test_timers_that_the_version_sets_are_due_and_no_others(tmp_path: Path) -> None:
    states = [*order().model_dump(mode="json", by_alias=True, exclude_defaults=True)["states"]]
    states[0]["timeout"] = "3h"
    with open_engine(f"sqlite:///{tmp_path}/runs.db", [order(), order(version="2.0.0", states=states)]) as engine:
        run = engine.start("order", {"total": 1}, id="o", version="1.0.0")
        engine.migrate(["o"], to="2.0.0", dry_run=False)
        with engine.core.database.reading() as rows:
            (due,) = rows.connection.execute(sa.select(DUE.c.due)).scalars()
        assert due == run.records[0].time + 3 * 3600 * 1_000_000


def test_a_report_has_a_row_for_each_and_says_why_some_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "TOGETHER", 2)
    with open_engine(f"sqlite:///{tmp_path}/runs.db", [order(), newer("1.5.0")]) as engine:
        for number in range(5):
            engine.start("order", {"total": 1}, id=f"o{number}", version="1.0.0")
        engine.send("o1", "pay")
        engine.send("o2", "drop")
        engine.start("order", {"total": 1}, id="new")
        found = engine.migrate("order", to="1.5.0", dry_run=False)
        assert [(row.id, row.moves) for row in found] == [
            ("o0", True), ("o1", True), ("o3", True), ("o4", True), ("new", False)
        ]  # fmt: skip
        more = engine.migrate(["o2", "none"], to="1.5.0", dry_run=False)
        assert str(more) == (
            "0 of 2 instances have moved\n  1 (o2): it is closed (completed)\n  1 (none): there is no such instance"
        )
        assert list(more.df()["moves"]) == [False, False]
        assert json.loads(json.dumps(found.to_dict()))["rows"][4]["reason"] == "it runs 1.5.0 already"


def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    with open_engine(f"sqlite:///{tmp_path}/runs.db", [order()]) as engine:
        engine.start("order", {"total": 1}, id="o")
        with pytest.raises(EngineError, match=r"no version that fits|3\.0\.0"):
            engine.migrate(["o"], to="3.0.0")
        with pytest.raises(EngineError, match="order"):
            engine.migrate("oder", to="1.0.0")
        with pytest.raises(WfsimError, match="to is the version that instances shall run"):
            engine.migrate(["o"], to=2)  # type: ignore[arg-type]
        with pytest.raises(WfsimError, match="mapping leads from names of states"):
            engine.migrate(["o"], to="1.0.0", mapping=["a"])  # type: ignore[arg-type]


def test_a_version_is_tried_against_all_that_is_stored_before_it_is_published(tmp_path: Path) -> None:
    with open_engine(f"sqlite:///{tmp_path}/runs.db", [order()]) as engine:
        for name, event in (("kept", "pay"), ("other", "drop")):
            engine.start("order", {"total": 1}, id=name).send(event)
        (report,) = moving.against(engine.core, newer(), engine.workflows)
        assert [(case.external_id, case.is_open, case.replays) for case in report.cases] == [
            ("kept", True, True),
            ("other", False, False),
        ]
        assert report.broken[0].reason.startswith("event_received(drop): was transition(created, dropped, drop)")
        assert not report.ok
        renamed = order(
            version="2.0.0",
            states=[{"name": "asleep", "is_terminal": True, "outcome": "failure"}, *order_states()],
            transitions=order_transitions(),
        )
        (report,) = moving.against(engine.core, renamed, engine.workflows, {"dropped": "asleep"})
        assert report.broken == []
        with pytest.raises(EngineError, match=r"has no instance of 'ordr'\. Did you mean 'order'\?"):
            moving.against(engine.core, order(name="ordr"), engine.workflows)
        assert engine.workflows.versions("order") == ("1.0.0",)


def order_states() -> list[dict[str, object]]:
    states: list[dict[str, object]] = order().model_dump(mode="json", by_alias=True, exclude_defaults=True)["states"]
    return [state for state in states if state["name"] != "dropped"]


def test_the_command_replays_what_is_stored_and_moves_what_can_move(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/runs.db"
    with open_engine(address, [order()]) as engine:
        for name in ("kept", "other"):
            engine.start("order", {"total": 1}, id=name)
        engine.send("other", "drop")
    file = tmp_path / "order.yaml"
    wf.save(newer(), file)
    dropped = "was transition(created, dropped, drop), would be transition(created, asleep, drop)"

    def run(*given: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "wfsim.cli", "migrate", "--against", address, str(file), *given]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    code, out = run()
    assert code == 1
    assert f"2 stored cases, 1 open: 1 would not replay\n  1 (other): event_received(drop): {dropped}" in out
    code, out = run("--json")
    assert [case["replays"] for case in json.loads(out)[0]["cases"]] == [True, False]
    assert run("--map", "dropped") == (
        2,
        "--map dropped=: write the name that a state has and the one that it gets, old=new.\n",
    )
    assert run("--move") == (0, "1 of 1 instances have moved\n")
    with open_engine(address) as engine:
        assert [each.version for each in engine.list()] == ["1.0.0", "2.0.0"]
