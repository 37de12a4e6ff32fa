"""`start`: what it refuses, what it stores first, what is seen of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.stored import open_history
from wfsim.errors import EngineError, RunStopped, StartRefused, WfsimError
from wfsim.model.workflow import Workflow
from wfsim.runtime.clock import ManualClock, SystemClock
from wfsim.runtime.opening import open_engine
from wfsim.runtime.run import reopen, start

ORDER: dict[str, Any] = {
    "name": "order",
    "initial_state": "created",
    "variables": {
        "total": {"type": "number", "input": True, "minimum": 0},
        "note": {"type": "string", "input": True, "optional": True},
        "paid": {"type": "boolean", "initial": False, "output": True},
    },
    "events": {"pay": {"payload": {"amount": "number"}}},
    "states": [{"name": "created", "timeout": "2h"}, {"name": "shipped", "is_terminal": True}],
    "transitions": [
        {
            "from": "created",
            "to": "shipped",
            "event": "pay",
            "pre_actions": [{"action_type": "set_variable", "parameters": {"name": "paid", "value": True}}],
        }
    ],
}


def order(**changes: Any) -> Workflow:
    return Workflow.model_validate({**ORDER, **changes})


def charging(**parameters: Any) -> Workflow:
    return Workflow.model_validate(
        {
            "name": "charging",
            "initial_state": "a",
            "states": [{"name": "a", "activity": {"name": "charge_card", "parameters": parameters}}],
        }
    )


def test_a_run_shows_what_it_has_stored() -> None:
    clock = ManualClock(1_000)
    with start(order(), input={"total": 3}, clock=clock) as run:
        assert (run.id, run.state, run.status, run.version) == ("order-1", "created", "running", 2)
        assert run.variables == {"total": 3.0, "note": None, "paid": False}
        assert run.output is None
        assert run.outcome is None
        assert [(timer.name, timer.due) for timer in run.timers] == [("timeout", 7_200_001_000)]
        assert run.send("pay", amount=3) == "accepted"
        assert [run.state, run.status, run.outcome] == ["shipped", "completed", "success"]
        assert run.output == {"paid": True}
        assert run.timers == []
        assert [record.kind for record in run.records] == [
            "started",
            "state_entered",
            "event_received",
            "transition",
            "instance_closed",
        ]
        assert run.history.sql("SELECT count(*) FROM history").fetchall() == [(5,)]
        assert run.history.case("order-1").replay().state == "shipped"
        assert "completed" in repr(run)


def test_the_table_of_a_run_escapes_what_comes_from_outside() -> None:
    with start(order(), input={"total": 1, "note": "<script>"}) as run:
        shown = run._repr_html_()
        assert "&lt;script&gt;" in shown
        assert "<script>" not in shown
        assert "created" in shown


def test_started_and_its_consequences_are_one_append_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with start(order(), input={"total": 1}, store=path, id="o-1", seed=7) as run:
        key = run.records[0].payload["seed"]
    with open_history(path) as history:
        case = history.case("o-1")
        assert [record.cause_seq for record in case.records()] == [1, 1]
        assert case.run.source == "runtime"
        assert case.replay().state == "created"
    with start(order(), input={"total": 1}, seed=7) as again:
        assert again.records[0].payload["seed"] == key
    with start(order(), input={"total": 1}, seed=8) as other:
        assert other.records[0].payload["seed"] != key


def test_instances_are_numbered_and_share_the_file_of_their_process(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    first = start(order(), input={"total": 1}, store=path)
    second = start(order(), input={"total": 2}, store=str(path))
    assert (first.id, second.id) == ("order-1", "order-2")
    first.close()
    assert second.send("pay", amount=2) == "accepted"
    assert second.history.sql("SELECT count(*) FROM cases").fetchall() == [(2,)]
    second.close()
    with open_history(path) as history:
        assert history.counts == {"completed/success": 1, "open": 1}


def test_a_store_of_the_callers_stays_open(tmp_path: Path) -> None:
    with open_engine(f"sqlite:///{tmp_path}/runs.db", activities={}) as store:
        start(order(), input={"total": 1}, store=store, id="a").close()
        with reopen(store, "a") as run:
            assert run.state == "created"
        assert store.get("a").state == "created"


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({}, "needs the input 'total'"),
        ({"total": "3"}, "input 'total'"),
        ({"total": -1}, "below 0"),
        ({"total": 1, "paid": True}, "no input 'paid'"),
        ([("total", 1)], "input is a mapping"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_stored(inputs: Any, says: str, tmp_path: Path) -> None:
    with open_engine(f"sqlite:///{tmp_path}/runs.db", activities={}) as store:
        with pytest.raises(StartRefused, match=says):
            start(order(), input=inputs, store=store, id="a")
        assert len(store.list()) == 0
        assert store.history.runs == []


def test_an_id_that_exists_is_refused_with_the_way_on(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    start(order(), input={"total": 1}, store=path, id="a").close()
    with pytest.raises(StartRefused, match=r"there is an instance 'a' already.*wf\.reopen"):
        start(order(), input={"total": 1}, store=path, id="a")
    with open_history(path) as history:
        assert len(history) == 2


def test_a_duckdb_file_is_no_store_and_the_way_to_what_it_holds_is_told(tmp_path: Path) -> None:
    old = tmp_path / "runs.duckdb"
    wf.simulate(order(), cases=1, seed=1, into=old, progress=False).close()
    before = old.read_bytes()
    for path in (old, str(old), f"sqlite:///{old}"):
        with pytest.raises(EngineError, match=r"is a DuckDB history.*wf\.open_history.*wfsim convert"):
            start(order(), input={"total": 1}, store=path)
    assert old.read_bytes() == before
    with pytest.raises(EngineError, match=r"with the name of a DuckDB history\. Give another path"):
        start(order(), input={"total": 1}, store=tmp_path / "new.DuckDB")
    assert not (tmp_path / "new.DuckDB").exists()


def test_several_handles_of_an_instance_see_the_same(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with start(order(), input={"total": 1}, store=path, id="a") as one, reopen(path, "a") as other:
        other.send("pay", amount=1)
        assert one.state == "shipped"
    with reopen(path, "a") as run:
        assert run.state == "shipped"


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb", 3])
def test_an_id_is_a_printable_text(name: Any) -> None:
    with pytest.raises(WfsimError, match="an id is a text"):
        start(order(), input={"total": 1}, id=name)


def test_start_takes_workflows_and_seeds_only() -> None:
    with pytest.raises(WfsimError, match=r"needs a Workflow, not str.*wf\.load"):
        start("order.yaml")  # type: ignore[arg-type]
    with pytest.raises(WfsimError, match="a seed is a whole number"):
        start(order(), input={"total": 1}, seed=-1)
    nested = {"name": "s", "invoke": {"workflow": "shipping"}}
    with pytest.raises(StartRefused, match=r"w runs 'shipping'.*catalogue='models'"):
        start(Workflow.model_validate({"name": "w", "initial_state": "s", "states": [nested]}))


def test_missing_functions_are_listed_before_anything_is_stored() -> None:
    with pytest.raises(StartRefused, match=r"no function is given for 'charge_card'.*Did you mean 'charge_card'"):
        start(charging(), activities={"charge_crad": print})
    with pytest.raises(StartRefused, match="a mapping from activity names"):
        start(charging(), activities=[print])  # type: ignore[arg-type]
    with pytest.raises(StartRefused, match="is not a function"):
        start(charging(), activities={"charge_card": 3})  # type: ignore[dict-item]


def test_functions_must_fit_the_inputs_of_their_activities() -> None:
    def needs(amount: int, currency: str) -> None: ...

    def narrow(amuont: int = 0) -> None: ...

    with pytest.raises(StartRefused, match=r"'charge_card': the function needs 'currency'.*Parameters given: amount"):
        start(charging(amount=1), activities={"charge_card": needs})
    with pytest.raises(StartRefused, match=r"gives 'amount', which the function does not take. Did you mean 'amuont'"):
        start(charging(amount=1), activities={"charge_card": narrow})


def test_functions_of_other_workflows_do_no_harm() -> None:
    with start(charging(), activities={"charge_card": lambda: None, "other": print}) as run:
        run.wait("idle")


def test_a_closed_run_says_how_to_go_on(tmp_path: Path) -> None:
    run = start(order(), input={"total": 1}, store=tmp_path / "runs.db", id="a")
    run.close()
    run.close()
    with pytest.raises(RunStopped, match=r"has been closed here.*wf\.reopen"):
        run.send("pay", amount=1)
    with pytest.raises(RunStopped, match="closed"):
        run.pause()
    with pytest.raises(RunStopped, match="open_engine"):
        _ = run.history
    assert run.state == "created"
    assert len(run.records) == 2
    assert run.why_not("shipped").reasons


def test_reopen_needs_a_store_with_that_instance(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with pytest.raises(EngineError, match="no such store"):
        reopen(path, "a")
    assert not path.exists()
    start(order(), input={"total": 1}, store=path, id="order-7").close()
    with pytest.raises(EngineError, match=r"no instance 'order-8'.*Did you mean 'order-7'"):
        reopen(path, "order-8")
    with pytest.raises(EngineError, match="in memory"):
        reopen(None, "order-7")
    with pytest.raises(WfsimError, match="an id is a text"):
        reopen(path, 1)  # type: ignore[arg-type]
    # A refused reopen holds nothing.
    with open_history(path) as history:
        assert len(history) == 2


def test_the_system_clock_reads_microseconds_since_1970() -> None:
    clock = SystemClock()
    assert clock.now() > 1_700_000_000_000_000
    assert clock.seconds_until(0) == 0.0
    assert clock.seconds_until(clock.now() + 10**12) == 30.0


def test_a_clock_moved_by_hand_never_goes_back() -> None:
    clock = ManualClock(5)
    clock.set(10)
    with pytest.raises(WfsimError, match="cannot go back"):
        clock.set(9)
    with pytest.raises(WfsimError, match="whole number"):
        ManualClock(-1)
    assert repr(clock) == "<ManualClock at 10us>"
