"""What declarations say of values from outside beyond the types of the variables that take these up."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf

BIT: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 1}
WHOLE: dict[str, Any] = {"type": "integer", "optional": True}
LIST: dict[str, Any] = {"type": "list", "items": {"type": "integer"}, "optional": True}
FEW: dict[str, Any] = {"type": "list", "items": {"type": "integer", "minimum": -9, "maximum": 9}, "optional": True}
THROUGH = {"items": [1, 2], "as": "x", "activity": "f", "result_variable": "got"}
ONE = {"activity": {"name": "f", "result_variable": "got"}}
EACH = {"for_each": THROUGH}
COLLECTED = {"for_each": THROUGH | {"on_failure": "collect"}}


def ask(variable: Any, result: Any, condition: str, work: Any) -> list[str]:
    """Whether z is reached when what f gives is so, and what is said of the way there."""
    ways: list[dict[str, Any]] = [{"from": "a", "event": event, "to": "a"} for event in ("done", "error", "go")]
    workflow = wf.Workflow.model_validate(
        {
            "name": "w",
            "initial_state": "a",
            "variables": {"got": variable, "k": {"type": "integer", "initial": 0}},
            "events": {"go": {}},
            "activities": {"f": {} if result is None else {"result": result}},
            "states": [{"name": "a", **work}, {"name": "z", "is_terminal": True}],
            "transitions": [{"from": "a", "event": "done", "to": "z", "condition": condition}, *ways],
        }
    )
    report = wf.verify(workflow, [wf.Property("can_complete"), wf.Property("states_reachable")], max_states=2_000)
    for verdict in report:
        if verdict.witness is not None:
            verdict.witness.replay()
    return [verdict.status.value for verdict in report]


@pytest.mark.parametrize(
    ("variable", "result", "condition", "work"),
    [
        (WHOLE, BIT, "context.got + context.k == 5", ONE),
        (LIST, {"type": "list", "items": BIT}, "5 in context.got", ONE),
        (LIST, BIT, "5 in context.got", EACH),
        ({"type": "any"}, BIT, "context.got + context.k == 5", ONE),
    ],
)
def test_no_way_leads_over_a_result_that_its_activity_never_gives(
    variable: Any, result: Any, condition: str, work: Any
) -> None:
    assert ask(variable, result, condition, work) == ["violated", "violated"]


@pytest.mark.parametrize(
    ("variable", "result", "condition", "work"),
    [
        (WHOLE, BIT | {"maximum": 5}, "context.got + context.k == 5", ONE),
        (LIST, {"type": "list", "items": BIT | {"maximum": 5}}, "5 in context.got", ONE),
        (LIST, BIT | {"maximum": 5}, "5 in context.got", EACH),
        (LIST, None, "5 in context.got", EACH),
        (FEW, BIT | {"maximum": 5}, "context.got[-1] == 5 and sum(context.got) == 8", EACH),
    ],
)
def test_a_way_over_a_result_that_it_may_give_is_found(variable: Any, result: Any, condition: str, work: Any) -> None:
    assert ask(variable, result, condition, work) == ["holds", "holds"]


def test_where_no_result_fits_its_variable_all_else_can_happen_still() -> None:
    number = {"type": "number", "optional": True}
    for variable, result in ((BIT | {"initial": 0}, BIT | {"minimum": 5, "maximum": 9}), (number, BIT)):
        workflow = wf.Workflow.model_validate(
            {
                "name": "w",
                "initial_state": "a",
                "variables": {"got": variable, "n": {"type": "integer", "initial": 0}},
                "events": {"add": {"payload": {"k": "integer"}}},
                "activities": {"f": {"result": result}},
                "states": [{"name": "a", **ONE}, {"name": "b"}, {"name": "z", "is_terminal": True}],
                "transitions": [
                    {"from": "a", "event": "done", "to": "a"},
                    {"from": "a", "event": "add", "to": "b", "condition": "context.n + event.k * 2 == 74"},
                    {"from": "b", "event": "add", "to": "z"},
                ],
            }
        )
        (verdict,) = wf.verify(workflow, [wf.Property("states_reachable")])
        assert verdict.status == "holds", verdict


def test_results_of_items_with_their_errors_are_no_integers() -> None:
    assert "holds" not in ask(LIST, None, "5 in context.got", COLLECTED)


def test_nothing_is_said_to_end_for_a_text_that_its_pattern_forbids() -> None:
    workflow = wf.Workflow.model_validate(
        {
            "name": "w",
            "initial_state": "a",
            "variables": {"k": {"type": "integer", "initial": 0}},
            "events": {"go": {"payload": {"s": {"type": "string", "pattern": "a*"}, "k": "integer"}}},
            "states": [{"name": "a"}, {"name": "z", "is_terminal": True}],
            "transitions": [
                {"from": "a", "event": "go", "to": "z", "condition": "event.s == 'b' and event.k + context.k == 3"},
                {"from": "a", "event": "go", "to": "a"},
            ],
        }
    )
    (verdict,) = wf.verify(workflow, [wf.Property("can_complete")])
    assert verdict.status == "unknown"
    assert "reads event.s, and the solver knows no patterns" in verdict.reason
