"""M4.4: sub-workflows, as the parent and the child see them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.semantics.told import SECOND, Told, region, regions, terminal, workflow
from wfsim.errors import WfsimError


def parent(transitions: list[dict[str, Any]] | None = None, **invoke: Any) -> Told:
    return Told(
        workflow(
            [
                {"name": "ship", "invoke": {"workflow": "shipping", "input": {"order": "${context.id}"}, **invoke}},
                "shipped",
                "lost",
            ],
            transitions
            or [
                {"from": "ship", "to": "shipped", "event": "done"},
                {"from": "ship", "to": "lost", "event": "error.ship", "condition": "event.type == 'Child.timed_out'"},
                {"from": "ship", "to": "lost", "event": "stop"},
            ],
            variables={"id": {"type": "integer", "initial": 7}, "parcel": {"type": "any"}},
            events={"stop": {}},
        )
    )


def closed(
    it: Told, status: str, outcome: str | None = None, at: float = 60, activation: int = 1, **result: Any
) -> Any:
    return it.rows(it.instance.child_closed(int(at * SECOND), activation, status, outcome, result or None))


def test_m4_4_entering_the_state_starts_the_child() -> None:
    it = parent(version="1.x")
    assert it.started == ["state_entered(ship)", "child_started"]
    record = it.one("child_started")
    assert (record.region, record.state) == ("", "ship")
    assert record.payload == {"activation": 1, "workflow": "shipping", "version": "1.x", "input": {"order": 7}}
    (effect,) = [each for each in it.effects if each.kind == "start_child"]
    assert (effect.activity, effect.activity_id, effect.input) == ("shipping", 1, {"order": 7})


def test_m4_4_a_successful_child_is_done_with_its_outputs() -> None:
    it = parent(result_variable="parcel")
    assert closed(it, "completed", "success", number="p1") == [
        "variables_set(parcel = {'number': 'p1'})",
        "transition(ship, shipped)",
    ]
    cause = it.records[0]
    assert (cause.kind, cause.status, cause.outcome) == ("child_closed", "completed", "success")
    assert cause.payload == {"activation": 1, "result": {"number": "p1"}}


@pytest.mark.parametrize(
    ("status", "outcome", "error"),
    [
        ("completed", "failure", "Child.failure"),
        ("failed", None, "Child.failed"),
        ("cancelled", None, "Child.cancelled"),
        ("terminated", None, "Child.terminated"),
        ("timed_out", None, "Child.timed_out"),
    ],
)
def test_m4_4_a_child_that_ends_otherwise_is_an_error_of_its_state(
    status: str, outcome: str | None, error: str
) -> None:
    it = parent()
    handled = error == "Child.timed_out"
    assert closed(it, status, outcome) == [
        f"error_raised(ship, {error})",
        "transition(ship, lost)" if handled else "instance_closed(failed)",
    ]


def test_worked_example_9() -> None:
    child = Told(workflow([{"name": "wait", "timeout": "1m"}], []))
    assert child.fires("timeout", at=60) == ["error_raised(wait, Timeout.state)", "instance_closed(timed_out)"]
    it = parent()
    assert closed(it, child.instance.status) == ["error_raised(ship, Child.timed_out)", "transition(ship, lost)"]


@pytest.mark.parametrize("policy", ["cancel", "terminate"])
def test_m4_4_the_end_of_the_activation_asks_the_child_to_end(policy: str) -> None:
    it = parent(parent_close=policy)
    assert it.event("stop") == ["transition(ship, lost)", "child_stop_requested"]
    assert it.one("child_stop_requested").payload == {"activation": 1, "policy": policy}
    (effect,) = [each for each in it.effects if each.kind == "stop_child"]
    assert (effect.activity_id, effect.reason) == (1, policy)
    # Nobody waits for it.
    assert closed(it, "cancelled") == ["stimulus_ignored(late)"]


def test_m4_4_an_abandoned_child_goes_on() -> None:
    it = parent(parent_close="abandon")
    assert it.event("stop") == ["transition(ship, lost)"]
    assert "stop_child" not in it.effect_kinds()


@pytest.mark.parametrize("command", ["cancel", "terminate"])
def test_m4_4_closing_the_parent_ends_the_activation_too(command: str) -> None:
    it = parent()
    assert "child_stop_requested" in it.control(command)


def test_m4_4_a_new_activation_starts_a_new_child() -> None:
    it = parent([{"from": "ship", "to": "ship", "event": "stop"}])
    assert it.event("stop") == ["transition(ship, ship)", "child_stop_requested", "child_started"]
    assert it.one("child_started").payload["activation"] == 2
    assert closed(it, "completed", "success") == ["stimulus_ignored(late)"]
    assert closed(it, "completed", "success", activation=2) == ["event_discarded(done, no_transition)"]


def test_m4_4_children_of_parallel_regions_are_told_apart() -> None:
    def part(name: str) -> dict[str, Any]:
        return region(
            name,
            [{"name": "run", "invoke": {"workflow": name}}, terminal("end")],
            [{"from": "run", "to": "end", "event": "done"}],
        )

    it = Told(workflow([regions(part("a"), part("b")), terminal("z")], [{"from": "p", "to": "z", "event": "done"}]))
    assert closed(it, "completed", "success", activation=3) == ["transition(run, end)"]
    assert closed(it, "completed", "success", activation=2)[-1] == "instance_closed(completed, success)"


def test_m4_4_bad_input_of_a_child_is_an_error_in_the_entered_state() -> None:
    it = parent([{"from": "ship", "to": "lost", "event": "error"}], input={"order": "${context.parcel + 1}"})
    assert it.started == ["state_entered(ship)", "error_raised(ship, Expression.null)", "transition(ship, lost)"]


def test_m8_2_a_child_whose_parent_has_been_told_is_not_retried() -> None:
    def failed(parent: str | None) -> Told:
        it = Told(workflow(["a"], [{"from": "a", "event": "e", "condition": "1 // 0 == 1"}]))
        fresh = Told.__new__(Told)
        fresh.instance = type(it.instance)(it.instance.program)
        fresh.rows(fresh.instance.start(0, {}, parent))
        assert fresh.event("e")[-1] == "instance_closed(failed)"
        return fresh

    assert failed(None).control("retry")[0] == "status_changed(running)"
    child = failed("order-1")
    assert child.control("retry") == ["stimulus_ignored(void)"]


def test_m4_4_started_names_the_parent() -> None:
    it = Told(workflow(["a"], []))
    fresh = type(it.instance)(it.instance.program)
    it.instance = fresh
    it.rows(fresh.start(0, {}, "order-1"))
    assert it.records[0].payload["parent"] == "order-1"


def test_m4_4_a_child_closes_in_one_of_the_closed_statuses() -> None:
    it = parent()
    with pytest.raises(WfsimError, match="'running' is not how an instance closes"):
        it.instance.child_closed(0, 1, "running")
    with pytest.raises(WfsimError, match="'good' is not an outcome"):
        it.instance.child_closed(0, 1, "completed", "good")
