"""Built-in questions where what comes from outside is computed with: decided for all values, or said to be open."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf

PAID = {"pay": {"payload": {"k": "integer"}}, "go": {}}
SUM: dict[str, Any] = {"type": "integer", "initial": 0, "minimum": 0, "maximum": 1_000_000, "overflow": "saturate"}


def flow(
    transitions: list[dict[str, Any]], variables: dict[str, Any] | None = None, states: list[Any] | None = None
) -> wf.Workflow:
    """States a, b, and z, which is terminal; events `pay` with a number, and `go`."""
    named = states or ["a", "b"]
    return wf.Workflow.model_validate(
        {
            "name": "w",
            "initial_state": "a",
            "variables": variables or {"n": SUM},
            "states": [*({"name": each} for each in named), {"name": "z", "is_terminal": True}],
            "events": PAID,
            "transitions": transitions,
        }
    )


def sets(name: str, value: str) -> list[dict[str, Any]]:
    return [{"action_type": "set_variable", "parameters": {"name": name, "value": f"${{{value}}}"}}]


def ask(workflow: wf.Workflow, name: str, **limits: Any) -> Any:
    (verdict,) = wf.verify(workflow, [wf.Property(name)], **limits)
    for each in (verdict, *verdict.further):
        if each.witness is not None:
            each.witness.replay()
    return verdict


ADD = {"from": "a", "event": "pay", "condition": "event.k > 0", "pre_actions": sets("n", "context.n + event.k")}
ENOUGH = {"from": "a", "to": "z", "event": "go", "condition": "context.n == 777"}


def test_a_state_that_only_a_certain_sum_leads_to_is_reached() -> None:
    part = ADD | {"condition": "event.k > 0 and event.k < 500"}
    verdict = ask(flow([part, ENOUGH], states=["a"]), "states_reachable", max_states=100)
    assert verdict.status == "holds"
    assert verdict.bound["complete"] is True
    assert "k-induction" in verdict.method


def test_a_state_that_no_sum_leads_to_is_not_reached() -> None:
    never = ENOUGH | {"condition": "context.n < 0"}
    verdict = ask(flow([ADD, never], states=["a"]), "states_reachable", max_states=100)
    assert verdict.status == "violated"
    assert verdict.statistics == {"unreachable": ["z"]}


def test_a_transition_whose_guard_no_values_meet_is_dead() -> None:
    odd = {"from": "a", "to": "z", "event": "pay", "condition": "event.k * 2 == 7"}
    verdict = ask(flow([{"from": "a", "to": "z", "event": "go"}, odd], states=["a"]), "transitions_live")
    assert verdict.status == "violated"
    assert "transition 2 (a → z on pay)" in verdict.reason
    assert verdict.witness is not None


def test_a_state_from_which_the_sum_can_no_longer_fit_is_lost() -> None:
    verdict = ask(flow([ADD, ENOUGH], states=["a"]), "can_complete", max_states=100)
    assert verdict.status == "violated"
    paid = sum(step.detail.get("payload", {}).get("k", 0) for step in verdict.witness.steps)
    assert paid > 777
    assert "whatever values come" in verdict.reason


def test_a_sum_that_can_always_be_made_to_fit_is_not_lost() -> None:
    sub = {"from": "a", "event": "pay", "pre_actions": sets("n", "max(event.k, 0)")}
    verdict = ask(flow([sub, ENOUGH], states=["a"]), "can_complete", max_states=100)
    assert verdict.status == "holds"


def test_a_failure_that_only_one_payload_makes_is_found() -> None:
    small = {"condition": "event.k > 0 and event.k < 1000"}
    cut = {"from": "a", "to": "z", "event": "pay", "pre_actions": sets("n", "100 // (event.k * 3 - 2121)")} | small
    verdict = ask(flow([cut], states=["a"]), "no_failure")
    assert verdict.status == "violated"
    assert verdict.witness.steps[-1].detail["payload"] == {"k": 707}
    assert "Expression.division" in verdict.reason
    assert ask(flow([ADD, ENOUGH], states=["a"]), "no_failure", max_states=100).status != "holds", "sums overflow"


@pytest.mark.parametrize("name", ["states_reachable", "transitions_live", "can_complete"])
def test_what_is_not_followed_stays_open_and_says_why(name: str) -> None:
    told = {"action_type": "send", "event": "x", "to": "parent", "payload": {"k": "${event.k}"}}
    tell = {"from": "a", "to": "z", "event": "pay", "condition": "event.k * event.k == 1681", "pre_actions": [told]}
    verdict = ask(flow([tell], states=["a"]), name)
    assert verdict.status == "unknown"
    assert "sends values, and these are not followed symbolically" in verdict.reason


def test_without_time_nothing_is_told_of_all_values() -> None:
    assert ask(flow([ADD, ENOUGH], states=["a"]), "can_complete", max_seconds=0).status == "unknown"


@pytest.mark.parametrize(
    ("guard", "status"), [("event.result * 2 == 7", "violated"), ("event.result * 3 == 21", "holds")]
)
def test_a_result_that_no_variable_takes_up_is_any_of_its_declared_type(guard: str, status: str) -> None:
    done = {"from": "a", "to": "z", "event": "done", "condition": guard}
    workflow = flow([{"from": "a", "to": "z", "event": "go"}, done], states=["a"]).model_dump(
        exclude_unset=True, by_alias=True
    )
    workflow["states"] = [{"name": "a", "activity": "f"}, {"name": "z", "is_terminal": True}]
    workflow["activities"] = {"f": {"result": {"type": "integer", "minimum": 0, "maximum": 1_000_000}}}
    verdict = ask(wf.Workflow.model_validate(workflow), "transitions_live", max_states=100)
    assert verdict.status == status, verdict
