"""M1: states, activations, what an instance holds, statuses, shorthand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.semantics.told import Told, activity, region, regions, set_variable, terminal, workflow
from wfsim.errors import DefinitionError


def test_m1_1_a_state_has_at_most_one_work() -> None:
    both = {**regions(region("r", ["x"], [])), "activity": "f"}
    with pytest.raises(DefinitionError, match=r"activity and parallel; a state does one of them"):
        workflow([both], [])


def test_m1_1_no_transition_crosses_the_border_of_a_region() -> None:
    inner = region("r", ["x", terminal("z")], [{"from": "x", "to": "q", "event": "e"}])
    with pytest.raises(DefinitionError, match="q"):
        workflow([regions(inner), "q"], [])
    with pytest.raises(DefinitionError, match="x"):
        workflow([regions(region("r", ["x"], [])), "q"], [{"from": "x", "to": "q", "event": "e"}])


def test_m1_1_every_active_region_is_in_exactly_one_state() -> None:
    it = Told(
        workflow(
            [regions(region("r1", ["a", "b"], [{"from": "a", "to": "b", "event": "e"}]), region("r2", ["c"], []))], []
        )
    )
    assert it.instance.configuration == {"": "p", "p/r1": "p/r1/a", "p/r2": "p/r2/c"}
    it.event("e")
    assert it.instance.configuration == {"": "p", "p/r1": "p/r1/b", "p/r2": "p/r2/c"}


def nested() -> Told:
    """p holds r1 (a: activity f, timeout) and r2 (c, holding a region with d: activity g)."""
    deep = regions(region("r3", [{"name": "d", "activity": "g"}], []), name="c")
    busy = {"name": "a", "activity": "f", "timeout": "10s"}
    return Told(
        workflow(
            [regions(region("r1", [busy], []), region("r2", [deep], [])), "q"],
            [{"from": "p", "to": "q", "event": "e"}, {"from": "p", "event": "error"}],
        )
    )


def test_m1_2_an_ended_activation_ends_innermost_first_and_last_region_first() -> None:
    it = nested()
    assert it.event("e") == [
        "transition(p, q)",
        "activity_cancelled(g)",
        "state_left(d, outer)",
        "state_left(c, outer)",
        "activity_cancelled(f)",
        "state_left(a, outer)",
    ]
    assert it.effect_kinds().count("drop_timer") == 1
    assert it.effect_kinds().count("cancel_attempt") == 2
    assert it.instance.timers() == []
    assert it.instance.activities() == []


def test_m1_2_what_names_something_ended_is_ignored() -> None:
    it = nested()
    timer = it.timer("timeout")
    it.event("e")
    assert it.fires_late(timer, 10) == ["stimulus_ignored(void)"]
    assert it.succeeds(1, 11) == ["stimulus_ignored(late)"]
    assert it.fails(2, "Net", 11) == ["stimulus_ignored(late)"]
    assert it.starts(2, 11) == ["stimulus_ignored(late)"]
    assert it.state == "q"


def test_m1_2_a_held_internal_event_of_an_ended_activation_is_ignored() -> None:
    it = Told(
        workflow(
            [{"name": "s", "activity": "f"}, "t", "u"],
            [
                {"from": "s", "to": "t", "event": "go", "pre_actions": [activity("g")]},
                {"from": "s", "to": "u", "event": "done"},
                {"from": "t", "to": "u", "event": "done"},
            ],
        )
    )
    it.event("go")
    # `done` of the state waits while its region is busy; then the flight leaves the state.
    assert it.succeeds(1) == []
    assert it.succeeds(2) == ["transition(s, t)", "stimulus_ignored(void)"]
    assert it.state == "t"


def test_m1_2_a_new_stay_in_a_state_is_a_new_activation() -> None:
    it = Told(
        workflow(
            [{"name": "s", "timeout": "10s"}, "late"],
            [{"from": "s", "to": "s", "event": "again"}, {"from": "s", "to": "late", "event": "timeout"}],
        )
    )
    first = it.timer("timeout")
    assert it.event("again", 4) == ["transition(s, s)"]
    assert it.one("transition").payload["activation"] == 2
    assert it.fires_late(first, 14) == ["stimulus_ignored(void)"]
    assert it.fires("timeout", 14) == ["transition(s, late)"]


def test_m1_3_an_instance_holds_all_that_its_future_depends_on() -> None:
    it = Told(
        workflow(
            ["a", {"name": "b", "timeout": "5s"}, "c"],
            [
                {"from": "a", "to": "b", "event": "go", "pre_actions": [set_variable("n", 7), activity("f")]},
                {"from": "b", "to": "c", "event": "next"},
            ],
            unhandled="defer",
            variables={"n": {"type": "integer", "initial": 1}},
        ),
        start=3,
    )
    it.event("next", 4)
    it.event("go", 5, event_id="go1")
    twin = it.instance.copy()
    assert twin.time == 5_000_000
    assert twin.version == it.records[-1].seq
    assert twin.waiting() == ["next"]
    assert twin.in_flight == {"": "a → b on go"}
    assert [(each.activity, each.attempt) for each in twin.activities()] == [("f", 1)]
    assert twin.variables == {"n": 1}
    # Nothing of the original is shared: the copy goes on by itself.
    twin.activity_succeeded(6_000_000, 1, 1)
    assert (twin.state, it.state) == ("c", "a")
    assert twin.event(7_000_000, "go", {}, "go1").records[-1].reason == it.instance.texts.handle("duplicate")


def test_m1_4_outcome_belongs_to_terminal_states_and_so_only_to_completed() -> None:
    definition = workflow(
        ["a", terminal("good"), terminal("bad", "failure"), {"name": "plain", "is_terminal": True}],
        [
            {"from": "a", "to": "good", "event": "g"},
            {"from": "a", "to": "bad", "event": "b"},
            {"from": "a", "to": "plain", "event": "p"},
        ],
        events={"g": {}, "b": {}, "p": {}},
        timeouts={"workflow": "10s"},
    )
    assert Told(definition).event("g")[-1] == "instance_closed(completed, success)"
    assert Told(definition).event("b")[-1] == "instance_closed(completed, failure)"
    assert Told(definition).event("p")[-1] == "instance_closed(completed, success)"
    assert Told(definition).control("cancel")[-1] == "instance_closed(cancelled)"
    assert Told(definition).control("terminate")[-1] == "instance_closed(terminated)"
    assert Told(definition).fires("workflow", 10)[-1] == "instance_closed(timed_out)"
    with pytest.raises(DefinitionError, match="not terminal"):
        workflow([{"name": "a", "outcome": "failure"}], [])


def test_m1_4_an_open_instance_is_running_or_paused() -> None:
    it = Told(workflow(["a"], []))
    assert it.instance.status == "running"
    it.control("pause")
    assert (it.instance.status, it.instance.is_closed) == ("paused", False)
    it.control("terminate")
    assert (it.instance.status, it.instance.is_closed) == ("terminated", True)


@pytest.mark.parametrize(("join", "ends"), [("all", 2), (2, 2), ("any", 1), (1, 1)])
def test_m1_5_all_is_the_number_of_regions_and_any_is_one(join: Any, ends: int) -> None:
    one = region("r1", ["a", terminal("x")], [{"from": "a", "to": "x", "event": "first"}])
    two = region("r2", ["b", terminal("y")], [{"from": "b", "to": "y", "event": "second"}])
    it = Told(workflow([regions(one, two, join=join), "q"], [{"from": "p", "to": "q", "event": "done"}]))
    it.event("first")
    assert it.state == ("q" if ends == 1 else "p")
    it.event("second")
    assert it.state == "q"


def test_m1_5_timeouts_states_is_the_timeout_of_the_state() -> None:
    transitions = [{"from": "s", "to": "late", "event": "timeout"}]
    it = Told(workflow(["s", "late"], transitions, timeouts={"states": {"s": "7s"}}))
    assert it.fires("timeout", 7) == ["transition(s, late)"]


def test_m1_5_retry_policy_and_activity_timeout_of_the_workflow_are_defaults() -> None:
    states = [{"name": "s", "activity": "f"}, {"name": "t", "activity": "g"}]
    it = Told(
        workflow(
            states,
            [{"from": "s", "to": "t", "event": "done"}],
            activities={"f": {}, "g": {"timeout": "5s", "retry_policy": {"max_attempts": 1}}},
            retry_policy={"max_attempts": 2, "initial_interval": "3s"},
            timeouts={"activity": "20s"},
        )
    )
    it.starts(1, 0)
    assert it.due("start_to_close") == 20
    assert it.fails(1, "Net", 1) == ["retry_scheduled(2, 3 s)"]
    it.fires("retry", 4)
    it.succeeds(1, 5, attempt=2)
    it.starts(2, 5)
    assert it.due("start_to_close") == 10
    assert it.fails(2, "Net", 6) == ["error_raised(g, Net)", "instance_closed(failed)"]


def test_an_instance_tells_where_it_is() -> None:
    it = Told(workflow(["a", terminal("z")], [{"from": "a", "to": "z", "event": "e"}]))
    assert repr(it.instance) == "<Instance of 'example': running in 'a', version 2>"
    it.event("e")
    assert repr(it.instance) == "<Instance of 'example': completed in 'z', version 5>"
    assert repr(type(it.instance)(it.instance.program)) == "<Instance of 'example': created, version 0>"
