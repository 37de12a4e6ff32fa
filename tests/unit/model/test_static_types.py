"""Types before anything runs: what can never work is told, what may work is not."""

from __future__ import annotations

import pytest

from tests.work import calls
from wfsim.model.expressions import parse
from wfsim.model.shapes import Shape, plain
from wfsim.model.static import gives_duration, static_shape, static_type
from wfsim.model.values import ValueType

VARIABLES = {name.value[0]: plain(name) for name in ValueType if name is not ValueType.ANY} | {
    "any": plain(ValueType.ANY),
    "i2": plain(ValueType.INTEGER),
    "whole": Shape(ValueType.LIST, items=plain(ValueType.INTEGER)),
    "lines": Shape(
        ValueType.LIST,
        items=Shape(ValueType.OBJECT, fields={"sku": plain(ValueType.STRING), "n": plain(ValueType.INTEGER)}),
    ),
    "open": Shape(ValueType.LIST, items=plain(ValueType.OBJECT)),
}


def typed(text: str) -> tuple[ValueType | None, list[str]]:
    found: list[str] = []
    kind = static_type(parse(text), VARIABLES, {"text": plain(ValueType.STRING)}, found.append)
    return kind, found


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("context.i + 1", ValueType.INTEGER),
        ("context.n + 1", ValueType.NUMBER),
        ("context.n / 2", ValueType.NUMBER),
        ("context.any + 1", None),
        ("context.any / 2", ValueType.NUMBER),
        ("context.i < context.n", ValueType.BOOLEAN),
        ("context.s == event.text", ValueType.BOOLEAN),
        ("context.s == null", ValueType.BOOLEAN),
        ("len(context.l)", ValueType.INTEGER),
        ("max(context.n, 0)", ValueType.NUMBER),
        ("context.i if context.b else 1", ValueType.INTEGER),
        ("context.i if context.b else 'a'", None),
        ("context.unknown", None),
        ("state", ValueType.STRING),
        ("[1, 'a']", ValueType.LIST),
        ("context.any and context.b", ValueType.BOOLEAN),
        ("context.i in [1, 'a']", ValueType.BOOLEAN),
        ("1.5 in context.whole", ValueType.BOOLEAN),
        ("null in context.whole", ValueType.BOOLEAN),
        ("1 in context.l", ValueType.BOOLEAN),
        ("context.any in context.whole", ValueType.BOOLEAN),
        ("context.lines[0] not in context.lines", ValueType.BOOLEAN),
        ("1 in context.lines.n", ValueType.BOOLEAN),
        ("context.s in ['a', null]", ValueType.BOOLEAN),
        ("1 in []", ValueType.BOOLEAN),
    ],
)
def test_a_sound_expression_has_this_type_and_no_complaint(text: str, kind: ValueType | None) -> None:
    assert typed(text) == (kind, [])


@pytest.mark.parametrize(
    "text",
    [
        "context.s == context.i",
        "context.s > 3",
        "context.i + context.n",
        "context.i / context.i2",
        "context.i + 1.5",
        "context.s + context.i",
        "not context.i",
        "context.b and context.s",
        "context.b < true",
        "context.i in context.s",
        "len(context.i)",
        "-context.s",
        "null + 1",
        "1 if context.s else 2",
        "min(context.i, context.n)",
        "event.text == 1",
        "'a' in context.whole",
        "context.s not in context.whole",
        "1 in ['a', 'b']",
        "'x' in context.lines",
        "'x' in context.lines.n",
    ],
)
def test_an_operation_that_can_never_work_is_told(text: str) -> None:
    assert len(typed(text)[1]) == 1


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("1 in context.lines", "1 in context.lines.n"),
        ("context.s not in context.lines", "context.s not in context.lines.sku"),
        ("1 in context.open", "1 in context.open.<field>"),
    ],
)
def test_what_is_looked_for_among_objects_is_looked_for_in_a_field_of_them(text: str, field: str) -> None:
    (told,) = typed(text)[1]
    assert "compares values of one type" in told
    assert f"by a field of the items: {field}," in told


@pytest.mark.parametrize("around", ["coalesce({}, 1)", "min({}, 1)", "({} if true else 1)", "coalesce(1, {})"])
def test_what_is_nested_deeper_takes_as_much_longer(around: str) -> None:
    def work(depth: int) -> int:
        text = "1"
        for _ in range(depth):
            text = around.format(text)
        expression = parse(text)
        return calls(lambda: static_shape(expression, {}))

    work(2)
    assert work(20) <= 3 * work(10)


@pytest.mark.parametrize("text", ["{0} if true else {0}", "coalesce(null, {0})", "max({0}, {0} + {0})", "2 * {0}"])
def test_a_length_of_time_is_one_whatever_it_is_chosen_by(text: str) -> None:
    expression = parse(text.format('duration("2h")'))
    assert gives_duration(expression, {})
    assert static_shape(expression, {}) is None
