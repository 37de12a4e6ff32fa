"""Values of expressions, rule by rule (M10)."""

from __future__ import annotations

from typing import Any

import pytest

from wfsim.model.elements import Variable
from wfsim.model.evaluate import evaluate, evaluate_template, fit
from wfsim.model.expressions import parse, parse_template
from wfsim.model.values import DIVISION, NULL, OVERFLOW, RANGE, TYPE, EvaluationFault, ValueType, check_value, coerce

CONTEXT: dict[str, Any] = {
    "i": 3,
    "n": 2.5,
    "whole": 2.0,
    "s": "abc",
    "yes": True,
    "no": False,
    "items": [1, "a", None, 2.0],
    "object": {"a": 1},
    "nothing": None,
    "big": 2**63 - 1,
    "huge": 1e308,
}


def value(text: str) -> Any:
    return evaluate(parse(text), CONTEXT, {"amount": 5}, "paid", {"one": 1})


def fault(text: str) -> str:
    with pytest.raises(EvaluationFault) as caught:
        value(text)
    return caught.value.kind


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("context.i + 1", 4),
        ("context.n * context.whole", 5.0),
        ("context.n * 2", 5.0),
        ("2 / context.n", 0.8),
        ("context.whole / context.n", 0.8),
        ("7 // 2", 3),
        ("-7 // 2", -4),
        ("-7 % 3", 2),
        ("context.n - 0.5 == 2", True),
        ("context.i == 3.0", True),
        ("9007199254740993 == 9007199254740992.0", False),
        ("9007199254740993 > 9007199254740992.0", True),
        ("context.missing == null", True),
        ("context.nothing != 1", True),
        ("'b' > 'abc'", True),
        ("context.yes == true", True),
        ("[1, 2] == [1, 2]", True),
        ("[1] == [1.0]", False),
        ("[1] == [true]", False),
        ("1 in context.items", True),
        ("1.0 in context.items", True),
        ("2 in context.items", True),
        ("null in context.items", True),
        ("true in context.items", False),
        ("'z' not in context.items", True),
        ("context.no and context.missing", False),
        ("context.yes or context.s", True),
        ("1 if context.yes else 1 // 0", 1),
        ("len(context.s) + len(context.items) + len(context.object)", 8),
        ("min(3, 1, 2)", 1),
        ("max('a', 'b')", "b"),
        ("max(context.n, 0)", 2.5),
        ("event.amount + item.one", 6),
        ("state", "paid"),
        ("event", {"amount": 5}),
        ("-context.i", -3),
        ("0.0 * -1.0", 0.0),
    ],
)
def test_an_expression_has_this_value(text: str, expected: object) -> None:
    result = value(text)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("context.missing < 1", NULL),
        ("context.missing + 'a'", NULL),
        ("not context.missing", NULL),
        ("1 in context.missing", NULL),
        ("len(null)", NULL),
        ("min(1, null)", NULL),
        ("1 if null else 2", NULL),
        ("context.i + context.n", TYPE),
        ("context.i / context.i", TYPE),
        ("1 / 2", TYPE),
        ("context.n // 2.0", TYPE),
        ("context.n % 2", TYPE),
        ("context.s + context.i", TYPE),
        ("context.yes + 1", TYPE),
        ("context.s == context.i", TYPE),
        ("context.yes == context.i", TYPE),
        ("context.items == context.object", TYPE),
        ("context.yes < true", TYPE),
        ("context.items < [1]", TYPE),
        ("context.s < context.i", TYPE),
        ("'a' in 'abc'", TYPE),
        ("context.i and true", TYPE),
        ("context.yes and context.i", TYPE),
        ("not context.i", TYPE),
        ("-context.s", TYPE),
        ("len(context.i)", TYPE),
        ("min(context.i, context.n)", TYPE),
        ("max(true, false)", TYPE),
        ("context.big + 1", OVERFLOW),
        ("-context.big - 2", OVERFLOW),
        ("context.big * context.big", OVERFLOW),
        ("-9223372036854775808 // -1", OVERFLOW),
        ("-(-9223372036854775808)", OVERFLOW),
        ("context.huge * context.huge", OVERFLOW),
        ("1 // 0", DIVISION),
        ("1 % 0", DIVISION),
        ("context.n / 0", DIVISION),
        ("context.n / 0.0", DIVISION),
    ],
)
def test_an_expression_without_a_value_raises_this_kind(text: str, kind: str) -> None:
    assert fault(text) == kind


