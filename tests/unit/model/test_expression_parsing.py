"""Expressions: what is read, what is refused, and that refusing costs nothing."""

from __future__ import annotations

import pytest

from tests.work import calls
from wfsim.errors import ExpressionError
from wfsim.model.expression_tree import (
    Arithmetic,
    Bool,
    Call,
    Compare,
    IfElse,
    ListOf,
    Literal,
    Name,
    Negate,
    Not,
    TemplateList,
    TemplateLiteral,
    TemplateObject,
    Whole,
    names,
)
from wfsim.model.expressions import is_template, parse, parse_condition, parse_template, to_text

N = Name("context", "n")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("context.n", N),
        ("event.amount", Name("event", "amount")),
        ("item.recipient", Name("item", "recipient")),
        ("event", Whole("event")),
        ("state", Whole("state")),
        ("null", Literal(None)),
        ("None", Literal(None)),
        ("true", Literal(True)),
        ("False", Literal(False)),
        ("1", Literal(1)),
        ("1.5e3", Literal(1500.0)),
        ("'it\\'s'", Literal("it's")),
        ("-5", Literal(-5)),
        ("- 5", Literal(-5)),
        ("-(5)", Negate(Literal(5))),
        ("-context.n", Negate(N)),
        ("-9223372036854775808", Literal(-(2**63))),
        ("not true", Not(Literal(True))),
        ("1 + 2 * 3", Arithmetic("+", Literal(1), Arithmetic("*", Literal(2), Literal(3)))),
        ("7 // 2 % 2", Arithmetic("%", Arithmetic("//", Literal(7), Literal(2)), Literal(2))),
        ("context.n in [1, 'a']", Compare("in", N, ListOf((Literal(1), Literal("a"))))),
        ("context.n not in []", Compare("not in", N, ListOf(()))),
        (
            "0 < context.n <= 5",
            Bool("and", (Compare("<", Literal(0), N), Compare("<=", N, Literal(5)))),
        ),
        ("true and false and true", Bool("and", (Literal(True), Literal(False), Literal(True)))),
        ("1 if true else 2", IfElse(Literal(True), Literal(1), Literal(2))),
        ("len('abc')", Call("len", (Literal("abc"),))),
        ("max(1, 2, 3)", Call("max", (Literal(1), Literal(2), Literal(3)))),
        (" context.n\n  == 1", Compare("==", N, Literal(1))),
    ],
)
def test_an_allowed_text_is_read_as_this_tree(text: str, tree: object) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("9**9**9", "no power"),
        ("().__class__.__bases__", "__class__"),
        ("context.__class__", "__class__"),
        ("[x for x in [y for y in [1]]]", "'for' is not part"),
        ("lambda: 1", "'lambda' is not part"),
        ("(x := 1)", "nothing is assigned"),
        ("context.a = 1", "write `==`"),
        ("context.a && context.b", "write `and`"),
        ("!context.a", "write `not`"),
        ("context.a ? 1 : 2", "if condition else"),
        ("1 << 9", "bit operations"),
        ("~1", "'~' is not part"),
        ("1 | 2", "'|' is not part"),
        ("f'{context.a}'", "no prefix"),
        ("b'x'", "no prefix"),
        ("'a' 'b'", "side by side"),
        ("'''a'''", "side by side"),
        ("'\\N{BULLET}'", "not an escape"),
        ("'\\ud800'", "surrogate"),
        ("context.a[0:1]", "':' is not part"),
        ("count(context.a)", "a list, and a condition"),
        ("any(context.a, true, 1)", "a list, and a condition"),
        ("count", "count(...)"),
        ("item + 1", "item.<name>"),
        ("lower()", "one text"),
        ("contains('a')", "what it contains"),
        ("coalesce(1)", "two or more"),
        ("'a'.upper()", "only len"),
        ("print(1)", "only len"),
        ("now() > context.due", "write now, without brackets"),
        ("context.a == 'No ${context.n}'", "join texts: 'No ' + text(context.n)"),
        ("max()", "two or more"),
        ("max(*context.a)", "unpacked"),
        ("max(*context.a, 1)", "unpacked"),
        ("len(1, 2)", "takes one value"),
        ("len", "len(...)"),
        ("(1, 2)", "no tuples"),
        ("{'a': 1}", "objects are not written"),
        ("context.a is null", "'is' is not part"),
        ("await context.a", "'await' is not part"),
        ("+1", "plus sign"),
        ("0x10", "decimal"),
        ("1_000", "decimal"),
        ("1j", "decimal"),
        ("99999999999999999999", "64 bits"),
        ("9223372036854775808", "64 bits"),
        ("-9223372036854775809", "64 bits"),
        ("1e999", "finite"),
        ("1 <= (1 < 2) <= 3", "write it with `and`"),
        ("event.from", "reserved word"),
        ("ﬁ", "ASCII"),
        ("1 # two", "no comments"),
        ("${context.a}", "not nested"),
        ("context.a and", "not a complete"),
        ("(1", "not closed"),
        ("1)", "closes nothing"),
        ("", "empty"),
        ("a\x00b", "not part"),
    ],
)
def test_what_is_not_in_the_language_is_refused_with_its_reason(text: str, told: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert told in str(caught.value)
    assert "column" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "'" + "a" * 10_000_000 + "'",
        "(" * 20_000 + "1" + ")" * 20_000,
        "(" * 900 + "1" + ")" * 900,
        "[" * 900 + "]" * 900,
        "- " * 900 + "1",
        "not " * 450 + "true",
        "+".join("1" * 900),
        "9" * 1_999,
        "1<(" * 300 + "1" + "<2)<3" * 300,
        "1 if true else " * 120 + "1",
        "context.a" + " == context.a" * 150 + " ==",
        "len(" * 400 + "'a'" + ")" * 400,
    ],
)
def test_a_hostile_text_is_refused_after_little_work(text: str) -> None:
    def refused() -> None:
        with pytest.raises(ExpressionError):
            parse(text)

    assert calls(refused) < 50_000


