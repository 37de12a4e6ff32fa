"""Stepping through workflows that run children, go through lists and undo what they did."""

from __future__ import annotations

from pathlib import Path

import pytest

import wfsim as wf
from tests.stored import open_history
from tests.unit.widgets.test_stepper import Page
from wfsim.errors import StartRefused, WfsimError
from wfsim.model.yaml_io import loads
from wfsim.runtime.clock import ManualClock
from wfsim.runtime.run import start
from wfsim.widgets.actions import Action
from wfsim.widgets.stepper import Stepper
from wfsim.widgets.stepping import Stepping

ERRAND = """
name: errand
version: 1.2.0
initial_state: going
variables:
  what: {type: string, input: true}
  price: {type: integer, initial: 0, output: true}
events:
  bought: {payload: {price: integer}}
states:
  - {name: going, timeout: 1h}
  - {name: back, is_terminal: true}
  - {name: home_alone, is_terminal: true, outcome: failure}
transitions:
  - from: going
    event: bought
    to: back
    pre_actions: [{action_type: set_variable, parameters: {name: price, value: "${event.price}"}}]
  - {from: going, event: timeout, to: home_alone}
"""
SHOPPING = """
name: shopping
version: 1.0.0
initial_state: one
variables:
  list: {type: list, initial: [milk, bread, salt]}
  paid: {optional: true}
activities:
  call: {retry_policy: {max_attempts: 2, initial_interval: 5s}, compensate_with: apologise}
  apologise: {}
states:
  - name: one
    invoke: {workflow: errand, version: ^1.0.0, input: {what: milk}, result_variable: paid}
  - name: all
    for_each:
      {items: "${context.list}", as: what, workflow: errand, max_parallel: 2, on_failure: collect,
       result_variable: paid}
  - name: calls
    for_each: {items: "${context.list}", as: what, activity: call, max_parallel: 2, result_variable: paid}
  - {name: home, is_terminal: true}
  - {name: given_up, is_terminal: true, outcome: failure}
transitions:
  - {from: one, event: done, to: all}
  - {from: one, event: error, to: given_up, condition: "event.type == 'Child.failure'"}
  - {from: all, event: done, to: calls}
  - {from: calls, event: done, to: home}
  - {from: calls, event: error, to: given_up, pre_actions: [{action_type: compensate}]}
"""


def shopping(source: str = SHOPPING, *, known: bool = True) -> Stepping:
    return Stepping(loads(source), catalogue=[loads(ERRAND)] if known else None)


def actions(stepping: Stepping) -> dict[str, Action]:
    return {action.id: action for action in stepping.possible()}


def do(stepping: Stepping, *action_ids: str) -> None:
    for action_id in action_ids:
        assert stepping.do(action_id), stepping.problem


def test_a_child_is_open_work_that_succeeds_with_its_own_outputs() -> None:
    stepping = shopping()
    found = actions(stepping)
    assert [each for each in found if each.startswith("child")] == ["child:1:succeed", "child:1:fail"]
    (price,) = found["child:1:succeed"].parameters
    assert (price.name, price.type.value) == ("price", "integer")
    assert found["child:1:succeed"].reason == "Workflow errand 1.2.0 in one."
    assert stepping.do("child:1:succeed", price=7)
    assert stepping.state == {"": "all"}
    assert stepping.instance.variables["paid"] == {"price": 7}


def test_a_child_fails_in_the_way_that_is_chosen() -> None:
    stepping = shopping()
    assert not stepping.do("child:1:fail", how="badly")
    assert "'badly' is not one of 'failure', 'failed'" in stepping.problem
    assert stepping.do("child:1:fail")
    assert stepping.state == {"": "given_up"}
    assert stepping.back()
    assert stepping.do("child:1:fail", how="timed_out")
    assert stepping.status == "failed"


def test_without_a_catalogue_a_child_is_told_closed_with_any_object() -> None:
    stepping = shopping(known=False)
    (result,) = actions(stepping)["child:1:succeed"].parameters
    assert (result.name, result.type.value, result.required) == ("result", "object", False)
    assert not stepping.do("child:1:succeed", result="[1]")
    assert stepping.do("child:1:succeed", result='{"price": 3}')
    assert stepping.instance.variables["paid"] == {"price": 3}
    with pytest.raises(WfsimError, match="catalogue='models'"):
        stepping.open_child(stepping.children[0].activation)


