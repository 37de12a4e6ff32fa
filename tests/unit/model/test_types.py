"""`types:` of a definition: how they are spelt, what is refused, what fits, and what they are in JSON Schema."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from tests.random_cases import cases
from wfsim.errors import DefinitionError
from wfsim.model import pattern as patterns
from wfsim.model.builder import Builder
from wfsim.model.changes import changes
from wfsim.model.declared import FieldType
from wfsim.model.lint import lint
from wfsim.model.renaming import rename
from wfsim.model.shapes import Shape, misfit, never_fits
from wfsim.model.values import ValueType
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import dumps, loads

HEAD = "name: w\nversion: 1.0.0\ninitial_state: s\nstates: [{name: s}]\n"


def problems(text: str) -> list[tuple[int | None, str]]:
    """Lines and messages of what keeps a definition from being loaded."""
    try:
        loads(HEAD + text)
    except DefinitionError as error:
        return [(line, message) for _, line, message in error.problems]
    return []


@pytest.mark.parametrize(
    ("spelt", "shape"),
    [
        ("string", Shape(ValueType.STRING)),
        ("{type: string, values: [a, b]}", Shape(ValueType.STRING, values=("a", "b"))),
        ("{a: string}", Shape(ValueType.OBJECT, fields={"a": Shape(ValueType.STRING)})),
        ("{fields: {type: string}}", Shape(ValueType.OBJECT, fields={"type": Shape(ValueType.STRING)})),
        ("{type: list, items: {a: integer}}", None),
        ("{optional: any}", None),
        ("{values: {type: list, items: string}}", None),
    ],
)
def test_a_type_is_spelt_in_its_shortest_way_and_read_back(spelt: str, shape: Shape | None) -> None:
    text = HEAD + f"activities: {{f: {{timeout: 1m, result: {spelt}}}}}\n"
    workflow = loads(text)
    result = workflow.activities["f"].result
    assert result is not None
    assert shape is None or result.shape == shape
    assert f"result: {spelt}" in dumps(loads(dumps(workflow)))
    assert loads(dumps(workflow)) == workflow


def test_a_name_of_types_means_what_is_written_there() -> None:
    workflow = loads(
        HEAD + "types: {size: {type: string, values: [s, m]}, shirt: {size: size, price: {type: number, minimum: 0}}}\n"
        "variables: {shirts: {type: list, items: shirt, optional: true}}\n"
    )
    shape = workflow.variables["shirts"].shape
    assert str(shape) == "list of shirt"
    assert misfit(shape, [{"size": "s", "price": 1}]) is None
    assert misfit(shape, [{"size": "s", "price": 1}, {"size": "xl", "price": 1}]) == (
        "[1].size: a string ('xl') is not one of 's', 'm'"
    )
    assert workflow == loads(dumps(workflow))


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("variables:\n  a: {type: drvier}\ntypes: {driver: {a: string}}\n", 6, "Did you mean 'driver'?"),
        ("events:\n  e: {payload: {a: strng}}\n", 6, "field 'a' of event 'e' is of type 'strng', which is not a type"),
        ("activities:\n  f: {input: {a: nope}}\n", 6, "input 'a' of activity 'f'"),
        ("activities:\n  f: {result: {a: nope}}\n", 6, "the result of activity 'f', fields.a"),
        ("types:\n  a: {next: a}\n", 6, "made of itself (a → a)"),
        ("types:\n  a: {next: {type: list, items: b}}\n  b: {back: a}\n", 6, "a → b → a"),
        ("types:\n  string: {a: integer}\n", 6, "one of the language"),
        ("types:\n  a: {type: string, minimum: 1}\n", 6, "only integer and number have one"),
        ("types:\n  a: {type: integer, minimum: 3, maximum: 1}\n", 6, "above the maximum"),
        ("types:\n  a: {type: integer, values: [x]}\n", 6, "cannot have the value 'x'"),
        ("types:\n  a: {type: integer, pattern: x}\n", 6, "only string has"),
        ("types:\n  a: {type: string, pattern: '(a|b)'}\n", 6, "is not a pattern"),
        ("types:\n  a: {type: string, items: string}\n", 6, "only list has"),
        ("events:\n  e: {payload: {a: {type: string, maximum: 3}}}\n", 6, "so it has no maximum"),
    ],
)
def test_a_type_that_means_nothing_is_refused_at_its_place(text: str, line: int, told: str) -> None:
    found = problems(text)
    assert found[0][0] == line
    assert any(told in message for _, message in found), found


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("${context.o.b}", "no field 'b'; fields are a, n"),
        ("${context.o.a + 1}", "string and integer"),
        ("${context.o}", "a string, and this is an object"),
        ("${context.l[0].n}", "a string, and this is an integer"),
        ("${context.l.a}", "a string, and this is a list"),
        ("${context.l['a']}", "an index is an integer"),
        ("${sum(context.l.a)}", "adds integers or numbers"),
        ("${count(context.l, item.n)}", "true or false"),
        ("${any(context.l, item.m == 1)}", "no field 'm'"),
    ],
)
def test_an_expression_that_can_never_work_is_told_from_the_types_of_parts(value: str, told: str) -> None:
    text = (
        "types: {o: {a: string, n: {type: integer, optional: true}}, kind: {type: string, values: [x, y]}}\n"
        "variables: {o: {type: o, input: true}, l: {type: list, items: o, input: true}, "
        "kind: {type: kind, input: true}, out: {type: string, optional: true, values: [p]}}\n"
        "transitions: [{from: s, event: e, pre_actions: [{action_type: set_variable, "
        f'parameters: {{name: out, value: "{value}"}}}}]}}]\n'
    )
    assert any(told in message for _, message in problems(text)), problems(text)


def test_what_an_activity_gives_is_known_where_its_state_is_left() -> None:
    """The one on `done` of a state whose activity declares nothing is not told."""
    text = (
        "name: w\ninitial_state: a\n"
        "activities: {f: {timeout: 1m, result: {ok: boolean}}, g: {timeout: 1m}}\n"
        "states: [{name: a, activity: f}, {name: b, activity: g}]\n"
        "transitions:\n"
        "  - {from: a, event: done, to: b, condition: event.result.okay}\n"
        "  - {from: b, event: done, to: a, condition: event.result.okay}\n"
    )
    with pytest.raises(DefinitionError) as caught:
        loads(text)
    (problem,) = caught.value.problems
    assert problem[1] == 6
    assert "there is no field 'okay' (did you mean 'ok'?); fields are ok" in problem[2]


def test_what_an_item_of_a_list_has_is_known_in_the_parameters_of_for_each() -> None:
    text = (
        "types: {line: {sku: string}}\nvariables: {lines: {type: list, items: line, input: true}}\n"
        "activities: {f: {timeout: 1m}}\n"
    )
    text = HEAD.replace("states: [{name: s}]", "") + text
    each = (
        'states: [{name: s, for_each: {items: "${context.lines}", as: line, activity: f, '
        'parameters: {sku: "${item.line.SKU}"}}}]'
    )
    assert loads(text + each.replace("SKU", "sku"))
    with pytest.raises(DefinitionError, match=r"there is no field 'skv' \(did you mean 'sku'\?\); fields are sku"):
        loads(text + each.replace("SKU", "skv"))


def test_a_type_has_a_measure_however_its_parts_are_shared() -> None:
    """Written out, the first of these would have more fields than there are atoms."""
    types = {f"t{k}": {f"f{j}": f"t{k + j}" for j in range(1, 4)} for k in range(150)}
    types |= {f"t{150 + j}": {"x": "string"} for j in range(3)}
    with pytest.raises(DefinitionError, match="is too large: with the types inside it"):
        loads(HEAD + f"types: {json.dumps(types)}\n")
    chain = {f"t{k}": {"next": f"t{k + 1}"} for k in range(25)} | {"t25": {"x": "string"}}
    workflow = loads(HEAD + f"types: {json.dumps(chain)}\nvariables: {{a: {{type: t0, optional: true}}}}\n")
    assert misfit(workflow.variables["a"].shape, {}) == ".next is missing"
    endless = {f"t{k}": {"next": f"t{k + 1}"} for k in range(2_000)} | {"t2000": {"x": "string"}}
    with pytest.raises(DefinitionError, match="nested deeper than 32 levels"):
        loads(HEAD + f"types: {json.dumps(endless)}\n")
    written_out: Any = "string"
    for _ in range(40):
        written_out = {"a": written_out}
    with pytest.raises(DefinitionError, match="type 't' is nested deeper than 32 levels"):
        Builder("w").state("s", initial=True).type("t", written_out).build()


# Patterns ------------------------------------------------------------------------------------------------

SIGNS = ["a", "b", "[ab]", "[^a]", ".", r"\.", "[b-d]"]
TIMES = ["", "?", "*", "+", "{2}", "{1,2}"]
PATTERNS = st.lists(st.tuples(st.sampled_from(SIGNS), st.sampled_from(TIMES)), max_size=4).map(
    lambda parts: "".join(sign + times for sign, times in parts)
)


@cases(200)
@given(PATTERNS, st.text("abc.", max_size=6))
def test_a_pattern_matches_what_a_regular_expression_matches(pattern: str, text: str) -> None:
    assert patterns.matches(pattern, text) == (re.fullmatch(pattern, text, re.DOTALL) is not None)


@cases(200)
@given(PATTERNS, PATTERNS)
def test_two_patterns_meet_in_a_text_that_both_match(first: str, second: str) -> None:
    common = patterns.meet(first, second)
    if common is not None:
        assert patterns.matches(first, common)
        assert patterns.matches(second, common)
    else:
        of_first, of_second = (patterns.meet(each, each) for each in (first, second))
        assert of_first is None or not patterns.matches(second, of_first)
        assert of_second is None or not patterns.matches(first, of_second)


def test_a_text_that_a_pattern_could_take_for_ever_is_decided_in_one_pass() -> None:
    assert not patterns.matches("a*a*a*a*a*a*a*a*a*a*b", "a" * patterns.LONGEST_MATCHED)
    assert not patterns.matches("a*", "a" * (patterns.LONGEST_MATCHED + 1))
    with pytest.raises(ValueError, match="more than 200 signs"):
        patterns.places("a{100}b{101}")


# Types against types -------------------------------------------------------------------------------------


def shape(text: str, **types: Any) -> Shape:
    declared = {"n": "integer", **types}
    workflow = Builder("w").state("s", initial=True).type("given", {"it": text, **declared}).build()
    fields = workflow.types["given"].shape.fields
    assert fields is not None
    return fields["it"]


@pytest.mark.parametrize(
    ("target", "source", "fits"),
    [
        ("number", "integer", True),
        ("integer", "number", False),
        ("any", "string", True),
        ({"type": "integer", "minimum": 3}, {"type": "integer", "maximum": 2}, False),
        ({"type": "integer", "minimum": 3}, {"type": "integer", "maximum": 3}, True),
        ({"type": "string", "values": ["a"]}, {"type": "string", "values": ["b"]}, False),
        ({"type": "string", "values": ["a"]}, "string", True),
        ({"type": "string", "pattern": "a+"}, {"type": "string", "pattern": "b+"}, False),
        ({"type": "string", "pattern": "a+"}, {"type": "string", "pattern": "[ab]+"}, True),
        ({"a": "string"}, {"b": "string"}, False),
        ({"a": "string"}, {"a": "string", "b": "string"}, False),
        ({"a": {"type": "string", "optional": True}}, {"b": {"type": "string", "optional": True}}, True),
        ({"a": "string"}, {"a": "integer"}, False),
        ({"a": "string"}, "object", True),
        ({"type": "list", "items": "string"}, {"type": "list", "items": "integer"}, False),
        ({"type": "list", "items": "string"}, "list", True),
    ],
)
def test_a_type_never_fits_another_only_where_no_value_does(target: Any, source: Any, fits: bool) -> None:
    assert (never_fits(shape(target), shape(source)) is None) is fits


# JSON Schema ---------------------------------------------------------------------------------------------


class Address(BaseModel):
    street: str
    number: int = Field(ge=1)


class Customer(BaseModel):
    name: str
    addresses: list[Address]
    kind: Literal["private", "firm"]
    rating: float | None = Field(default=None, ge=0, le=5)


def test_a_pydantic_model_is_a_type_and_those_it_names_are_types_too() -> None:
    workflow = Builder("w").state("s", initial=True).type("customer", schema=Customer).build()
    assert list(workflow.types) == ["Address", "customer"]
    found = workflow.types["customer"].shape
    good = {"name": "Ann", "addresses": [{"street": "High", "number": 3}], "kind": "firm", "rating": 4.0}
    assert misfit(found, good) is None
    assert misfit(found, {**good, "rating": 6.0}) == ".rating: 6.0 is above 5"
    assert (
        misfit(found, {**good, "addresses": [{"street": "High", "number": 0}]}) == ".addresses[0].number: 0 is below 1"
    )
    assert misfit(found, {key: value for key, value in good.items() if key != "rating"}) is None
    assert loads(dumps(workflow)) == workflow


def test_a_type_and_its_json_schema_say_the_same() -> None:
    given = {
        "name": "string",
        "phone": {"type": "string", "pattern": "[+][0-9]+", "optional": True},
        "lines": {"type": "list", "items": {"n": {"type": "integer", "minimum": 1, "maximum": 9}}},
        "kind": {"type": "string", "values": ["a", "b"]},
        "free": "any",
    }
    written = Builder("w").state("s", initial=True).type("t", given).build().types["t"]
    again = Builder("w").state("s", initial=True).type("t", schema=written.json_schema()).build().types["t"]
    assert again.json_schema() == written.json_schema()
    assert again.shape == written.shape


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": ["string", "integer"]}, "of one type"),
        ({"type": "string", "minLength": 3}, "minLength cannot be said"),
        ({"type": "string", "pattern": "a"}, "may match a part"),
        ({"type": "object", "properties": {"a": {"$ref": "other.json"}}}, "t.a: 'other.json' is not found"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "of one type"),
        ({"type": "number", "exclusiveMinimum": 0}, "Give minimum instead"),
        (3, "no JSON Schema"),
    ],
)
def test_what_types_cannot_say_is_refused(schema: Any, told: str) -> None:
    with (
        pytest.raises(DefinitionError, match=re.escape(told))
        if told != "no JSON Schema"
        else pytest.raises(DefinitionError, match="give a JSON Schema")
    ):
        Builder("w").type("t", schema=schema)


def test_a_change_that_an_open_instance_cannot_follow_is_told_of_the_parts_of_a_type() -> None:
    old = loads(HEAD + "types: {o: {a: string}}\nvariables: {o: {type: o, input: true}}\n")
    new = loads(HEAD + "types: {o: {a: integer}}\nvariables: {o: {type: o, input: true}}\n")
    assert [each.code for each in changes(old, new)] == ["variable-type"]
    assert isinstance(old.types["o"], FieldType)


def test_renaming_a_variable_follows_it_into_texts_indices_and_functions() -> None:
    text = (
        "variables: {a: {type: list, input: true}, out: {type: string, optional: true}}\n"
        "transitions:\n"
        "  - from: s\n    event: e\n    condition: any(context.a, item == context.a[0])\n"
        "    pre_actions: [{action_type: set_variable, parameters: "
        "{name: out, value: 'No ${context.a[-1]} of ${len(context.a)}, ${1}'}}]\n"
    )
    workflow = loads(HEAD + text)
    data = json.loads(workflow.model_dump_json(by_alias=True, exclude_unset=True))
    rename(workflow, data, ("variables", "a"), "b")
    transition = Workflow.model_validate(data).transitions[0]
    assert transition.condition == "any(context.b, item == context.b[0])"
    value = data["transitions"][0]["pre_actions"][0]["parameters"]["value"]
    assert value == "No ${context.b[-1]} of ${len(context.b)}, ${1}"


EACH = """\
name: w
initial_state: a
variables: {got: {type: list, items: KEPT, optional: true, output: true}}
activities: {f: {timeout: 1m, result: {ok: boolean}}}
states:
  - {name: a, for_each: {items: [1, 2], as: x, activity: f, result_variable: got MORE}}
  - {name: z, is_terminal: true}
