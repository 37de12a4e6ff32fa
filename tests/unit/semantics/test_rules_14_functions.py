"""M14: functions in Python, where the expression language ends."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.semantics.told import Told, set_variable, terminal, workflow
from wfsim.errors import DefinitionError, FunctionError, StartRefused
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import dumps, loads
from wfsim.verification.property import Property
from wfsim.verification.verdict import Status, Verdict
from wfsim.verification.workflows.properties import verify
from wfsim.verification.workflows.space import explore_workflow

RISK = {"risk": {"input": {"amount": "number", "country": "string"}, "result": {"type": "number", "minimum": 0}}}


def definition(
    condition: str | None = None, *more: Any, functions: dict[str, Any] | None = None, **rest: Any
) -> Workflow:
    """`a → b on go [condition]`, then `a → c on go`."""
    transitions = [{"from": "a", "event": "go", "to": "b", "condition": condition, "pre_actions": list(more)}]
    transitions.append({"from": "a", "event": "go", "to": "c"})
    rest.setdefault("variables", {"n": {"type": "number", "initial": 0.0}})
    events = {"go": {"payload": {"amount": {"type": "any", "optional": True}}}}
    return workflow(
        ["a", terminal("b"), terminal("c")], transitions, functions=functions or RISK, events=events, **rest
    )


def told(condition: str | None, *more: Any, risk: Callable[..., Any], **rest: Any) -> Told:
    return Told(definition(condition, *more, **rest).with_functions(risk=risk))


def failed(it: Told) -> str:
    """The type of the error that an instance was closed by."""
    return str(it.one("instance_closed").payload["reason"])


# --- 14.1: declared -------------------------------------------------------------------------------


def test_m14_1_a_call_stands_wherever_an_expression_does() -> None:
    text = """
name: everywhere
initial_state: a
functions:
  twice: {input: {n: integer}, result: integer}
  texts: {input: {n: integer}, result: {type: list, items: string}}
correlation: {key: functions.twice(context.n)}
variables: {n: {type: integer, input: true}, got: {type: any, optional: true}}
events: {go: {payload: {n: integer}}}
activities: {f: {}}
states:
  - {name: a, timeout: "${functions.twice(context.n)}"}
  - name: b
    for_each: {items: "${functions.texts(context.n)}", activity: f, as: one, parameters: {x: "${functions.twice(2)}"}}
transitions:
  - {from: a, to: b, event: go, condition: "functions.twice(event.n) == 4 and functions.twice(1) == 2"}
  - from: a
    event: go
    pre_actions:
      - action_type: set_variable
        parameters: {name: got, value: {a: ["${functions.twice(event.n)}"], b: "n = ${functions.twice(3)}"}}