def test_an_opened_child_has_its_inputs_and_tells_its_end_when_asked() -> None:
    stepping = shopping()
    child = stepping.open_child(1)
    assert child.instance.variables["what"] == "milk"
    assert child.state == {"": "going"}
    tell = actions(stepping)["child:1:tell"]
    assert (tell.enabled, tell.reason) == (
        False,
        "it has not ended: it is running in 'going'. Step it to its end first.",
    )
    assert child.do("event:bought", price=9)
    assert not actions(child)["control:retry"].enabled
    tell = actions(stepping)["child:1:tell"]
    assert (tell.enabled, tell.label) == (True, "errand ended as stepped: completed (success)")
    do(stepping, "child:1:tell")
    assert stepping.instance.variables["paid"] == {"price": 9}
    assert stepping.instance.time >= child.instance.time
    assert stepping.steps[-1].title == "the child of one closes: completed (success)"
    with pytest.raises(WfsimError, match=r"no child 1 is open now\. Open: 3 \(errand\[0\]\), 4 \(errand\[1\]\)"):
        stepping.open_child(1)


def test_children_of_items_are_told_apart_and_keep_their_places() -> None:
    stepping = shopping()
    do(stepping, "child:1:succeed")
    labels = [action.label for action in stepping.possible() if action.kind == "child"]
    assert labels == ["errand[0] succeeds", "errand[0] fails", "errand[1] succeeds", "errand[1] fails"]
    assert actions(stepping)["child:4:succeed"].reason == 'Workflow errand 1.2.0 in all. For item 1: "bread".'
    first, second = stepping.open_child(3), stepping.open_child(4)
    assert (first.instance.variables["what"], second.instance.variables["what"]) == ("milk", "bread")
    assert second.do("timer:timeout")
    do(stepping, "child:4:tell")
    assert stepping.steps[-1].title.startswith("errand[1]: the child of all closes")
    assert [child.index for child in stepping.children] == [0, 2]
    assert stepping.do("child:3:succeed", price=1)
    assert stepping.do(f"child:{stepping.children[0].activation}:succeed", price=3)
    assert [each["ok"] for each in stepping.instance.variables["paid"]] == [True, False, True]


def test_another_way_has_another_child_of_the_same_number() -> None:
    text = SHOPPING.replace(
        "  - {from: one, event: error", "  - {from: one, to: one, after: 10s}\n  - {from: one, event: error"
    )
    stepping = shopping(text)
    do(stepping, "timer:after 1")
    again = stepping.open_child(stepping.children[0].activation)
    assert again.do("event:bought", price=5)
    stepping.back()
    assert stepping.do("child:1:succeed", price=1)
    # Activation numbers go on from where they were, whatever they name.
    assert all(stepping.open_child(child.activation) is not again for child in stepping.children)
    stepping.back()
    do(stepping, "timer:after 1")
    assert stepping.open_child(stepping.children[0].activation) is again


def test_a_child_whose_inputs_do_not_fit_cannot_be_opened() -> None:
    stepping = shopping(SHOPPING.replace("what: milk", "what: 3"))
    with pytest.raises(StartRefused, match="input 'what' of errand"):
        stepping.open_child(1)
    do(stepping, "child:1:fail")


def test_activities_of_items_are_shown_with_their_index_and_give_a_list() -> None:
    stepping = shopping()
    do(stepping, "child:1:succeed", "child:3:succeed", "child:4:succeed", "child:5:succeed")
    assert [action.label for action in stepping.possible() if action.kind == "activity"] == [
        *("call[0] starts", "call[0] succeeds", "call[0] fails"),
        *("call[1] starts", "call[1] succeeds", "call[1] fails"),
    ]
    assert actions(stepping)["activity:2:start"].reason == 'Attempt 1 of 2. For item 1: "bread".'
    do(stepping, "activity:2:start", "activity:2:fail")
    assert stepping.steps[-1].title == "call[1]: call fails: Error"
    assert actions(stepping)["timer:retry:2"].label == "next attempt of call[1]"
    do(stepping, "timer:retry:2", "activity:2:start", "activity:2:succeed", "activity:1:start", "activity:1:succeed")
    do(stepping, "activity:3:start")
    assert stepping.do("activity:3:succeed", result="salt!")
    assert stepping.instance.variables["paid"] == ["call-0", "call-1", "salt!"]
    assert stepping.status == "completed"


