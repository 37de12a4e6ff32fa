"""Messages for real: between parents and children, between runs of one store, kept, returned, starting (M7.2, M7.3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.stored import open_history
from wfsim.errors import RunStopped, StartRefused
from wfsim.history.replay import replay_all
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import loads
from wfsim.runtime.clock import ManualClock
from wfsim.runtime.handle import Run
from wfsim.runtime.opening import open_engine
from wfsim.runtime.run import reopen, start
from wfsim.runtime.sql_rows import SqlRows

BUYER = loads(
    """
name: buyer
version: 1.0.0
initial_state: idle
variables:
  shop: {type: string, input: true}
  n: {type: integer, initial: 0}
events:
  buy: {}
  write: {payload: {to: string}}
  finish: {}
  answer: {time_to_live: 1h}
  order: {payload: {what: string}}
states: [{name: idle}, {name: bought, is_terminal: true}]
transitions:
  - from: idle
    event: buy
    pre_actions: [{action_type: set_variable, parameters: {name: n, value: "${context.n + 1}"}}]
    post_actions:
      - action_type: send
        to: {workflow: shop, key: "${context.shop}"}
        event: order
        payload: {what: tea, name: "${context.shop}"}
  - {from: idle, event: write, post_actions: [{action_type: send, to: "${event.to}", event: answer}]}
  - {from: idle, event: finish, to: bought}
"""
)
SHOP_TEXT = """
name: shop
version: 1.0.0
initial_state: open
variables:
  name: {type: string, input: true}
  sold: {type: integer, initial: 0}
correlation: {key: context.name}
events:
  order: {payload: {what: string, name: string}, starts: STARTS, time_to_live: TTL}
  shut: {}
activities: {greet: {}}
states: [{name: open}, {name: closed, is_terminal: true}]
transitions:
  - from: open
    event: order
    condition: context.sold < 3
    pre_actions: [{action_type: set_variable, parameters: {name: sold, value: "${context.sold + 1}"}}]
    post_actions: [{action_type: activity, name: greet}]
  - {from: open, event: shut, to: closed}
"""


def shop(starts: str = "false", ttl: str = "0s") -> Any:
    return loads(SHOP_TEXT.replace("STARTS", starts).replace("TTL", ttl))


GREET: dict[str, Any] = {"greet": lambda: None}


def returned(run: Run) -> list[tuple[int, str]]:
    return [
        (record.payload["message_id"], record.payload["reason"])
        for record in run.records
        if record.kind == "message_returned"
    ]


def buyer(store: Any, clock: ManualClock, *catalogue: Any, id: str = "b", name: str = "corner", **more: Any) -> Run:
    return start(BUYER, input={"shop": name}, id=id, store=store, clock=clock, catalogue=catalogue or None, **more)


# --- between runs --------------------------------------------------------------------------------


def test_a_message_finds_an_instance_by_its_key(tmp_path: Path, clock: ManualClock) -> None:
    store = tmp_path / "runs.db"
    with (
        start(shop(), input={"name": "corner"}, id="s", store=store, activities=GREET, clock=clock) as corner,
        start(shop(), input={"name": "other"}, store=store, activities=GREET, clock=clock) as other,
        buyer(store, clock) as run,
    ):
        run.send("buy")
        run.send("buy")
        clock.settle()
        assert (corner.variables["sold"], other.variables["sold"]) == (2, 0)
        received = [record for record in corner.records if record.kind == "event_received"]
        assert [(record.event_id, record.payload["sender"]) for record in received] == [("b:m1", "b"), ("b:m2", "b")]
        assert returned(run) == []
        assert replay_all(run.history)


def test_a_key_is_taken_while_its_instance_is_open(tmp_path: Path, clock: ManualClock) -> None:
    store = tmp_path / "runs.db"
    given: dict[str, Any] = {"input": {"name": "corner"}, "store": store, "activities": GREET, "clock": clock}
    with start(shop(), id="one", **given) as one:
        with pytest.raises(StartRefused, match="an open instance with the key 'corner' already: 'one'"):
            start(shop(), id="two", **given)
        assert one.history.sql("SELECT count(*) FROM cases").fetchall() == [(1,)]
    # It is open in the store, whether or not anybody drives it.
    with pytest.raises(StartRefused, match="'one'"):
        start(shop(), id="two", **given)
    with reopen(store, "one", GREET, clock) as one:
        one.send("shut")
        with start(shop(), id="two", **given) as two:
            assert two.status == "running"


def test_what_nobody_takes_comes_back(clock: ManualClock) -> None:
    with (
        open_engine(activities={}, clock=clock) as store,
        start(shop(), input={"name": "corner"}, id="s", store=store, activities=GREET, clock=clock) as corner,
        buyer(store, clock, shop()) as run,
    ):
        for _ in range(4):
            run.send("buy")
            clock.settle()
        # The fourth is one too many.
        assert returned(run) == [(4, "condition")]
        corner.send("shut")
        run.send("buy")
        run.send("write", to="s")
        clock.settle()
        assert returned(run)[1:] == [(5, "no_instance"), (6, "closed")]
        assert replay_all(run.history)


def test_a_message_is_kept_for_its_time_to_live(clock: ManualClock) -> None:
    with open_engine(activities={}, clock=clock) as store, buyer(store, clock, shop(ttl="2h")) as run:
        run.send("buy")
        run.send("write", to="late")
        clock.advance("59m")
        given: dict[str, Any] = {"input": {"name": "corner"}, "store": store, "activities": GREET, "clock": clock}
        with start(shop(ttl="2h"), id="s", **given) as corner:
            clock.settle()
            assert corner.variables["sold"] == 1
            corner.send("shut")
        clock.advance("2m")
        assert returned(run) == [(2, "expired")]
        assert run.records[-1].time == 3_600_000_000
        run.send("buy")
        clock.advance("3h")
        assert returned(run) == [(2, "expired"), (3, "expired")]


def test_a_message_waits_for_an_open_instance_that_nobody_drives(tmp_path: Path, clock: ManualClock) -> None:
    store = tmp_path / "runs.db"
    with start(shop(), input={"name": "corner"}, id="s", store=store, activities=GREET, clock=clock):
        pass
    with buyer(store, clock) as run:
        run.send("buy")
        clock.settle()
        with reopen(store, "s", GREET, clock) as corner:
            clock.settle()
            assert corner.variables["sold"] == 1
        run.send("buy")
    # The one that is left is found again with its sender.
    with reopen(store, "s", GREET, clock) as corner, reopen(store, "b", clock=clock):
        clock.settle()
        assert corner.variables["sold"] == 2


# --- within a family -----------------------------------------------------------------------------

CHILD = loads(
    """
