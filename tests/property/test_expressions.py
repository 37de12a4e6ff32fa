"""Random expressions: the printed text is read back as the same tree; values and types agree."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.random_cases import cases
from wfsim.errors import ExpressionError
from wfsim.model.evaluate import evaluate
from wfsim.model.expression_tree import (
    Arithmetic,
    Bool,
    Call,
    Compare,
    Expression,
    Field,
    Gather,
    IfElse,
    Index,
    Item,
    ListOf,
    Literal,
    Name,
    Negate,
    Not,
    Whole,
)
from wfsim.model.expressions import parse, to_text
from wfsim.model.shapes import plain
from wfsim.model.static import static_type
from wfsim.model.values import (
    DIVISION,
    FIELD,
    INDEX,
    NULL,
    OVERFLOW,
    TYPE,
    EvaluationFault,
    ValueType,
    check_value,
    kind_of,
)

LITERALS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
).map(Literal)
NAMES = st.sampled_from(
    [
        Name("context", "a"),
        Name("context", "b"),
        Name("event", "c"),
        Name("item", "d"),
        Whole("event"),
        Whole("state"),
    ]
)


LOOKED_AT = st.sampled_from([Item(), Field(Item(), "x"), Literal(1), Name("context", "a")])
BODIES = st.one_of(
    LOOKED_AT,
    st.builds(Compare, st.sampled_from(["==", "<", "in"]), LOOKED_AT, LOOKED_AT),
    st.builds(Gather, st.sampled_from(["sum", "any"]), LOOKED_AT, LOOKED_AT),
)


def _larger(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        inner.map(Negate),
        inner.map(Not),
        st.builds(Arithmetic, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner, inner),
        st.builds(Compare, st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"]), inner, inner),
        st.builds(Bool, st.sampled_from(["and", "or"]), several),
        st.builds(IfElse, inner, inner, inner),
        inner.map(lambda one: Call("len", (one,))),
        st.builds(Call, st.sampled_from(["min", "max", "coalesce"]), several),
        st.builds(lambda name, one: Call(name, (one,)), st.sampled_from(["lower", "upper", "text", "min"]), inner),
        st.builds(lambda name, a, b: Call(name, (a, b)), st.sampled_from(["startswith", "contains"]), inner, inner),
        st.builds(Index, inner, inner),
        # A field of a literal is not written, and `context.x` is a name.
        st.builds(Field, inner.filter(lambda one: not isinstance(one, Literal | Whole)), st.sampled_from(["x", "y"])),
        st.builds(Gather, st.sampled_from(["sum", "count", "any", "all"]), inner, BODIES),
        st.lists(inner, max_size=3).map(lambda items: ListOf(tuple(items))),
    )


EXPRESSIONS = st.recursive(st.one_of(LITERALS, NAMES), _larger, max_leaves=12)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.sampled_from([2**63 - 1, 2**53 + 1]),
    st.floats(-5, 5),
    st.text("ab", max_size=2),
    st.lists(st.integers(0, 2), max_size=2),
    st.lists(st.fixed_dictionaries({"x": st.integers(0, 2)}), max_size=2),
    st.fixed_dictionaries({"x": st.lists(st.booleans(), max_size=2)}),
)


@cases(200)
@given(EXPRESSIONS)
def test_the_text_of_a_tree_is_read_back_as_the_same_tree(tree: Expression) -> None:
    text = to_text(tree)
    if len(text) <= 2_000:
        assert parse(text) == tree
        assert to_text(parse(text)) == text


def _value(tree: Expression, a: Any, b: Any, c: Any) -> tuple[Any, str | None]:
    try:
        return evaluate(tree, {"a": a, "b": b}, {"c": c}, "s", {"d": 1}), None
    except EvaluationFault as fault:
        return None, fault.kind


@cases(200)
@given(EXPRESSIONS, VALUES, VALUES, VALUES)
def test_evaluation_gives_json_or_a_known_fault(tree: Expression, a: Any, b: Any, c: Any) -> None:
    value, kind = _value(tree, a, b, c)
    assert kind in (None, NULL, TYPE, OVERFLOW, DIVISION, INDEX, FIELD)
    assert check_value(ValueType.ANY, value) is None
    if isinstance(value, float) and value == 0.0:
        assert math.copysign(1.0, value) == 1.0 or isinstance(tree, Name | IfElse | Call)


@cases(200)
@given(EXPRESSIONS, VALUES, VALUES, VALUES)
def test_a_static_type_is_the_type_of_the_value(tree: Expression, a: Any, b: Any, c: Any) -> None:
    types = {name: plain(ValueType(kind_of(v))) for name, v in (("a", a), ("b", b)) if v is not None}
    payload = {"c": plain(ValueType(kind_of(c)))} if c is not None else {}
    kind = static_type(tree, types, payload)
    value, _ = _value(tree, a, b, c)
    if kind is not None and value is not None:
        assert kind_of(value) == kind.value


@cases(200)
@given(EXPRESSIONS, VALUES, VALUES, VALUES)
def test_a_complaint_about_an_operation_always_evaluated_means_a_fault(
    tree: Expression, a: Any, b: Any, c: Any
) -> None:
    if any(isinstance(part, Bool | IfElse | Gather) or part == _lazy(part) for part in _parts(tree)):
        return
    types = {name: plain(ValueType(kind_of(v))) for name, v in (("a", a), ("b", b)) if v is not None}
    payload = {"c": plain(ValueType(kind_of(c)))} if c is not None else {}
    found: list[str] = []
    static_type(tree, types, payload, found.append)
    if found:
        assert _value(tree, a, b, c)[1] is not None, f"{to_text(tree)}: {found}, but it has a value"


def _lazy(part: Any) -> Any:
    """The part, if it evaluates only what decides."""
    return part if isinstance(part, Call) and part.function == "coalesce" else None


def _parts(tree: Expression) -> list[Any]:
    from wfsim.model.expression_tree import walk

    return list(walk(tree))


@cases(200)
@given(st.text(st.sampled_from("context.event()[]'\"\\+-*/%<>=!&|~^@:;,{}$#?_ \n\t019aeinortx"), max_size=60))
def test_any_text_is_read_or_refused_never_anything_else(text: str) -> None:
    try:
        tree = parse(text)
    except ExpressionError:
        return
    assert parse(to_text(tree)) == tree
