"""Which values the environment sends: one for each way that a definition can tell values apart."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from wfsim.errors import NotCovered
from wfsim.exploration.domains import Domains
from wfsim.exploration.shaped import MOST_EXAMPLES, examples
from wfsim.model.shapes import Shape
from wfsim.model.values import ValueType
from wfsim.semantics.compile import compile_workflow
from wfsim.verification.workflows.candidates import MOST_PAYLOADS
from wfsim.verification.workflows.properties import Property
from wfsim.verification.workflows.space import explore_workflow


def workflow(
    payload: dict[str, Any] | None = None,
    condition: str | None = None,
    variables: dict[str, Any] | None = None,
    writes: dict[str, Any] | None = None,
    **state: Any,
) -> wf.Workflow:
    """a → c on go, perhaps with a condition and an assignment."""
    transition: dict[str, Any] = {"from": "a", "event": "go", "to": "c"}
    if condition is not None:
        transition["condition"] = condition
    transition["pre_actions"] = [
        {"action_type": "set_variable", "parameters": {"name": name, "value": value}}
        for name, value in (writes or {}).items()
    ]
    return wf.Workflow.model_validate(
        {
            "name": "w",
            "initial_state": "a",
            "events": {"go": {"payload": payload or {}}},
            "variables": variables or {},
            "states": [{"name": "a", **state}, {"name": "c", "is_terminal": True}],
            "transitions": [transition],
        }
    )


def candidates(flow: wf.Workflow, field: str = "k") -> list[Any]:
    return Domains(compile_workflow(flow)).of_field("go", field, flow.events["go"].payload[field])


def exact(flow: wf.Workflow) -> bool:
    return Domains(compile_workflow(flow)).exact


def inputs(flow: wf.Workflow, name: str = "v") -> list[Any]:
    return Domains(compile_workflow(flow)).of_variable(name, flow.variables[name])


def verdict(flow: wf.Workflow, name: str) -> str:
    (answer,) = wf.verify(flow, [Property(name)])  # type: ignore[operator]
    return str(answer.status)


def test_an_integer_is_tried_at_a_constant_and_on_both_sides_of_it() -> None:
    flow = workflow({"k": "integer"}, "event.k > 5")
    assert candidates(flow) == [4, 5, 6]
    assert exact(flow)


def test_an_integer_compared_with_a_fraction_is_tried_on_both_sides_of_it() -> None:
    found = candidates(workflow({"k": "integer"}, "event.k > 5.5"))
    assert {5, 6} <= set(found)
    assert all(isinstance(value, int) for value in found)


def test_no_candidate_leaves_the_64_bits_of_an_integer() -> None:
    assert candidates(workflow({"k": "integer"}, f"event.k < {2**63 - 1}")) == [2**63 - 2, 2**63 - 1]


def test_a_number_is_tried_in_every_gap_between_constants() -> None:
    found = candidates(workflow({"k": "number"}, "event.k > 0.0 and event.k < 0.5"))
    assert found == [-1.0, 0.0, 0.25, 0.5, 1.5]
    assert verdict(workflow({"k": "number"}, "event.k > 0.0 and event.k < 0.5"), "transitions_live") == "holds"


def test_neighbours_of_a_huge_number_are_other_numbers() -> None:
    assert len(set(candidates(workflow({"k": "number"}, "event.k < 1e300")))) == 3


def test_a_text_is_tried_equal_and_different() -> None:
    found = candidates(workflow({"k": "string"}, "event.k == 'gold'"))
    assert "gold" in found
    assert len(found) == 2


def test_a_text_compared_by_order_is_tried_below_and_above() -> None:
    found = candidates(workflow({"k": "string"}, "event.k < 'm'"))
    assert any(text < "m" for text in found)
    assert any(text > "m" for text in found)
    between = candidates(workflow({"k": "string"}, "event.k > 'a' and event.k < 'b'"))
    assert any("a" < text < "b" for text in between)


def test_a_list_of_constants_gives_each_of_them() -> None:
    assert {"x", "y"} < set(candidates(workflow({"k": "string"}, "event.k in ['x', 'y']")))


def test_null_is_tried_where_it_may_come_and_somebody_looks() -> None:
    looked_at = workflow({"k": {"type": "integer", "optional": True}}, "event.k > 5")
    assert None in candidates(looked_at)
    assert verdict(looked_at, "no_failure") == "violated"
    assert None not in candidates(workflow({"k": "integer"}, "event.k > 5"))
    assert candidates(workflow({"k": {"type": "integer", "optional": True}})) == [1]


def test_a_truth_value_is_tried_both_ways_once_it_is_read() -> None:
    assert set(candidates(workflow({"k": "boolean"}, "event.k"))) == {True, False}
    assert candidates(workflow({"k": "boolean"})) == [True]


def test_an_enumeration_is_tried_value_by_value() -> None:
    flow = workflow(None, "context.v == 'b'", {"v": {"type": "string", "input": True, "values": ["a", "b", "z"]}})
    found = Domains(compile_workflow(flow)).of_variable("v", flow.variables["v"])
    assert found == ["a", "b", "z"]
    assert exact(flow)


def test_inputs_stay_within_their_range() -> None:
    flow = workflow(None, "context.v > 5", {"v": {"type": "integer", "input": True, "maximum": 5}})
    assert Domains(compile_workflow(flow)).of_variable("v", flow.variables["v"]) == [4, 5]
    assert verdict(flow, "transitions_live") == "violated"


@pytest.mark.parametrize(
    ("limits", "tried"),
    [
        ({"minimum": 18}, [18]),
        ({"maximum": -5}, [-6]),
        ({"minimum": 0, "maximum": 9}, [1]),
        ({"minimum": 300, "maximum": 850, "initial": 300}, [300]),
        ({"minimum": 7, "maximum": 7}, [7]),
        ({}, [1]),
    ],
)
@pytest.mark.parametrize("kind", ["integer", "number"])
def test_an_input_that_nothing_looks_at_needs_one_value_within_its_range(
    kind: str, limits: dict[str, Any], tried: list[int]
) -> None:
    convert = float if kind == "number" else int
    flow = workflow(variables={"v": {"type": kind, "input": True} | {k: convert(v) for k, v in limits.items()}})
    assert inputs(flow) == tried
    assert verdict(flow, "states_reachable") == "holds"
    assert verdict(flow, "can_complete") == "holds"
    assert explore_workflow(flow, erase_conditions=True).n_states == 2


def test_limits_cut_the_values_that_are_compared() -> None:
    number = {"type": "number", "input": True, "minimum": 60.0, "maximum": 150.0}
    flow = workflow(None, "context.v > 0 and context.v < 100", {"v": number})
    assert inputs(flow) == [60.0, 80.0, 100.0, 125.0, 150.0]
    assert verdict(flow, "transitions_live") == "holds"
    far = {"type": "integer", "input": True, "minimum": 300, "maximum": 850, "initial": 300}
    flow = workflow(None, "context.v > 0", {"v": far})
    assert inputs(flow) == [300, 301, 849, 850]
    within = workflow(None, "context.v < 600", {"v": far})
    assert inputs(within) == [300, 301, 599, 600, 601, 849, 850]
    assert verdict(within, "can_complete") == "violated"


def test_a_saturating_input_is_tried_at_its_limits_and_not_beyond() -> None:
    flow = workflow(
        None, "context.v > 2", {"v": {"type": "integer", "input": True, "minimum": 5, "overflow": "saturate"}}
    )
    assert inputs(flow) == [5, 6]


@pytest.mark.parametrize("optional", [False, True])
def test_a_result_is_tried_within_the_range_of_its_variable(optional: bool) -> None:
    result = {"type": "integer", "minimum": 5, "initial": 5, "optional": optional}
    data = workflow(variables={"v": result}).model_dump(by_alias=True, exclude_none=True)
    data["states"][0]["activity"] = {"name": "f", "result_variable": "v"}
    data["activities"] = {"f": {"retry_policy": {"max_attempts": 1}}}
    data["transitions"] += (
        {"from": "a", "event": "error.f", "to": "c"},
        {"from": "a", "event": "error", "condition": "event.type == 'Expression.null'", "to": "c"},
    )
    flow = wf.Workflow.model_validate(data)
    assert inputs(flow) == [5]
    assert verdict(flow, "no_failure") == "holds"
    assert verdict(flow, "transitions_live") == "violated", "nobody reports null"
    assert explore_workflow(flow, erase_conditions=True).complete


def test_null_that_is_given_differs_from_an_initial_value_that_is_kept() -> None:
    number = {"type": "integer", "input": True, "optional": True, "initial": 1}
    assert verdict(workflow(None, "context.v == null", {"v": number}), "transitions_live") == "holds"
    anything = {"type": "any", "input": True, "initial": 1}
    assert verdict(workflow(None, "context.v == null", {"v": anything}), "transitions_live") == "holds"


def test_a_required_variable_without_any_value_is_an_error_that_names_it() -> None:
    flow = workflow(variables={"v": {"type": "integer", "input": True}})
    impossible = flow.variables["v"].model_copy(update={"minimum": 5, "maximum": 4})
    with pytest.raises(NotCovered, match=r"fits variable 'v' \(integer, minimum 5, maximum 4, values None\)"):
        Domains(compile_workflow(flow)).of_variable("v", impossible)
    optional = impossible.model_copy(update={"optional": True})
    assert Domains(compile_workflow(flow)).of_variable("v", optional) == [None]


def test_a_value_that_flows_on_by_a_computation_meets_the_limits_of_its_target() -> None:
    flow = workflow(
        {"k": "integer"}, None, {"v": {"type": "integer", "initial": 0, "maximum": 70}}, {"v": "${event.k + 1}"}
    )
    assert {69, 70, 71} <= set(candidates(flow))
    assert verdict(flow, "no_failure") == "violated"


def test_a_computed_input_is_tried_at_its_initial_value_too() -> None:
    flow = workflow(None, "context.v * 2 == 84", {"v": {"type": "integer", "input": True, "initial": 42}})
    assert 42 in inputs(flow)
    assert verdict(flow, "transitions_live") == "holds"


@pytest.mark.parametrize("text", ["text", "", "text 2"])
def test_a_text_has_another_beside_whatever_it_is_compared_with(text: str) -> None:
    flow = workflow({"k": "string"}, f"event.k == '{text}' or event.k == 'text'")
    assert set(candidates(flow)) - {text, "text"}
    ordered = workflow({"k": "string"}, f"event.k != '{text}' and event.k < 'z'")
    assert verdict(ordered, "transitions_live") == "holds"
    assert verdict(workflow({"k": "string"}, f"event.k != '{text}'"), "transitions_live") == "holds"


@pytest.mark.parametrize(
    ("condition", "fully"),
    [
        ("event.k == state", False),
        ("len(event) > 1", False),
        ("event == context.v", False),
        ("event != null and event.k == 'x'", True),
    ],
)
def test_a_whole_payload_or_the_name_of_the_state_is_only_sampled(condition: str, fully: bool) -> None:
    flow = workflow({"k": "string"}, condition, {"v": {"type": "object", "optional": True}})
    assert exact(flow) == fully


def test_a_whole_payload_that_is_kept_and_then_compared_is_only_sampled() -> None:
    kept = {"v": {"type": "object", "optional": True}, "w": {"type": "object", "initial": {}}}
    assert exact(workflow({"k": "integer"}, None, kept, {"v": "${event}"}))
    assert not exact(workflow({"k": "integer"}, "context.v == context.w", kept, {"v": "${event}"}))


def failing(condition: str, **policy: Any) -> wf.Workflow:
    """f runs in a; its errors lead on where the condition holds, and else close."""
    return wf.Workflow.model_validate(
        {
            "name": "w",
            "initial_state": "a",
            "states": [{"name": "a", "activity": {"name": "f"}}, {"name": "c", "is_terminal": True}],
            "activities": {"f": {"retry_policy": policy}},
            "transitions": [
                {"from": "a", "event": "done", "to": "c"},
                {"from": "a", "event": "error", "condition": condition, "to": "c"},
                {"from": "a", "event": "error", "condition": "event.source == 'f'", "to": None},
            ],
        }
    )


@pytest.mark.parametrize("name", ["Error", "text", "Card.Declined"])
def test_an_error_that_no_condition_names_is_tried(name: str) -> None:
    flow = failing(f"event.type == '{name}'", max_attempts=1)
    assert verdict(flow, "transitions_live") == "holds"
    final = failing("event.type == 'Error'", max_attempts=2, non_retryable_errors=[name])
    kinds = {edge.stimulus.error_type for edges in explore_workflow(final).edges for edge in edges}
    assert {name, "Error"} < kinds


def test_a_message_is_tried_where_somebody_looks() -> None:
    flow = failing("event.message != null", max_attempts=1)
    assert verdict(flow, "transitions_live") == "holds"
    assert exact(flow)
    other = failing("event.message != 'gone' and event.message != null", max_attempts=1)
    assert verdict(other, "transitions_live") == "holds"
    said = failing("event.message == 'gone'", max_attempts=1)
    assert {edge.stimulus.message for edges in explore_workflow(said).edges for edge in edges} == {None, "gone", "text"}


def test_a_result_meets_the_constants_that_done_compares_it_with() -> None:
    data = failing("event.type == 'Error'", max_attempts=1).model_dump(by_alias=True, exclude_none=True)
    data["variables"] = {"v": {"type": "integer", "optional": True}}
    data["states"][0]["activity"] |= {"result_variable": "v"}
    data["transitions"][0]["condition"] = "event.result == 77"
    assert 77 in inputs(wf.Workflow.model_validate(data))


def test_a_copied_value_meets_the_constants_of_its_copy() -> None:
    flow = workflow({"k": "integer"}, None, {"v": {"type": "integer", "initial": 0}}, {"v": "${event.k}"})
    data = flow.model_dump(by_alias=True, exclude_none=True)
    data["transitions"] += ({"from": "a", "event": "go", "to": "c", "condition": "context.v > 70"},)
    assert {70, 71} < set(candidates(wf.Workflow.model_validate(data)))


@pytest.mark.parametrize(
    ("kind", "variable"),
    [
        ("integer", {"type": "integer", "initial": 0, "maximum": 3}),
        ("integer", {"type": "integer", "initial": 0, "minimum": -3}),
        ("string", {"type": "string", "initial": "A", "values": ["A", "B"]}),
        ({"type": "integer", "optional": True}, {"type": "integer", "initial": 0}),
    ],
)
def test_a_value_that_does_not_fit_the_variable_it_is_copied_to_is_tried(kind: Any, variable: dict[str, Any]) -> None:
    flow = workflow({"k": kind}, None, {"v": variable}, {"v": "${event.k}"})
    assert exact(flow)
    assert verdict(flow, "no_failure") == "violated"


@pytest.mark.parametrize("kind", ["integer", "number"])
@pytest.mark.parametrize("more", [{}, {"optional": True}])
def test_a_duration_from_outside_may_be_negative(kind: str, more: dict[str, Any]) -> None:
    flow = workflow(None, None, {"v": {"type": kind, "input": True, **more}}, timeout="${context.v}")
    assert exact(flow)
    assert verdict(flow, "no_failure") == "violated"
    found = Domains(compile_workflow(flow)).of_variable("v", flow.variables["v"])
    assert (None in found) == bool(more)
    assert max(value for value in found if value is not None) > 3_200_000_000


def test_results_that_no_variable_takes_up_are_tried_where_they_are_read() -> None:
    data = workflow(None, None, None, None, activity={"name": "f"}).model_dump(by_alias=True, exclude_none=True)
    data["transitions"] += ({"from": "a", "event": "done", "to": "c", "condition": "event.result == 5"},)
    flow = wf.Workflow.model_validate(data)
    assert 5 in Domains(compile_workflow(flow)).of_result()
    assert verdict(flow, "transitions_live") == "holds"
    assert not exact(flow), "a result may be anything, a text too"


@pytest.mark.parametrize(
    "condition",
    [
        "event.k + 1 > 3",
        "event.k == context.v",
        "-event.k > 2",
        "min(event.k, 3) == 3",
        "(event.k if context.v > 1 else 2) * 2 == 4",
    ],
)
def test_values_that_are_computed_with_are_only_sampled(condition: str) -> None:
    flow = workflow({"k": "integer"}, condition, {"v": {"type": "integer", "initial": 0}})
    assert not exact(flow)


@pytest.mark.parametrize(
    ("kind", "condition"),
    [("any", "event.k == 3"), ("list", "event.k == [1]"), ("list", "len(event.k) > 2"), ("list", "3 in event.k")],
)
def test_values_without_a_fixed_shape_are_only_sampled(kind: str, condition: str) -> None:
    assert not exact(workflow({"k": kind}, condition))


def test_asking_only_for_null_is_exact_whatever_the_type() -> None:
    assert exact(workflow({"k": {"type": "list", "optional": True}}, "event.k != null"))


def test_counting_with_a_variable_of_ones_own_is_exact() -> None:
    flow = workflow(
        None, "context.v < 3", {"v": {"type": "integer", "initial": 0, "maximum": 3}}, {"v": "${context.v + 1}"}
    )
    assert exact(flow)
    assert verdict(flow, "no_failure") == "holds"


def test_computing_a_written_value_from_the_payload_is_only_sampled() -> None:
    flow = workflow({"k": "integer"}, None, {"v": {"type": "integer", "initial": 0}}, {"v": "${max(event.k, 1)}"})
    assert not exact(flow)


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("100 // event.k", "Expression.division"),
        ("100 % event.k", "Expression.division"),
        ("100 // (event.k - 7)", "Expression.division"),
        ("100 // (7 + event.k)", "Expression.division"),
        ("100 // (12 - event.k)", "Expression.division"),
        ("context.n + event.k", "Expression.overflow"),
        ("0 - event.k", "Expression.overflow"),
        ("-event.k", "Expression.overflow"),
        ("event.k * 2", "Expression.overflow"),
    ],
)
def test_values_with_which_arithmetic_goes_wrong_are_tried(expression: str, error: str) -> None:
    flow = workflow(
        {"k": "integer"}, variables={"n": {"type": "integer", "initial": 1}}, writes={"n": f"${{{expression}}}"}
    )
    (answer,) = wf.verify(flow, [Property("no_failure")])
    assert answer.status == "violated"
    assert error in answer.reason


def test_limits_of_a_range_are_tried_where_a_value_is_computed_with() -> None:
    flow = workflow(
        variables={
            "v": {"type": "integer", "input": True, "minimum": -50, "maximum": 1_000},
            "n": {"type": "integer", "initial": 0},
        },
        writes={"n": "${context.v * 2}"},
    )
    tried = inputs(flow)
    assert {0, 1, -1, -50, 1_000} <= set(tried)
    assert all(-50 <= value <= 1_000 for value in tried)


def test_a_value_that_is_only_passed_on_needs_one_candidate() -> None:
    flow = workflow({"k": "string"}, None, {"v": {"type": "string", "optional": True}}, {"v": "${event.k}"})
    assert candidates(flow) == ["text"]
    assert exact(flow)


def test_too_many_combinations_are_cut_and_told() -> None:
    names = [f"k{n}" for n in range(12)]
    condition = " and ".join(f"event.{name}" for name in names)
    assert 2 ** len(names) > MOST_PAYLOADS
    flow = workflow(dict.fromkeys(names, "boolean"), condition)
    space = explore_workflow(flow)
    assert space.complete
    assert not space.exact
    assert explore_workflow(workflow({"k0": "boolean"}, "event.k0")).exact


FOUR_EYES = """\
name: four_eyes
version: 1.0.0
initial_state: a
variables:
  first: {type: string, optional: true}
