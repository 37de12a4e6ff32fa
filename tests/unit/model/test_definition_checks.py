"""What must exist and fit before a definition means anything; from YAML and from Python alike."""

# ruff: noqa: E501

from __future__ import annotations

import pytest

from wfsim.errors import DefinitionError
from wfsim.model.check import check, declared_events, declared_variables
from wfsim.model.duration import Duration
from wfsim.model.elements import RetryPolicy, State, Transition
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import dumps, loads

BASE = """\
name: base
initial_state: a
variables:
  n: {type: integer, initial: 0}
  x: {type: number, optional: true}
  s: {type: string, optional: true}
  list: {type: list, optional: true}
events:
  pay: {payload: {amount: number}}
  free: {}
activities:
  f: {}
states:
  - {name: a, activity: f, timeout: 1h}
  - {name: b, is_terminal: true}
  - name: p
    parallel:
      regions:
        - name: r
          initial_state: inner
          states: [{name: inner}, {name: end, is_terminal: true}]
          transitions: [{from: inner, event: pay, to: end}]
transitions:
  - {from: a, event: pay, to: b, condition: event.amount > 1.0}
  - {from: a, event: free, to: p}
"""


def refused(old: str, new: str) -> str:
    assert old in BASE
    with pytest.raises(DefinitionError) as caught:
        loads(BASE.replace(old, new), "f.yaml")
    return str(caught.value)


def with_transition(text: str) -> str:
    return refused("transitions:\n  - {from: a, event: pay", f"transitions:\n  - {text}\n  - {{from: a, event: pay")


def test_the_base_is_right() -> None:
    assert check(loads(BASE)) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("initial_state: a", "initial_state: c", "starts in 'c', which is not a state. States: a, b, p"),
        ("initial_state: a", "initial_state: inner", "No arrow crosses the border of a region (M1.1)"),
        ("initial_state: inner", "initial_state: a", "No arrow crosses"),
        ("event: free, to: p", "event: free, to: inner", "'inner', a state of region 'r' of state 'p'"),
        ("- {name: b, is", "- {name: a, is", "the state 'a' is there twice"),
        (
            "- {name: a, activity: f",
            "- {name: a, activity: g",
            "'g', which is not an activity. Activities: f",
        ),
        ("f: {}", "f: {compensate_with: ff}", "Did you mean 'f'?"),
        ("f: {}", "f: {timeout: 0}", "no attempt could ever finish"),
        ("f: {}", "f: {timeout: 2h, schedule_to_close: 1h}", "can never expire"),
        ("f: {}", "f: {timeout: 1m, heartbeat: 2m}", "can never expire"),
        ("f: {}", "f: {retry_policy: {max_attempts: 2, max_interval: 1ms}}", "below initial_interval"),
        ("initial: 0}", "initial: 0, minimum: 5, maximum: 1}", "the minimum 5 is above the maximum 1"),
        ("initial: 0}", "initial: 0, minimum: 1}", "cannot start as 0"),
        ("initial: 0}", "initial: zero}", "is not an integer"),
        ("initial: 0}", "initial: 0.0}", "is not an integer"),
        ("initial: 0}", "initial: 0, maximum: 1.5}", "must be one too"),
        ("initial: 0}", "initial: 0, values: [0, one]}", "cannot have the value 'one'"),
        ("initial: 0}", "initial: 0, values: []}", "no value at all"),
        ("initial: 0}", "initial: 3, values: [0, 1]}", "cannot start as 3"),
        ("initial: 0}", "initial: 0, overflow: saturate}", "neither minimum nor maximum"),
        ("s: {type: string,", "s: {type: string, minimum: 1,", "only integer and number"),
        ("s: {type: string,", "s: {type: string, initial: '${event.x}',", "not an expression"),
        ("  free: {}", "  done: {}", "raised by the engine"),
        ("  free: {}", "  error.f: {}", "raised by the engine"),
        ("      regions:", "      join: 2\n      regions:", "joins 2 regions but has 1"),
        (
            "transitions:\n  - {from: a",
            "timeouts: {states: {aa: 1h}}\ntransitions:\n  - {from: a",
            "which is not a state",
        ),
        (
            "transitions:\n  - {from: a",
            "timeouts: {states: {a: 2h}}\ntransitions:\n  - {from: a",
            "a timeout of its own, 1h, and 2h here",
        ),
        ("activity: f, timeout: 1h", "for_each: {items: [1], as: i}", "either an activity or a workflow"),
        ("activity: f, timeout: 1h", "for_each: {items: 5, as: i, activity: f}", "the items are a list"),
        (
            "activity: f, timeout: 1h",
            "for_each: {items: '${context.s}', as: i, activity: f}",
            "the items are a list",
        ),
        (
            "activity: f, timeout: 1h",
            "for_each: {items: [1], as: i, activity: f, parameters: {p: '${item.j}'}}",
            "write item.i",
        ),
        (
            "activity: f, timeout",
            "activity: {name: f, parameters: {p: '${event.x}'}}, timeout",
            "no event here",
        ),
        (
            "activity: f, timeout",
            "activity: {name: f, result_variable: m}, timeout",
            "'m', which is not a variable",
        ),
        ("timeout: 1h", "timeout: '${context.s}'", "a duration is a number of seconds"),
        ("event.amount > 1.0", "event.amnt > 1.0", "Did you mean 'amount'?"),
        ("event.amount > 1.0", "event.amount > 'x'", "compares values of one type"),
        ("event.amount > 1.0", "'event.amount in [true]'", "compares values of one type"),
        ("event.amount > 1.0", "context.n", "a condition is true or false, and this is an integer"),
        ("event.amount > 1.0", "context.m > 1", "context.m, which is not a variable"),
        ("event.amount > 1.0", "context.lst == null", "Did you mean context.list?"),
        ("event.amount > 1.0", "item.x == 1", "only the parameters of for_each"),
        (
            "transitions:\n  - {from: a",
            "correlation: {key: state}\ntransitions:\n  - {from: a",
            "from variables only",
        ),
    ],
)
def test_a_definition_that_contradicts_itself_is_refused(old: str, new: str, told: str) -> None:
    assert told in refused(old, new)