transitions: [{from: a, event: done, to: z, condition: "ASKED"}, {from: a, event: [done, error], to: z}]
"""
COLLECTED = ", on_failure: collect"
TOLERANT = ", on_failure: collect, tolerated_failures: 1"
KEPT = "{ok: boolean, value: {type: object, optional: true}, error: {type: object, optional: true}}"


@pytest.mark.parametrize(
    ("more", "asked", "told"),
    [
        ("", "all(event.result, item.ok)", ""),
        ("", "event.result[0].okay", "there is no field 'okay' (did you mean 'ok'?); fields are ok"),
        ("", "event.result.ok", "a condition is true or false, and this is a list"),
        (COLLECTED, "all(event.result, item.ok and item.value.ok)", ""),
        (COLLECTED, "any(event.result, item.error != null and item.error.type == 'Busy')", ""),
        (COLLECTED, "all(event.result, item.okk)", "there is no field 'okk' (did you mean 'ok'?)"),
        (COLLECTED, "any(event.result, item.value.done)", "there is no field 'done'; fields are ok"),
        (
            TOLERANT,
            "any(event.result, item.error.kind == 'Busy')",
            "there is no field 'kind'; fields are type, message",
        ),
    ],
)
def test_what_comes_of_each_item_is_known_where_the_state_is_left(more: str, asked: str, told: str) -> None:
    text = EACH.replace("MORE", more).replace("ASKED", asked).replace("KEPT", "object")
    if told:
        with pytest.raises(DefinitionError, match=re.escape(told)):
            loads(text)
    else:
        loads(text)


@pytest.mark.parametrize(
    ("more", "kept", "fits"),
    [
        ("", "{ok: boolean}", True),
        ("", "{okay: boolean}", False),
        (COLLECTED, KEPT, True),
        (COLLECTED, "{okay: boolean}", False),
        (TOLERANT, KEPT, True),
        (TOLERANT, "{okay: boolean}", False),
    ],
)
def test_results_of_items_are_held_against_the_variable_that_keeps_them(more: str, kept: str, fits: bool) -> None:
    found = lint(loads(EACH.replace("MORE", more).replace("ASKED", "true").replace("KEPT", kept)))
    assert ("activity-result" not in {each.code for each in found}) is fits
