"""What actions and works say of themselves, and the trees of their expressions."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

import wfsim as wf
from tests.work import lines
from wfsim.errors import DefinitionError
from wfsim.model import expressions
from wfsim.model.elements import State, Transition
from wfsim.model.expressions import parse, parse_template
from wfsim.model.operations import Action, Failure, Operation
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import dumps, loads
from wfsim.semantics.compile import compile_workflow

KINDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"action_type": "activity", "name": "f", "parameters": {"n": "${event.n}"}, "result_variable": "r"},
        {"runs": "f", "written": "r", "reads": ["parameters/n"], "inputs": ["n"], "waits": True, "sources": ("f",)},
    ),
    (
        {"action_type": "set_variable", "parameters": {"name": "x", "value": "${context.x + 1}"}},
        {"written": "x", "reads": ["parameters/value"], "fails_of": {Failure.VALUE}},
    ),
    (
        {"action_type": "set_variable", "parameters": {"name": "x", "value": 1}},
        {"written": "x", "reads": ["parameters/value"], "fails_of": set()},
    ),
    (
        {"action_type": "send", "event": "e", "to": {"workflow": "w", "key": "${context.k}"}, "payload": {"n": 1}},
        {
            "sends": "e",
            "reads": ["to", "payload/n"],
            "inputs": ["n"],
            "fails_of": {Failure.VALUE},
            "sources": ("send",),
        },
    ),
    (
        {"action_type": "compensate", "scope": "s"},
        {"undoes": "s", "waits": True, "fails_of": {Failure.WORK}, "sources": ("compensate",)},
    ),
    (
        {"activity": {"name": "f", "parameters": {"n": 1}, "result_variable": "r"}},
        {"runs": "f", "written": "r", "reads": ["parameters/n"], "inputs": ["n"], "waits": True, "sources": ("f",)},
    ),
    (
        {"invoke": {"workflow": "child", "version": "1.x", "input": {"n": 1}, "compensate_with": "undo"}},
        {
            "invokes": ("child", "1.x"),
            "undone_by": "undo",
            "reads": ["input/n"],
            "inputs": ["n"],
            "waits": True,
        },
    ),
    (
        {"for_each": {"items": "${context.l}", "as": "one", "activity": "f", "result_variable": "r"}},
        {"runs": "f", "written": "r", "reads": ["items"], "inputs": ["one"], "waits": True, "sources": ("f",)},
    ),
    (
        {"for_each": {"items": [1], "as": "one", "workflow": "child", "on_failure": "collect"}},
        {"invokes": ("child", None), "reads": ["items"], "inputs": ["one"], "waits": True, "fails_of": {Failure.VALUE}},
    ),
    (
        {"parallel": {"regions": [{"name": "r", "initial_state": "a", "states": [{"name": "a"}]}]}},
        {"waits": True, "fails_of": {Failure.WORK}},
    ),
]


def operation(written: dict[str, Any]) -> Operation:
    if "action_type" in written:
        (action,) = Transition.model_validate({"from": "a", "event": "e", "pre_actions": [written]}).actions
        return action
    work = State.model_validate({"name": "a"} | written).work
    assert work is not None
    return work


def said(each: Operation) -> dict[str, Any]:
    found = {
        "runs": each.runs,
        "invokes": each.invokes,
        "written": None if each.written is None else each.written.variable,
        "reads": ["/".join(map(str, read.path)) for read in each.reads],
        "inputs": list(each.inputs),
        "sends": None if each.sends is None else each.sends.event,
        "undoes": None if each.undoes is None else each.undoes.scope,
        "undone_by": None if each.undone_by is None else each.undone_by.activity,
        "waits": each.waits,
        "sources": each.sources,
    }
    return {name: value for name, value in found.items() if value}


@pytest.mark.parametrize(("written", "wanted"), KINDS)
def test_an_operation_says_what_it_does_and_nothing_else(written: dict[str, Any], wanted: dict[str, Any]) -> None:
    each, fails_of = operation(written), wanted.pop("fails_of", set(Failure))
    assert said(each) == wanted
    assert each.fails_of == fails_of


def test_a_message_says_who_gets_it() -> None:
    def to(receiver: object) -> tuple[object, object, str | None]:
        message = operation({"action_type": "send", "event": "e", "to": receiver}).sends
        assert message is not None
        return message.receiver, message.key, message.addressed

    assert to("self") == (parse_template("self"), None, None)
    assert to("${context.who}") == (parse("context.who"), None, None)
    assert to({"workflow": "w", "key": 5}) == (parse_template("w"), parse_template(5), "w")
    assert to({"workflow": "${context.w}", "key": 5}) == (parse("context.w"), parse_template(5), None)


# Errors ---------------------------------------------------------------------------------------------------------

FAMILY = """\
name: parent
initial_state: a
variables: {n: {type: integer, initial: 0}}
states:
  - {name: a, invoke: {workflow: child}}
  - {name: b, is_terminal: true}
transitions:
  - {from: a, event: done, to: b}
  - {from: a, event: go, to: b, pre_actions: [ACTION]}
  - {from: a, event: error.SOURCE, to: b}