"""
    whole = loads(text, functions={"twice": lambda n: 2 * n, "texts": lambda n: ["x"] * n})
    it = Told(whole, n=3)
    assert it.instance.correlation_key == 6
    assert [timer.due for timer in it.instance.timers()] == [6_000_000]
    it.event("go", n=5)
    assert it.variables["got"] == {"a": [10], "b": "n = 6"}
    it.event("go", n=2)
    assert [row.payload["input"] for row in it.records if row.kind == "activity_scheduled"] == [{"x": 4}] * 3


def test_m14_1_a_call_reads_what_its_arguments_read_and_writes_nothing() -> None:
    it = told(None, set_variable("n", "${functions.risk(event.amount, state)}"), risk=lambda amount, country: 5)
    it.event("go", amount=1.0)
    assert it.one("transition").payload["set"] == {"n": 5.0}


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("functions.rsk(1, 'x') > 1", "Did you mean functions.risk?"),
        ("functions.risk(1) > 1", "gives functions.risk 1 arguments, and it takes 2 (amount, country)."),
        ("functions.risk(true, 'x') > 1", "the argument 'amount' never fits"),
        ("functions.risk(null, 'x') > 1", "the argument 'amount' is not optional"),
        ("functions.risk(1, 'x') == 'high'", "compares values of one type"),
        ("functions.risk(1, 'x')", "a condition is true or false, and this is a number"),
        ("functions.risk == 1", "functions.risk is a function: functions.risk(...)"),
        ("functions == 1", "functions is no value; call one"),
        ("rsk(1, 'x') == 1", "and functions.<name> are called"),
    ],
)
def test_m14_1_what_can_never_be_called_is_refused_when_loading(condition: str, told: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        definition(condition)
    assert told in str(refused.value)


def test_m14_1_types_of_arguments_and_results_are_checked() -> None:
    with pytest.raises(DefinitionError) as refused:
        definition(functions={"risk": {"input": {"amount": "amonut"}, "result": {"type": "string", "minimum": 1}}})
    assert "input 'amount' of function 'risk' is of type 'amonut', which is not a type" in str(refused.value)
    assert "the result of function 'risk' is of type string, so it has no minimum" in str(refused.value)


def test_m14_1_named_types_are_known_in_declarations() -> None:
    money = {"type": "number", "minimum": 0, "maximum": 100}
    declared = {"risk": {"input": {"amount": "Money", "country": "string"}, "result": "Money"}}
    it = Told(
        definition("functions.risk(event.amount, 'x') > 1", functions=declared, types={"Money": money}).with_functions(
            risk=lambda amount, country: amount
        )
    )
    it.event("go", amount=101)
    assert failed(it) == "Expression.range"


# --- 14.2: called ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "fault"), [(None, "Expression.null"), ("many", "Expression.type"), (2**53 + 1, "Expression.type")]
)
def test_m14_2_an_argument_that_does_not_fit_is_an_error_and_nothing_is_called(amount: Any, fault: str) -> None:
    asked: list[Any] = []
    it = told("functions.risk(event.amount, 'x') > 1", risk=lambda *given: asked.append(given))
    it.event("go", amount=amount)
    assert (failed(it), asked) == (fault, [])


def test_m14_2_arguments_come_by_place_and_integers_as_numbers() -> None:
    asked: list[Any] = []

    def risk(amount: Any, country: Any) -> int:
        asked.append((amount, type(amount), country))
        return 2

    it = told("functions.risk(event.amount, 'x') == 2.0", risk=risk)
    it.event("go", amount=3)
    assert (it.instance.state, asked) == ("b", [(3.0, float, "x")] * 2)


def test_m14_2_operands_are_evaluated_from_left_to_right_and_the_first_fault_counts() -> None:
    it = told("functions.risk(event.amount, text(1 // 0)) > 1", risk=lambda *given: 1)
    it.event("go", amount=None)
    assert failed(it) == "Expression.division"


def test_m14_2_a_call_for_each_item_of_a_list_is_made_for_each() -> None:
    it = told("sum(event.amount, functions.risk(item, 'x')) == 12.0", risk=lambda amount, country: 2 * amount)
    it.event("go", amount=[1, 2, 3])
    assert it.instance.state == "b"


# --- 14.3: of its arguments alone -----------------------------------------------------------------


def test_m14_3_each_list_of_arguments_is_asked_twice_and_then_known() -> None:
    asked: list[float] = []

    def risk(amount: float, country: str) -> float:
        asked.append(amount)
        return amount

    whole = definition("functions.risk(1, 'x') + functions.risk(2, 'x') + functions.risk(1, 'x') == 4.0")
    given = whole.with_functions(risk=risk)
    for _ in range(3):
        it = Told(given)
        it.event("go")
        assert it.instance.state == "b"
    assert asked == [1.0, 1.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([1.0, 2.0], 'for (1.0, "x") it gave 1.0, and then 2.0'),
        (
            [1.0, ValueError("no")],
            "it gave 1.0, and then none (functions.risk raised ValueError for (1.0, \"x\"): 'no')",
        ),
        ([ValueError("no"), 1.0], "and then 1.0"),
        ([MemoryError()], "Whether it has an answer is not known"),
    ],
)
def test_m14_3_a_step_with_two_answers_is_refused_and_has_not_been_begun(answers: list[Any], told: str) -> None:
    left = iter(answers)

    def risk(amount: float, country: str) -> Any:
        answer = next(left, 7.0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    it = Told(definition("functions.risk(1, 'x') == 7.0").with_functions(risk=risk))
    before = it.instance.copy()
    with pytest.raises(FunctionError) as refused:
        it.instance.event(5, "go", event_id="first")
    assert told in str(refused.value)
    assert (it.instance.version, it.variables, it.instance.events_seen) == (before.version, before.variables, {})
    # Nothing is lost: the same event may come again, to a function that has come to its senses.
    it.instance.event(5, "go", event_id="first")
    assert it.instance.state == "b"


def test_m14_3_two_exceptions_are_one_answer() -> None:
    number = itertools.count()

    def risk(amount: float, country: str) -> float:
        raise ValueError(next(number))

    it = told("functions.risk(1, 'x') > 1", risk=risk)
    it.event("go")
    assert failed(it) == "Expression.function"


def test_m14_3_what_a_function_does_to_lists_reaches_nobody() -> None:
    declared = {"risk": {"input": {"l": "list"}, "result": {"type": "list", "items": "integer"}}}
    kept: list[Any] = []

    def risk(given: list[Any]) -> list[Any]:
        given.append(9)
        kept.append(given)
        return given

    it = told(
        None,
        set_variable("l", "${functions.risk(context.l)}"),
        risk=risk,
        functions=declared,
        variables={"l": {"type": "list", "initial": [1]}},
    )
    it.event("go")
    for each in kept:
        each.append(10)
    assert it.variables == {"l": [1, 9]}
    assert it.instance.program.functions.call("risk", [[1]]) == [1, 9]


def test_m14_3_fields_come_in_the_order_of_their_names() -> None:
    declared = {"risk": {"input": {"o": "any"}, "result": "string"}}
    given = definition(functions=declared).with_functions(risk=lambda o: ",".join(o)).given
    assert given.call("risk", [{"b": 1, "a": 2}]) == given.call("risk", [{"a": 2, "b": 1}]) == "a,b"


# --- 14.4: failing --------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [None, "high", -1, float("nan"), {1: 2}, object()])
def test_m14_4_a_result_that_does_not_fit_is_the_fault_of_the_function(answer: Any) -> None:
    it = told("functions.risk(1, 'x') > 1", risk=lambda *given: answer)
    it.event("go")
    assert failed(it) == "Expression.function"


def test_m14_4_an_exception_is_an_error_that_transitions_can_take() -> None:
    def risk(amount: float, country: str) -> float:
        return {"DE": 1.0}[country]

    handler = {"from": "a", "event": "error", "to": "c", "condition": "event.type == 'Expression.function'"}
    whole = definition("functions.risk(1, 'FR') > 1")
    given = Workflow(
        **{
            **whole.model_dump(by_alias=True, exclude_unset=True),
            "transitions": [whole.transitions[0].model_dump(by_alias=True, exclude_unset=True), handler],
        }
    ).with_functions(risk=risk)
    it = Told(given)
    it.event("go")
    assert it.instance.state == "c"


# --- 14.5: given ----------------------------------------------------------------------------------


def test_m14_5_what_is_not_given_is_missed_at_the_start() -> None:
    with pytest.raises(FunctionError, match=r"cannot be stepped without functions\.risk.*with_functions\(risk=…\)"):
        Told(definition())


def test_m14_5_a_key_that_cannot_be_computed_refuses_the_start() -> None:
    whole = definition(correlation={"key": "functions.risk(context.n, 'x')"})
    with pytest.raises(StartRefused, match=r"functions\.risk raised ZeroDivisionError"):
        Told(whole.with_functions(risk=lambda amount, country: amount / 0))


def test_m14_5_functions_are_no_part_of_a_definition_and_copies_keep_them() -> None:
    bare = definition()
    given = bare.with_functions(risk=lambda amount, country: 1)
    assert given == bare
    assert dumps(given) == dumps(bare)
    assert given.model_copy(update={"version": "2.0.0"}).given.missing == ()
    assert bare.given.missing == ("risk",)
    assert loads(dumps(given), functions=given.given.functions).given.call("risk", [1, "x"]) == 1.0


def test_m14_5_a_copy_that_declares_another_one_lacks_that() -> None:
    given = definition().with_functions(risk=lambda amount, country: 1)
    more = Workflow(**{**given.model_dump(by_alias=True), "functions": {**RISK, "other": {"result": "integer"}}})
    other = given.model_copy(update={"functions": more.functions})
    assert other.given.missing == ("other",)
    assert given.model_copy(update={"functions": {"other": more.functions["other"]}}).given.missing == ("other",)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"rsk": print}, "declares no function 'rsk'. Functions: risk. Did you mean 'risk'?"),
        ({"risk": 5}, "5 cannot be called"),
        (
            {"risk": lambda amount: 1},
            "declared with 2 inputs (amount, country), and the Python function takes (amount)",
        ),
    ],
)
def test_m14_5_what_does_not_fit_its_declaration_is_refused_when_given(given: Any, told: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        definition().with_functions(**given)
    assert told in str(refused.value)


# --- 14.6: in proofs ------------------------------------------------------------------------------

SCORED = """
name: scored
initial_state: new
functions: {risk: {input: {amount: integer, country: string}, result: {type: integer, minimum: 0, maximum: 10}}}
variables: {amount: {type: integer, input: true, minimum: 0}, score: {type: integer, initial: 0}}
events: {go: {payload: {country: string}}, end: {}}
states:
  - {name: new}
  - {name: kept}
  - {name: ok, is_terminal: true}
  - {name: high, is_terminal: true}
  - {name: bad, is_terminal: true}