def test_what_items_did_is_undone_newest_first() -> None:
    stepping = shopping()
    do(stepping, "child:1:succeed", "child:3:succeed", "child:4:succeed", "child:5:succeed")
    do(stepping, "activity:2:start", "activity:2:succeed", "activity:1:start", "activity:1:succeed")
    do(stepping, "activity:3:start")
    assert stepping.do("activity:3:fail")
    do(stepping, "timer:retry:3", "activity:3:start", "activity:3:fail")
    undoing = [action.label for action in stepping.possible() if action.id.startswith("activity:4")]
    assert undoing == ["apologise starts", "apologise succeeds", "apologise fails"]
    do(stepping, "activity:4:start", "activity:4:succeed", "activity:5:start", "activity:5:succeed")
    assert stepping.state == {"": "given_up"}


def test_the_shipped_order_is_stepped_with_its_shipping() -> None:
    stepping = Stepping(wf.load("models/order_fulfilment.yaml"), {"order_id": "o1", "amount": 3}, catalogue="models")
    do(stepping, "event:pay", "activity:1:start", "activity:1:succeed")
    do(stepping, *(f"activity:{serial}:{verb}" for serial in (2, 3, 4) for verb in ("start", "succeed")))
    parcel = stepping.open_child(stepping.children[0].activation)
    do(parcel, "activity:1:start", "activity:1:succeed", "event:returned")
    do(stepping, f"child:{stepping.children[0].activation}:tell")
    assert stepping.state == {"": "review"}


def test_the_children_of_a_real_case_are_the_cases_that_they_were(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    activities = {"call": lambda what: what, "apologise": lambda **_: None}
    clock = ManualClock()
    catalogue = [loads(ERRAND)]
    with start(loads(SHOPPING), id="s", store=store, activities=activities, catalogue=catalogue, clock=clock) as run:
        clock.settle()
        run.children["s/1"].send("bought", price=8)
        clock.settle()
    with open_history(store) as history:
        stepping = Stepping(history.case("s"))
        milk = stepping.open_child(3)
        assert (milk.instance.variables["what"], len(milk.steps)) == ("milk", 1)
        while stepping.state == {"": "all"}:
            stepping.back()
        first = stepping.open_child(1)
        assert (first.status, first.steps[-1].title) == ("completed", "event bought(price=8)")
        # What did not happen is stepped anew.
        assert first.back()
        assert first.do("event:bought", price=9)
        assert stepping.do("child:1:tell")
        assert stepping.instance.variables["paid"] == {"price": 9}


# --- the widget ----------------------------------------------------------------------------------


def family(page: Page) -> list[str]:
    return [one["label"] for one in page.scene["family"]]


def test_the_stepper_goes_down_into_a_child_and_back_with_its_end() -> None:
    stepper = Stepper(loads(SHOPPING), catalogue=[loads(ERRAND)])
    page = Page(stepper)
    assert family(page) == ["Step into errand"]
    page.ask("family", to="1")
    assert stepper.stepping.workflow.name == "errand"
    assert family(page) == ["Back to shopping (parent of errand)"]
    page.do("event:bought", price="4")
    page.ask("family", to="up")
    assert stepper.stepping.workflow.name == "shopping"
    page.do("child:1:tell")
    assert stepper.stepping.instance.variables["paid"] == {"price": 4}
    assert family(page) == ["Step into errand[0]", "Step into errand[1]"]
    assert not stepper.close_child()


def test_a_child_that_cannot_be_opened_is_explained() -> None:
    stepper = Stepper(loads(SHOPPING))
    page = Page(stepper)
    assert family(page) == []
    page.ask("family", to="1")
    assert "catalogue='models'" in page.problem
    assert not stepper.open_child(1)
    assert stepper.load(wf.new("minimal"))
    assert stepper.stepping.workflow.name == "minimal"


def test_loading_something_else_leaves_the_child() -> None:
    stepper = Stepper(loads(SHOPPING), catalogue=[loads(ERRAND)])
    assert stepper.open_child(1)
    assert stepper.load(wf.new("minimal"))
    assert (stepper.stepping.workflow.name, family(Page(stepper))) == ("minimal", [])
