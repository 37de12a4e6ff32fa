"""Safety properties decided for all values: counters without end, sums of payloads, induction, and where it ends."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from wfsim.verification.workflows.patterns import PATTERNS
from wfsim.verification.workflows.properties import Property, verify
from wfsim.verification.workflows.symbolic.induction import DEEPEST, decide, symbolic_space
from wfsim.verification.workflows.watched import grows

Z = {"name": "z", "is_terminal": True}
COUNTED = {"n": {"type": "integer", "initial": 0}}


def sets(name: str, value: str) -> list[dict[str, Any]]:
    return [{"action_type": "set_variable", "parameters": {"name": name, "value": f"${{{value}}}"}}]


def flow(transitions: list[dict[str, Any]], **keys: Any) -> wf.Workflow:
    """States a, b, z; every event that is listened to, and `stop`, which ends it."""
    names = {each["event"] for each in transitions} | {"stop"}
    data = {
        "name": "w",
        "initial_state": "a",
        "variables": COUNTED,
        "states": [{"name": "a"}, {"name": "b"}, Z],
        "events": {name: {} for name in sorted(names)},
        "transitions": [*transitions, {"from": "a", "to": "z", "event": "stop"}],
    }
    return wf.Workflow.model_validate(data | keys)


def attempts(limit: str | None) -> wf.Workflow:
    """Paying fails and is tried again, each time counted; with a limit or without end."""
    pay: dict[str, Any] = {"from": "a", "to": "b", "event": "pay"}
    pay |= {"condition": limit} if limit is not None else {}
    failed = {"from": "b", "to": "a", "event": "failed", "pre_actions": sets("n", "context.n + 1")}
    return flow([pay, failed])


def sums(guard: str) -> wf.Workflow:
    add = {"from": "a", "event": "pay", "condition": guard, "pre_actions": sets("n", "context.n + event.k")}
    return flow([add], events={"pay": {"payload": {"k": "integer"}}, "stop": {}})


def ask(workflow: wf.Workflow, name: str, options: Any, **limits: Any) -> Any:
    (verdict,) = verify(workflow, [Property(name, options)], **limits)
    if verdict.witness is not None:
        assert verdict.witness.replay()
    return verdict


def test_the_fourth_payment_is_found_where_nothing_limits_them() -> None:
    verdict = ask(attempts(None), "at_most", {"event": "pay", "times": 3})
    assert verdict.status == "violated"
    assert [step.action for step in verdict.witness.steps][1:] == ["event pay", "event failed"] * 3 + ["event pay"]
    assert len(verdict.witness) == 8
    assert verdict.bound["depth"] == 7


def test_an_attempt_limit_holds_by_induction() -> None:
    verdict = ask(attempts("context.n < 3"), "at_most", {"event": "pay", "times": 3})
    assert verdict.status == "holds"
    assert verdict.bound["complete"] is True
    assert "Sheeran" in verdict.method
    assert ask(attempts("context.n < 3"), "at_most", {"event": "pay", "times": 2}).status == "violated"


def test_what_a_counter_never_is() -> None:
    assert ask(attempts(None), "always", "context.n >= 0").status == "holds"
    assert ask(attempts(None), "never", 'context.n == 5 and state == "a"').status == "violated"
    assert ask(attempts("context.n < 3"), "never", "context.n > 3").status == "holds"


def test_a_sum_of_payloads_stays_below_what_its_guard_says() -> None:
    guarded = sums("event.k > 0 and context.n + event.k <= 100")
    assert ask(guarded, "always", "context.n <= 100").status == "holds"
    assert ask(guarded, "never", "context.n == 101").status == "holds"
    reached = ask(guarded, "never", "context.n == 77")
    assert reached.status == "violated"
    assert sum(step.detail.get("payload", {}).get("k", 0) for step in reached.witness.steps) == 77
    assert ask(sums("event.k > 0"), "always", "context.n <= 100").status == "violated"


def test_what_takes_several_steps_of_induction() -> None:
    twice = flow([{"from": "a", "event": "up", "pre_actions": sets("n", "context.n + 2")}])
    verdict = ask(twice, "never", "context.n == 7")
    assert verdict.status == "holds"
    assert verdict.bound["depth"] > 1
    assert "from anywhere" in verdict.reason


def test_what_is_true_but_not_inductive_is_unknown_up_to_a_depth() -> None:
    up = {"from": "a", "event": "up", "pre_actions": sets("n", "context.n + 2")}
    down = {"from": "a", "event": "down", "pre_actions": sets("n", "context.n - 2")}
    verdict = ask(flow([up, down]), "never", "context.n == 7", max_states=50)
    assert verdict.status == "unknown"
    assert verdict.bound["depth"] == DEEPEST
    assert f"No run of up to {DEEPEST} steps refutes it" in verdict.reason
    assert "max_states=50 reached" in verdict.reason


def test_time_over_is_unknown() -> None:
    verdict = ask(attempts("context.n < 3"), "at_most", {"event": "pay", "times": 3}, max_seconds=0)
    assert verdict.status == "unknown"
    assert "max_seconds" in verdict.reason


def test_values_that_are_computed_with_need_no_counter() -> None:
    keep = {"from": "a", "to": "b", "event": "go", "condition": "event.k * 2 == 7"}
    other = {"from": "a", "to": "b", "event": "go", "condition": "event.k + event.j == 12345 and event.k > event.j"}
    payload = {"go": {"payload": {"k": "integer", "j": "integer"}}, "stop": {}}
    assert not grows(flow([keep], events=payload))
    assert ask(flow([keep], events=payload), "never", 'state == "b"').status == "holds", "twice an integer is even"
    found = ask(flow([other], events=payload), "never", 'state == "b"')
    assert found.status == "violated"
    values = found.witness.steps[-1].detail["payload"]
    assert values["k"] + values["j"] == 12345
    assert values["k"] > values["j"]


def test_what_does_not_fit_a_variable_is_an_error_there_too() -> None:
    limited = {"n": {"type": "integer", "initial": 0, "maximum": 9, "overflow": "error"}}
    add = {"from": "a", "event": "pay", "pre_actions": sets("n", "context.n + event.k")}
    workflow = flow([add], variables=limited, events={"pay": {"payload": {"k": "integer"}}, "stop": {}})
    assert ask(workflow, "always", "context.n <= 9").status == "holds"
    failed = ask(workflow, "never", 'status == "failed"')
    assert failed.status == "violated"
    kept = flow(
        [add], variables={"n": limited["n"] | {"overflow": "saturate"}}, events={"pay": {"payload": {"k": "integer"}}}
    )
    assert ask(kept, "always", "context.n <= 9").status == "holds"


def test_inputs_results_and_flights() -> None:
    run = [{"action_type": "activity", "name": "f", "result_variable": "n"}]
    add = {"from": "a", "to": "b", "event": "go", "pre_actions": [*run, *sets("m", "context.m + context.n + event.k")]}
    variables = {
        "n": {"type": "integer", "initial": 0, "minimum": 0},
        "m": {"type": "integer", "input": True, "minimum": 10},
    }
    workflow = flow(
        [add | {"condition": "event.k > 5"}],
        variables=variables,
        activities={"f": {}},
        events={"go": {"payload": {"k": "integer"}}, "stop": {}},
    )
    assert ask(workflow, "never", 'state == "b" and context.m < 16').status == "holds"
    assert ask(workflow, "never", 'state == "b" and context.m == 16').status == "violated"


def test_a_claim_without_a_value_is_an_error_with_the_way_there() -> None:
    workflow = flow(
        [{"from": "a", "to": "b", "event": "go", "pre_actions": sets("n", "event.k")}],
        variables={"n": {"type": "integer", "optional": True, "initial": 0}},
        events={"go": {"payload": {"k": {"type": "integer", "optional": True}}}, "stop": {}},
    )
    automaton = PATTERNS["always"].model_validate("context.n > -5 or context.n <= -5").automaton()
    decided = decide(symbolic_space(workflow), automaton, tuple(automaton.claims[0].trees()))
    assert decided.finding is not None
    assert decided.finding.kind == "fault"
    assert "Expression.null" in decided.finding.told


def test_a_trigger_that_never_comes_is_told() -> None:
    verdict = ask(attempts(None), "absence", {"of": "context.n > 5", "after": 'in("b") and state == "a"'})
    assert verdict.status == "holds"
    assert "for want of a case" in verdict.reason


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"name": "b", "for_each": {"items": ["x"], "as": "one", "workflow": "w"}}, "with a workflow for each item"),
        ({"name": "b", "invoke": {"workflow": "other"}}, "runs another workflow"),
    ],
)
def test_what_is_not_followed_is_named(state: dict[str, Any], told: str) -> None:
    up = {"from": "a", "event": "up", "pre_actions": sets("n", "context.n + 1")}
    activities = {"activities": {"f": {}}} if "for_each" in state else {}
    workflow = flow([up, {"from": "a", "to": "b", "event": "go"}], states=[{"name": "a"}, state, Z], **activities)
    verdict = ask(workflow, "always", "context.n >= 0", max_states=50)
    assert verdict.status == "unknown"
    assert told in verdict.reason
