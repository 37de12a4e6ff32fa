"""M6: time, state timers, what comes first at equal times, the workflow timer."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from tests.unit.semantics.told import SECOND, Told, activity, set_variable, terminal, workflow


def test_m6_1_all_records_of_a_step_carry_its_time() -> None:
    it = Told(
        workflow(
            ["a", "b", "c"],
            [{"from": "a", "to": "b", "event": "e"}, {"from": "b", "to": "c", "condition": "true"}],
        ),
        start=1,
    )
    it.event("e", 2.5)
    assert [record.time for record in it.records] == [2_500_000] * 3


def test_m6_1_time_never_decreases() -> None:
    it = Told(workflow([{"name": "s", "activity": "f"}], [], activities={"f": {"timeout": "10s"}}), start=5)
    it.starts(1, 3)
    assert [record.time for record in it.records] == [5_000_000]
    # The clock too starts at the instance's time, not at the earlier one.
    assert it.due("start_to_close") == 15


def test_m6_2_entry_starts_the_timeout_and_one_timer_per_after() -> None:
    it = Told(
        workflow(
            ["a", {"name": "s", "timeout": "9s"}, "x"],
            [
                {"from": "a", "to": "s", "event": "go"},
                {"from": "s", "to": "x", "after": "3s"},
                {"from": "s", "to": "x", "event": "e"},
                {"from": "s", "to": "x", "after": "5s"},
            ],
        )
    )
    assert it.instance.timers() == []
    it.event("go", 1)
    assert [(timer.name, timer.due / SECOND) for timer in it.instance.timers()] == [
        ("after 1", 4),
        ("after 2", 6),
        ("timeout", 10),
    ]


def test_m6_2_durations_are_evaluated_at_entry() -> None:
    it = Told(
        workflow(
            ["a", {"name": "s", "timeout": "${context.n}"}, "x"],
            [
                {"from": "a", "to": "s", "event": "go", "pre_actions": [set_variable("n", 7)]},
                {"from": "s", "event": "e", "pre_actions": [set_variable("n", 100)]},
                {"from": "s", "to": "x", "after": "${context.n / 2.0}"},
            ],
            variables={"n": {"type": "number", "initial": 1.0}},
        )
    )
    it.event("go")
    it.event("e", 1)
    assert (it.due("timeout"), it.due("after 1")) == (7, 3.5)


def test_m6_2_a_timer_fires_once() -> None:
    transitions = [{"from": "s", "event": "timeout"}, {"from": "s", "after": "9s"}]
    it = Told(workflow([{"name": "s", "timeout": "5s"}], transitions))
    first, second = it.timer("timeout"), it.timer("after 1")
    assert [(e.timer, e.timer_id, e.due) for e in it.effects if e.kind == "set_timer"] == [first, second]
    assert it.fires("timeout", 5) == ["transition(s, –)"]
    assert it.fires_late(first, 6) == ["stimulus_ignored(void)"]
    assert it.fires("after 1", 9) == ["transition(s, –)"]
    assert it.instance.timers() == []


def test_m6_2_a_dropped_timer_does_not_fire() -> None:
    it = Told(
        workflow(
            [{"name": "s", "timeout": "5s"}, "t", "late"],
            [{"from": "s", "to": "t", "event": "go"}, {"from": "s", "to": "late", "event": "timeout"}],
        )
    )
    timer = it.timer("timeout")
    it.event("go", 5)
    assert [(e.kind, e.timer, e.timer_id) for e in it.effects if e.kind == "drop_timer"] == [("drop_timer", *timer[:2])]
    assert it.fires_late(timer, 5) == ["stimulus_ignored(void)"]


def test_m6_2_after_selects_only_its_transition() -> None:
    it = Told(
        workflow(
            ["s", "x", "y"],
            [
                {"from": "s", "to": "x", "after": "3s", "condition": "context.n > 0"},
                {"from": "s", "to": "y", "after": "5s"},
            ],
            variables={"n": {"type": "integer", "initial": 0}},
        )
    )
    assert it.fires("after 1", 3) == ["event_discarded(after, condition)"]
    assert it.one("event_discarded").region == ""
    assert it.fires("after 2", 5) == ["transition(s, y)"]


def test_m6_2_an_unhandled_timeout_becomes_an_error() -> None:
    it = Told(
        workflow(
            [{"name": "s", "timeout": "5s"}, "x"],
            [
                {"from": "s", "to": "x", "event": "timeout", "condition": "false"},
                {"from": "s", "to": "x", "event": "error", "condition": "event.type == 'Timeout.state'"},
            ],
        )
    )
    assert it.fires("timeout", 5) == ["error_raised(s, Timeout.state)", "transition(s, x)"]


def test_m6_2_zero_fires_in_a_later_step() -> None:
    it = Told(workflow(["s", "x"], [{"from": "s", "to": "x", "after": "0s"}]), start=4)
    assert it.started == ["state_entered(s)"]
    assert it.fires("after 1", 4) == ["transition(s, x)"]


def simulated(states: list[Any], transitions: list[dict[str, Any]], plan: dict[str, Any], **rest: Any) -> list[str]:
    """The states that one simulated case enters, in order."""
    scenario = wf.Scenario(workflow="example", arrivals={"every": "1h"}, **plan)
    history = wf.simulate(workflow(states, transitions, **rest), scenario, cases=1, horizon="90m", progress=False)
    return [record.to_state.split("/")[-1] for record in history.case(1).records() if record.kind == "transition"]


@pytest.mark.parametrize("timeout", [10, 11])
def test_m6_3_a_result_at_the_deadline_counts(timeout: int) -> None:
    transitions = [{"from": "s", "to": "done", "event": "done"}, {"from": "s", "to": "late", "event": "timeout"}]
    states = [{"name": "s", "activity": "f", "timeout": f"{timeout}s"}, terminal("done"), terminal("late")]
    assert simulated(states, transitions, {"activities": {"f": {"duration": "10s"}}}) == ["done"]


def test_m6_3_at_equal_times_results_then_events_then_timers_then_the_workflow_timer() -> None:
    terminals = [terminal(name) for name in ("result", "event", "timer", "workflow")]
    all_ways = [
        {"from": "s", "to": "workflow", "event": "workflow_timeout"},
        {"from": "s", "to": "timer", "event": "timeout"},
        {"from": "s", "to": "event", "event": "e"},
        {"from": "s", "to": "result", "event": "done"},
    ]
    events = {"events": {"s": [{"event": "e", "delay": "10s"}]}}
    work = {"activities": {"f": {"duration": "10s"}}}
    rest: dict[str, Any] = {"timeouts": {"workflow": "10s"}, "events": {"e": {}}}
    busy = {"name": "s", "timeout": "10s", "activity": "f"}
    idle = {"name": "s", "timeout": "10s"}
    assert simulated([busy, *terminals], all_ways, {**events, **work}, **rest) == ["result"]
    assert simulated([idle, *terminals], all_ways[:3], events, **rest) == ["event"]
    assert simulated([idle, *terminals], all_ways[:2], {}, **rest) == ["timer"]
    assert simulated(["s", *terminals], all_ways[:1], {}, **rest) == ["workflow"]


def test_m6_4_the_workflow_timer_counts_from_the_start_through_pauses_once() -> None:
    it = Told(
        workflow(
            ["a", "b", "c"],
            [{"from": "a", "to": "b", "event": "go"}, {"from": "b", "event": "workflow_timeout"}],
            timeouts={"workflow": "1m"},
            pause_timers="freeze",
        ),
        start=10,
    )
    it.event("go", 20)
    it.control("pause", 30)
    assert it.due("workflow") == 70
    it.control("resume", 40)
    first = it.timer("workflow")
    assert it.fires("workflow", 70) == ["transition(b, –)"]
    assert it.instance.timers() == []
    assert it.fires_late(first, 71) == ["stimulus_ignored(void)"]


def test_m6_4_the_workflow_timer_without_a_transition_closes_as_timed_out() -> None:
    it = Told(
        workflow(
            ["a", "b"],
            [{"from": "a", "to": "b", "event": "go", "pre_actions": [activity("f")]}],
            timeouts={"workflow": "1m"},
        )
    )
    it.event("go", 1)
    assert it.fires("workflow", 60) == [
        "transition_aborted(closing)",
        "activity_cancelled(f)",
        "instance_closed(timed_out)",
    ]
