"""What does not load says which key is wrong, in which line, and what is meant perhaps."""

from __future__ import annotations

import pytest

from tests.mistakes import CORPUS
from wfsim.errors import DefinitionError
from wfsim.model.expressions import parse
from wfsim.model.yaml_io import load, loads

TEXT = (CORPUS / "holiday_request.yaml").read_text(encoding="utf-8")
MISSPELT = {
    "a state, first": ("initial_state: checking", "initial_state: cheking", "initial_state", "'checking'"),
    "a state, later": ("to: booking", "to: bookin", "transitions[].to", "'booking'"),
    "a state with a timeout": (
        "unhandled: reject",
        "timeouts: {states: {wating: 1h}}\nunhandled: reject",
        "timeouts.states.<name>",
        "'waiting'",
    ),
    "a variable that is read": ("context.days >", "context.dayz >", "transitions[].condition", "context.days"),
    "a variable that is written": (
        "result_variable: left",
        "result_variable: lft",
        "states[].activity.result_variable",
        "'left'",
    ),
    "an activity": ("name: count_days", "name: count_dys", "states[].activity.name", "'count_days'"),
    "a source of errors": (
        "{from: booking, event: error,",
        "{from: booking, event: error.book_day,",
        "transitions[].event",
        "'book_days'",
    ),
    "a key": ("outcome: failure", "outcom: failure", "states[].outcom", "'outcome'"),
    "a value": ("unhandled: reject", "unhandled: rejct", "unhandled", "'reject'"),
    "a type": ("type: integer, input", "type: integr, input", "variables.<name>.type", "'integer'"),
    "a type of another language": ("type: string, input", "type: text, input", "variables.<name>.type", "'string'"),
    "a kind of action": (
        "action_type: set_variable",
        "action_type: set_varible",
        "transitions[].pre_actions[]",
        "'set_variable'",
    ),
    "a function": ("context.days >", "length(context.days) >", "transitions[].condition", "len(...)"),
    "a constant": ("!= null", "!= none", "transitions[].condition", "`null`"),
    "a scope": ("context.left != null", "contex.left != null", "transitions[].condition", "`context.left`"),
}


@pytest.mark.parametrize(("right", "wrong", "code", "meant"), MISSPELT.values(), ids=MISSPELT)
def test_a_misspelt_name_is_told_with_its_key_its_line_and_the_right_one(
    right: str, wrong: str, code: str, meant: str
) -> None:
    assert right in TEXT
    with pytest.raises(DefinitionError) as caught:
        loads(TEXT.replace(right, wrong, 1), "holiday.yaml")
    (problem,) = caught.value.problems
    line = TEXT[: TEXT.index(right)].count("\n") + 1
    assert problem[:2] == ("holiday.yaml", line)
    assert f"id you mean {meant}" in problem[2]
    assert caught.value.codes == [code]


def test_every_problem_of_several_has_a_code() -> None:
    text = TEXT.replace("to: booking", "to: bookin").replace("type: integer, input", "type: integer, minimum: a, input")
    with pytest.raises(DefinitionError) as caught:
        loads(text)
    assert len(caught.value.codes) == len(caught.value.problems)


@pytest.mark.parametrize("text", ["", "- a", "a: [", "a: 1\na: 2"])
def test_what_is_wrong_with_all_of_a_text_has_a_code_too(text: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        loads(text)
    assert caught.value.codes == ["workflow"]


def test_a_file_that_cannot_be_read_has_a_code_too() -> None:
    with pytest.raises(DefinitionError) as caught:
        load(CORPUS / "exams.yaml")
    assert caught.value.codes == ["file"]
    assert "Did you mean 'exam.yaml'?" in str(caught.value)


def test_an_expression_by_itself_has_a_code() -> None:
    with pytest.raises(DefinitionError) as caught:
        parse("contex.a")
    assert caught.value.codes == ["expression"]
