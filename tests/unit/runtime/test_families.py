"""Children run for real: instances of their own, in their parent's store, driven with it (M4.4, M4.5)."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.stored import open_history
from wfsim.errors import ActivityError, CatalogueError, EngineError, RunStopped, StartRefused
from wfsim.history.replay import replay_all
from wfsim.model.catalogue import Catalogue
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import loads
from wfsim.runtime import executor
from wfsim.runtime.clock import ManualClock
from wfsim.runtime.handle import Run
from wfsim.runtime.run import reopen, start
from wfsim.runtime.sql_rows import SqlRows

PARCEL = loads(
    """
name: parcel
version: 1.0.0
initial_state: packing
variables:
  what: {type: string, input: true}
  weight: {type: integer, optional: true, output: true}
events: {arrived: {}, lost: {}}
activities: {pack: {retry_policy: {max_attempts: 2, initial_interval: 1s}}, call_back: {}}
states:
  - {name: packing, activity: {name: pack, parameters: {what: "${context.what}"}, result_variable: weight}}
  - {name: on_the_way, timeout: 2d}
  - {name: there, is_terminal: true}
  - {name: nowhere, is_terminal: true, outcome: failure}
  - {name: calling_back, activity: call_back}
  - {name: called_back, is_terminal: true, outcome: failure}
transitions:
  - {from: packing, event: done, to: on_the_way}
  - {from: packing, event: error, to: nowhere}
  - {from: on_the_way, event: arrived, to: there}
  - {from: on_the_way, event: lost, to: nowhere}
  - {from: on_the_way, event: cancel_requested, to: calling_back}
  - {from: calling_back, event: done, to: called_back}
"""
)
ORDER = """
name: order
version: 1.0.0
initial_state: charging
variables:
  goods: {type: list, input: true}
  receipts: {type: list, optional: true}
  parcels: {type: list, optional: true, output: true}
events: {stop: {}}
activities:
  charge: {compensate_with: refund}
  refund: {}
states:
  - name: charging
    for_each: {items: "${context.goods}", as: what, activity: charge, max_parallel: 2, result_variable: receipts}
  - name: shipping
    for_each: {items: "${context.goods}", as: what, workflow: parcel, result_variable: parcels}
  - {name: delivered, is_terminal: true}
  - {name: undone, is_terminal: true, outcome: failure}
transitions:
  - {from: charging, event: done, to: shipping}
  - {from: shipping, event: done, to: delivered}
  - {from: shipping, event: [error, stop, timeout], to: undone, pre_actions: [{action_type: compensate}]}
