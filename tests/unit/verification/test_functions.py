"""M14.6: functions in Python in verdicts: whose arguments come from outside, whose answers lead to others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import wfsim as wf
from wfsim.verification.property import Property
from wfsim.verification.verdict import Status

DIGIT = """
name: checked
initial_state: new
functions: {digit: {input: {number: integer, key: string}, result: {type: integer, minimum: 0, maximum: 96}}}
variables: {number: {type: integer, input: true, minimum: 1000}}
events: {check: {payload: {key: string, digit: integer}}}
states: [{name: new}, {name: right, is_terminal: true}]
transitions:
  - {from: new, event: check, to: right, condition: "functions.digit(context.number, event.key) == event.digit"}
"""
RATED = """
name: rated
initial_state: a
functions: {rate: {input: {}, result: {type: TYPE}}}
variables: {x: {type: TYPE, optional: true}}
events: {go: {}}
states: [{name: a}, {name: b, is_terminal: true}]
transitions:
  - from: a
    event: go
    to: b
    pre_actions: [{action_type: set_variable, parameters: {name: x, value: "${functions.rate()}"}, on_failure: ignore}]
"""


def asked(workflow: wf.Workflow, name: str, *options: Any) -> Any:
    (verdict,) = wf.verify(workflow, [Property(name, *options)])
    return verdict


def test_a_value_from_outside_that_must_be_what_a_function_gives_is_found() -> None:
    given = wf.loads(DIGIT, functions={"digit": lambda number, key: (7 * number + len(key)) % 97})
    # No candidate value is the answer of a function; with what the function says for one run, the next one is right.
    assert wf.explore_workflow(given).reached.keys() < set(wf.explore_workflow(given).program.state_rows.values())
    assert asked(given, "states_reachable").status is Status.HOLDS
    found = asked(given, "never", "state == 'right'")
    assert found.status is Status.VIOLATED
    found.witness.replay()
    stimulus = found.witness.stimuli[-1]
    number = found.witness.stimuli[0].payload["number"]
    assert stimulus.payload["digit"] == (7 * number + len(stimulus.payload["key"])) % 97


@pytest.mark.parametrize(
    ("kind", "rate", "claim", "status"),
    [
        ("integer", lambda: 3, "context.x == 3", Status.VIOLATED),
        ("integer", lambda: 3, "context.x == 4", Status.HOLDS),
        ("number", lambda: 0.1, "context.x != null and context.x < 0.2", Status.VIOLATED),
        ("string", lambda: "é", "context.x == 'é'", Status.VIOLATED),
        ("boolean", lambda: True, "context.x == true", Status.VIOLATED),
        ("boolean", lambda: 1 // 0, "context.x == true", Status.HOLDS),
        ("list", lambda: [1, 2], "context.x != null and len(context.x) == 2", Status.VIOLATED),
    ],
)
def test_a_constant_of_each_type_is_what_it_is(kind: str, rate: Any, claim: str, status: Status) -> None:
    whole = wf.loads(RATED.replace("TYPE", kind))
    verdict = asked(whole.with_functions(rate=rate), "never", claim)
    assert verdict.status is status, str(verdict)
    assert asked(whole, "never", claim).status is Status.UNKNOWN


def test_that_it_holds_of_the_given_functions_alone_is_not_said_to_be_proved() -> None:
    text = DIGIT.replace("== event.digit", "== event.digit and event.digit > 1000 + context.number * 0").replace(
        ", maximum: 96", ""
    )
    given = wf.loads(text, functions={"digit": lambda number, key: 3})
    verdict = asked(given, "never", "state == 'right'")
    assert verdict.status is Status.UNKNOWN
    assert asked(wf.loads(text), "never", "state == 'right'").status is Status.UNKNOWN


def calling(call: str, **inputs: str) -> wf.Workflow:
    declared = ", ".join(f"{name}: {kind}" for name, kind in inputs.items())
    return wf.loads(f"""
name: calling
initial_state: a
functions: {{f: {{input: {{{declared}}}, result: {{type: integer, minimum: 0, maximum: 9}}}}}}
variables:
  n: {{type: integer, input: true}}
  m: {{type: number, input: true}}
  s: {{type: string, input: true}}
  l: {{type: list, items: integer, input: true}}
  o: {{type: integer, input: true, optional: true}}
  x: {{type: integer, initial: 0}}
  y: {{type: integer, initial: 0}}
events: {{go: {{}}}}
states: [{{name: a}}, {{name: b, is_terminal: true}}, {{name: c, is_terminal: true}}]
transitions:
  - from: a
    event: go
    to: b
    pre_actions:
      - {{action_type: set_variable, parameters: {{name: x, value: "${{{call}}}"}}}}
      - {{action_type: set_variable, parameters: {{name: y, value: "${{{call}}}"}}}}
  - {{from: a, event: error, to: c}}
""")


@pytest.mark.parametrize(
    ("call", "inputs", "status"),
    [
        ("functions.f(context.n)", {"a": "integer"}, Status.HOLDS),
        ("functions.f(context.m)", {"a": "number"}, Status.HOLDS),
        ("functions.f(context.n)", {"a": "number"}, Status.HOLDS),
        ("functions.f(3)", {"a": "number"}, Status.HOLDS),
        ("functions.f(context.s)", {"a": "string"}, Status.HOLDS),
        ("functions.f(context.o)", {"a": "{type: integer, optional: true}"}, Status.HOLDS),
        ("functions.f(context.n, context.s)", {"a": "any", "b": "any"}, Status.HOLDS),
        ("functions.f(context.n > 3)", {"a": "boolean"}, Status.HOLDS),
        # Of two lists the solver does not know that they are equal, but that one is.
        ("functions.f(context.l)", {"a": "list"}, Status.HOLDS),
        ("functions.f([context.n])", {"a": "list"}, Status.HOLDS),
        ("functions.f(context.s)", {"a": "{type: string, pattern: '[a-z]*'}"}, Status.HOLDS),
    ],
)
def test_equal_arguments_have_equal_answers(call: str, inputs: dict[str, str], status: Status) -> None:
    whole = calling(call, **inputs)
    assert asked(whole, "never", "state == 'b' and context.x != context.y").status is status
    # In any case the result is of its type, or the function fails.
    assert asked(whole, "never", "context.x > 9 or context.y < 0").status is Status.HOLDS
    assert asked(whole, "no_failure").status is Status.HOLDS


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        ("functions.f(context.o)", "Expression.null"),
        ("functions.f(context.n)", "Expression.range"),
        ("functions.f(context.n) + 1 // context.n", "Expression.division"),
        ("functions.f(1)", "Expression.function"),
    ],
)
def test_each_way_to_fail_is_known(condition: str, fault: str) -> None:
    whole = calling(condition, a="{type: integer, minimum: -5, maximum: 5}")
    text = wf.dumps(whole).replace(
        "event: error, to: c", f"event: error, condition: 'event.type == \"{fault}\"', to: c"
    )
    given: Callable[[int], int] = lambda a: 1 // 0 if a == 1 else 3  # noqa: E731
    verdict = asked(wf.loads(text, functions={"f": given}), "never", "state == 'c'")
    assert verdict.status is Status.VIOLATED, str(verdict)


def test_a_claim_calls_no_function() -> None:
    with pytest.raises(wf.DefinitionError, match="a claim calls no function in Python; let a variable hold"):
        asked(wf.loads(DIGIT), "never", "functions.digit(context.number, 'x') == 3")
    net = wf.to_net(wf.loads(DIGIT))
    with pytest.raises(wf.WfsimError):
        wf.check(net, "functions.digit(1, 'x') == 3")
