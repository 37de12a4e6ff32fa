"""What people type becomes a value that fits, or a sentence that says how to write it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.random_cases import cases
from wfsim.errors import WfsimError
from wfsim.model.duration import time_text
from wfsim.model.values import ValueType, check_value
from wfsim.widgets.values import Parameter, read_value, value_text


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("string", "3", "3"),
        ("string", "", ""),
        ("integer", " 3 ", 3),
        ("number", "2.5", 2.5),
        ("number", 2, 2),
        ("boolean", "true", True),
        ("list", '["a", 1]', ["a", 1]),
        ("object", '{"a": null}', {"a": None}),
        ("any", "[1]", [1]),
        ("any", "plain words", "plain words"),
        ("any", "null", None),
    ],
)
def test_text_is_read_by_its_type(kind: str, given: Any, value: Any) -> None:
    read = read_value(Parameter("x", ValueType(kind)), given)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("integer", "three", "x: 'three' is not an integer. Write a whole number: 3."),
        ("integer", "2.5", "x: a number (2.5) is not an integer. Write a whole number: 3."),
        ("integer", "", "x: '' is not an integer."),
        ("integer", None, "x (integer) is needed."),
        ("string", None, "x (string) is needed. Write a text."),
        ("number", "NaN", "x: "),
        ("number", "1e999", "x: "),
        ("boolean", "yes", "x: 'yes' is not a boolean. Write true or false."),
        ("boolean", 1, "x: an integer (1) is not a boolean"),
        ("list", "a, b", "x: 'a, b' is not a list. Write a list as JSON"),
        ("list", "[" * 100_000, "x: "),
        ("any", {1, 2}, "x: "),
    ],
)
def test_what_does_not_fit_is_explained(kind: str, given: Any, said: str) -> None:
    with pytest.raises(WfsimError) as caught:
        read_value(Parameter("x", ValueType(kind)), given)
    assert str(caught.value).startswith(said)


def test_empty_text_is_no_value_where_none_is_needed() -> None:
    for kind in ValueType:
        assert read_value(Parameter("x", kind, required=False), " ") is None


def test_a_value_outside_the_allowed_ones_is_refused() -> None:
    parameter = Parameter("currency", ValueType.STRING, choices=("EUR", "USD"), only_choices=True)
    assert read_value(parameter, "USD") == "USD"
    with pytest.raises(WfsimError, match="currency: 'DM' is not one of 'EUR', 'USD'"):
        read_value(parameter, "DM")


@cases(200)
@given(st.sampled_from(ValueType), st.booleans(), st.one_of(st.text(), st.from_regex(r"-?[0-9]{1,30}(\.[0-9]+)?")))
def test_any_text_gives_a_value_that_fits_or_a_sentence(kind: ValueType, required: bool, text: str) -> None:
    try:
        value = read_value(Parameter("x", kind, required), text)
    except WfsimError:
        assert kind is not ValueType.STRING
        return
    assert (value is None and (not required or kind is ValueType.ANY)) or check_value(kind, value) is None


def test_times_are_read_in_days_hours_minutes_and_seconds() -> None:
    assert [time_text(each) for each in (0, 1_500_000, 7_201_000_000, 90_061_000_000)] == [
        "0:00:00",
        "0:00:01.5",
        "2:00:01",
        "1d 1:01:01",
    ]


def test_long_values_are_cut() -> None:
    assert value_text("ü") == '"ü"'
    assert len(value_text("x" * 1000)) == 200