timeouts: {states: {shipping: 5d}}
"""


def order(text: str = ORDER) -> Workflow:
    head, rest = text.split("  - {from: shipping, event: [error, stop, timeout]", 1)
    lines = "".join(f"  - {{from: shipping, event: {each}" + rest.split("\n")[0] + "\n" for each in EVENTS)
    return loads(head + lines + "\n".join(rest.split("\n")[1:]))


EVENTS = ("error", "stop", "timeout")


class Shop:
    """What was done, by idempotency key; packing fails as often as told."""

    def __init__(self, failures: int = 0) -> None:
        self.done: list[tuple[str, str, int | None]] = []
        self.failures = failures
        self.turn = threading.Lock()

    def activities(self) -> dict[str, Any]:
        def note(context: Any, **inputs: Any) -> Any:
            with self.turn:
                self.done.append((context.idempotency_key, context.activity, context.index))
                if context.activity == "pack" and self.failures:
                    self.failures -= 1
                    raise ActivityError("Torn", "the box is torn")
            return len(inputs.get("what", "")) if context.activity == "pack" else context.idempotency_key

        return dict.fromkeys(("charge", "refund", "pack", "call_back"), note)


def begin(shop: Shop, clock: ManualClock, **more: Any) -> Run:
    given = {"input": {"goods": ["tea", "milk"]}, "id": "o", "catalogue": [PARCEL]} | more
    return start(order(), activities=shop.activities(), clock=clock, **given)


# --- running -------------------------------------------------------------------------------------


def test_children_are_instances_of_their_own_and_their_ends_come_back(clock: ManualClock) -> None:
    shop = Shop()
    with begin(shop, clock) as run:
        clock.settle()
        assert run.state == "shipping"
        assert list(run.children) == ["o/3", "o/4"]
        tea, milk = run.children.values()
        assert (tea.state, tea.variables["what"], tea.parent) == ("on_the_way", "tea", run)
        assert tea.records[0].payload["parent"] == "o"
        assert milk.send("arrived") == "accepted"
        assert tea.send("arrived") == "accepted"
        assert run.wait(timeout=10) == "delivered"
        assert run.output == {"parcels": [{"weight": 3}, {"weight": 4}]}
        assert [child.status for child in run.children.values()] == ["completed", "completed"]
        rows = run.history.sql('SELECT external_id, parent_case FROM cases ORDER BY "case"').fetchall()
        assert rows == [("o", None), (tea.id, 1), (milk.id, 1)]
        assert replay_all(run.history)
    assert tea.records[-1].kind == "instance_closed"


def test_activities_of_items_know_their_index_and_results_keep_the_order(clock: ManualClock) -> None:
    shop = Shop()
    with begin(shop, clock, input={"goods": list("abcde")}) as run:
        clock.settle()
        assert sorted((key, index) for key, name, index in shop.done if name == "charge") == [
            (f"o:{k + 1}", k) for k in range(5)
        ]
        assert run.variables["receipts"] == [f"o:{k + 1}" for k in range(5)]


def test_items_open_at_once_are_as_many_as_declared(clock: ManualClock) -> None:
    gate = threading.Event()
    running: list[int] = []

    def charge(context: Any, what: str) -> None:
        running.append(context.index)
        gate.wait(10)

    with start(
        order(),
        input={"goods": list("abc")},
        activities=Shop().activities() | {"charge": charge},
        catalogue=[PARCEL],
        clock=clock,
    ) as run:
        while len(running) < 2:
            time.sleep(0.002)
        run.wait(lambda run: [work.phase for work in run.activities] == ["running", "running"])
        assert [(work.activity, work.index) for work in run.activities] == [("charge", 0), ("charge", 1)]
        assert sorted(running) == [0, 1]
        gate.set()
        clock.settle()
        assert sorted(running) == [0, 1, 2]


def test_synchronous_activities_wait_for_a_free_worker(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "MOST_THREADS", 3)
    turn = threading.Lock()
    full = threading.Event()
    now, most = 0, 0

    def pack(what: str) -> int:
        nonlocal now, most
        with turn:
            now += 1
            most = max(most, now)
            if now == 3:
                full.set()
        assert full.wait(10)
        # Long enough for a fourth to begin, if nothing kept it from that.
        time.sleep(0.01)
        with turn:
            now -= 1
        return 1

    with start(
        order(),
        input={"goods": [str(k) for k in range(20)]},
        activities=Shop().activities() | {"pack": pack},
        catalogue=[PARCEL],
        clock=clock,
    ) as run:
        clock.settle()
        assert len(run.children) == 20
        assert {child.state for child in run.children.values()} == {"on_the_way"}
    assert most == 3


def test_an_idle_family_waits_for_others_only(clock: ManualClock) -> None:
    with begin(Shop(), clock) as run:
        run.wait("idle", timeout=10)
        assert {child.state for child in run.children.values()} == {"on_the_way"}


def test_a_child_is_controlled_by_its_own_handle(clock: ManualClock) -> None:
    shop = Shop()
    with begin(shop, clock) as run:
        clock.settle()
        tea, milk = run.children.values()
        assert tea.pause() == "accepted"
        assert milk.terminate() == "accepted"
        clock.settle()
        # M4.5: one has failed, so the other is called back, though it was paused; what was charged is given back.
        assert (run.status, run.state) == ("completed", "undone")
        assert (tea.status, tea.state) == ("completed", "called_back")
        raised = [record for record in run.records if record.kind == "error_raised"]
        assert (raised[0].error_type, raised[0].payload["index"]) == ("Child.terminated", 1)
        assert [key for key, name, _ in shop.done if name == "refund"] == ["o:undo:2", "o:undo:1"]
        # Whether the one called back ends before its parent does is up to the threads; if so, it is late.
        ignored = [record for record in run.records if record.kind == "stimulus_ignored"]
        assert [record.payload["reason"] for record in ignored] in (["late"], [])


def test_a_child_that_failed_is_not_retried_since_its_parent_knows(clock: ManualClock) -> None:
    failing = PARCEL.model_copy(update={"transitions": PARCEL.transitions[:1], "version": "1.1.0"})
    with begin(Shop(failures=9), clock, catalogue=[PARCEL, failing], input={"goods": ["tea"]}) as run:
        clock.advance("1m")
        (tea,) = run.children.values()
        assert (tea.workflow.version, tea.status, run.state) == ("1.1.0", "failed", "undone")
        assert tea.retry() == "ignored"
        assert "retry() opens" not in str(tea.why_not("arrived"))


def test_why_not_speaks_of_children_and_items(clock: ManualClock) -> None:
    gate = threading.Event()
    shop = Shop()
    activities = shop.activities() | {"charge": lambda what: gate.wait(10)}
    with start(order(), input={"goods": ["a", "b"]}, activities=activities, catalogue=[PARCEL], clock=clock) as run:
        run.wait(lambda run: [work.phase for work in run.activities] == ["running", "running"])
        assert run.why_not("shipping").reasons == [
            "Transition 'charging → shipping on done' leads there, once activity 'charge' has succeeded for every item "
            "(of 2 items 0 have ended, 2 are open)."
        ]
        gate.set()
        clock.settle()
        assert "once workflow 'parcel' has succeeded for every item" in str(run.why_not("delivered"))
        assert "once workflow 'parcel' fails for an item" in str(run.why_not("undone"))


def test_equal_calls_give_equal_histories() -> None:
    def digest() -> str:
        clock = ManualClock()
        with begin(Shop(), clock, seed=3, input={"goods": ["a"]}) as run:
            clock.advance("1d")
            next(iter(run.children.values())).send("arrived")
            clock.settle()
            return run.history.digest

    assert digest() == digest()


# --- what does not start -------------------------------------------------------------------------


def test_functions_are_shared_by_name_unless_one_workflow_is_named(clock: ManualClock) -> None:
    own: list[str] = []
    activities = {
        "charge": lambda what: None,
        "refund": lambda: None,
        "call_back": lambda: None,
        "pack": lambda what: own.append("shared") or 1,
    }
    given = {"input": {"goods": ["a"]}, "catalogue": [PARCEL], "clock": clock}
    with start(order(), activities=activities | {"parcel.pack": lambda what: own.append("own") or 2}, **given) as run:
        clock.settle()
        assert next(iter(run.children.values())).variables["weight"] == 2
    assert own == ["own"]
    del activities["pack"]
    with pytest.raises(StartRefused, match=r"order with the workflows that it runs.*no function is given for 'pack'"):
        start(order(), activities=activities, **given)
    with pytest.raises(StartRefused, match=r"'parcel\.pack'.*'what', which the function does not take"):
        start(order(), activities=activities | {"parcel.pack": lambda: 3}, **given)


def test_a_catalogue_without_the_child_refuses_the_start() -> None:
    with pytest.raises(CatalogueError, match="state 'shipping' of 'order' runs 'parcel'"):
        start(order(), input={"goods": []}, activities=Shop().activities(), catalogue=[])


def test_a_child_that_cannot_start_has_failed(clock: ManualClock) -> None:
    shop = Shop()
    with begin(shop, clock, input={"goods": ["tea", 5]}) as run:
        clock.settle()
        assert run.state == "undone"
        (closed,) = [record for record in run.records if record.kind == "child_closed" and record.status == "failed"]
        assert "result" not in closed.payload
        assert [child.status for child in run.children.values()] in (["completed"], ["cancelled"])
        assert replay_all(run.history)


# --- ends ----------------------------------------------------------------------------------------

CLOSING = """
name: mother
version: 1.0.0
initial_state: nursing
variables: {}
events: {go: {}}
states:
  - {name: nursing, invoke: {workflow: parcel, input: {what: x}, parent_close: POLICY}}
  - {name: gone, is_terminal: true}
