"""Lists of any length in the built-in questions: their lengths, what is in them, `for_each` over them."""

from __future__ import annotations

from typing import Any

import pytest
import z3

import wfsim as wf
from wfsim.model.shapes import Shape
from wfsim.model.values import ValueType
from wfsim.verification.workflows.conditions.looking import Looks
from wfsim.verification.workflows.conditions.symbols import Symbols
from wfsim.verification.workflows.conditions.terms import constant, of_length
from wfsim.verification.workflows.symbolic.lemmas import stays

ANY_LIST: dict[str, Any] = {"type": "list", "items": {"type": "integer", "minimum": 0, "maximum": 9}, "input": True}
THROUGH: dict[str, Any] = {"items": "${context.xs}", "as": "x", "activity": "f", "result_variable": "rs"}


def flow(
    transitions: list[dict[str, Any]], each: dict[str, Any] | None = None, variables: dict[str, Any] | None = None
) -> wf.Workflow:
    """State a goes through the input `xs`, and leaves results in `rs`; b, and z, which is terminal."""
    through = THROUGH | (each or {})
    return wf.Workflow.model_validate(
        {
            "name": "w",
            "initial_state": "a",
            "variables": {"xs": ANY_LIST, "rs": {"type": "list", "initial": []}} | (variables or {}),
            "activities": {"f": {}},
            "events": {"go": {}},
            "states": [{"name": "a", "for_each": through}, {"name": "b"}, {"name": "z", "is_terminal": True}],
            "transitions": transitions,
        }
    )


def ask(workflow: wf.Workflow, name: str, **limits: Any) -> wf.Verdict:
    (verdict,) = wf.verify(workflow, [wf.Property(name)], **limits)
    for each in (verdict, *verdict.further):
        if each.witness is not None:
            each.witness.replay()
    return verdict


def way(source: str, to: str, event: str | None = None, condition: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"from": source, "to": to}
    return found | ({"event": event} if event else {}) | ({"condition": condition} if condition else {})


OUT = way("b", "z", "go")


def test_as_many_results_come_as_there_are_items() -> None:
    done = [way("a", "b", "done", "len(context.rs) == len(context.xs)"), way("a", "z", "done"), OUT]
    verdict = ask(flow(done), "transitions_live")
    assert verdict.status == "violated"
    assert verdict.statistics["dead"] == ["transition 2 (a → z on done)"]


def test_what_needs_a_long_list_is_reached_with_one() -> None:
    done = [way("a", "b", "done", "len(context.rs) > 6"), way("a", "z", "done"), OUT]
    assert ask(flow(done), "states_reachable").status == "holds"


def test_an_empty_list_is_done_at_once_and_its_state_never_waits() -> None:
    done = [way("a", "z", "done", "len(context.rs) == 0"), way("a", "b", "done"), OUT]
    assert ask(flow([*done, way("a", "b", "go", "len(context.xs) == 0")]), "transitions_live").status == "violated"
    assert ask(flow([*done, way("a", "b", "go", "len(context.xs) == 7")]), "transitions_live").status == "holds"


@pytest.mark.parametrize(
    ("each", "condition", "status"),
    [
        ({}, "len(context.xs) == 0", "violated"),
        ({}, "len(context.xs) == 5", "holds"),
        ({"on_failure": "collect"}, "len(context.xs) == 5", "violated"),
        ({"on_failure": "collect", "tolerated_failures": 4}, "len(context.xs) < 5", "violated"),
        ({"on_failure": "collect", "tolerated_failures": 4}, "len(context.xs) == 5", "holds"),
        ({"on_failure": "collect", "tolerated_failures": "50%", "max_parallel": 1}, "len(context.xs) == 4", "holds"),
    ],
)
def test_an_error_needs_more_failing_items_than_are_tolerated(each: Any, condition: str, status: str) -> None:
    ways = [way("a", "z", "done"), way("a", "b", "error", condition), way("a", "z", "error"), OUT]
    verdict = ask(flow(ways, each), "states_reachable")
    assert verdict.status == status, verdict