name: child
version: 1.0.0
initial_state: asking
events: {reply: {}}
states: [{name: asking}, {name: asked}, {name: answered, is_terminal: true}]
transitions:
  - {from: asking, to: asked, condition: "true", post_actions: [{action_type: send, to: parent, event: question}]}
  - {from: asked, event: reply, to: answered}
"""
)
PARENT = loads(
    """
name: parent
version: 1.0.0
initial_state: waiting
variables: {asker: {type: string, initial: "p/1"}}
events: {question: {}, reply: {}}
states: [{name: waiting, invoke: {workflow: child}}, {name: over, is_terminal: true}]
transitions:
  - {from: waiting, event: question, post_actions: [{action_type: send, to: "${context.asker}", event: reply}]}
  - {from: waiting, event: done, to: over}
"""
)


def test_child_and_parent_write_to_each_other(clock: ManualClock) -> None:
    with start(PARENT, id="p", catalogue=[CHILD], clock=clock) as run:
        clock.settle()
        assert (run.status, run.state) == ("completed", "over")
        assert replay_all(run.history)


def test_a_root_has_no_parent_to_write_to(clock: ManualClock) -> None:
    with start(CHILD, id="c", clock=clock) as run:
        clock.settle()
        assert returned(run) == [(1, "it has no parent")]


HASTY = loads(
    """
name: child
version: 2.0.0
initial_state: asking
states: [{name: asking}, {name: gone, is_terminal: true}]
transitions:
  - {from: asking, to: gone, condition: "true", post_actions: [{action_type: send, to: parent, event: question}]}
"""
)
PATIENT = loads(
    """
name: parent
version: 2.0.0
initial_state: waiting
events: {question: {unhandled: defer}}
states: [{name: waiting, invoke: {workflow: child}}, {name: listening}, {name: over, is_terminal: true}]
transitions:
  - {from: waiting, event: done, to: listening}
  - {from: listening, event: question, to: over}
"""
)


@pytest.mark.parametrize(
    ("parent", "child", "most", "arrive"),
    [
        (PARENT, CHILD, 5, {"p": ["p/1:m1"], "p/1": ["p:m1"]}),
        # The sender has closed by the time that its message is found again.
        (PATIENT, HASTY, 4, {"p": ["p/1:m1"], "p/1": []}),
    ],
)
def test_messages_survive_a_crash_between_any_two_appends(
    parent: Workflow,
    child: Workflow,
    most: int,
    arrive: dict[str, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = SqlRows.append
    left = -1

    def append(self: SqlRows, *args: Any, **kwargs: Any) -> None:
        nonlocal left
        if left == 0:
            raise OSError("the machine stops here")
        left -= 1
        real(self, *args, **kwargs)

    monkeypatch.setattr(SqlRows, "append", append)
    for n_appends in range(1, 12):
        store = tmp_path / f"{n_appends}.db"
        clock = ManualClock()
        left = n_appends
        run = start(parent, id="p", catalogue=[child], clock=clock, store=store)
        clock.settle()
        crashed = run._engine.stopped is not None
        run.close()
        left = -1
        with reopen(store, "p", clock=clock) as run:
            clock.settle()
            assert (run.status, run.state) == ("completed", "over"), n_appends
            for each in (run, *run.children.values()):
                ids = [record.event_id for record in each.records if record.kind == "event_received"]
                assert ids == arrive[each.id]
        if not crashed:
            break
    assert n_appends == most


# --- starting ------------------------------------------------------------------------------------


def test_a_message_starts_an_instance_that_is_driven_with_its_sender(tmp_path: Path, clock: ManualClock) -> None:
    store = tmp_path / "runs.db"
    with buyer(store, clock, shop("true"), activities=GREET) as run:
        run.send("buy")
        run.send("buy")
        clock.settle()
        rows = run.history.sql('SELECT external_id, parent_case FROM cases ORDER BY run, "case"').fetchall()
        assert rows == [("b", None), ("b:m1", None)]
        assert run.history.case("b:m1").variables == {"name": "corner", "sold": 2}
    with reopen(store, "b:m1", GREET, clock) as corner:
        assert (corner.parent, corner.variables["sold"]) == (None, 2)
        assert corner.send("shut") == "accepted"
    with reopen(store, "b", GREET, clock, catalogue=[shop("true")]) as run:
        run.send("buy")
        clock.settle()
        assert run.history.case("b:m3").variables["sold"] == 1
        assert returned(run) == []
    with open_history(store) as history:
        assert replay_all(history)


def test_without_functions_nothing_is_started(clock: ManualClock) -> None:
    with buyer(None, clock, shop("true")) as run:
        run.send("buy")
        clock.settle()
        ((number, reason),) = returned(run)
        assert number == 1
        assert "shop cannot run: no function is given for 'greet'" in reason
    with pytest.raises(RunStopped):
        run.send("buy")
