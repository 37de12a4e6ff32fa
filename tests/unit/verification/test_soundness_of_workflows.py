"""Soundness asked of workflows: with their children, and in property files; what the explorer leaves to the net."""

from __future__ import annotations

import pytest

import wfsim as wf
from tests.unit.net.translated import C, parallel, region, workflow
from wfsim.verification.workflows.properties import Property, verify
from wfsim.verification.workflows.space import explore_workflow

SHIP = {"name": "ship", "invoke": {"workflow": "child"}}
PARENT = workflow(
    [{"from": "ship", "event": "done", "to": "c"}, {"from": "ship", "event": "error", "to": "c"}], [SHIP, C]
)
STUCK = workflow([{"from": "a", "event": "go", "to": "b"}], ["a", "b", C]).model_copy(update={"name": "child"})


def test_a_workflow_is_asked_through_its_net() -> None:
    net, whole = wf.soundness(wf.to_net(PARENT)), wf.soundness(PARENT)
    assert (net.status, net.reason) == (whole.status, whole.reason)
    assert set(net.assumptions) < set(whole.assumptions)
    assert "conditions may come out either way, and clocks may expire at any moment or never" in whole.assumptions


def test_a_net_takes_no_further_options() -> None:
    with pytest.raises(TypeError, match="instances, items: the net is there already"):
        wf.soundness(wf.to_net(PARENT), instances=2, items=1)


def test_instances_and_pools_are_handed_on() -> None:
    flow = workflow(
        [{"from": "a", "event": "done", "to": "c"}, {"from": "a", "event": "error", "to": "c"}],
        [{"name": "a", "activity": {"name": "f"}}, C],
        activities={"f": {"pool": "desk"}},
    )
    verdict = wf.soundness(flow, instances=2, pools={"desk": 1})
    assert verdict
    assert verdict.statistics["places"] == len(wf.to_net(flow, instances=2, pools={"desk": 1}).places)


def test_property_files_ask_for_children_where_there_is_a_catalogue() -> None:
    asked = [Property("sound"), Property("no_deadlock", {"items": 1})]
    assert [bool(verdict) for verdict in verify(PARENT, asked)] == [True, True]
    assert [bool(verdict) for verdict in verify(PARENT, asked, catalogue=[STUCK])] == [False, False]


def test_a_transition_taken_only_together_with_another_is_not_dead() -> None:
    both = [region(f"r{k}", [{"from": "a", "event": "go", "to": "A"}], ["a", "A"]) for k in range(2)]
    verdict = wf.soundness(workflow([{"from": "p", "event": "done", "to": "c"}], [parallel("p", *both), C]))
    assert verdict, verdict.reason


def test_one_that_never_comes_about_beside_another_is_dead() -> None:
    r1 = region("r1", [{"from": "a", "event": "go", "to": "A"}], ["a", "A"])
    r2 = region(
        "r2", [{"from": "x", "event": "go", "to": "X"}, {"from": "y", "event": "go", "to": "X"}], ["x", "y", "X"]
    )
    verdict = wf.soundness(workflow([{"from": "p", "event": "done", "to": "c"}], [parallel("p", r1, r2), C]))
    assert not verdict
    assert [each["source"] for each in verdict.statistics["dead_transitions"]] == ["transition 4"]


def test_the_explorer_goes_on_while_an_instance_is_cancelling() -> None:
    flow = workflow(
        [
            {"from": "a", "event": "done", "to": "b"},
            {"from": "b", "event": "cancel_requested", "to": "c", "condition": "context.n == null"},
        ],
        [{"name": "a", "activity": {"name": "f"}}, "b", C],
        activities={"f": {"compensate_with": "u"}, "u": {}},
        variables={"n": {"optional": True}},
    )
    space = explore_workflow(flow, erase_conditions=True)
    assert space.complete
    assert {"cancelling", "cancelled", "failed"} <= {space.instance(k).status for k in range(space.n_states)}


def test_nobody_sends_more_while_a_region_holds_what_came_before() -> None:
    """Where an automatic transition goes first, an event may wait; the explorer's mailboxes hold one at most."""
    flow = workflow(
        [
            {
                "from": "a",
                "condition": "context.n == null",
                "to": "c",
                "pre_actions": [{"action_type": "activity", "name": "f", "on_failure": "ignore"}],
            },
            {"from": "a", "event": "go", "to": "a"},
        ],
        activities={"f": {}},
        variables={"n": {"optional": True}},
    )
    space = explore_workflow(flow, erase_conditions=True)
    assert space.complete
    assert max(len(space.instance(k).waiting()) for k in range(space.n_states)) == 1