@pytest.mark.parametrize(
    ("transition", "told"),
    [
        ("{from: a, after: 1m, condition: event.x == 1}", "there is no event here"),
        ("{from: a, condition: event.x == 1}", "there is no event here"),
        ("{from: a, event: timeout, to: b, condition: event.x == 1}", "It has no fields"),
        ("{from: a, event: done, to: b, condition: event.value == 1}", "Its fields: result"),
        ("{from: a, event: error, to: b, condition: event.kind == 'x'}", "Its fields: source, type, message"),
        ("{from: a, event: error, to: b, condition: event.type == 1}", "compares values of one type"),
        ("{from: a, event: error.g, to: b}", "waits for an error of 'g', but nothing so named"),
        (
            "{from: a, event: pay, pre_actions: [{action_type: set_variable, parameters: {name: m, value: 1}}]}",
            "writes 'm', which is not a variable",
        ),
        (
            "{from: a, event: pay, pre_actions: [{action_type: set_variable, parameters: {name: n, value: x}}]}",
            "is not an integer",
        ),
        (
            "{from: a, event: pay, pre_actions: [{action_type: set_variable, parameters: {name: n, value: '${event.amount}'}}]}",
            "the variable is an integer, and this is a number",
        ),
        (
            "{from: a, event: pay, pre_actions: [{action_type: set_variable, parameters: {name: n, value: null}}]}",
            "cannot become null",
        ),
        (
            "{from: a, event: pay, pre_actions: [{action_type: send, event: done, to: self}]}",
            "an event of the engine",
        ),
        (
            "{from: a, event: pay, pre_actions: [{action_type: send, event: hello, to: {workflow: w}}]}",
            "sends to {workflow}. Name one instance by workflow and key",
        ),
        (
            "{from: a, event: pay, pre_actions: [{action_type: send, event: hello, to: 7}]}",
            "sends to no instance. Write self, parent",
        ),
        (
            "{from: a, event: pay, pre_actions: [{action_type: send, event: pay, to: self, payload: {amont: 1.0}}]}",
            "sends 'amont' with 'pay', which has no such field. Fields: amount. Did you mean 'amount'?",
        ),
        (
            "{from: a, event: pay, pre_actions: [{action_type: send, event: pay, to: self}]}",
            "sends 'pay' to its own instance without the field 'amount' (number)",
        ),
        (
            "{from: a, event: pay, pre_actions: [{action_type: compensate, scope: q}]}",
            "neither a state nor a region",
        ),
    ],
)
def test_a_transition_that_cannot_mean_anything_is_refused(transition: str, told: str) -> None:
    assert told in with_transition(transition)


