"""From workflow to net: each row of the table "Constructs elsewhere" that applies to flat workflows."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from tests.nets import deadlock_free
from tests.unit.net.translated import FIRST_TRY, C, flows, run, workflow
from wfsim.errors import NetError
from wfsim.net.arcs import ArcKind
from wfsim.net.translate import to_net

GO = {"from": "a", "event": "go", "to": "c"}


# --- instance, pools ---------------------------------------------------------------------------------


def test_an_instance_is_one_token_that_walks_from_start_to_final() -> None:
    net = to_net(workflow([GO]))
    assert set(net.places) == {"start", "a", "c", "final"}
    assert net.initial_marking.to_dict() == {"start": 1}
    assert net.final_marking is not None
    assert net.final_marking.to_dict() == {"final": 1}
    assert flows(net, "start") == [({"start": 1}, {"a": 1})]
    assert flows(net, "t1: a → c on go") == [({"a": 1}, {"c": 1})]
    assert flows(net, "complete in c") == [({"c": 1}, {"final": 1})]
    assert len(net.transitions) == 3


def test_sources_name_what_a_node_stands_for() -> None:
    net = to_net(workflow([GO]))
    assert {node: net.source(node) for node in ("a", "start", "final", "t1: a → c on go", "complete in c")} == {
        "a": "state a",
        "start": "start",
        "final": "final",
        "t1: a → c on go": "transition 1",
        "complete in c": "state c",
    }


def test_instances_and_workers_are_tokens_at_the_start_and_at_the_end() -> None:
    flow = workflow([GO | {"pre_actions": [run("f")]}], activities={"f": {"pool": "desk"}, "g": {"pool": "other"}})
    net = to_net(flow, instances=3, pools={"desk": 2})
    assert net.initial_marking.to_dict() == {"start": 3, "pool desk": 2}
    assert net.final_marking is not None
    assert net.final_marking.to_dict() == {"final": 3, "pool desk": 2}
    assert flows(net, "f starts") == [({"t1.pre1.scheduled.1": 1, "pool desk": 1}, {"t1.pre1.running.1": 1})]
    assert flows(net, "f succeeds") == [({"t1.pre1.running.1": 1}, {"t1.pre1.succeeded": 1, "pool desk": 1})]


def test_a_pool_that_is_left_out_never_makes_anything_wait() -> None:
    flow = workflow([GO | {"pre_actions": [run("f")]}], activities={"f": {"pool": "desk"}})
    net = to_net(flow, instances=3)
    assert net.initial_marking.to_dict() == {"start": 3}
    assert flows(net, "f starts") == [({"t1.pre1.scheduled.1": 1}, {"t1.pre1.running.1": 1})]


def test_a_pool_bounds_how_many_work_at_once() -> None:
    flow = workflow([GO | {"pre_actions": [run("f")]}], activities={"f": {"pool": "desk"}})
    assert wf.explore(to_net(flow, instances=3, pools={"desk": 2})).bounds["t1.pre1.running.1"] == 2
    assert wf.explore(to_net(flow, instances=3)).bounds["t1.pre1.running.1"] == 3


@pytest.mark.parametrize("instances", [0, -1])
def test_less_than_one_instance_is_refused(instances: int) -> None:
    with pytest.raises(NetError, match=f"instances={instances} .* Give 1 or more"):
        to_net(workflow([GO]), instances=instances)


def test_an_unknown_pool_is_refused_with_the_nearest_one() -> None:
    flow = workflow([GO | {"pre_actions": [run("f")]}], activities={"f": {"pool": "desk"}})
    with pytest.raises(NetError, match=r"the pool 'dsk'\. Pools: desk\. Did you mean 'desk'\?"):
        to_net(flow, pools={"dsk": 1})
    with pytest.raises(NetError, match="pool 'desk' has 0 workers"):
        to_net(flow, pools={"desk": 0})
    with pytest.raises(NetError, match="Pools: none; give activities the key 'pool'"):
        to_net(workflow([GO]), pools={"desk": 1})


def test_states_may_be_called_start_and_final() -> None:
    stuck = workflow([{"from": "start", "event": "go", "to": "final"}], ["start", "final", C])
    net = to_net(stuck)
    assert net.initial_marking.to_dict() == {"the start": 1}
    assert net.final_marking is not None
    assert net.final_marking.to_dict() == {"the end": 1}
    # The state 'final' is no end here: the instance waits in it for ever.
    assert not wf.soundness(net)
    fine = workflow(
        [{"from": "start", "event": "go", "to": "final"}], ["start", {"name": "final", "is_terminal": True}]
    )
    assert wf.soundness(to_net(fine))


# --- transitions and flights -------------------------------------------------------------------------


def test_an_internal_transition_keeps_its_state() -> None:
    net = to_net(workflow([GO, {"from": "a", "event": "stop"}]))
    assert flows(net, "t2: a → (none) on stop") == [({"a": 1}, {"a": 1})]


def test_conditions_are_ignored_but_for_raising() -> None:
    quiet = [GO | {"condition": "context.n == null"}, GO]
    net = to_net(workflow(quiet, variables={"n": {"type": "integer", "optional": True}}))
    assert len(flows(net, "t1: a → c on go")) == len(flows(net, "t2: a → c on go")) == 1
    assert not any("raises" in name for name in net.transitions)
    loud = [GO | {"condition": "context.n > 1"}, GO]
    net = to_net(workflow(loud, variables={"n": {"type": "integer", "optional": True}}))
    assert flows(net, "a condition on go raises in a") == [({"a": 1}, {"a!error": 1})]
    assert flows(net, "a is closed as failed") == [({"a!error": 1}, {"closed as failed": 1})]
    assert flows(net, "over: closed as failed") == [({"closed as failed": 1}, {"final": 1})]


def test_a_condition_only_transition_needs_nothing_from_outside() -> None:
    flow = workflow([{"from": "a", "condition": "context.n == null", "to": "c"}], variables={"n": {"optional": True}})
    (label,) = (name for name in to_net(flow).transitions if name.startswith("t1"))
    assert flows(to_net(flow), label) == [({"a": 1}, {"c": 1})]


def test_a_flight_waits_at_a_place_for_each_action_before_the_commit() -> None:
    flow = workflow(
        [GO | {"pre_actions": [run("f"), run("g")]}],
        activities={"f": {"retry_policy": FIRST_TRY}, "g": {"retry_policy": FIRST_TRY}},
    )
    net = to_net(flow)
    assert flows(net, "t1: a → c on go begins") == [
        ({"a": 1}, {"t1.pre1.scheduled.1": 1}),
        ({"t1.pre1.succeeded": 1}, {"t1.pre2.scheduled.1": 1}),
    ]
    assert flows(net, "t1: a → c on go") == [({"t1.pre2.succeeded": 1}, {"c": 1})]
    assert flows(net, "t1: a → c on go is aborted") == [
        ({"t1.pre1.failed": 1}, {"a!error": 1}),
        ({"t1.pre2.failed": 1}, {"a!error": 1}),
    ]


def test_a_state_may_be_called_like_the_places_of_a_flight() -> None:
    pay = {"from": "t1", "event": "go", "to": "c", "pre_actions": [run("f")]}
    net = to_net(workflow([pay], states=["t1", C]))
    assert flows(net, "t1: t1 → c on go") == [({"t1.pre1.succeeded": 1}, {"c": 1})]


def test_a_failure_that_is_ignored_goes_on() -> None:
    flow = workflow(
        [GO | {"pre_actions": [run("f", on_failure="ignore")]}], activities={"f": {"retry_policy": FIRST_TRY}}
    )
    net = to_net(flow)
    assert flows(net, "t1: a → c on go") == [
        ({"t1.pre1.succeeded": 1}, {"c": 1}),
        ({"t1.pre1.failed": 1}, {"c": 1}),
    ]
    assert "closed as failed" not in net.places


def test_a_post_action_waits_after_the_commit_and_fails_in_the_target() -> None:
    flow = workflow(
        [GO | {"to": "b", "post_actions": [run("f")]}, {"from": "b", "event": "error.f", "to": "c"}],
        ["a", "b", C],
        activities={"f": {"retry_policy": FIRST_TRY}},
    )
    net = to_net(flow)
    assert flows(net, "t1: a → b on go") == [({"a": 1}, {"t1.post1.scheduled.1": 1})]
    assert flows(net, "f is over, a → b on go goes on") == [({"t1.post1.succeeded": 1}, {"b": 1})]
    assert flows(net, "f fails after a → b on go") == [({"t1.post1.failed": 1}, {"b!f": 1})]
    assert flows(net, "t2: b → c on error.f") == [({"b!f": 1}, {"c": 1})]


# --- activities --------------------------------------------------------------------------------------


def test_attempts_are_told_apart_up_to_max_attempts() -> None:
    flow = workflow([GO | {"pre_actions": [run("f")]}], activities={"f": {"retry_policy": {"max_attempts": 3}}})
    net = to_net(flow)
    assert flows(net, "f fails, will be retried") == [
        ({"t1.pre1.running.1": 1}, {"t1.pre1.backoff.2": 1}),
        ({"t1.pre1.running.2": 1}, {"t1.pre1.backoff.3": 1}),
    ]
    assert flows(net, "f is tried again") == [
        ({"t1.pre1.backoff.2": 1}, {"t1.pre1.scheduled.2": 1}),
        ({"t1.pre1.backoff.3": 1}, {"t1.pre1.scheduled.3": 1}),
    ]
    assert flows(net, "f fails") == [({"t1.pre1.running.3": 1}, {"t1.pre1.failed": 1})]
    assert len(flows(net, "f starts")) == len(flows(net, "f succeeds")) == 3


def test_an_error_that_is_not_retried_ends_any_attempt() -> None:
    policy = {"max_attempts": 2, "non_retryable_errors": ["Bad"]}
    net = to_net(workflow([GO | {"pre_actions": [run("f")]}], activities={"f": {"retry_policy": policy}}))
    assert flows(net, "f fails") == [
        ({"t1.pre1.running.1": 1}, {"t1.pre1.failed": 1}),
        ({"t1.pre1.running.2": 1}, {"t1.pre1.failed": 1}),
    ]


def test_attempts_beyond_eight_share_the_places_of_the_last() -> None:
    flow = workflow([GO | {"pre_actions": [run("f")]}], activities={"f": {"retry_policy": {"max_attempts": 50}}})
    net = to_net(flow)
    assert "t1.pre1.running.8" in net.places
    assert "t1.pre1.running.9" not in net.places
    assert ({"t1.pre1.running.8": 1}, {"t1.pre1.backoff.8": 1}) in flows(net, "f fails, will be retried")
    assert ({"t1.pre1.running.8": 1}, {"t1.pre1.failed": 1}) in flows(net, "f fails")


def test_clocks_of_activities_may_expire_at_any_time_and_give_the_worker_back() -> None:
    clocks = {"schedule_to_start": "1m", "schedule_to_close": "1h", "pool": "p"}
    net = to_net(workflow([GO | {"pre_actions": [run("f")]}], activities={"f": clocks}), pools={"p": 1})
    assert flows(net, "f waits too long to start") == [({"t1.pre1.scheduled.1": 1}, {"t1.pre1.failed": 1})]
    assert flows(net, "f takes too long") == [
        ({"t1.pre1.scheduled.1": 1}, {"t1.pre1.failed": 1}),
        ({"t1.pre1.running.1": 1}, {"t1.pre1.failed": 1, "pool p": 1}),
    ]


WORKING = {"name": "a", "activity": {"name": "f"}}


def test_an_activity_of_a_state_is_a_second_token_and_ends_with_the_state() -> None:
    flow = workflow(
        [{"from": "a", "event": "done", "to": "c"}, {"from": "a", "event": "error", "to": "c"}, GO],
        [WORKING, C],
        activities={"f": {"pool": "p"}},
    )
    net = to_net(flow, pools={"p": 1})
    assert flows(net, "start") == [({"start": 1}, {"a": 1, "a.scheduled.1": 1})]
    assert flows(net, "t1: a → c on done") == [({"a": 1, "a.succeeded": 1}, {"c": 1})]
    assert flows(net, "t2: a → c on error") == [({"a": 1, "a.failed": 1}, {"c": 1})]
    # Leaving ends the activity wherever it is, and its worker is free again. Its own end is offered first (M2.1).
    assert flows(net, "t3: a → c on go") == [
        ({"a": 1, "a.scheduled.1": 1}, {"c": 1}),
        ({"a": 1, "a.running.1": 1}, {"c": 1, "pool p": 1}),
    ]
    assert wf.soundness(net)


def test_done_that_nobody_takes_is_discarded_and_the_state_stays() -> None:
    net = to_net(workflow([GO], [WORKING, C], activities={"f": {}}))
    assert flows(net, "done is discarded in a") == [({"a": 1, "a.succeeded": 1}, {"a": 1, "a.ended": 1})]
    assert flows(net, "f fails a") == [({"a": 1, "a.failed": 1}, {"closed as failed": 1})]


# --- time, errors, controls --------------------------------------------------------------------------


def test_timers_are_net_transitions_from_their_state() -> None:
    flow = workflow(
        [{"from": "a", "event": "timeout", "to": "c"}, {"from": "a", "after": "5s", "to": "c"}],
        [{"name": "a", "timeout": "1h"}, C],
    )
    net = to_net(flow)
    assert flows(net, "t1: a → c on timeout") == [({"a": 1}, {"c": 1})]
    assert flows(net, "t2: a → c after 5s") == [({"a": 1}, {"c": 1})]
    assert "closed as timed_out" not in net.places


def test_an_unhandled_timeout_becomes_an_error_and_closes_as_timed_out() -> None:
    net = to_net(workflow([GO], [{"name": "a", "timeout": "1h"}, C]))
    assert flows(net, "timeout in a") == [({"a": 1}, {"a!timeout": 1})]
    assert flows(net, "a is closed as timed_out") == [({"a!timeout": 1}, {"closed as timed_out": 1})]
    assert flows(net, "over: closed as timed_out") == [({"closed as timed_out": 1}, {"final": 1})]


def test_errors_go_to_the_handlers_that_may_match() -> None:
    pre = [run("f"), run("g")]
    flow = workflow(
        [
            GO | {"pre_actions": pre},
            {"from": "a", "event": "error.f", "to": "b"},
            {"from": "a", "event": "error", "to": "c"},
            {"from": "b", "event": "go", "to": "c"},
        ],
        ["a", "b", C],
        activities={"f": {"retry_policy": FIRST_TRY}, "g": {"retry_policy": FIRST_TRY}},
    )
    net = to_net(flow)
    assert flows(net, "t1: a → c on go is aborted") == [
        ({"t1.pre1.failed": 1}, {"a!f": 1}),
        ({"t1.pre2.failed": 1}, {"a!error": 1}),
    ]
    assert flows(net, "t2: a → b on error.f") == [({"a!f": 1}, {"b": 1})]
    assert ({"a!error": 1}, {"c": 1}) in flows(net, "t3: a → c on error")
    assert "closed as failed" not in net.places


def test_handled_controls_also_take_an_instance_out_of_a_flight() -> None:
    flow = workflow(
        [
            GO | {"pre_actions": [run("f")]},
            {"from": "a", "event": "cancel_requested", "to": "c"},
            {"from": "a", "event": "workflow_timeout", "to": "c"},
        ],
        activities={"f": {"pool": "p", "retry_policy": FIRST_TRY}},
        timeouts={"workflow": "1d"},
    )
    net = to_net(flow, pools={"p": 1})
    for label in ("t2: a → c on cancel_requested", "t3: a → c on workflow_timeout"):
        assert ({"a": 1}, {"c": 1}) in flows(net, label)
        assert ({"t1.pre1.scheduled.1": 1}, {"c": 1}) in flows(net, label)
        assert ({"t1.pre1.running.1": 1}, {"c": 1, "pool p": 1}) in flows(net, label)


def test_controls_that_nothing_handles_are_left_out() -> None:
    net = to_net(workflow([GO], timeouts={"workflow": "1d"}))
    assert not {"closed as cancelled", "closed as timed_out"} & set(net.places)


def test_a_control_whose_condition_fails_closes_the_instance() -> None:
    refuses = {"from": "a", "event": "cancel_requested", "to": "c", "condition": "context.n == null"}
    net = to_net(workflow([GO, refuses], variables={"n": {"optional": True}}))
    assert flows(net, "cancel_requested finds nothing in a") == [({"a": 1}, {"closed as cancelled": 1})]


def test_flat_workflows_need_no_special_arcs() -> None:
    order = wf.load("models/order_processing.yaml")
    assert to_net(order).arc_kinds == frozenset({ArcKind.NORMAL})


# --- dead transitions, verdicts ----------------------------------------------------------------------


def test_a_transition_out_of_a_terminal_state_is_dead() -> None:
    net = to_net(workflow([GO, {"from": "c", "event": "go", "to": "a"}]))
    assert wf.explore(net).dead_transitions == ("t2: c → a on go",)
    verdict = wf.soundness(net)
    assert verdict.status == "violated"
    assert "t2: c → a on go" in verdict.reason


def test_a_transition_behind_an_unconditional_one_is_dead() -> None:
    net = to_net(workflow([GO, GO | {"to": None}]))
    assert [net.source(name) for name in wf.explore(net).dead_transitions] == ["transition 2"]


def test_a_state_that_nothing_reaches_makes_its_transitions_dead() -> None:
    net = to_net(workflow([GO, {"from": "b", "event": "go", "to": "c"}], ["a", "b", C]))
    dead = wf.explore(net).dead_transitions
    assert [net.source(name) for name in dead] == ["transition 2"]
    assert not wf.soundness(net)


def test_a_straight_workflow_is_sound_for_any_small_number_of_instances() -> None:
    for instances in (1, 2, 3):
        assert wf.soundness(to_net(workflow([GO]), instances=instances))


def test_a_dead_end_is_unsound_with_a_shortest_trace() -> None:
    flow = workflow([GO, {"from": "a", "event": "stop", "to": "b"}], ["a", "b", C])
    verdict = wf.soundness(to_net(flow))
    assert not verdict
    assert verdict.witness is not None
    assert [step.action for step in verdict.witness.steps] == ["start", "t2: a → b on stop"]
    assert verdict.witness.replay()[-1].to_dict() == {"b": 1}


def test_a_livelock_is_unsound_though_it_never_stops() -> None:
    flow = workflow(
        [
            GO,
            {"from": "a", "event": "stop", "to": "x"},
            {"from": "x", "event": "stop", "to": "y"},
            {"from": "y", "event": "back", "to": "x"},
        ],
        ["a", "x", "y", C],
    )
    net = to_net(flow)
    verdict = wf.soundness(net)
    assert not verdict
    assert verdict.witness is not None
    assert verdict.witness.replay()[-1].support() in (("x",), ("y",))
    assert deadlock_free(net)


def test_instances_that_share_a_pool_do_not_deadlock_as_attempts_give_it_back() -> None:
    flow = workflow([GO | {"pre_actions": [run("f"), run("g")]}], activities={"f": {"pool": "p"}, "g": {"pool": "p"}})
    assert deadlock_free(to_net(flow, instances=2, pools={"p": 1}))
    stuck = workflow([GO | {"to": "b"}], ["a", "b", C])
    assert not deadlock_free(to_net(stuck, instances=2))


def test_snakes_fires_a_shortest_path_through_the_order_workflow() -> None:
    net = to_net(wf.load("models/order_processing.yaml"))
    assert net.final_marking is not None
    path = wf.explore(net).trace_to(net.final_marking)
    other: Any = wf.to_snakes(net)
    for name in path:
        transition = other.transition(name)
        (mode,) = transition.modes()
        transition.fire(mode)
    assert {place: len(tokens) for place, tokens in other.get_marking().items()} == {"final": 1}
    assert net.label(path[0]) == "start"
    assert 3 <= len(path) <= 4


COPYING = """
name: copying
version: 1.0.0
initial_state: a
types: {small: {type: integer, minimum: 0, maximum: 5}}
variables: {n: {type: small, initial: 0}, m: {type: integer, initial: 0, minimum: 0}, o: {type: small, optional: true}}
events: {set: {payload: {n: small}}}
activities: {f: {result: small}}
states: [{name: a, activity: f}, {name: b, is_terminal: true}]
transitions:
  - from: a
    event: set
    to: b
    pre_actions: [{action_type: set_variable, parameters: {name: n, value: "${event.n}"}}]
unhandled: reject
"""


@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        ("", "", False),
        ("name: n, value", "name: m, value", False),
        ("name: n, value", "name: o, value", False),
        ("{n: small}", "{n: {type: small, optional: true}}", True),
        ("{n: small}", "{n: {type: integer, minimum: 0}}", True),
        ("{n: small}", "{n: {type: integer, values: [1, 2]}}", False),
        ("{n: small}", "{n: {type: integer, values: [1, 7]}}", True),
        ("${event.n}", "${context.m}", True),
        ("${event.n}", "${context.o}", True),
        ("${event.n}", "${[context.n][0]}", True),
        ("event: set", "event: done", False),
    ],
)
def test_an_assignment_fails_in_the_net_only_where_what_it_gives_may_not_fit(old: str, new: str, fails: bool) -> None:
    text = COPYING.replace(old, new, 1)
    if "event: done" in text:
        text = text.replace("event.n", "event.result")
    assert any(each.endswith("is aborted") for each in to_net(wf.loads(text)).transitions) is fails
