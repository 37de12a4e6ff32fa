"""M10: what expressions do to an instance. Their values are compared with the evaluator elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.semantics.told import Told, activity, set_variable, workflow

# Of type `any`, so that loading does not refuse what these tests are about.
VARIABLES = {
    "i": {"type": "any", "initial": 3},
    "x": {"type": "any", "initial": 1.5},
    "s": {"type": "any", "initial": "b"},
    "b": {"type": "any", "initial": True},
    "none": {"type": "any"},
    "out": {"type": "any"},
}


def outcome(expression: str, **variables: Any) -> Any:
    """The value of an assignment, or the error type it raises."""
    it = Told(
        workflow(
            ["a"],
            [
                {"from": "a", "event": "e", "pre_actions": [set_variable("out", "${" + expression + "}")]},
                {"from": "a", "event": "error"},
            ],
            variables={**VARIABLES, **variables},
        )
    )
    if it.event("e") == ["transition(a, –)"]:
        return it.variables["out"]
    return it.one("error_raised").error_type


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("context.none == null", True),
        ("context.i != null", True),
        ("context.none == 3", False),
        ("context.none + 1", "Expression.null"),
        ("context.none < 1", "Expression.null"),
        ("-context.none", "Expression.null"),
        ("not context.none", "Expression.null"),
        ("context.none and true", "Expression.null"),
        ("min(context.none, 1)", "Expression.null"),
        ("1 in context.none", "Expression.null"),
    ],
)
def test_m10_1_null_is_accepted_by_equality_only(expression: str, value: Any) -> None:
    assert outcome(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "context.i + context.x",
        "context.i == context.s",
        "context.b + 1",
        "context.i and true",
        "not context.i",
        "context.s < 1",
        "context.b < context.b",
        "max(context.i, context.x)",
        "context.i / 2",
        "context.x // context.x",
    ],
)
def test_m10_1_nothing_is_converted(expression: str) -> None:
    assert outcome(expression) == "Expression.type"


def test_m10_1_a_condition_needs_a_boolean() -> None:
    it = Told(workflow(["a"], [{"from": "a", "event": "e", "condition": "event.ok"}, {"from": "a", "event": "error"}]))
    assert it.event("e", ok=1) == ["error_raised(a, Expression.type)", "transition(a, –)"]
    assert it.event("e") == ["error_raised(a, Expression.null)", "transition(a, –)"]
    assert it.event("e", ok=True) == ["transition(a, –)"]


def test_m10_1_what_is_not_needed_is_not_evaluated() -> None:
    assert outcome("context.b or context.none > 1") is True
    assert outcome("not context.b and context.none > 1") is False
    assert outcome("1 if context.b else context.none + 1") == 1


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("9223372036854775807 + 0", 2**63 - 1),
        ("9223372036854775807 + context.i", "Expression.overflow"),
        ("-9223372036854775808 - context.i", "Expression.overflow"),
        ("9223372036854775807 * context.i", "Expression.overflow"),
        ("1e308 * 10.0", "Expression.overflow"),
        ("1e308 + 1e308", "Expression.overflow"),
        ("context.i // 0", "Expression.division"),
        ("context.i % 0", "Expression.division"),
        ("context.x / 0.0", "Expression.division"),
        ("-7 // 2", -4),
        ("-7 % 2", 1),
    ],
)
def test_m10_2_integers_have_64_bits_and_numbers_are_finite(expression: str, value: Any) -> None:
    assert outcome(expression) == value


def bounded(value: Any, **variable: Any) -> Any:
    it = Told(
        workflow(
            ["a"],
            [
                {"from": "a", "event": "e", "pre_actions": [set_variable("n", value)]},
                {"from": "a", "event": "error"},
            ],
            variables={"n": {"initial": 1, "minimum": 1, "maximum": 5, **variable}},
        )
    )
    it.event("e")
    assert it.variables["n"] == 1 or it.state == "a"
    errors = [record.error_type for record in it.records if record.kind == "error_raised"]
    return errors[0] if errors else it.variables["n"]


@pytest.mark.parametrize("kind", ["integer", "number"])
def test_m10_2_outside_the_declared_range_is_an_error_or_saturates(kind: str) -> None:
    beyond, below = "${context.n * 6}", "${context.n - 1}"
    assert bounded(beyond, type=kind) == "Expression.range"
    assert bounded(below, type=kind) == "Expression.range"
    assert bounded("${context.n * 5}", type=kind) == 5
    assert bounded(beyond, type=kind, overflow="saturate") == 5
    assert bounded(below, type=kind, overflow="saturate") == 1


def test_m10_3_raised_in_an_action_it_is_a_failed_action() -> None:
    it = Told(
        workflow(
            ["a", "b", "bad"],
            [
                {
                    "from": "a",
                    "to": "b",
                    "event": "e",
                    "pre_actions": [activity("f", parameters={"m": 1, "n": "${1 // 0}"})],
                },
                {"from": "a", "to": "bad", "event": "error.f"},
            ],
        )
    )
    assert it.event("e") == ["transition_aborted(error)", "error_raised(f, Expression.division)", "transition(a, bad)"]
    assert it.instance.activities() == []
    # The inputs evaluated before the fault belong to nothing.
    assert all("m" not in record.payload for record in it.records)


@pytest.mark.parametrize(
    ("state", "source", "error"),
    [
        ({"activity": {"name": "f", "parameters": {"n": "${context.none + 1}"}}}, "f", "Expression.null"),
        ({"timeout": "${context.none}"}, "s", "Expression.type"),
        ({"timeout": "${1 // 0}"}, "s", "Expression.division"),
        ({"timeout": "${-1}"}, "s", "Expression.range"),
        ({"timeout": "${context.s}"}, "s", "Expression.type"),
    ],
)
def test_m10_3_raised_in_work_input_or_durations_it_is_an_error_in_the_entered_state(
    state: dict[str, Any], source: str, error: str
) -> None:
    it = Told(
        workflow(
            ["a", {"name": "s", **state}, "bad"],
            [{"from": "a", "to": "s", "event": "e"}, {"from": "s", "to": "bad", "event": "error"}],
            variables=VARIABLES,
        )
    )
    assert it.event("e") == ["transition(a, s)", f"error_raised({source}, {error})", "transition(s, bad)"]
    assert it.instance.activities() == []
    assert it.instance.timers() == []