def test_an_integer_literal_beside_a_number_is_a_number_but_a_variable_is_not() -> None:
    assert value("context.n + 1") == 3.5
    assert fault("context.n + context.i") == TYPE
    assert fault("context.n + (0 + 1)") == TYPE
    assert fault("context.n + 9007199254740993") == TYPE


def test_minus_zero_does_not_exist() -> None:
    assert str(value("-(context.n - 2.5)")) == "0.0"
    assert str(coerce(ValueType.NUMBER, -0.0)) == "0.0"
    assert str(coerce(ValueType.ANY, [-0.0])[0]) == "0.0"


def test_without_event_or_item_their_fields_are_null() -> None:
    assert evaluate(parse("event.a == null and item.b == null"), {}, None, "s") is True


def test_a_template_is_evaluated_part_by_part() -> None:
    template = parse_template({"a": "${context.i + 1}", "b": ["${state}", "text", 1]})
    assert evaluate_template(template, CONTEXT, None, "paid") == {"a": 4, "b": ["paid", "text", 1]}


@pytest.mark.parametrize(
    ("value_type", "given"),
    [
        ("string", 1),
        ("integer", 1.0),
        ("integer", True),
        ("number", True),
        ("number", "1"),
        ("number", 2**53 + 1),
        ("boolean", 1),
        ("list", {}),
        ("object", []),
        ("string", None),
        ("any", float("inf")),
        ("any", float("nan")),
        ("any", 2**63),
        ("any", "x" * 1_000_001),
        ("any", "\ud800"),
        ("any", {1: 2}),
        ("any", {"a": object()}),
    ],
)
def test_a_value_of_another_type_does_not_pass_the_door(value_type: str, given: object) -> None:
    assert check_value(ValueType(value_type), given) is not None
    with pytest.raises(EvaluationFault) as caught:
        coerce(ValueType(value_type), given)
    assert caught.value.kind == TYPE


def test_an_integer_becomes_a_number_at_the_door() -> None:
    kept = coerce(ValueType.NUMBER, 2**53)
    assert kept == 2.0**53
    assert isinstance(kept, float)


def test_a_deep_a_wide_and_a_circular_value_are_refused_without_recursion() -> None:
    deep: Any = 1
    for _ in range(10_000):
        deep = [deep]
    assert "deeper" in str(check_value(ValueType.ANY, deep))
    circular: list[Any] = []
    circular.append(circular)
    assert check_value(ValueType.ANY, circular) is not None
    wide: Any = 1
    for _ in range(30):
        wide = [wide, wide]
    assert "parts" in str(check_value(ValueType.ANY, wide))


def test_a_variable_keeps_its_bounds() -> None:
    bounded = Variable(type=ValueType.INTEGER, minimum=0, maximum=3)
    assert fit(bounded, 3) == 3
    with pytest.raises(EvaluationFault) as caught:
        fit(bounded, 4)
    assert caught.value.kind == RANGE
    saturating = Variable(type=ValueType.NUMBER, minimum=0, maximum=3, overflow="saturate")
    assert fit(saturating, 17) == 3.0
    assert isinstance(fit(saturating, 17), float)
    with pytest.raises(EvaluationFault) as caught:
        fit(bounded, None)
    assert caught.value.kind == NULL
    assert fit(Variable(type=ValueType.STRING, optional=True), None) is None
    with pytest.raises(EvaluationFault) as caught:
        fit(Variable(type=ValueType.STRING, values=("a", "b")), "c")
    assert caught.value.kind == RANGE