def test_a_bare_name_is_refused_with_the_variable_it_may_mean() -> None:
    with pytest.raises(ExpressionError, match=r"did you mean `context\.attempts`"):
        parse("attempts < 3")


def test_an_error_knows_text_and_column() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("'é' == 'é' and attempts < 3")
    assert caught.value.column == 16
    assert caught.value.text == "'é' == 'é' and attempts < 3"


def test_one_true_and_one_point_zero_are_three_literals() -> None:
    assert len({Literal(1), Literal(True), Literal(1.0)}) == 3
    assert parse("1") != parse("true")
    assert parse("1") != parse("1.0")


@pytest.mark.parametrize("text", ["1", "context.a + 1", "'yes'", "[true]", "len('a')", "event", "-context.a"])
def test_a_condition_that_is_never_true_or_false_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match="true or false"):
        parse_condition(text)


def test_a_condition_is_written_without_braces() -> None:
    with pytest.raises(ExpressionError, match="without"):
        parse_condition("${context.a < 3}")
    assert parse_condition("context.a < 3") == parse("context.a < 3")


def test_a_text_with_expressions_among_its_words_is_put_together() -> None:
    assert parse_template({"a": ["${context.n}", 1, None], "b": "plain"}) == TemplateObject(
        (
            ("a", TemplateList((N, TemplateLiteral(1), TemplateLiteral(None)))),
            ("b", TemplateLiteral("plain")),
        )
    )
    assert is_template("${event}")
    assert not is_template("a ${event}")
    assert parse_template("Dear ${context.n}!") == parse("'Dear ' + text(context.n) + '!'")
    assert parse_template("${context.a}${context.b}") == parse("text(context.a) + text(context.b)")
    assert parse_template("${'}'} and ${'$'}{") == parse("text('}') + ' and ' + text('$') + '{'")
    with pytest.raises(ExpressionError, match="no } closes"):
        parse_template("Dear ${context.n")
    with pytest.raises(ExpressionError, match="more than 30 expressions"):
        parse_template("${context.n} " * 31)


@pytest.mark.parametrize("value", [float("nan"), 2**63, {1: 2}, object(), b"x"])
def test_a_template_holds_only_json(value: object) -> None:
    with pytest.raises(ExpressionError):
        parse_template(value)


def test_a_template_deeper_than_its_limit_is_refused() -> None:
    value: object = 1
    for _ in range(100):
        value = [value]
    with pytest.raises(ExpressionError, match="deeper"):
        parse_template(value)


def test_names_come_once_in_order() -> None:
    tree = parse("context.b if event.a and context.b > 1 else state")
    assert names(tree) == (Name("event", "a"), Name("context", "b"), Whole("state"))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("((context.n))+1", "context.n + 1"),
        ("1-(2-3)-4", "1 - (2 - 3) - 4"),
        ("-(1+2)*3", "-(1 + 2) * 3"),
        ("not(true and false)", "not (true and false)"),
        ("(1 if true else 2)if false else 3", "(1 if true else 2) if false else 3"),
        ('"it\'s"', "'it\\'s'"),
        ("(true or false)and true", "(true or false) and true"),
    ],
)
def test_the_canonical_text_needs_no_more_brackets_than_the_tree(text: str, canonical: str) -> None:
    assert to_text(parse(text)) == canonical