transitions:
  - {from: nursing, event: go, to: gone}
"""


@pytest.mark.parametrize(
    ("policy", "status", "state"),
    [("cancel", "completed", "called_back"), ("terminate", "terminated", "on_the_way"), ("abandon", "running", None)],
)
def test_a_child_ends_as_its_parent_says(policy: str, status: str, state: str | None, clock: ManualClock) -> None:
    mother = loads(CLOSING.replace("POLICY", policy))
    with start(mother, id="m", activities=Shop().activities(), catalogue=[PARCEL], clock=clock) as run:
        clock.settle()
        (child,) = run.children.values()
        run.send("go")
        clock.settle()
        assert (run.state, child.status) == ("gone", status)
        assert state is None or child.state == state
        if policy == "abandon":
            assert child.send("arrived") == "accepted"
            clock.settle()
        # Nobody waits for it, and a parent that is closed is told nothing.
        assert run.records[-1].kind == "instance_closed"


def test_an_abandoned_child_goes_on_after_its_parent(tmp_path: Path, clock: ManualClock) -> None:
    mother = loads(CLOSING.replace("POLICY", "abandon"))
    store = tmp_path / "runs.db"
    with start(mother, id="m", store=store, activities=Shop().activities(), catalogue=[PARCEL], clock=clock) as run:
        clock.settle()
        run.send("go")
        run.wait()
    # Only what is still open needs its functions.
    with reopen(store, "m/1", Shop().activities(), clock=clock) as child:
        assert (child.status, child.state) == ("running", "on_the_way")
        assert child.parent is not None
        assert child.parent.status == "completed"
    with reopen(store, "m", Shop().activities(), clock=clock) as run:
        (child,) = run.children.values()
        child.send("arrived")
        clock.settle()
    with reopen(store, "m") as run:
        assert [each.status for each in run.children.values()] == ["completed"]
    with reopen(store, "m/1") as child:
        assert (child.status, child.parent and child.parent.id) == ("completed", "m")
        assert child.children == {}


def test_closing_a_handle_of_a_child_closes_nothing(clock: ManualClock) -> None:
    with begin(Shop(), clock) as run:
        clock.settle()
        child = next(iter(run.children.values()))
        child.close()
        assert child.send("arrived") == "accepted"
        assert child.history is run.history
    with pytest.raises(RunStopped, match="has been closed here"):
        child.send("arrived")
    assert child.state == "there"


def test_a_workflow_may_run_itself(clock: ManualClock) -> None:
    nested = loads(
        """
