"""The open environment around `step`: states counted by hand, limits, interruption."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

import wfsim as wf
from wfsim.semantics.snapshot import region_states
from wfsim.verification.workflows import space as space_module
from wfsim.verification.workflows.space import WorkflowSpace, explore_workflow

C = {"name": "c", "is_terminal": True}


def workflow(transitions: list[dict[str, Any]], states: list[Any] | None = None, **keys: Any) -> wf.Workflow:
    named = [{"name": s} if isinstance(s, str) else s for s in (states or ["a", C])]
    events = {t["event"]: {} for t in transitions if t.get("event") in ("go", "stop")}
    data = {"name": "w", "initial_state": "a", "states": named, "events": events, "transitions": transitions}
    return wf.Workflow.model_validate(data | keys)


def run(name: str, **more: Any) -> dict[str, Any]:
    return {"action_type": "activity", "name": name, **more}


def ends(space: WorkflowSpace) -> set[tuple[str, str]]:
    """State and status of every state that was found."""
    return {(space.instance(k).state, str(space.instance(k).status)) for k in range(space.n_states)}


def happening(space: WorkflowSpace, number: int) -> list[str]:
    return [edge.stimulus.kind for edge in space.edges[number]]


GO = {"from": "a", "event": "go", "to": "c"}


def test_one_step_has_two_states() -> None:
    space = explore_workflow(workflow([GO]))
    assert space.complete
    assert (space.n_states, space.n_edges) == (2, 1)
    assert ends(space) == {("a", "running"), ("c", "completed")}


def test_going_round_a_circle_finds_nothing_new() -> None:
    circle = [GO | {"to": "b"}, {"from": "b", "event": "go", "to": "a"}, {"from": "b", "event": "stop", "to": "c"}]
    space = explore_workflow(workflow(circle, ["a", "b", C]))
    assert space.complete
    assert ends(space) == {("a", "running"), ("b", "running"), ("c", "completed")}


def test_a_counter_counts() -> None:
    step = GO | {
        "to": None,
        "condition": "context.n < 3",
        "pre_actions": [{"action_type": "set_variable", "parameters": {"name": "n", "value": "${context.n + 1}"}}],
    }
    stop = {"from": "a", "event": "stop", "to": "c"}
    flow = workflow([step, stop], variables={"n": {"type": "integer", "initial": 0}})
    space = explore_workflow(flow)
    # n = 0, 1, 2, 3 in a, and each of them once more in c.
    assert (space.n_states, space.n_edges) == (8, 7)
    # Erased, values are not kept, and the condition and the sum come out in every way.
    erased = explore_workflow(flow, erase_conditions=True)
    assert ends(erased) == {("a", "running"), ("c", "completed"), ("a", "failed")}
    assert erased.exact


def test_an_activity_is_scheduled_running_and_over() -> None:
    flow = workflow([GO | {"pre_actions": [run("f")]}], activities={"f": {"retry_policy": {"max_attempts": 1}}})
    space = explore_workflow(flow)
    # a; scheduled; running; completed; failed.
    assert (space.n_states, space.n_edges) == (5, 4)
    assert ends(space) == {("a", "running"), ("c", "completed"), ("a", "failed")}


def test_a_retry_adds_backoff_and_a_second_attempt() -> None:
    flow = workflow([GO | {"pre_actions": [run("f")]}], activities={"f": {"retry_policy": {"max_attempts": 2}}})
    space = explore_workflow(flow)
    # a; scheduled 1, running 1; backoff; scheduled 2, running 2; completed; failed.
    assert space.n_states == 8
    assert "timer" in {kind for k in range(space.n_states) for kind in happening(space, k)}


def test_timers_may_fire_before_or_after_events() -> None:
    flow = workflow([GO, {"from": "a", "event": "timeout", "to": "c"}], [{"name": "a", "timeout": "2h"}, C])
    space = explore_workflow(flow)
    assert sorted(happening(space, 0)) == ["event", "timer"]


def test_an_unhandled_timeout_closes() -> None:
    space = explore_workflow(workflow([GO], [{"name": "a", "timeout": "2h"}, C]))
    assert ("a", "timed_out") in ends(space)


def test_controls_occur_only_where_they_are_handled() -> None:
    plain = explore_workflow(workflow([GO], timeouts={"workflow": "1d"}))
    assert happening(plain, 0) == ["event"]
    handled = [
        GO,
        {"from": "a", "event": "cancel_requested", "to": "c"},
        {"from": "a", "event": "workflow_timeout", "to": "c"},
    ]
    space = explore_workflow(workflow(handled, timeouts={"workflow": "1d"}))
    assert sorted(happening(space, 0)) == ["control", "event", "timer"]


def test_events_that_nobody_would_take_are_no_edges() -> None:
    flow = workflow([GO, {"from": "b", "event": "stop", "to": "c"}], ["a", "b", C])
    space = explore_workflow(flow)
    assert [edge.stimulus.event for edge in space.edges[0]] == ["go"]


def test_each_input_that_matters_starts_an_instance_of_its_own() -> None:
    flow = workflow([GO | {"condition": "context.n > 5"}], variables={"n": {"type": "integer", "input": True}})
    space = explore_workflow(flow)
    started = [space.instance(k).variables["n"] for k in range(space.n_states) if space.instance(k).state == "a"]
    assert sorted(started) == [4, 5, 6]
    assert [space.instance(k).variables["n"] for k in range(space.n_states) if space.instance(k).state == "c"] == [6]


def test_errors_that_conditions_tell_apart_are_tried() -> None:
    flow = workflow(
        [
            GO | {"pre_actions": [run("f")]},
            {"from": "a", "event": "error.f", "to": "c", "condition": "event.type == 'Card.Declined'"},
            {"from": "a", "event": "error", "to": "b"},
            {"from": "b", "event": "go", "to": "c"},
        ],
        ["a", "b", C],
        activities={"f": {"retry_policy": {"max_attempts": 1}}},
    )
    space = explore_workflow(flow)
    tried = {edge.stimulus.error_type for edges in space.edges for edge in edges} - {"", None}
    assert {"Error", "Card.Declined"} <= tried
    assert len(space.taken) == 4


def test_paths_are_shortest_and_start_with_the_start() -> None:
    detour = [GO | {"to": "b"}, {"from": "b", "event": "go", "to": "c"}, {"from": "a", "event": "stop", "to": "c"}]
    space = explore_workflow(workflow(detour, ["a", "b", C]))
    (end,) = (k for k in range(space.n_states) if space.instance(k).state == "c")
    assert [edge.stimulus.event or edge.stimulus.kind for edge in space.path_to(end)] == ["start", "stop"]
    assert len(space.path_to(0)) == 1


ORDERS = ["models/order_processing.yaml", "models/published/order_processing.yaml"]


@cache
def order_space(path: str, erased: bool) -> WorkflowSpace:
    """Searched once for all who look at it."""
    return explore_workflow(wf.load(path), erase_conditions=erased)


@pytest.mark.parametrize("erased", [False, True])
@pytest.mark.parametrize("path", ORDERS)
def test_every_state_that_is_found_was_entered_by_some_edge(path: str, erased: bool) -> None:
    space = order_space(path, erased)
    active = {state for snapshot in space.snapshots for state in region_states(space.program, snapshot)} - {-1}
    assert active <= set(space.reached)
    entered = {s: {r.to_state or r.state for r in space.records_of(*where)} for s, where in space.reached.items()}
    assert all(space.program.name(s) in names for s, names in entered.items())


def test_no_path_leads_to_before_the_start() -> None:
    space = explore_workflow(workflow([GO]))
    assert space.path_to(-1) == []
    (first,) = space.path_to(0)
    assert first.stimulus.kind == "start"
    assert space.reached[space.program.state_rows["a"]] == (-1, first)


def test_what_can_reach_a_state_is_told() -> None:
    trap = [GO, {"from": "a", "event": "stop", "to": "b"}]
    space = explore_workflow(workflow(trap, ["a", "b", C]))
    number = {space.instance(k).state: k for k in range(space.n_states)}
    assert space.can_reach([number["c"]]) == {number["a"], number["c"]}
    assert space.can_reach([]) == set()


def test_a_limit_on_states_leaves_the_search_incomplete() -> None:
    order = wf.load("models/order_processing.yaml")
    space = explore_workflow(order, max_states=3)
    assert (space.complete, space.reason, space.n_states) == (False, "max_states=3 reached", 3)
    assert "stopped: max_states=3 reached" in repr(space)


def test_a_limit_on_time_leaves_the_search_incomplete() -> None:
    space = explore_workflow(wf.load("models/order_processing.yaml"), max_seconds=0)
    assert (space.complete, space.reason) == (False, "max_seconds=0 reached")


def test_a_limit_that_is_just_enough_is_no_limit() -> None:
    assert explore_workflow(workflow([GO]), max_states=2).complete
    assert not explore_workflow(workflow([GO]), max_states=1).complete


def test_an_interruption_keeps_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real, seen = space_module.take_snapshot, []

    def interrupted(instance: Any) -> Any:
        seen.append(instance)
        if len(seen) > 4:
            raise KeyboardInterrupt
        return real(instance)

    monkeypatch.setattr(space_module, "take_snapshot", interrupted)
    space = explore_workflow(wf.load("models/order_processing.yaml"))
    assert (space.complete, space.reason) == (False, "interrupted")
    assert 1 <= space.n_states <= 4


def test_the_same_search_twice_gives_the_same_space() -> None:
    order = wf.load("models/published/order_processing.yaml")
    one, two = explore_workflow(order), explore_workflow(order)
    assert one.snapshots == two.snapshots
    assert one.edges == two.edges


@pytest.mark.parametrize("path", ORDERS)
def test_erasing_reaches_at_least_the_states_that_conditions_allow(path: str) -> None:
    assert ends(order_space(path, False)) <= ends(order_space(path, True))


def test_a_handler_that_may_fail_in_several_places_is_not_tried_in_all_ways() -> None:
    """Each failure of the handler is handled by itself again, up to a hundred times in one step."""
    handler = """\
name: handler
initial_state: a
variables: {n: {type: integer, optional: true}, few: {type: integer, initial: 1, minimum: 1, maximum: 2}}
activities: {f: {timeout: 1m}}
states: [{name: a, activity: f}, {name: b, is_terminal: true}]
transitions:
  - {from: a, event: done, to: b}
  - from: a
    event: error
    to: b
    pre_actions:
      - {action_type: set_variable, parameters: {name: few, value: "${context.n}"}}
      - {action_type: set_variable, parameters: {name: few, value: "${context.n + 1}"}}
"""
    space = explore_workflow(wf.loads(handler), erase_conditions=True, max_states=50)
    assert space.complete
    assert {"b", "a"} <= {space.instance(k).state for k in range(space.n_states)}