transitions:
  - from: new
    event: go
    to: kept
    condition: functions.risk(context.amount, event.country) <= 7
    pre_actions:
      - action_type: set_variable
        parameters: {name: score, value: "${functions.risk(context.amount, event.country)}"}
  - {from: kept, event: end, to: high, condition: context.score > 7}
  - {from: kept, event: end, to: ok}
  - {from: new, event: error, to: bad, condition: event.type == 'Expression.function'}
"""
ANY = "functions.risk: any function of the declared types, the same for the same arguments"
THESE = "functions.risk: as they were given"


def asked(claim: str, risk: Callable[..., Any] | None = None) -> Verdict:
    whole = loads(SCORED)
    (verdict,) = verify(whole if risk is None else whole.with_functions(risk=risk), [Property("never", claim)])
    return verdict


@pytest.mark.parametrize("risk", [None, lambda amount, country: 3, lambda amount, country: 1 // 0])
def test_m14_6_what_holds_of_every_function_needs_none(risk: Any) -> None:
    # It asks twice, and the answers are equal as the arguments are.
    verdict = asked("context.score > 7", risk)
    assert verdict.status is Status.HOLDS
    assert verdict.assumptions[-1] == ANY


def test_m14_6_what_depends_on_a_function_is_not_known_without_it() -> None:
    verdict = asked("context.score > 5")
    assert verdict.status is Status.UNKNOWN
    assert "a run seems to refute it, but functions.risk was not given" in verdict.reason
    assert verdict.assumptions[-1] == ANY


def test_m14_6_a_violation_is_one_of_the_function_that_was_given() -> None:
    verdict = asked("context.score > 5", lambda amount, country: min(amount, 10))
    assert verdict.status is Status.VIOLATED
    assert verdict.assumptions[-1] == THESE
    assert verdict.witness is not None
    verdict.witness.replay()
    # Of another one it is not said.
    assert asked("context.score > 5", lambda amount, country: 3).status is not Status.VIOLATED


def test_m14_6_a_function_may_fail_in_every_proof() -> None:
    verdict = asked("state == 'bad'", lambda amount, country: 3)
    assert verdict.status is Status.UNKNOWN
    assert asked("state == 'bad'", lambda amount, country: 1 // 0).status is Status.VIOLATED


def test_m14_6_the_search_says_what_it_lacks() -> None:
    space = explore_workflow(definition())
    assert (space.complete, space.n_states) == (False, 0)
    assert space.reason == "functions.risk was not given, so nothing can be stepped"
    erased = explore_workflow(definition("functions.risk(1, 'x') > 1"), erase_conditions=True)
    assert erased.complete
    # True, false, and an error that nothing handles.
    assert {erased.instance(k).state for k in range(erased.n_states)} == {"a", "b", "c"}
    assert {reason for _, reason in erased.failures} != set()


def test_m14_6_the_values_of_arguments_do_not_stand_for_others() -> None:
    whole = loads(SCORED)
    assert not explore_workflow(whole.with_functions(risk=lambda amount, country: 3)).exact
    few = loads(
        SCORED.replace("input: true, minimum: 0", "input: true, minimum: 0, maximum: 3")
        .replace("payload: {country: string}", "payload: {country: boolean}")
        .replace("country: string", "country: boolean")
    )
    asked_for = set()
    space = explore_workflow(few.with_functions(risk=lambda amount, country: asked_for.add((amount, country)) or 3))
    assert space.exact
    assert asked_for == set(itertools.product(range(4), (False, True)))