def test_what_is_in_a_list_may_be_anything_but_of_its_type() -> None:
    ways = [way("a", "z", "done"), way("a", "b", "go", "len(context.xs) > 5 and context.xs[5] > 9"), OUT]
    assert ask(flow(ways), "states_reachable").statistics == {"unreachable": ["b"]}


def test_what_is_in_a_list_proves_nothing_that_is_not_so() -> None:
    ways = [way("a", "z", "done"), way("a", "b", "go", "len(context.xs) > 5 and context.xs[5] == 9"), OUT]
    assert ask(flow(ways), "states_reachable").status == "unknown"
    lost = [way("a", "b", "done"), way("b", "z", "go", "9 in context.xs")]
    assert ask(flow(lost), "can_complete").status in ("unknown", "violated")


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("context.xs[0] == 9 and context.xs[-1] == 3", "holds"),
        ("len(context.xs) == 1 and context.xs[0] != context.xs[-1]", "violated"),
        ("sum(context.xs) == 31 and len(context.xs) == 4", "holds"),
        ("sum(context.xs) > 9 * len(context.xs)", "violated"),
        ("count(context.xs, item > 7) > len(context.xs) - count(context.xs, item < 3)", "violated"),
        ("count(context.xs, item > 7) == 5 and 8 not in context.xs and context.xs[3] == 2", "holds"),
        ("all(context.xs, item == 4) and any(context.xs, item > 5)", "violated"),
        ("min(context.xs) == 7 and sum(context.xs) == 8", "unknown"),
    ],
)
def test_items_are_counted_first_and_last_ones_known_and_added(condition: str, status: str) -> None:
    ways = [way("a", "z", "done"), way("a", "b", "go", f"len(context.xs) > 0 and {condition}"), OUT]
    assert ask(flow(ways), "states_reachable").status == status


def test_a_list_that_is_written_out_is_known_once_it_is_written() -> None:
    written = [{"action_type": "set_variable", "parameters": {"name": "xs", "value": [0, 3]}}]
    ways = [
        way("a", "b", "done") | {"pre_actions": written},
        way("a", "z", "error"),
        way("b", "b", "go", "9 in context.xs"),
    ]
    assert ask(flow([*ways, way("b", "z", "go", "3 in context.xs")]), "can_complete").status == "holds"
    assert ask(flow([*ways, way("b", "z", "go", "4 in context.xs")]), "can_complete").status == "violated"
    assert ask(flow([*ways, way("b", "z", "go", "sum(context.xs) == 3")]), "transitions_live").statistics["dead"] == [
        "transition 3 (b → b on go)"
    ]


def test_nothing_is_said_to_stay_of_a_list_whose_items_are_not_known() -> None:
    shape = Shape(ValueType.LIST, items=Shape(ValueType.INTEGER, minimum=0, maximum=9))
    place = Symbols(Looks(constants=(1,), first=1, any=True)).of_shape("@cell 0", shape, null=False)
    (guess,) = stays("@cell 0", place, constant([1, 2]))
    assert guess.fact({"@cell 0": of_length("list", 2)}) is False
    for values, same in (([1, 2], True), ([2, 1], False), ([1, 2, 2], False), ([1, 3], True)):
        fact = guess.fact({"@cell 0": constant(values)})
        assert fact is same or z3.is_true(z3.simplify(fact)) is same, values


def test_claims_ask_what_is_in_lists() -> None:
    ways = [way("a", "z", "done"), way("a", "b", "go", "sum(context.xs) < 50"), OUT]
    never = wf.Property("never", "state == 'b' and count(context.xs, item == 9) > 5")
    (verdict,) = wf.verify(flow(ways), [never])
    assert verdict.status == "holds"
    often = wf.Property("never", "state == 'b' and count(context.xs, item == 9) > 4")
    (verdict,) = wf.verify(flow(ways), [often])
    assert verdict.status == "violated"
    assert verdict.witness is not None
    verdict.witness.replay()