@pytest.mark.parametrize(
    "transition",
    [
        "{from: a, event: done, to: b, condition: event.result != null}",
        "{from: a, event: error, to: b, condition: \"event.type == 'Net'\"}",
        "{from: a, event: error.f, to: b}",
        "{from: a, event: error.a, to: b}",
        "{from: p, event: error.inner, to: b}",
        "{from: a, event: other, to: b, condition: event.anything == 1}",
        "{from: a, event: free, condition: event.anything == 1, to: b}",
        "{from: a, event: pay, pre_actions: [{action_type: set_variable, parameters: {name: x, value: 1}}]}",
        "{from: a, event: pay, pre_actions: [{action_type: set_variable, parameters: {name: x, value: '${context.n}'}}]}",
        "{from: b, event: pay, to: a}",
        "{from: a, event: pay, pre_actions: [{action_type: compensate, scope: r}]}",
    ],
)
def test_what_has_a_meaning_loads(transition: str) -> None:
    loads(
        BASE.replace(
            "transitions:\n  - {from: a, event: pay",
            f"transitions:\n  - {transition}\n  - {{from: a, event: pay",
        )
    )


SHARED = """\
name: w
version: 1.0.0
initial_state: packed
states:
  - {name: packed}
  - name: fulfil
    parallel:
      regions:
        - {name: pick, initial_state: packed, states: [{name: packed}]}
        - {name: pack, initial_state: packed, states: [{name: packed}]}
  - name: ship
    parallel: {regions: [{name: pick, initial_state: s, states: [{name: s}]}]}
transitions: [{from: packed, to: fulfil, event: e, pre_actions: [{action_type: compensate, scope: SCOPE}]}]
"""


@pytest.mark.parametrize(
    ("scope", "paths"),
    [
        ("packed", "/packed, fulfil/pick/packed, fulfil/pack/packed"),
        ("pick", "fulfil/pick, ship/pick"),
    ],
)
def test_a_scope_that_several_share_is_refused_with_the_paths_to_choose_from(scope: str, paths: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        loads(SHARED.replace("SCOPE", scope))
    told = str(caught.value)
    assert f"limited to '{scope}', but {paths.count(',') + 1} states and regions are called so" in told
    assert f"Give the path of one: {paths}." in told
    for path in paths.split(", "):
        workflow = loads(SHARED.replace("SCOPE", path))
        assert loads(dumps(workflow)) == workflow


def test_a_path_as_scope_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(DefinitionError, match="neither a state nor a region"):
        loads(SHARED.replace("SCOPE", "fulfil/packed"))


def test_python_gets_the_same_texts_with_paths_instead_of_lines() -> None:
    with pytest.raises(DefinitionError, match=r"transitions\[0\]\.to: transition 1 \(a → bb on e\) leads to 'bb'"):
        Workflow(
            name="w",
            initial_state="a",
            states=(State(name="a"), State(name="b")),
            transitions=(Transition(from_="a", to="bb", event="e"),),
        )
    with pytest.raises(DefinitionError, match="'nme' is not a key of a state"):
        State(nme="a")
    with pytest.raises(DefinitionError, match=r"states\[0\].name: expected a text, found the number 1"):
        Workflow(name="w", initial_state="a", states=[{"name": 1}])


def test_without_sections_names_are_declared_by_use_in_order() -> None:
    workflow = Workflow(
        name="w",
        initial_state="a",
        states=[{"name": "a"}],
        transitions=[
            {"from": "a", "event": "z", "condition": "context.second > context.first"},
            {"from": "a", "event": "b"},
        ],
    )
    assert list(declared_variables(workflow)) == ["second", "first"]
    assert list(declared_events(workflow)) == ["z", "b"]


def test_declared_events_come_first_then_those_only_used() -> None:
    workflow = loads(BASE.replace("event: free, to: p", "event: unknown, to: p"))
    assert list(declared_events(workflow)) == ["pay", "free", "unknown"]


def test_a_long_first_wait_needs_no_longest_one_and_stays_alone_in_the_file() -> None:
    activities = "activities:\n  f: {retry_policy: {max_attempts: 2, initial_interval: 5m}}\n"
    workflow = loads(f"name: w\ninitial_state: a\n{activities}states: [{{name: a, activity: f}}]\n")
    policy = workflow.activities["f"].retry_policy
    assert isinstance(policy, RetryPolicy)
    assert policy.max_interval == Duration.of("5m")
    assert "max_interval" not in dumps(workflow.model_copy())
    assert loads(dumps(workflow)) == workflow
