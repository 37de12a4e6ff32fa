"""Children in the net: rule 4.4 and the worked example 9; pools that parent and child share."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from tests.unit.net.translated import C, after, parallel, region, workflow
from wfsim.errors import CatalogueError, NetError, NotCovered
from wfsim.net.translate import to_net

SHIP = {"name": "ship", "invoke": {"workflow": "child"}}
ENDS = [{"from": "ship", "event": "done", "to": "c"}, {"from": "ship", "event": "error.ship", "to": "lost"}]
LOST = {"name": "lost", "is_terminal": True, "outcome": "failure"}
PARENT = workflow(ENDS, [SHIP, LOST, C])


def child(transitions: list[dict[str, Any]], states: list[Any], **keys: Any) -> wf.Workflow:
    return workflow(transitions, states, **keys).model_copy(update={"name": "child"})


WAITING = child(
    [{"from": "x", "event": "go", "to": "c"}, {"from": "x", "event": "stop", "to": "bad"}],
    ["x", C, {"name": "bad", "is_terminal": True, "outcome": "failure"}],
)


def test_without_a_catalogue_a_child_closes_in_every_way() -> None:
    net = to_net(PARENT)
    assert after(net, "start") == {frozenset({"ship", "ship.child"})}
    assert after(net, "start", "child completes for ship", "t1: ship → c on done") == {frozenset({"c"})}
    assert after(net, "start", "child fails for ship", "t2: ship → lost on error.ship") == {frozenset({"lost"})}
    assert wf.soundness(net)


def test_with_a_catalogue_the_net_of_the_child_stands_inside() -> None:
    net = to_net(PARENT, catalogue=[WAITING])
    started = ("start", "ship/child/start")
    assert after(net, *started) == {frozenset({"ship", "ship/child/x"})}
    well = (*started, "ship/child/t1: x → c on go", "complete in ship/child/c")
    assert after(net, *well) == {frozenset({"ship", "ship.succeeded"})}
    badly = (*started, "ship/child/t2: x → bad on stop", "complete in ship/child/bad", "t2: ship → lost on error.ship")
    assert after(net, *badly) == {frozenset({"lost"})}
    assert net.source("ship/child/t1: x → c on go") == "transition 1 of ship/child"
    assert wf.soundness(PARENT, catalogue=[WAITING])


def test_example_9_an_unhandled_timeout_of_the_child_is_an_error_of_the_parent() -> None:
    late = child([{"from": "x", "event": "go", "to": "c"}], [{"name": "x", "timeout": "1m"}, C])
    net = to_net(PARENT, catalogue=[late])
    closed = ("start", "ship/child/start", "timeout in ship/child/x", "ship/child/x is closed as timed_out")
    assert after(net, *closed) == {frozenset({"ship", "ship/child/closed as timed_out"})}
    told = (*closed, "ship/child/over: closed as timed_out", "t2: ship → lost on error.ship")
    assert after(net, *told) == {frozenset({"lost"})}


def test_a_child_ends_with_the_state_wherever_it_is() -> None:
    stop = {"from": "ship", "event": "stop", "to": "lost"}
    inner = [
        region(f"r{k}", [{"from": "a", "event": "done", "to": "A"}], [{"name": "a", "activity": {"name": "f"}}, "A"])
        for k in range(2)
    ]
    busy = child(
        [{"from": "p", "event": "done", "to": "c"}],
        [parallel("p", *inner), C],
        activities={"f": {"compensate_with": "u"}, "u": {}},
    )
    parent = workflow([*ENDS, stop], [SHIP, LOST, C])
    for limit in (10_000, 5):
        net = to_net(parent, catalogue=[busy], max_variants=limit)
        assert net.arc_kinds == ({"normal"} if limit > 5 else {"normal", "inhibitor", "reset"})
        begun = ("start", "ship/child/start", "ship/child/f starts", "ship/child/f succeeds")
        for n in range(2, 5):
            assert after(net, *begun[:n], "t3: ship → lost on stop") == {frozenset({"lost"})}
        verdict = wf.soundness(net)
        assert verdict, verdict.reason


def test_children_have_children() -> None:
    middle = workflow(ENDS, [SHIP | {"invoke": {"workflow": "leaf"}}, LOST, C]).model_copy(update={"name": "child"})
    leaf = WAITING.model_copy(update={"name": "leaf"})
    net = to_net(PARENT, catalogue=[middle, leaf])
    assert "ship/child/ship/leaf/x" in net.places
    assert wf.soundness(net)


def test_workflows_that_run_each_other_are_not_covered() -> None:
    again = workflow(ENDS, [SHIP | {"invoke": {"workflow": "w"}}, LOST, C]).model_copy(update={"name": "child"})
    with pytest.raises(NotCovered, match=r"w → child → w.*Leave the catalogue out"):
        to_net(PARENT, catalogue=[PARENT, again])


def test_a_child_that_is_not_in_the_catalogue_is_refused() -> None:
    with pytest.raises(CatalogueError, match="state 'ship' of 'w' runs 'child'"):
        to_net(PARENT, catalogue=[PARENT])


def test_a_dead_end_of_the_child_is_one_of_the_whole() -> None:
    stuck = child([{"from": "x", "event": "go", "to": "y"}], ["x", "y", C])
    verdict = wf.soundness(PARENT, catalogue=[stuck])
    assert not verdict
    assert verdict.witness is not None
    assert [step.action for step in verdict.witness.steps][-1] == "ship/child/t1: x → y on go"
    alone = wf.soundness(PARENT)
    assert alone
    assert "an open child closes in every way it may, or never" in alone.assumptions


def test_parent_and_child_share_a_pool() -> None:
    working = {"name": "x", "activity": {"name": "f"}}
    one = region(
        "r1", [{"from": "x", "event": "done", "to": "X"}, {"from": "x", "event": "error", "to": "X"}], [working, "X"]
    )
    two = region(
        "r2",
        [{"from": "s", "event": "done", "to": "S"}, {"from": "s", "event": "error", "to": "S"}],
        [SHIP | {"name": "s"}, "S"],
    )
    pooled = {"f": {"pool": "desk"}}
    parent = workflow([{"from": "p", "event": "done", "to": "c"}], [parallel("p", one, two), C], activities=pooled)
    also = child([{"from": "x", "event": "done", "to": "c"}], [working, C], activities=pooled)
    net = to_net(parent, catalogue=[also], pools={"desk": 1})
    started = ("start", "p/r2/s/child/start")
    assert after(net, *started, "f starts", "p/r2/s/child/f starts") == set()
    assert after(net, *started, "f starts", "f succeeds", "p/r2/s/child/f starts") != set()
    assert wf.soundness(net)
    with pytest.raises(NetError, match=r"names the pool 'dsk'\. Pools: desk"):
        to_net(parent, catalogue=[also], pools={"dsk": 1})


def test_what_the_child_reaches_alone_it_reaches_inside() -> None:
    parent, shipping = wf.load("models/order_fulfilment.yaml"), wf.load("models/shipping.yaml")
    inside = wf.explore(to_net(parent, catalogue=[shipping]))
    alone = wf.explore(to_net(shipping))
    prefix = "shipping/shipping/"
    seen = {
        frozenset(place.removeprefix(prefix) for place in marking.support() if place.startswith(prefix))
        for marking in inside.markings
    }
    assert {frozenset(m.support()) for m in alone.markings} - seen == {frozenset({"final"})}


def recalled(when: str) -> wf.Workflow:
    """A child that is undone by `u` when its parent stops."""
    undo = {"compensate_with": {"activity": "u", "when": when}}
    return workflow(
        [
            {"from": "ship", "event": "done", "to": "b"},
            {"from": "ship", "event": "stop", "to": "b"},
            {"from": "b", "event": "go", "to": "c", "pre_actions": [{"action_type": "compensate"}]},
        ],
        [{"name": "ship", "invoke": {"workflow": "child"} | undo}, "b", C],
        activities={"u": {}},
    )


@pytest.mark.parametrize("catalogue", [None, [WAITING]])
def test_a_child_that_has_completed_enters_the_log(catalogue: list[wf.Workflow] | None) -> None:
    net = to_net(recalled("completed"), catalogue=catalogue)
    inside = ("ship/child/start", "ship/child/t1: x → c on go", "complete in ship/child/c")
    well = ("start", *(inside if catalogue else ("child completes for ship",)))
    logged = (*well, "child child in ship enters the log")
    # It completes and enters the log in one step: it cannot be left in between.
    assert after(net, *well, "t2: ship → b on stop") == set()
    assert after(net, *logged, "t1: ship → b on done") == {frozenset({"b", "log child child in ship"})}
    undo = "u for child child in ship"
    undone = (f"{undo} is called", "u starts", "u succeeds", f"{undo} has undone it")
    go = "t3: b → c on go"
    assert after(net, *logged, "t1: ship → b on done", f"{go} begins", *undone, go) == {frozenset({"c"})}
    # Left before, there is nothing to undo: nobody waits for it (M4.4).
    begun = well[:2] if catalogue else well[:1]
    assert after(net, *begun, "t2: ship → b on stop") == {frozenset({"b"})}


@pytest.mark.parametrize("catalogue", [None, [WAITING]])
def test_a_child_may_enter_the_log_as_it_starts(catalogue: list[wf.Workflow] | None) -> None:
    net = to_net(recalled("attempted"), catalogue=catalogue)
    assert after(net, "start", "t2: ship → b on stop") == set()
    begun = ("start", "child child in ship enters the log", *(["ship/child/start"] if catalogue else []))
    assert after(net, *begun, "t2: ship → b on stop") == {frozenset({"b", "log child child in ship"})}