def test_a_list_that_stays_as_it_is_keeps_a_lost_state_lost() -> None:
    ways = [
        way("a", "b", "done"),
        way("a", "z", "error"),
        way("b", "z", "go", "sum(context.xs) > 70"),
        way("b", "b", "go"),
    ]
    verdict = ask(flow(ways), "can_complete")
    assert verdict.status == "violated"
    assert verdict.statistics == {"states": ["b"]}


def test_a_list_that_is_gone_through_has_as_many_items_as_it_had_where_a_state_is_lost() -> None:
    ways = [way("a", "z", "done", "len(context.rs) > 2"), way("a", "a", "go")]
    assert ask(flow(ways, {"items": [1, 2], "on_failure": "collect"}), "can_complete").status == "violated"
    assert ask(flow(ways, {"items": [1, 2, 3], "on_failure": "collect"}), "can_complete").status == "holds"


def test_nobody_waits_where_a_list_without_items_is_gone_through() -> None:
    ways = [way("a", "b", "done", "len(context.ys) > 3"), way("a", "z", "done"), way("a", "z", "go"), OUT]
    ways += [way("a", "z", "error")]
    given = {"ys": ANY_LIST}
    assert ask(flow(ways, {"items": []}, given), "can_complete").status == "holds"


def test_what_results_of_items_are_is_asked_of_the_activity_that_gives_them() -> None:
    many = "len(context.rs) > 6 and sum(context.rs) == 3 * len(context.rs)"
    data = flow(
        [way("a", "b", "done", many), way("a", "z", "done"), OUT],
        variables={"rs": ANY_LIST | {"input": False, "initial": []}},
    )
    few = data.model_dump(by_alias=True, exclude_unset=True)
    few["activities"] = {"f": {"result": {"type": "integer", "minimum": 0, "maximum": 2}}}
    assert ask(data, "states_reachable").status == "holds"
    assert ask(wf.Workflow.model_validate(few), "states_reachable").statistics == {"unreachable": ["b"]}


def test_a_list_that_cannot_be_read_is_an_error_of_its_state() -> None:
    given = {"xs": {"type": "list", "optional": True, "input": True}}
    ways = [way("a", "z", "done"), way("a", "b", "error.a"), way("a", "z", "error"), OUT]
    assert ask(flow(ways, variables=given), "states_reachable").status == "holds"
    assert ask(flow(ways), "states_reachable").statistics == {"unreachable": ["b"]}


def test_an_error_of_a_list_that_is_null_is_not_forgotten() -> None:
    given = {"xs": {"type": "list", "optional": True, "input": True}, "ys": ANY_LIST}
    ways = [way("a", "z", "done"), way("a", "b", "error.a", "len(context.ys) > 6"), way("a", "z", "error"), OUT]
    assert ask(flow(ways, variables=given), "states_reachable").status == "holds"


def test_what_an_item_gives_is_not_what_the_list_gives() -> None:
    ways = [way("a", "b", "done", "len(event.result) > 6"), way("a", "z", "done"), OUT]
    data = flow(ways).model_dump(by_alias=True, exclude_unset=True)
    del data["states"][0]["for_each"]["result_variable"]
    data["activities"] = {"f": {"result": {"type": "integer", "minimum": 0, "maximum": 9}}}
    assert ask(wf.Workflow.model_validate(data), "states_reachable").status == "holds"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"activities": {"f": {"compensate_with": "g"}, "g": {}}}, "the log of its items is not followed"),
        (
            {"transitions": [way("a", "b", "error", "event.index == 0 and len(context.xs) > 6")]},
            "reads which item has failed",
        ),
    ],
)
def test_what_depends_on_single_items_is_not_followed(change: dict[str, Any], told: str) -> None:
    data = flow([way("a", "b", "done", "len(context.rs) > 6")]).model_dump(by_alias=True, exclude_unset=True)
    verdict = ask(wf.Workflow.model_validate(data | change), "states_reachable")
    assert verdict.status == "unknown"
    assert told in verdict.reason
