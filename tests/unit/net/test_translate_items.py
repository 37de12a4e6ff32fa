"""Lists in the net: rule 4.5 and the worked example 12."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from tests.unit.net.translated import C, after, ways, workflow
from wfsim.net.petri import PetriNet
from wfsim.net.translate import to_net

DONE = {"from": "s", "event": "done", "to": "c"}
ERROR = {"from": "s", "event": "error", "to": "c"}


def listing(items: Any = "${context.list}", *more: dict[str, Any], **keys: Any) -> wf.Workflow:
    work = {"items": items, "as": "one", "activity": "f"} | keys
    if "workflow" in work:
        del work["activity"]
    activities = {"f": {"retry_policy": {"max_attempts": 1}, "pool": "desk"}} if "activity" in work else {}
    return workflow(
        [DONE, *more],
        [{"name": "s", "for_each": work}, C],
        activities=activities,
        variables={"list": {"type": "list", "optional": True}},
    )


def holds(net: PetriNet, *labels: str) -> set[str]:
    return {repr(marking) for marking in ways(net, *labels)}


def test_example_12_two_at_a_time_and_the_next_one_when_one_has_ended() -> None:
    net = to_net(listing(["p", "q", "r"], max_parallel=2))
    assert holds(net, "start") == {"Marking(s: 1, s.left.3: 1, s.item.scheduled.1: 2)"}
    one = ("f starts", "f succeeds", "an item has ended in s")
    assert holds(net, "start", *one) == {"Marking(s: 1, s.left.2: 1, s.item.scheduled.1: 2)"}
    assert holds(net, "start", *one, *one) == {"Marking(s: 1, s.left.1: 1, s.item.scheduled.1: 1)"}
    assert holds(net, "start", *one, *one, *one) == {"Marking(s: 1, s.succeeded: 1)"}
    assert after(net, "start", *one, *one, *one, "t1: s → c on done") == {frozenset({"c"})}
    assert wf.soundness(to_net(listing(["p", "q", "r"], ERROR, max_parallel=2)))


def test_a_list_of_unknown_length_has_any_up_to_the_bound() -> None:
    for bound in (0, 1, 2, 3):
        starts = after(to_net(listing(), items=bound), "start")
        lefts = {place for places in starts for place in places if ".left." in place}
        assert lefts == {f"s.left.{k}" for k in range(1, bound + 1)}
        assert frozenset({"s", "s.succeeded"}) in starts, "no item at all"
        assert frozenset({"s", "s.failed"}) in starts, "no list at all"


def test_an_empty_list_is_done_at_once() -> None:
    assert after(to_net(listing([])), "start") == {frozenset({"s", "s.succeeded"})}


def test_one_failure_ends_the_others() -> None:
    net = to_net(listing(["p", "q", "r"], ERROR), pools={"desk": 3})
    failed = ("start", "f starts", "f starts", "f fails", "an item has failed in s")
    assert holds(net, *failed) == {"Marking(s: 1, pool desk: 3, s.failed: 1)"}
    assert wf.soundness(net)


def test_failures_that_are_collected_count_as_ended() -> None:
    net = to_net(listing(["p", "q"], on_failure="collect"))
    both = ("f starts", "f fails", "an item has failed in s") * 2
    assert holds(net, "start", *both) == {"Marking(s: 1, s.succeeded: 1)"}
    assert wf.soundness(net)


@pytest.mark.parametrize("limit", [256, 3])
def test_leaving_ends_all_items_and_gives_their_workers_back(limit: int) -> None:
    stop = {"from": "s", "event": "stop", "to": "c"}
    net = to_net(listing(["p", "q", "r"], stop, ERROR), pools={"desk": 2}, max_variants=limit)
    for labels in (["f starts"], ["f starts", "f starts"], ["f starts", "f succeeds", "an item has ended in s"]):
        assert holds(net, "start", *labels, "t2: s → c on stop") == {"Marking(c: 1, pool desk: 2)"}
    assert wf.soundness(net)


def test_inputs_that_raise_fail_the_item() -> None:
    raising = {"parameters": {"x": "${item.one + 1}"}}
    failing = after(to_net(listing(["p", "q"], **raising)), "start")
    assert failing == {frozenset({"s", "s.left.2", "s.item.scheduled.1"}), frozenset({"s", "s.failed"})}
    collecting = after(to_net(listing(["p", "q"], on_failure="collect", **raising)), "start")
    assert collecting == {
        frozenset({"s", "s.left.2", "s.item.scheduled.1"}),
        frozenset({"s", "s.left.1", "s.item.scheduled.1"}),
        frozenset({"s", "s.succeeded"}),
    }


def test_children_of_items_close_in_every_way() -> None:
    net = to_net(listing(["p", "q"], ERROR, workflow="child"))
    assert holds(net, "start") == {"Marking(s: 1, s.left.2: 1, s.item.child: 2)"}
    assert after(net, "start", "child fails for an item of s", "an item has failed in s") == {
        frozenset({"s", "s.failed"})
    }
    verdict = wf.soundness(listing(["p", "q"], ERROR, workflow="child"))
    assert verdict
    assert "children that run for the items of a list close in every way they may, or never" in verdict.assumptions


def test_the_bound_of_lists_is_among_the_assumptions() -> None:
    verdict = wf.soundness(listing("${context.list}", ERROR), items=3)
    assert verdict
    assert "lists that are not written out have at most 3 items" in verdict.assumptions


def test_items_can_be_undone() -> None:
    flow = workflow(
        [
            DONE | {"to": "b"},
            ERROR | {"to": "b"},
            {
                "from": "b",
                "event": "go",
                "to": "c",
                "pre_actions": [{"action_type": "compensate", "on_failure": "ignore"}],
            },
        ],
        [{"name": "s", "for_each": {"items": ["p", "q"], "as": "one", "activity": "f"}}, "b", C],
        activities={"f": {"compensate_with": "u"}, "u": {}},
    )
    net = to_net(flow)
    one = ("f starts", "f succeeds", "an item has ended in s")
    (left,) = after(net, "start", *one, *one, "t1: s → b on done")
    assert left == {"b", "log f in s"}
    assert wf.soundness(net)