"""
SET = "{action_type: set_variable, name: mine, parameters: {name: n, value: 1}}"
UNDO = "{action_type: compensate, name: mine}"


@pytest.mark.parametrize(
    ("action", "source"),
    [(SET, "child"), (SET, "mine"), (SET, "set_variable"), (UNDO, "mine"), (SET, "compensate"), (UNDO, "send")],
)
def test_m4_2_a_source_that_no_error_ever_has_is_refused(action: str, source: str) -> None:
    with pytest.raises(DefinitionError, match=f"waits for an error of '{source}', but nothing so named"):
        loads(FAMILY.replace("ACTION", action).replace("SOURCE", source))


@pytest.mark.parametrize(("action", "source"), [(SET, "a"), (UNDO, "compensate")])
def test_a_source_that_errors_have_is_accepted(action: str, source: str) -> None:
    loads(FAMILY.replace("ACTION", action).replace("SOURCE", source))


def test_the_error_of_a_child_is_handled_by_the_name_of_its_state() -> None:
    handled = loads(FAMILY.replace("ACTION", SET).replace("SOURCE", "a"))
    assert [each.code for each in wf.lint(handled) if each.code == "error-unhandled"] == []


def test_an_unknown_compensator_of_a_child_is_told_by_its_place() -> None:
    with pytest.raises(DefinitionError) as told:
        loads(
            FAMILY.replace("ACTION", SET)
            .replace("SOURCE", "a")
            .replace("{workflow: child}", "{workflow: child, compensate_with: undo}")
            .replace("states:\n", "activities: {f: {}}\nstates:\n", 1)
        )
    assert "what state 'a' runs is compensated by 'undo', which is not an activity" in str(told.value)


# Trees ----------------------------------------------------------------------------------------------------------

READING = """\
name: reading
initial_state: a
variables: {n: {type: integer, initial: 0}, k: {type: string, initial: x}, l: {type: list, initial: []}}
correlation: {key: context.k}
states:
  - {name: a, timeout: "${context.n + 1}", activity: {name: f, parameters: {n: {deep: ["${context.n + 2}"]}}}}
  - {name: b, for_each: {items: "${context.l}", as: one, activity: f, parameters: {p: "${item.one}"}}}
  - {name: c, is_terminal: true}
transitions:
  - from: a
    event: done
    to: b
    condition: context.n + 3 > 0
    pre_actions:
      - {action_type: set_variable, parameters: {name: n, value: "${context.n + 4}"}}
      - {action_type: send, event: e, to: "${context.k}", payload: {n: "${context.n + 5}"}}
  - {from: a, after: "${context.n + 6}", to: b}
  - {from: b, event: done, to: c}
  - {from: b, event: error, to: c}
"""


def test_after_it_is_made_a_definition_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = loads(READING)
    for cached in (expressions.parse, expressions.parse_condition, expressions._text_template):
        cached.cache_clear()
    monkeypatch.setattr(expressions, "read", lambda text: pytest.fail(f"{text} is parsed again"))
    wf.lint(workflow)
    wf.to_net(workflow)
    compile_workflow(workflow)
    wf.verify(workflow)


def test_trees_leave_no_trace_in_what_is_written_compared_or_kept() -> None:
    workflow = loads(READING)
    again = loads(dumps(workflow))
    plain = Workflow.model_validate(workflow.model_dump(by_alias=True))
    for other in (again, plain, deepcopy(workflow), pickle.loads(pickle.dumps(workflow))):
        assert other == workflow
        assert hash(other) == hash(workflow)
        assert other.model_dump_json(by_alias=True) == workflow.model_dump_json(by_alias=True)
        assert [each.reads for each in other.operations()] == [each.reads for each in workflow.operations()]
    assert "tree" not in repr(workflow.transitions[0])
    assert workflow.transitions[0] != workflow.transitions[0].model_copy(update={"condition": "true"})


def test_a_copy_with_another_text_has_the_tree_of_that_text() -> None:
    workflow = loads(READING)
    state, way = workflow.states[0], workflow.transitions[0]
    assert way.model_copy(update={"condition": "context.n == 9"}).condition_tree == parse("context.n == 9")
    assert way.model_copy().condition_tree == way.condition_tree == parse("context.n + 3 > 0")
    assert state.model_copy(update={"timeout": "${context.n}"}).timeout_tree == parse("context.n")
    assert state.model_copy(update={"timeout": "3h"}).timeout_tree is None
    action: Action = way.pre_actions[1]
    assert action.model_copy(update={"payload": {"m": 1}}).inputs == {"m": parse_template(1)}


# Cost -----------------------------------------------------------------------------------------------------------


def chain(length: int) -> Workflow:
    run = "pre_actions: [{action_type: activity, name: f}]"
    numbers = range(length)
    return loads(
        "name: chain\ninitial_state: s0\nunhandled: reject\nstates:\n"
        + "".join(f"  - name: s{k}\n" for k in numbers)
        + f"  - {{name: s{length}, is_terminal: true}}\ntransitions:\n"
        + "".join(f"  - {{from: s{k}, to: s{k + 1}, event: e, condition: event.k > {k}, {run}}}\n" for k in numbers)
    )


@pytest.mark.parametrize("read", [wf.lint, compile_workflow])
def test_reading_a_definition_takes_twice_the_work_for_twice_the_length(read: Callable[[Workflow], object]) -> None:
    short, long = chain(100), chain(200)
    read(chain(10))
    assert lines(lambda: read(long)) < 2.2 * lines(lambda: read(short))