events: {approve: {payload: {by: string}}}
states: [{name: a}, {name: b}, {name: c, is_terminal: true}]
transitions:
  - from: a
    event: approve
    to: b
    pre_actions: [{action_type: set_variable, parameters: {name: first, value: "${event.by}"}}]
  - {from: b, event: approve, to: c, condition: context.first != event.by}
"""


def test_texts_compared_with_each_other_get_as_many_values_as_can_meet() -> None:
    flow = wf.loads(FOUR_EYES)
    found = Domains(compile_workflow(flow)).of_field("approve", "by", flow.events["approve"].payload["by"])
    assert len(set(found)) == 2
    assert exact(flow)
    assert verdict(flow, "transitions_live") == "holds"


def test_texts_with_an_order_between_them_are_only_sampled() -> None:
    flow = wf.loads(
        FOUR_EYES.replace("context.first != event.by", "context.first != null and context.first < event.by")
    )
    assert not exact(flow)


def test_more_texts_than_can_be_tried_are_only_sampled() -> None:
    many = ", ".join(f"k{n}: string" for n in range(5))
    conditions = " or ".join(f"event.by == event.k{n}" for n in range(5))
    flow = wf.loads(
        FOUR_EYES.replace("{by: string}", f"{{by: string, {many}}}").replace("context.first != event.by", conditions)
    )
    assert not exact(flow)


def test_an_integer_of_a_narrow_range_that_is_computed_with_is_tried_at_every_value() -> None:
    limits = {"type": "integer", "input": True, "minimum": 2, "maximum": 5}
    narrow = {"v": limits, "n": {"type": "integer", "initial": 0}}
    flow = workflow(variables=narrow, writes={"n": "${context.n + context.v}"})
    assert inputs(flow) == [2, 3, 4, 5]
    assert exact(flow)
    wide = {**narrow, "v": {**limits, "maximum": 500}}
    assert not exact(workflow(variables=wide, writes={"n": "${context.n + context.v}"}))


def test_a_variable_with_listed_values_that_is_computed_with_is_tried_at_each() -> None:
    listed = {"v": {"type": "integer", "input": True, "values": [1, 100]}, "n": {"type": "integer", "initial": 0}}
    flow = workflow(variables=listed, writes={"n": "${context.n + context.v}"})
    assert inputs(flow) == [1, 100]
    assert exact(flow)


def tried(declared: Any, condition: str) -> tuple[list[Any], bool]:
    """What is tried for the payload field `k`, and whether that stands for all values."""
    program = compile_workflow(workflow({"k": declared}, condition))
    domains = Domains(program)
    return domains.of_field("go", "k", program.events["go"].payload["k"]), domains.exact


def test_every_listed_value_of_a_payload_field_is_tried_however_many_there_are() -> None:
    words = [f"word {k}" for k in range(60)]
    assert tried({"type": "string", "values": words}, "event.k == 'word 59'") == (words, True)


def test_a_payload_field_is_tried_within_its_limits_and_on_each_side_of_what_it_is_compared_with() -> None:
    found, exact = tried({"type": "integer", "minimum": 2, "maximum": 90}, "event.k > 50")
    assert exact
    assert {2, 50, 51, 90} <= set(found) <= set(range(2, 91))


def test_texts_of_a_pattern_are_samples_for_the_others_need_not_be_among_them() -> None:
    found, exact = tried({"type": "string", "pattern": "[a-c]*"}, "event.k == '' or event.k == 'abc'")
    assert not exact
    assert set(found) == {"", "abc"}


def test_values_with_parts_differ_in_what_conditions_ask_of_them() -> None:
    declared = {"type": "list", "items": {"fields": {"n": {"type": "integer", "minimum": 0}, "s": "string"}}}
    found, exact = tried(declared, "count(event.k, item.n > 7 and item.s == 'x') > 0")
    assert not exact
    assert [] in found
    assert any(any(each["n"] > 7 for each in items) for items in found)
    assert any(any(each["s"] == "x" for each in items) for items in found)
    assert any(len(items) == 2 for items in found)


def test_fields_of_an_item_are_tried_together_and_not_only_one_at_a_time() -> None:
    shape = Shape(
        ValueType.OBJECT, fields={"a": Shape(ValueType.BOOLEAN), "b": Shape(ValueType.STRING, values=("x", "y", "z"))}
    )
    both = [{"a": a, "b": b} for a in (True, False) for b in "xyz"]
    found = examples(shape)
    assert sorted(map(str, found)) == sorted(map(str, both))
    # The plainest first, then what differs from it in one field.
    assert found[0] == both[0]
    assert [sum(each[name] != both[0][name] for name in "ab") for each in found] == [0, 1, 1, 1, 2, 2]
    assert all([each] in examples(Shape(ValueType.LIST, items=shape)) for each in both)


def test_of_many_fields_as_many_together_are_tried_as_there_is_room_for() -> None:
    shape = Shape(ValueType.OBJECT, fields={f"f{k}": Shape(ValueType.BOOLEAN) for k in range(20)})
    assert len(examples(shape)) == MOST_EXAMPLES
