"""M6.6: `now`, the time of the step, in every room that evaluates expressions."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from tests.unit.semantics.told import SECOND, Told, set_variable, terminal, workflow
from wfsim.history.replay import replay_all
from wfsim.verification.workflows.properties import Property, verify

MINUTE = 'timestamp("1970-01-01T00:01:00Z")'


def asking(condition: str, **more: Any) -> wf.Workflow:
    return workflow(
        ["a", terminal("z")],
        [
            {"from": "a", "to": "z", "event": "go", "condition": condition},
            {"from": "a", "event": "note", "pre_actions": [set_variable("seen", "${now}")]},
        ],
        variables={"seen": {"type": "timestamp", "optional": True}, "list": {"type": "list", "initial": []}},
        events={"go": {}, "note": {}},
        **more,
    )


def test_m6_6_now_is_the_time_of_the_step() -> None:
    it = Told(asking(f"now >= {MINUTE}"))
    assert it.event("note", 7) == ["transition(a, –)"]
    assert it.variables["seen"] == 7 * SECOND
    assert it.event("go", 59) == ["event_rejected(go, condition)"]
    assert it.event("go", 60)[0] == "transition(a, z)"


def test_m6_6_where_python_is_asked_it_is_the_same_time() -> None:
    it = Told(asking("now in [context.seen, null]"))
    it.event("note", 7)
    assert it.event("go", 8) == ["event_rejected(go, condition)"]
    it.event("note", 9)
    assert it.event("go", 9)[0] == "transition(a, z)"


def test_m6_6_a_condition_on_now_alone_waits_for_something_to_happen() -> None:
    it = Told(
        workflow(
            ["a", terminal("z")],
            [{"from": "a", "to": "z", "condition": f"now > {MINUTE}"}, {"from": "a", "event": "poke"}],
        )
    )
    assert it.started == ["state_entered(a)"]
    assert it.event("poke", 61)[-1] == "instance_closed(completed, success)"


def two_times(first: str, second: str) -> wf.Workflow:
    return workflow(
        ["a", "b", terminal("z"), terminal("y")],
        [
            {"from": "a", "to": "b", "event": "go", "condition": first},
            {"from": "b", "to": "z", "event": "go", "condition": second},
            {"from": "b", "to": "y", "event": "stop"},
        ],
        events={"go": {}, "stop": {}},
    )


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (f"now > {MINUTE}", f"now < {MINUTE}", "violated"),
        (f"now < {MINUTE}", f"now > {MINUTE}", "holds"),
        (f"now <= {MINUTE}", f"now == {MINUTE}", "holds"),
        (f"now > {MINUTE}", f"now == {MINUTE}", "violated"),
    ],
)
def test_m6_6_in_the_explorer_it_is_any_time_that_never_decreases(first: str, second: str, status: str) -> None:
    report = verify(two_times(first, second), [Property("states_reachable")])
    assert report[0].status == status


def test_m6_6_two_conditions_of_one_step_have_one_time() -> None:
    flow = workflow(
        ["a", terminal("z"), terminal("y")],
        [
            {"from": "a", "to": "z", "event": "go", "condition": f"now > {MINUTE} and now < {MINUTE}"},
            {"from": "a", "to": "y", "event": "go", "condition": f"now != {MINUTE}"},
        ],
        events={"go": {}},
    )
    told = str(wf.conditions(flow))
    assert "never" in told


@pytest.mark.parametrize("engine", ["python", "compiled"])
def test_m6_6_both_simulators_know_it_and_replay_finds_it_again(engine: str) -> None:
    flow = asking(f"now >= {MINUTE}")
    plan = wf.Scenario.model_validate(
        {"workflow": "example", "arrivals": {"every": "13s"}, "events": {"a": [
            {"event": "note", "delay": {"constant": "5s"}, "weight": 1},
            {"event": "go", "delay": {"constant": "9s"}, "weight": 1},
        ]}}
    )  # fmt: skip
    history = wf.simulate(flow, plan, cases=40, seed=1, engine=engine)  # type: ignore[arg-type]
    closed = "SELECT count(*), min(time) >= 60_000_000 FROM history WHERE kind = 'instance_closed'"
    ((n, late),) = history.sql(closed).fetchall()
    assert n > 20
    assert late
    replay_all(history)


@pytest.mark.parametrize(
    ("condition", "told"),
    [("now > 5", "compares values of one type"), ("now + 5 > now", "a duration such as"), ("not now", "true or false")],
)
def test_m6_6_now_is_a_timestamp(condition: str, told: str) -> None:
    with pytest.raises(wf.DefinitionError, match=told):
        asking(condition)


def test_m6_6_a_key_and_a_claim_cannot_read_it() -> None:
    with pytest.raises(wf.DefinitionError, match="reads now, but the key is computed at the start"):
        asking("true", correlation={"key": "now"})
    with pytest.raises(wf.DefinitionError, match="not about when"):
        wf.verify(asking("true"), [wf.Property("never", "now == null")])
