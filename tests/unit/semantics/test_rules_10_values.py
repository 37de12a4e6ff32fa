"""M10.4 to M10.8: types of values, their parts, texts put together, functions that go through a list."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.semantics.told import Told, set_variable, terminal, workflow
from wfsim.errors import DefinitionError, StartRefused
from wfsim.model.evaluate import evaluate
from wfsim.model.expressions import parse
from wfsim.model.parts import MOST_STEPS
from wfsim.model.values import EvaluationFault

DRIVER = {
    "name": "string",
    "rating": {"type": "number", "minimum": 0, "maximum": 5},
    "phone": {"type": "string", "pattern": r"\+[0-9]{2,15}", "optional": True},
}
DRIVERS = [{"name": "Ann", "rating": 4.5, "phone": "+4912"}, {"name": "Bob", "rating": 2}]
VALUES: dict[str, Any] = {
    "i": 1,
    "x": 2.5,
    "s": "Ab",
    "flag": True,
    "none": None,
    "list": [3, 1, 2],
    "empty": [],
    "objects": [{"a": 1, "tags": ["p"]}, {"a": 2, "tags": ["q", "r"]}],
    "object": {"a": {"b": "deep"}},
    "long": "x" * 600_000,
    "ones": [1] * 50_000,
}


def outcome(expression: str) -> Any:
    """What an assignment comes to, or the error type that it raises; by a step, and by the readable evaluator."""
    variables = {name: {"type": "any", "initial": value} for name, value in VALUES.items()}
    it = Told(
        workflow(
            ["a"],
            [
                {"from": "a", "event": "e", "pre_actions": [set_variable("out", "${" + expression + "}")]},
                {"from": "a", "event": "error"},
            ],
            variables={**variables, "out": {"type": "any"}},
        )
    )
    took = it.event("e") == ["transition(a, –)"]
    found = it.variables["out"] if took else it.one("error_raised").error_type
    try:
        expected = evaluate(parse(expression), VALUES, {}, "a")
    except EvaluationFault as fault:
        expected = fault.kind
    assert found == expected
    return found


def drivers(**more: Any) -> Told:
    """An instance with drivers of a declared type."""
    definition = workflow(
        ["a", terminal("t")],
        [
            {
                "from": "a",
                "event": "e",
                "pre_actions": [set_variable("drivers", "${event.drivers}"), set_variable("best", "${event.best}")],
            },
            {"from": "a", "event": "error", "to": "t"},
        ],
        types={"driver": DRIVER},
        variables={
            "drivers": {"type": "list", "items": "driver", "input": True},
            "best": {"type": "driver", "optional": True},
        },
        events={"e": {}},
    )
    return Told(definition, drivers=DRIVERS, **more)


def test_m10_4_a_value_is_kept_as_its_type_says() -> None:
    it = drivers()
    assert it.variables["drivers"] == [
        {"name": "Ann", "rating": 4.5, "phone": "+4912"},
        {"name": "Bob", "rating": 2.0, "phone": None},
    ]
    assert type(it.variables["drivers"][1]["rating"]) is float
    it.event("e", drivers=[], best={"name": "Cid", "rating": 1})
    assert it.variables == {"drivers": [], "best": {"name": "Cid", "rating": 1.0, "phone": None}}


@pytest.mark.parametrize(
    ("best", "error"),
    [
        ({"name": "Cid"}, "Expression.type"),
        ({"name": "Cid", "rating": "1"}, "Expression.type"),
        ({"name": "Cid", "rating": 1, "more": 1}, "Expression.type"),
        ({"name": "Cid", "rating": 6}, "Expression.range"),
        ({"name": "Cid", "rating": 1, "phone": "112"}, "Expression.range"),
        ([1], "Expression.type"),
    ],
)
def test_m10_4_what_does_not_fit_is_an_error_and_nothing_is_written(best: Any, error: str) -> None:
    it = drivers()
    before = it.variables
    it.event("e", drivers=[], best=best)
    assert it.one("error_raised").error_type == error
    assert it.variables == before


def test_m10_4_inputs_are_looked_at_all_the_way_down() -> None:
    definition = workflow(
        ["a"],
        [],
        types={"driver": DRIVER},
        variables={"drivers": {"type": "list", "items": "driver", "input": True}},
    )
    with pytest.raises(StartRefused, match=r"\[1\].rating: 7.0 is above 5"):
        Told(definition, drivers=[DRIVERS[0], {"name": "Bob", "rating": 7}])


def test_m10_4_a_payload_that_does_not_fit_is_rejected_at_the_door() -> None:
    definition = workflow(
        ["a", terminal("t")],
        [{"from": "a", "to": "t", "event": "e"}],
        types={"driver": DRIVER},
        events={"e": {"payload": {"driver": "driver", "n": {"type": "integer", "minimum": 1, "maximum": 3}}}},
    )
    it = Told(definition)
    assert it.event("e", driver=DRIVERS[0], n=4) == ["event_rejected(e, payload)"]
    assert it.event("e", driver={"name": "Ann"}, n=1) == ["event_rejected(e, payload)"]
    assert it.event("e", driver=DRIVERS[1], n=3)[0] == "transition(a, t)"


def test_m10_4_a_message_to_itself_is_looked_at_as_one_from_outside() -> None:
    send = {"action_type": "send", "event": "n", "to": "self", "payload": {"driver": "${event.it}"}}
    definition = workflow(
        ["a", terminal("t")],
        [{"from": "a", "event": "e", "pre_actions": [send]}, {"from": "a", "to": "t", "event": "n"}],
        types={"driver": DRIVER},
        events={"e": {}, "n": {"payload": {"driver": "driver"}}},
    )
    it = Told(definition)
    assert "event_rejected(n, payload)" in it.event("e", it={"name": "Ann"})
    assert "transition(a, t)" in it.event("e", it=DRIVERS[1])


def test_m10_4_a_type_made_of_itself_is_refused() -> None:
    with pytest.raises(DefinitionError, match="tree → branch → tree"):
        workflow(["a"], [], types={"tree": {"left": "branch"}, "branch": {"of": {"type": "list", "items": "tree"}}})


def results(result: Any, **declared: Any) -> Told:
    it = Told(
        workflow(
            [{"name": "a", "activity": "f"}, terminal("t"), terminal("bad")],
            [
                {"from": "a", "to": "t", "event": "done", "condition": "event.result.accepted"},
                {"from": "a", "to": "bad", "event": "error.f"},
            ],
            activities={"f": {"result": {"accepted": "boolean"}, "retry_policy": {"max_attempts": 3}, **declared}},
        )
    )
    it.starts(1)
    it.succeeds(1, result=result)
    return it


def test_m4_1_a_result_that_does_not_fit_its_activity_fails_it_without_another_attempt() -> None:
    assert results({"accepted": True}).state == "t"
    it = results({"acepted": True})
    assert it.state == "bad"
    assert it.one("error_raised").error_type == "Expression.type"
    assert results(None).one("error_raised").error_type == "Expression.null"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("context.list[0]", 3),
        ("context.list[-1]", 2),
        ("context.list[context.i]", 1),
        ("context.list[3]", "Expression.index"),
        ("context.list[-4]", "Expression.index"),
        ("context.list[context.x]", "Expression.type"),
        ("context.list[context.flag]", "Expression.type"),
        ("context.s[0]", "Expression.type"),
        ("context.none[0]", "Expression.null"),
        ("context.list[context.none]", "Expression.null"),
        ("context.object.a.b", "deep"),
        ("context.object.b", "Expression.field"),
        ("context.objects[1].tags[0]", "q"),
        ("context.objects.a", [1, 2]),
        ("context.objects.b", "Expression.field"),
        ("2 in context.objects.a", True),
        ("context.list.a", "Expression.type"),
        ("context.none.a", "Expression.null"),
        ("context.s.a", "Expression.type"),
    ],
)
def test_m10_5_parts_of_values(expression: str, value: Any) -> None:
    assert outcome(expression) == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("context.s + 'c'", "Abc"),
        ("context.s + context.s + '!'", "AbAb!"),
        ("context.s + context.i", "Expression.type"),
        ("context.s + context.none", "Expression.null"),
        ("context.s - context.s", "Expression.type"),
        ("text(context.i) + text(context.x) + text(context.flag)", "12.5true"),
        ("text(1e22)", "1e+22"),
        ("text(context.none)", "Expression.null"),
        ("text(context.list)", "Expression.type"),
        ("len(context.long + context.long)", "Expression.overflow"),
    ],
)
def test_m10_6_texts_are_put_together(expression: str, value: Any) -> None:
    assert outcome(expression) == value


def test_m10_6_a_text_with_expressions_among_its_words() -> None:
    it = Told(
        workflow(
            ["a"],
            [{"from": "a", "event": "e", "pre_actions": [set_variable("out", "No. ${event.n}: ${event.who}!")]}],
            variables={"out": {"type": "string", "optional": True}},
        )
    )
    it.event("e", n=7, who="Ann")
    assert it.variables["out"] == "No. 7: Ann!"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("sum(context.list)", 6),
        ("sum(context.objects.a)", 3),
        ("sum(context.objects, item.a * 10)", 30),
        ("sum(context.empty)", 0),
        ("sum(context.empty) * context.x", 0.0),
        ("sum(context.list) * context.x", "Expression.type"),
        ("sum([9223372036854775807, context.i])", "Expression.overflow"),
        ("sum(context.objects)", "Expression.type"),
        ("count(context.list, item > 1)", 2),
        ("count(context.list, item)", "Expression.type"),
        ("any(context.objects, item.a == 2)", True),
        ("any(context.list, item == 3 or item.a)", True),
        ("all(context.list, item > 1)", False),
        ("all(context.empty, item.nothing)", True),
        ("any(context.empty)", False),
        ("any([context.flag, context.none])", True),
        ("all([context.flag, context.none])", "Expression.null"),
        ("any(context.objects, any(item.tags, item == 'r'))", True),
        ("any(context.objects, 'q' in item.tags)", True),
        ("sum(context.none)", "Expression.null"),
        ("count(context.s, true)", "Expression.type"),
        ("min(context.list)", 1),
        ("max(context.objects.a)", 2),
        ("min(context.empty)", None),
        ("min(context.i, 3)", 1),
        ("any(context.list, max(item, 2) == 3)", True),
        ("min(context.s)", "Expression.type"),
        ("count(context.ones, count(context.ones, item == 1) > 0)", "Expression.overflow"),
        ("any(context.ones, item in context.ones and item == 2)", "Expression.overflow"),
        ("any(context.ones, contains(context.long, 'y'))", "Expression.overflow"),
    ],
)
def test_m10_7_functions_that_go_through_a_list(expression: str, value: Any) -> None:
    assert outcome(expression) == value


def test_m10_7_the_sum_of_nothing_is_read_as_a_number_by_a_variable_that_is_one() -> None:
    it = Told(
        workflow(
            ["a"],
            [{"from": "a", "event": "e", "pre_actions": [set_variable("total", "${sum(context.lines.amount)}")]}],
            types={"line": {"amount": "number"}},
            variables={
                "total": {"type": "number", "initial": 1},
                "lines": {"type": "list", "items": "line", "input": True},
            },
        ),
        lines=[],
    )
    assert it.event("e") == ["transition(a, –)"]
    assert it.variables["total"] == 0.0
    assert type(it.variables["total"]) is float


def test_m10_7_no_expression_takes_more_steps_than_are_told() -> None:
    """Each item of the inner list costs one step for each of the three parts of the condition."""
    assert 50_000 * 50_000 * 3 > MOST_STEPS >= 50_000 * 3
    assert outcome("count(context.ones, item == 1)") == 50_000


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("lower(context.s)", "ab"),
        ("upper('straße')", "STRAßE"),
        ("startswith(context.s, 'A')", True),
        ("endswith(context.s, 'A')", False),
        ("contains(context.s, 'b')", True),
        ("contains(context.list, context.i)", "Expression.type"),
        ("lower(context.none)", "Expression.null"),
        ("coalesce(context.none, context.i)", 1),
        ("coalesce(context.i, context.none + 1)", 1),
        ("coalesce(context.none, null)", None),
        ("coalesce(context.none, 1 // 0)", "Expression.division"),
    ],
)
def test_m10_8_functions_on_texts_and_the_first_that_is_set(expression: str, value: Any) -> None:
    assert outcome(expression) == value