name: nest
version: 1.0.0
initial_state: deciding
variables:
  depth: {type: integer, input: true}
  inner: {optional: true, output: true}
states:
  - {name: deciding}
  - name: deeper
    invoke: {workflow: nest, input: {depth: "${context.depth - 1}"}, result_variable: inner}
  - {name: bottom, is_terminal: true}
transitions:
  - {from: deciding, to: deeper, condition: context.depth > 0}
  - {from: deciding, to: bottom, condition: context.depth == 0}
  - {from: deeper, event: done, to: bottom}
"""
    )
    with start(nested, id="n", input={"depth": 3}, catalogue=[nested], clock=clock) as run:
        clock.settle()
        assert run.output == {"inner": {"inner": {"inner": {"inner": None}}}}
        depth, at = 0, run
        while at.children:
            (at,) = at.children.values()
            depth += 1
        assert depth == 3
        assert at.id.count("/") == 3


def test_a_child_without_outputs_gives_null(tmp_path: Path, clock: ManualClock) -> None:
    silent = loads("name: silent\nversion: 1.0.0\ninitial_state: s\nstates: [{name: s, is_terminal: true}]")
    mother = loads(CLOSING.replace("{workflow: parcel, input: {what: x}, parent_close: POLICY}", "{workflow: silent}"))
    store = tmp_path / "runs.db"
    with start(mother, id="m", store=store, catalogue=[silent], clock=clock) as run:
        clock.settle()
        assert "result" not in run.records[-1].payload
    with reopen(store, "m", clock=clock) as run:
        assert [child.status for child in run.children.values()] == ["completed"]


# --- crashes -------------------------------------------------------------------------------------


class Crash(OSError):
    """Stands for a process that dies."""


def finish(run: Run, clock: ManualClock) -> None:
    """Bring a family to its end, from wherever it is."""
    for _ in range(3):
        clock.advance("1m")
        for child in run.children.values():
            # The first one that is lost has the others called back.
            if child.state == "on_the_way" and child.status == "running":
                child.send("lost", event_id="end")
                clock.settle()


@pytest.mark.long
def test_a_crash_between_any_two_appends_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = SqlRows.append
    left = 0

    def append(self: SqlRows, *args: Any, **kwargs: Any) -> None:
        nonlocal left
        if left == 0:
            raise Crash
        left -= 1
        real(self, *args, **kwargs)

    monkeypatch.setattr(SqlRows, "append", append)
    n_appends = 0
    while True:
        n_appends += 1
        store, shop = tmp_path / f"{n_appends}.db", Shop()
        crashed = False
        left = n_appends
        clock = ManualClock()
        run = begin(shop, clock, store=store)
        try:
            finish(run, clock)
        except (RunStopped, EngineError):
            crashed = True
        crashed = crashed or run._engine.stopped is not None
        run.close()
        left = -1
        with reopen(store, "o", shop.activities(), clock=ManualClock(clock.now())) as run:
            finish(run, run._engine.core.clock)  # type: ignore[arg-type]
            assert (run.status, run.state) == ("completed", "undone"), n_appends
            families(run)
        check(store, shop)
        if not crashed:
            break
    assert n_appends > 15


def families(run: Run) -> None:
    """Every child that was started has one end, and its parent knows it once, unless it was closed itself by then."""
    started = [record.payload["activation"] for record in run.records if record.kind == "child_started"]
    told = [record.payload["activation"] for record in run.records if record.kind == "child_closed"]
    assert set(told) <= set(started)
    assert len(set(told)) == len(told)
    assert list(run.children) == [f"o/{activation}" for activation in started]
    for child in run.children.values():
        commands = [record for record in child.records if record.kind == "control_received"]
        assert [command.event_id for command in commands] == (
            [] if child.state == "nowhere" else [f"o:stop:{child.id[2:]}"]
        )
        assert [record.kind for record in child.records].count("instance_closed") == 1
        assert [record.kind for record in child.records].count("started") == 1


def check(store: Path, shop: Shop) -> None:
    with open_history(store) as history:
        assert replay_all(history)
        records = [
            record
            for case in history.sql('SELECT "case" FROM cases').fetchall()
            for record in history.case(case[0]).records()
        ]
    keys = {(key, name) for key, name, _ in shop.done}
    assert {name for _, name in keys} == {"charge", "pack", "call_back", "refund"}
    assert {key for key, name in keys if name == "refund"} == {"o:undo:1", "o:undo:2"}
    undone = Counter(record.payload.get("compensates") for record in records if record.kind == "activity_scheduled")
    assert undone[1] == undone[2] == 1


def test_a_family_is_reopened_by_any_of_its_ids(tmp_path: Path, clock: ManualClock) -> None:
    store, shop = tmp_path / "runs.db", Shop()
    with begin(shop, clock, store=store) as run:
        clock.settle()
        ids = list(run.children)
    with reopen(store, ids[1], shop.activities(), clock=clock) as milk:
        assert milk.variables["what"] == "milk"
        assert milk.parent is not None
        assert list(milk.parent.children) == ids
        milk.send("arrived")
        milk.parent.children[ids[0]].send("arrived")
        clock.settle()
        assert milk.parent.status == "completed"
    with pytest.raises(EngineError, match="there is no instance 'o/99'"):
        reopen(store, "o/99")


def test_children_keep_the_versions_chosen_at_the_start(tmp_path: Path, clock: ManualClock) -> None:
    store, shop = tmp_path / "runs.db", Shop()
    catalogue = Catalogue([PARCEL])
    gate = threading.Event()
    activities = shop.activities() | {"charge": lambda what: gate.wait(10)}
    with start(
        order(), id="o", store=store, input={"goods": ["a"]}, activities=activities, catalogue=catalogue, clock=clock
    ):
        catalogue.add(PARCEL.model_copy(update={"version": "2.0.0"}))
        gate.set()
    with reopen(store, "o", shop.activities(), clock=clock) as run:
        clock.settle()
        assert [child.workflow.version for child in run.children.values()] == ["1.0.0"]
