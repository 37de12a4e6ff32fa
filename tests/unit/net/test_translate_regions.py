"""Parallel regions in the net: rules 2.3, 3.5, 4.2, 4.3, 8.3, and the worked examples that need regions."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from tests.unit.net.translated import C, after, flows, parallel, region, run, ways, workflow
from wfsim.errors import NetError, NotCovered
from wfsim.net.arcs import ArcKind
from wfsim.net.translate import to_net

STEP = [{"from": "a", "event": "go", "to": "A"}]
DONE = {"from": "p", "event": "done", "to": "c"}
ONE_TRY = {"f": {"retry_policy": {"max_attempts": 1}}}


def two_regions(*transitions: dict[str, Any], join: str | int = "all", **keys: Any) -> wf.Workflow:
    """p with r1 (a → A on go) and r2 (x → X on stop)."""
    r2 = region("r2", [{"from": "x", "event": "stop", "to": "X"}], ["x", "X"])
    return workflow(list(transitions), [parallel("p", region("r1", STEP, ["a", "A"]), r2, join=join), "q", C], **keys)


# --- M4.3: entering, joining ---------------------------------------------------------------------------


def test_entering_a_parallel_state_puts_a_token_into_every_region() -> None:
    net = to_net(two_regions(DONE))
    assert after(net, "start") == {frozenset({"p", "p.joining", "p/r1/a", "p/r2/x"})}


def test_all_regions_must_end_before_done_is_offered() -> None:
    net = to_net(two_regions(DONE))
    go, stop = "t2: a → A on go", "t3: x → X on stop"
    assert after(net, "start", go, "p is joined") == set()
    assert after(net, "start", go, stop, "p is joined") == {frozenset({"p", "p.succeeded"})}
    assert after(net, "start", go, stop, "p is joined", "t1: p → c on done") == {frozenset({"c"})}
    assert wf.soundness(net)


def test_one_region_is_enough_for_any_and_ends_the_other() -> None:
    net = to_net(two_regions(DONE, join="any"))
    for ended in ("t2: a → A on go", "t3: x → X on stop"):
        assert after(net, "start", ended, "p is joined") == {frozenset({"p", "p.succeeded"})}
    assert wf.soundness(net)


def test_a_join_out_of_reach_is_an_error_and_the_others_go_on() -> None:
    r1 = region("r1", [{"from": "a", "event": "go", "to": "BAD"}], ["a", "BAD"])
    r2 = region("r2", [{"from": "x", "event": "stop", "to": "X"}], ["x", "X"])
    flow = workflow([DONE, {"from": "p", "event": "error"}], [parallel("p", r1, r2), C])
    net = to_net(flow)
    left = ("start", "t3: a → BAD on go", "p can no longer be joined", "t2: p → (none) on error")
    assert after(net, *left) == {frozenset({"p", "p.unjoined", "p/r1/BAD", "p/r2/x"})}
    assert after(net, *left, "t4: x → X on stop") == {frozenset({"p", "p.unjoined", "p/r1/BAD", "p/r2/X"})}


@pytest.mark.parametrize("join", [1, 2, 3])
def test_a_number_of_regions_is_counted(join: int) -> None:
    regions = [region(f"r{k}", [{"from": "a", "event": f"e{k}", "to": "A"}], ["a", "A"]) for k in range(3)]
    flow = workflow([DONE], [parallel("p", *regions, join=join), C], events={f"e{k}": {} for k in range(3)})
    net = to_net(flow)
    ends = [f"t{k + 2}: a → A on e{k}" for k in range(3)]
    assert after(net, "start", *ends[: join - 1], "p is joined") == set()
    assert after(net, "start", *ends[:join], "p is joined") == {frozenset({"p", "p.succeeded"})}
    assert wf.soundness(net)


def test_regions_lie_inside_regions_to_any_depth() -> None:
    flow: Any = region("r0", STEP, ["a", "A"])
    for depth in range(1, 5):
        inner = parallel("s", flow)
        flow = region(f"r{depth}", [{"from": "s", "event": "done", "to": "A"}], [inner, "A"])
    net = to_net(workflow([DONE], [parallel("p", flow), C]))
    assert "p/r4/s/r3/s/r2/s/r1/s/r0/a" in net.places
    assert wf.soundness(net)


# --- M2.3: one event, several regions --------------------------------------------------------------------


def test_example_4_an_event_reaches_all_regions_and_what_is_inside_goes_first() -> None:
    r1 = region("r1", [{"from": "a", "event": "e", "to": "b"}], ["a", "b"])
    r2 = region("r2", [{"from": "x", "event": "e", "to": "y"}], ["x", "y"])
    flow = workflow([{"from": "p", "event": "e", "to": "q"}], [parallel("p", r1, r2), "q"], events={"e": {}})
    net = to_net(flow)
    both = "t2: a → b on e and t3: x → y on e"
    assert after(net, "start", both) == {frozenset({"p", "p.joining", "p/r1/b", "p/r2/y"})}
    assert after(net, "start", both, "t1: p → q on e") == {frozenset({"q"})}
    # Neither region takes it alone, nor p while they take it.
    (started,) = ways(net, "start")
    assert [net.label(name) for name in net.enabled(started)] == [both]


def test_a_condition_lets_one_region_take_an_event_alone() -> None:
    r1 = region("r1", [{"from": "a", "event": "e", "to": "b"}], ["a", "b"])
    maybe = {"from": "x", "event": "e", "to": "y", "condition": "context.n == null"}
    flow = workflow(
        [],
        [parallel("p", r1, region("r2", [maybe], ["x", "y"]))],
        events={"e": {}},
        variables={"n": {"optional": True}},
    )
    net = to_net(flow)
    assert after(net, "start", "t1: a → b on e") == {frozenset({"p", "p.joining", "p/r1/b", "p/r2/x"})}
    assert after(net, "start", "t2: x → y on e") == set()


def test_a_busy_region_holds_the_event_for_all_that_listen() -> None:
    r1 = region(
        "r1",
        [{"from": "a", "event": "go", "to": "b", "pre_actions": [run("f")]}, {"from": "a", "event": "stop", "to": "b"}],
        ["a", "b"],
    )
    r2 = region("r2", [{"from": "x", "event": "stop", "to": "y"}], ["x", "y"])
    net = to_net(workflow([], [parallel("p", r1, r2)], events={"go": {}, "stop": {}}, activities=ONE_TRY))
    assert after(net, "start", "t2: a → b on stop and t3: x → y on stop")
    assert after(net, "start", "t1: a → b on go begins", "t2: a → b on stop and t3: x → y on stop") == set()


# --- M3.5: what ends the rest ------------------------------------------------------------------------------


def test_example_5_leaving_the_state_around_ends_flights_and_activities_inside() -> None:
    r1 = region("r1", [{"from": "a", "event": "go", "to": "b", "pre_actions": [run("f")]}], ["a", "b"])
    stop = {"from": "p", "event": "stop", "to": "c"}
    net = to_net(workflow([stop], [parallel("p", r1), C], activities={"f": {"pool": "desk"}}), pools={"desk": 1})
    begun = ("start", "t2: a → b on go begins", "f starts")
    assert after(net, *begun) == {frozenset({"p", "p.joining", "t2.pre1.running.1"})}
    # The worker is free again.
    assert after(net, *begun, "t1: p → c on stop") == {frozenset({"c", "pool desk"})}


def test_example_6_a_partial_join_cancels_the_activity_of_the_other_region() -> None:
    r1 = region("r1", [{"from": "a", "event": "go", "to": "A"}], ["a", "A"])
    r2 = region("r2", [], [{"name": "x", "activity": {"name": "f"}}])
    net = to_net(workflow([DONE], [parallel("p", r1, r2, join="any"), C], activities=ONE_TRY))
    assert after(net, "start", "f starts", "t2: a → A on go", "p is joined", "t1: p → c on done") == {frozenset({"c"})}


def test_a_handled_cancel_ends_everything_inside() -> None:
    flow = two_regions(DONE, {"from": "p", "event": "cancel_requested", "to": "c"})
    net = to_net(flow)
    assert after(net, "start", "t2: p → c on cancel_requested") == {frozenset({"c"})}
    assert after(net, "start", "t3: a → A on go", "t2: p → c on cancel_requested") == {frozenset({"c"})}


def test_the_workflow_timer_ends_everything_inside() -> None:
    flow = two_regions(DONE, {"from": "p", "event": "workflow_timeout", "to": "c"}, timeouts={"workflow": "1d"})
    assert after(to_net(flow), "start", "t2: p → c on workflow_timeout") == {frozenset({"c"})}


# --- M4.2: errors climb ------------------------------------------------------------------------------------

WORKING = {"name": "a", "activity": {"name": "f"}}


def failing(*transitions: dict[str, Any], own: list[dict[str, Any]] | None = None, depth: int = 1) -> wf.Workflow:
    """An activity that fails, some levels below p."""
    inner = region("r0", own or [], [WORKING, "A"])
    for level in range(1, depth):
        inner = region(f"r{level}", [], [parallel("s", inner)])
    other = region("other", [], [{"name": "x", "activity": {"name": "g"}}])
    return workflow(list(transitions), [parallel("p", inner, other), "q", C], activities=ONE_TRY | {"g": {}})


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_an_error_climbs_to_the_first_state_that_handles_it(depth: int) -> None:
    net = to_net(failing({"from": "p", "event": "error.f", "to": "c"}, depth=depth))
    assert after(net, "start", "f starts", "f fails", "t1: p → c on error.f") == {frozenset({"c"})}
    assert "closed as failed" in net.places, "g's errors find no handler"


def test_an_error_that_is_always_handled_inside_does_not_climb() -> None:
    net = to_net(
        failing({"from": "p", "event": "error.f", "to": "c"}, own=[{"from": "a", "event": "error", "to": "A"}])
    )
    failed = ("start", "f starts", "f fails")
    assert after(net, *failed, "t2: a → A on error") != set()
    assert after(net, *failed, "t1: p → c on error.f") == set()


def test_an_error_that_nobody_handles_closes_the_instance_with_all_that_is_inside() -> None:
    net = to_net(failing())
    assert after(net, "start", "f starts", "f fails", "f fails p/r0/a") == {frozenset({"closed as failed"})}


def test_a_handler_that_stays_leaves_the_regions_as_they_are() -> None:
    net = to_net(failing({"from": "p", "event": "error"}))
    (left,) = after(net, "start", "f starts", "f fails", "t1: p → (none) on error")
    assert left == {"p", "p.joining", "p/r0/a", "p/r0/a.ended", "p/other/x", "p/other/x.scheduled.1"}


def test_a_timeout_inside_closes_as_timed_out() -> None:
    inner = region("r", [], [{"name": "a", "timeout": "1h"}])
    net = to_net(workflow([], [parallel("p", inner)]))
    assert after(net, "start", "timeout in p/r/a", "p/r/a is closed as timed_out") == {
        frozenset({"closed as timed_out"})
    }


def test_an_error_waits_while_the_region_around_is_busy() -> None:
    busy = {"from": "p", "event": "go", "pre_actions": [run("f")]}
    handles = {"from": "p", "event": "error.g", "to": "c"}
    inner = region("r", [], [{"name": "a", "activity": {"name": "g"}}])
    flow = workflow(
        [busy, handles], [parallel("p", inner), C], activities=ONE_TRY | {"g": {"retry_policy": {"max_attempts": 1}}}
    )
    net = to_net(flow)
    waiting = ("start", "t1: p → (none) on go begins", "g starts", "g fails", "an error of p/r/a waits for p")
    assert after(net, *waiting) == {frozenset({"p^g", "p.joining", "p/r/a", "p/r/a.ended", "t1.pre1.scheduled.1"})}
    over = (*waiting, "f starts", "f succeeds", "t1: p → (none) on go", "an error that waited is offered to p")
    assert {"p!g", "p.joining", "p/r/a", "p/r/a.ended"} in after(net, *over)
    assert {"c"} in after(net, *over, "t2: p → c on error.g")


# --- variants and reset arcs -------------------------------------------------------------------------------


def busy_regions(n: int) -> wf.Workflow:
    stop = {"from": "p", "event": "stop", "to": "c"}
    regions = [
        region(f"r{k}", [{"from": "a", "event": "done", "to": "A"}], [{"name": "a", "activity": {"name": "f"}}, "A"])
        for k in range(n)
    ]
    activities = {"f": {"retry_policy": {"max_attempts": 3}, "pool": "desk"}}
    return workflow([DONE, stop], [parallel("p", *regions), C], activities=activities)


def test_leaving_has_a_net_transition_for_each_configuration_inside() -> None:
    net = to_net(busy_regions(2))
    assert net.arc_kinds == {ArcKind.NORMAL}
    # 8 places of three attempts in each region, or its end; but not both ends, since then they are joined.
    assert len(flows(net, "t2: p → c on stop")) == 8 * 8 + 8 + 8


def test_reset_arcs_do_the_same_where_there_are_too_many() -> None:
    flow = busy_regions(2)
    exact, resetting = to_net(flow), to_net(flow, max_variants=10)
    assert ArcKind.RESET in resetting.arc_kinds
    one, other = (wf.explore(net) for net in (exact, resetting))
    assert {m.to_dict().__repr__() for m in one.markings} == {m.to_dict().__repr__() for m in other.markings}
    assert wf.soundness(exact)
    assert wf.soundness(resetting)


def test_reset_arcs_give_workers_back() -> None:
    flow = busy_regions(2)
    for limit in (256, 10):
        net = to_net(flow, pools={"desk": 2}, max_variants=limit)
        stopped = ways(net, "start", "f starts", "t2: p → c on stop")
        assert {marking["pool desk"] for marking in stopped} == {2}
        assert wf.soundness(net)


def test_with_reset_arcs_instances_get_nets_of_their_own() -> None:
    net = to_net(busy_regions(2), instances=2, max_variants=10)
    assert net.initial_marking.to_dict() == {"1/start": 1, "2/start": 1}
    assert net.final_marking is not None
    assert net.final_marking.to_dict() == {"1/final": 1, "2/final": 1}
    one_stopped = after(net, "1/start", "2/start", "1/t2: p → c on stop")
    assert all("2/p" in places and "1/p" not in places for places in one_stopped)
    assert one_stopped


def test_too_many_combinations_of_workers_are_not_covered() -> None:
    with pytest.raises(NotCovered, match="one for each combination of workers at work inside"):
        to_net(busy_regions(7), pools={"desk": 2})
    assert ArcKind.RESET in to_net(busy_regions(7)).arc_kinds


def test_equal_workflows_have_equal_nets() -> None:
    assert to_net(busy_regions(3)) == to_net(busy_regions(3))


def test_names_that_make_one_place_twice_are_refused() -> None:
    flow = workflow([DONE], [parallel("p", region("r", STEP, ["a", "A"])), "p/r/a", C])
    with pytest.raises(NetError, match="have the path 'p/r/a'"):
        to_net(flow)
